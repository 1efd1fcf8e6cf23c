//! A hit among many routes, and while a console looks: CPU time of the server's packets, under the
//! load generator.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use zeroserve_tui::{
    content::{Rendered, RoutePath},
    demo::PrivateServer,
    kernel::{AttachOptions, Live},
    load::{Driver, Expected, Plan, Request},
};

use crate::{
    binary::{self, Terminal},
    lab::{noise, rendered},
};

/// How many routes are many.
pub const ROUTES: u32 = 100_000;
/// How many of them are asked for in turn, where it is not one: as many as the load generator can.
const ASKED: u32 = 1 << 14;
/// Bytes of each body.
const BODY_BYTES: usize = 272;
/// Connections that ask.
const CONNECTIONS: u32 = 64;
/// How long a load runs before it is measured.
const WARM_UP: Duration = Duration::from_millis(300);

/// Nanoseconds of CPU for each request.
#[derive(Clone, Copy, Debug)]
pub struct Routes {
    /// With one route.
    pub one: f64,
    /// With [`ROUTES`], of which one is asked for.
    pub many: f64,
    /// With [`ROUTES`], of which thousands are asked for in turn.
    pub many_asked: f64,
}

fn path(index: u32) -> String {
    format!("/route/{index:06}")
}

/// A server with so many routes.
fn server(routes: u32) -> Result<(Live, PrivateServer)> {
    let more = |options: &mut AttachOptions| options.max_routes = routes.max(1024);
    let (mut live, server) = PrivateServer::start_with("scal", more)?;
    let body = rendered(&noise(1, BODY_BYTES));
    let one =
        |index| Ok::<_, anyhow::Error>((path(index).parse::<RoutePath>()?, Rendered::clone(&body)));
    let files = (0..routes).map(one).collect::<Result<Vec<_>>>()?;
    let published = live.publish(files.into_iter().map(|(path, file)| (path, Ok(file))), |_| {})?;
    ensure!(published.failed.is_empty(), "not published: {:?}", published.failed);
    Ok((live, server))
}

/// A load that asks for every path in turn.
fn plan(paths: impl Iterator<Item = String>) -> Plan {
    let body = noise(1, BODY_BYTES);
    let request = |path| Request {
        path,
        fields: String::new(),
        expected: Expected { status: 200, body: Some(body.clone()) },
    };
    let requests: Vec<Request> = paths.map(request).collect();
    Plan {
        port: AttachOptions::DEFAULT_PORT,
        choices: (0..requests.len() as u32).collect(),
        requests,
        connections: CONNECTIONS,
        rate: None,
        flood: 0,
        idle: 0,
        closes: false,
        checked_every: 64,
        timed_every: 8,
        client_cpu: 0,
        server_cpu: 1,
    }
}

fn server_ns(server: &mut PrivateServer, plan: &Plan, duration: Duration) -> Result<f64> {
    let mut driver = Driver::start(&mut server.network, plan, &[])?;
    driver.measure(WARM_UP)?;
    let measured = driver.measure(duration)?;
    ensure!(measured.faults().is_empty(), "not every answer was right: {:?}", measured.faults());
    Ok(measured.server_ns_per_request())
}

/// The median of some numbers.
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}

/// Measures a hit with one route and with many, in turns.
///
/// # Errors
///
/// Where an answer is wrong, or the kernel refuses.
pub fn routes(rounds: u32, duration: Duration) -> Result<Routes> {
    let (mut few, mut many) = (server(1)?, server(ROUTES)?);
    let one = plan([path(0)].into_iter());
    let middle = plan([path(ROUTES / 2)].into_iter());
    let asked = plan((0..ASKED).map(|index| path(index * (ROUTES / ASKED))));
    let mut figures = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        figures[0].push(server_ns(&mut few.1, &one, duration)?);
        figures[1].push(server_ns(&mut many.1, &middle, duration)?);
        figures[2].push(server_ns(&mut many.1, &asked, duration)?);
    }
    let [one, many, many_asked] = figures.map(median);
    Ok(Routes { one, many, many_asked })
}

/// Nanoseconds of CPU for each request.
#[derive(Clone, Copy, Debug)]
pub struct Watched {
    /// While nobody looks.
    pub alone: f64,
    /// While a console shows routes, reasons and rates, and reads every counter once a second.
    pub console: f64,
    /// While it shows samples of requests, too.
    pub requests: f64,
}

/// Measures a hit without and with a console, in turns.
///
/// # Errors
///
/// Where an answer is wrong, or the console does not start.
pub fn watched(rounds: u32, duration: Duration) -> Result<Watched> {
    let (live, mut server) = server(1)?;
    // The console is to have the pen, as it usually has.
    drop(live);
    let plan = plan([path(0)].into_iter());
    let mut figures = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        figures[0].push(server_ns(&mut server, &plan, duration)?);
        for (figure, panel) in figures[1..].iter_mut().zip(["1", "6"]) {
            let folder = tempfile::tempdir()?;
            let mut command = server.network.server.command(binary::path());
            command.arg(server.network.interface()).env("XDG_STATE_HOME", folder.path());
            command.env("XDG_CONFIG_HOME", folder.path()).current_dir(folder.path());
            let mut console = Terminal::start(command).context("the console")?;
            console.wait_for("SERVING")?;
            console.keys(panel)?;
            figure.push(server_ns(&mut server, &plan, duration)?);
            console.child.kill()?;
            console.child.wait()?;
        }
    }
    let [alone, console, requests] = figures.map(median);
    Ok(Watched { alone, console, requests })
}
