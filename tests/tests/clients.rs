//! Real clients: what they ask for is what they get.

use std::{
    collections::{HashMap, HashSet},
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, ensure};
use zeroserve_tests::{
    Lab,
    lab::{DEMO_SITE, check_books, noise, sha256},
};
use zeroserve_tui::{demo::load::Target, server::Server};

#[test]
fn curl_gets_every_file_of_the_demo_site_byte_for_byte() -> Result<()> {
    let mut lab = Lab::new()?;
    for (path, published) in lab.publish_folder(DEMO_SITE.as_ref())? {
        let target = Target::new(&path, Arc::clone(&published));
        let output = lab.curl(&["--fail", &lab.url(&target.path)])?;
        ensure!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.stdout.len(), published.body_bytes() as usize, "{path}");
        assert_eq!(sha256(&output.stdout), published.body_sha256, "{path}");
    }
    check_books(&lab.totals()?);
    Ok(())
}

#[test]
fn curl_gets_a_file_of_64_mib_byte_for_byte() -> Result<()> {
    let mut lab = Lab::new()?;
    let body = noise(1, 64 << 20);
    lab.publish("/large", &body)?;
    let output = lab.curl(&["--fail", &lab.url("/large")])?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout.len(), body.len());
    assert_eq!(sha256(&output.stdout), sha256(&body));
    check_books(&lab.totals()?);
    Ok(())
}

#[test]
fn files_around_every_boundary_of_segments_and_blocks_arrive_whole() -> Result<()> {
    let mut lab = Lab::new()?;
    let mut sizes = Vec::new();
    for boundary in [1460, 2 * 1460, 31 * 1460, 2 << 10, 8 << 10, 32 << 10, 64 << 10, 96 << 10] {
        // The head takes part of the first segment, so the interesting sizes lie below.
        sizes.extend((boundary - 300..boundary + 10).step_by(31));
    }
    sizes.extend([1, 2, 3]);
    sizes.sort_unstable();
    sizes.dedup();
    let mut bodies = HashMap::new();
    for bytes in sizes {
        let path = format!("/{bytes}");
        let body = noise(bytes as u64, bytes);
        lab.publish(&path, &body)?;
        bodies.insert(path, body);
    }
    let mut connection = lab.connect()?;
    for (path, body) in &bodies {
        let response = connection.get(path).with_context(|| path.clone())?;
        assert_eq!(response.status, 200, "{path}");
        assert!(response.body == body, "{path} is damaged");
    }
    check_books(&lab.totals()?);
    Ok(())
}

#[test]
fn two_hundred_connections_at_a_time_are_all_served() -> Result<()> {
    let mut lab = Lab::new()?;
    let body = noise(2, 100_000);
    lab.publish("/file", &body)?;
    let mut connections = Vec::new();
    for _ in 0..200 {
        connections.push(lab.connect()?);
    }
    // All requests are on their way before the first answer is read.
    for connection in &mut connections {
        connection.send(b"GET /file HTTP/1.1\r\nHost: lab\r\n\r\n")?;
    }
    for connection in &mut connections {
        assert!(connection.receive(true)?.body == body);
    }
    for _ in 0..3 {
        for connection in &mut connections {
            assert!(connection.get("/file")?.body == body);
        }
    }
    assert_eq!(lab.hits("/file")?.requests, 800);
    assert_eq!(lab.totals()?.flows_created, 200);
    check_books(&lab.totals()?);
    Ok(())
}

#[test]
fn head_gets_the_head_of_get_and_no_body() -> Result<()> {
    let mut lab = Lab::new()?;
    lab.publish("/file", &noise(3, 5000))?;
    let mut connection = lab.connect()?;
    let without_date = |head: &[u8]| -> Vec<String> {
        let lines = String::from_utf8_lossy(head).into_owned();
        lines.lines().filter(|line| !line.starts_with("Date: ")).map(str::to_owned).collect()
    };
    let get = without_date(connection.get("/file")?.head);
    let response = connection.request("HEAD", "/file", "")?;
    assert_eq!(without_date(response.head), get);
    assert_eq!(response.header("Content-Length"), Some(&b"5000"[..]));
    // Had a body come after all, the next answer would begin with it.
    assert_eq!(connection.get("/file")?.status, 200);
    Ok(())
}

/// RFC 9110 section 6.6.1. The date is that of the kernel's last tick before the request, so it lies
/// between the times some milliseconds before and after it, whole seconds; and it moves on with the
/// clock.
#[test]
fn the_date_is_true_and_moves_on() -> Result<()> {
    /// Of the slowest clock that kernels are built with, 100 Hz.
    const TWO_TICKS: Duration = Duration::from_millis(20);
    let mut lab = Lab::new()?;
    lab.publish("/file", b"here")?;
    let mut connection = lab.connect()?;
    let unix_s = |time: SystemTime| time.duration_since(UNIX_EPOCH).map(|since| since.as_secs());
    let mut seen = HashSet::new();
    while seen.len() < 3 {
        let before_s = unix_s(SystemTime::now() - TWO_TICKS)?;
        let response = connection.get("/file")?;
        let after_s = unix_s(SystemTime::now())?;
        let date = response.header("Date").context("no date")?;
        let date_s = unix_s(httpdate::parse_http_date(std::str::from_utf8(date)?)?)?;
        assert!((before_s..=after_s).contains(&date_s), "{before_s} {date_s} {after_s}");
        seen.insert(date_s);
    }
    Ok(())
}

#[test]
fn an_unknown_path_is_answered_404_and_the_connection_goes_on() -> Result<()> {
    let mut lab = Lab::new()?;
    lab.publish("/file", b"here")?;
    let mut connection = lab.connect()?;
    let response = connection.get("/nothing")?;
    assert_eq!((response.status, response.closes), (404, false));
    assert!(!response.body.is_empty());
    assert_eq!(connection.get("/file")?.body, b"here");
    Ok(())
}

#[test]
fn what_cannot_be_answered_otherwise_is_refused_and_the_connection_ends() -> Result<()> {
    let mut lab = Lab::new()?;
    lab.publish("/file", b"here")?;
    let long_path = format!("GET /{} HTTP/1.1\r\nHost: lab\r\n\r\n", "a".repeat(600));
    let cases: [(&str, u16); 6] = [
        ("POST /file HTTP/1.1\r\nHost: lab\r\nContent-Length: 0\r\n\r\n", 405),
        ("DELETE /file HTTP/1.1\r\nHost: lab\r\n\r\n", 405),
        ("GET file HTTP/1.1\r\nHost: lab\r\n\r\n", 400),
        ("GET /file HTTP/1.1\r\n\r\n", 400),
        ("GET /file HTTP/2.0\r\nHost: lab\r\n\r\n", 505),
        (&long_path, 414),
    ];
    for (request, status) in cases {
        let mut connection = lab.connect()?;
        connection.send(request.as_bytes())?;
        let response = connection.receive(true).with_context(|| format!("{request:?}"))?;
        assert_eq!((response.status, response.closes), (status, true), "{request:?}");
        assert!(connection.rest()?.is_empty(), "{request:?}");
    }
    check_books(&lab.totals()?);
    Ok(())
}

#[test]
fn a_method_that_is_refused_says_which_are_not() -> Result<()> {
    let lab = Lab::new()?;
    let mut connection = lab.connect()?;
    let response = connection.request("PUT", "/file", "Content-Length: 0\r\n")?;
    assert_eq!(response.header("Allow"), Some(&b"GET, HEAD, OPTIONS"[..]));
    Ok(())
}

#[test]
fn a_request_in_pieces_of_any_size_is_understood() -> Result<()> {
    let mut lab = Lab::new()?;
    lab.publish("/some/file", b"here")?;
    let request = b"GET /some/file HTTP/1.1\r\nHost: lab\r\nAccept: */*\r\n\r\n";
    for piece_bytes in [1, 2, 3, 7, 20] {
        let mut connection = lab.connect()?;
        for piece in request.chunks(piece_bytes) {
            connection.send(piece)?;
        }
        let response = connection.receive(true).with_context(|| format!("by {piece_bytes}"))?;
        assert_eq!((response.status, response.body), (200, &b"here"[..]), "by {piece_bytes}");
    }
    check_books(&lab.totals()?);
    Ok(())
}

#[test]
fn curl_uses_one_connection_for_many_requests() -> Result<()> {
    let mut lab = Lab::new()?;
    lab.publish("/a", &noise(4, 300))?;
    lab.publish("/b", &noise(5, 30_000))?;
    let (a, b) = (lab.url("/a"), lab.url("/b"));
    let mut arguments = vec!["--write-out", "%{num_connects} %{http_code}\n"];
    let sink = ["--output", "/dev/null"];
    for url in [&a, &b, &a, &b, &b, &a] {
        arguments.extend(sink);
        arguments.push(url);
    }
    let output = lab.curl(&arguments)?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout)?;
    assert_eq!(lines, "1 200\n0 200\n0 200\n0 200\n0 200\n0 200\n");
    assert_eq!(lab.totals()?.handshakes, 1);
    Ok(())
}

#[test]
fn connection_close_is_honoured_after_the_last_byte() -> Result<()> {
    let mut lab = Lab::new()?;
    let body = noise(6, 50_000);
    lab.publish("/file", &body)?;
    let mut connection = lab.connect()?;
    let response = connection.request("GET", "/file", "Connection: close\r\n")?;
    assert!(response.body == body);
    assert!(connection.rest()?.is_empty(), "something came after the answer");
    Ok(())
}

#[test]
fn http_1_0_gets_an_answer_and_the_end_of_the_connection() -> Result<()> {
    let mut lab = Lab::new()?;
    let body = noise(7, 5000);
    lab.publish("/file", &body)?;
    let mut connection = lab.connect()?;
    connection.send(b"GET /file HTTP/1.0\r\n\r\n")?;
    assert!(connection.receive(true)?.body == body);
    assert!(connection.rest()?.is_empty());
    let output = lab.curl(&["--http1.0", "--fail", &lab.url("/file")])?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout == body);
    Ok(())
}

#[test]
fn a_connection_to_another_port_is_undisturbed_throughout() -> Result<()> {
    let mut lab = Lab::new()?;
    lab.publish("/file", &noise(8, 500_000))?;
    let address = lab.server.network.server_at(22);
    let listener = lab.server.network.server.run(|| TcpListener::bind(address))??;
    let echo = thread::spawn(move || -> std::io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        let mut buffer = [0; 1024];
        loop {
            match stream.read(&mut buffer)? {
                0 => return Ok(()),
                bytes => stream.write_all(&buffer[..bytes])?,
            }
        }
    });
    let mut session = lab.client().run(|| TcpStream::connect(address))??;
    session.set_nodelay(true)?;
    let over = Arc::new(AtomicBool::new(false));
    let mut connections = [lab.connect()?, lab.connect()?];
    let load = thread::spawn({
        let over = Arc::clone(&over);
        move || -> std::io::Result<u64> {
            let mut requests = 0;
            while !over.load(Ordering::Relaxed) {
                for connection in &mut connections {
                    connection.get("/file")?;
                    requests += 1;
                }
            }
            Ok(requests)
        }
    });
    for round in 0..2000_u32 {
        let line = format!("keystroke {round}\n");
        session.write_all(line.as_bytes())?;
        let mut echoed = vec![0; line.len()];
        session.read_exact(&mut echoed)?;
        assert_eq!(echoed, line.as_bytes());
    }
    over.store(true, Ordering::Relaxed);
    let requests = load.join().expect("the load does not panic")?;
    assert!(requests > 0);
    session.shutdown(std::net::Shutdown::Both)?;
    echo.join().expect("the echo does not panic")?;
    check_books(&lab.totals()?);
    let identity = lab.live.identity();
    assert_eq!(identity.mode, "native");
    Ok(())
}
