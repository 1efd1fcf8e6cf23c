//! Numbers, times and commands as people read them: short, always with a unit.

use std::{
    fmt::Write as _,
    path::Path,
    time::{Duration, SystemTime},
};

use humansize::DECIMAL;
use unicode_truncate::{Alignment, UnicodeTruncateStr as _};
use unicode_width::UnicodeWidthStr as _;

/// What stands where there is no value yet.
pub(crate) const NONE: &str = "–";

/// A count: exact below a thousand, else three digits and an SI prefix.
pub(crate) fn count(value: u64) -> String {
    counted(value as f64, value < 1000)
}

/// Bytes, in powers of a thousand.
pub(crate) fn bytes(value: u64) -> String {
    short(value as f64, value < 1000)
}

/// A count per second.
pub(crate) fn rate(value: Option<f64>) -> String {
    value.map_or_else(|| NONE.into(), |rate| counted(rate, is_whole(rate)) + "/s")
}

/// Bytes per second.
pub(crate) fn byte_rate(value: Option<f64>) -> String {
    value.map_or_else(|| NONE.into(), |rate| short(rate, rate < 999.5) + "/s")
}

/// A part of a whole, in per cent.
pub(crate) fn share(value: Option<f64>) -> String {
    value.map_or_else(
        || NONE.into(),
        |share| {
            let percent = share * 100.0;
            if percent < 9.95 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
        },
    )
}

fn is_whole(rate: f64) -> bool {
    rate == 0.0 || (99.5..999.5).contains(&rate)
}

/// As bytes, without the unit.
fn counted(value: f64, whole: bool) -> String {
    short(value, whole).trim_end_matches('B').trim_end().into()
}

/// Bytes in three digits, or less if they are whole.
fn short(value: f64, whole: bool) -> String {
    if whole {
        return humansize::format_size_i(value, DECIMAL.decimal_places(0));
    }
    // humansize is told how many decimals, not how many digits, and rounds after it has chosen
    // the unit. Rounding first tells both: 999 600 is 1.00e6, so 1.00 MB and not 1000 kB.
    let rounded = format!("{value:.2e}");
    let exponent = rounded.split_once('e').and_then(|(_, exponent)| exponent.parse::<u8>().ok());
    // Below one the exponent is negative, and there is no prefix.
    let decimals = 2 - usize::from(exponent.unwrap_or(0) % 3);
    let value = rounded.parse().map_or(value, |rounded: f64| rounded.max(value));
    humansize::format_size_i(value, DECIMAL.decimal_places(decimals).decimal_zeroes(decimals))
}

/// How high something is between nothing and one, as a sign; none for nothing.
pub(crate) fn level(height: f32) -> Option<char> {
    const LEVELS: [char; 7] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇'];
    let level = (height * LEVELS.len() as f32).ceil() as usize;
    (height > 0.0).then(|| LEVELS[level.clamp(1, LEVELS.len()) - 1])
}

/// A curve of one line, scaled to its highest point; a blank is zero.
pub(crate) fn spark(points: &[f32]) -> String {
    let peak = points.iter().copied().fold(0.0, f32::max);
    points.iter().map(|point| level(*point / peak.max(f32::MIN_POSITIVE)).unwrap_or(' ')).collect()
}

/// A count with a space between groups of three digits, exact.
pub(crate) fn exact(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// How long something has lasted, in its two largest units.
pub(crate) fn duration(span: Duration) -> String {
    let s = span.as_secs();
    let (minutes, hours, days) = (s / 60, s / 3600, s / 86_400);
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{minutes} min {:02} s", s % 60),
        3600..86_400 => format!("{hours} h {:02} min", minutes % 60),
        _ => format!("{days} d {:02} h", hours % 24),
    }
}

/// Date and time (UTC), to the second.
pub(crate) fn date(time: SystemTime) -> String {
    // An IMF-fixdate, "Sun, 06 Nov 1994 08:49:37 GMT", less the day of the week.
    let date = httpdate::fmt_http_date(time);
    date.split_once(", ").map_or(date.clone(), |(_, rest)| rest.replace("GMT", "UTC"))
}

/// The day (UTC), as in `23 Nov 2026`.
pub(crate) fn day(time: SystemTime) -> String {
    let date = date(time);
    date.splitn(4, ' ').take(3).collect::<Vec<_>>().join(" ")
}

/// The time of day (UTC).
pub(crate) fn time_of_day(time: SystemTime) -> String {
    let s = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    format!("{:02}:{:02}:{:02}", s / 3600 % 24, s / 60 % 60, s % 60)
}

/// The time of day (UTC), to the millisecond.
pub(crate) fn time_of_day_ms(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("{}.{:03}", time_of_day(time), since.subsec_millis())
}

/// A time as part of a file's name: `20261123T031207Z`.
pub(crate) fn stamp(time: SystemTime) -> String {
    // "06 Nov 1994 08:49:37 UTC"
    let date = date(time);
    let words: Vec<&str> = date.split(' ').collect();
    let [day, month, year, clock, ..] = words[..] else { return date.replace([' ', ':'], "-") };
    let months =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = 1 + months.iter().position(|name| *name == month).unwrap_or(0);
    format!("{year}{month:02}{day}T{}Z", clock.replace(':', ""))
}

/// A hash in hexadecimal, its first `bytes` bytes.
pub(crate) fn hex(hash: &[u8; 32], bytes: usize) -> String {
    hash.iter().take(bytes).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A word of a shell command, quoted if it must be.
pub(crate) fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A command line of this program.
pub(crate) fn command(interface: &str, verb: &str, words: &[String]) -> String {
    let mut command = format!("zeroserve-tui {verb} {}", shell_word(interface));
    for word in words {
        command.push(' ');
        command.push_str(word);
    }
    command
}

/// A decoded path as it has to be typed: what would mean something else is percent-encoded.
pub(crate) fn typed_path(decoded: &str) -> String {
    decoded.replace('%', "%25").replace('?', "%3F").replace('#', "%23")
}

/// A path as a word of a shell command.
pub(crate) fn shell_path(path: &Path) -> String {
    shell_word(&path.display().to_string())
}

/// Shortens text to a width in columns, leaving out its middle: the beginning of a path says
/// where, the end what.
pub(crate) fn shortened(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.into();
    }
    if width < 4 {
        return text.unicode_truncate(width).0.into();
    }
    let (head, taken) = text.unicode_truncate((width - 1) / 3);
    let (tail, _) = text.unicode_truncate_start(width - 1 - taken);
    format!("{head}…{tail}")
}

/// Shortens text to a width in columns, leaving out its end, as fits sentences and lists.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.into();
    }
    format!("{}…", text.unicode_truncate(width.saturating_sub(1)).0)
}

/// Text in exactly so many columns: shortened, or with spaces behind.
pub(crate) fn padded(text: &str, width: usize) -> String {
    // What cannot be drawn would have a width all the same.
    let text = text.replace(char::is_control, "�");
    shortened(&text, width).unicode_pad(width, Alignment::Left, false).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::text::Span;

    use super::*;

    #[test]
    fn numbers_keep_three_digits() {
        for (value, expected) in [
            (0, "0"),
            (999, "999"),
            (1000, "1.00 k"),
            (1001, "1.00 k"),
            (9_994, "9.99 k"),
            (9_996, "10.0 k"),
            (99_960, "100 k"),
            (999_499, "999 k"),
            (999_500, "1.00 M"),
            (212_345_678, "212 M"),
            (u64::MAX, "18.4 E"),
        ] {
            assert_eq!(count(value), expected, "{value}");
        }
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(272), "272 B");
        assert_eq!(bytes(999_600), "1.00 MB");
        assert_eq!(bytes(1_260_000_000), "1.26 GB");
    }

    #[test]
    fn rates_have_a_unit_and_none_is_a_dash() {
        assert_eq!(rate(None), "–");
        assert_eq!(rate(Some(0.0)), "0/s");
        assert_eq!(rate(Some(0.25)), "0.25/s");
        assert_eq!(rate(Some(212_000.0)), "212 k/s");
        assert_eq!(byte_rate(Some(0.4)), "0 B/s");
        assert_eq!(byte_rate(Some(1.26e9)), "1.26 GB/s");
    }

    #[test]
    fn shares_are_in_per_cent() {
        let texts = [None, Some(0.0), Some(0.004), Some(0.0996), Some(1.5)].map(share);
        assert_eq!(texts, ["–", "0.0 %", "0.4 %", "10 %", "150 %"]);
    }

    #[test]
    fn a_curve_has_a_sign_for_each_point_and_none_for_zero() {
        assert_eq!(spark(&[0.0, 1.0, 50.0, 99.0, 100.0]), " ▁▄▇▇");
        assert_eq!(spark(&[0.0, 0.0]), "  ");
        assert_eq!(spark(&[0.001]), "▇");
    }

    #[test]
    fn times_are_in_their_two_largest_units() {
        for (s, expected) in
            [(59, "59 s"), (192, "3 min 12 s"), (3_720, "1 h 02 min"), (273_600, "3 d 04 h")]
        {
            assert_eq!(duration(Duration::from_secs(s)), expected);
        }
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert_eq!(date(time), "06 Nov 1994 08:49:37 UTC");
        assert_eq!(time_of_day(time), "08:49:37");
    }

    #[test]
    fn words_that_a_shell_would_split_are_quoted() {
        assert_eq!(shell_word("/app.js"), "/app.js");
        assert_eq!(shell_word("my file"), "'my file'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
        assert_eq!(shell_word(""), "''");
    }

    proptest! {
        #[test]
        fn a_number_is_never_wider_than_its_column(value: u64, rated in 0.0..1e15f64) {
            prop_assert!(count(value).chars().count() <= 6);
            prop_assert!(bytes(value).chars().count() <= 7);
            prop_assert!(rate(Some(rated)).chars().count() <= 8);
            prop_assert!(byte_rate(Some(rated)).chars().count() <= 9);
        }

        #[test]
        fn a_short_number_has_three_digits_and_is_near_the_exact_one(value in 1000u64..) {
            let short = count(value);
            let (digits, prefix) = short.split_once(' ').unwrap();
            prop_assert_eq!(digits.chars().filter(char::is_ascii_digit).count(), 3, "{}", short);
            let power = " kMGTPE".find(prefix).unwrap() as i32;
            let told = digits.parse::<f64>().unwrap() * 1000f64.powi(power);
            prop_assert!((told / value as f64 - 1.0).abs() <= 0.005_001, "{} {}", value, short);
        }

        #[test]
        fn shortened_text_fits(text: String, width in 0usize..40) {
            prop_assert!(shortened(&text, width).width() <= width);
        }

        #[test]
        fn padded_text_fills_its_columns_on_the_screen(text: String, width in 0usize..40) {
            prop_assert_eq!(Span::raw(padded(&text, width)).width(), width);
        }

        #[test]
        fn exact_keeps_every_digit(value: u64) {
            prop_assert_eq!(exact(value).replace(' ', ""), value.to_string());
        }
    }
}
