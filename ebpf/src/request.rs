//! What a request asks for (RFC 9112 sections 2 to 6, RFC 9110 sections 7, 12, 13 and 14).
//!
//! The request is read by a state machine whose whole state is the [`RequestScan`], so it may
//! arrive in pieces of any size and no piece is stored. [`take`] reads up to a word at a time of
//! what belongs together, and skips as much as it finds of what means nothing; how it is cut into
//! pieces changes nothing about the outcome.
//!
//! What is malformed is refused, never guessed at (RFC 9112 section 2.2); [`Refusal`] has a variant
//! for each class of mistake. A field that only offers something (`Range`, `Accept-Encoding`,
//! preconditions) is ignored if its value makes no sense, as RFC 9110 has it for each.
//!
//! | module | what it reads |
//! |---|---|
//! | [`scan`] | nothing: it holds the state |
//! | [`line`] | the request line |
//! | [`path`] | the path, decoded and normalised |
//! | [`host`] | `Host`, or the authority of the target |
//! | [`field`] | names of fields, and which values matter |
//! | [`list`] | values that are lists of words |
//! | [`tags`] | lists of entity tags |
//! | [`range`] | `Range` |
//! | [`cookies`] | names of cookies, where they matter |
//! | [`date`] | dates in all three formats |
//! | [`swar`], [`window`] | eight bytes at a time |
//! | [`memo`] | nothing: it remembers what has been read |

mod characters;
mod cookies;
mod date;
pub(crate) mod field;
mod host;
mod line;
pub(crate) mod list;
pub mod memo;
mod path;
pub(crate) mod range;
mod scan;
mod swar;
mod tags;
mod window;

use core::ops::RangeInclusive;

use zeroserve_shared::{path::PathHash, refusal::Refusal, route::FixedRoute};

pub(crate) use scan::TAGS;
pub use scan::{RequestScan, start};
pub use window::{Text, WINDOW_BYTES, Window};

/// The longest request line and header section, in bytes. More is answered with 431.
pub const MAX_REQUEST_BYTES: u16 = 16 << 10;

/// It is a HEAD request.
const HEAD: u16 = 1;
/// It is a GET request.
const GET: u16 = 2;
/// It is an OPTIONS request.
const OPTIONS: u16 = 4;
/// Its method is that of the HTTP/2 preface (RFC 9113 section 3.4).
const PRI: u16 = 8;
/// It is HTTP/1.0.
const HTTP_1_0: u16 = 16;
/// The client wants the connection closed after the answer (RFC 9112 section 9.6).
const CLOSE: u16 = 32;
/// The client wants the connection kept although the version is 1.0.
const KEEP_ALIVE: u16 = 64;
/// The target had an authority, which overrides `Host` (RFC 9112 section 3.2.2).
const AUTHORITY: u16 = 128;
/// There was the transfer coding `chunked`.
const CHUNKED: u16 = 256;
/// There was another transfer coding after it, or `chunked` again.
const CHUNKED_INSIDE: u16 = 512;
/// `If-None-Match` has `*`.
pub(crate) const NONE_MATCH_ANY: u16 = 1 << 10;
/// `If-Match` has `*`.
pub(crate) const MATCH_ANY: u16 = 1 << 11;
/// `If-Range` is an entity tag, whose hash stands in its place, and no date.
pub(crate) const RANGE_IF_TAG: u16 = 1 << 12;

/// The client offers to go on in another protocol (RFC 9110 section 7.8).
const UPGRADE: u16 = 1 << 13;

/// It has something that a rule names.
const BYPASS: u16 = 1 << 14;

/// What another request for the same path got is no answer to it, see [`is_particular`].
const PARTICULAR: u16 = 1 << 15;

// What is being read, in the order in which a request passes through it.
const START: u8 = 0;
/// An empty line before the request line has begun.
const START_LINE_FEED: u8 = 1;
const METHOD: u8 = 2;
const TARGET: u8 = 3;
/// `http://`, of which `phase` bytes have been read.
const SCHEME: u8 = 4;
const TARGET_HOST: u8 = 5;
const PATH: u8 = 6;
const ESCAPE_HIGH: u8 = 7;
const ESCAPE_LOW: u8 = 8;
/// The rest of the target means nothing: a query, or anything if the method is unknown.
const REST: u8 = 9;
/// The target was `*`: nothing may follow.
const ASTERISK: u8 = 10;
/// `HTTP/1.1`, of which `phase` bytes have been read.
const VERSION: u8 = 11;
/// A line has ended but for its LF.
const LINE_FEED: u8 = 12;
/// The empty line that ends the request has begun.
const LAST_LINE_FEED: u8 = 13;
const FIELD_START: u8 = 14;
const FIELD_NAME: u8 = 15;
/// In a value that does not matter.
const VALUE_SKIPPED: u8 = 16;
const HOST_VALUE: u8 = 17;
/// In another value that matters.
const FIELD_VALUE: u8 = 18;
/// At the end of that, or at what cannot be in it.
const VALUE_END: u8 = 19;
/// The request is complete, or is refused: nothing more is to be read.
const DONE: u8 = 20;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// More bytes are needed.
    Incomplete,
    /// What the path leads to.
    Path,
    /// What may be done (RFC 9110 section 9.3.7).
    Options,
    /// Nothing that it could be given: [`refusal_number`] tells why.
    Refused,
}

/// Whether nothing more is to be read.
#[inline(always)]
pub const fn is_done(scan: &RequestScan) -> bool {
    scan.state == DONE
}

/// Whether nothing of a request has been read yet.
#[inline(always)]
pub const fn is_untouched(scan: &RequestScan) -> bool {
    scan.read_bytes == 0
}

/// What the request asks for, as far as it has been read.
#[inline(always)]
pub const fn asked(scan: &RequestScan) -> Asked {
    if scan.state != DONE {
        Asked::Incomplete
    } else if scan.fault != 0 {
        Asked::Refused
    } else if scan.facts & OPTIONS != 0 {
        Asked::Options
    } else {
        Asked::Path
    }
}

/// Why it is refused, as the number of a [`Refusal`]; only if it is.
#[inline(always)]
pub const fn refusal_number(scan: &RequestScan) -> u32 {
    (scan.fault as u32).wrapping_sub(1)
}

/// Why it is refused, if it is.
pub fn refusal(scan: &RequestScan) -> Option<Refusal> {
    Refusal::ALL.get(refusal_number(scan) as usize).copied()
}

/// The number of the [`FixedRoute`] that a refusal, by its number, is answered with. Its bits come
/// from sets in a word each, because a table would need a map of its own.
#[inline(always)]
pub const fn route_of(refusal_number: u32) -> u32 {
    const fn with_bit(bit: u32) -> u64 {
        let mut set = 0;
        let mut index = 0;
        while index < Refusal::COUNT {
            set |= ((Refusal::ALL[index].route() as u64 >> bit) & 1) << index;
            index += 1;
        }
        set
    }
    const BITS: [u64; 4] = [with_bit(0), with_bit(1), with_bit(2), with_bit(3)];
    const { assert!(Refusal::COUNT <= 64 && FixedRoute::ALL.len() <= 16) };
    let at = refusal_number & 63;
    (BITS[0] >> at & 1
        | (BITS[1] >> at & 1) << 1
        | (BITS[2] >> at & 1) << 2
        | (BITS[3] >> at & 1) << 3) as u32
}

/// The path asked for.
#[inline(always)]
pub const fn path(scan: &RequestScan) -> PathHash {
    scan.path.finish()
}

/// The host asked, without its port: that of an absolute target, or of `Host`.
#[inline(always)]
pub const fn host(scan: &RequestScan) -> PathHash {
    scan.host.finish()
}

/// Whether it is a GET request.
#[inline(always)]
pub const fn is_get(scan: &RequestScan) -> bool {
    scan.facts & GET != 0
}

/// Whether only the head of the answer is wanted.
#[inline(always)]
pub const fn wants_head(scan: &RequestScan) -> bool {
    scan.facts & HEAD != 0
}

/// Whether the connection ends with the answer (RFC 9112 sections 9.3 and 9.6). It also does if
/// a body follows, because nothing here reads bodies.
#[inline(always)]
pub const fn wants_close(scan: &RequestScan) -> bool {
    scan.facts & CLOSE != 0 || scan.facts & (HTTP_1_0 | KEEP_ALIVE) == HTTP_1_0 || has_body(scan)
}

/// Whether a body follows.
#[inline(always)]
pub const fn has_body(scan: &RequestScan) -> bool {
    scan.length > 0 || scan.seen & field::TRANSFER_ENCODING.bit() != 0
}

/// Whether the client offers to go on in another protocol.
#[inline(always)]
pub const fn wants_upgrade(scan: &RequestScan) -> bool {
    scan.facts & UPGRADE != 0
}

/// Whether it has something that a rule of [`RequestScan::bypass`] names.
#[inline(always)]
pub const fn bypasses(scan: &RequestScan) -> bool {
    scan.facts & BYPASS != 0
}

/// Whether what another request for the same path got is no answer to it: it has a query, which is
/// part of a cache's key (RFC 9111 section 2), or credentials (section 3.5), or its path is spelt in
/// a way that is normalised here and may mean something else to the server behind.
#[inline(always)]
pub const fn is_particular(scan: &RequestScan) -> bool {
    scan.facts & PARTICULAR != 0
}

/// Reads on in a window, where it stands: one byte or more, unless the request has grown too long.
/// Not to be called once [`is_done`], or if the window has come to its end.
///
/// The kernel calls it again and again, and a call costs it more than reading a dozen bytes. So
/// the states are gone through in the order in which a request passes through them, each taking
/// as much as it can; for the verifier that is one after the other, not one within another.
#[inline(always)]
pub fn take(scan: &mut RequestScan, window: &mut Window) {
    let most = u32::from(MAX_REQUEST_BYTES.wrapping_sub(scan.read_bytes));
    let before = window.at;
    let left = window.end.wrapping_sub(before);
    window.stop = before.wrapping_add(if left < most { left } else { most });
    if most == 0 || most > u32::from(MAX_REQUEST_BYTES) {
        return refuse(scan, Refusal::HeaderTooLarge);
    }
    stage::<2>(scan, window, START..=SCHEME, line::take);
    stage::<2>(scan, window, TARGET_HOST..=TARGET_HOST, line::target_host);
    stage::<4>(scan, window, PATH..=ESCAPE_LOW, path::take);
    stage::<4>(scan, window, REST..=REST, line::rest);
    stage::<1>(scan, window, ASTERISK..=ASTERISK, line::asterisk);
    stage::<2>(scan, window, VERSION..=VERSION, line::version);
    stage::<1>(scan, window, LINE_FEED..=LAST_LINE_FEED, line::line_feed);
    stage::<1>(scan, window, FIELD_START..=FIELD_START, field::start);
    stage::<3>(scan, window, FIELD_NAME..=FIELD_NAME, field::name);
    stage::<MOST_SKIPPED>(scan, window, VALUE_SKIPPED..=VALUE_SKIPPED, field::skip);
    stage::<3>(scan, window, HOST_VALUE..=HOST_VALUE, field::host_value);
    stage::<4>(scan, window, FIELD_VALUE..=FIELD_VALUE, field::value);
    stage::<1>(scan, window, VALUE_END..=VALUE_END, field::value_end);
    scan.read_bytes = scan.read_bytes.wrapping_add(window.at.wrapping_sub(before) as u16);
}

/// Most words skipped at a time of a value that does not matter.
const MOST_SKIPPED: u32 = 16;

/// Takes up to `TIMES` times what is next, as long as the state is one of those given.
#[inline(always)]
fn stage<const TIMES: u32>(
    scan: &mut RequestScan,
    window: &mut Window,
    states: RangeInclusive<u8>,
    take: impl Fn(&mut RequestScan, u64, u32) -> u32,
) {
    let (first, last) = (*states.start(), *states.end());
    let mut times = 0;
    while times < TIMES {
        let state = forgotten(&scan.state);
        let at = forgotten(&window.at);
        let left = forgotten(&window.stop).wrapping_sub(at);
        if state < first || state > last || left == 0 {
            break;
        }
        window.at = at.wrapping_add(take(scan, window.word(at), left));
        times += 1;
    }
}

/// What is in memory, as if nothing were known about it: the verifier knows nothing of what it
/// reads from there, and so need not follow how it came about.
#[inline(always)]
fn forgotten<T: Copy>(value: &T) -> T {
    // SAFETY: it is a reference.
    unsafe { core::ptr::from_ref(value).read_volatile() }
}

/// Reads on in some bytes, and says how many of them it took: all, unless the request ends before.
#[cfg(not(target_arch = "bpf"))]
pub fn read(scan: &mut RequestScan, bytes: &[u8]) -> usize {
    let mut window = Window::EMPTY;
    let mut total = 0;
    for chunk in bytes.chunks(WINDOW_BYTES) {
        window.bytes[..chunk.len()].copy_from_slice(chunk);
        window.begin(chunk.len() as u32);
        while !window.is_over() && !is_done(scan) {
            take(scan, &mut window);
        }
        total += window.at as usize;
    }
    total
}

/// Refuses the request: nothing more of it is to be read.
#[inline(always)]
pub const fn refuse(scan: &mut RequestScan, refusal: Refusal) {
    scan.fault = refusal as u8 + 1;
    scan.state = DONE;
}

#[cfg(test)]
mod tests;
