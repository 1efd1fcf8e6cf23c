//! Which request targets name the same route.
//!
//! A route is found by a keyed 128-bit hash of its decoded path. The kernel side feeds the hasher
//! the bytes of a request target as it decodes them, the console those of the path a person named;
//! there is no second implementation to disagree with.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The longest path a route may have, in decoded bytes. A longer request target is answered with
/// 414 (RFC 9110 section 15.5.15).
pub const MAX_PATH_BYTES: usize = 512;

/// The hash of a decoded path: the key of the map `PATHS`.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct PathHash(pub [u64; 2]);

const _: () = crate::size_is::<PathHash, 16>();

impl PathHash {
    /// The hash of this path at one host only, whose lower-case name (RFC 3986 section 3.2.2), without a
    /// port, hashes to `host`.
    #[inline(always)]
    pub const fn at(self, host: Self) -> Self {
        // Not symmetric, so that a path and a host of the same bytes do not cancel each other.
        Self([
            avalanche(self.0[0] ^ host.0[0].rotate_left(32)),
            avalanche(self.0[1] ^ host.0[1].rotate_left(32)),
        ])
    }
}

/// Hashes a path a byte at a time, so that it can be fed while a request is still arriving.
///
/// Two multiplicative lanes with different mixing, both started from the secret
/// [`Config::path_key`](crate::config::Config::path_key). It is no cryptographic hash and need not
/// be one: a collision would only show a client a file that is public anyway.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct PathHasher {
    lanes: [u64; 2],
}

/// 2^64 divided by the golden ratio, made odd: Knuth's multiplicative hashing constant.
const MULTIPLIER_0: u64 = 0x9e37_79b9_7f4a_7c15;
/// An odd constant with well spread bits, independent of the first (from xxHash).
const MULTIPLIER_1: u64 = 0xc2b2_ae3d_27d4_eb4f;

impl PathHasher {
    /// Starts a hash under a key.
    #[inline(always)]
    pub const fn new(key: [u64; 2]) -> Self {
        Self { lanes: key }
    }

    /// Takes the next byte of the decoded path.
    #[inline(always)]
    pub const fn push(&mut self, byte: u8) {
        self.lanes[0] = (self.lanes[0] ^ byte as u64).wrapping_mul(MULTIPLIER_0).rotate_left(23);
        self.lanes[1] = self.lanes[1].wrapping_add(byte as u64 + 1).wrapping_mul(MULTIPLIER_1);
    }

    /// The hash of all bytes taken so far.
    #[inline(always)]
    pub const fn finish(&self) -> PathHash {
        PathHash([avalanche(self.lanes[0]), avalanche(self.lanes[1])])
    }

    /// The hash of a whole path.
    pub const fn hash(key: [u64; 2], path: &[u8]) -> PathHash {
        let mut hasher = Self::new(key);
        let mut index = 0;
        while index < path.len() {
            hasher.push(path[index]);
            index += 1;
        }
        hasher.finish()
    }
}

/// Spreads every bit over the whole word (the finaliser of MurmurHash3).
#[inline(always)]
const fn avalanche(mut lane: u64) -> u64 {
    lane ^= lane >> 33;
    lane = lane.wrapping_mul(0xff51_afd7_ed55_8ccd);
    lane ^= lane >> 33;
    lane = lane.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    lane ^ (lane >> 33)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    const KEY: [u64; 2] = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];

    #[test]
    fn ten_thousand_similar_paths_have_ten_thousand_hashes_in_each_lane() {
        let hashes: Vec<_> = (0..10_000)
            .map(|n| PathHasher::hash(KEY, format!("/lib/{n}/index.js").as_bytes()).0)
            .collect();
        for lane in 0..2 {
            let distinct: HashSet<_> = hashes.iter().map(|hash| hash[lane]).collect();
            assert_eq!(distinct.len(), 10_000);
        }
    }

    #[test]
    fn a_trailing_nul_changes_the_hash() {
        assert_ne!(PathHasher::hash(KEY, b"/a"), PathHasher::hash(KEY, b"/a\0"));
        assert_ne!(PathHasher::hash([0, 0], b""), PathHasher::hash([0, 0], b"\0"));
    }

    #[test]
    fn a_path_at_a_host_is_neither_the_path_nor_the_host_nor_the_other_way_round() {
        let (path, host) = (PathHasher::hash(KEY, b"/a"), PathHasher::hash(KEY, b"/b"));
        let all = [path, host, path.at(host), host.at(path), path.at(path)];
        let distinct: HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    proptest! {
        #[test]
        fn different_paths_have_different_hashes(a: Vec<u8>, b: Vec<u8>) {
            prop_assert_eq!(a == b, PathHasher::hash(KEY, &a) == PathHasher::hash(KEY, &b));
        }

        #[test]
        fn another_key_gives_another_hash(path: Vec<u8>, key: [u64; 2]) {
            prop_assume!(key != KEY);
            prop_assert_ne!(PathHasher::hash(KEY, &path), PathHasher::hash(key, &path));
        }
    }
}
