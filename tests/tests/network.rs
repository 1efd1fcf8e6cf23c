//! Private networks: that they connect what they should, and leave nothing behind.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    panic::{self, AssertUnwindSafe},
    path::Path,
    thread,
};

use anyhow::Result;
use nix::net::if_::if_nametoindex;
use zeroserve_tests::require_root;
use zeroserve_tui::net::{Namespace, PrivateNetwork};

fn is_listed(name: &str) -> bool {
    Path::new("/run/netns").join(name).exists()
}

fn has_interface(name: &str) -> bool {
    if_nametoindex(name).is_ok()
}

#[test]
fn a_socket_in_one_namespace_reaches_a_listener_in_the_other() -> Result<()> {
    require_root();
    let network = PrivateNetwork::create("nett")?;
    let address = network.server_at(7);
    let listener = network.server.run(|| TcpListener::bind(address))??;
    let echo = thread::spawn(move || -> std::io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        let mut received = [0; 5];
        stream.read_exact(&mut received)?;
        stream.write_all(&received)
    });
    let mut stream = network.client.run(|| TcpStream::connect(address))??;
    stream.write_all(b"hello")?;
    let mut echoed = [0; 5];
    stream.read_exact(&mut echoed)?;
    assert_eq!(&echoed, b"hello");
    echo.join().expect("the echo does not panic")?;
    Ok(())
}

#[test]
fn a_dropped_network_leaves_no_name_and_no_interface() -> Result<()> {
    require_root();
    let network = PrivateNetwork::create("nett")?;
    let names = [network.server.name().to_owned(), network.client.name().to_owned()];
    assert!(names.iter().all(|name| is_listed(name)));
    let interface = network.interface().to_owned();
    assert!(network.server.run(|| has_interface(&interface))?);
    assert!(!has_interface(&interface), "the interface is outside its namespace");
    drop(network);
    assert!(!names.iter().any(|name| is_listed(name)));
    assert!(!has_interface(&interface));
    Ok(())
}

#[test]
fn running_a_closure_inside_does_not_move_the_caller() -> Result<()> {
    require_root();
    let own = || std::fs::read_link("/proc/thread-self/ns/net");
    let outside = own()?;
    let namespace = Namespace::create("nett")?;
    let inside = namespace.run(own)??;
    assert_ne!(inside, outside);
    assert_eq!(own()?, outside);
    let output = namespace.command("readlink").arg("/proc/self/ns/net").output()?;
    assert_eq!(String::from_utf8(output.stdout)?.trim(), inside.to_string_lossy());
    Ok(())
}

#[test]
fn a_panic_inside_goes_on_outside_and_the_namespace_is_still_removed() -> Result<()> {
    require_root();
    let namespace = Namespace::create("nett")?;
    let name = namespace.name().to_owned();
    let panicked =
        panic::catch_unwind(AssertUnwindSafe(move || namespace.run(|| panic!("on purpose"))));
    assert!(panicked.is_err());
    assert!(!is_listed(&name));
    Ok(())
}
