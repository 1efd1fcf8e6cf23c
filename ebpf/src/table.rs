//! Where a flow is kept: a hash table of sets with eight entries each.
//!
//! A flow may be in either of two sets, and a new one is put into that with more room, so that no set is
//! full before three quarters of all places are taken (Azar, Broder, Karlin and Upfal, "Balanced Allocations", 1999). What
//! is in a set is said by one word, a byte for each entry: zero, or a tag, which is a few bits of
//! the hash. So whoever is looked for in vain costs two words, and whoever is found two words and his entry,
//! but for one time in a hundred or so, when tags agree by chance.
//!
//! The kernel's LRU hash table takes 64 bytes more for each flow, and several calls to find, to put in
//! and to take out. What it does better is to know which flow of all has been quiet for longest. Here
//! that is known of the eight in a set only.
//!
//! The hash is universal (NH: Black, Halevi, Krawczyk, Krovetz and Rogaway, "UMAC", 1999) and its key
//! random per attach, so that nobody can choose addresses and ports that meet in a set.

use zeroserve_shared::flow::WAYS;

/// One in each byte.
const ONES: u64 = 0x0101_0101_0101_0101;

/// The highest bit of each byte. Tags have it, so that none is zero.
const HIGHEST: u64 = ONES << 7;

const _: () = assert!(WAYS == size_of::<u64>());

/// What a flow is found by: its client's address in two words, and what else tells it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    /// The address, in the order of its bytes.
    pub address: [u64; 2],
    /// The client's port and the number of our address, in the order of their bytes.
    pub rest: u32,
}

/// The hash of a name.
#[inline(always)]
pub const fn hash(name: &Name, key: [u64; 3]) -> u64 {
    let sum = product(name.address[0], key[0])
        .wrapping_add(product(name.address[1], key[1]))
        .wrapping_add(product(name.rest as u64, key[2]));
    // NH leaves its lowest bits the weakest.
    let mixed = (sum ^ sum >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ mixed >> 29
}

/// Both halves of a word, each with its half of the key added, multiplied with each other.
#[inline(always)]
const fn product(word: u64, key: u64) -> u64 {
    let low = (word as u32).wrapping_add(key as u32);
    let high = ((word >> 32) as u32).wrapping_add((key >> 32) as u32);
    (low as u64).wrapping_mul(high as u64)
}

/// The set, of so many, that a flow may be in.
#[inline(always)]
pub const fn set(hash: u64, count: u32) -> u32 {
    ((hash & 0xffff_ffff).wrapping_mul(count as u64) >> 32) as u32
}

/// The hash by which [`set`] says the other set that it may be in, perhaps the same.
#[inline(always)]
pub const fn other(hash: u64) -> u64 {
    hash.rotate_left(32)
}

/// The tag of a flow: bits of the hash that hardly decide about its sets.
#[inline(always)]
pub const fn tag(hash: u64) -> u8 {
    (hash >> 32) as u8 | 0x80
}

/// Ways of a set, as marks in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ways(u64);

impl Ways {
    /// Those with this tag, and perhaps others.
    #[inline(always)]
    pub const fn tagged(tags: u64, tag: u8) -> Self {
        // The lowest byte that is zero is found for certain (Warren, "Hacker's Delight", 6-1), those above it
        // with false ones among them, which differ by their names.
        let rest = tags ^ (tag as u64).wrapping_mul(ONES);
        Self(rest.wrapping_sub(ONES) & !rest & HIGHEST)
    }

    /// Those that are free.
    #[inline(always)]
    pub const fn free(tags: u64) -> Self {
        Self(!tags & HIGHEST)
    }

    /// Whether there are none.
    #[inline(always)]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many there are.
    #[inline(always)]
    pub const fn count(self) -> u32 {
        ((self.0 >> 7).wrapping_mul(ONES) >> 56) as u32
    }

    /// The first of them.
    #[inline(always)]
    pub const fn first(self) -> u32 {
        let lowest = self.0 & self.0.wrapping_neg();
        // There is no instruction that counts zeros: this shifts the byte to the top that has the answer.
        ((lowest >> 7).wrapping_mul(0x0001_0203_0405_0607) >> 56) as u32
    }

    /// The others.
    #[inline(always)]
    pub const fn others(self) -> Self {
        Self(self.0 & self.0.wrapping_sub(1))
    }
}

/// The word of a set once a way has that tag, or zero for none.
#[inline(always)]
pub const fn with_tag(tags: u64, way: u32, tag: u8) -> u64 {
    let shift = 8 * way;
    tags & !(0xff << shift) | (tag as u64) << shift
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: [u64; 3] = [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210, 0x0f1e_2d3c_4b5a_6978];

    fn name(number: u32) -> Name {
        // Ports and addresses one behind the other, as those of a real client and of a load are.
        let address = 0xc612_0000u32 + (number >> 15);
        let port = 0x8000 | number as u16 & 0x7fff;
        let mapped = 0xffff_0000 | u64::from(address.to_be()) << 32;
        Name { address: [0, mapped], rest: u32::from(port.to_be()) | 0x1234_0000 }
    }

    fn sets(hash: u64, count: u32) -> [u32; 2] {
        [set(hash, count), set(other(hash), count)]
    }

    /// Puts flows in as the program does, and says how many found no room.
    fn fill(flows: u32, count: u32) -> u32 {
        let mut tags = vec![0u64; count as usize];
        let mut refused = 0;
        for number in 0..flows {
            let hash = hash(&name(number), KEY);
            let [one, other] = sets(hash, count).map(|set| set as usize);
            let free = |set: usize| Ways::free(tags[set]);
            let set = if free(one).count() >= free(other).count() { one } else { other };
            if free(set).is_empty() {
                refused += 1;
            } else {
                tags[set] = with_tag(tags[set], free(set).first(), tag(hash));
            }
        }
        refused
    }

    #[test]
    fn sets_fill_up_evenly() {
        for (flows, most) in [(45_000, 0), (59_000, 600), (65_536, 3_300)] {
            let refused = fill(flows, 8192);
            assert!(refused <= most, "{refused} of {flows} in 65,536 places");
        }
    }

    #[test]
    fn tags_of_flows_that_meet_in_a_set_differ() {
        let mut same = 0;
        let mut met = 0;
        let all: Vec<_> = (0..4096).map(|number| hash(&name(number), KEY)).collect();
        for (index, one) in all.iter().enumerate() {
            for other in &all[..index] {
                let [a, b] = sets(*one, 512);
                if sets(*other, 512).iter().any(|set| *set == a || *set == b) {
                    met += 1;
                    same += u32::from(tag(*one) == tag(*other));
                }
            }
        }
        assert!(met > 50_000, "{met}");
        // One in 128 by chance.
        assert!(same * 100 < met, "{same} of {met}");
    }

    proptest! {
        #[test]
        fn a_set_is_one_that_there_is(hash: u64, count in 1u32..) {
            for set in sets(hash, count) {
                prop_assert!(set < count);
            }
        }

        #[test]
        fn a_tag_is_found_where_it_was_put_and_nowhere_else_that_is_free(
            before in any::<[Option<u8>; 8]>(), way in 0u32..8, hash: u64,
        ) {
            let before = before.map(|tag| tag.map_or(0, |tag| tag | 0x80));
            let tags = with_tag(u64::from_le_bytes(before), way, tag(hash));
            let mut expected = before;
            expected[way as usize] = tag(hash);
            prop_assert_eq!(tags, u64::from_le_bytes(expected));
            let mut found = Ways::tagged(tags, tag(hash));
            let mut ways = Vec::new();
            while !found.is_empty() {
                ways.push(found.first() as usize);
                found = found.others();
            }
            for (way, byte) in expected.iter().enumerate() {
                if *byte == tag(hash) {
                    prop_assert!(ways.contains(&way));
                }
                prop_assert!(*byte != 0 || !ways.contains(&way));
            }
            let free = Ways::free(tags);
            let empty = expected.iter().filter(|byte| **byte == 0).count();
            prop_assert_eq!(free.count() as usize, empty);
            if empty > 0 {
                let first = expected.iter().position(|byte| *byte == 0);
                prop_assert_eq!(Some(free.first() as usize), first);
            }
        }

        #[test]
        fn names_that_differ_hash_differently(one in any::<(u64, u64, u32)>(), bit in 0usize..160) {
            let name = |(high, low, rest)| Name { address: [high, low], rest };
            let mut other = one;
            match bit {
                0..64 => other.0 ^= 1 << bit,
                64..128 => other.1 ^= 1 << (bit - 64),
                _ => other.2 ^= 1 << (bit - 128),
            }
            prop_assert_ne!(hash(&name(one), KEY), hash(&name(other), KEY));
        }
    }
}
