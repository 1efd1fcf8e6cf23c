//! Where the bytes of a response and their checksums lie.
//!
//! A response (status line, headers, body) is a sequence of bytes that the console renders once.
//! It is stored in blocks, the elements of an array map of its own. Block `k` holds the bytes from
//! `k * stride` on and, past its stride, repeats the first [`OVERLAP_BYTES`] of the next block, so
//! that a segment beginning anywhere in a block lies wholly inside it: one lookup and one copy.
//!
//! Beside its bytes a block holds running sums of them, one every [`SUM_STEP_BYTES`], from which
//! the Internet checksum (RFC 1071) of any slice follows without a pass over the slice. Sums are
//! of 16-bit words as they lie in memory, so they are in the machine's byte order throughout;
//! RFC 1071 section 2 (B) shows why the result is right in either.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The longest version: a body and the heads of all its forms.
pub const MAX_RESPONSE_BYTES: u32 = (64 << 20) + (16 << 10);

/// The largest body a file may have: 64 MiB.
pub const MAX_BODY_BYTES: u64 = 64 << 20;

/// The largest TCP payload of a segment: an Ethernet frame of 1500 bytes less 40 of headers.
pub const MAX_SEGMENT_BYTES: usize = 1460;

/// What a block repeats of the next one. At least [`MAX_SEGMENT_BYTES`], rounded up so that the
/// sums' last step is whole.
pub const OVERLAP_BYTES: usize = 1536;

/// Distance between two stored sums.
pub const SUM_STEP_BYTES: usize = 64;

/// Bytes of a `Date` value: an IMF-fixdate (RFC 9110 section 5.6.7) is always 29 bytes long.
pub const DATE_BYTES: usize = 29;

/// What stands between the value of `Date` and that of `Connection`, which follows it.
pub const CONNECTION: &[u8; 14] = b"\r\nConnection: ";

/// Bytes of the value of `Connection`: `keep-alive`, or `close` behind as many blanks as make it
/// that long. RFC 9110 section 5.5 has blanks before a value mean nothing.
pub const CONNECTION_BYTES: usize = 10;

/// Bytes of the part of a head that the kernel fills in: the value of `Date`, [`CONNECTION`] and
/// its value. The stored bytes are zero there.
pub const MOVING_BYTES: usize = DATE_BYTES + CONNECTION.len() + CONNECTION_BYTES;

/// Added to where the moving part begins: it says the value of `Age` (RFC 9111 section 5.1), in
/// seconds, behind as many blanks as make it as long as that of `Date`, which is stored then.
pub const SAYS_AGE: u32 = 1 << 31;

/// Where a form has no part to be filled in: it is no HTTP.
pub const NO_MOVING_PART: u32 = u32::MAX;

/// Bytes of the part of a partial response's head that says which part of the body it brings. The
/// kernel fills it in, the stored bytes are zero. It lies [`PART_GAP_BYTES`] behind the moving
/// part, and reads, with blanks before each value so that it is always as long:
///
/// ```text
/// Content-Length:      100\r\nContent-Range:           bytes 0-99/1234
/// ```
pub const PART_BYTES: usize = 73;

/// Bytes between the end of the moving part and the beginning of the part of [`PART_BYTES`]: the
/// line end.
pub const PART_GAP_BYTES: usize = 2;

/// Bytes of each of the two lines of that part, line end not included.
pub const PART_LINE_BYTES: [usize; 2] = [24, 47];

/// One element of the map that holds a response.
///
/// `BYTES` is the stride plus [`OVERLAP_BYTES`]; `SUMS` is one for each whole step in the stride
/// and the largest segment, and one for zero, rounded up to keep the layout free of padding.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Block<const BYTES: usize, const SUMS: usize> {
    /// The bytes, zero beyond the end of the response.
    pub bytes: [u8; BYTES],
    /// `sums[i]` is the folded sum of the first `i * SUM_STEP_BYTES` bytes.
    pub sums: [u16; SUMS],
}

const fn bytes(stride: usize) -> usize {
    stride + OVERLAP_BYTES
}

const fn sums(stride: usize) -> usize {
    bytes(stride) / SUM_STEP_BYTES
}

/// Stride of a [`SmallBlock`]; with its map's own header such a response fits one 4 KiB allocation.
pub const SMALL_STRIDE: usize = 2 << 10;
/// Stride of a [`MediumBlock`].
pub const MEDIUM_STRIDE: usize = 8 << 10;
/// Stride of a [`LargeBlock`]; overlap and sums add 8 % to it.
pub const LARGE_STRIDE: usize = 32 << 10;

/// A block of [`StorageClass::Small`].
pub type SmallBlock = Block<{ bytes(SMALL_STRIDE) }, { sums(SMALL_STRIDE) }>;
/// A block of [`StorageClass::Medium`].
pub type MediumBlock = Block<{ bytes(MEDIUM_STRIDE) }, { sums(MEDIUM_STRIDE) }>;
/// A block of [`StorageClass::Large`].
pub type LargeBlock = Block<{ bytes(LARGE_STRIDE) }, { sums(LARGE_STRIDE) }>;

const _: () = crate::size_is::<SmallBlock, 3696>();
const _: () = crate::size_is::<MediumBlock, 10032>();
const _: () = crate::size_is::<LargeBlock, 35376>();

/// Which size of block a response is stored in. Array maps of one map-in-map have elements of one
/// size, so there is a map-in-map for each class.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StorageClass {
    /// One block: redirects, errors, health checks, small files.
    Small = 0,
    /// Up to eight blocks of 8 KiB.
    Medium = 1,
    /// Blocks of 32 KiB.
    Large = 2,
}

impl StorageClass {
    /// The class for a response of so many bytes.
    pub const fn of(response_bytes: u32) -> Self {
        if response_bytes as usize <= SMALL_STRIDE {
            Self::Small
        } else if response_bytes as usize <= 8 * MEDIUM_STRIDE {
            Self::Medium
        } else {
            Self::Large
        }
    }

    /// How many response bytes a block holds before the next one begins.
    pub const fn stride(self) -> usize {
        match self {
            Self::Small => SMALL_STRIDE,
            Self::Medium => MEDIUM_STRIDE,
            Self::Large => LARGE_STRIDE,
        }
    }

    /// How many blocks a response of so many bytes takes: at least one.
    pub const fn blocks(self, response_bytes: u32) -> u32 {
        let stride = self.stride() as u32;
        if response_bytes == 0 { 1 } else { response_bytes.div_ceil(stride) }
    }
}

impl<const BYTES: usize, const SUMS: usize> Block<BYTES, SUMS> {
    /// How many response bytes a block holds before the next one begins.
    pub const STRIDE: usize = BYTES - OVERLAP_BYTES;

    /// All zero.
    pub const EMPTY: Self = Self { bytes: [0; BYTES], sums: [0; SUMS] };

    /// Makes this block number `index` of a response.
    pub fn fill(&mut self, response: &[u8], index: u32) {
        let start = (index as usize * Self::STRIDE).min(response.len());
        let end = (start + BYTES).min(response.len());
        let held = end - start;
        self.bytes[..held].copy_from_slice(&response[start..end]);
        self.bytes[held..].fill(0);
        let mut sum = 0;
        for (step, stored) in self.bytes.chunks_exact(SUM_STEP_BYTES).zip(&mut self.sums) {
            *stored = fold(sum);
            for word in step.chunks_exact(2) {
                sum += u64::from(u16::from_ne_bytes([word[0], word[1]]));
            }
        }
    }
}

/// Folds a sum of 16-bit words to 16 bits with end-around carry (RFC 1071 section 1).
#[inline(always)]
pub const fn fold(mut sum: u64) -> u16 {
    sum = (sum & 0xffff_ffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum as u16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(bytes: &[u8]) -> u16 {
        let mut sum = 0;
        for word in bytes.chunks(2) {
            sum += u64::from(u16::from_ne_bytes([word[0], *word.get(1).unwrap_or(&0)]));
        }
        fold(sum)
    }

    #[test]
    fn a_block_repeats_the_beginning_of_the_next() {
        let response: Vec<u8> = (0..3 * SMALL_STRIDE).map(|n| (n % 251) as u8).collect();
        let (mut first, mut second) = (SmallBlock::EMPTY, SmallBlock::EMPTY);
        first.fill(&response, 0);
        second.fill(&response, 1);
        assert_eq!(first.bytes[SMALL_STRIDE..], second.bytes[..OVERLAP_BYTES]);
        assert_eq!(second.bytes[..], response[SMALL_STRIDE..][..second.bytes.len()]);
    }

    #[test]
    fn a_block_past_the_end_is_empty() {
        let mut block = SmallBlock::EMPTY;
        block.fill(&[7; 100], 0);
        block.fill(&[7; 100], 1);
        assert!(block.bytes.iter().all(|byte| *byte == 0));
        assert!(block.sums.iter().all(|sum| *sum == 0));
    }

    #[test]
    fn every_segment_has_a_stored_sum_before_its_end() {
        let last_end = LARGE_STRIDE - 1 + MAX_SEGMENT_BYTES;
        assert!(last_end / SUM_STEP_BYTES < LargeBlock::EMPTY.sums.len());
        assert!((last_end / SUM_STEP_BYTES + 1) * SUM_STEP_BYTES <= LargeBlock::EMPTY.bytes.len());
    }

    #[test]
    fn classes_meet_without_a_gap() {
        for (bytes, class, blocks) in [
            (1, StorageClass::Small, 1),
            (2048, StorageClass::Small, 1),
            (2049, StorageClass::Medium, 1),
            (65536, StorageClass::Medium, 8),
            (65537, StorageClass::Large, 3),
            (MAX_RESPONSE_BYTES, StorageClass::Large, 2049),
        ] {
            assert_eq!(StorageClass::of(bytes), class, "{bytes}");
            assert_eq!(class.blocks(bytes), blocks, "{bytes}");
        }
    }

    proptest! {
        #[test]
        fn stored_sums_are_those_of_the_bytes_before_them(
            response in proptest::collection::vec(any::<u8>(), 0..5000),
            index in 0u32..3,
        ) {
            let mut block = SmallBlock::EMPTY;
            block.fill(&response, index);
            for (step, stored) in block.sums.iter().enumerate() {
                let expected = sum(&block.bytes[..step * SUM_STEP_BYTES]);
                // Zero has two representations in one's complement; folding keeps them apart alike.
                prop_assert_eq!(*stored, expected);
            }
        }
    }
}
