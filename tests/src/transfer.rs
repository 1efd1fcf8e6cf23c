//! A transfer that goes on while something else happens.

use std::{io::Read, net::TcpStream};

use anyhow::{Result, ensure};
use zeroserve_shared::{response::MOVING_BYTES, route::WHOLE};
use zeroserve_tui::{content::Rendered, demo::client::Connection};

/// How much is read at first: far less than sockets buffer of the rest.
const BEGINNING_BYTES: usize = 100_000;

/// A body so large that sockets cannot buffer the rest of it.
pub const UNBUFFERED_BYTES: usize = 48 << 20;

/// A transfer of which only the beginning has been read.
pub struct Transfer {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Transfer {
    /// Asks for a path, and reads the beginning of the answer.
    ///
    /// # Errors
    ///
    /// Where the connection breaks.
    pub fn begin(mut connection: Connection, path: &str) -> Result<Self> {
        connection.send(format!("GET {path} HTTP/1.1\r\nHost: lab\r\n\r\n").as_bytes())?;
        let mut stream = connection.stream().try_clone()?;
        let mut received = vec![0; BEGINNING_BYTES];
        stream.read_exact(&mut received)?;
        Ok(Self { stream, received })
    }

    /// Reads the rest, and compares the whole with what must have come.
    ///
    /// # Errors
    ///
    /// Where it is something else, or the connection breaks.
    pub fn finish(mut self, published: &Rendered) -> Result<()> {
        self.received.resize(published.forms[WHOLE].bytes as usize, 0);
        self.stream.read_exact(&mut self.received[BEGINNING_BYTES..])?;
        let start = published.forms[WHOLE].moving_offset as usize;
        let end = start + MOVING_BYTES;
        let whole = &published.bytes[..self.received.len()];
        ensure!(self.received[..start] == whole[..start], "another head");
        ensure!(self.received[end..] == whole[end..], "it is damaged");
        Ok(())
    }
}
