//! Requests cut up, made up, and changed.

use proptest::prelude::*;

use super::*;

/// Reads a request in pieces, and says how many of its bytes were taken.
pub(super) fn scan_in<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (RequestScan, usize) {
    let mut scan = RequestScan::EMPTY;
    start(&mut scan, KEY);
    let mut taken = 0;
    for piece in pieces {
        taken += read(&mut scan, piece);
    }
    (scan, taken)
}

/// Pieces of the lengths given, again and again.
fn cut<'a>(mut bytes: &'a [u8], lengths: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut lengths = lengths.iter().cycle();
    std::iter::from_fn(move || {
        let length = (*lengths.next()?).clamp(1, bytes.len().max(1));
        let piece = bytes.get(..length)?;
        bytes = &bytes[length..];
        (!piece.is_empty()).then_some(piece)
    })
}

/// Requests that look like some, mostly.
fn requests() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        "(GET|HEAD|OPTIONS|POST) /[a-z/.%2eF?]{0,40} HTTP/1\\.[019]",
        "GET http://[a-zA-Z.:]{0,20}(/|\\?)[a-z]{0,3} HTTP/1\\.1",
        "[ -~]{0,40}",
    ];
    let field = prop_oneof![
        "(Host|hOST): [a-zA-Z0-9.:]{0,30}",
        "(Connection|Transfer-Encoding|Content-Length): ?[a-z0-9, ]{0,20}",
        "(Connection: close|Transfer-Encoding: gzip, chunked|Content-Length: 5, 5)",
        "If-(None-)?Match: (\\*|((W/)?\"[!-~]{0,20}\", ?){1,10})",
        "If-(Modified-Since|Unmodified-Since|Range): (Sun, 06 Nov 1994 08:49:37 GMT|[!-~ ]{0,80})",
        "Range: bytes=[0-9]{0,4}-?[0-9]{0,4}[, ]{0,2}",
        "Accept-Encoding: ((gzip|br|zstd|x|\\*|identity)(;q=[01](\\.[0-9]{0,4})?)?, ?){0,6}",
        "[A-Za-z-]{1,30}:[ -~]{0,100}",
        "[\\PC]{0,40}",
    ];
    (line, proptest::collection::vec(field, 0..8), "(\r\n)?(\r\n)?").prop_map(
        |(line, fields, end)| format!("{line}\r\nHost: x\r\n{}{end}", fields.join("\r\n")),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_request_is_the_same_however_it_is_cut_up(
        request in requests(), lengths in proptest::collection::vec(1usize..40, 1..9),
    ) {
        let whole = scan(request.as_bytes());
        prop_assert_eq!(scan_in(cut(request.as_bytes(), &lengths)), whole);
        prop_assert_eq!(scan_in(cut(request.as_bytes(), &[1])), whole);
    }

    #[test]
    fn a_changed_byte_changes_nothing_about_that(
        request in requests(), at: prop::sample::Index, byte: u8,
        lengths in proptest::collection::vec(1usize..40, 1..9),
    ) {
        let mut request = request.into_bytes();
        let at = at.index(request.len());
        request[at] = byte;
        prop_assert_eq!(scan_in(cut(&request, &lengths)), scan(&request));
    }

    #[test]
    fn hostile_bytes_never_panic_and_end_at_the_limit(
        bytes in proptest::collection::vec(any::<u8>(), 0..20_000),
    ) {
        let (scan, taken) = scan(&bytes);
        prop_assert!(taken <= MAX_REQUEST_BYTES as usize);
        prop_assert!(is_done(&scan) || taken == bytes.len());
    }

    #[test]
    fn any_normalised_path_is_found_however_it_is_encoded(
        path in "(/([a-z.~ %?#]{0,6}[a-z][!-.0-~\u{a0}-\u{2ff}]{0,3})){0,20}/?",
        encode in proptest::collection::vec(any::<bool>(), 1..20),
    ) {
        let path = if path.is_empty() { "/".to_owned() } else { path };
        let mut target = String::new();
        for (byte, encode) in path.bytes().zip(encode.iter().cycle()) {
            if byte == b'/' && target.is_empty() || !encode && (byte.is_ascii_alphanumeric() || b"./-_~".contains(&byte)) {
                target.push(char::from(byte));
            } else {
                target.push_str(&format!("%{byte:02x}"));
            }
        }
        let (scan, _) = scan(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        prop_assert_eq!(asked(&scan), Asked::Path);
        prop_assert_eq!(super::super::path(&scan), PathHasher::hash(KEY, path.as_bytes()));
    }

    #[test]
    fn dot_segments_lead_where_rfc_3986_has_them_lead(
        segments in proptest::collection::vec(prop_oneof!["\\.", "\\.\\.", "[a-z]{0,2}", "\\.{3}"], 0..16),
    ) {
        let target = format!("/{}", segments.join("/"));
        // Section 5.2.4, with empty segments left out, and an error above the root.
        let mut stack = Vec::new();
        let mut above = false;
        for segment in &segments {
            match segment.as_str() {
                "" | "." => {}
                ".." => above |= stack.pop().is_none(),
                name => stack.push(name),
            }
        }
        let is_folder = matches!(segments.last().map(String::as_str), None | Some("" | "." | ".."));
        let slash = if is_folder && !stack.is_empty() { "/" } else { "" };
        let expected = format!("/{}{slash}", stack.join("/"));
        let (scan, _) = scan(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        if above {
            prop_assert_eq!(super::super::refusal(&scan), Some(Refusal::PathAboveRoot));
        } else {
            prop_assert_eq!(super::super::path(&scan), PathHasher::hash(KEY, expected.as_bytes()), "{}", expected);
        }
    }
}
