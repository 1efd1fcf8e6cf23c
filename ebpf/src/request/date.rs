//! Dates that clients send, in all three formats (RFC 9110 section 5.6.7).
//!
//! The name of the day is not looked at: the date says it all. Two digits of a year are taken for
//! those of 1970 to 2069.

use super::{Text, window::word};

/// No date.
pub(super) const INVALID: u64 = u64::MAX;

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
const FIXDATE_BYTES: u32 = 29;
/// `Sun Nov  6 08:49:37 1994`.
const ASCTIME_BYTES: u32 = 24;
/// `, 06-Nov-94 08:49:37 GMT` behind the name of a day, which has six to nine letters.
const RFC_850_BYTES: u32 = 24;

/// Reads a date: seconds since the Unix epoch, zero for what was before; or [`INVALID`].
#[inline(always)]
pub(super) fn parse(text: &Text, bytes: u32) -> u64 {
    // Where the parts are; of RFC 850's format that depends on the name of the day.
    let (comma, day_at, month_at, year_at, time_at) = match bytes {
        FIXDATE_BYTES => (3, 5, 8, 12, 17),
        ASCTIME_BYTES => (3, 8, 4, 20, 11),
        30..=33 => {
            let comma = bytes - RFC_850_BYTES;
            (comma, comma + 2, comma + 5, comma + 9, comma + 12)
        }
        _ => return INVALID,
    };
    let mut sound = match bytes {
        FIXDATE_BYTES => {
            differs(text, comma, b", ")
                | differs(text, day_at + 2, b" ")
                | differs(text, month_at + 3, b" ")
                | differs(text, time_at - 1, b" ")
                | differs(text, time_at + 8, b" GMT")
        }
        ASCTIME_BYTES => {
            differs(text, comma, b" ")
                | differs(text, month_at + 3, b" ")
                | differs(text, time_at - 1, b" ")
                | differs(text, time_at + 8, b" ")
        }
        _ => {
            differs(text, comma, b", ")
                | differs(text, day_at + 2, b"-")
                | differs(text, month_at + 3, b"-")
                | differs(text, time_at - 1, b" ")
                | differs(text, time_at + 8, b" GMT")
        }
    };
    let month = month(text, month_at);
    // Of RFC 850's format this is all there is of it.
    let mut year = two(text, year_at, &mut sound);
    if bytes > FIXDATE_BYTES {
        year += if year < 70 { 2000 } else { 1900 };
    } else {
        year = year * 100 + two(text, year_at + 2, &mut sound);
    }
    let tens = text.byte(day_at);
    // A day of one digit has a blank before it in the format of asctime.
    let tens = if bytes == ASCTIME_BYTES && tens == b' ' { b'0' } else { tens };
    let day = digit(tens, &mut sound) * 10 + digit(text.byte(day_at + 1), &mut sound);
    let days = days(year, month, day);
    let seconds = time(text, time_at, &mut sound);
    if sound < 0 || days == INVALID || seconds == INVALID {
        return INVALID;
    }
    if year < 1970 {
        return 0;
    }
    days * 86_400 + seconds
}

/// The time of day, `08:49:37`, in seconds. A leap second counts as the next one.
#[inline(always)]
fn time(text: &Text, at: u32, sound: &mut i64) -> u64 {
    *sound |= differs(text, at + 2, b":") | differs(text, at + 5, b":");
    let hour = two(text, at, sound);
    let minute = two(text, at + 3, sound);
    let second = two(text, at + 6, sound);
    if hour > 23 || minute > 59 || second > 60 {
        return INVALID;
    }
    u64::from(hour * 3600 + minute * 60 + second)
}

/// Negative if the text has something else at that place. Differences and no branches, because
/// each would double the paths to verify.
#[inline(always)]
fn differs<const BYTES: usize>(text: &Text, at: u32, expected: &[u8; BYTES]) -> i64 {
    const { assert!(BYTES < 8) };
    let found = text.word(at) & ((1 << (8 * BYTES)) - 1);
    -((found ^ word(expected)) as i64)
}

/// A digit; if it is none, `sound` becomes negative.
#[inline(always)]
fn digit(byte: u8, sound: &mut i64) -> u32 {
    let value = i64::from(byte) - i64::from(b'0');
    *sound |= value | (9 - value);
    (value & 0xf) as u32
}

#[inline(always)]
fn two(text: &Text, at: u32, sound: &mut i64) -> u32 {
    digit(text.byte(at), sound) * 10 + digit(text.byte(at + 1), sound)
}

/// The number of a month; zero if it is none.
#[inline(always)]
fn month(text: &Text, at: u32) -> u32 {
    let name = text.word(at) & 0xff_ffff;
    match () {
        () if name == const { word(b"Jan") } => 1,
        () if name == const { word(b"Feb") } => 2,
        () if name == const { word(b"Mar") } => 3,
        () if name == const { word(b"Apr") } => 4,
        () if name == const { word(b"May") } => 5,
        () if name == const { word(b"Jun") } => 6,
        () if name == const { word(b"Jul") } => 7,
        () if name == const { word(b"Aug") } => 8,
        () if name == const { word(b"Sep") } => 9,
        () if name == const { word(b"Oct") } => 10,
        () if name == const { word(b"Nov") } => 11,
        () if name == const { word(b"Dec") } => 12,
        () => 0,
    }
}

/// Days since the Unix epoch, of a day that is not before it (Hinnant, "chrono-compatible low-level
/// date algorithms", `days_from_civil`); or [`INVALID`].
#[inline(always)]
fn days(year: u32, month: u32, day: u32) -> u64 {
    if month == 0 || day == 0 || day > days_in(year, month) {
        return INVALID;
    }
    let shifted_year = if month <= 2 { year.wrapping_sub(1) } else { year };
    let shifted_month = if month <= 2 { month + 9 } else { month - 3 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let leap_days = shifted_year / 4 - shifted_year / 100 + shifted_year / 400;
    let days = shifted_year.wrapping_mul(365).wrapping_add(leap_days + day_of_year);
    u64::from(days.wrapping_sub(719_468))
}

/// How many days a month has.
#[inline(always)]
const fn days_in(year: u32, month: u32) -> u32 {
    const LONG: u32 = 1 << 1 | 1 << 3 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 12;
    if month == 2 {
        let is_leap =
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        return if is_leap { 29 } else { 28 };
    }
    30 + (LONG >> month & 1)
}

#[cfg(test)]
mod tests;
