//! Internet checksums (RFC 1071), from fields and stored sums.
//!
//! Sums are of 16-bit words as they lie in memory, in the machine's byte order, and may be wider
//! than 16 bits until they are folded.

use zeroserve_shared::response::fold;

/// The sum of a few bytes, an even number of them.
#[inline(always)]
pub fn sum<const BYTES: usize>(bytes: &[u8; BYTES]) -> u64 {
    const { assert!(BYTES.is_multiple_of(4)) };
    let mut sum = 0;
    let mut at = 0;
    while at < BYTES {
        let word = u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        sum += word as u64;
        at += 4;
    }
    sum
}

/// The sum of words of 16 bits.
#[inline(always)]
pub const fn sum_of_pairs<const COUNT: usize>(pairs: [[u8; 2]; COUNT]) -> u64 {
    let mut sum = 0;
    let mut at = 0;
    while at < COUNT {
        sum += u16::from_ne_bytes(pairs[at]) as u64;
        at += 1;
    }
    sum
}

/// The checksum of a sum, as it lies in a header.
#[inline(always)]
pub const fn complement(sum: u64) -> [u8; 2] {
    (!fold(sum)).to_ne_bytes()
}

/// The sum of what is in `whole` and not in `part`, both sums that began at the same byte, of
/// less than 2^32 words.
#[inline(always)]
pub const fn difference(whole: u64, part: u64) -> u64 {
    // In one's complement that is zero, and more than the part.
    const ZERO: u64 = 0xffff << 32;
    whole + (ZERO - part)
}

/// What a sum becomes when its bytes move by an odd distance: every word has its halves swapped
/// (RFC 1071 section 2 (B)).
#[inline(always)]
pub const fn shifted(sum: u64, by_odd: bool) -> u64 {
    if by_odd { fold(sum).swap_bytes() as u64 } else { sum }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Straight from RFC 1071 section 4.1, in network byte order.
    fn reference(bytes: &[u8]) -> [u8; 2] {
        let mut sum = 0u32;
        for word in bytes.chunks(2) {
            sum += u32::from(u16::from_be_bytes([word[0], *word.get(1).unwrap_or(&0)]));
        }
        while sum >> 16 != 0 {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        (!(sum as u16)).to_be_bytes()
    }

    fn words(bytes: &[u8]) -> u64 {
        bytes
            .chunks(2)
            .map(|word| u64::from(u16::from_ne_bytes([word[0], *word.get(1).unwrap_or(&0)])))
            .sum()
    }

    /// Zero and all ones are the same number in one's complement.
    fn normal(checksum: [u8; 2]) -> [u8; 2] {
        if checksum == [0xff; 2] { [0; 2] } else { checksum }
    }

    #[test]
    fn the_example_of_rfc_1071_section_3() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(complement(sum(&bytes)), (!0xddf2_u16).to_be_bytes());
    }

    proptest! {
        #[test]
        fn headers_sum_as_in_the_reference(bytes: [u8; 20]) {
            prop_assert_eq!(complement(sum(&bytes)), reference(&bytes));
        }

        #[test]
        fn a_slice_has_the_difference_of_the_sums_before_and_after_it(
            bytes in proptest::collection::vec(any::<u8>(), 0..200), from: usize, to: usize,
        ) {
            let from = from % (bytes.len() + 1);
            let to = from + to % (bytes.len() + 1 - from);
            let slice = difference(words(&bytes[..to]), words(&bytes[..from]));
            let moved = shifted(slice, from % 2 == 1);
            prop_assert_eq!(normal(complement(moved)), normal(reference(&bytes[from..to])));
        }
    }
}
