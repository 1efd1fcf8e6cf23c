//! One transfer over a connection of its own, by a plain client, with its times.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

/// How long a transfer may wait for anything at all. The kernel's own patience with a connection
/// on a bad wire is longer, so what takes this long has hung.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a transfer took.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// From the beginning until the connection was there.
    pub connected: Duration,
    /// From the beginning until the last byte of the body was there.
    pub done: Duration,
}

/// Fetches a path over a new connection from the calling thread's namespace. What comes must be
/// `body`, to the byte.
///
/// # Errors
///
/// Where it is something else, or does not come.
pub fn fetch(address: SocketAddr, path: &str, body: &[u8]) -> Result<Times> {
    let began = Instant::now();
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).context("no connection")?;
    let connected = began.elapsed();
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // In one write, because `write!` would make several segments of it.
    let request = format!("GET {path} HTTP/1.1\r\nHost: lab\r\n\r\n");
    stream.write_all(request.as_bytes()).context("cannot ask")?;
    let mut received = Vec::with_capacity(body.len() + 1024);
    let mut buffer = vec![0; 256 << 10];
    let head_bytes = loop {
        if let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        read(&mut stream, &mut buffer, &mut received)?;
    };
    while received.len() < head_bytes + body.len() {
        read(&mut stream, &mut buffer, &mut received)?;
    }
    let done = began.elapsed();
    let head = String::from_utf8_lossy(&received[..head_bytes]);
    ensure!(head.starts_with("HTTP/1.1 200 "), "an answer of another kind: {head}");
    ensure!(received[head_bytes..] == *body, "the body is damaged");
    Ok(Times { connected, done })
}

fn read(stream: &mut TcpStream, buffer: &mut [u8], received: &mut Vec<u8>) -> Result<()> {
    let had = received.len();
    let bytes = stream.read(buffer).with_context(|| format!("nothing after {had} bytes"))?;
    ensure!(bytes > 0, "the connection ended after {had} bytes");
    received.extend_from_slice(&buffer[..bytes]);
    Ok(())
}
