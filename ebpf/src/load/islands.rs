//! What has come beyond a gap: up to three ranges of sequence numbers, nearest first.
//!
//! Nothing is kept of the bytes themselves, so a range that finds no room is as good as lost, and
//! the server will send it again.

use zeroserve_shared::load::{ISLANDS, Island};

use crate::wire::sequence::{after, earlier, later};

/// Takes note of a range beyond the gap, and unites it with those that it touches.
#[inline(always)]
pub fn remember(islands: &mut [Island; ISLANDS], new: Island) {
    let mut merged = new;
    let mut index = 0;
    while index < ISLANDS {
        let island = islands[index];
        let touches = !island.is_empty()
            && !after(island.start, merged.end)
            && !after(merged.start, island.end);
        if touches {
            merged.start = earlier(island.start, merged.start);
            merged.end = later(island.end, merged.end);
            islands[index] = Island::NONE;
        }
        index += 1;
    }
    insert(islands, merged);
}

/// Puts a range that touches no other in its place. Of too many the farthest is forgotten.
#[inline(always)]
fn insert(islands: &mut [Island; ISLANDS], mut carried: Island) {
    let mut sorted = [Island::NONE; ISLANDS];
    let mut count = 0;
    let mut index = 0;
    while index < ISLANDS {
        let island = islands[index];
        if !island.is_empty() {
            let comes_first = !carried.is_empty() && after(island.start, carried.start);
            if comes_first && count < ISLANDS {
                sorted[count] = carried;
                carried = Island::NONE;
                count += 1;
            }
            if count < ISLANDS {
                sorted[count] = island;
                count += 1;
            }
        }
        index += 1;
    }
    if !carried.is_empty() && count < ISLANDS {
        sorted[count] = carried;
    }
    *islands = sorted;
}

/// What is expected next once everything before `next` has come, and forgets what lies before.
#[inline(always)]
pub fn join(islands: &mut [Island; ISLANDS], mut next: u32) -> u32 {
    let mut index = 0;
    while index < ISLANDS {
        let first = islands[0];
        if first.is_empty() || after(first.start, next) {
            break;
        }
        next = later(next, first.end);
        islands[0] = islands[1];
        islands[1] = islands[2];
        islands[2] = Island::NONE;
        index += 1;
    }
    next
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn island(start: u32, end: u32) -> Island {
        Island { start, end }
    }

    #[test]
    fn ranges_are_kept_in_order_and_united_where_they_touch() {
        let mut islands = [Island::NONE; ISLANDS];
        remember(&mut islands, island(30, 40));
        remember(&mut islands, island(10, 20));
        remember(&mut islands, island(50, 60));
        assert_eq!(islands, [island(10, 20), island(30, 40), island(50, 60)]);
        remember(&mut islands, island(40, 50));
        assert_eq!(islands, [island(10, 20), island(30, 60), Island::NONE]);
        assert_eq!(join(&mut islands, 5), 5);
        assert_eq!(join(&mut islands, 10), 20);
        assert_eq!(islands, [island(30, 60), Island::NONE, Island::NONE]);
        assert_eq!(join(&mut islands, 60), 60);
        assert_eq!(islands, [Island::NONE; ISLANDS]);
    }

    #[test]
    fn of_too_many_the_farthest_is_forgotten() {
        let mut islands = [island(10, 20), island(30, 40), island(50, 60)];
        remember(&mut islands, island(22, 24));
        assert_eq!(islands, [island(10, 20), island(22, 24), island(30, 40)]);
        remember(&mut islands, island(70, 80));
        assert_eq!(islands, [island(10, 20), island(22, 24), island(30, 40)]);
    }

    proptest! {
        /// Segments of one size in any order, some of them never: against a model that knows each.
        #[test]
        fn nothing_counts_as_come_that_has_not(
            order in proptest::collection::vec(0u32..24, 1..60), origin: u32,
        ) {
            let (mut islands, mut next) = ([Island::NONE; ISLANDS], origin);
            let mut come = [false; 24];
            let at = |index: u32| origin.wrapping_add(index * 100);
            for index in order {
                come[index as usize] = true;
                let (start, end) = (at(index), at(index + 1));
                if after(start, next) {
                    remember(&mut islands, island(start, end));
                } else if after(end, next) {
                    next = join(&mut islands, end);
                }
                let known = next.wrapping_sub(origin) / 100;
                prop_assert!((0..known).all(|index| come[index as usize]));
                for island in islands.iter().filter(|island| !island.is_empty()) {
                    prop_assert!(after(island.start, next));
                    let range = island.start.wrapping_sub(origin) / 100..island.end.wrapping_sub(origin) / 100;
                    prop_assert!(range.clone().all(|index| come[index as usize]), "{range:?}");
                }
            }
        }
    }
}
