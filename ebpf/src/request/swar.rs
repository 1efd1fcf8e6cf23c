//! Classes of characters, eight at a time.
//!
//! A word holds eight bytes, the first of them lowest. Each function finds how many of them, from
//! the first on, are of a class. Where a byte is flagged by a borrow from one below it, that one
//! is flagged as well, so the lowest flag is always right (Hacker's Delight, section 6-1).

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// A word of a byte eight times.
const fn all(byte: u8) -> u64 {
    ONES * byte as u64
}

/// Flags bytes that are zero.
#[inline(always)]
const fn zero(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGH
}

/// Flags bytes below a limit of at most 0x80.
#[inline(always)]
const fn below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(all(limit)) & !word & HIGH
}

/// How many bytes come before the first that is flagged.
#[inline(always)]
const fn before(flags: u64) -> u32 {
    // All bits below the lowest flag; of each byte before it, the highest bit is one of them.
    let mask = flags.wrapping_sub(1) & !flags;
    ((mask >> 7 & ONES).wrapping_mul(ONES) >> 56) as u32
}

/// The first bytes of a word, zeros behind them.
#[inline(always)]
pub(super) const fn first(word: u64, bytes: u32) -> u64 {
    if bytes >= 8 { word } else { word & ((1 << (8 * bytes)) - 1) }
}

/// The byte at an index of at most seven.
#[inline(always)]
pub(super) const fn byte_at(word: u64, index: u32) -> u8 {
    (word >> (8 * index)) as u8
}

/// How many bytes come before the first of this value.
#[inline(always)]
pub(super) const fn until(word: u64, byte: u8) -> u32 {
    before(equal(word, byte))
}

/// Letters, digits, `-` and `_`: most of what names, hosts and paths are made of.
#[inline(always)]
pub(super) const fn wordy(word: u64) -> u32 {
    before(!wordy_flags(word) & HIGH)
}

/// The same, and dots.
#[inline(always)]
pub(super) const fn wordy_or_dot(word: u64) -> u32 {
    before(!(wordy_flags(word) | equal(word, b'.')) & HIGH)
}

#[inline(always)]
const fn wordy_flags(word: u64) -> u64 {
    let low = word & !HIGH;
    let folded = low | all(b' ');
    let letter = (folded + all(0x80 - b'a')) & !(folded + all(0x7f - b'z'));
    let digit = (low + all(0x80 - b'0')) & !(low + all(0x7f - b'9'));
    (letter | digit) & !word | equal(word, b'-') | equal(word, b'_')
}

/// Flags bytes that are a certain ASCII character, exactly, and more bits that mean nothing.
#[inline(always)]
const fn equal(word: u64, byte: u8) -> u64 {
    // Adding 0x7f to the low bits of a byte sets its highest unless they are zero.
    !(((word & !HIGH) ^ all(byte)) + all(0x7f)) & !word
}

/// What a field value may contain, but for tabs (RFC 9110 section 5.5).
#[inline(always)]
pub(super) const fn printable(word: u64) -> u32 {
    before(below(word, b' ') | zero(word ^ all(0x7f)))
}

/// The same, up to a closing quote.
#[inline(always)]
pub(super) const fn quotable(word: u64) -> u32 {
    before(below(word, b' ') | zero(word ^ all(0x7f)) | zero(word ^ all(b'"')))
}

/// What a URI may contain (RFC 3986 section 2), and characters that are sent without being
/// encoded all the same; not `#`, because a fragment is never sent (RFC 9112 section 3.2).
#[inline(always)]
pub(super) const fn targetable(word: u64) -> u32 {
    let ends = below(word, b'!') | zero(word ^ all(b'#')) | zero(word ^ all(0x7f));
    before(ends | word & HIGH)
}

/// The same characters in lower case. Of what is no letter only `@`, `[`, `\`, `]`, `^`, `_` and
/// control characters change, and into nothing that a word compared with contains.
#[inline(always)]
pub(super) const fn lower(word: u64) -> u64 {
    word | all(b' ')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count(bytes: [u8; 8], class: impl Fn(u8) -> bool) -> u32 {
        bytes.iter().take_while(|byte| class(**byte)).count() as u32
    }

    proptest! {
        #[test]
        fn classes_end_where_looking_at_each_byte_ends_them(
            bytes in prop_oneof![
                any::<[u8; 8]>(),
                proptest::array::uniform8(b' '..0x80),
                proptest::array::uniform8(prop_oneof![Just(b'-'), Just(b'_'), b'-'..b':', b'@'..b'\\', b'`'..b'|']),
            ],
        ) {
            let word = u64::from_le_bytes(bytes);
            let is_wordy = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            prop_assert_eq!(wordy(word), count(bytes, is_wordy));
            let is_wordy_or_dot = |byte: u8| is_wordy(byte) || byte == b'.';
            prop_assert_eq!(wordy_or_dot(word), count(bytes, is_wordy_or_dot));
            let is_printable = |byte| byte >= b' ' && byte != 0x7f;
            prop_assert_eq!(printable(word), count(bytes, is_printable));
            let is_quotable = |byte| is_printable(byte) && byte != b'"';
            prop_assert_eq!(quotable(word), count(bytes, is_quotable));
            let is_targetable = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
            prop_assert_eq!(targetable(word), count(bytes, is_targetable));
        }

        #[test]
        fn a_word_is_cut_to_its_first_bytes(bytes: [u8; 8], count in 0u32..9) {
            let mut expected = bytes;
            expected[count as usize..].fill(0);
            let word = u64::from_le_bytes(bytes);
            prop_assert_eq!(first(word, count), u64::from_le_bytes(expected));
            prop_assert_eq!(byte_at(word, count % 8), bytes[count as usize % 8]);
        }
    }
}
