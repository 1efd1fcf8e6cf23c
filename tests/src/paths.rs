//! What microbenchmarks send.

use std::net::Ipv6Addr;

use anyhow::{Context as _, Result};
use etherparse::{ArpHardwareId, ArpOperation, ArpPacket, EtherType, PacketBuilder, TcpHeader};

use crate::frames::{CLIENT_MAC, SERVER_MAC, ack, tcp};

/// Frames that are none of the server's, with what they are.
///
/// # Errors
///
/// Where one cannot be written.
pub fn not_ours() -> Result<Vec<(&'static str, Vec<u8>)>> {
    // As long as a question for the address of a host is.
    const QUESTION: [u8; 33] = [0; 33];
    let link = || PacketBuilder::ethernet2(CLIENT_MAC, SERVER_MAC);
    let with_ipv4 = || link().ipv4([198, 18, 0, 2], [198, 18, 0, 1], 64);
    let with_ipv6 = || {
        let host = |number: u8| Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, number.into()).octets();
        link().ipv6(host(2), host(1), 64)
    };
    let elsewhere = TcpHeader { destination_port: 22, ..ack(tcp(1)) };
    let mut all = Vec::new();
    let mut add = |name, write: &dyn Fn(&mut Vec<u8>) -> Result<()>| {
        let mut frame = Vec::new();
        write(&mut frame)?;
        all.push((name, frame));
        anyhow::Ok(())
    };
    add("not ours: another port", &|frame| {
        Ok(with_ipv4().tcp_header(elsewhere.clone()).write(frame, &[])?)
    })?;
    add("not ours: UDP", &|frame| Ok(with_ipv4().udp(40_000, 53).write(frame, &QUESTION)?))?;
    add("not ours: UDP, a byte", &|frame| Ok(with_ipv4().udp(40_000, 53).write(frame, &[0])?))?;
    add("not ours: IPv6, another port", &|frame| {
        Ok(with_ipv6().tcp_header(elsewhere.clone()).write(frame, &[])?)
    })?;
    add("not ours: IPv6, UDP", &|frame| {
        Ok(with_ipv6().udp(40_000, 53).write(frame, &QUESTION)?)
    })?;
    add("not ours: ARP", &|frame| {
        let question = ArpPacket::new(
            ArpHardwareId::ETHERNET,
            EtherType::IPV4,
            ArpOperation::REQUEST,
            &CLIENT_MAC,
            &[198, 18, 0, 2],
            &[0; 6],
            &[198, 18, 0, 1],
        )?;
        link().arp(question).write(frame)?;
        // As Ethernet fills up what is short.
        frame.resize(60, 0);
        Ok(())
    })?;
    Ok(all)
}

/// What is asked for again and again. The server remembers requests that come often.
pub enum Request {
    /// In the same bytes each time.
    Same(&'static [u8]),
    /// With another number in place of [`NUMBER`] each time.
    Numbered(&'static [u8]),
}

/// What is replaced by a number.
const NUMBER: &[u8] = b"00000000";

impl Request {
    /// The request with this number.
    ///
    /// # Errors
    ///
    /// Where there is no place for it.
    pub fn bytes(&self, number: u32) -> Result<Vec<u8>> {
        match self {
            Self::Same(bytes) => Ok(bytes.to_vec()),
            Self::Numbered(bytes) => {
                let place = bytes.windows(NUMBER.len()).position(|window| window == NUMBER);
                let place = place.context("the request has no place for a number")?;
                let mut bytes = bytes.to_vec();
                bytes[place..place + NUMBER.len()]
                    .copy_from_slice(format!("{number:08}").as_bytes());
                Ok(bytes)
            }
        }
    }
}

/// A short one, with a place for a number.
pub const NUMBERED: &[u8] = b"GET /file HTTP/1.1\r\nHost: 00000000\r\n\r\n";

/// As a browser asks.
pub const CHROMIUM: &[u8] = b"GET /file HTTP/1.1\r\nHost: 198.18.0.1\r\nConnection: keep-alive\r\n\
    Upgrade-Insecure-Requests: 1\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) \
    AppleWebKit/537.36 (KHTML, like Gecko) Chrome/00000000 Safari/537.36\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,\
    image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7\r\n\
    Accept-Encoding: gzip, deflate\r\nAccept-Language: en-US,en;q=0.9\r\n\r\n";
