//! One keep-alive HTTP/1.1 connection over an ordinary kernel socket.
//!
//! Just enough of a client to check an answer byte by byte at a few hundred thousand requests per
//! second: it understands `Content-Length` and nothing else that delimits a body, which is all
//! that Zeroserve sends.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// How long to wait for a connection or for the next bytes of an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest head of a response, in bytes.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// How much is read at once, in bytes.
const READ_BYTES: usize = 256 << 10;

/// A connection and what has been received on it.
pub struct Connection {
    stream: TcpStream,
    host: String,
    received: Vec<u8>,
    /// Bytes of `received` that belong to the previous answer.
    used: usize,
    /// Bytes of `received` that hold something.
    filled: usize,
}

/// An answer. It borrows the connection's buffer, so the next request waits until it is gone.
#[derive(Debug)]
pub struct Response<'a> {
    /// Status code.
    pub status: u16,
    /// Header fields in the order they came, names as sent.
    pub headers: Vec<(&'a str, &'a [u8])>,
    /// The whole head: status line, header fields, blank line.
    pub head: &'a [u8],
    /// The body.
    pub body: &'a [u8],
    /// Whether the server said that it will close the connection.
    pub closes: bool,
}

impl Response<'_> {
    /// The value of a header field, by its name in any case.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let mut named = self.headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| *value)
    }
}

impl Connection {
    /// Opens a connection from the network namespace that the calling thread is in.
    ///
    /// # Errors
    ///
    /// Where the server does not answer within ten seconds.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, host: address.to_string(), received: Vec::new(), used: 0, filled: 0 })
    }

    /// The socket.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Asks for a path and waits for the whole answer.
    ///
    /// # Errors
    ///
    /// Where the connection breaks, nothing comes for ten seconds, or what comes is no HTTP.
    pub fn get(&mut self, path: &str) -> io::Result<Response<'_>> {
        self.request("GET", path, "")
    }

    /// Sends a request without a body and waits for the whole answer. `fields` are further header
    /// fields, each with its line end.
    ///
    /// # Errors
    ///
    /// As for [`Connection::get`].
    pub fn request(&mut self, method: &str, path: &str, fields: &str) -> io::Result<Response<'_>> {
        let host = &self.host;
        let request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n");
        self.send(request.as_bytes())?;
        self.receive(method != "HEAD")
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    ///
    /// Where the connection is broken.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Waits for the whole of the next answer; `has_body` is false where the request was HEAD.
    ///
    /// # Errors
    ///
    /// As for [`Connection::get`].
    pub fn receive(&mut self, has_body: bool) -> io::Result<Response<'_>> {
        self.received.copy_within(self.used..self.filled, 0);
        self.filled -= self.used;
        self.used = 0;
        let head_bytes = loop {
            if let Some(head_bytes) = find_head(&self.received[..self.filled]) {
                break head_bytes;
            }
            if self.filled > MAX_HEAD_BYTES {
                return Err(malformed("a response head without an end"));
            }
            self.read_more()?;
        };
        let body_bytes = if has_body { content_length(&self.received[..head_bytes])? } else { 0 };
        self.used = head_bytes + body_bytes;
        while self.filled < self.used {
            self.read_more()?;
        }
        let (head, body) = self.received[..self.used].split_at(head_bytes);
        parse(head, body)
    }

    /// Waits for the server to close the connection, and returns what it sent before.
    ///
    /// # Errors
    ///
    /// Where it neither sends anything nor closes for ten seconds.
    pub fn rest(mut self) -> io::Result<Vec<u8>> {
        let mut rest = self.received[self.used..self.filled].to_vec();
        self.stream.read_to_end(&mut rest)?;
        Ok(rest)
    }

    fn read_more(&mut self) -> io::Result<()> {
        if self.received.len() < self.filled + READ_BYTES {
            self.received.resize(self.filled + READ_BYTES, 0);
        }
        match self.stream.read(&mut self.received[self.filled..]) {
            Ok(0) => Err(io::Error::new(
                ErrorKind::UnexpectedEof,
                "the server closed the connection in the middle of a response",
            )),
            Ok(bytes) => {
                self.filled += bytes;
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(io::Error::new(
                ErrorKind::TimedOut,
                format!("nothing came for {} s", PATIENCE.as_secs()),
            )),
            Err(error) => Err(error),
        }
    }
}

/// How many bytes the head has, once its end is there.
fn find_head(received: &[u8]) -> Option<usize> {
    let limit = received.len().min(MAX_HEAD_BYTES);
    received[..limit].windows(4).position(|window| window == b"\r\n\r\n").map(|start| start + 4)
}

fn content_length(head: &[u8]) -> io::Result<usize> {
    let response = parse(head, &[])?;
    // RFC 9112 section 6.3: neither has a body, whatever the fields say.
    if matches!(response.status, 204 | 304) {
        return Ok(0);
    }
    response
        .header("Content-Length")
        .and_then(|value| str::from_utf8(value).ok()?.parse().ok())
        .ok_or_else(|| malformed("a response without a Content-Length"))
}

fn parse<'a>(head: &'a [u8], body: &'a [u8]) -> io::Result<Response<'a>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    response.parse(head).map_err(|error| malformed(&format!("a malformed response: {error}")))?;
    let status = response.code.ok_or_else(|| malformed("a response without a status"))?;
    let headers: Vec<_> =
        response.headers.iter().map(|header| (header.name, header.value)).collect();
    let mut response = Response { status, headers, head, body, closes: false };
    response.closes =
        response.header("Connection").is_some_and(|value| value.eq_ignore_ascii_case(b"close"));
    Ok(response)
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("the server sent {what}"))
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    /// Answers one connection with fixed bytes, in pieces.
    fn serve(pieces: &'static [&'static [u8]]) -> Connection {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_nodelay(true).unwrap();
            for piece in pieces {
                stream.write_all(piece).unwrap();
            }
        });
        Connection::open(address).unwrap()
    }

    #[test]
    fn two_answers_in_one_piece_are_told_apart() {
        let mut connection = serve(&[
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 404 Not Found\r\n",
            b"content-length: 1\r\nConnection: close\r\n\r\nx",
        ]);
        let first = connection.receive(true).unwrap();
        assert_eq!((first.status, first.body, first.closes), (200, &b"abc"[..], false));
        let second = connection.receive(true).unwrap();
        assert_eq!((second.status, second.body, second.closes), (404, &b"x"[..], true));
        assert!(connection.rest().unwrap().is_empty());
    }

    #[test]
    fn answers_that_cannot_have_a_body_need_no_length() {
        let mut connection = serve(&[
            b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
        ]);
        for status in [204, 304] {
            let response = connection.receive(true).unwrap();
            assert_eq!((response.status, response.body), (status, &b""[..]));
        }
    }

    #[test]
    fn a_body_cut_short_is_an_error() {
        let mut connection = serve(&[b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc"]);
        let error = connection.receive(true).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn the_answer_to_head_has_a_length_and_no_body() {
        let mut connection = serve(&[b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n"]);
        let response = connection.receive(false).unwrap();
        assert_eq!(response.header("content-length"), Some(&b"400"[..]));
        assert!(response.body.is_empty());
    }
}
