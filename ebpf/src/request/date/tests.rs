//! Dates as clients write them, and what they mean.

use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;

use super::*;

fn read(written: &str) -> Option<u64> {
    let mut text = Text::EMPTY;
    for (at, byte) in written.bytes().enumerate().take(64) {
        text.put(at as u32, u64::from(byte));
    }
    let unix_s = parse(&text, written.len() as u32);
    (unix_s != INVALID).then_some(unix_s)
}

#[test]
fn the_three_examples_of_rfc_9110_are_the_same_time() {
    for written in [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ] {
        assert_eq!(read(written), Some(784_111_777), "{written}");
    }
}

#[test]
fn days_of_every_length_of_name_leap_days_and_ends() {
    for (written, unix_s) in [
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Wed, 31 Dec 1969 23:59:59 GMT", 0),
        ("Tue, 29 Feb 2000 00:00:00 GMT", 951_782_400),
        ("Tue Feb 29 00:00:00 2000", 951_782_400),
        ("Tuesday, 29-Feb-00 00:00:00 GMT", 951_782_400),
        ("Wednesday, 01-Mar-00 00:00:00 GMT", 951_868_800),
        ("Thursday, 01-Jan-70 00:00:01 GMT", 1),
        ("Tuesday, 31-Dec-69 00:00:00 GMT", 3_155_673_600),
        ("Sat, 31 Dec 2016 23:59:60 GMT", 1_483_228_800),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
    ] {
        assert_eq!(read(written), Some(unix_s), "{written}");
    }
}

#[test]
fn what_is_no_date_is_none() {
    for written in [
        "",
        "0",
        "784111777",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +00",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nox 1994 08:49:37 GMT",
        "Sun,  6 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Thu, 31 Nov 1994 08:49:37 GMT",
        "Tue, 29 Feb 1900 08:49:37 GMT",
        "Wed, 29 Feb 2023 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1994 08-49-37 GMT",
        "Sun, 06-Nov-1994 08:49:37 GMT",
        "Sun, 0x Nov 1994 08:49:37 GMT",
        "Sun; 06 Nov 1994 08:49:37 GMT",
        "Sun Nov 06 08:49:37 94",
        "Sun Nov 6 08:49:37 1994 ",
        "Sunday, 06 Nov 94 08:49:37 GMT",
        "Sundaydays, 06-Nov-94 08:49:37 GMT",
    ] {
        assert_eq!(read(written), None, "{written}");
    }
}

proptest! {
    #[test]
    fn it_agrees_with_an_independent_implementation(unix_s in 0u64..253_402_300_800) {
        let written = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(unix_s));
        prop_assert_eq!(read(&written), Some(unix_s));
    }

    #[test]
    fn it_accepts_no_date_that_an_independent_implementation_reads_otherwise(
        written in "(Sun|Monday|Wednesday)(,? )[0-3 ][0-9][ -](Jan|Feb|Nov)[ -]([12][09])?[0-9]{2} [0-2][0-9]:[0-6][0-9]:[0-6][0-9]( GMT)?",
    ) {
        if let (Some(unix_s), Ok(time)) = (read(&written), httpdate::parse_http_date(&written)) {
            let expected = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
            prop_assert_eq!(unix_s, expected, "{}", written);
        }
    }

    #[test]
    fn no_text_makes_it_panic(written in "[ -~]{0,64}") {
        read(&written);
    }
}
