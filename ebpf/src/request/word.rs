//! Words that are recognised by their hash, because nothing of a request is kept.

/// FNV-1a, 32 bits: enough to tell a handful of known words from others. A client that makes up
/// a word with the same hash only misleads itself.
pub(super) const WORD_START: u32 = 0x811c_9dc5;

/// Takes the next byte of a word.
#[inline(always)]
pub(super) const fn push_word(word: u32, byte: u8) -> u32 {
    (word ^ byte as u32).wrapping_mul(0x0100_0193)
}

/// The hash of a whole word.
pub(super) const fn word(bytes: &[u8]) -> u32 {
    let mut word = WORD_START;
    let mut index = 0;
    while index < bytes.len() {
        word = push_word(word, bytes[index]);
        index += 1;
    }
    word
}
