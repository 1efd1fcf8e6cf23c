//! TCP options: what a SYN offers (RFC 9293 section 3.2, RFC 7323, RFC 2018) and where SACK
//! blocks lie.

use zerocopy::FromZeros;

use crate::{
    bounds::opaque,
    wire::ethernet::{Link, MAX_LINK_BYTES},
};

/// Most bytes of options that a header can have.
pub const MAX_BYTES: usize = 40;

/// The MSS of a client that names none (RFC 9293 section 3.7.1).
const DEFAULT_MSS: u16 = 536;

const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const MAXIMUM_SEGMENT_SIZE: u8 = 2;
const WINDOW_SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const SACK: u8 = 5;
const TIMESTAMPS: u8 = 8;

/// How timestamps begin where nothing else precedes them (RFC 7323 appendix A), in network byte
/// order.
pub const TIMESTAMPS_HEADER: u32 = word([NO_OPERATION, NO_OPERATION, TIMESTAMPS, 10]);

/// Four bytes of options as they lie in memory.
const fn word(bytes: [u8; 4]) -> u32 {
    u32::from_ne_bytes(bytes)
}

/// What a SYN offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Largest payload the client takes, in bytes.
    pub mss: u16,
    /// Shift of its window, if `scales`.
    pub window_shift: u8,
    /// Whether it scales windows.
    pub scales: bool,
    /// Whether it takes SACK.
    pub sack: bool,
    /// Its clock, if it sends timestamps, never zero then; else zero.
    pub timestamp: u32,
}

/// Bytes of an [`Area`]: a power of two, so that an index can be masked.
const AREA_BYTES: usize = 64;

/// The bytes of a header's options, [`MAX_BYTES`] at most, padded with zeros.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromZeros)]
pub struct Area(pub [u8; AREA_BYTES]);

impl Area {
    /// No options.
    pub const EMPTY: Self = Self([0; AREA_BYTES]);

    /// The byte at a position; zero, which ends the options, beyond their
    /// end. Positions never reach the area's end.
    #[inline(always)]
    pub fn at(&self, position: usize) -> u8 {
        self.0[opaque(position as u64) as usize & (AREA_BYTES - 1)]
    }
}

/// A frame's beginning that was put here to be looked at.
impl Area {
    /// The beginning as the link layer's header.
    #[inline(always)]
    pub const fn link(&self) -> &Link {
        const { assert!(MAX_LINK_BYTES <= AREA_BYTES) };
        // SAFETY: it is plain bytes, no more than there are.
        unsafe { &*core::ptr::from_ref(self).cast() }
    }
}

/// What stands at a position.
enum Item {
    /// The options end here, properly or because the rest is malformed.
    End,
    /// The inside of an option, or padding.
    Nothing,
    /// An option of this kind and length begins here.
    Option(u8, u8),
}

/// Walks over the options one byte at a time. The position is the loop's own counter and only
/// `inside`, the rest of the option begun, depends on the packet: so every round looks the same
/// to the verifier, whatever the options are.
#[inline(always)]
fn item(area: &Area, position: usize, inside: &mut u8) -> Item {
    if *inside > 0 {
        *inside -= 1;
        return Item::Nothing;
    }
    let kind = area.at(position);
    if kind == END {
        return Item::End;
    }
    if kind == NO_OPERATION {
        return Item::Nothing;
    }
    let length = area.at(position + 1);
    if length < 2 || length as usize > MAX_BYTES - position {
        return Item::End;
    }
    *inside = length - 1;
    Item::Option(kind, length)
}

/// Reads what a SYN offers. What is malformed ends the reading, as Linux has it
/// (`tcp_parse_options`): what was read until then counts.
#[inline(always)]
pub fn parse_syn(area: &Area) -> Options {
    let mut options =
        Options { mss: DEFAULT_MSS, window_shift: 0, scales: false, sack: false, timestamp: 0 };
    let mut inside = 0;
    let mut position = 0;
    while position < MAX_BYTES {
        match item(area, position, &mut inside) {
            Item::End => break,
            Item::Option(MAXIMUM_SEGMENT_SIZE, 4) => {
                options.mss = u16::from_be_bytes([area.at(position + 2), area.at(position + 3)]);
            }
            Item::Option(WINDOW_SCALE, 3) => {
                options.scales = true;
                options.window_shift = area.at(position + 2);
            }
            Item::Option(SACK_PERMITTED, 2) => options.sack = true,
            Item::Option(TIMESTAMPS, 10) => {
                options.timestamp = timestamp(number(area, position + 2))
            }
            Item::Option(..) | Item::Nothing => {}
        }
        position += 1;
    }
    options
}

/// Most SACK blocks that fit a header.
pub const MAX_BLOCKS: usize = 4;

/// A range of sequence numbers that the client holds: first byte, and the one after the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SackBlock {
    /// Sequence number of the first byte.
    pub left: u32,
    /// Sequence number after the last byte.
    pub right: u32,
}

/// Reads the SACK blocks in the order in which they stand, and says how many there are.
#[inline(always)]
pub fn parse_sack(area: &Area, blocks: &mut [SackBlock; MAX_BLOCKS]) -> u32 {
    let mut inside = 0;
    let mut position = 0;
    while position < MAX_BYTES {
        match item(area, position, &mut inside) {
            Item::End => break,
            Item::Option(SACK, length) => return read_blocks(area, position + 2, length, blocks),
            Item::Option(..) | Item::Nothing => {}
        }
        position += 1;
    }
    0
}

/// Finds the sender's clock in the options of a segment; zero if it is not there.
#[inline(always)]
pub fn find_timestamp(area: &Area) -> u32 {
    let mut inside = 0;
    let mut position = 0;
    while position < MAX_BYTES {
        match item(area, position, &mut inside) {
            Item::End => break,
            Item::Option(TIMESTAMPS, 10) => return timestamp(number(area, position + 2)),
            Item::Option(..) | Item::Nothing => {}
        }
        position += 1;
    }
    0
}

/// The sender's clock if the options begin with it in the usual way; zero if they do not. `word` is
/// their first eight bytes, as they lie in memory.
#[inline(always)]
pub const fn leading_timestamp(word: u64) -> u32 {
    if (word as u32).to_le() == TIMESTAMPS_HEADER {
        timestamp(((word >> 32) as u32).swap_bytes())
    } else {
        0
    }
}

/// A clock as it is kept: zero means that there is none, so a clock that is there becomes one.
#[inline(always)]
const fn timestamp(clock: u32) -> u32 {
    if clock == 0 { 1 } else { clock }
}

/// A number of four bytes.
#[inline(always)]
fn number(area: &Area, at: usize) -> u32 {
    u32::from_be_bytes([area.at(at), area.at(at + 1), area.at(at + 2), area.at(at + 3)])
}

/// Reads all blocks that an option could have, and says how many it has.
#[inline(always)]
fn read_blocks(area: &Area, start: usize, length: u8, blocks: &mut [SackBlock; MAX_BLOCKS]) -> u32 {
    let mut index = 0;
    while index < MAX_BLOCKS {
        let at = start + index * 8;
        blocks[index] = SackBlock { left: number(area, at), right: number(area, at + 4) };
        index += 1;
    }
    let count = (length - 2) as u32 / 8;
    if count > MAX_BLOCKS as u32 { MAX_BLOCKS as u32 } else { count }
}

/// Shift of the window that our SYN-ACK offers. The programs need none, but a server that is handed
/// the connection does.
pub const OWN_SHIFT: u8 = 7;

/// The most that the answer to a SYN has of options, in words of four bytes.
pub const ANSWER_WORDS: usize = 5;

/// The options of the answer to a SYN, in network byte order, and how many bytes they take: our
/// own MSS, and window scaling, SACK and timestamps if the client offered them (RFC 7323 sections 2.2
/// and 3.2, RFC 2018 section 2).
#[inline(always)]
pub fn answer_syn(offered: &Options, mss: u16, clock: u32) -> ([u32; ANSWER_WORDS], u16) {
    const UNUSED: u32 = word([END; 4]);
    const SCALE: u32 = word([NO_OPERATION, WINDOW_SCALE, 3, OWN_SHIFT]);
    const SACK: u32 = word([NO_OPERATION, NO_OPERATION, SACK_PERMITTED, 2]);
    const SACK_AND_TIMESTAMPS: u32 = word([SACK_PERMITTED, 2, TIMESTAMPS, 10]);
    let [mss_high, mss_low] = mss.to_be_bytes();
    let size = word([MAXIMUM_SEGMENT_SIZE, 4, mss_high, mss_low]);
    if offered.timestamp == 0 {
        return match (offered.scales, offered.sack) {
            (true, true) => ([size, SCALE, SACK, UNUSED, UNUSED], 12),
            (true, false) => ([size, SCALE, UNUSED, UNUSED, UNUSED], 8),
            (false, true) => ([size, SACK, UNUSED, UNUSED, UNUSED], 8),
            (false, false) => ([size, UNUSED, UNUSED, UNUSED, UNUSED], 4),
        };
    }
    // What permits SACK stands in the place of padding, as Linux has it.
    let header = if offered.sack { SACK_AND_TIMESTAMPS } else { TIMESTAMPS_HEADER };
    let (own, clients) = (clock.to_be(), offered.timestamp.to_be());
    if offered.scales {
        ([size, header, own, clients, SCALE], 20)
    } else {
        ([size, header, own, clients, UNUSED], 16)
    }
}

/// The sum of options, for the checksum.
#[inline(always)]
pub const fn sum<const WORDS: usize>(words: &[u32; WORDS]) -> u64 {
    let mut sum = 0;
    let mut index = 0;
    while index < WORDS {
        sum += words[index] as u64;
        index += 1;
    }
    sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl Options {
        /// Everything but timestamps.
        fn all(mss: u16, window_shift: u8) -> Self {
            Self { mss, window_shift, scales: true, sack: true, timestamp: 0 }
        }
    }

    fn area(bytes: &[u8]) -> Area {
        let mut area = Area::EMPTY;
        area.0[..bytes.len()].copy_from_slice(bytes);
        area
    }

    #[test]
    fn the_options_of_a_linux_syn() {
        // MSS 1460, SACK permitted, timestamps, NOP, window scale 7.
        let bytes = [2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7];
        let expected = Options { timestamp: 0x0102_0304, ..Options::all(1460, 7) };
        assert_eq!(parse_syn(&area(&bytes)), expected);
    }

    #[test]
    fn a_syn_without_options_has_the_default_mss_and_nothing_else() {
        let expected = Options { scales: false, sack: false, ..Options::all(536, 0) };
        assert_eq!(parse_syn(&Area::EMPTY), expected);
    }

    #[test]
    fn a_malformed_option_ends_the_reading() {
        for tail in [&[3, 0][..], &[3, 1], &[3, 200, 7], &[0, 3, 3, 7]] {
            let bytes = [&[2, 4, 0x02, 0x18][..], tail].concat();
            let options = parse_syn(&area(&bytes));
            assert_eq!(options.mss, 536, "{tail:?}");
            assert!(!options.scales, "{tail:?}");
        }
    }

    #[test]
    fn sack_blocks_are_found_behind_padding_and_timestamps() {
        let bytes = [
            1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1, 5, 18, 0, 0, 0, 10, 0, 0, 0, 20, 0xff, 0xff,
            0xff, 0xff, 0, 0, 0, 5,
        ];
        let mut blocks = [SackBlock::default(); MAX_BLOCKS];
        assert_eq!(parse_sack(&area(&bytes), &mut blocks), 2);
        assert_eq!(blocks[0], SackBlock { left: 10, right: 20 });
        assert_eq!(blocks[1], SackBlock { left: u32::MAX, right: 5 });
    }

    #[test]
    fn an_answer_offers_only_what_was_offered() {
        for offers in 0..8 {
            let (scales, sack) = (offers & 1 != 0, offers & 2 != 0);
            let offered =
                Options { mss: 1300, window_shift: 9, scales, sack, timestamp: (offers & 4) * 99 };
            let (words, length) = answer_syn(&offered, 1440, 5);
            assert_eq!(length % 4, 0);
            let bytes = words.map(u32::to_ne_bytes);
            let (bytes, unused) = bytes.as_flattened().split_at(length as usize);
            assert!(unused.iter().all(|byte| *byte == 0), "the sum is of all words");
            let expected = Options {
                mss: 1440,
                window_shift: if scales { OWN_SHIFT } else { 0 },
                timestamp: if offers & 4 != 0 { 5 } else { 0 },
                ..offered
            };
            assert_eq!(parse_syn(&area(bytes)), expected);
            let echoes = bytes.windows(4).any(|word| word == (4 * 99u32).to_be_bytes());
            assert_eq!(echoes, offers & 4 != 0);
        }
    }

    #[test]
    fn a_timestamp_is_found_wherever_it_stands() {
        let usual = [1, 1, 8, 10, 0, 0, 1, 2, 0, 0, 0, 9];
        let word = u64::from_le_bytes(*usual.first_chunk().unwrap());
        assert_eq!(leading_timestamp(word), 0x102);
        assert_eq!(find_timestamp(&area(&usual)), 0x102);
        let behind = [1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2, 8, 10, 0, 0, 0, 7, 0, 0, 0, 9];
        let word = u64::from_le_bytes(*behind.first_chunk().unwrap());
        assert_eq!((leading_timestamp(word), find_timestamp(&area(&behind))), (0, 7));
        // Zero says that there is none.
        assert_eq!(find_timestamp(&area(&[8, 10, 0, 0, 0, 0, 0, 0, 0, 9])), 1);
        assert_eq!(find_timestamp(&area(&[8, 9, 0, 0, 0, 7, 0, 0, 0])), 0);
    }

    proptest! {
        #[test]
        fn hostile_options_never_panic(bytes: [u8; MAX_BYTES]) {
            let bytes = area(&bytes).0;
            let mut blocks = [SackBlock::default(); MAX_BLOCKS];
            let count = parse_sack(&Area(bytes), &mut blocks);
            prop_assert!(count as usize <= MAX_BLOCKS);
            let _ = parse_syn(&Area(bytes));
        }
    }
}
