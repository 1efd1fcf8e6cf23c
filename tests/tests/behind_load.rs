//! In front of a server under load: every request is answered once, by whom it is for.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use anyhow::{Context, Result, ensure};
use nix::libc;
use zeroserve_tests::{
    binary::PATIENCE,
    front::{Front, logged, request},
    lab::{check_books, noise},
};
use zeroserve_tui::{demo::client::Connection, server::Server};

/// Requests of the mixed load, unless `MIXED_REQUESTS` says how many.
const REQUESTS: usize = 1_000_000;

/// Clients of the mixed load, at work at the same time.
const CLIENTS: usize = 8;

/// Requests of one connection, at most.
const MOST_OF_A_CONNECTION: usize = 50;

/// Connections at once.
const CONNECTIONS: usize = 5000;

/// A request of the mixed load.
struct Kind {
    method: &'static str,
    path: &'static str,
    /// Of the answer.
    status: u16,
    /// Whether it is answered without the server, where the connection is not yet the server's.
    is_hot: bool,
    /// Of so many requests, how many are of this kind: these add up to 100.
    share: usize,
}

/// What is asked for. Cold requests are few, so that many connections have hits before the first of them.
const KINDS: [Kind; 6] = [
    Kind { method: "GET", path: "/hot", status: 200, is_hot: true, share: 70 },
    Kind { method: "GET", path: "/large", status: 200, is_hot: true, share: 15 },
    Kind { method: "HEAD", path: "/hot", status: 200, is_hot: true, share: 8 },
    Kind { method: "GET", path: "/cold", status: 200, is_hot: false, share: 4 },
    Kind { method: "GET", path: "/missing", status: 404, is_hot: false, share: 2 },
    Kind { method: "POST", path: "/hot", status: 405, is_hot: false, share: 1 },
];

/// One of the kinds, by their shares.
fn any_kind(random: &mut fastrand::Rng) -> &'static Kind {
    let mut drawn = random.usize(..100);
    let found = KINDS.iter().find(|kind| {
        let is_it = drawn < kind.share;
        drawn = drawn.saturating_sub(kind.share);
        is_it
    });
    found.expect("the shares add up to 100")
}

/// What one client of the mixed load has done.
#[derive(Default)]
struct Tally {
    /// Requests that the server must not have seen.
    hits: usize,
    /// Lines that the server's log must have, and how often.
    lines: HashMap<String, usize>,
}

/// Sends requests over one connection after the other, until all clients together have sent all.
fn load(
    mut random: fastrand::Rng,
    left: &AtomicUsize,
    address: &str,
    bodies: &HashMap<&str, Vec<u8>>,
    connect: impl Fn() -> Result<Connection>,
) -> Result<Tally> {
    let mut tally = Tally::default();
    loop {
        let mut connection = connect()?;
        let mut is_the_servers = false;
        for _ in 0..random.usize(1..=MOST_OF_A_CONNECTION) {
            let taken =
                left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
            if taken.is_err() {
                return Ok(tally);
            }
            let kind = any_kind(&mut random);
            is_the_servers |= !kind.is_hot;
            let Kind { method, path, status, .. } = *kind;
            let fields = if method == "POST" { "Content-Length: 0\r\n" } else { "" };
            let answer = connection.request(method, path, fields)?;
            ensure!(answer.status == status, "{method} {path}: {}", answer.status);
            if (method, status) == ("GET", 200) {
                ensure!(answer.body == bodies[path], "{path} is damaged");
            }
            if is_the_servers {
                let line = format!("{address} {method} {path} {status}");
                *tally.lines.entry(line).or_default() += 1;
            } else {
                tally.hits += 1;
            }
            if answer.closes {
                break;
            }
        }
    }
}

#[test]
fn the_log_of_nginx_and_the_hits_are_together_what_was_sent() -> Result<()> {
    let (hot, large, cold) = (noise(1, 700), noise(2, 40_000), noise(3, 9000));
    let all = [("hot", &hot[..]), ("large", &large), ("cold", &cold)];
    let (front, mut live) = Front::with_nginx(&all[..2], &all)?;
    let bodies = HashMap::from([("/hot", hot), ("/large", large), ("/cold", cold)]);
    let requests = match std::env::var("MIXED_REQUESTS") {
        Ok(number) => number.parse().context("MIXED_REQUESTS is no number")?,
        Err(_) => REQUESTS,
    };
    let left = AtomicUsize::new(requests);
    // Half of the clients are at one address and half at the other.
    let client = |seed: usize| {
        let (address, server) = match seed % 2 {
            0 => ("198.18.0.2", front.address()),
            _ => ("fd00::2", front.network.server_at_v6(front.address().port())),
        };
        let random = fastrand::Rng::with_seed(seed as u64);
        load(random, &left, address, &bodies, || front.connect_to(server))
    };
    let client = &client;
    let tallies = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|seed| scope.spawn(move || client(seed))).collect();
        clients.into_iter().map(|one| one.join().expect("no panic")).collect::<Result<Vec<_>>>()
    })?;
    let mut expected = Tally::default();
    for tally in tallies {
        expected.hits += tally.hits;
        for (line, count) in tally.lines {
            *expected.lines.entry(line).or_default() += count;
        }
    }
    let log = front.log(expected.lines.values().sum())?;
    let totals = live.sample()?.totals();
    assert_eq!(totals.requests as usize + log.len(), requests);
    assert_eq!(totals.requests as usize, expected.hits);
    let mut lines = HashMap::<String, usize>::new();
    for line in log {
        *lines.entry(line).or_default() += 1;
    }
    assert_eq!(lines, expected.lines);
    assert!(lines.len() == 12 && totals.requests > 0, "{lines:?}");
    check_books(&totals);
    Ok(())
}

/// Lets this process have so many files open.
fn allow_files(files: u64) -> Result<()> {
    let limit = libc::rlimit { rlim_cur: files, rlim_max: files };
    // SAFETY: the call reads the struct, which is live, and keeps nothing of it.
    let result = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    ensure!(result == 0, std::io::Error::last_os_error());
    Ok(())
}

/// Reads an answer that has a body of a known length, and gives the status line and the body. A
/// `Connection` would do, but thousands of them take gigabytes.
fn read_answer(stream: &TcpStream, bytes: usize) -> Result<(String, Vec<u8>)> {
    let mut reader = BufReader::new(stream);
    let (mut status, mut line) = (String::new(), String::new());
    reader.read_line(&mut status)?;
    while line != "\r\n" {
        line.clear();
        ensure!(reader.read_line(&mut line)? > 0, "the head ends after {status}");
    }
    let mut body = vec![0; bytes];
    reader.read_exact(&mut body)?;
    ensure!(reader.buffer().is_empty(), "more than one answer");
    Ok((status, body))
}

#[test]
fn five_thousand_connections_at_once_are_all_handed_off() -> Result<()> {
    allow_files(4 * CONNECTIONS as u64)?;
    let (hot, cold) = (noise(1, 700), noise(2, 900));
    let (front, mut live) = Front::with_nginx(&[("hot", &hot)], &[("hot", &hot), ("cold", &cold)])?;
    let address = front.address();
    let open = || -> Result<Vec<TcpStream>> {
        (0..CONNECTIONS)
            .map(|_| {
                let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                Ok(stream)
            })
            .collect()
    };
    let streams = front.network.client.run(open)??;
    // All ask before any reads. In the end, all have been open with the server at the same time.
    for (path, body) in [("/hot", &hot), ("/cold", &cold), ("/hot", &hot), ("/cold", &cold)] {
        let request = request(path);
        for mut stream in &streams {
            stream.write_all(request.as_bytes())?;
        }
        for (number, stream) in streams.iter().enumerate() {
            let (status, got) =
                read_answer(stream, body.len()).with_context(|| format!("{path}, {number}"))?;
            ensure!(status == "HTTP/1.1 200 OK\r\n" && got == *body, "{path}, {number}: {status}");
        }
    }
    let totals = live.sample()?.totals();
    assert_eq!(totals.requests as usize, CONNECTIONS);
    assert_eq!(totals.handed_off as usize, CONNECTIONS);
    let counts = logged(&front.log(3 * CONNECTIONS)?, "198.18.0.2");
    let expected = [("/cold".into(), 2 * CONNECTIONS), ("/hot".into(), CONNECTIONS)];
    assert_eq!(counts, HashMap::from(expected));
    check_books(&totals);
    Ok(())
}
