//! A request, and what the server answers to it.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use zeroserve_shared::load::{REQUEST_BYTES, STATUS_BYTES, Target, hash};

/// How long to wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Most bytes of a head.
const MAX_HEAD_BYTES: usize = 1400;

/// A request without a body.
#[derive(Clone, Debug)]
pub struct Request {
    /// Path, percent-encoded.
    pub path: String,
    /// Further header fields, each with its line end.
    pub fields: String,
    /// What must come back.
    pub expected: Expected,
}

/// What must come back.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The status.
    pub status: u16,
    /// The body; none where it does not matter.
    pub body: Option<Vec<u8>>,
}

/// Asks for everything once over ordinary connections, from the network namespace that the calling
/// thread is in, checks each byte of what comes and takes note of it. `closes` says whether a
/// connection is used once only.
///
/// # Errors
///
/// Where an answer does not come or is not the one expected, or a request is too long.
pub fn learn(server: SocketAddr, requests: &[Request], closes: bool) -> Result<Vec<Target>> {
    let mut open = None;
    requests
        .iter()
        .map(|request| {
            let text = text(server, request, closes);
            if closes {
                open = None;
            }
            let target = learn_one(server, &mut open, request, text.as_bytes());
            target.with_context(|| format!("GET {} from {server}", request.path))
        })
        .collect()
}

/// The request as it is sent: as wrk and most others do, with nothing that is not needed.
fn text(server: SocketAddr, request: &Request, closes: bool) -> String {
    let close = if closes { "Connection: close\r\n" } else { "" };
    format!("GET {} HTTP/1.1\r\nHost: {server}\r\n{close}{}\r\n", request.path, request.fields)
}

fn learn_one(
    server: SocketAddr,
    open: &mut Option<TcpStream>,
    request: &Request,
    text: &[u8],
) -> Result<Target> {
    ensure!(text.len() <= REQUEST_BYTES, "the request is longer than {REQUEST_BYTES} bytes");
    let stream = match open {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect_timeout(&server, PATIENCE)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            open.insert(stream)
        }
    };
    stream.write_all(text)?;
    let (head, body) = receive(stream)?;
    let Expected { status, body: expected } = &request.expected;
    let begin = format!("HTTP/1.1 {status}");
    ensure!(head.starts_with(begin.as_bytes()), "not {begin}: {}", String::from_utf8_lossy(&head));
    if let Some(expected) = expected {
        ensure!(body == *expected, "the body is not the one expected");
    }
    let mut target = Target {
        body_hash: hash(&body),
        body_bytes: body.len() as u32,
        head_bytes: head.len() as u32,
        request_sum: sum(text),
        request_bytes: text.len() as u32,
        status: [0; STATUS_BYTES],
        reserved: 0,
        request: [0; REQUEST_BYTES],
    };
    target.status.copy_from_slice(begin.as_bytes());
    target.request[..text.len()].copy_from_slice(text);
    Ok(target)
}

/// Receives head and body of a response.
fn receive(stream: &mut TcpStream) -> Result<(Vec<u8>, Vec<u8>)> {
    let mut received = Vec::new();
    let mut buffer = [0; 64 << 10];
    let mut more = |received: &mut Vec<u8>| -> Result<()> {
        let bytes = stream.read(&mut buffer).context("nothing came")?;
        ensure!(bytes > 0, "the server closed the connection");
        received.extend_from_slice(&buffer[..bytes]);
        Ok(())
    };
    let head_bytes = loop {
        if let Some(at) = received.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        ensure!(received.len() <= MAX_HEAD_BYTES, "a head of more than {MAX_HEAD_BYTES} bytes");
        more(&mut received)?;
    };
    let body_bytes = content_length(&received[..head_bytes])?;
    while received.len() < head_bytes + body_bytes {
        more(&mut received)?;
    }
    ensure!(received.len() == head_bytes + body_bytes, "more came than was announced");
    let body = received.split_off(head_bytes);
    Ok((received, body))
}

/// How many bytes of body a head announces.
fn content_length(head: &[u8]) -> Result<usize> {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut fields);
    ensure!(response.parse(head)?.is_complete(), "a head without an end");
    // RFC 9110 section 15.4.5: it has no body, whatever its fields say.
    if response.code == Some(304) {
        return Ok(0);
    }
    let named = |name: &str| {
        let mut fields = response.headers.iter();
        fields.find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    };
    ensure!(named("Transfer-Encoding").is_none(), "only bodies with a Content-Length are taken");
    let length = named("Content-Length").context("there is no Content-Length")?;
    Ok(std::str::from_utf8(length)?.trim().parse()?)
}

/// The sum of a request for the checksum: of words of two bytes as they lie in memory (RFC 1071).
fn sum(bytes: &[u8]) -> u32 {
    let word = |two: &[u8]| u32::from(u16::from_ne_bytes([two[0], *two.get(1).unwrap_or(&0)]));
    bytes.chunks(2).map(word).sum()
}
