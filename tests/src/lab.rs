//! A server in a private network, and clients of several kinds.

use std::{
    io,
    path::Path,
    process::{Command, Output},
    sync::Arc,
};

use anyhow::{Context, Result, ensure};
use aya::maps::{HashMap, Map, MapData};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use zeroserve_shared::{
    config::{Address, Local},
    counters::{Counters, RouteHits},
    map::{ADDRESSES, PIN_ROOT},
    reason::Reason,
};
use zeroserve_tui::{
    content::{Rendered, RoutePath, Site},
    demo::{PrivateServer, client::Connection},
    kernel::{AttachOptions, FlowTable, Live},
    net::{Namespace, PrivateNetwork},
    server::{Change, RouteInfo, RouteName, Server},
};

use crate::{binary::wait_until, require_program, require_root};

/// Media type of what tests publish.
const CONTENT_TYPE: &str = "application/octet-stream";

/// The demo site, in the source tree.
pub const DEMO_SITE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../assets/site");

/// A server with nothing published, in a network of its own.
pub struct Lab {
    /// The server.
    pub live: Live,
    /// Where it is attached.
    pub server: PrivateServer,
    /// A folder for files, removed with the lab.
    pub folder: TempDir,
}

impl Lab {
    /// Makes a private network and attaches the server.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses.
    ///
    /// # Panics
    ///
    /// Where the test does not run as root.
    pub fn new() -> Result<Self> {
        Self::with(|_| {})
    }

    /// As [`Lab::new`], with other limits.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Panics
    ///
    /// As there.
    pub fn with(adjust: impl FnOnce(&mut AttachOptions)) -> Result<Self> {
        require_root();
        let (live, server) = PrivateServer::start_with("lab", adjust)?;
        Ok(Self { live, server, folder: tempfile::tempdir()? })
    }

    /// The namespace that clients are in.
    pub fn client(&self) -> &Namespace {
        &self.server.network.client
    }

    /// Name of the interface that the server is attached to.
    pub fn interface(&self) -> &str {
        self.server.network.interface()
    }

    /// The server's table of flows.
    ///
    /// # Errors
    ///
    /// Where it is not pinned.
    pub fn flows(&self) -> Result<FlowTable> {
        FlowTable::open(&Path::new(PIN_ROOT).join(self.interface()))
    }

    /// Publishes a body behind a path that has nothing yet.
    ///
    /// # Errors
    ///
    /// Where the path is not possible or the kernel refuses.
    pub fn publish(&mut self, path: &str, body: &[u8]) -> Result<()> {
        self.live.apply(Change::Add(path.parse()?, rendered(body)))?;
        Ok(())
    }

    /// Puts another body behind a path.
    ///
    /// # Errors
    ///
    /// As for [`Lab::publish`].
    pub fn replace(&mut self, path: &str, body: &[u8]) -> Result<()> {
        self.live.apply(Change::Replace(path.parse()?, rendered(body)))?;
        Ok(())
    }

    /// Removes what is behind a path.
    ///
    /// # Errors
    ///
    /// As for [`Lab::publish`].
    pub fn remove(&mut self, path: &str) -> Result<()> {
        self.live.apply(Change::Remove(path.parse()?))?;
        Ok(())
    }

    /// Publishes every file of a folder, and returns what must come back.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read or the kernel refuses.
    pub fn publish_folder(&mut self, root: &Path) -> Result<Vec<(RoutePath, Arc<Rendered>)>> {
        let site = Site::scan(root)?;
        ensure!(!site.routes.is_empty(), "{} has no files", root.display());
        let mut published = Vec::new();
        for (path, rendered) in site.render() {
            let rendered = Arc::new(rendered?);
            self.live.apply(Change::Add(path.clone(), Arc::clone(&rendered)))?;
            published.push((path, rendered));
        }
        Ok(published)
    }

    /// Opens the server anew where it runs, as every command does: it takes note then of what has
    /// changed about the interface.
    ///
    /// # Errors
    ///
    /// Where it cannot be opened.
    pub fn reopen(&mut self) -> Result<()> {
        let interface = self.interface().to_owned();
        self.live = self.server.network.server.run(|| Live::open(&interface))??;
        Ok(())
    }

    /// Runs `ip` on the server's end.
    ///
    /// # Errors
    ///
    /// Where it fails.
    pub fn server_ip(&self, arguments: &[&str]) -> Result<()> {
        run(&self.server.network.server, "ip", arguments)
    }

    /// Runs `ip` on the client's end.
    ///
    /// # Errors
    ///
    /// Where it fails.
    pub fn client_ip(&self, arguments: &[&str]) -> Result<()> {
        run(self.client(), "ip", arguments)
    }

    /// The address of a path, for clients that take one.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address().ip())
    }

    /// A command that runs where clients are.
    ///
    /// # Panics
    ///
    /// Where the program is not installed.
    pub fn command(&self, program: &str) -> Command {
        require_program(program);
        self.client().command(program)
    }

    /// Runs curl where clients are, without progress, with so many seconds at most.
    ///
    /// # Errors
    ///
    /// Where it cannot be started.
    pub fn curl(&self, arguments: &[&str]) -> Result<Output> {
        let mut curl = self.command("curl");
        curl.args(["--silent", "--show-error", "--max-time", "60"]).args(arguments);
        curl.output().context("curl did not start")
    }

    /// Opens a connection to the server from where clients are. Sockets stay in the namespace
    /// they were made in, so it can be used from anywhere.
    ///
    /// # Errors
    ///
    /// Where the server does not answer.
    pub fn connect(&self) -> Result<Connection> {
        let address = self.server.address();
        let connection: io::Result<_> = self.client().run(|| Connection::open(address))?;
        connection.with_context(|| format!("cannot connect to {address}"))
    }

    /// The counters, summed over the CPUs.
    ///
    /// # Errors
    ///
    /// Where the maps cannot be read.
    pub fn totals(&mut self) -> Result<Counters> {
        Ok(self.live.sample()?.totals())
    }

    /// What is needed to explain a transfer that stopped: the counters, and what the kernel of the
    /// clients knows about their connections, those still open.
    ///
    /// # Errors
    ///
    /// Where one of them cannot be read.
    pub fn evidence(&mut self) -> Result<String> {
        let sockets = self.command("ss").args(["-t", "-i", "-e", "-o", "-m"]).output()?;
        let sockets = String::from_utf8_lossy(&sockets.stdout).into_owned();
        Ok(format!("{:#?}\n{sockets}", self.totals()?))
    }

    /// The route behind a path.
    ///
    /// # Errors
    ///
    /// Where the maps cannot be read, or there is no such route.
    pub fn route(&mut self, path: &str) -> Result<RouteInfo> {
        let name = RouteName::Path(path.parse()?);
        let routes = self.live.routes()?;
        let route = routes.iter().find(|route| route.name == name);
        route.cloned().with_context(|| format!("there is no route {path}"))
    }

    /// What has been counted for the route behind a path.
    ///
    /// # Errors
    ///
    /// As for [`Lab::route`].
    pub fn hits(&mut self, path: &str) -> Result<RouteHits> {
        let index = self.route(path)?.index;
        let sample = self.live.sample()?;
        Ok(sample
            .hits
            .iter()
            .find(|(other, _)| *other == index)
            .map_or_else(RouteHits::default, |found| found.1))
    }
}

/// Runs a program in a namespace.
///
/// # Errors
///
/// Where it fails.
pub fn run(namespace: &Namespace, program: &str, arguments: &[&str]) -> Result<()> {
    require_program(program);
    let output = namespace.command(program).args(arguments).output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} {}: {errors}", arguments.join(" "));
    Ok(())
}

/// Packets that the client's end of a network has handed to the server's.
///
/// # Errors
///
/// Where the kernel does not say.
pub fn packets_sent(network: &PrivateNetwork) -> Result<u64> {
    let name = &network.veth.client;
    let table = network.client.run(|| std::fs::read_to_string("/proc/thread-self/net/dev"))??;
    let line = table.lines().find_map(|line| line.trim_start().strip_prefix(name.as_str()));
    let fields = line.and_then(|line| line.strip_prefix(':')).unwrap_or_default();
    // Eight fields about receiving come first; the tenth is the number of packets sent.
    let sent = fields.split_whitespace().nth(9).and_then(|field| field.parse().ok());
    sent.with_context(|| format!("no {name} in\n{table}"))
}

/// Packets that were sent before the server was attached: those that it has not counted, at a moment
/// in which nothing is sent. The kernel looks for neighbours and routers when it likes.
///
/// # Errors
///
/// Where the kernel does not say, or there is no such moment.
pub fn packets_sent_before(
    network: &PrivateNetwork,
    mut counted: impl FnMut() -> Result<u64>,
) -> Result<u64> {
    let mut before = 0;
    wait_until("a moment in which nothing is sent", || {
        let (sent, counted) = (packets_sent(network)?, counted()?);
        before = sent.saturating_sub(counted);
        Ok(counted <= sent && packets_sent(network)? == sent)
    })?;
    Ok(before)
}

/// Has the server on an interface answer for addresses in a VLAN, or one in another, as the console
/// does where there are interfaces for these VLANs. Not every kernel can make them.
///
/// # Errors
///
/// Where the map cannot be written.
pub fn answer_in_vlans(interface: &str, vlans: [u16; 2], addresses: &[Address]) -> Result<()> {
    let pin = Path::new(PIN_ROOT).join(interface).join(ADDRESSES);
    let map = Map::from_map_data(MapData::from_pin(pin)?)?;
    let mut known = HashMap::<_, [u8; size_of::<Local>()], u16>::try_from(map)?;
    for (index, address) in addresses.iter().enumerate() {
        let local = Local { address: *address, vlans: vlans.map(u16::to_be_bytes) };
        let key: [u8; size_of::<Local>()] = zerocopy::transmute!(local);
        // Those of the console are taken at random: one of these is hardly among them.
        let [outer, inner] = vlans;
        known.insert(key, 0xf000 | (outer << 6 ^ inner << 3 ^ index as u16) & 0xfff, 0)?;
    }
    Ok(())
}

/// The answer that serves a body.
pub fn rendered(body: &[u8]) -> Arc<Rendered> {
    Arc::new(Rendered::ok(CONTENT_TYPE.into(), body, None))
}

/// Bytes that look random and are the same for the same seed, so that a piece of a body that
/// turns up in the wrong place is noticed.
pub fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut noise = vec![0; bytes];
    random.fill(&mut noise);
    noise
}

/// The SHA-256 of some bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Fails where packets were lost from the books, or something went wrong that never should.
///
/// # Panics
///
/// Where the totals do not add up, or count a fault.
pub fn check_books(totals: &Counters) {
    use zeroserve_shared::reason::{Egress, Severity};
    assert_eq!(totals.unaccounted_packets(), 0, "packets without a verdict: {totals:#?}");
    assert_eq!(totals.unexplained_packets(), 0, "packets without a reason: {totals:#?}");
    for (reason, count) in Reason::ALL.iter().zip(totals.reasons) {
        assert!(reason.severity() != Severity::Fault || count == 0, "{}: {count}", reason.name());
    }
    for (outcome, count) in Egress::ALL.iter().zip(totals.egress) {
        assert!(outcome.severity() != Severity::Fault || count == 0, "{}: {count}", outcome.name());
    }
}
