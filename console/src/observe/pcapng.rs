//! Packets as a file for Wireshark (pcapng, draft-ietf-opsawg-pcapng).

use std::{borrow::Cow, io::Write, time::SystemTime};

use anyhow::Context;
use pcap_file::{
    DataLink,
    pcapng::{
        PcapNgWriter,
        blocks::{
            enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption},
            interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption},
        },
    },
};

use super::Packet;

/// Writes packets into a file as they come. Each carries the reason it left for as its comment.
pub struct Capture<W: Write> {
    writer: PcapNgWriter<W>,
}

impl<W: Write> Capture<W> {
    /// Begins a file of packets that came through one interface.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub fn new(file: W, interface: &str) -> anyhow::Result<Self> {
        let mut writer = PcapNgWriter::new(file).context("cannot begin the capture")?;
        let description = InterfaceDescriptionBlock {
            linktype: DataLink::ETHERNET,
            snaplen: 0,
            options: vec![
                InterfaceDescriptionOption::IfName(Cow::Borrowed(interface)),
                // Nanoseconds.
                InterfaceDescriptionOption::IfTsResol(9),
            ],
        };
        writer.write_pcapng_block(description).context("cannot describe the interface")?;
        Ok(Self { writer })
    }

    /// Writes a packet.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub fn write(&mut self, packet: &Packet) -> anyhow::Result<()> {
        let since = packet.time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let comment = format!("{}: {}", packet.reason.name(), packet.reason.explanation());
        let block = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: since,
            original_len: packet.bytes,
            data: Cow::Borrowed(&packet.captured),
            options: vec![EnhancedPacketOption::Comment(Cow::Owned(comment))],
        };
        self.writer.write_pcapng_block(block).context("cannot write a packet")?;
        Ok(())
    }

    /// Gives the file back.
    pub fn into_inner(self) -> W {
        self.writer.into_inner()
    }
}
