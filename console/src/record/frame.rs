//! Records that are found to be whole, or are not there.
//!
//! A file begins with [`MAGIC`] and the version of its format, and goes on with records:
//!
//! | bytes | what |
//! |---|---|
//! | 4 | length of the payload, little-endian |
//! | 4 | CRC-32 of everything in the record but these four bytes |
//! | 1 | [`Kind`], with [`DEFLATED`] if the payload is compressed (RFC 1951) |
//! | length | payload |
//!
//! A record is appended in one write, so a process that is killed leaves whole records and at most
//! one piece of a record, which is told by its length or its checksum. A machine that loses its
//! power may lose more: nothing here waits for the disk.

use std::io::{Read as _, Write as _};

use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};

/// What every recording begins with. The line ends show a file that was copied as text.
pub const MAGIC: [u8; 8] = *b"ZSREC\r\n\x1a";

/// The version of the format that is written, and the newest that is read.
pub const FORMAT: u16 = 1;

/// Bytes before the first record.
pub const HEADER_BYTES: usize = MAGIC.len() + 2;

/// Bytes of a record before its payload.
pub const PREFIX_BYTES: usize = 9;

/// No payload is longer, compressed or not: what claims to be is damaged.
pub const MAX_PAYLOAD_BYTES: usize = 64 << 20;

/// Set in the byte of the kind if the payload is compressed.
pub const DEFLATED: u8 = 0x80;

/// Below this, compressing saves nothing worth the time.
const WORTH_DEFLATING_BYTES: usize = 512;

/// What a record holds. A reader passes over kinds that it does not know: they are of a later
/// version that did not need another [`FORMAT`].
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whose recording it is; everything after it is told from nothing.
    Start = 1,
    /// Counters, as differences to the sample before.
    Sample = 2,
    /// Routes that came, changed and went.
    Routes = 3,
    /// Something that the operator did.
    Action = 4,
    /// A sample that could not be taken.
    Lost = 5,
}

impl Kind {
    /// The kind of that number.
    pub fn of(number: u8) -> Option<Self> {
        [Self::Start, Self::Sample, Self::Routes, Self::Action, Self::Lost]
            .into_iter()
            .find(|kind| *kind as u8 == number)
    }
}

/// The beginning of a file.
pub fn header() -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..MAGIC.len()].copy_from_slice(&MAGIC);
    header[MAGIC.len()..].copy_from_slice(&FORMAT.to_le_bytes());
    header
}

/// Appends a record.
pub fn append(file: &mut Vec<u8>, kind: Kind, payload: &[u8]) {
    let deflated = (payload.len() >= WORTH_DEFLATING_BYTES).then(|| deflate(payload));
    let (kind, payload) = match &deflated {
        Some(deflated) if deflated.len() < payload.len() => (kind as u8 | DEFLATED, &deflated[..]),
        _ => (kind as u8, payload),
    };
    let length = (payload.len() as u32).to_le_bytes();
    file.extend_from_slice(&length);
    file.extend_from_slice(&checksum(length, kind, payload).to_le_bytes());
    file.push(kind);
    file.extend_from_slice(payload);
}

fn checksum(length: [u8; 4], kind: u8, payload: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&length);
    sum.update(&[kind]);
    sum.update(payload);
    sum.finalize()
}

fn deflate(payload: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory does not fail; if it did, an empty answer would not be taken for one.
    let written = encoder.write_all(payload).and_then(|()| encoder.finish());
    written.unwrap_or_else(|_| payload.to_vec())
}

/// A whole record, where it lies in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The byte of the kind.
    kind: u8,
    payload: &'a [u8],
    /// Where the next record begins.
    pub end: usize,
}

impl<'a> Frame<'a> {
    /// The record at `start`, if there is a whole one.
    pub fn at(file: &'a [u8], start: usize) -> Option<Self> {
        let prefix: &[u8; PREFIX_BYTES] = file.get(start..)?.first_chunk()?;
        let [l0, l1, l2, l3, c0, c1, c2, c3, kind] = *prefix;
        let length = [l0, l1, l2, l3];
        let begin = start + PREFIX_BYTES;
        let bytes = u32::from_le_bytes(length) as usize;
        let payload = file.get(begin..begin.checked_add(bytes)?)?;
        let whole = bytes <= MAX_PAYLOAD_BYTES
            && u32::from_le_bytes([c0, c1, c2, c3]) == checksum(length, kind, payload);
        whole.then_some(Self { kind, payload, end: begin + bytes })
    }

    /// What it holds, if this version knows.
    pub fn kind(&self) -> Option<Kind> {
        Kind::of(self.kind & !DEFLATED)
    }

    /// What was appended. None if it is no compressed data after all, or too much of it.
    pub fn payload(&self) -> Option<Vec<u8>> {
        if self.kind & DEFLATED == 0 {
            return Some(self.payload.to_vec());
        }
        let mut payload = Vec::new();
        // One byte more than is allowed, to tell the limit from what lies beyond it.
        let mut limited = DeflateDecoder::new(self.payload).take(MAX_PAYLOAD_BYTES as u64 + 1);
        limited.read_to_end(&mut payload).ok()?;
        (payload.len() <= MAX_PAYLOAD_BYTES).then_some(payload)
    }
}

/// Where the last whole record ends. Everything from there on is damaged.
pub fn whole_bytes(file: &[u8]) -> usize {
    let mut end = HEADER_BYTES.min(file.len());
    while let Some(frame) = Frame::at(file, end) {
        end = frame.end;
    }
    end
}
