//! Requests in, what they ask for out.

mod fields;
mod lines;
mod pieces;

use zeroserve_shared::path::{MAX_PATH_BYTES, PathHasher};

use super::{scan::LEVELS, *};

const KEY: [u64; 2] = [3, 4];

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It asks for this path, decoded.
    Asks(&'static str),
    /// The same, and the connection ends.
    AsksAndCloses(&'static str),
    /// It asks what may be done.
    AsksOptions,
    /// It is refused.
    Refused(Refusal),
    /// It has not ended yet.
    Unfinished,
}

use Outcome::*;

/// Reads a request at once, and says how many of its bytes were taken.
fn scan(request: &[u8]) -> (RequestScan, usize) {
    let mut scan = RequestScan::EMPTY;
    start(&mut scan, KEY);
    let taken = read(&mut scan, request);
    (scan, taken)
}

/// Whether a request that was read has the outcome expected.
fn is(scan: &RequestScan, outcome: Outcome) -> bool {
    let asks_for = |path: &str| {
        asked(scan) == Asked::Path && super::path(scan) == PathHasher::hash(KEY, path.as_bytes())
    };
    match outcome {
        Asks(path) => asks_for(path) && !wants_close(scan),
        AsksAndCloses(path) => asks_for(path) && wants_close(scan),
        AsksOptions => asked(scan) == Asked::Options,
        Refused(refusal) => asked(scan) == Asked::Refused && super::refusal(scan) == Some(refusal),
        Unfinished => asked(scan) == Asked::Incomplete,
    }
}

/// Checks each row of a table, whole and in pieces, and shows all that are wrong.
fn check(table: &[(&str, Outcome)], request: impl Fn(&str) -> String) {
    let mut wrong = Vec::new();
    for (row, outcome) in table {
        let request = request(row);
        let (whole, taken) = scan(request.as_bytes());
        if !is(&whole, *outcome) {
            let found = (asked(&whole), super::refusal(&whole), wants_close(&whole));
            wrong.push(format!("{row:?} should be {outcome:?}, is {found:?}"));
        }
        for size in [1, 3, 8] {
            let (parts, taken_in_parts) = pieces::scan_in(request.as_bytes().chunks(size));
            if parts != whole || taken_in_parts != taken {
                wrong.push(format!("{row:?} is another request in pieces of {size} bytes"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn a_plain_get_asks_for_its_path_and_leaves_the_next_request_alone() {
    let request = b"GET /a/b.css HTTP/1.1\r\nHost: x\r\n\r\nGET";
    let (scan, taken) = scan(request);
    assert!(is(&scan, Asks("/a/b.css")));
    assert_eq!(taken, request.len() - 3);
    assert_eq!(usize::from(scan.read_bytes), taken);
    assert!(is_get(&scan) && !wants_head(&scan));
}

#[test]
fn a_truncated_request_is_unfinished_at_every_byte() {
    let request = b"HEAD /a%20b/../c?d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    for length in 0..request.len() {
        assert!(is(&scan(&request[..length]).0, Unfinished), "{length}");
    }
    let (scan, _) = scan(request);
    assert!(is(&scan, AsksAndCloses("/c")));
    assert!(wants_head(&scan) && !is_get(&scan));
}

#[test]
fn long_paths_are_refused_by_their_normalised_length() {
    let of = |target: String| format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n");
    let long = format!("/{}", "a".repeat(MAX_PATH_BYTES - 1));
    for target in [long.clone(), format!("{long}?{}", "q".repeat(9000)), format!("/b/..{long}")] {
        let (scan, _) = scan(of(target.clone()).as_bytes());
        assert_eq!(super::path(&scan), PathHasher::hash(KEY, long.as_bytes()), "{target}");
        assert_eq!(asked(&scan), Asked::Path, "{target}");
    }
    for target in [
        format!("{long}a"),
        format!("{long}%61"),
        format!("{long}/"),
        format!("{long}.."),
        format!("{long}../x"),
    ] {
        let refusal = super::refusal(&scan(of(target.clone()).as_bytes()).0);
        assert_eq!(refusal, Some(Refusal::TargetTooLong), "{target}");
    }
}

#[test]
fn a_head_may_be_as_long_as_the_limit_and_no_longer() {
    let frame = "GET / HTTP/1.1\r\nHost: x\r\nX: \r\n\r\n".len();
    let of =
        |bytes| format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "a".repeat(bytes - frame));
    let limit = usize::from(MAX_REQUEST_BYTES);
    assert!(is(&scan(of(limit).as_bytes()).0, Asks("/")));
    for bytes in limit + 1..limit + 12 {
        let request = of(bytes);
        assert!(is(&scan(request.as_bytes()).0, Refused(Refusal::HeaderTooLarge)));
        let (parts, _) = pieces::scan_in(request.as_bytes().chunks(1));
        assert!(is(&parts, Refused(Refusal::HeaderTooLarge)));
    }
    // What never ends is given up, too.
    for endless in ["GET /?", "GET / HTTP/1.1\r\nX", "GET / HTTP/1.1\r\nA: b\r\n", "A"] {
        let request = format!("{endless}{}", "a".repeat(limit));
        let refused = is(&scan(request.as_bytes()).0, Refused(Refusal::HeaderTooLarge));
        assert!(refused, "{endless}");
    }
}

#[test]
fn as_many_levels_are_remembered_as_there_is_room_for() {
    let of = |down: usize, up: usize| {
        let (down, up) = ("/a".repeat(down), "/..".repeat(up));
        format!("GET {down}{up}/b HTTP/1.1\r\nHost: x\r\n\r\n")
    };
    for down in [0, 1, LEVELS - 1, LEVELS, LEVELS + 1, 40] {
        for up in 0..down + 2 {
            let (scan, _) = scan(of(down, up).as_bytes());
            let expected = if up > down {
                if down >= LEVELS {
                    Some(Refusal::PathTooDeep)
                } else {
                    Some(Refusal::PathAboveRoot)
                }
            } else {
                // The segment that is being read when the first `..` comes counts as one.
                (up >= LEVELS && down >= LEVELS).then_some(Refusal::PathTooDeep)
            };
            assert_eq!(super::refusal(&scan), expected, "{down} down, {up} up");
            if expected.is_none() {
                let path = format!("{}/b", "/a".repeat(down - up));
                assert_eq!(super::path(&scan), PathHasher::hash(KEY, path.as_bytes()));
            }
        }
    }
}

#[test]
fn a_refusal_is_answered_with_its_route() {
    for (number, refusal) in Refusal::ALL.iter().enumerate() {
        assert_eq!(route_of(number as u32), refusal.route() as u32, "{}", refusal.name());
    }
}
