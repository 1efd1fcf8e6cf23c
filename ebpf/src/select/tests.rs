//! Requests in, answers selected.

mod codings;

use proptest::prelude::*;
use zeroserve_shared::{
    route::{Form, Variant, VersionId},
    validator::TagHasher,
};

use super::*;
use crate::request::{self, Asked};

const HEAD_BYTES: u32 = 200;
const BODY_BYTES: u32 = 1000;
const NOT_MODIFIED_BYTES: u32 = 150;
const PARTIAL_BYTES: u32 = 300;
const UNSATISFIABLE_BYTES: u32 = 170;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Whole,
    /// The head of the whole.
    Head,
    NotModified,
    /// So many bytes of the body, from this one on.
    Part(u32, u32),
    Unsatisfiable,
    /// 412.
    Failed,
}

use Sent::*;

/// A version of 1000 bytes, last modified at the time in the examples of RFC 9110.
fn version() -> VersionInfo {
    let form = |start, bytes| Form { start, bytes, moving_offset: 20 };
    let mut forms = [Form::default(); 4];
    let mut end = 0;
    for (index, bytes) in [
        (WHOLE, HEAD_BYTES + BODY_BYTES),
        (NOT_MODIFIED, NOT_MODIFIED_BYTES),
        (PARTIAL, PARTIAL_BYTES),
        (UNSATISFIABLE, UNSATISFIABLE_BYTES),
    ] {
        forms[index] = form(end, bytes);
        end += bytes;
    }
    VersionInfo {
        generation: 1,
        head_bytes: HEAD_BYTES,
        forms,
        etag: TagHasher::hash(b"\"abc\""),
        modified_unix_s: 784_111_777,
        ..VersionInfo::default()
    }
}

fn scan(request: &str) -> RequestScan {
    let mut scan = RequestScan::EMPTY;
    request::start(&mut scan, [1, 2]);
    request::read(&mut scan, request.as_bytes());
    assert_eq!(request::asked(&scan), Asked::Path, "{request:?}");
    scan
}

fn sent(method: &str, fields: &str, info: &VersionInfo) -> Sent {
    let request = format!("{method} / HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n");
    let mut selection =
        Selection { form: 77, body_start: 77, response_bytes: 77, precondition_false: 77 };
    select(&scan(&request), info, &mut selection);
    let Selection { form, body_start, response_bytes, precondition_false } = selection;
    if precondition_false != 0 {
        return Failed;
    }
    let expected = match form as usize {
        WHOLE if response_bytes == info.head_bytes && method == "HEAD" => return Head,
        WHOLE => (Whole, info.forms[WHOLE].bytes),
        NOT_MODIFIED => (NotModified, NOT_MODIFIED_BYTES),
        UNSATISFIABLE => (Unsatisfiable, UNSATISFIABLE_BYTES),
        _ => {
            let bytes = response_bytes - PARTIAL_BYTES;
            return Part(body_start - info.head_bytes, bytes);
        }
    };
    assert_eq!(response_bytes, expected.1, "{fields:?}");
    expected.0
}

fn check(method: &str, table: &[(&str, Sent)], info: &VersionInfo) {
    let mut wrong = Vec::new();
    for (fields, expected) in table {
        let found = sent(method, fields, info);
        if found != *expected {
            wrong.push(format!("{method} {fields:?} should be {expected:?}, is {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

const CONDITIONS: &[(&str, Sent)] = &[
    ("X: y", Whole),
    // RFC 9110 section 13.1.2.
    ("If-None-Match: \"abc\"", NotModified),
    ("If-None-Match: W/\"abc\"", NotModified),
    ("If-None-Match:\"abc\"", NotModified),
    ("If-None-Match: \"xyzzy\"", Whole),
    ("If-None-Match: \"xyzzy\", \"r2d2xxxx\", \"c3piozzzz\", \"abc\"", NotModified),
    ("If-None-Match: W/\"xyzzy\",W/\"abc\" , W/\"c3piozzzz\"", NotModified),
    ("If-None-Match: , ,\"abc\",", NotModified),
    ("If-None-Match: \"xyzzy\"\r\nIf-None-Match: \"abc\"", NotModified),
    ("If-None-Match: *", NotModified),
    ("If-None-Match: \"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"abc\"", NotModified),
    ("If-None-Match: \"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"abc\"", Whole),
    ("If-None-Match: \"a, \\\"\"abc\"", Whole),
    ("If-None-Match: abc", Whole),
    ("If-None-Match: \"abc", Whole),
    ("If-None-Match: \"ABC\"", Whole),
    ("If-None-Match: w/\"abc\"", Whole),
    ("If-None-Match: W / \"abc\"", Whole),
    ("If-None-Match: \"abc\" \"x\"", NotModified),
    ("If-None-Match: \"a\tbc\"", Whole),
    ("If-None-Match: \"a,abc\"", Whole),
    ("If-None-Match: \"\"", Whole),
    ("If-None-Match:", Whole),
    (
        "If-None-Match: \"a-tag-that-is-longer-than-any-text-that-is-kept-0123456789-0123456789\", \"abc\"",
        NotModified,
    ),
    // RFC 9110 section 13.1.3.
    ("If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", NotModified),
    ("If-Modified-Since: Sun, 06 Nov 1994 08:49:38 GMT", NotModified),
    ("If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT", Whole),
    ("If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT", NotModified),
    ("If-Modified-Since:   Sun Nov  6 08:49:37 1994  ", NotModified),
    ("If-Modified-Since: Sun Nov  6 08:49:37 1994 \t ", NotModified),
    ("If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT", NotModified),
    ("If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT", Whole),
    ("If-Modified-Since: yesterday", Whole),
    ("If-Modified-Since:", Whole),
    (
        "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT and something that is much longer than a date",
        Whole,
    ),
    (
        "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
        Whole,
    ),
    // If-None-Match goes before If-Modified-Since.
    ("If-None-Match: \"xyzzy\"\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", Whole),
    ("If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\nIf-None-Match: \"abc\"", NotModified),
    ("If-None-Match: nonsense\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", Whole),
    // RFC 9110 section 13.1.1: a weak tag is never the same.
    ("If-Match: \"abc\"", Whole),
    ("If-Match: *", Whole),
    ("If-Match: \"xyzzy\", \"abc\"", Whole),
    ("If-Match: \"xyzzy\"", Failed),
    ("If-Match: W/\"abc\"", Failed),
    ("If-Match: W/\"abc\", \"abc\"", Whole),
    ("If-Match: nonsense", Failed),
    ("If-Match:", Failed),
    ("If-Match: \"abc\"\r\nIf-None-Match: \"xyzzy\"", Whole),
    ("If-Match: \"xyzzy\"\r\nIf-None-Match: \"abc\"", Failed),
    ("If-Match: \"abc\"\r\nIf-None-Match: \"abc\"", NotModified),
    // RFC 9110 section 13.1.4.
    ("If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT", Whole),
    ("If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT", Failed),
    ("If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT", Failed),
    ("If-Unmodified-Since: nonsense", Whole),
    ("If-Match: *\r\nIf-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT", Whole),
];

const RANGES: &[(&str, Sent)] = &[
    // RFC 9110 section 14.1.2, its examples for a body of 10000 bytes made for 1000.
    ("Range: bytes=0-499", Part(0, 500)),
    ("Range: bytes=500-999", Part(500, 500)),
    ("Range: bytes=-500", Part(500, 500)),
    ("Range: bytes=500-", Part(500, 500)),
    ("Range: bytes=0-0", Part(0, 1)),
    ("Range: bytes=999-999", Part(999, 1)),
    ("Range: bytes=0-", Part(0, 1000)),
    ("Range: bytes=0-999", Part(0, 1000)),
    ("Range: bytes=0-1000", Part(0, 1000)),
    ("Range: bytes=10-99999999999999999999999999", Part(10, 990)),
    ("Range: bytes=-1", Part(999, 1)),
    ("Range: bytes=-1000", Part(0, 1000)),
    ("Range: bytes=-99999999999999999999999999", Part(0, 1000)),
    ("Range: Bytes=00-00099", Part(0, 100)),
    ("range:bytes=5-9 ", Part(5, 5)),
    ("Range: bytes=5- \t", Part(5, 995)),
    ("Range: bytes=1000-", Unsatisfiable),
    ("Range: bytes=1000-2000", Unsatisfiable),
    ("Range: bytes=99999999999999999999999999-", Unsatisfiable),
    ("Range: bytes=4294967295-4294967295", Unsatisfiable),
    ("Range: bytes=-0", Unsatisfiable),
    // Several ranges, other units, nonsense: the whole.
    ("Range: bytes=0-0,-1", Whole),
    ("Range: bytes=0-0,", Whole),
    ("Range: bytes=,0-0", Whole),
    ("Range: bytes=0-0\r\nRange: bytes=0-0", Whole),
    ("Range: bytes=500-499", Whole),
    ("Range: bytes=-", Whole),
    ("Range: bytes=", Whole),
    ("Range: bytes", Whole),
    ("Range: bytes 0-1", Whole),
    ("Range: bytes =0-1", Whole),
    ("Range: bytes= 0-1", Whole),
    ("Range: bytes=0 -1", Whole),
    ("Range: bytes=0- 1", Whole),
    ("Range: bytes=0-1 2", Whole),
    ("Range: bytes=a-b", Whole),
    ("Range: bytes=0x0-1", Whole),
    ("Range: bytes=--1", Whole),
    ("Range: bytes=1-2-3", Whole),
    ("Range: lines=0-1", Whole),
    ("Range: 0-1", Whole),
    ("Range:", Whole),
    // RFC 9110 section 13.1.5.
    ("If-Range: \"abc\"\r\nRange: bytes=1-2", Part(1, 2)),
    ("Range: bytes=1-2\r\nIf-Range: \"abc\" ", Part(1, 2)),
    ("Range: bytes=1-2\r\nIf-Range: \"xyzzy\"", Whole),
    ("Range: bytes=1-2\r\nIf-Range: W/\"abc\"", Whole),
    ("Range: bytes=1-2\r\nIf-Range: abc", Whole),
    ("Range: bytes=1-2\r\nIf-Range: *", Whole),
    ("Range: bytes=1-2\r\nIf-Range:", Whole),
    ("Range: bytes=1-2\r\nIf-Range: \"abc\", \"abc\"", Whole),
    ("Range: bytes=1-2\r\nIf-Range: \"abc\"\r\nIf-Range: \"abc\"", Whole),
    ("Range: bytes=1-2\r\nIf-Range: Sun, 06 Nov 1994 08:49:37 GMT", Part(1, 2)),
    ("Range: bytes=1-2\r\nIf-Range: Sunday, 06-Nov-94 08:49:37 GMT", Part(1, 2)),
    ("Range: bytes=1-2\r\nIf-Range: Sun, 06 Nov 1994 08:49:38 GMT", Whole),
    ("Range: bytes=1000-\r\nIf-Range: \"xyzzy\"", Whole),
    ("If-Range: \"abc\"", Whole),
    // Conditions go before ranges.
    ("Range: bytes=1-2\r\nIf-None-Match: \"abc\"", NotModified),
    ("Range: bytes=1-2\r\nIf-None-Match: \"xyzzy\"", Part(1, 2)),
    ("Range: bytes=1-2\r\nIf-Match: \"abc\"", Part(1, 2)),
    ("Range: bytes=1-2\r\nIf-Match: \"xyzzy\"", Failed),
    ("Range: bytes=1000-\r\nIf-None-Match: \"abc\"", NotModified),
];

#[test]
fn conditions_are_evaluated_as_rfc_9110_has_it() {
    check("GET", CONDITIONS, &version());
}

#[test]
fn one_range_is_a_part_and_anything_else_is_not() {
    check("GET", RANGES, &version());
}

#[test]
fn head_knows_conditions_but_no_ranges() {
    for (fields, expected) in CONDITIONS.iter().chain(RANGES) {
        let expected = match expected {
            Whole | Part(..) | Unsatisfiable => Head,
            other => *other,
        };
        check("HEAD", &[(fields, expected)], &version());
    }
}

#[test]
fn what_has_no_other_forms_is_always_sent_whole() {
    let mut info = version();
    for form in [NOT_MODIFIED, PARTIAL, UNSATISFIABLE] {
        info.forms[form] = Form::default();
    }
    for (fields, _) in CONDITIONS.iter().chain(RANGES) {
        check("GET", &[(fields, Whole)], &info);
    }
}

#[test]
fn without_validators_only_any_tag_matches() {
    let info = VersionInfo { etag: 0, modified_unix_s: 0, ..version() };
    check(
        "GET",
        &[
            ("If-None-Match: \"abc\"", Whole),
            ("If-None-Match: *", NotModified),
            ("If-Match: \"abc\"", Failed),
            ("If-Match: *", Whole),
            ("If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", Whole),
            ("If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT", Whole),
            ("Range: bytes=1-2\r\nIf-Range: \"abc\"", Whole),
            ("Range: bytes=1-2\r\nIf-Range: Thu, 01 Jan 1970 00:00:00 GMT", Whole),
        ],
        &info,
    );
}

#[test]
fn of_an_empty_body_no_part_is_sent() {
    let mut info = version();
    info.forms[WHOLE].bytes = HEAD_BYTES;
    for (fields, expected) in [
        ("Range: bytes=0-", Unsatisfiable),
        ("Range: bytes=0-0", Unsatisfiable),
        ("Range: bytes=-0", Unsatisfiable),
        ("Range: bytes=-1", Whole),
    ] {
        check("GET", &[(fields, expected)], &info);
    }
}

proptest! {
    #[test]
    fn a_part_lies_within_the_body(first: u64, last: u64, kind in 0..3, body_bytes in 0u32..100_000_000) {
        let range = match kind {
            0 => format!("{first}-{last}"),
            1 => format!("{first}-"),
            _ => format!("-{last}"),
        };
        let mut info = version();
        info.forms[WHOLE].bytes = HEAD_BYTES + body_bytes;
        let total = u64::from(body_bytes);
        let expected = match kind {
            0 | 1 if kind == 0 && first > last => Whole,
            0 | 1 if first >= total => Unsatisfiable,
            0 => Part(first as u32, (last.min(total - 1) - first + 1) as u32),
            1 => Part(first as u32, (total - first) as u32),
            _ if last == 0 => Unsatisfiable,
            _ if total == 0 => Whole,
            _ => Part(total.saturating_sub(last) as u32, last.min(total) as u32),
        };
        // Numbers that no body can have are all the same to the server.
        prop_assume!(kind != 0 || first <= last || last < 1 << 28);
        prop_assert_eq!(sent("GET", &format!("Range: bytes={range}"), &info), expected);
    }

    #[test]
    fn a_part_within_reach_is_the_one_asked_for(first in 0u64..2000, last in 0u64..2000) {
        let expected = if first > last {
            Whole
        } else if first >= 1000 {
            Unsatisfiable
        } else {
            Part(first as u32, (last.min(999) - first + 1) as u32)
        };
        prop_assert_eq!(sent("GET", &format!("Range: bytes={first}-{last}"), &version()), expected);
    }
}
