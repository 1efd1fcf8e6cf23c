//! In front of an ordinary server: what is served here never reaches it, everything else does.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use anyhow::{Context, Result, ensure};
use tungstenite::Message;
use zeroserve_shared::bypass::{Bypass, hash_of};
use zeroserve_tests::{
    Wire,
    front::{
        Front, PORT, Plain, digest, log, logged, request, serve_one, tcp_info, wait_until_sent,
    },
    lab::{check_books, noise, rendered},
    wire::Impairment,
};
use zeroserve_tui::{
    demo::client::Connection,
    kernel::MissChoice,
    net::veth::CLIENT_ADDRESS,
    server::{Change, Server},
};

/// Bytes of large transfers.
const LARGE_BYTES: usize = 100 << 20;

#[test]
fn hot_and_cold_requests_take_turns_on_one_connection_a_thousand_times() -> Result<()> {
    let (hot, cold) = (noise(1, 700), noise(2, 90_000));
    let (front, mut live) = Front::with_nginx(&[("hot", &hot)], &[("hot", &hot), ("cold", &cold)])?;
    let mut connection = front.connect()?;
    for _ in 0..1000 {
        let answer = connection.get("/hot")?;
        assert_eq!((answer.status, answer.body), (200, &hot[..]));
        let answer = connection.get("/cold")?;
        assert_eq!((answer.status, answer.body), (200, &cold[..]));
    }
    // The first was answered before the server knew of the connection. Then it is the server's.
    let totals = live.sample()?.totals();
    assert_eq!((totals.requests, totals.handed_off, totals.handoffs_failed), (1, 1, 0));
    let counts = logged(&front.log(1999)?, "198.18.0.2");
    assert_eq!(counts, HashMap::from([("/hot".into(), 999), ("/cold".into(), 1000)]));
    check_books(&totals);
    Ok(())
}

#[test]
fn the_server_sees_exactly_the_cold_requests_of_connections_that_begin_hot() -> Result<()> {
    let (hot, large, cold) = (noise(1, 700), noise(2, 400_000), noise(3, 900));
    let (front, mut live) =
        Front::with_nginx(&[("hot", &hot), ("large", &large)], &[("cold", &cold)])?;
    for round in 0..200 {
        let mut connection = front.connect()?;
        for _ in 0..round % 4 {
            assert_eq!(connection.get("/hot")?.body, hot);
            assert_eq!(connection.get("/large")?.body, large);
        }
        assert_eq!(connection.get("/cold")?.body, cold);
    }
    let totals = live.sample()?.totals();
    assert_eq!((totals.requests, totals.handed_off, totals.handoffs_failed), (600, 200, 0));
    let counts = logged(&front.log(200)?, "198.18.0.2");
    assert_eq!(counts, HashMap::from([("/cold".into(), 200)]));
    check_books(&totals);
    Ok(())
}

#[test]
fn pipelined_requests_are_answered_in_order_by_whoever_they_are_for() -> Result<()> {
    let (hot, cold) = (noise(1, 700), noise(2, 900));
    let (front, mut live) = Front::with_nginx(&[("hot", &hot)], &[("hot", &hot), ("cold", &cold)])?;
    // The first requests of a connection, and whether all are sent at once or the last alone.
    for (paths, hits) in [("hot cold", 1), ("cold hot", 0), ("hot hot hot cold hot cold cold", 3)] {
        let before = live.sample()?.totals().requests;
        let mut connection = front.connect()?;
        let all: String = paths.split(' ').map(|path| request(&format!("/{path}"))).collect();
        connection.send(all.as_bytes())?;
        for path in paths.split(' ') {
            let body = if path == "hot" { &hot } else { &cold };
            let answer = connection.receive(true)?;
            assert_eq!((answer.status, answer.body), (200, &body[..]), "{paths}");
        }
        assert_eq!(live.sample()?.totals().requests - before, hits, "{paths}");
        // Nobody had to wait for the client's timer.
        assert_eq!(tcp_info(connection.stream())?.tcpi_total_retrans, 0, "{paths}");
    }
    Ok(())
}

#[test]
fn a_pipelined_request_that_is_too_long_for_the_packet_before_it_is_handed_off_later() -> Result<()>
{
    let (hot, cold) = (noise(1, 700), noise(2, 900));
    let (front, mut live) = Front::with_nginx(&[("hot", &hot)], &[("cold", &cold)])?;
    for bytes in [100, 1000, 3000] {
        let mut connection = front.connect()?;
        let field = format!("X-Long: {}\r\n\r\n", "x".repeat(bytes));
        let long = request("/cold").replace("\r\n\r\n", &format!("\r\n{field}"));
        connection.send([request("/hot"), long].concat().as_bytes())?;
        assert_eq!(connection.receive(true)?.body, hot, "{bytes}");
        assert_eq!(connection.receive(true)?.body, cold, "{bytes}");
    }
    let totals = live.sample()?.totals();
    assert_eq!((totals.requests, totals.handed_off, totals.handoffs_failed), (3, 3, 0));
    check_books(&totals);
    Ok(())
}

#[test]
fn a_thousand_pipelined_requests_that_take_turns_are_answered_in_order() -> Result<()> {
    let (hot, cold) = (noise(1, 700), noise(2, 900));
    let (front, mut live) = Front::with_nginx(&[("hot", &hot)], &[("hot", &hot), ("cold", &cold)])?;
    let mut connection = front.connect()?;
    let mut writer = connection.stream().try_clone()?;
    let all = [request("/hot"), request("/cold")].concat().repeat(1000);
    let sender = thread::spawn(move || writer.write_all(all.as_bytes()));
    for number in 0..1000 {
        for body in [&hot, &cold] {
            let answer = connection.receive(true)?;
            ensure!(answer.status == 200 && answer.body == body, "{number}: {answer:?}");
        }
    }
    sender.join().expect("no panic")?;
    let totals = live.sample()?.totals();
    let log = front.log(2000 - totals.requests as usize)?;
    assert_eq!(log.len() as u64 + totals.requests, 2000);
    check_books(&totals);
    Ok(())
}

#[test]
fn connections_over_ipv6_are_handed_off_too() -> Result<()> {
    let (hot, cold) = (noise(1, 700), noise(2, 90_000));
    let (front, mut live) = Front::with_nginx(&[("hot", &hot)], &[("cold", &cold)])?;
    for _ in 0..20 {
        let mut connection = front.connect_to(front.network.server_at_v6(PORT))?;
        assert_eq!(connection.get("/hot")?.body, hot);
        assert_eq!(connection.get("/cold")?.body, cold);
    }
    let totals = live.sample()?.totals();
    assert_eq!((totals.requests, totals.handed_off), (20, 20));
    assert_eq!(logged(&front.log(20)?, "fd00::2"), HashMap::from([("/cold".into(), 20)]));
    Ok(())
}

#[test]
fn a_large_download_passes_from_the_server_behind() -> Result<()> {
    let (hot, cold) = (noise(1, 700), noise(2, LARGE_BYTES));
    let (front, mut live) = Front::with_nginx(&[("hot", &hot)], &[("cold", &cold)])?;
    let mut connection = front.connect()?;
    assert_eq!(connection.get("/hot")?.body, hot);
    assert!(connection.get("/cold")?.body == cold, "the download is damaged");
    check_books(&live.sample()?.totals());
    Ok(())
}

/// Reads the head of a request: its lines.
fn read_head(stream: &mut impl BufRead) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        ensure!(stream.read_line(&mut line)? > 0, "the head ends after {lines:?}");
        match line.trim_end() {
            "" => return Ok(lines),
            line => lines.push(line.to_owned()),
        }
    }
}

/// Answers one upload with the digest of its body, and returns the head.
fn take_upload(stream: TcpStream, bytes: usize) -> Result<Vec<String>> {
    let mut reader = BufReader::new(stream);
    let head = read_head(&mut reader)?;
    let mut body = vec![0; bytes];
    reader.read_exact(&mut body)?;
    let digest = digest(&body);
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{digest}", digest.len());
    reader.get_mut().write_all(answer.as_bytes())?;
    Ok(head)
}

#[test]
fn a_large_upload_behind_a_hot_request_arrives_whole() -> Result<()> {
    let front = Front::new()?;
    let server = serve_one(front.listen()?, |stream| take_upload(stream, LARGE_BYTES));
    let mut live = front.attach(MissChoice::Auto)?;
    let (hot, body) = (noise(1, 700), noise(2, LARGE_BYTES));
    front.publish(&mut live, "hot", &hot)?;
    let mut connection = front.connect()?;
    assert_eq!(connection.get("/hot")?.body, hot);
    let head =
        format!("POST /upload HTTP/1.1\r\nHost: front\r\nContent-Length: {LARGE_BYTES}\r\n\r\n");
    connection.send(head.as_bytes())?;
    connection.send(&body)?;
    assert_eq!(connection.receive(true)?.body, digest(&body).as_bytes());
    let head = server.join().expect("no panic")?;
    assert_eq!(head[0], "POST /upload HTTP/1.1");
    check_books(&live.sample()?.totals());
    Ok(())
}

#[test]
fn a_body_right_behind_its_head_need_not_be_sent_again() -> Result<()> {
    const BYTES: usize = 5000;
    let front = Front::new()?;
    let listener = front.listen()?;
    let _live = front.attach(MissChoice::Auto)?;
    let body = noise(2, BYTES);
    for _ in 0..50 {
        let server = serve_one(listener.try_clone()?, |stream| take_upload(stream, BYTES));
        let mut connection = front.connect()?;
        connection.stream().set_nodelay(true)?;
        let head = format!("POST / HTTP/1.1\r\nHost: front\r\nContent-Length: {BYTES}\r\n\r\n");
        connection.send(head.as_bytes())?;
        connection.send(&body)?;
        assert_eq!(connection.receive(true)?.body, digest(&body).as_bytes());
        assert_eq!(tcp_info(connection.stream())?.tcpi_total_retrans, 0);
        server.join().expect("no panic")?;
    }
    Ok(())
}

#[test]
fn a_request_in_pieces_reaches_the_server_whole() -> Result<()> {
    let front = Front::new()?;
    let server = serve_one(front.listen()?, |stream| {
        let mut reader = BufReader::new(stream);
        let head = read_head(&mut reader)?;
        reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nback")?;
        Ok(head)
    });
    let mut live = front.attach(MissChoice::Auto)?;
    front.publish(&mut live, "hot", b"here")?;
    let mut connection = front.connect()?;
    assert_eq!(connection.get("/hot")?.body, b"here");
    // Each piece waits until the one before has been acknowledged.
    for piece in ["G", "ET /h", "ot HTTP/1.1\r\nHo", "st: front\r\n\r", "\n"] {
        connection.send(piece.as_bytes())?;
        wait_until_sent(connection.stream())?;
    }
    assert_eq!(connection.receive(true)?.body, b"back");
    assert_eq!(server.join().expect("no panic")?, ["GET /hot HTTP/1.1", "Host: front"]);
    assert_eq!(live.sample()?.totals().requests, 1);
    Ok(())
}

#[test]
fn a_web_socket_works_through_a_port_with_a_zeroserve_in_front() -> Result<()> {
    let front = Front::new()?;
    let server = serve_one(front.listen()?, |stream| {
        let mut socket = tungstenite::accept(stream)?;
        for _ in 0..100 {
            let message = socket.read()?;
            socket.send(message)?;
        }
        Ok(())
    });
    let mut live = front.attach(MissChoice::Auto)?;
    // Even where the path is hot: the client asks for another protocol.
    front.publish(&mut live, "socket", b"no socket")?;
    let stream = front.connect()?.stream().try_clone()?;
    let (mut socket, _) = tungstenite::client("ws://front/socket", stream)
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    for number in 0..100 {
        let message = Message::binary(noise(number, 1 + 137 * number as usize));
        socket.send(message.clone())?;
        assert_eq!(socket.read()?, message);
    }
    server.join().expect("no panic")?;
    assert_eq!(live.sample()?.totals().requests, 0);
    Ok(())
}

#[test]
fn the_servers_socket_has_the_options_that_were_negotiated() -> Result<()> {
    let front = Front::new()?;
    let listener = front.listen()?;
    let mut live = front.attach(MissChoice::Auto)?;
    front.publish(&mut live, "hot", b"here")?;
    for hits in [0, 3] {
        let server = serve_one(listener.try_clone()?, Ok);
        let mut connection = front.connect()?;
        for _ in 0..hits {
            assert_eq!(connection.get("/hot")?.body, b"here");
        }
        connection.send(request("/cold").as_bytes())?;
        let stream = server.join().expect("no panic")?;
        let (theirs, ours) = (tcp_info(&stream)?, tcp_info(connection.stream())?);
        // The peer's shift in the lower half, its own in the upper.
        assert_eq!(theirs.tcpi_snd_rcv_wscale, ours.tcpi_snd_rcv_wscale.rotate_left(4));
        assert_eq!(theirs.tcpi_options, ours.tcpi_options);
        const TIMESTAMPS_SACK_AND_SCALING: u8 = 1 | 2 | 4;
        assert_eq!(theirs.tcpi_options, TIMESTAMPS_SACK_AND_SCALING);
        assert_eq!(theirs.tcpi_snd_mss, 1448);
        assert_eq!(stream.peer_addr()?.ip().to_canonical(), CLIENT_ADDRESS);
    }
    Ok(())
}

#[test]
fn requests_that_a_rule_names_go_to_the_server() -> Result<()> {
    let (hot, cold) = (noise(1, 700), noise(2, 900));
    let (front, mut live) = Front::with_nginx(&[("file", &hot)], &[("file", &cold)])?;
    let headers = [hash_of(b"authorization"), 0, 0, 0];
    live.set_bypass(Bypass { headers, cookies: [hash_of(b"session"), 0, 0, 0] })?;
    for (fields, body) in [
        ("", &hot),
        ("Authorization: Basic eA==\r\n", &cold),
        ("Cookie: theme=dark; session=1\r\n", &cold),
        ("Cookie: theme=dark\r\n", &hot),
    ] {
        let mut connection = front.connect()?;
        assert_eq!(connection.request("GET", "/file", fields)?.body, body, "{fields}");
    }
    assert_eq!(live.sample()?.totals().handed_off, 2);
    Ok(())
}

#[test]
fn a_new_rule_counts_for_requests_that_are_remembered() -> Result<()> {
    let (hot, cold) = (noise(1, 700), noise(2, 900));
    let (front, mut live) = Front::with_nginx(&[("file", &hot)], &[("file", &cold)])?;
    let fields = "Cookie: session=1\r\n";
    let mut connection = front.connect()?;
    for _ in 0..20 {
        assert_eq!(connection.request("GET", "/file", fields)?.body, hot);
    }
    live.set_bypass(Bypass { headers: [0; 4], cookies: [hash_of(b"session"), 0, 0, 0] })?;
    assert_eq!(connection.request("GET", "/file", fields)?.body, cold);
    live.set_bypass(Bypass { headers: [0; 4], cookies: [0; 4] })?;
    assert_eq!(front.connect()?.request("GET", "/file", fields)?.body, hot);
    Ok(())
}

/// Connections over a bad wire, each with hot requests and then cold ones.
fn turns_over_a_bad_wire(seed: u64, lost: f64, pipelined: bool) -> Result<()> {
    const CONNECTIONS: usize = 60;
    const PARALLEL: usize = 10;
    let wire = Wire::create(true)?;
    let folder = tempfile::tempdir()?;
    std::fs::create_dir(folder.path().join("site"))?;
    let (hot, large, cold) = (noise(1, 700), noise(2, 60_000), noise(3, 30_000));
    for (name, body) in [("large", &large), ("cold", &cold)] {
        std::fs::write(folder.path().join("site").join(name), body)?;
    }
    let _nginx = Plain::start(&wire.server, folder.path())?;
    let mut live = wire.attach()?;
    live.apply(Change::Add("/hot".parse()?, rendered(&hot)))?;
    live.apply(Change::Add("/large".parse()?, rendered(&large)))?;
    let impairment = Impairment { lost, ..Impairment::default() };
    let relay = wire.join(seed, impairment, impairment)?;
    let turns = [("/hot", &hot), ("/large", &large), ("/cold", &cold), ("/cold", &cold)];
    let one = || -> Result<()> {
        let address = wire.server_at(PORT);
        let mut connection = wire.client.run(|| Connection::open(address))??;
        if pipelined {
            let all: String = turns.iter().map(|(path, _)| request(path)).collect();
            connection.send(all.as_bytes())?;
        }
        for (path, body) in turns {
            if !pipelined {
                connection.send(request(path).as_bytes())?;
            }
            let answer = connection.receive(true)?;
            ensure!(answer.status == 200 && answer.body == body, "{path}: {}", answer.status);
        }
        Ok(())
    };
    let next = AtomicUsize::new(0);
    let outcomes = thread::scope(|scope| {
        let client = || -> Result<()> {
            while next.fetch_add(1, Ordering::Relaxed) < CONNECTIONS {
                one()?;
            }
            Ok(())
        };
        let clients: Vec<_> = (0..PARALLEL).map(|_| scope.spawn(client)).collect();
        clients.into_iter().map(|one| one.join().expect("no panic")).collect::<Vec<_>>()
    });
    for outcome in outcomes {
        outcome?;
    }
    let counts = relay.stop().context("the wire broke")?;
    assert!(counts.iter().all(|way| way.lost > 0), "{counts:?}");
    // Nothing has been answered twice, or by both.
    let totals = live.sample()?.totals();
    assert_eq!(totals.requests, 2 * CONNECTIONS as u64);
    let logged = logged(&log(folder.path(), 2 * CONNECTIONS)?, "198.18.0.2");
    assert_eq!(logged, HashMap::from([("/cold".into(), 2 * CONNECTIONS)]));
    check_books(&totals);
    Ok(())
}

#[test]
fn handoffs_survive_a_wire_that_loses_1_percent_each_way() -> Result<()> {
    turns_over_a_bad_wire(11, 0.01, false)
}

#[test]
fn handoffs_survive_a_wire_that_loses_5_percent_each_way() -> Result<()> {
    turns_over_a_bad_wire(12, 0.05, false)
}

#[test]
fn handoffs_of_pipelined_requests_survive_a_wire_that_loses_1_percent_each_way() -> Result<()> {
    turns_over_a_bad_wire(13, 0.01, true)
}
