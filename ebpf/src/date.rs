//! The value of `Date`: an IMF-fixdate (RFC 9110 section 5.6.7).

use zeroserve_shared::response::DATE_BYTES;

const SECONDS_PER_DAY: u32 = 86_400;

/// Three letters packed into a number, so that they need no table in read-only data.
#[inline(always)]
const fn letters(packed: u32) -> [u8; 3] {
    [(packed >> 16) as u8, (packed >> 8) as u8, packed as u8]
}

macro_rules! packed {
    ($name:literal) => {
        ($name[0] as u32) << 16 | ($name[1] as u32) << 8 | $name[2] as u32
    };
}

#[inline(always)]
const fn weekday(days: u32) -> [u8; 3] {
    // The epoch was a Thursday.
    letters(match days % 7 {
        0 => packed!(b"Thu"),
        1 => packed!(b"Fri"),
        2 => packed!(b"Sat"),
        3 => packed!(b"Sun"),
        4 => packed!(b"Mon"),
        5 => packed!(b"Tue"),
        _ => packed!(b"Wed"),
    })
}

#[inline(always)]
const fn month_name(month: u32) -> [u8; 3] {
    letters(match month {
        1 => packed!(b"Jan"),
        2 => packed!(b"Feb"),
        3 => packed!(b"Mar"),
        4 => packed!(b"Apr"),
        5 => packed!(b"May"),
        6 => packed!(b"Jun"),
        7 => packed!(b"Jul"),
        8 => packed!(b"Aug"),
        9 => packed!(b"Sep"),
        10 => packed!(b"Oct"),
        11 => packed!(b"Nov"),
        _ => packed!(b"Dec"),
    })
}

/// Year, month and day of a day since the epoch (Hinnant, "chrono-compatible low-level date
/// algorithms", `civil_from_days`, for days after the epoch only).
#[inline(always)]
const fn civil(days: u32) -> (u32, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + (month <= 2) as u32, month, day)
}

/// Writes out a time, seconds since the Unix epoch: `Sun, 06 Nov 1994 08:49:37 GMT`.
///
/// Straight into its place: an array of it would be put together on the stack first.
#[inline(always)]
pub const fn write<const ROOM: usize>(text: &mut [u8; ROOM], unix_s: u32) {
    const { assert!(ROOM >= DATE_BYTES) };
    let days = unix_s / SECONDS_PER_DAY;
    let second = unix_s % SECONDS_PER_DAY;
    let (year, month, day) = civil(days);
    put(text, 0, weekday(days));
    put(text, 3, *b", ");
    put(text, 5, two_digits(day));
    put(text, 7, *b" ");
    put(text, 8, month_name(month));
    put(text, 11, *b" ");
    put(text, 12, two_digits(year / 100));
    put(text, 14, two_digits(year));
    put(text, 16, *b" ");
    put(text, 17, two_digits(second / 3600));
    put(text, 19, *b":");
    put(text, 20, two_digits(second / 60 % 60));
    put(text, 22, *b":");
    put(text, 23, two_digits(second % 60));
    put(text, 25, *b" GMT");
}

#[inline(always)]
const fn put<const ROOM: usize, const BYTES: usize>(
    text: &mut [u8; ROOM],
    at: usize,
    bytes: [u8; BYTES],
) {
    let mut index = 0;
    while index < BYTES {
        text[at + index] = bytes[index];
        index += 1;
    }
}

/// The last two digits of a number.
#[inline(always)]
const fn two_digits(number: u32) -> [u8; 2] {
    [b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8]
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use proptest::prelude::*;

    use super::*;

    fn format(unix_s: u32) -> [u8; DATE_BYTES] {
        let mut text = [0; DATE_BYTES];
        write(&mut text, unix_s);
        text
    }

    #[test]
    fn the_example_of_rfc_9110() {
        assert_eq!(&format(784_111_777), b"Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn leap_days_and_the_ends_of_the_range() {
        assert_eq!(&format(0), b"Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(&format(951_782_400), b"Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(&format(u32::MAX), b"Sun, 07 Feb 2106 06:28:15 GMT");
    }

    proptest! {
        #[test]
        fn it_agrees_with_an_independent_implementation(unix_s: u32) {
            let time = UNIX_EPOCH + Duration::from_secs(u64::from(unix_s));
            let expected = httpdate::fmt_http_date(time);
            prop_assert_eq!(&format(unix_s)[..], expected.as_bytes());
        }
    }
}
