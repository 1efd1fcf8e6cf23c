//! The server behind: it goes away and comes back, was there before, and outlives what is in front.

use std::{
    io::{Read, Write},
    net::{IpAddr, TcpStream},
    os::fd::AsRawFd,
    sync::mpsc,
};

use anyhow::{Context, Result};
use etherparse::{Icmpv4Type, Icmpv6Type, PacketBuilder, icmpv4::DestUnreachableHeader};
use nix::{
    libc,
    sys::socket::{setsockopt, sockopt},
};
use zeroserve_shared::{config::OnMiss, reason::Reason, refusal::Refusal};
use zeroserve_tests::{
    binary::wait_until,
    front::{Front, PORT, connect_from, logged, request, serve_one, tcp_info},
    lab::noise,
};
use zeroserve_tui::{
    kernel::{Live, MissChoice},
    net::raw::RawSender,
    server::Server,
};

#[test]
fn a_long_poll_is_answered_when_the_server_has_something_to_say() -> Result<()> {
    let (front, hot) = (Front::new()?, noise(1, 700));
    let listener = front.listen()?;
    let mut live = front.attach(MissChoice::Auto)?;
    front.publish(&mut live, "hot", &hot)?;
    let (asked, is_asked) = mpsc::channel();
    let (news, wait_for_news) = mpsc::channel::<String>();
    let server = serve_one(listener, move |mut stream| {
        let mut head = [0; 1024];
        while let read @ 1.. = stream.read(&mut head)? {
            asked.send(String::from_utf8_lossy(&head[..read]).into_owned())?;
            let news = wait_for_news.recv()?;
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{news}", news.len())?;
        }
        Ok(())
    });
    let (mut polling, mut other) = (front.connect()?, front.connect()?);
    assert_eq!(polling.get("/hot")?.body, hot);
    for round in 0..5 {
        polling.send(request("/poll").as_bytes())?;
        assert_eq!(is_asked.recv()?, request("/poll"));
        // Meanwhile others are served, and nothing comes before there is news.
        for _ in 0..200 {
            assert_eq!(other.get("/hot")?.body, hot);
        }
        let text = format!("news number {round}");
        news.send(text.clone())?;
        assert_eq!(polling.receive(true)?.body, text.as_bytes());
    }
    drop((polling, news));
    server.join().expect("no panic")?;
    let totals = live.sample()?.totals();
    assert_eq!((totals.requests, totals.handed_off), (1 + 5 * 200, 1));
    Ok(())
}

#[test]
fn a_client_that_only_connects_costs_the_server_no_socket() -> Result<()> {
    let front = Front::new()?;
    let listener = front.listen()?;
    let mut live = front.attach(MissChoice::Auto)?;
    let idle: Vec<_> = (0..100).map(|_| front.connect()).collect::<Result<_>>()?;
    // One that asks comes behind them, and is the only one that is accepted.
    let server = serve_one(listener, |stream| Ok(stream.peer_addr()?.port()));
    let mut asking = front.connect()?;
    asking.send(request("/cold").as_bytes())?;
    assert_eq!(server.join().expect("no panic")?, asking.stream().local_addr()?.port());
    assert_eq!(live.sample()?.totals().handed_off, 1);
    drop(idle);
    Ok(())
}

#[test]
fn where_the_server_goes_away_clients_are_told_and_when_it_comes_back_it_answers() -> Result<()> {
    let (hot, cold) = (noise(1, 700), noise(2, 900));
    let (mut front, mut live) = Front::with_nginx(&[("hot", &hot)], &[("cold", &cold)])?;
    front.stop_nginx();
    let mut connection = front.connect()?;
    for _ in 0..3 {
        assert_eq!(connection.get("/hot")?.body, hot);
        let answer = connection.get("/cold")?;
        assert_eq!((answer.status, answer.header("Retry-After")), (503, Some(&b"2"[..])));
        assert!(!answer.closes);
    }
    let mut posting = front.connect()?;
    let answer = posting.request("POST", "/cold", "Content-Length: 0\r\n")?;
    assert_eq!((answer.status, answer.closes), (503, true));
    let totals = live.sample()?.totals();
    assert_eq!(totals.refusals[Refusal::NobodyListens as usize], 4);
    assert_eq!(totals.handed_off, 0);
    front.start_nginx()?;
    // The same connection goes on, with the server.
    assert_eq!(connection.get("/cold")?.body, cold);
    assert_eq!(live.sample()?.totals().handed_off, 1);
    Ok(())
}

#[test]
fn a_connection_that_was_handed_off_outlives_zeroserve() -> Result<()> {
    let (hot, cold) = (noise(1, 700), noise(2, 900));
    let (front, mut live) = Front::with_nginx(&[("hot", &hot)], &[("hot", &hot), ("cold", &cold)])?;
    let mut connection = front.connect()?;
    assert_eq!(connection.get("/hot")?.body, hot);
    assert_eq!(connection.get("/cold")?.body, cold);
    assert_eq!(live.sample()?.totals().handed_off, 1);
    drop(live);
    Live::stop(front.network.interface())?;
    assert_eq!(connection.get("/cold")?.body, cold);
    assert_eq!(front.connect()?.get("/hot")?.body, hot);
    assert_eq!(logged(&front.log(3)?, "198.18.0.2").values().sum::<usize>(), 3);
    Ok(())
}

#[test]
fn a_connection_from_before_stays_with_the_server() -> Result<()> {
    let (hot, cold) = (noise(1, 700), noise(2, 900));
    let mut front = Front::new()?;
    std::fs::write(front.folder.path().join("site/cold"), &cold)?;
    front.start_nginx()?;
    let mut connection = front.connect()?;
    assert_eq!(connection.get("/cold")?.body, cold);
    let mut live = front.attach(MissChoice::Auto)?;
    front.publish(&mut live, "hot", &hot)?;
    assert_eq!(connection.get("/cold")?.body, cold);
    assert_eq!(connection.get("/hot")?.status, 404, "the server has no such file");
    let totals = live.sample()?.totals();
    assert_eq!((totals.requests, totals.handed_off), (0, 0));
    // The first packet tells whose the connection is, and the others need not be asked.
    let [unknown, handed_off] = [Reason::UnknownConnection, Reason::HandedOff];
    let before = totals.reasons;
    assert!(before[unknown as usize] > 0);
    assert_eq!(connection.get("/cold")?.body, cold);
    let after = live.sample()?.totals().reasons;
    assert_eq!(after[unknown as usize], before[unknown as usize]);
    assert!(after[handed_off as usize] > before[handed_off as usize]);
    Ok(())
}

#[test]
fn told_to_zeroserve_answers_all_itself() -> Result<()> {
    let cold = noise(2, 900);
    let mut front = Front::new()?;
    std::fs::write(front.folder.path().join("site/cold"), &cold)?;
    front.start_nginx()?;
    let mut live = front.attach(MissChoice::Always(OnMiss::Refuse))?;
    assert_eq!(front.connect()?.get("/cold")?.status, 404);
    assert_eq!(live.sample()?.totals().handed_off, 0);
    Ok(())
}

#[test]
fn where_nobody_listens_zeroserve_stands_alone_unless_told_otherwise() -> Result<()> {
    for (choice, status) in [(MissChoice::Auto, 404), (MissChoice::Always(OnMiss::HandOff), 503)] {
        let front = Front::new()?;
        let _live = front.attach(choice)?;
        assert_eq!(front.connect()?.get("/cold")?.status, status, "{choice:?}");
    }
    Ok(())
}

#[test]
fn a_port_that_comes_again_after_the_server_closed_is_the_servers() -> Result<()> {
    // What is left of a closed connection (TIME-WAIT) would keep the kernel from taking another one.
    let cold = noise(2, 900);
    let (front, mut live) = Front::with_nginx(&[("hot", b"hot")], &[("cold", &cold)])?;
    let fields = "Connection: close\r\n";
    let mut first = front.connect()?;
    let local = first.stream().local_addr()?;
    assert_eq!(first.request("GET", "/cold", fields)?.body, cold);
    // The server closes first, so TIME-WAIT is on its side.
    assert!(first.rest()?.is_empty());
    let mut second =
        front.network.client.run(|| connect_from(local, front.address()))?.context("again")?;
    second.write_all(
        request("/cold").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes(),
    )?;
    let mut answer = Vec::new();
    second.read_to_end(&mut answer)?;
    assert!(answer.ends_with(&cold), "{}", answer.escape_ascii());
    let totals = live.sample()?.totals();
    assert_eq!((totals.handshakes, totals.handed_off), (1, 1));
    Ok(())
}

#[test]
fn a_port_that_comes_again_after_the_server_reset_is_nobodys() -> Result<()> {
    // The client closes without a word, so its flow is still there when it comes again.
    let front = Front::new()?;
    let server = serve_one(front.listen()?, |mut stream| {
        stream.read_exact(&mut [0; 4])?;
        let linger = libc::linger { l_onoff: 1, l_linger: 0 };
        Ok(setsockopt(&stream, sockopt::Linger, &linger)?)
    });
    let mut live = front.attach(MissChoice::Always(OnMiss::HandOff))?;
    front.publish(&mut live, "hot", b"here")?;
    let mut first = front.connect()?;
    let local = first.stream().local_addr()?;
    first.send(request("/cold").as_bytes())?;
    let reset = first.receive(true).expect_err("the server resets").kind();
    assert_eq!(reset, std::io::ErrorKind::ConnectionReset);
    server.join().expect("no panic")?;
    drop(first);
    let mut second =
        front.network.client.run(|| connect_from(local, front.address()))?.context("again")?;
    second.write_all(request("/hot").as_bytes())?;
    let mut answer = [0; 12];
    second.read_exact(&mut answer)?;
    assert_eq!(&answer, b"HTTP/1.1 200");
    assert_eq!(live.sample()?.totals().requests, 1);
    Ok(())
}

#[test]
fn requests_in_pieces_wait_where_the_server_has_no_room_for_connections() -> Result<()> {
    let front = Front::new()?;
    let listener = front.listen()?;
    // Room for so many and one connection that have not been accepted.
    let make_room = |connections| {
        // SAFETY: the call takes nothing but a descriptor, which is open, and a number.
        let result = unsafe { libc::listen(listener.as_raw_fd(), connections) };
        anyhow::ensure!(result == 0, std::io::Error::last_os_error());
        Ok(())
    };
    make_room(0)?;
    let mut live = front.attach(MissChoice::Always(OnMiss::HandOff))?;
    front.publish(&mut live, "hot", b"here")?;
    let mut first = front.connect()?;
    first.send(request("/first").as_bytes())?;
    wait_until("the queue is full", || Ok(live.sample()?.totals().handed_off == 1))?;
    let (beginning, end) = ("GET /cold HTTP/1.1\r\n", "Host: front\r\n\r\n");
    let mut waiting = vec![first];
    for _ in 0..20 {
        let mut connection = front.connect()?;
        assert_eq!(connection.get("/hot")?.body, b"here");
        connection.stream().set_nodelay(true)?;
        connection.send(beginning.as_bytes())?;
        connection.send(end.as_bytes())?;
        waiting.push(connection);
    }
    let clients = waiting.len();
    wait_until("all have been offered", || {
        Ok(live.sample()?.totals().handed_off == clients as u64)
    })?;
    make_room(100)?;
    let server = std::thread::spawn(move || -> Result<()> {
        for _ in 0..clients {
            let (mut stream, _) = listener.accept()?;
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte)?;
                head.extend(byte);
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nback")?;
        }
        Ok(())
    });
    for (number, connection) in waiting.iter_mut().enumerate() {
        let answer = connection.receive(true).with_context(|| format!("connection {number}"))?;
        assert_eq!(answer.body, b"back");
    }
    server.join().expect("no panic")
}

/// The number of the next byte that a socket sends.
fn next_sequence(stream: &TcpStream) -> Result<u32> {
    const OFF_WITHOUT_PROBE: i32 = -1;
    const SEND_QUEUE: i32 = 2;
    let set = |name, value: i32| {
        let (from, bytes) = ((&raw const value).cast(), size_of_val(&value) as libc::socklen_t);
        // SAFETY: the call reads an integer, which is live.
        let result =
            unsafe { libc::setsockopt(stream.as_raw_fd(), libc::IPPROTO_TCP, name, from, bytes) };
        anyhow::ensure!(result == 0, std::io::Error::last_os_error());
        Ok(())
    };
    set(libc::TCP_REPAIR, 1)?;
    set(libc::TCP_REPAIR_QUEUE, SEND_QUEUE)?;
    let (mut sequence, mut bytes) = (0u32, size_of::<u32>() as libc::socklen_t);
    let (to, fd) = ((&raw mut sequence).cast(), stream.as_raw_fd());
    // SAFETY: the call writes an integer, to a live one.
    let result =
        unsafe { libc::getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_QUEUE_SEQ, to, &raw mut bytes) };
    anyhow::ensure!(result == 0, std::io::Error::last_os_error());
    set(libc::TCP_REPAIR, OFF_WITHOUT_PROBE)?;
    Ok(sequence)
}

/// What a router in between says of a segment from the server to the client: too large for its link.
fn too_large(stream: &TcpStream, mtu: u16) -> Result<Vec<u8>> {
    let (server, client) = (stream.local_addr()?, stream.peer_addr()?);
    let (server_ip, client_ip) = (server.ip().to_canonical(), client.ip().to_canonical());
    let sequence = next_sequence(stream)?;
    let mut packet = Vec::new();
    let mut quoted = Vec::new();
    match (server_ip, client_ip) {
        (IpAddr::V4(server_ip), IpAddr::V4(client_ip)) => {
            PacketBuilder::ipv4(server_ip.octets(), client_ip.octets(), 64)
                .tcp(server.port(), client.port(), sequence, 0)
                .write(&mut quoted, &[0; 1460])?;
            let what = DestUnreachableHeader::FragmentationNeeded { next_hop_mtu: mtu };
            PacketBuilder::ipv4(client_ip.octets(), server_ip.octets(), 64)
                .icmpv4(Icmpv4Type::DestinationUnreachable(what))
                .write(&mut packet, &quoted[..28])?;
        }
        (IpAddr::V6(server_ip), IpAddr::V6(client_ip)) => {
            PacketBuilder::ipv6(server_ip.octets(), client_ip.octets(), 64)
                .tcp(server.port(), client.port(), sequence, 0)
                .write(&mut quoted, &[0; 1440])?;
            PacketBuilder::ipv6(client_ip.octets(), server_ip.octets(), 64)
                .icmpv6(Icmpv6Type::PacketTooBig { mtu: mtu.into() })
                .write(&mut packet, &quoted[..48])?;
        }
        _ => unreachable!("both ends are of one family"),
    }
    Ok(packet)
}

#[test]
fn the_server_hears_of_links_that_its_segments_are_too_large_for() -> Result<()> {
    const MTU: u16 = 1400;
    let front = Front::new()?;
    let listener = front.listen()?;
    let mut live = front.attach(MissChoice::Always(OnMiss::HandOff))?;
    front.publish(&mut live, "hot", b"here")?;
    let large = noise(1, 300_000);
    for address in [front.address(), front.network.server_at_v6(PORT)] {
        let server = serve_one(listener.try_clone()?, Ok);
        let mut connection = front.connect_to(address)?;
        assert_eq!(connection.get("/hot")?.body, b"here");
        connection.send(request("/cold").as_bytes())?;
        let mut stream = server.join().expect("no panic")?;
        assert_eq!(tcp_info(&stream)?.tcpi_pmtu, 1500);
        let packet = too_large(&stream, MTU)?;
        let client = &front.network.veth.client;
        front.network.client.run(|| RawSender::open(client)?.send(&packet))??;
        wait_until(
            "the server hears of it",
            || Ok(tcp_info(&stream)?.tcpi_pmtu == u32::from(MTU)),
        )?;
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", large.len());
        stream.write_all(&[head.as_bytes(), &large].concat())?;
        assert_eq!(connection.receive(true)?.body, large);
    }
    let totals = live.sample()?.totals();
    assert_eq!((totals.handed_off, totals.flows_narrowed), (2, 0));
    Ok(())
}
