//! A packet that left the fast path, decoded.

use std::{fmt, time::SystemTime};

use etherparse::{LaxNetSlice, LaxSlicedPacket, TransportSlice};
use zeroserve_shared::reason::Reason;

/// A packet that left the fast path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// When.
    pub time: SystemTime,
    /// Why.
    pub reason: Reason,
    /// Bytes of the whole frame.
    pub bytes: u32,
    /// The beginning of the frame, from the link-layer header on.
    pub captured: Vec<u8>,
}

/// One line that says what the packet is, as far as its headers tell.
impl fmt::Display for Packet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(sliced) = LaxSlicedPacket::from_ethernet(&self.captured) else {
            return write!(formatter, "{} bytes that cannot be read", self.bytes);
        };
        for tag in &sliced.vlan_ids() {
            write!(formatter, "vlan {} ", tag.value())?;
        }
        let (source, destination) = match &sliced.net {
            Some(LaxNetSlice::Ipv4(ip)) => {
                (ip.header().source_addr().to_string(), ip.header().destination_addr().to_string())
            }
            Some(LaxNetSlice::Ipv6(ip)) => {
                (ip.header().source_addr().to_string(), ip.header().destination_addr().to_string())
            }
            Some(LaxNetSlice::Arp(_)) => return write!(formatter, "ARP, {} bytes", self.bytes),
            None => return write!(formatter, "no IP, {} bytes", self.bytes),
        };
        match &sliced.transport {
            Some(TransportSlice::Tcp(tcp)) => {
                let flags = [
                    (tcp.syn(), "SYN"),
                    (tcp.fin(), "FIN"),
                    (tcp.rst(), "RST"),
                    (tcp.psh(), "PSH"),
                    (tcp.ack(), "ACK"),
                ];
                let flags: Vec<_> = flags.iter().filter(|(set, _)| *set).map(|(_, f)| *f).collect();
                write!(
                    formatter,
                    "{} > {} {} seq {} ack {} win {} len {}",
                    port(&source, tcp.source_port()),
                    port(&destination, tcp.destination_port()),
                    if flags.is_empty() { "no flags".to_owned() } else { flags.join(",") },
                    tcp.sequence_number(),
                    tcp.acknowledgment_number(),
                    tcp.window_size(),
                    self.payload_bytes(&sliced, tcp),
                )
            }
            Some(TransportSlice::Udp(udp)) => write!(
                formatter,
                "{} > {} UDP, {} bytes",
                port(&source, udp.source_port()),
                port(&destination, udp.destination_port()),
                self.bytes
            ),
            Some(TransportSlice::Icmpv4(_)) => write!(formatter, "{source} > {destination} ICMP"),
            Some(TransportSlice::Icmpv6(_)) => write!(formatter, "{source} > {destination} ICMPv6"),
            Some(TransportSlice::Igmp(_)) => write!(formatter, "{source} > {destination} IGMP"),
            None => write!(formatter, "{source} > {destination}, {} bytes", self.bytes),
        }
    }
}

impl Packet {
    /// Bytes of the TCP payload by the whole frame's length; padding of short frames counts.
    fn payload_bytes(&self, sliced: &LaxSlicedPacket<'_>, tcp: &etherparse::TcpSlice<'_>) -> usize {
        let payload = tcp.payload().as_ptr() as usize - self.captured.as_ptr() as usize;
        let frame = self.bytes as usize;
        match &sliced.net {
            Some(LaxNetSlice::Ipv4(ip)) => {
                let total = usize::from(ip.header().total_len());
                let start = ip.header().slice().as_ptr() as usize - self.captured.as_ptr() as usize;
                (start + total).saturating_sub(payload)
            }
            _ => frame.saturating_sub(payload),
        }
    }
}

/// An address with its port, as in a URL.
fn port(address: &str, port: u16) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;

    use super::*;

    fn packet(captured: Vec<u8>) -> Packet {
        let bytes = captured.len() as u32;
        Packet { time: SystemTime::UNIX_EPOCH, reason: Reason::AckConsumed, bytes, captured }
    }

    #[test]
    fn a_segment_is_told_by_its_ends_flags_and_numbers() {
        let builder = PacketBuilder::ethernet2([1; 6], [2; 6])
            .ipv4([198, 18, 0, 2], [198, 18, 0, 1], 64)
            .tcp(4242, 80, 1000, 502)
            .ack(77)
            .psh();
        let mut bytes = Vec::new();
        builder.write(&mut bytes, b"GET /").expect("a frame");
        assert_eq!(
            packet(bytes).to_string(),
            "198.18.0.2:4242 > 198.18.0.1:80 PSH,ACK seq 1000 ack 77 win 502 len 5"
        );
    }

    #[test]
    fn a_segment_of_which_only_the_beginning_was_kept_is_told_all_the_same() {
        let builder = PacketBuilder::ethernet2([1; 6], [2; 6])
            .single_vlan(7u16.try_into().expect("an identifier"))
            .ipv4([198, 18, 0, 2], [198, 18, 0, 1], 64)
            .tcp(4242, 80, 1000, 502);
        let mut bytes = Vec::new();
        builder.write(&mut bytes, &[b'x'; 1000]).expect("a frame");
        let whole = bytes.len() as u32;
        bytes.truncate(256);
        let text = Packet { bytes: whole, ..packet(bytes) }.to_string();
        assert!(text.starts_with("vlan 7 198.18.0.2:4242 > "), "{text}");
        assert!(text.ends_with("no flags seq 1000 ack 0 win 502 len 1000"), "{text}");
    }

    #[test]
    fn what_is_no_packet_is_told_by_its_length() {
        assert_eq!(packet(vec![1; 9]).to_string(), "9 bytes that cannot be read");
    }
}
