//! Which requests go to the server behind although their path is served here.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// How many names of header fields there can be, and as many of cookies.
pub const BYPASS_NAMES: usize = 4;

/// Hashes of names, zero behind the last.
pub type Names = [u64; BYPASS_NAMES];

/// What a request must not have to be answered here.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Bypass {
    /// Header fields, by the hash of their names in lower case.
    pub headers: Names,
    /// Cookies, by the hash of their names as they are.
    pub cookies: Names,
}

const _: () = crate::size_is::<Bypass, 64>();

/// The hash of a name: of its first 24 bytes, in words with the first byte lowest, and its length.
/// Never zero. Names that share both are not told apart, so a request too many may bypass; never
/// one too few.
#[inline(always)]
pub const fn hash(words: [u64; 3], bytes: u32) -> u64 {
    let mut sum = bytes as u64;
    let mut index = 0;
    while index < 3 {
        // As in FNV, but a word at a time; the rotation brings the high bits back down.
        sum = (sum ^ words[index]).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        index += 1;
    }
    sum | 1
}

/// The hash of a name.
pub const fn hash_of(name: &[u8]) -> u64 {
    let mut words = [0; 3];
    let mut index = 0;
    while index < name.len() && index < 24 {
        words[index / 8] |= (name[index] as u64) << (8 * (index % 8));
        index += 1;
    }
    hash(words, name.len() as u32)
}

/// Whether a hash is among those of some names.
#[inline(always)]
pub const fn contains(names: &Names, hash: u64) -> bool {
    let mut found = false;
    let mut index = 0;
    while index < BYPASS_NAMES {
        found |= names[index] == hash;
        index += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_fields_that_clients_send_have_hashes_of_their_own() {
        let names = "host connection accept accept-encoding accept-language authorization cookie \
                     user-agent referer origin range if-range if-match if-none-match dnt te via \
                     upgrade-insecure-requests sec-fetch-dest sec-fetch-mode sec-fetch-site x-api-key \
                     sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform x-forwarded-for priority pragma";
        let hashes: HashSet<_> = names.split_whitespace().map(|n| hash_of(n.as_bytes())).collect();
        assert_eq!(hashes.len(), names.split_whitespace().count());
        assert!(!hashes.contains(&0));
        let rules = [hash_of(b"authorization"), hash_of(b"x-api-key"), 0, 0];
        assert!(contains(&rules, hash_of(b"x-api-key")));
        assert!(!contains(&rules, hash_of(b"x-api-kez")));
    }
}
