//! Any network: what is served over IPv6, through VLANs and through narrow links arrives whole.

use anyhow::{Context, Result, ensure};
use zeroserve_shared::reason::Reason;
use zeroserve_tests::{
    Lab,
    lab::{check_books, noise, run, sha256},
};
use zeroserve_tui::{
    kernel::PassThrough,
    net::{
        Namespace,
        veth::{CLIENT_ADDRESS, CLIENT_ADDRESS_V6, SERVER_ADDRESS, SERVER_ADDRESS_V6},
    },
    server::Server,
};

/// Many bursts, and several blocks of every class of storage.
const LARGE_BYTES: usize = 5_000_000;

/// A lab with a large file and a small one.
fn lab() -> Result<Lab> {
    let mut lab = Lab::new()?;
    lab.publish("/large", &noise(1, LARGE_BYTES))?;
    lab.publish("/small", &noise(2, 200))?;
    Ok(lab)
}

/// Fetches both files from a namespace, and checks them.
fn fetch(client: &Namespace, host: &str) -> Result<()> {
    for (path, seed, bytes) in [("/small", 2, 200), ("/large", 1, LARGE_BYTES)] {
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

/// Makes a VLAN interface on both ends, with addresses of both families that end as those of the
/// ends do.
fn add_vlan(lab: &Lab, parents: [&str; 2], name: &str, kind: [&str; 2], net: u8) -> Result<()> {
    let [protocol, id] = kind;
    let ends = [&lab.server.network.server, lab.client()];
    for ((namespace, parent), last) in ends.into_iter().zip(parents).zip([1, 2]) {
        let ip = |arguments: &[&str]| run(namespace, "ip", arguments);
        ip(&[
            "link", "add", "link", parent, "name", name, "type", "vlan", "protocol", protocol,
            "id", id,
        ])?;
        ip(&["link", "set", name, "up"])?;
        ip(&["address", "add", &format!("198.18.{net}.{last}/24"), "dev", name])?;
        ip(&["address", "add", &format!("fd00:{net}::{last}/64"), "dev", name])?;
    }
    Ok(())
}

/// Has the client's end put tags into packets itself. Otherwise they travel beside the packet,
/// where no XDP program sees them.
fn write_tags(lab: &Lab) -> Result<()> {
    let peer = lab.server.network.veth.client.as_str();
    let off = ["txvlan", "off", "tx-vlan-stag-hw-insert", "off"];
    run(lab.client(), "ethtool", &[&["-K", peer][..], &off].concat())
}

#[test]
fn a_large_file_arrives_whole_through_a_vlan() -> Result<()> {
    let mut lab = lab()?;
    write_tags(&lab)?;
    let (server, client) = (lab.interface().to_owned(), lab.server.network.veth.client.clone());
    add_vlan(&lab, [&server, &client], "tag10", ["802.1Q", "10"], 10)?;
    lab.reopen()?;
    fetch_both(&mut lab, ["198.18.10.1", "[fd00:10::1]"])?;
    // What comes without a tag is served as before.
    let plain = [SERVER_ADDRESS.to_string(), format!("[{SERVER_ADDRESS_V6}]")];
    fetch_both(&mut lab, [&plain[0], &plain[1]])
}

#[test]
fn a_large_file_arrives_whole_through_a_vlan_in_a_vlan() -> Result<()> {
    let mut lab = lab()?;
    write_tags(&lab)?;
    let (server, client) = (lab.interface().to_owned(), lab.server.network.veth.client.clone());
    add_vlan(&lab, [&server, &client], "outer", ["802.1ad", "100"], 100)?;
    add_vlan(&lab, ["outer", "outer"], "inner", ["802.1Q", "10"], 10)?;
    // A frame may be longer than the MTU by one tag, not by two.
    lab.client_ip(&["link", "set", "inner", "mtu", "1496"])?;
    lab.reopen()?;
    fetch_both(&mut lab, ["198.18.10.1", "[fd00:10::1]"])
}

#[test]
fn a_packet_whose_tag_travels_beside_it_is_left_to_the_kernel() -> Result<()> {
    let mut lab = lab()?;
    let (server, client) = (lab.interface().to_owned(), lab.server.network.veth.client.clone());
    add_vlan(&lab, [&server, &client], "tag10", ["802.1Q", "10"], 10)?;
    lab.reopen()?;
    let output = lab.curl(&["http://198.18.10.1/small"])?;
    // curl's code for a refused connection: nobody but the server listens there.
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    let totals = lab.totals()?;
    assert_eq!(totals.handshakes, 0);
    assert!(totals.reasons[Reason::NotLocal as usize] > 0);
    Ok(())
}

#[test]
fn a_client_behind_a_narrow_link_of_its_own_gets_everything() -> Result<()> {
    let mut lab = lab()?;
    let peer = lab.server.network.veth.client.clone();
    lab.client_ip(&["link", "set", &peer, "mtu", "1280"])?;
    let hosts = [SERVER_ADDRESS.to_string(), format!("[{SERVER_ADDRESS_V6}]")];
    fetch_both(&mut lab, [&hosts[0], &hosts[1]])?;
    // Nothing had to be sent again: the client said how much it takes.
    assert_eq!(lab.totals()?.segments_repaired, 0);
    Ok(())
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

/// A client behind a router: the lab's client forwards between the server and a third namespace,
/// through a link that takes smaller packets than either end believes.
struct Behind {
    client: Namespace,
    _pass_through: PassThrough,
}

impl Behind {
    fn new(lab: &Lab, mtu: &str) -> Result<Self> {
        let router = lab.client();
        let client = Namespace::create("behind")?;
        let ip = |namespace: &Namespace, arguments: &[&str]| run(namespace, "ip", arguments);
        ip(
            router,
            &[
                "link",
                "add",
                "narrow",
                "type",
                "veth",
                "peer",
                "name",
                "far",
                "netns",
                client.name(),
            ],
        )?;
        for (namespace, name, last) in [(router, "narrow", 1), (&client, "far", 2)] {
            ip(namespace, &["address", "add", &format!("198.18.1.{last}/24"), "dev", name])?;
            ip(namespace, &["address", "add", &format!("fd00:1::{last}/64"), "dev", name])?;
            ip(namespace, &["link", "set", name, "up"])?;
        }
        // Only towards the client, so that its own segments say that it takes full ones.
        ip(router, &["link", "set", "narrow", "mtu", mtu])?;
        ip(&client, &["route", "add", "default", "via", "198.18.1.1"])?;
        ip(&client, &["route", "add", "default", "via", "fd00:1::1"])?;
        for file in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
            router.run(|| std::fs::write(format!("/proc/sys/net/{file}"), "1"))??;
        }
        let server = &lab.server.network.server;
        let (v4, v6) = (CLIENT_ADDRESS.to_string(), CLIENT_ADDRESS_V6.to_string());
        ip(server, &["route", "add", "198.18.1.0/24", "via", &v4])?;
        ip(server, &["route", "add", "fd00:1::/64", "via", &v6])?;
        let index = client.run(|| nix::net::if_::if_nametoindex("far"))??;
        let pass_through = client.run(|| PassThrough::attach(index))??;
        Ok(Self { client, _pass_through: pass_through })
    }
}

#[test]
fn a_narrow_link_on_the_way_is_found_out_by_its_router_and_everything_arrives() -> Result<()> {
    let mut lab = lab()?;
    let behind = Behind::new(&lab, "1400")?;
    fetch(&behind.client, &SERVER_ADDRESS.to_string())?;
    // The small file fits, so only the flow of the large one is narrowed.
    assert_eq!(lab.totals()?.flows_narrowed, 1);
    fetch(&behind.client, &format!("[{SERVER_ADDRESS_V6}]"))?;
    assert_eq!(lab.totals()?.flows_narrowed, 2);
    let totals = lab.totals()?;
    assert_eq!(totals.requests, 4);
    assert!(totals.reasons[Reason::PathMtuNoted as usize] > 0);
    assert_eq!(totals.reasons[Reason::PathMtuRefused as usize], 0);
    check_books(&totals);
    Ok(())
}
