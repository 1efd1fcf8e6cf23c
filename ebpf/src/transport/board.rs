//! Which segments of a response the client holds beyond its first gap: the scoreboard of RFC 6675.
//!
//! An acknowledgment has room for three or four ranges, and on a path that loses much there are
//! more. So each range is kept from when it is first heard of. There is one bit for a segment;
//! segments are counted from the beginning of the response. Every walk is over all words in the
//! same way, whatever is in them, because that is what the verifier understands.

use zerocopy::FromZeros;

use crate::words;

/// Words on a board. One is for the segments that the oldest open one is among.
const WORDS: usize = 8;

/// Segments in a word.
const WORD_SEGMENTS: u32 = 64;

/// The board of one response.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromZeros)]
pub struct Board {
    /// Bits of the segments held. The word for segments 64 n to 64 n + 63 is at n modulo 8.
    words: [u64; WORDS],
    /// Sequence number of the response's first byte: the board of another response is worth
    /// nothing.
    pub response_start: u32,
    /// The word that the oldest open segment is in.
    first_word: u32,
    /// Up to here, in sequence numbers, each hole had been sent again when `oldest_sent` of the
    /// flow was noted.
    pub again_to: u32,
    /// How many repairs have to turn out to be needless for the latest reduction of the window to have
    /// been needless, too.
    pub doubts: u32,
    /// The window before that reduction; zero if there has been none in this recovery.
    pub prior_window: u32,
    /// Keeps the layout free of padding.
    reserved: u32,
}

const _: () = zeroserve_shared::size_is::<Board, 88>();

impl Board {
    /// Wipes the board for a response.
    #[inline(always)]
    pub(super) fn wipe(&mut self, response_start: u32, again_to: u32) {
        words::clear(&mut self.words);
        self.response_start = response_start;
        self.first_word = 0;
        self.again_to = again_to;
        self.doubts = 0;
        self.prior_window = 0;
    }

    /// Forgets the words before that of the oldest open segment, which makes room for as many.
    #[inline(always)]
    pub(super) fn advance(&mut self, oldest: u32) {
        let first_word = oldest / WORD_SEGMENTS;
        let mut index = 0;
        while index < WORDS as u32 {
            let word = self.first_word.wrapping_add(index);
            if word < first_word {
                self.words[word as usize & (WORDS - 1)] = 0;
            }
            index += 1;
        }
        self.first_word = first_word;
    }

    /// Marks segments as held, as far as there is room.
    #[inline(always)]
    pub(super) fn mark(&mut self, from: u32, to: u32) {
        zeroserve_mark(self, from, to);
    }

    /// How many segments of a range are held.
    #[inline(always)]
    pub(super) fn count(&self, from: u32, to: u32) -> u32 {
        zeroserve_count(self, from, to)
    }

    /// The first segment of a range that is held, or not held; the range's end if there is none.
    #[inline(always)]
    pub(super) fn find(&self, from: u32, to: u32, held: bool) -> u32 {
        zeroserve_find(self, from, to, u32::from(held))
    }

    /// Where a word is, counted from the first, and which of its bits belong to a range.
    #[inline(always)]
    fn place(&self, index: u32, from: u32, to: u32) -> (usize, u64) {
        let word = self.first_word.wrapping_add(index);
        let base = i64::from(word) * i64::from(WORD_SEGMENTS);
        let mask = below(i64::from(to) - base) & !below(i64::from(from) - base);
        (word as usize & (WORDS - 1), mask)
    }
}

/// So many of the lowest bits; none if negative, all if there are not so many.
#[inline(always)]
const fn below(count: i64) -> u64 {
    if count <= 0 {
        0
    } else if count >= WORD_SEGMENTS as i64 {
        u64::MAX
    } else {
        (1 << count) - 1
    }
}

// The walks are global functions in the object, which the verifier judges once and on their own:
// inside the loops that call them they would be too much for it.

/// Marks segments as held.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle))]
#[inline(never)]
extern "C" fn zeroserve_mark(board: *mut Board, from: u32, to: u32) -> u32 {
    // SAFETY: the caller passes a reference; the verifier has it checked for null.
    let Some(board) = (unsafe { board.as_mut() }) else {
        return 0;
    };
    let mut index = 0;
    while index < WORDS as u32 {
        let (place, mask) = board.place(index, from, to);
        board.words[place] |= mask;
        index += 1;
    }
    0
}

/// How many segments of a range are held.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle))]
#[inline(never)]
extern "C" fn zeroserve_count(board: *const Board, from: u32, to: u32) -> u32 {
    // SAFETY: as above.
    let Some(board) = (unsafe { board.as_ref() }) else {
        return 0;
    };
    let mut count = 0;
    let mut index = 0;
    while index < WORDS as u32 {
        let (place, mask) = board.place(index, from, to);
        count += (board.words[place] & mask).count_ones();
        index += 1;
    }
    count
}

/// The first segment of a range that is held, or not held.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle))]
#[inline(never)]
extern "C" fn zeroserve_find(board: *const Board, from: u32, to: u32, held: u32) -> u32 {
    // SAFETY: as above.
    let Some(board) = (unsafe { board.as_ref() }) else {
        return to;
    };
    let flip = if held != 0 { 0 } else { u64::MAX };
    let (mut found, mut word) = (0, 0);
    let mut index = WORDS as u32;
    while index > 0 {
        index -= 1;
        let (place, mask) = board.place(index, from, to);
        let bits = (board.words[place] ^ flip) & mask;
        if bits != 0 {
            (found, word) = (bits, index);
        }
    }
    if found == 0 {
        return to;
    }
    let base = board.first_word.wrapping_add(word).wrapping_mul(WORD_SEGMENTS);
    base.wrapping_add(found.trailing_zeros())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_board_knows_what_a_set_knows(
            marks in prop::collection::vec((0..900_u32, 0..40_u32), 0..40),
            oldest in prop::collection::vec(0..700_u32, 1..6),
            queries in prop::collection::vec((0..1200_u32, 0..1200_u32), 1..20),
        ) {
            let mut board = Board::default();
            let mut set = BTreeSet::new();
            let mut oldest = oldest;
            oldest.sort_unstable();
            for first in oldest {
                board.advance(first);
                let base = first / 64 * 64;
                set.retain(|segment| *segment >= base);
                for (from, length) in &marks {
                    board.mark(*from, from + length);
                    let held = *from..from + length;
                    set.extend(held.filter(|segment| (base..base + 512).contains(segment)));
                }
                for (from, to) in &queries {
                    let (from, to) = ((*from).max(base), (*to).min(base + 512));
                    let range = || from..to;
                    let held = range().filter(|segment| set.contains(segment)).count();
                    prop_assert_eq!(board.count(from, to), held as u32);
                    for wanted in [true, false] {
                        let found = range().find(|segment| set.contains(segment) == wanted);
                        prop_assert_eq!(board.find(from, to, wanted), found.unwrap_or(to));
                    }
                }
            }
        }
    }
}
