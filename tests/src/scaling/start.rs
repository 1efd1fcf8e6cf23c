//! How soon after `serve` the files of a folder are there.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::{Host, binary};

/// How many files the folder has.
pub const FILES: usize = 1000;

/// How often it is tried.
const STEP: Duration = Duration::from_millis(1);

/// How long an attempt lasts. What is lost while the program is attached would be sent again only after
/// a second.
const GIVE_UP: Duration = Duration::from_millis(20);

/// What is waited for longest.
const PATIENCE: Duration = Duration::from_secs(120);

/// From the start of `serve` on.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// Until any byte of a file came.
    pub first_byte: Duration,
    /// Until `serve` was done, with every file and every coding of it.
    pub all: Duration,
}

/// Serves a folder of pages, styles and pictures.
///
/// # Errors
///
/// Where it is not served.
pub fn start() -> Result<Start> {
    let host = Host::new()?;
    let mut random = fastrand::Rng::with_seed(1);
    for number in 0..FILES {
        let normal: f64 = (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
        let bytes = (4000.0 * normal.exp()).clamp(200.0, 200_000.0) as usize;
        let (end, body) = match number % 4 {
            0 => ("html", text(&mut random, bytes)),
            1 => ("css", text(&mut random, bytes)),
            2 => ("js", text(&mut random, bytes)),
            _ => ("png", std::iter::repeat_with(|| random.u8(..)).take(bytes).collect()),
        };
        host.write(&format!("site-{number:04}.{end}"), &body)?;
    }
    // Built before the clock runs.
    binary::path();
    let began = Instant::now();
    let mut command = host.console(&["serve", "IFACE", "--root", "DIR"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let first_byte = host.network.client.run(|| wait_for_first_byte(&host, began))??;
    let status = child.wait()?;
    let all = began.elapsed();
    ensure!(status.success(), "serve failed: {status}");
    Ok(Start { first_byte, all })
}

/// Words, so that there is something to compress.
fn text(random: &mut fastrand::Rng, bytes: usize) -> Vec<u8> {
    const WORDS: [&str; 12] = [
        "server ",
        "<div class=\"row\">",
        "packet ",
        "</div>\n",
        "return ",
        "margin: 0; ",
        "kernel ",
        "function ",
        "of the ",
        "display: flex;\n",
        "response ",
        "const ",
    ];
    let mut text = Vec::with_capacity(bytes + 20);
    while text.len() < bytes {
        text.extend_from_slice(WORDS[random.usize(..WORDS.len())].as_bytes());
        if random.u8(..) < 80 {
            text.extend(random.u32(..).to_string().bytes());
        }
    }
    text.truncate(bytes);
    text
}

/// Asks for the first file over and over, until it is there.
fn wait_for_first_byte(host: &Host, began: Instant) -> Result<Duration> {
    let address = host.network.server_at(80);
    let request = b"GET /site-0000.html HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n";
    loop {
        ensure!(began.elapsed() < PATIENCE, "nothing is served after {} s", PATIENCE.as_secs());
        let mut status = [0; 12];
        let asked = TcpStream::connect_timeout(&address, GIVE_UP).and_then(|mut stream| {
            stream.set_read_timeout(Some(GIVE_UP))?;
            stream.write_all(request)?;
            stream.read_exact(&mut status)
        });
        if asked.is_ok() && status == *b"HTTP/1.1 200" {
            return Ok(began.elapsed());
        }
        // Nobody listens yet, or the file is not there yet.
        thread::sleep(STEP);
    }
}
