//! Entity tags, as they are compared.
//!
//! A client sends back the tags it was given (RFC 9110 section 8.8.3). The kernel side does not
//! keep them: it compares the hash of a tag, quotes included and a weak tag's `W/` left out, with
//! the hash that the console stored. Who makes up a tag with the same hash is told that it has not
//! changed, and misleads only itself.

/// Hashes an entity tag a byte at a time (FNV-1a, 64 bits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagHasher(pub u64);

impl TagHasher {
    /// Before the first byte.
    pub const START: Self = Self(0xcbf2_9ce4_8422_2325);

    /// Takes the next byte.
    #[inline(always)]
    pub const fn push(&mut self, byte: u8) {
        self.0 = (self.0 ^ byte as u64).wrapping_mul(0x0000_0100_0000_01b3);
    }

    /// The hash of a whole tag, such as `"abc"`, its quotes included; never zero.
    pub const fn hash(tag: &[u8]) -> u64 {
        let mut hasher = Self::START;
        let mut index = 0;
        while index < tag.len() {
            hasher.push(tag[index]);
            index += 1;
        }
        hasher.finish()
    }

    /// The hash of all bytes taken so far; never zero, which means that there is no tag.
    #[inline(always)]
    pub const fn finish(self) -> u64 {
        if self.0 == 0 { 1 } else { self.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_hashes_as_published_for_fnv() {
        // From the test vectors of draft-eastlake-fnv.
        assert_eq!(TagHasher::hash(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
