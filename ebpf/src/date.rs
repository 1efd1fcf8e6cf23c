//! The value of `Date`: an IMF-fixdate (RFC 9110 section 5.6.7).

use zeroserve_shared::response::DATE_BYTES;

/// A date as it is sent, and its sum. Kept per CPU, because writing one out costs more than
/// copying it and most responses of a second are of the same second.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateText {
    /// The time it says, seconds since the Unix epoch.
    pub unix_s: u32,
    /// The sum of its bytes, as [`checksum`](crate::checksum) has it.
    pub sum: u32,
    /// The text, then zeros, so that any part of it can be copied within bounds.
    pub text: [u8; 64],
}

impl DateText {
    /// Writes out a time.
    #[inline(always)]
    pub fn set(&mut self, unix_s: u32) {
        let bytes = format(unix_s);
        let mut at = 0;
        while at < DATE_BYTES {
            self.text[at] = bytes[at];
            at += 1;
        }
        let mut sum = 0;
        let mut at = 0;
        while at < DATE_BYTES + 1 {
            sum += u16::from_ne_bytes([self.text[at], self.text[at + 1]]) as u32;
            at += 2;
        }
        self.unix_s = unix_s;
        self.sum = sum;
    }
}

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

#[inline(always)]
const fn digit(value: u32) -> u8 {
    b'0' + (value % 10) as u8
}

/// Writes out a time, seconds since the Unix epoch: `Sun, 06 Nov 1994 08:49:37 GMT`.
#[inline(always)]
pub const fn format(unix_s: u32) -> [u8; DATE_BYTES] {
    let days = unix_s / SECONDS_PER_DAY;
    let second = unix_s % SECONDS_PER_DAY;
    let (hours, minutes, seconds) = (second / 3600, second / 60 % 60, second % 60);
    let (year, month, day) = civil(days);
    let [w0, w1, w2] = weekday(days);
    let [m0, m1, m2] = month_name(month);
    [
        w0,
        w1,
        w2,
        b',',
        b' ',
        digit(day / 10),
        digit(day),
        b' ',
        m0,
        m1,
        m2,
        b' ',
        digit(year / 1000),
        digit(year / 100),
        digit(year / 10),
        digit(year),
        b' ',
        digit(hours / 10),
        digit(hours),
        b':',
        digit(minutes / 10),
        digit(minutes),
        b':',
        digit(seconds / 10),
        digit(seconds),
        b' ',
        b'G',
        b'M',
        b'T',
    ]
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use proptest::prelude::*;

    use super::*;

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

        #[test]
        fn a_text_carries_its_sum(unix_s: u32) {
            let mut text = DateText { unix_s: 0, sum: 0, text: [0; 64] };
            text.set(unix_s);
            let sum: u32 = text.text.chunks(2)
                .map(|word| u32::from(u16::from_ne_bytes([word[0], word[1]]))).sum();
            prop_assert_eq!(text.sum, sum);
            prop_assert_eq!(&text.text[..DATE_BYTES], &format(unix_s)[..]);
        }
    }
}
