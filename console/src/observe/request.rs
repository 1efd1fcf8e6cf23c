//! A request that was answered, as a line of a log.

use std::{
    fmt,
    net::{Ipv6Addr, SocketAddr},
    time::SystemTime,
};

use zeroserve_shared::{
    flow::FlowKey,
    refusal::Refusal,
    route::{NOT_MODIFIED, PARTIAL, UNSATISFIABLE},
};

/// A request that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// When.
    pub time: SystemTime,
    /// Who asked.
    pub client: SocketAddr,
    /// Where he asked.
    pub server: SocketAddr,
    /// The beginning of what he sent, up to the first line end. Of a request in pieces it is the
    /// beginning of the last piece.
    pub line: String,
    /// Index of the route that answered.
    pub route: u32,
    /// Status code of the answer; zero if it is no HTTP/1.1.
    pub status: u16,
    /// Bytes of the answer, headers included.
    pub bytes: u32,
    /// Why it was refused, if it was.
    pub refusal: Option<Refusal>,
}

/// The status of an answer in some form of a version whose whole response has this one.
pub(crate) fn status(whole: u16, form: u32) -> u16 {
    match form as usize {
        NOT_MODIFIED => 304,
        PARTIAL => 206,
        UNSATISFIABLE => 416,
        _ => whole,
    }
}

/// Both ends of a connection: the client's, then the server's.
pub(crate) fn ends(key: &FlowKey) -> (SocketAddr, SocketAddr) {
    let end = |address: [u8; 16], port: [u8; 2]| {
        SocketAddr::new(Ipv6Addr::from(address).to_canonical(), u16::from_be_bytes(port))
    };
    (end(key.remote, key.remote_port), end(key.local, key.local_port))
}

/// The first line of some bytes, made fit for a terminal.
pub(crate) fn first_line(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(bytes.len());
    let line = String::from_utf8_lossy(&bytes[..end]);
    line.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// The line without its time: client, request, status, bytes, and why it was refused.
impl fmt::Display for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, line, status, bytes, .. } = self;
        write!(formatter, "{client} \"{line}\" {status} {bytes}")?;
        match self.refusal {
            Some(refusal) => write!(formatter, " {}", refusal.name()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use zeroserve_shared::config::mapped;

    use super::*;

    #[test]
    fn the_first_line_ends_at_its_end_and_shows_no_control_characters() {
        assert_eq!(first_line(b"GET / HTTP/1.1\r\nHost: a"), "GET / HTTP/1.1");
        assert_eq!(
            first_line(b"\x16\x03\x01"),
            "\u{fffd}\u{3}\u{1}".replace(['\u{3}', '\u{1}'], "\u{fffd}")
        );
        assert_eq!(first_line(b"GET /\x1b[2J"), "GET /\u{fffd}[2J");
    }

    #[test]
    fn a_mapped_address_is_shown_as_ipv4() {
        let key = FlowKey {
            remote: mapped([198, 18, 0, 2]),
            local: Ipv6Addr::LOCALHOST.octets(),
            remote_port: [0x10, 0x92],
            local_port: [0, 80],
            vlans: [[0; 2]; 2],
        };
        let (client, server) = ends(&key);
        assert_eq!(
            (client.to_string(), server.to_string()),
            ("198.18.0.2:4242".into(), "[::1]:80".into())
        );
    }
}
