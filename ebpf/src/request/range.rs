//! `Range` (RFC 9110 section 14.2): one range of bytes.
//!
//! Several ranges are answered with the whole, which is always allowed, and so is a unit that is
//! not known and whatever makes no sense.

use super::{RequestScan, field::RANGE, window::word};
use crate::request::swar::byte_at;

/// From one byte to another.
pub(crate) const BOTH: u8 = 1;
/// From one byte to the end.
pub(crate) const OPEN: u8 = 2;
/// So many of the last bytes.
pub(crate) const SUFFIX: u8 = 3;

// The phases below this are bytes of the unit that have been read.
const FIRST: u8 = 6;
const FIRST_DIGITS: u8 = 7;
const LAST: u8 = 8;
const LAST_DIGITS: u8 = 9;
const SUFFIX_LENGTH: u8 = 10;
const SUFFIX_DIGITS: u8 = 11;
/// After a blank behind the range.
const OPEN_OVER: u8 = 12;
const BOTH_OVER: u8 = 13;
const SUFFIX_OVER: u8 = 14;
const IGNORED: u8 = 15;

/// In the value.
#[inline(always)]
pub(super) fn take(scan: &mut RequestScan, byte: u8) -> u32 {
    const UNIT: u64 = word(b"bytes=");
    let is_blank = byte == b' ' || byte == b'\t';
    scan.phase = match (byte, scan.phase) {
        (_, 0) if is_blank => 0,
        (_, phase) if phase < FIRST => {
            let expected = byte_at(UNIT, u32::from(phase));
            // Of `=` the lower case is `=`.
            if byte | 0x20 == expected { phase + 1 } else { IGNORED }
        }
        (b'0'..=b'9', FIRST | FIRST_DIGITS) => {
            scan.range_first = with_digit(scan.range_first, byte);
            FIRST_DIGITS
        }
        (b'-', FIRST) => SUFFIX_LENGTH,
        (b'-', FIRST_DIGITS) => LAST,
        (b'0'..=b'9', LAST | LAST_DIGITS) => {
            scan.range_last = with_digit(scan.range_last, byte);
            LAST_DIGITS
        }
        (b'0'..=b'9', SUFFIX_LENGTH | SUFFIX_DIGITS) => {
            scan.range_first = with_digit(scan.range_first, byte);
            SUFFIX_DIGITS
        }
        (_, LAST | OPEN_OVER) if is_blank => OPEN_OVER,
        (_, LAST_DIGITS | BOTH_OVER) if is_blank => BOTH_OVER,
        (_, SUFFIX_DIGITS | SUFFIX_OVER) if is_blank => SUFFIX_OVER,
        _ => IGNORED,
    };
    1
}

/// A number with another digit. One that is too large stays larger than any body.
#[inline(always)]
const fn with_digit(number: u32, digit: u8) -> u32 {
    if number > u32::MAX / 16 { u32::MAX } else { number * 10 + (digit - b'0') as u32 }
}

/// At the end of the value.
#[inline(always)]
pub(super) fn end(scan: &mut RequestScan) {
    scan.range = match scan.phase {
        LAST | OPEN_OVER => OPEN,
        // RFC 9110 section 14.1.1: otherwise it is invalid.
        LAST_DIGITS | BOTH_OVER if scan.range_first <= scan.range_last => BOTH,
        SUFFIX_DIGITS | SUFFIX_OVER => SUFFIX,
        _ => return,
    };
    scan.valid |= RANGE.bit();
}
