//! SipHash-2-4 (Aumasson and Bernstein, 2012), over whole 64-bit words.
//!
//! Cookies hash whole words, so there is no buffering and no tail; the final block is the length in
//! its top byte, as the reference has it.

/// The four words of SipHash's state.
pub struct State([u64; 4]);

impl State {
    /// That of a key, before the first word.
    #[inline(always)]
    pub const fn new(key: [u64; 2]) -> Self {
        // "somepseudorandomlygeneratedbytes", from the reference.
        Self([
            key[0] ^ 0x736f_6d65_7073_6575,
            key[1] ^ 0x646f_7261_6e64_6f6d,
            key[0] ^ 0x6c79_6765_6e65_7261,
            key[1] ^ 0x7465_6462_7974_6573,
        ])
    }

    #[inline(always)]
    const fn round(&mut self) {
        let [v0, v1, v2, v3] = &mut self.0;
        *v0 = v0.wrapping_add(*v1);
        *v2 = v2.wrapping_add(*v3);
        *v1 = v1.rotate_left(13) ^ *v0;
        *v3 = v3.rotate_left(16) ^ *v2;
        *v0 = v0.rotate_left(32);
        *v2 = v2.wrapping_add(*v1);
        *v0 = v0.wrapping_add(*v3);
        *v1 = v1.rotate_left(17) ^ *v2;
        *v3 = v3.rotate_left(21) ^ *v0;
        *v2 = v2.rotate_left(32);
    }

    /// Takes a word, as if it were bytes in little-endian order.
    #[inline(always)]
    pub const fn block(&mut self, word: u64) {
        self.0[3] ^= word;
        self.round();
        self.round();
        self.0[0] ^= word;
    }

    /// The hash of the words it has taken, which must be so many.
    #[inline(always)]
    pub const fn finish(mut self, words: u64) -> u64 {
        self.block((words * 8) << 56);
        self.0[2] ^= 0xff;
        self.round();
        self.round();
        self.round();
        self.round();
        self.0[0] ^ self.0[1] ^ self.0[2] ^ self.0[3]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(key: [u64; 2], words: &[u64]) -> u64 {
        let mut state = State::new(key);
        words.iter().for_each(|word| state.block(*word));
        state.finish(words.len() as u64)
    }

    /// The reference's test vectors (`vectors.h`, `vectors_sip64`): key 00..0f, message 00..n-1.
    #[test]
    fn it_agrees_with_the_reference_on_whole_words() {
        let key = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        let word = |n: u64| u64::from_le_bytes(core::array::from_fn(|i| (n * 8) as u8 + i as u8));
        assert_eq!(
            hash(key, &[]),
            u64::from_le_bytes([0x31, 0x0e, 0x0e, 0xdd, 0x47, 0xdb, 0x6f, 0x72])
        );
        assert_eq!(
            hash(key, &[word(0)]),
            u64::from_le_bytes([0x62, 0x24, 0x93, 0x9a, 0x79, 0xf5, 0xf5, 0x93])
        );
        assert_eq!(
            hash(key, &core::array::from_fn::<_, 7, _>(|n| word(n as u64))),
            u64::from_le_bytes([0xbd, 0x83, 0x8d, 0x3a, 0xaf, 0xbf, 0x8d, 0xb7])
        );
    }
}
