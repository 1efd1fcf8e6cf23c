//! A server is stopped while it is used: what it has begun it finishes, and nobody is left waiting.

use std::{
    io::{ErrorKind, Read},
    net::SocketAddr,
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use zeroserve_tests::{
    binary::wait_until,
    front::{Front, PORT, logged, request},
    lab::noise,
};
use zeroserve_tui::{
    demo::client::Connection,
    kernel::{Live, MissChoice},
    net::Namespace,
};

/// Longer than any of this takes, so that it is not time that ends it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Stops the server while `meanwhile` runs, and says how many connections had not ended.
fn stop_while<T>(front: &Front, meanwhile: impl FnOnce() -> Result<T>) -> Result<(usize, T)> {
    let interface = front.network.interface();
    thread::scope(|scope| {
        let server = &front.network.server;
        let stop = scope.spawn(|| server.run(|| Live::stop_within(interface, PATIENCE)));
        let seen = meanwhile()?;
        Ok((stop.join().expect("no panic")??, seen))
    })
}

/// Waits until the server takes no new connections, where nobody else listens.
fn wait_until_draining(client: &Namespace, address: SocketAddr) -> Result<()> {
    wait_until("no new connections are taken", || {
        let connection = client.run(|| Connection::open(address))?;
        Ok(connection.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused))
    })
}

#[test]
fn answers_in_flight_are_finished_and_end_the_connection() -> Result<()> {
    let front = Front::new()?;
    let mut live = front.attach(MissChoice::Auto)?;
    let (small, large) = (noise(1, 700), noise(2, 8 << 20));
    front.publish(&mut live, "small", &small)?;
    front.publish(&mut live, "large", &large)?;
    drop(live);
    let mut transfers = Vec::new();
    for address in [front.address(), front.network.server_at_v6(PORT)].repeat(4) {
        let mut connection = front.connect_to(address)?;
        connection.send(request("/large").as_bytes())?;
        // It is under way, and stands still once the buffers of the client are full.
        let mut beginning = vec![0; 1000];
        connection.stream().try_clone()?.read_exact(&mut beginning)?;
        transfers.push((connection, beginning));
    }
    // Its handshake is over, and nothing has been asked yet.
    let mut late = front.connect()?;
    let (open, ()) = stop_while(&front, || {
        wait_until_draining(&front.network.client, front.address())?;
        let answer = late.get("/small")?;
        assert_eq!((answer.status, answer.body, answer.closes), (200, &small[..], true));
        assert!(late.rest()?.is_empty());
        for (connection, mut received) in transfers {
            let head = request_head(&received)?;
            let mut rest = vec![0; head + large.len() - received.len()];
            let mut stream = connection.stream().try_clone()?;
            stream.read_exact(&mut rest)?;
            received.append(&mut rest);
            assert!(received[head..] == large, "the transfer is damaged");
            assert_eq!(stream.read(&mut [0])?, 0, "the connection ends");
        }
        Ok(())
    })?;
    assert_eq!(open, 0);
    Ok(())
}

/// Bytes of the head that an answer begins with.
fn request_head(answer: &[u8]) -> Result<usize> {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    Ok(end.context("the head is longer")? + 4)
}

#[test]
fn idle_clients_are_told_that_the_connection_ends() -> Result<()> {
    let front = Front::new()?;
    let mut live = front.attach(MissChoice::Auto)?;
    let small = noise(1, 700);
    front.publish(&mut live, "small", &small)?;
    drop(live);
    let mut idle = Vec::new();
    for address in [front.address(), front.network.server_at_v6(PORT)].repeat(20) {
        let mut connection = front.connect_to(address)?;
        assert_eq!(connection.get("/small")?.body, small);
        idle.push(connection);
    }
    let (open, ()) = stop_while(&front, || {
        for connection in idle {
            assert!(connection.rest()?.is_empty());
        }
        Ok(())
    })?;
    assert_eq!(open, 0);
    Ok(())
}

#[test]
fn the_server_behind_gets_what_comes_while_zeroserve_stops() -> Result<()> {
    let (hot, large, cold) = (noise(1, 700), noise(2, 8 << 20), noise(3, 900));
    let (front, live) =
        Front::with_nginx(&[("hot", &hot), ("large", &large)], &[("hot", &cold), ("cold", &cold)])?;
    drop(live);
    // Begun, with another request behind it.
    let mut begun = front.connect()?;
    begun.send([request("/large"), request("/cold")].concat().as_bytes())?;
    begun.stream().try_clone()?.peek(&mut [0])?;
    let mut late = front.connect()?;
    let (open, ()) = stop_while(&front, || {
        wait_until("the server gets new connections", || {
            Ok(front.connect()?.get("/hot")?.body == cold)
        })?;
        assert_eq!(late.get("/hot")?.body, cold);
        let answer = begun.receive(true)?;
        assert!(answer.status == 200 && answer.body == large, "the transfer is damaged");
        assert_eq!(begun.receive(true)?.body, cold);
        Ok(())
    })?;
    assert_eq!(open, 0);
    // All of them outlive it.
    for connection in [&mut begun, &mut late] {
        assert_eq!(connection.get("/cold")?.body, cold);
    }
    assert!(logged(&front.log(5)?, "198.18.0.2")["/hot"] >= 2);
    Ok(())
}

#[test]
fn a_client_that_does_not_read_does_not_keep_a_server_from_stopping() -> Result<()> {
    let front = Front::new()?;
    let mut live = front.attach(MissChoice::Auto)?;
    front.publish(&mut live, "large", &noise(2, 8 << 20))?;
    drop(live);
    let mut connection = front.connect()?;
    connection.send(request("/large").as_bytes())?;
    connection.stream().peek(&mut [0])?;
    let interface = front.network.interface();
    let stop = || Live::stop_within(interface, Duration::from_millis(100));
    assert_eq!(front.network.server.run(stop)??, 1);
    Ok(())
}
