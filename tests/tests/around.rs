//! What a console sees around a live server, and reads back from it, is what is there.

use anyhow::{Context, Result};
use zeroserve_shared::route::FixedRoute;
use zeroserve_tests::{Lab, lab::noise};
use zeroserve_tui::{
    kernel::Live,
    server::{Change, FlowState, RouteName, Server, Surroundings},
};

/// Looks around from inside the namespace of the interface, as the console of a demo does.
fn look(lab: &mut Lab) -> Result<Surroundings> {
    let (live, server) = (&mut lab.live, &lab.server);
    server.network.server.run(|| live.surroundings())?
}

#[test]
fn responses_of_every_size_are_read_back_as_they_were_published() -> Result<()> {
    let mut lab = Lab::new()?;
    // One block, several medium ones, several large ones.
    for (path, bytes) in [("/small", 100), ("/medium", 20_000), ("/large", 300_000)] {
        let body = noise(7, bytes);
        lab.publish(path, &body)?;
        let response = lab.live.response(&RouteName::Path(path.parse()?))?;
        let head_end = response.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        let head_end = head_end.context("the response has no head")? + 4;
        assert!(response.starts_with(b"HTTP/1.1 200 OK\r\n"), "{path}");
        assert!(response[head_end..] == body, "{path}: another body than was published");
    }
    let not_found = lab.live.response(&RouteName::Fixed(FixedRoute::NotFound))?;
    assert!(not_found.starts_with(b"HTTP/1.1 404 Not Found\r\n"));
    assert!(lab.live.response(&RouteName::Path("/nowhere".parse()?)).is_err());
    Ok(())
}

#[test]
fn the_surroundings_are_those_of_the_server_and_its_network() -> Result<()> {
    let mut lab = Lab::new()?;
    let program_id = lab.live.identity().program_id;
    let around = look(&mut lab)?;
    let interface = around.interface.context("the interface cannot be seen")?;
    assert_eq!(around.program_id, Some(program_id));
    assert_eq!(interface.program_id, Some(program_id));
    assert_eq!(interface.mode, Some("native"));
    assert_eq!(interface.mtu_bytes, 1500);
    assert_eq!(interface.peer_takes_frames, Some(true), "the far end has a program");
    assert_eq!(around.flows.context("no flows")?.used, 0);
    let names: Vec<_> = around.nic.iter().map(|counter| &*counter.name).collect();
    assert!(names.contains(&"rx_dropped") && names.contains(&"rx_packets"), "{names:?}");
    assert!(around.stack.iter().any(|counter| counter.name == "Tcp.InSegs"));
    // From another namespace the interface cannot be seen, and that is no error.
    assert_eq!(lab.live.surroundings()?.interface, None);
    Ok(())
}

#[test]
fn a_connection_that_waits_for_its_next_request_is_an_idle_flow_of_its_client() -> Result<()> {
    let mut lab = Lab::new()?;
    lab.publish("/a", b"something")?;
    let mut connections = Vec::new();
    for _ in 0..3 {
        let mut connection = lab.connect()?;
        assert_eq!(connection.get("/a")?.status, 200);
        connections.push(connection);
    }
    let read = lab.live.flows(100)?;
    assert!(!read.is_cut);
    assert_eq!(read.flows.len(), 3);
    let client = read.flows[0].client.ip();
    for flow in &read.flows {
        assert_eq!(flow.client.ip(), client);
        assert_eq!((flow.requests, flow.repairs), (1, 0));
        assert_eq!((flow.vlans, flow.in_flight_bytes), ([0, 0], 0));
        assert!(flow.state != FlowState::Recovering);
    }
    let cut = lab.live.flows(2)?;
    assert_eq!((cut.flows.len(), cut.is_cut), (2, true));
    assert_eq!(look(&mut lab)?.flows.context("no flows")?.used, 3);
    Ok(())
}

#[test]
fn what_the_driver_counts_is_told_beside_what_the_interface_does() -> Result<()> {
    let mut lab = Lab::new()?;
    lab.publish("/a", b"something")?;
    let mut connection = lab.connect()?;
    assert_eq!(connection.get("/a")?.status, 200);
    let packets_in = lab.totals()?.packets_in;
    let around = look(&mut lab)?;
    let name = "driver.rx_queue_*_xdp_packets";
    let counter = around.nic.iter().find(|counter| counter.name == name);
    let counter = counter.with_context(|| format!("no {name} among {:?}", around.nic))?;
    assert!(counter.value >= packets_in, "{} of {packets_in}", counter.value);
    Ok(())
}

#[test]
fn versions_in_use_are_those_of_routes_and_of_their_variants() -> Result<()> {
    let mut lab = Lab::new()?;
    let used = |lab: &mut Lab| -> Result<u32> {
        lab.live.sample()?;
        Ok(look(lab)?.versions.context("no versions")?.used)
    };
    let before = used(&mut lab)?;
    lab.publish("/noise.bin", &noise(1, 3_000))?;
    assert_eq!(used(&mut lab)?, before + 1);
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("text.txt"), "this compresses well, ".repeat(100))?;
    lab.publish_folder(folder.path())?;
    let variants = lab.route("/text.txt")?.encodings.len() as u32;
    assert!(variants > 0);
    assert_eq!(used(&mut lab)?, before + 2 + variants);
    Ok(())
}

#[test]
fn what_a_packet_costs_is_measured_only_while_somebody_wants_to_know() -> Result<()> {
    if std::fs::read_to_string("/proc/sys/kernel/bpf_stats_enabled")?.trim() == "1" {
        anyhow::bail!("set kernel.bpf_stats_enabled to 0 first: this machine always measures");
    }
    let mut lab = Lab::new()?;
    lab.publish("/a", b"something")?;
    let mut connection = lab.connect()?;
    assert_eq!(connection.get("/a")?.status, 200);
    assert_eq!(look(&mut lab)?.run_time, None);
    lab.live.measure(true)?;
    let before = look(&mut lab)?.run_time.map_or(0, |run_time| run_time.runs);
    for _ in 0..20 {
        assert_eq!(connection.get("/a")?.status, 200);
    }
    let run_time = look(&mut lab)?.run_time.context("it is not measured")?;
    assert!(run_time.runs >= before + 20 && !run_time.total.is_zero(), "{run_time:?}");
    lab.live.measure(false)?;
    assert_eq!(look(&mut lab)?.run_time, None);
    Ok(())
}

#[test]
fn one_console_has_the_pen_and_the_next_one_gets_it_when_it_is_free() -> Result<()> {
    let mut lab = Lab::new()?;
    assert_eq!(lab.live.take_pen("anna"), None);
    let mut second = Live::open(lab.interface())?;
    let holder = second.take_pen("boris").context("nobody has it")?;
    assert_eq!((holder.user.as_str(), holder.pid), ("anna", Some(std::process::id())));
    assert_eq!(second.surroundings()?.pen, Some(holder));
    // Commands are not kept out.
    lab.publish("/a", b"something")?;
    second.apply(Change::Remove("/a".parse()?))?;
    // Gone, as when it is killed: the kernel closes its files.
    lab.reopen()?;
    assert_eq!(second.surroundings()?.pen, None);
    assert_eq!(lab.live.take_pen("anna").map(|holder| holder.user), Some("boris".into()));
    Ok(())
}
