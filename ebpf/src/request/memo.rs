//! Requests that have been read before.
//!
//! Clients repeat themselves, byte for byte: health checks, pollers, players, whoever loads the same
//! page again. What such a request was found to ask for is remembered with its bytes, all of which
//! are compared. So the same bytes cannot be read in two ways, and a hash that somebody makes collide
//! costs time at most.
//!
//! What has come once only is not remembered: it would take the place of what comes often.

use core::mem::offset_of;

use super::{RequestScan, Window};
use crate::{bounds::opaque, words};

/// The longest request that is remembered, in bytes.
pub const MEMO_BYTES: u32 = 512;

/// Words that are gone through at a time.
const STEP: usize = 4;

const STEPS: usize = MEMO_BYTES as usize / 8 / STEP;

/// The hashes of path and host.
const NAME_WORDS: usize = offset_of!(RequestScan, levels) / 8;

/// From here on a [`RequestScan`] says what a request asks for; what is between this and the hashes
/// only its reader needs.
const REST: usize = offset_of!(RequestScan, tags);

const REST_WORDS: usize = (size_of::<RequestScan>() - REST) / 8;

const _: () = assert!(offset_of!(RequestScan, levels).is_multiple_of(8) && REST.is_multiple_of(8));

/// A place for a request, all zero if it is empty.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Memo {
    /// The hash of the request that came here last and was another.
    other: u64,
    /// Bytes of the request; zero if there is none.
    bytes: u32,
    /// The route that its path led to.
    pub route: u32,
    /// The hashes of its path and host.
    names: [u64; NAME_WORDS],
    /// What else it asks for.
    rest: [u64; REST_WORDS],
    /// The request, zeros behind it to the end of a step.
    text: [[u64; STEP]; STEPS],
}

/// What is known of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// What it asks for, which is now in the [`RequestScan`].
    Whole,
    /// That it has been here before: it is worth being remembered.
    Met,
    /// Nothing.
    Nothing,
}

impl Memo {
    /// An empty place.
    pub const EMPTY: Self = Self {
        other: 0,
        bytes: 0,
        route: 0,
        names: [0; NAME_WORDS],
        rest: [0; REST_WORDS],
        text: [[0; STEP]; STEPS],
    };

    /// Looks whether it is the request in the window, of whose bytes this is the hash.
    #[inline(always)]
    pub fn recall(
        &mut self,
        window: &mut Window,
        bytes: u32,
        hash: u64,
        scan: &mut RequestScan,
    ) -> Known {
        if self.bytes != bytes || !self.has_text(window, bytes) {
            if self.other == hash {
                return Known::Met;
            }
            self.other = hash;
            return Known::Nothing;
        }
        window.at = bytes;
        let to = core::ptr::from_mut(scan).cast::<u8>();
        // SAFETY: both ranges of the scan are as long as what is copied there, and any bytes are
        // valid in them that were there once.
        unsafe {
            words::copy::<{ NAME_WORDS * 8 }>(self.names.as_ptr().cast(), to);
            words::copy::<{ REST_WORDS * 8 }>(self.rest.as_ptr().cast(), to.add(REST));
        }
        Known::Whole
    }

    /// Remembers the request in the window, which has been read to its end.
    #[inline(always)]
    pub fn keep(&mut self, window: &Window, bytes: u32, scan: &RequestScan, route: u32) {
        if bytes > MEMO_BYTES {
            return;
        }
        self.bytes = bytes;
        self.route = route;
        let from = core::ptr::from_ref(scan).cast::<u8>();
        // SAFETY: as above, the other way round.
        unsafe {
            words::copy::<{ NAME_WORDS * 8 }>(from, self.names.as_mut_ptr().cast());
            words::copy::<{ REST_WORDS * 8 }>(from.add(REST), self.rest.as_mut_ptr().cast());
        }
        let mut at = 0;
        while at < STEPS && !is_beyond(at, bytes) {
            self.text[index(at)] = step(window, at);
            at += 1;
        }
    }

    #[inline(always)]
    fn has_text(&self, window: &Window, bytes: u32) -> bool {
        let mut different = 0;
        let mut at = 0;
        while at < STEPS && !is_beyond(at, bytes) {
            let ([a, b, c, d], [e, f, g, h]) = (self.text[index(at)], step(window, at));
            different |= (a ^ e) | (b ^ f) | (c ^ g) | (d ^ h);
            at += 1;
        }
        different == 0
    }
}

/// The words of a step.
#[inline(always)]
fn step(window: &Window, at: usize) -> [u64; STEP] {
    let first = (at * STEP * 8) as u32;
    [window.word(first), window.word(first + 8), window.word(first + 16), window.word(first + 24)]
}

/// Whether a step begins behind so many bytes.
#[inline(always)]
const fn is_beyond(at: usize, bytes: u32) -> bool {
    (at * STEP * 8) as u32 >= bytes
}

/// A step as an index whose bound the verifier sees.
#[inline(always)]
fn index(at: usize) -> usize {
    opaque(at as u64) as usize & (STEPS - 1)
}

/// A hash of what is in the window, and zeros behind it; nothing if that is more than is remembered.
#[inline(always)]
pub fn hash(window: &mut Window, bytes: u32) -> Option<u64> {
    if bytes == 0 || bytes > MEMO_BYTES {
        return None;
    }
    let mut at = 0;
    while at < STEP {
        window.clear_word(bytes + 8 * at as u32);
        at += 1;
    }
    // As in FNV, but a word at a time, in two lanes; the rotation brings the high bits back down.
    let mut sum = u64::from(bytes);
    let mut at = 0;
    while at < STEPS && !is_beyond(at, bytes) {
        let [a, b, c, d] = step(window, at);
        let left = (sum ^ a).wrapping_mul(LEFT).rotate_left(29) ^ c;
        let right = (b ^ LEFT).wrapping_mul(RIGHT).rotate_left(31) ^ d;
        sum = left.wrapping_mul(LEFT).rotate_left(29).wrapping_add(right.wrapping_mul(RIGHT));
        at += 1;
    }
    Some(sum)
}

// As those of `PathHasher`.
const LEFT: u64 = 0x9e37_79b9_7f4a_7c15;
const RIGHT: u64 = 0xc2b2_ae3d_27d4_eb4f;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::request::{Asked, asked, is_done, read, start, take};

    const KEY: [u64; 2] = [3, 4];

    fn window(text: &[u8]) -> Window {
        let mut window = Window::EMPTY;
        // Whatever was there before means nothing.
        window.bytes.fill(0xa5);
        window.bytes[..text.len()].copy_from_slice(text);
        window.begin(text.len() as u32);
        window
    }

    /// The request, as its reader leaves it, and what it found.
    fn scanned(text: &[u8]) -> RequestScan {
        let mut scan = RequestScan::EMPTY;
        start(&mut scan, KEY);
        read(&mut scan, text);
        scan
    }

    fn recall(memo: &mut Memo, text: &[u8], scan: &mut RequestScan) -> Known {
        let mut window = window(text);
        let hash = hash(&mut window, text.len() as u32).expect("it is short enough");
        memo.recall(&mut window, text.len() as u32, hash, scan)
    }

    fn keep(memo: &mut Memo, text: &[u8]) {
        let mut window = window(text);
        hash(&mut window, text.len() as u32).expect("it is short enough");
        let mut scan = RequestScan::EMPTY;
        start(&mut scan, KEY);
        while !window.is_over() && !is_done(&scan) {
            take(&mut scan, &mut window);
        }
        memo.keep(&window, text.len() as u32, &scan, 7);
    }

    /// A scan with nothing in it that only a reader needs.
    fn outcome(scan: &RequestScan) -> RequestScan {
        let empty = RequestScan::EMPTY;
        let mut scan = *scan;
        scan.levels = empty.levels;
        scan.level_bytes = empty.level_bytes;
        scan.text = empty.text;
        scan
    }

    #[test]
    fn a_request_is_remembered_from_its_second_time_on() {
        let text = b"GET /a HTTP/1.1\r\nHost: b\r\n\r\n";
        let mut memo = Memo::EMPTY;
        let mut scan = RequestScan::EMPTY;
        assert_eq!(recall(&mut memo, text, &mut scan), Known::Nothing);
        assert_eq!(recall(&mut memo, text, &mut scan), Known::Met);
        keep(&mut memo, text);
        assert_eq!(recall(&mut memo, text, &mut scan), Known::Whole);
        assert_eq!(memo.route, 7);
    }

    #[test]
    fn what_came_once_does_not_take_the_place_of_what_comes_often() {
        let often = b"GET /a HTTP/1.1\r\nHost: b\r\n\r\n";
        let mut memo = Memo::EMPTY;
        let mut scan = RequestScan::EMPTY;
        keep(&mut memo, often);
        for number in 0..100 {
            let once = format!("GET /{number} HTTP/1.1\r\nHost: b\r\n\r\n");
            assert_eq!(recall(&mut memo, once.as_bytes(), &mut scan), Known::Nothing);
            assert_eq!(recall(&mut memo, often, &mut scan), Known::Whole);
        }
    }

    #[test]
    fn what_is_too_long_is_not_remembered() {
        let text = vec![b'a'; MEMO_BYTES as usize + 1];
        assert_eq!(hash(&mut window(&text), text.len() as u32), None);
        assert!(hash(&mut window(&text[1..]), MEMO_BYTES).is_some());
        assert_eq!(hash(&mut window(&[]), 0), None);
    }

    proptest! {
        #[test]
        fn what_is_recalled_is_what_reading_it_would_find(
            path in "/([a-z]|%[2-6][1-9]|/[a-z]|\\.[a-z]){0,20}",
            host in "[a-z]{1,10}(\\.[a-z]{1,8}){0,2}",
            encodings in "(gzip|br|zstd|\\*)(;q=0\\.[0-9])?",
            tag in "\"[a-z]{0,10}\"",
            range in "bytes=[0-9]{1,3}-[0-9]{0,3}",
        ) {
            let text = format!(
                "GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: {encodings}\r\n\
                 If-None-Match: {tag}\r\nRange: {range}\r\n\r\n"
            );
            let expected = scanned(text.as_bytes());
            prop_assume!(asked(&expected) == Asked::Path);
            let mut memo = Memo::EMPTY;
            keep(&mut memo, text.as_bytes());
            // Left behind by another request.
            let mut scan = scanned(b"HEAD /x HTTP/1.0\r\nIf-Match: \"q\"\r\nConnection: close\r\n\r\n");
            prop_assert_eq!(recall(&mut memo, text.as_bytes(), &mut scan), Known::Whole);
            prop_assert_eq!(outcome(&scan), outcome(&expected));
        }

        #[test]
        fn other_bytes_are_another_request(
            text in proptest::collection::vec(any::<u8>(), 1..512),
            at: prop::sample::Index,
            flip in 1u8..,
        ) {
            let mut memo = Memo::EMPTY;
            keep(&mut memo, &text);
            let mut scan = RequestScan::EMPTY;
            prop_assert_eq!(recall(&mut memo, &text, &mut scan), Known::Whole);
            let mut other = text.clone();
            other[at.index(text.len())] ^= flip;
            prop_assert_ne!(recall(&mut memo, &other, &mut scan), Known::Whole);
            let mut longer = text.clone();
            longer.push(0);
            if longer.len() <= MEMO_BYTES as usize {
                // Both may have the same hash, and then it seems to have been here before.
                prop_assert_ne!(recall(&mut memo, &longer, &mut scan), Known::Whole);
            }
            prop_assert_eq!(recall(&mut memo, &text, &mut scan), Known::Whole);
        }
    }
}
