//! Requests in, what they ask for out.

use proptest::prelude::*;

use super::*;

const KEY: [u64; 2] = [3, 4];

fn read(bytes: &[u8]) -> (RequestScan, usize) {
    let mut scan = start(KEY);
    for (index, byte) in bytes.iter().enumerate() {
        step(&mut scan, *byte);
        if is_done(&scan) {
            return (scan, index + 1);
        }
    }
    (scan, bytes.len())
}

fn asks(request: &str) -> Asked {
    asked(&read(request.as_bytes()).0)
}

const BAD: Asked = Asked::Refusal(FixedRoute::BadRequest);

#[test]
fn a_plain_get_asks_for_its_path() {
    let request = b"GET /a/b.css HTTP/1.1\r\nHost: x\r\n\r\nGET";
    let (scan, read_bytes) = read(request);
    assert_eq!(asked(&scan), Asked::Path);
    assert_eq!(scan.path.finish(), PathHasher::hash(KEY, b"/a/b.css"));
    assert_eq!(read_bytes, request.len() - 3, "the next request is left alone");
    assert!(!wants_head(&scan) && !wants_close(&scan));
}

#[test]
fn queries_are_ignored_and_escapes_decoded() {
    for target in ["/a%20b", "/%61%20%62", "/a%20b?x=%zz&/", "/a%20b?"] {
        let (scan, _) = read(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        assert_eq!(asked(&scan), Asked::Path, "{target}");
        assert_eq!(scan.path.finish(), PathHasher::hash(KEY, b"/a b"), "{target}");
    }
}

#[test]
fn malformed_request_lines_are_refused() {
    for line in [
        "GET  / HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET\t/ HTTP/1.1",
        "G(T / HTTP/1.1",
        "GET /#a HTTP/1.1",
        "GET /%0 HTTP/1.1",
        "GET /%g0 HTTP/1.1",
        "GET /%00 HTTP/1.1",
        "GET /\u{1} HTTP/1.1",
        "GET /\u{e9} HTTP/1.1",
        "GET /",
        "GET /?\u{7f} HTTP/1.1",
        "GET x HTTP/1.1",
        "GET * HTTP/1.1",
    ] {
        assert_eq!(asks(&format!("{line}\r\nHost: x\r\n\r\n")), BAD, "{line:?}");
    }
}

#[test]
fn malformed_fields_are_refused() {
    for field in [
        "Host : x",
        " Host: x",
        "Host: x\r\n folded",
        ": x",
        "Ho st: x",
        "Host: a\u{0}b",
        "Host: a\nb: c",
        "Host: a\rb",
        "Host: a\r\nHost: b",
        "X: y",
    ] {
        assert_eq!(asks(&format!("GET / HTTP/1.1\r\n{field}\r\n\r\n")), BAD, "{field:?}");
    }
}

#[test]
fn bare_line_feeds_are_refused() {
    assert_eq!(asks("GET / HTTP/1.1\nHost: x\n\n"), BAD);
    assert_eq!(asks("GET / HTTP/1.1\r\nHost: x\n\r\n"), BAD);
}

#[test]
fn empty_lines_before_a_request_are_skipped() {
    assert_eq!(asks("\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"), Asked::Path);
}

#[test]
fn other_methods_are_not_allowed_but_must_be_well_formed() {
    let refusal = Asked::Refusal(FixedRoute::MethodNotAllowed);
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "get", "GETS", "BREW"] {
        assert_eq!(asks(&format!("{method} / HTTP/1.1\r\nHost: x\r\n\r\n")), refusal, "{method}");
    }
    assert_eq!(asks("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"), refusal);
    assert_eq!(asks("POST / HTTP/1.1\r\nHost : x\r\n\r\n"), BAD);
}

#[test]
fn other_versions_are_not_supported() {
    for version in ["HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "http/1.1", "HTTPS/1.1", "HTTP/1.10"] {
        let expected = Asked::Refusal(FixedRoute::VersionNotSupported);
        assert_eq!(asks(&format!("GET / {version}\r\nHost: x\r\n\r\n")), expected, "{version}");
    }
}

#[test]
fn only_http_1_0_may_do_without_host() {
    assert_eq!(asks("GET / HTTP/1.0\r\n\r\n"), Asked::Path);
    assert_eq!(asks("GET / HTTP/1.1\r\n\r\n"), BAD);
}

#[test]
fn the_end_of_a_connection_follows_version_and_connection_field() {
    for (line, close) in [
        ("HTTP/1.1\r\nHost: x", false),
        ("HTTP/1.1\r\nHost: x\r\nConnection: close", true),
        ("HTTP/1.1\r\nHost: x\r\nconnection:CLOSE", true),
        ("HTTP/1.1\r\nHost: x\r\nConnection: upgrade , close", true),
        ("HTTP/1.1\r\nHost: x\r\nConnection: closed", false),
        ("HTTP/1.1\r\nHost: x\r\nX-Connection: close", false),
        ("HTTP/1.0", true),
        ("HTTP/1.0\r\nConnection: keep-alive", false),
        ("HTTP/1.0\r\nConnection: keep-alive, close", true),
        ("HTTP/1.1\r\nHost: x\r\nContent-Length: 0", false),
        ("HTTP/1.1\r\nHost: x\r\nContent-Length: 5", true),
        ("HTTP/1.1\r\nHost: x\r\nContent-Length: 0, 0", false),
        ("HTTP/1.1\r\nHost: x\r\nContent-Length: 0, 5", true),
        ("HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked", true),
    ] {
        let (scan, _) = read(format!("GET / {line}\r\n\r\n").as_bytes());
        assert_eq!(asked(&scan), Asked::Path, "{line}");
        assert_eq!(wants_close(&scan), close, "{line}");
    }
}

#[test]
fn long_paths_and_long_heads_have_limits() {
    let path = |bytes| format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(bytes - 1));
    assert_eq!(asks(&path(MAX_PATH_BYTES)), Asked::Path);
    assert_eq!(asks(&path(MAX_PATH_BYTES + 1)), Asked::Refusal(FixedRoute::UriTooLong));
    let frame = "GET / HTTP/1.1\r\nHost: x\r\nX: \r\n\r\n".len();
    let head =
        |bytes| format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "a".repeat(bytes - frame));
    assert_eq!(asks(&head(MAX_REQUEST_BYTES as usize)), Asked::Path);
    let refusal = Asked::Refusal(FixedRoute::HeaderFieldsTooLarge);
    assert_eq!(asks(&head(MAX_REQUEST_BYTES as usize + 1)), refusal);
}

#[test]
fn a_truncated_request_is_incomplete_at_every_byte() {
    let request = b"HEAD /a%20b?c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    for length in 0..request.len() {
        assert_eq!(asked(&read(&request[..length]).0), Asked::Incomplete, "{length}");
    }
    let (scan, _) = read(request);
    assert!(wants_head(&scan) && wants_close(&scan));
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic_and_end_at_the_limit(
        bytes in proptest::collection::vec(any::<u8>(), 0..20_000),
    ) {
        let (scan, read_bytes) = read(&bytes);
        prop_assert!(read_bytes <= MAX_REQUEST_BYTES as usize + 1);
        prop_assert!(is_done(&scan) || read_bytes == bytes.len());
    }

    #[test]
    fn any_valid_path_hashes_as_the_console_hashes_it(path in "/[ -~\u{a0}-\u{2ff}]{0,80}") {
        let mut target = String::new();
        for byte in path.bytes() {
            if byte.is_ascii_alphanumeric() || byte == b'/' {
                target.push(char::from(byte));
            } else {
                target.push_str(&format!("%{byte:02x}"));
            }
        }
        let (scan, _) = read(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        prop_assert_eq!(asked(&scan), Asked::Path);
        prop_assert_eq!(scan.path.finish(), PathHasher::hash(KEY, path.as_bytes()));
    }
}
