//! What the screen says is what was sent: the real console on a real terminal, beside a server on
//! a real network, read as a person reads it.

use std::{io::ErrorKind, net::TcpStream};

use anyhow::{Context, Result, ensure};
use nix::sys::socket::{setsockopt, sockopt::Linger};
use zeroserve_tests::{
    Host,
    binary::{Terminal, wait_until},
    lab::{noise, packets_sent, packets_sent_before},
};
use zeroserve_tui::kernel::AttachOptions;

/// A body of many segments, in bytes.
const LARGE_BYTES: usize = 400_000;

/// What is asked for, how often, how it is answered, and the name of its row on the screen.
const ASKED: [(&str, u32, u16, &str); 4] = [
    ("/a.txt", 25, 200, "a.txt"),
    ("/docs/guide.html", 7, 200, "guide.html"),
    ("/large.bin", 3, 200, "large.bin"),
    ("/no/such/page", 5, 404, "404 Not Found"),
];

/// What is sent that is wrong, how often, and what the console calls it. Each on a connection of
/// its own, because most of it ends one.
const WRONG: [(&str, u32, &str); 4] = [
    ("GET /a.txt HTTP/1.1\r\n\r\n", 6, "host-missing"),
    ("GET /a%zz HTTP/1.1\r\nHost: a\r\n\r\n", 4, "invalid-escape"),
    ("GET /../a HTTP/1.1\r\nHost: a\r\n\r\n", 3, "path-above-root"),
    ("G@T /a.txt HTTP/1.1\r\nHost: a\r\n\r\n", 2, "invalid-token"),
];

/// How often a client asks and then resets the connection.
const RESETS: u32 = 8;

/// How often somebody knocks at a port that is not served.
const KNOCKS: u32 = 9;

/// Sends everything, and says how many bytes came for the large file.
fn send(host: &Host) -> Result<u64> {
    let mut large_bytes = 0;
    for (path, times, status, _) in ASKED {
        let mut connection = host.connect()?;
        for _ in 0..times {
            let response = connection.get(path)?;
            ensure!(response.status == status, "{path}: {}", response.status);
            if path == "/large.bin" {
                large_bytes += (response.head.len() + response.body.len()) as u64;
            }
        }
    }
    for (request, times, name) in WRONG {
        for _ in 0..times {
            let mut connection = host.connect()?;
            connection.send(request.as_bytes())?;
            let response = connection.receive(true)?;
            ensure!(response.status >= 400, "{name}: {}", response.status);
        }
    }
    for _ in 0..RESETS {
        let mut connection = host.connect()?;
        ensure!(connection.get("/a.txt")?.status == 200);
        let now = nix::libc::linger { l_onoff: 1, l_linger: 0 };
        setsockopt(connection.stream(), Linger, &now)?;
    }
    let closed = host.network.server_at(AttachOptions::DEFAULT_PORT + 1);
    for _ in 0..KNOCKS {
        let refused = host.network.client.run(|| TcpStream::connect(closed))?;
        ensure!(refused.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused));
    }
    Ok(large_bytes)
}

/// The words of the first cell of the screen that begins with a name, without the sign before it.
fn cell(screen: &str, name: &str) -> Option<Vec<String>> {
    screen.lines().flat_map(|line| line.split('│')).find_map(|cell| {
        let cell = cell.trim_start_matches(|c: char| !c.is_alphanumeric()).strip_prefix(name)?;
        // Not `other-port` where `other` was meant.
        let words = cell.strip_prefix(' ')?.split_whitespace();
        Some(words.map(str::to_owned).collect())
    })
}

/// The number that stands behind some words, put together from its groups of three.
fn number_behind(screen: &str, words: &str) -> Option<u64> {
    let (_, behind) = screen.split_once(words)?;
    let is_part = |c: &char| c.is_ascii_digit() || c.is_whitespace();
    let digits = behind.trim_start().chars().take_while(is_part).filter(char::is_ascii_digit);
    digits.collect::<String>().parse().ok()
}

/// Waits until the screen has a cell with that name and that count. The count is the first whole
/// number behind the name, or the one so many words before the last.
fn wait_for_count(
    terminal: &Terminal,
    name: &str,
    from_end: Option<usize>,
    expected: u32,
) -> Result<()> {
    let shown = || {
        let words = cell(&terminal.contents(), name)?;
        match from_end {
            Some(place) => words.iter().nth_back(place)?.parse().ok(),
            None => words.iter().find_map(|word| word.parse().ok()),
        }
    };
    wait_until(name, || Ok(shown() == Some(expected)))
        .with_context(|| format!("{name} is not {expected} on\n{}", terminal.contents()))
}

/// What each route has, with the answers that no route has.
fn check_routes(terminal: &Terminal) -> Result<()> {
    for (_, times, _, name) in ASKED {
        let resets = if name == "a.txt" { RESETS } else { 0 };
        wait_for_count(terminal, name, None, times + resets)?;
    }
    let wrong = WRONG.iter().map(|(_, times, _)| times).sum();
    wait_for_count(terminal, "400 Bad Request", None, wrong)
}

#[test]
fn what_the_screen_says_is_what_was_sent() -> Result<()> {
    let host = Host::new()?;
    host.write("site/a.txt", b"a few words")?;
    host.write("site/docs/guide.html", &noise(2, 9_000))?;
    host.write("site/large.bin", &noise(3, LARGE_BYTES))?;
    host.json(&["serve", "IFACE", "--root", "DIR/site"])?;
    let before = packets_sent_before(&host.network, || {
        let status = host.json(&["status", "IFACE"])?;
        status["totals"]["packets_in"].as_u64().context("no packets_in")
    })?;
    let mut terminal = Terminal::sized(host.console(&["IFACE"]), 200, 50)?;
    terminal.wait_for("SERVING")?;
    let large_bytes = send(&host)?;

    check_routes(&terminal)?;
    let wrong: u32 = WRONG.iter().map(|(_, times, _)| times).sum();
    let asked: u32 = ASKED.iter().map(|(_, times, ..)| times).sum();
    // Requests come first; drops, new flows and repairs last.
    wait_for_count(&terminal, "in all", None, asked + wrong + RESETS)?;
    wait_for_count(&terminal, "in all", Some(2), RESETS)?;
    let flows = ASKED.len() as u32 + wrong + RESETS;
    wait_for_count(&terminal, "in all", Some(1), flows)?;
    // The last word is the rate.
    for (_, times, name) in WRONG {
        wait_for_count(&terminal, name, Some(1), times)?;
    }
    for (name, times) in
        [("reset-by-peer", RESETS), ("other-port", KNOCKS), ("handshake-complete", flows)]
    {
        wait_for_count(&terminal, name, Some(1), times)?;
    }
    // Clients close their connections, and the kernel looks for neighbours, when they like.
    wait_until("every packet that was sent is on the screen", || {
        let shown = number_behind(&terminal.contents(), "the verdicts add up to");
        Ok(shown == Some(packets_sent(&host.network)? - before))
    })
    .with_context(|| format!("{before} before it was attached\n{}", terminal.contents()))?;

    // The same on a small terminal, and a route in detail.
    terminal.resize(80, 24)?;
    check_routes(&terminal)?;
    terminal.keys("/large\r\r")?;
    terminal.wait_for("source")?;
    wait_until("every byte is counted as delivered", || {
        Ok(number_behind(&terminal.contents(), "delivered") == Some(large_bytes))
    })
    .with_context(|| format!("{large_bytes} bytes came, shown\n{}", terminal.contents()))?;
    assert_eq!(number_behind(&terminal.contents(), "hits"), Some(3));
    terminal.keys("\x1b")?;
    wait_until("the details are closed", || Ok(!terminal.contents().contains("source")))?;
    terminal.keys("2")?;
    wait_for_count(&terminal, "reset-by-peer", Some(1), RESETS)?;
    for (_, times, name) in WRONG {
        wait_for_count(&terminal, name, Some(1), times)?;
    }
    terminal.keys("qs")?;
    terminal.wait_for_end()?;
    Ok(())
}
