//! The load generator: that it sees what is right and what is wrong.

use std::{process::Command, time::Duration};

use anyhow::{Context, Result};
use serde_json::Value;
use zeroserve_tests::{
    Lab,
    binary::{self, Terminal},
    lab::{check_books, noise},
    require_root,
    traces::Traces,
};
use zeroserve_tui::load::{Driver, Expected, Measured, Plan, Request};

/// A plan that asks for a path over and over, and checks every answer to its last byte.
fn plan(path: &str, body: Option<Vec<u8>>) -> Plan {
    let expected = Expected { status: 200, body };
    Plan {
        port: 80,
        requests: vec![Request { path: path.into(), fields: String::new(), expected }],
        choices: vec![0],
        connections: 8,
        rate: None,
        flood: 0,
        idle: 0,
        closes: false,
        checked_every: 1,
        timed_every: 1,
        client_cpu: 0,
        server_cpu: 0,
    }
}

fn measure(driver: &mut Driver) -> Result<Measured> {
    driver.measure(Duration::from_millis(300))
}

/// Counters of what went wrong.
fn faults(measured: &Measured) -> Vec<&'static str> {
    measured.faults().into_iter().map(|(_, what)| what).collect()
}

#[test]
fn right_answers_are_counted_whatever_their_length_and_however_connections_are_used() -> Result<()>
{
    let mut lab = Lab::new()?;
    for (path, bytes) in [("/small", 272), ("/large", 90_001)] {
        let body = noise(1, bytes);
        lab.publish(path, &body)?;
        for closes in [false, true] {
            let plan = Plan { closes, ..plan(path, Some(body.clone())) };
            let mut driver = Driver::start(&mut lab.server.network, &plan, &[])?;
            let measured = measure(&mut driver)?;
            assert_eq!(faults(&measured), Vec::<&str>::new(), "{path} {closes}");
            assert!(measured.tally.responses > 0, "{path} {closes}: {measured:?}");
            assert!(measured.tally.samples > 0, "{path} {closes}: {measured:?}");
            assert!(measured.latency.quantile(0.5).is_some(), "{path} {closes}: {measured:?}");
            assert_eq!(measured.tally.connections > 0, closes, "{path}: {measured:?}");
        }
    }
    check_books(&lab.totals()?);
    Ok(())
}

#[test]
fn a_body_that_has_changed_is_noticed() -> Result<()> {
    let mut lab = Lab::new()?;
    let mut body = noise(1, 5000);
    lab.publish("/file", &body)?;
    let plan = plan("/file", Some(body.clone()));
    let mut driver = Driver::start(&mut lab.server.network, &plan, &[])?;
    assert_eq!(faults(&measure(&mut driver)?), Vec::<&str>::new());
    // One bit of the last byte.
    body[4999] ^= 1;
    lab.replace("/file", &body)?;
    assert_eq!(faults(&measure(&mut driver)?), ["bodies that were not what was published"]);
    Ok(())
}

#[test]
fn another_status_is_noticed() -> Result<()> {
    let mut lab = Lab::new()?;
    let body = noise(1, 272);
    lab.publish("/file", &body)?;
    let plan = plan("/file", Some(body));
    let mut driver = Driver::start(&mut lab.server.network, &plan, &[])?;
    lab.remove("/file")?;
    let measured = measure(&mut driver)?;
    assert!(faults(&measured).contains(&"responses with another status"), "{measured:?}");
    Ok(())
}

#[test]
fn a_flood_and_idle_connections_stand_beside_a_load_at_a_given_rate() -> Result<()> {
    let mut lab = Lab::new()?;
    let body = noise(1, 272);
    lab.publish("/file", &body)?;
    let plan = Plan { rate: Some(1000), flood: 4, idle: 100, ..plan("/file", Some(body)) };
    let mut driver = Driver::start(&mut lab.server.network, &plan, &[])?;
    let measured = measure(&mut driver)?;
    assert_eq!(faults(&measured), Vec::<&str>::new());
    assert!(measured.tally.floods > 0, "{measured:?}");
    // They come at random: six standard deviations more than on average are one time in a billion.
    let average = measured.duration.as_secs_f64() * 1000.0;
    let most = (average + 6.0 * average.sqrt()).ceil() as u64;
    assert!((1..=most).contains(&measured.tally.requests), "{measured:?}");
    Ok(())
}

#[test]
fn the_command_reports_on_a_load_of_the_demo_site_and_leaves_no_trace() -> Result<()> {
    require_root();
    let mut command = Command::new(binary::path());
    let child =
        command.args(["load", "--seconds", "1", "--json"]).stdout(std::process::Stdio::piped());
    let child = child.spawn()?;
    let pid = child.id();
    let output = child.wait_with_output()?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    assert!(output.status.success(), "{report:#}");
    let number =
        |name: &str| report[name].as_u64().with_context(|| format!("no {name}: {report:#}"));
    assert!(number("requests")? > 0, "{report:#}");
    assert_eq!(number("errors")?, 0, "{report:#}");
    assert_eq!(Traces::of(pid)?, Traces::default());
    Ok(())
}

#[test]
fn clients_in_the_kernel_drive_a_demo_and_find_every_answer_right() -> Result<()> {
    require_root();
    let mut command = Command::new(binary::path());
    command.args(["demo", "--clients", "kernel", "--connections", "16"]);
    let mut terminal = Terminal::start(command)?;
    let pid = terminal.child.id();
    terminal.wait_for("SERVING")?;
    // Once the console has seen requests.
    terminal.wait_for("k/s")?;
    terminal.keys("q")?;
    terminal.wait_for_end()?;
    let shown = terminal.contents();
    let served = shown.split_once("demo: served ").context(shown.clone())?.1;
    let requests: u64 = served.split(' ').next().unwrap_or_default().parse()?;
    assert!(requests > 0, "{shown}");
    assert!(!shown.contains("the clients saw"), "{shown}");
    assert_eq!(Traces::of(pid)?, Traces::default());
    Ok(())
}
