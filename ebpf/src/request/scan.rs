//! The state of the parser: all that is known of a request while it is being read.

use core::mem::offset_of;

use zeroserve_shared::{
    bypass::{BYPASS_NAMES, Bypass},
    path::PathHasher,
};

use super::{START, Text, field, list, swar, window};
use crate::{bounds::opaque, words};

/// How many beginnings of segments of the path are remembered, for `..` to go back to.
pub(super) const LEVELS: usize = 16;

/// How many entity tags are remembered of `If-Match` and `If-None-Match` together. A tag beyond
/// matches nothing: then the answer is complete though it need not be (or 412, for `If-Match`).
pub(crate) const TAGS: usize = 8;

/// How far the reading of a request has come, and what it has been found to ask for.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestScan {
    /// The path, as far as it has been read.
    pub(super) path: PathHasher,
    /// The host, in lower case.
    pub(super) host: PathHasher,
    /// The path at the beginning of each segment, a ring.
    pub(super) levels: [PathHasher; LEVELS],
    /// Bytes of the path there.
    pub(super) level_bytes: [u16; LEVELS],
    /// What is being put together: a method, a field's name, a member of a list, a value.
    pub(super) text: Text,
    /// Hashes of entity tags, in the order they came in.
    pub(crate) tags: [u64; TAGS],
    /// Hash of the tag being read.
    pub(super) tag: u64,
    /// The value of `Content-Length`.
    pub(super) length: u64,
    /// A number being read.
    pub(super) number: u64,
    /// The value of `If-Modified-Since`, seconds since the Unix epoch.
    pub(crate) modified_since_unix_s: u64,
    /// The value of `If-Unmodified-Since`, seconds since the Unix epoch.
    pub(crate) unmodified_since_unix_s: u64,
    /// The value of `If-Range`: seconds since the Unix epoch, or the hash of a tag.
    pub(crate) range_if: u64,
    /// `Range`: the first byte, or how many of the last.
    pub(crate) range_first: u32,
    /// `Range`: the last byte.
    pub(crate) range_last: u32,
    /// Quality of each coding that `Accept-Encoding` mentions, in thousandths and one more; by
    /// [`Encoding`](zeroserve_shared::route::Encoding), then of `*`.
    pub(crate) qualities: [u16; list::CODINGS],
    /// What `number` will be increased by if the next digit is one: for the digits of a fraction.
    pub(super) scale: u16,
    /// Bytes of the request read so far.
    pub read_bytes: u16,
    /// Bytes of the normalised path read so far.
    pub(super) path_bytes: u16,
    /// Which segment of the path is being read.
    pub(super) level: u16,
    /// The first level that is still remembered.
    pub(super) oldest_level: u16,
    /// What the request has been found to be.
    pub(crate) facts: u16,
    /// Fields that have been there, a bit for each.
    pub(crate) seen: u16,
    /// Fields that have been there with a value that makes sense.
    pub(super) valid: u16,
    /// Fields that have been there more than once.
    pub(super) repeated: u16,
    /// The state of the parser.
    pub(super) state: u8,
    /// Where in its state it is.
    pub(super) phase: u8,
    /// What the field being read is.
    pub(super) field: u8,
    /// A partly read percent-encoded byte, or the coding whose quality is being read.
    pub(super) detail: u8,
    /// Where in a segment of the path it is.
    pub(super) segment: u8,
    /// Bytes of `text` used; more than it has room for if it is too long.
    pub(super) text_bytes: u8,
    /// How many `tags` there are.
    pub(crate) tag_count: u8,
    /// Which of them are of `If-Match`, a bit for each.
    pub(crate) match_tags: u8,
    /// What `Range` asks for.
    pub(crate) range: u8,
    /// What is wrong with it, zero if nothing is.
    pub(super) fault: u8,
    /// Keeps the layout free of padding.
    reserved: u32,
    /// What it must not have to be answered here.
    pub bypass: Bypass,
}

const _: () = zeroserve_shared::size_is::<RequestScan, 624>();
const _: () = assert!(offset_of!(RequestScan, text) % 8 == 0 && START == 0);

/// Starts reading a request. In place, because it is large; `levels` and `level_bytes` keep what
/// they held, because they are written before they are read.
#[inline(always)]
pub fn start(scan: &mut RequestScan, path_key: [u64; 2]) {
    // Not known to lie in memory, or the compiler would copy it by a call of its own `memmove`.
    let [low, high] = path_key;
    scan.path = PathHasher::new([opaque(low), opaque(high)]);
    words::copy_value(&scan.path, &mut scan.host);
    let mut at = offset_of!(RequestScan, text) / 8;
    while at < size_of::<RequestScan>() / 8 {
        // SAFETY: the words from `text` to the end are the scan's own, and in all they belong to
        // zero is a number. Volatile, or the compiler would make it a call of its own `memset`,
        // which writes byte by byte.
        unsafe { core::ptr::from_mut(scan).cast::<u64>().add(at).write_volatile(0) };
        at += 1;
    }
}

impl RequestScan {
    /// Before the first byte.
    pub const EMPTY: Self = Self {
        path: PathHasher::new([0; 2]),
        host: PathHasher::new([0; 2]),
        levels: [PathHasher::new([0; 2]); LEVELS],
        level_bytes: [0; LEVELS],
        text: Text::EMPTY,
        tags: [0; TAGS],
        tag: 0,
        length: 0,
        number: 0,
        modified_since_unix_s: 0,
        unmodified_since_unix_s: 0,
        range_if: 0,
        range_first: 0,
        range_last: 0,
        qualities: [0; list::CODINGS],
        scale: 0,
        read_bytes: 0,
        path_bytes: 0,
        level: 0,
        oldest_level: 0,
        facts: 0,
        seen: 0,
        valid: 0,
        repeated: 0,
        state: START,
        phase: 0,
        field: 0,
        detail: 0,
        segment: 0,
        text_bytes: 0,
        tag_count: 0,
        match_tags: 0,
        range: 0,
        fault: 0,
        reserved: 0,
        bypass: Bypass { headers: [0; BYPASS_NAMES], cookies: [0; BYPASS_NAMES] },
    };

    /// Whether a field has been there.
    #[inline(always)]
    pub(crate) const fn mentions(&self, field: field::Field) -> bool {
        self.seen & field.bit() != 0
    }

    /// Whether a field has been there, once, with a value that makes sense.
    #[inline(always)]
    pub(crate) const fn has(&self, field: field::Field) -> bool {
        self.valid & !self.repeated & field.bit() != 0
    }

    /// Adds the first bytes of a word to the text.
    #[inline(always)]
    pub(super) fn append(&mut self, word: u64, bytes: u32) {
        let used = u32::from(self.text_bytes);
        if used < window::TEXT_BYTES as u32 {
            self.text.put(used, swar::first(word, bytes));
        }
        let used = used + bytes;
        if used <= window::TEXT_BYTES as u32 {
            self.text_bytes = used as u8;
        } else {
            self.text_bytes = TOO_LONG;
            self.text.words[window::TEXT_BYTES / 8] = 0;
        }
    }

    /// Forgets the text.
    #[inline(always)]
    pub(super) fn clear_text(&mut self) {
        self.text.clear();
        self.text_bytes = 0;
    }
}

/// What `text_bytes` is of a text that is too long.
const TOO_LONG: u8 = window::TEXT_BYTES as u8 + 1;
