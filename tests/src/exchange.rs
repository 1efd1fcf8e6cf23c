//! Raw bytes to an HTTP server, and what comes back.
//!
//! Unlike the console's own client this one sends anything, keeps every field as it came, and can
//! tell how a connection ended. It knows nothing of the server it talks to.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    os::fd::AsRawFd,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use nix::libc;

/// How long to wait for a connection, or for the next bytes of an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest head of an answer, in bytes.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// One end of a connection to a server.
pub struct Peer {
    stream: TcpStream,
    /// What has come and has not been read as an answer.
    received: Vec<u8>,
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The protocol, such as `HTTP/1.1`.
    pub version: String,
    /// Status code.
    pub status: u16,
    /// The words behind the status code.
    pub phrase: String,
    /// Header fields in the order they came, names as sent, values without blanks around them.
    pub fields: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// How the server's side of a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By a FIN.
    Closed,
    /// By a reset.
    Reset,
}

impl Answer {
    /// The value of the only field of a name, in any case; none if there are several.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut named = self.fields.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        match (named.next(), named.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }

    /// Whether it says that the connection ends.
    pub fn closes(&self) -> bool {
        let value = self.field("Connection").unwrap_or_default();
        value.split(',').any(|option| option.trim().eq_ignore_ascii_case("close"))
    }
}

impl Peer {
    /// Opens a connection from the network namespace that the calling thread is in.
    ///
    /// # Errors
    ///
    /// Where nobody answers.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)
            .with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, received: Vec::new() })
    }

    /// Sends bytes, each piece in a segment of its own where the kernel lets it.
    ///
    /// # Errors
    ///
    /// Where the connection is broken, which it may be because the server has refused what came
    /// before.
    pub fn send<'a>(&mut self, pieces: impl IntoIterator<Item = &'a [u8]>) -> io::Result<()> {
        pieces.into_iter().try_for_each(|piece| self.stream.write_all(piece))
    }

    /// Says that nothing more will be sent.
    ///
    /// # Errors
    ///
    /// Where the connection is broken.
    pub fn finish(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// Waits for the next answer. `has_body` is false where the request was HEAD.
    ///
    /// # Errors
    ///
    /// Where something else comes, nothing comes, or the connection breaks.
    pub fn answer(&mut self, has_body: bool) -> Result<Answer> {
        let head_bytes = loop {
            if let Some(end) = find(&self.received, b"\r\n\r\n") {
                break end + 4;
            }
            ensure!(self.received.len() <= MAX_HEAD_BYTES, "a head without an end");
            if let Some(end) = self.receive()? {
                bail!("{end:?} within the head of an answer, after {:?}", self.heard());
            }
        };
        let mut answer = parse_head(&self.received[..head_bytes])?;
        self.received.drain(..head_bytes);
        // RFC 9112 section 6.3, the first rule.
        if !has_body || answer.status < 200 || matches!(answer.status, 204 | 304) {
            return Ok(answer);
        }
        if let Some(length) = answer.field("Content-Length") {
            let bytes: usize = length.parse().with_context(|| format!("length {length:?}"))?;
            while self.received.len() < bytes {
                if let Some(end) = self.receive()? {
                    bail!("{end:?} after {} of {bytes} bytes", self.received.len());
                }
            }
            answer.body = self.received.drain(..bytes).collect();
        } else if answer.field("Transfer-Encoding").is_some_and(|value| value == "chunked") {
            answer.body = self.chunks()?;
        } else {
            while self.receive()?.is_none() {}
            answer.body = std::mem::take(&mut self.received);
        }
        Ok(answer)
    }

    /// Waits for the next answer, or for the end of the connection; then there is none. An answer
    /// without a head is one of HTTP/0.9: nothing but a body, until the end.
    ///
    /// # Errors
    ///
    /// As for [`Peer::answer`].
    pub fn answer_if_any(&mut self, has_body: bool) -> Result<Option<Answer>> {
        const BEGINNING: &[u8] = b"HTTP/";
        while self.received.len() < BEGINNING.len() {
            if let Some(end) = self.receive()? {
                ensure!(self.received.is_empty(), "{end:?} after {:?}", self.heard());
                return Ok(None);
            }
        }
        if self.received.starts_with(BEGINNING) {
            return self.answer(has_body).map(Some);
        }
        while self.receive()?.is_none() {}
        let body = std::mem::take(&mut self.received);
        Ok(Some(Answer { version: "HTTP/0.9".to_owned(), body, ..Answer::default() }))
    }

    /// Waits for so many bytes, whatever they are.
    ///
    /// # Errors
    ///
    /// Where fewer come.
    pub fn bytes(&mut self, count: usize) -> Result<Vec<u8>> {
        while self.received.len() < count {
            if let Some(end) = self.receive()? {
                bail!("{end:?} after {:?}", self.heard());
            }
        }
        Ok(self.received.drain(..count).collect())
    }

    /// Waits until the server ends the connection, which must bring nothing more.
    ///
    /// # Errors
    ///
    /// Where something comes, or the connection stays open.
    pub fn end(&mut self) -> Result<End> {
        loop {
            ensure!(self.received.is_empty(), "more came: {:?}", self.heard());
            if let Some(end) = self.receive()? {
                return Ok(end);
            }
        }
    }

    /// Body in chunks (RFC 9112 section 7.1), without trailers.
    fn chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line_bytes = loop {
                if let Some(end) = find(&self.received, b"\r\n") {
                    break end;
                }
                ensure!(self.receive()?.is_none(), "the connection ended between chunks");
            };
            let line = String::from_utf8(self.bytes(line_bytes)?)?;
            self.bytes(2)?;
            let chunk_bytes = usize::from_str_radix(line.trim(), 16).context(line)?;
            body.extend(self.bytes(chunk_bytes)?);
            self.bytes(2)?;
            if chunk_bytes == 0 {
                return Ok(body);
            }
        }
    }

    fn receive(&mut self) -> Result<Option<End>> {
        let mut buffer = [0; 64 << 10];
        match self.stream.read(&mut buffer) {
            Ok(0) => Ok(Some(End::Closed)),
            Ok(bytes) => {
                self.received.extend(&buffer[..bytes]);
                Ok(None)
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(Some(End::Reset)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                bail!("nothing for {} s, after {:?}", PATIENCE.as_secs(), self.heard())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The beginning of what has come, for people.
    fn heard(&self) -> String {
        self.received[..self.received.len().min(300)].escape_ascii().to_string()
    }
}

impl Drop for Peer {
    /// Ends with a reset, so that thousands of connections leave no ports waiting behind.
    fn drop(&mut self) {
        let linger = libc::linger { l_onoff: 1, l_linger: 0 };
        // SAFETY: the descriptor is open until the stream is dropped, after this; the option's
        // value is a whole `linger` that outlives the call.
        unsafe {
            libc::setsockopt(
                self.stream.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_LINGER,
                (&raw const linger).cast(),
                size_of_val(&linger) as libc::socklen_t,
            );
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn parse_head(head: &[u8]) -> Result<Answer> {
    // RFC 9110 section 5.5: bytes beyond ASCII mean nothing that is known here.
    let head: String = head.iter().map(|byte| char::from(*byte)).collect();
    let mut lines = head.trim_end().split("\r\n");
    let status_line = lines.next().unwrap_or_default();
    let mut words = status_line.splitn(3, ' ');
    let (Some(version), Some(status)) = (words.next(), words.next()) else {
        bail!("{status_line:?} is no status line");
    };
    let mut answer = Answer {
        version: version.to_owned(),
        status: status.parse().with_context(|| format!("{status_line:?} is no status line"))?,
        phrase: words.next().unwrap_or_default().to_owned(),
        ..Answer::default()
    };
    for line in lines {
        let (name, value) =
            line.split_once(':').with_context(|| format!("{line:?} is no field"))?;
        answer.fields.push((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()));
    }
    Ok(answer)
}
