//! Any network: what is served over IPv6, through VLANs and through narrow links arrives whole.

use anyhow::{Context, Result, ensure};
use zeroserve_shared::{config::mapped, reason::Reason};
use zeroserve_tests::{
    Lab,
    lab::{answer_in_vlans, check_books, noise, rendered, run, sha256},
    wire::Wire,
};
use zeroserve_tui::{
    net::{
        Namespace,
        veth::{CLIENT_ADDRESS, CLIENT_ADDRESS_V6, SERVER_ADDRESS, SERVER_ADDRESS_V6},
    },
    server::{Change, Server},
};

/// Many bursts, and several blocks of every class of storage.
const LARGE_BYTES: usize = 5_000_000;

/// What is published: path, seed of the noise, and bytes of it.
const FILES: [(&str, u64, usize); 2] = [("/small", 2, 200), ("/large", 1, LARGE_BYTES)];

/// A lab with a large file and a small one.
fn lab() -> Result<Lab> {
    let mut lab = Lab::new()?;
    for (path, seed, bytes) in FILES {
        lab.publish(path, &noise(seed, bytes))?;
    }
    Ok(lab)
}

/// Fetches both files from a namespace, and checks them.
fn fetch(client: &Namespace, host: &str) -> Result<()> {
    for (path, seed, bytes) in FILES {
        let mut curl = client.command("curl");
        curl.args(["--silent", "--show-error", "--fail", "--globoff", "--max-time", "60"]);
        let output = curl.arg(format!("http://{host}{path}")).output().context("curl")?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{host}{path}: {errors}");
        assert_eq!(output.stdout.len(), bytes, "{host}{path}");
        assert_eq!(sha256(&output.stdout), sha256(&noise(seed, bytes)), "{host}{path}");
    }
    Ok(())
}

/// Fetches both files over IPv4 and IPv6, which must be answered by the server, not the kernel.
fn fetch_both(lab: &mut Lab, hosts: [&str; 2]) -> Result<()> {
    let before = lab.totals()?.requests;
    for host in hosts {
        fetch(lab.client(), host)?;
    }
    assert_eq!(lab.totals()?.requests - before, 4);
    check_books(&lab.totals()?);
    Ok(())
}

#[test]
fn a_large_file_arrives_whole_over_ipv6() -> Result<()> {
    let mut lab = lab()?;
    let host = format!("[{SERVER_ADDRESS_V6}]");
    fetch_both(&mut lab, [&host, &host])
}

#[test]
fn a_link_local_address_is_answered_for_too() -> Result<()> {
    let mut lab = lab()?;
    lab.reopen()?;
    let addresses = &lab.live.identity().addresses;
    let local = addresses.iter().find(|address| address.starts_with("fe80:"));
    let local = local.with_context(|| format!("no link-local address: {addresses:?}"))?.clone();
    let scope = lab.server.network.veth.client.clone();
    let host = format!("[{local}%25{scope}]");
    fetch_both(&mut lab, [&host, &host])
}

#[test]
fn a_large_file_arrives_whole_through_a_vlan_and_through_a_vlan_in_a_vlan() -> Result<()> {
    let customer = [0x8100, 5 << 13 | 10];
    let service = [0x88a8, 3 << 13 | 100];
    for (tags, vlans) in [(&[customer][..], [10, 0]), (&[service, customer], [100, 10])] {
        let wire = Wire::create(true)?;
        let mut live = wire.attach()?;
        for (path, seed, bytes) in FILES {
            live.apply(Change::Add(path.parse()?, rendered(&noise(seed, bytes))))?;
        }
        answer_in_vlans(&wire.interface, vlans, &[mapped(SERVER_ADDRESS.octets())])?;
        let relay = wire.join_tagged(tags)?;
        fetch(&wire.client, &SERVER_ADDRESS.to_string())?;
        let [to_server, to_client] = relay.stop()?;
        assert!(to_server.frames > 100 && to_client.frames > 1000, "{to_server:?} {to_client:?}");
        let totals = live.sample()?.totals();
        assert_eq!(totals.requests, 2);
        check_books(&totals);
    }
    Ok(())
}

#[test]
fn a_packet_from_a_vlan_that_the_server_is_not_in_is_left_to_the_kernel() -> Result<()> {
    let wire = Wire::create(true)?;
    let mut live = wire.attach()?;
    let relay = wire.join_tagged(&[[0x8100, 10]])?;
    let mut curl = wire.client.command("curl");
    curl.args(["--silent", "--connect-timeout", "2"]).arg(format!("http://{SERVER_ADDRESS}/"));
    // curl's code for a connection that is not made in time: here nobody is in that VLAN.
    assert_eq!(curl.output()?.status.code(), Some(28));
    relay.stop()?;
    let totals = live.sample()?.totals();
    assert_eq!((totals.handshakes, totals.packets_out), (0, 0));
    assert!(totals.reasons[Reason::NotLocal as usize] > 0);
    Ok(())
}

#[test]
fn a_client_behind_a_narrow_link_of_its_own_gets_everything() -> Result<()> {
    let mut lab = lab()?;
    let peer = lab.server.network.veth.client.clone();
    lab.client_ip(&["link", "set", &peer, "mtu", "1280"])?;
    let hosts = [SERVER_ADDRESS.to_string(), format!("[{SERVER_ADDRESS_V6}]")];
    // What is larger is lost at the client's end, and no router tells: the client has said it.
    fetch_both(&mut lab, [&hosts[0], &hosts[1]])
}

#[test]
fn an_interface_that_takes_larger_packets_sends_segments_of_ethernets_size() -> Result<()> {
    let mut lab = lab()?;
    let (server, client) = (lab.interface().to_owned(), lab.server.network.veth.client.clone());
    lab.server_ip(&["link", "set", &server, "mtu", "3000"])?;
    lab.client_ip(&["link", "set", &client, "mtu", "3000"])?;
    lab.reopen()?;
    let hosts = [SERVER_ADDRESS.to_string(), format!("[{SERVER_ADDRESS_V6}]")];
    fetch_both(&mut lab, [&hosts[0], &hosts[1]])
}

/// Puts a client behind a router: the lab's client forwards between the server and a third
/// namespace, through a link that takes smaller packets than either end believes.
fn behind(lab: &Lab, mtu: u32) -> Result<Namespace> {
    let (server, router) = (&lab.server.network.server, lab.client());
    let client = Namespace::create("behind")?;
    let ip = |namespace: &Namespace, command: &str| {
        run(namespace, "ip", &command.split(' ').collect::<Vec<_>>())
    };
    ip(router, &format!("link add narrow type veth peer name far netns {}", client.name()))?;
    for (namespace, name, last) in [(router, "narrow", 1), (&client, "far", 2)] {
        let setting = format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6");
        namespace.run(|| std::fs::write(&setting, "0"))??;
        ip(namespace, &format!("address add 198.18.1.{last}/24 dev {name}"))?;
        ip(namespace, &format!("address add fd00:1::{last}/64 dev {name}"))?;
        ip(namespace, &format!("link set {name} up"))?;
    }
    // Only towards the client, so that its own segments say that it takes full ones.
    ip(router, &format!("link set narrow mtu {mtu}"))?;
    ip(&client, "route add default via 198.18.1.1")?;
    ip(&client, "route add default via fd00:1::1")?;
    for file in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
        router.run(|| std::fs::write(format!("/proc/sys/net/{file}"), "1"))??;
    }
    ip(server, &format!("route add 198.18.1.0/24 via {CLIENT_ADDRESS}"))?;
    ip(server, &format!("route add fd00:1::/64 via {CLIENT_ADDRESS_V6}"))?;
    Ok(client)
}

#[test]
fn a_narrow_link_on_the_way_is_found_out_by_its_router_and_everything_arrives() -> Result<()> {
    let mut lab = lab()?;
    let client = behind(&lab, 1400)?;
    fetch(&client, &SERVER_ADDRESS.to_string())?;
    // The small file fits, so only the flow of the large one is narrowed.
    assert_eq!(lab.totals()?.flows_narrowed, 1);
    fetch(&client, &format!("[{SERVER_ADDRESS_V6}]"))?;
    assert_eq!(lab.totals()?.flows_narrowed, 2);
    let totals = lab.totals()?;
    assert_eq!(totals.requests, 4);
    assert!(totals.reasons[Reason::PathMtuNoted as usize] > 0);
    assert_eq!(totals.reasons[Reason::PathMtuRefused as usize], 0);
    check_books(&totals);
    Ok(())
}
