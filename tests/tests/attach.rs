//! Attaching to real interfaces: what is refused, what is left behind, who sees what.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use aya::maps::{Array, Map, MapData};
use nix::time::{ClockId, clock_gettime};
use zerocopy::FromBytes;
use zeroserve_shared::{
    flow::Flow,
    map::{PIN_ROOT, ROUTES, VERSIONS},
    route::{FIRST_ROUTE, FixedRoute, Route, VersionId, VersionInfo},
};
use zeroserve_tests::require_root;
use zeroserve_tui::{
    content::{Rendered, RoutePath},
    kernel::{
        AttachError, AttachOptions, FlowTable, Live, OpenError, StopError, served_interfaces,
    },
    net::{Namespace, PrivateNetwork, interfaces},
    server::{Change, ChangeError, RouteName, Server},
};

/// A server in a private network. Stopped when dropped, whatever the test does.
struct Attached {
    live: Live,
    network: PrivateNetwork,
}

impl Attached {
    fn new() -> Result<Self> {
        Self::with_routes(AttachOptions::DEFAULT_ROUTES)
    }

    fn with_routes(max_routes: u32) -> Result<Self> {
        require_root();
        let network = PrivateNetwork::create("att")?;
        let options = AttachOptions { max_routes, ..AttachOptions::new(network.interface()) };
        let live = network.server.run(|| Live::attach(&options))??;
        Ok(Self { live, network })
    }

    fn interface(&self) -> String {
        self.network.interface().to_owned()
    }

    fn pins(&self) -> PathBuf {
        Path::new(PIN_ROOT).join(self.network.interface())
    }

    fn element<T: FromBytes, const BYTES: usize>(&self, map: &str, index: u32) -> Result<T> {
        let map = Map::from_map_data(MapData::from_pin(self.pins().join(map))?)?;
        let bytes = Array::<_, [u8; BYTES]>::try_from(map)?.get(&index, 0)?;
        T::read_from_bytes(&bytes).ok().context("an element of another size")
    }

    fn route(&self, index: u32) -> Result<Route> {
        self.element::<Route, { size_of::<Route>() }>(ROUTES, index)
    }

    fn version(&self, id: VersionId) -> Result<VersionInfo> {
        self.element::<VersionInfo, { size_of::<VersionInfo>() }>(VERSIONS, id.slot())
    }

    /// Paths served, in order.
    fn paths(&mut self) -> Result<Vec<String>> {
        paths(&mut self.live)
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        match Live::stop(self.network.interface()) {
            Ok(()) | Err(StopError::NotAttached { .. }) => {}
            Err(error) => panic!("cannot stop: {error:#}"),
        }
    }
}

fn paths(server: &mut Live) -> Result<Vec<String>> {
    let routes = server.routes()?;
    let path = |name: &RouteName| match name {
        RouteName::Path(path) => Some(path.to_string()),
        RouteName::Fixed(_) => None,
    };
    Ok(routes.iter().filter_map(|route| path(&route.name)).collect())
}

fn page(body: &str) -> Arc<Rendered> {
    Arc::new(Rendered::ok("text/plain".into(), body.as_bytes(), None))
}

fn path(path: &str) -> RoutePath {
    path.parse().expect("a path")
}

fn ip(namespace: &Namespace, arguments: &[&str]) -> Result<()> {
    let status = namespace.command("ip").args(arguments).status()?;
    ensure!(status.success(), "ip {} failed", arguments.join(" "));
    Ok(())
}

#[test]
fn a_server_is_seen_by_whoever_opens_it_and_leaves_nothing_when_stopped() -> Result<()> {
    let mut attached = Attached::new()?;
    let interface = attached.interface();
    let mut other = Live::open(&interface)?;
    assert_eq!(other.routes()?.len(), FixedRoute::ALL.len());
    let before = other.sample()?.routes_revision;
    attached.live.apply(Change::Add(path("/a"), page("a")))?;
    assert!(other.sample()?.routes_revision > before);
    assert_eq!(paths(&mut other)?, ["/a"]);
    assert!(served_interfaces()?.contains(&interface));

    let find = || interfaces::find(&interface);
    let program_id = attached.live.identity().program_id;
    let xdp = attached.network.server.run(find)??.and_then(|found| found.xdp);
    assert_eq!(
        xdp.map(|xdp| (xdp.program_id, xdp.mode)),
        Some((program_id, interfaces::Mode::Native))
    );

    Live::stop(&interface)?;
    assert_eq!(attached.network.server.run(find)??.and_then(|found| found.xdp), None);
    assert!(!attached.pins().exists());
    assert!(!served_interfaces()?.contains(&interface));
    // Both had it open; both are told.
    assert!(attached.live.sample().is_err());
    assert!(other.apply(Change::Remove(path("/a"))).is_err());
    assert!(matches!(Live::open(&interface), Err(OpenError::NotAttached { .. })));
    assert!(matches!(Live::stop(&interface), Err(StopError::NotAttached { .. })));
    Ok(())
}

#[test]
fn an_interface_is_not_attached_to_twice() -> Result<()> {
    let attached = Attached::new()?;
    let options = AttachOptions::new(attached.interface());
    let second = attached.network.server.run(|| Live::attach(&options))?;
    assert!(matches!(second, Err(AttachError::AlreadyServing(_))));
    // The same name in a namespace where no such interface is being served.
    let elsewhere = attached.network.client.run(|| Live::attach(&options))?;
    assert!(matches!(elsewhere, Err(AttachError::NoSuchInterface { .. })));
    Live::open(&attached.interface())?;
    Ok(())
}

#[test]
fn somebody_elses_program_is_left_alone() -> Result<()> {
    require_root();
    // The client's end of a private network carries a program that passes everything.
    let network = PrivateNetwork::create("att")?;
    let client = network.veth.client.clone();
    let find = || interfaces::find(&client);
    let theirs = network.client.run(find)??.and_then(|found| found.xdp);
    ensure!(theirs.is_some(), "the client's end carries no program");
    let options = AttachOptions::new(&client);
    match network.client.run(|| Live::attach(&options))? {
        Err(AttachError::ForeignProgram { program_id, .. }) => {
            assert_eq!(Some(program_id), theirs.map(|xdp| xdp.program_id));
        }
        Err(error) => return Err(error.into()),
        Ok(_) => panic!("attached over somebody else's program"),
    }
    assert_eq!(network.client.run(find)??.and_then(|found| found.xdp), theirs);
    assert!(!Path::new(PIN_ROOT).join(&client).exists());
    Ok(())
}

#[test]
fn what_cannot_be_served_natively_is_refused_without_a_trace() -> Result<()> {
    require_root();
    let network = PrivateNetwork::create("att")?;
    let attach = |name: &str| network.server.run(|| Live::attach(&AttachOptions::new(name)).err());

    match attach("no-such-if")? {
        Some(AttachError::NoSuchInterface { known, .. }) => {
            assert!(known.contains(&network.interface().to_owned()), "{known:?}");
        }
        other => panic!("{other:?}"),
    }
    ip(&network.server, &["link", "set", "lo", "up"])?;
    assert!(matches!(attach("lo")?, Some(AttachError::NoNativeMode { .. })));
    // What the other end may send is what the driver must be able to receive.
    let interface = network.interface();
    let peer = |mtu| {
        let arguments = ["link", "set", &network.veth.client, "mtu", mtu];
        ip(&network.client, &arguments)
    };
    peer("9000")?;
    assert!(matches!(attach(interface)?, Some(AttachError::MtuTooLarge { .. })));
    peer("1500")?;
    ip(&network.server, &["address", "flush", "dev", interface])?;
    assert!(matches!(attach(interface)?, Some(AttachError::NoAddress(_))));
    for name in ["no-such-if", "lo", interface] {
        assert!(!Path::new(PIN_ROOT).join(name).exists(), "{name}");
    }
    Ok(())
}

#[test]
fn what_is_left_of_a_server_whose_interface_is_gone_is_cleared_away() -> Result<()> {
    let mut attached = Attached::new()?;
    let interface = attached.interface();
    ip(&attached.network.server, &["link", "del", &interface])?;
    assert!(attached.live.sample().is_err());
    assert!(matches!(Live::open(&interface), Err(OpenError::Stale(_))));
    Live::stop(&interface)?;
    assert!(!attached.pins().exists());
    Ok(())
}

#[test]
fn ten_thousand_routes_are_published_replaced_and_read_back() -> Result<()> {
    const ROUTES: usize = 10_000;
    let mut attached = Attached::new()?;
    let site = |round: usize| {
        let file = move |n: usize| {
            let body = format!("file {n}, round {round}");
            let rendered = Rendered::ok("text/plain".into(), body.as_bytes(), None);
            (path(&format!("/lib/{n}.js")), Ok(rendered))
        };
        (0..ROUTES).map(file)
    };
    for round in 0..3 {
        let mut seen = 0;
        let published = attached.live.publish(site(round), |_| seen += 1)?;
        let added = if round == 0 { ROUTES } else { 0 };
        assert_eq!((published.added, published.replaced), (added, ROUTES - added));
        assert_eq!((seen, published.failed.len()), (ROUTES, 0));
    }
    let sample = attached.live.sample()?;
    assert_eq!(sample.hits.len(), ROUTES + FixedRoute::ALL.len());
    let routes = Live::open(&attached.interface())?.routes()?;
    assert_eq!(routes.len(), ROUTES + FixedRoute::ALL.len());
    let names: Vec<_> = routes.iter().skip(FixedRoute::ALL.len()).collect();
    assert!(names.is_sorted_by_key(|route| match &route.name {
        RouteName::Path(path) => path.clone(),
        RouteName::Fixed(_) => panic!("a fixed route among the paths"),
    }));
    assert!(names.iter().all(|route| route.version == 3));
    Ok(())
}

#[test]
fn a_full_table_says_so_and_has_room_again_after_a_removal() -> Result<()> {
    let mut attached = Attached::with_routes(4)?;
    for n in 0..4 {
        attached.live.apply(Change::Add(path(&format!("/{n}")), page("x")))?;
    }
    let fifth = attached.live.apply(Change::Add(path("/4"), page("x")));
    assert!(matches!(fifth, Err(ChangeError::RoutesFull(4))), "{fifth:?}");
    attached.live.apply(Change::Remove(path("/2")))?;
    attached.live.apply(Change::Add(path("/4"), page("x")))?;
    assert_eq!(attached.paths()?, ["/0", "/1", "/3", "/4"]);
    Ok(())
}

#[test]
fn refused_changes_change_nothing() -> Result<()> {
    let mut attached = Attached::new()?;
    attached.live.apply(Change::Add(path("/a"), page("first")))?;
    let before = attached.live.sample()?.routes_revision;
    let taken = attached.live.apply(Change::Add(path("/a"), page("second")));
    assert!(matches!(taken, Err(ChangeError::PathTaken { bytes: 5, .. })), "{taken:?}");
    for change in [Change::Replace(path("/b"), page("x")), Change::Remove(path("/b"))] {
        let refused = attached.live.apply(change);
        assert!(matches!(refused, Err(ChangeError::NoSuchRoute(_))), "{refused:?}");
    }
    assert_eq!(attached.live.sample()?.routes_revision, before);
    assert_eq!(attached.paths()?, ["/a"]);
    Ok(())
}

#[test]
fn replacing_again_and_again_takes_no_more_than_a_few_slots() -> Result<()> {
    let mut attached = Attached::with_routes(4)?;
    attached.live.apply(Change::Add(path("/a"), page("0")))?;
    for round in 1..200 {
        // Of all storage classes in turn.
        let body = "x".repeat([10, 5_000, 100_000][round % 3]);
        attached.live.apply(Change::Replace(path("/a"), page(&body)))?;
    }
    let routes = attached.live.routes()?;
    assert_eq!(routes.last().map(|route| route.version), Some(200));
    let version = attached.route(FIRST_ROUTE)?.version;
    assert_eq!(attached.version(version)?.generation, version.generation());
    Ok(())
}

#[test]
fn a_version_stays_as_long_as_a_flow_names_it() -> Result<()> {
    let mut attached = Attached::new()?;
    attached.live.apply(Change::Add(path("/a"), page("first")))?;
    let first = attached.route(FIRST_ROUTE)?.version;

    let mut flows = FlowTable::open(&attached.pins())?;
    let now: Duration = clock_gettime(ClockId::CLOCK_MONOTONIC)?.into();
    let flow = Flow { version: first, touched_ms: now.as_millis() as u32, ..Flow::default() };
    let (place, entry) = flows.insert(flow);

    attached.live.apply(Change::Replace(path("/a"), page("second")))?;
    attached.live.apply(Change::Add(path("/b"), page("b")))?;
    assert_eq!(attached.version(first)?.generation, first.generation());
    assert_ne!(attached.version(first)?.stored_bytes(), 0);

    flows.remove(place, &entry);
    attached.live.apply(Change::Remove(path("/b")))?;
    assert_eq!(attached.version(first)?.stored_bytes(), 0);
    Ok(())
}

#[test]
fn two_consoles_that_change_routes_at_once_do_not_lose_each_others_changes() -> Result<()> {
    const EACH: usize = 100;
    let mut attached = Attached::new()?;
    let interface = attached.interface();
    let change = |name: &'static str| -> Result<()> {
        let mut live = Live::open(&interface)?;
        for n in 0..EACH {
            live.apply(Change::Add(path(&format!("/{name}/{n}")), page(name)))?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads = ["one", "two"].map(|name| scope.spawn(move || change(name)));
        threads.into_iter().try_for_each(|thread| thread.join().expect("no panic"))
    })?;
    assert_eq!(attached.paths()?.len(), 2 * EACH);
    Ok(())
}
