//! Request lines: methods, targets, versions.

use zeroserve_shared::refusal::Refusal::*;

use super::{Outcome::*, *};

/// The path, and what nginx makes of it, too.
const PATHS: &[(&str, Outcome)] = &[
    ("/", Asks("/")),
    ("/a/b.css", Asks("/a/b.css")),
    ("/a_b-c~d!$&'()*+,;=:@", Asks("/a_b-c~d!$&'()*+,;=:@")),
    ("/A", Asks("/A")),
    // Clients send these although RFC 3986 has them encoded.
    ("/a|b^c`d{e}\"<>\\[]", Asks("/a|b^c`d{e}\"<>\\[]")),
    // Percent-encoding, undone once.
    ("/a%20b", Asks("/a b")),
    ("/%61%20%62", Asks("/a b")),
    ("/%C3%bc", Asks("/ü")),
    ("/100%2525", Asks("/100%25")),
    ("/what%3F%23", Asks("/what?#")),
    ("/a%0d%0ab", Asks("/a\r\nb")),
    ("/a%", Refused(InvalidEscape)),
    ("/a%2", Refused(InvalidEscape)),
    ("/a%g0", Refused(InvalidEscape)),
    ("/a%0g", Refused(InvalidEscape)),
    ("/a%%20", Refused(InvalidEscape)),
    ("/a%00", Refused(InvalidEscape)),
    ("/a%00.html", Refused(InvalidEscape)),
    // Dot segments (RFC 3986 section 5.2.4).
    ("/a/b/c/./../../g", Asks("/a/g")),
    ("/./a", Asks("/a")),
    ("/a/.", Asks("/a/")),
    ("/a/..", Asks("/")),
    ("/a/../", Asks("/")),
    ("/a/b/..", Asks("/a/")),
    ("/.", Asks("/")),
    ("/a/./././b", Asks("/a/b")),
    ("/a/..b/.c/...", Asks("/a/..b/.c/...")),
    ("/..a", Asks("/..a")),
    ("/a..", Asks("/a..")),
    ("/a./b", Asks("/a./b")),
    ("/....//", Asks("/..../")),
    ("/..", Refused(PathAboveRoot)),
    ("/../", Refused(PathAboveRoot)),
    ("/../etc/passwd", Refused(PathAboveRoot)),
    ("/a/../../b", Refused(PathAboveRoot)),
    ("/..?x", Refused(PathAboveRoot)),
    // The same, encoded.
    ("/a/%2e%2e/b", Asks("/b")),
    ("/a/.%2E/b", Asks("/b")),
    ("/a/%2e/b", Asks("/a/b")),
    ("/%2e%2e/b", Refused(PathAboveRoot)),
    ("/..%2fb", Refused(PathAboveRoot)),
    ("/a/..%2fb", Asks("/b")),
    ("/a%2fb", Asks("/a/b")),
    ("/a%2F..%2Fb", Asks("/b")),
    ("/a/%252e%252e/b", Asks("/a/%2e%2e/b")),
    ("/a\\..\\b", Asks("/a\\..\\b")),
    // Empty segments.
    ("//", Asks("/")),
    ("//a", Asks("/a")),
    ("/a//b", Asks("/a/b")),
    ("/a///", Asks("/a/")),
    ("/a//../b", Asks("/b")),
    ("/a/%2f/b", Asks("/a/b")),
    ("//..", Refused(PathAboveRoot)),
    // Queries mean nothing.
    ("/a?", Asks("/a")),
    ("/a?b=c&d", Asks("/a")),
    ("/a?%zz/../..//", Asks("/a")),
    ("/a??b", Asks("/a")),
    ("/a/..?b", Asks("/")),
    ("/a?long=0123456789abcdefghijklmnopqrstuvwxyz-_.~", Asks("/a")),
    // What no target contains.
    ("/#a", Refused(InvalidTarget)),
    ("/a?b#c", Refused(InvalidTarget)),
    ("/a?b\u{7f}", Refused(InvalidTarget)),
    ("/a?0123456\u{e9}", Refused(InvalidTarget)),
    ("/\u{1}", Refused(InvalidTarget)),
    ("/a\tb", Refused(InvalidTarget)),
    ("/\u{e9}", Refused(InvalidTarget)),
    ("/\u{7f}", Refused(InvalidTarget)),
    ("", Refused(InvalidTarget)),
    ("a", Refused(InvalidTarget)),
    ("?a", Refused(InvalidTarget)),
    ("\\a", Refused(InvalidTarget)),
    (" /", Refused(InvalidTarget)),
    ("*", Refused(InvalidTarget)),
    ("x:80", Refused(InvalidTarget)),
    // The absolute form (RFC 9112 section 3.2.2).
    ("http://www.example.org/pub/WWW/TheProject.html", Asks("/pub/WWW/TheProject.html")),
    ("HTTP://x/a", Asks("/a")),
    ("hTtP://x:8080/a?b", Asks("/a")),
    ("http://x", Asks("/")),
    ("http://x?a", Asks("/")),
    ("http://x/../a", Refused(PathAboveRoot)),
    ("http://[::1]:80/a", Asks("/a")),
    ("http:///a", Refused(HostInvalid)),
    ("http://", Refused(HostInvalid)),
    ("http://:80/", Refused(HostInvalid)),
    ("http://user@x/", Refused(HostInvalid)),
    ("http://x y/", Refused(Malformed)),
    ("http://x#a", Refused(HostInvalid)),
    ("https://x/a", Refused(InvalidTarget)),
    ("http:/x/a", Refused(InvalidTarget)),
    ("ftp://x/a", Refused(InvalidTarget)),
    ("httpx", Refused(InvalidTarget)),
];

const LINES: &[(&str, Outcome)] = &[
    ("HEAD /a HTTP/1.1", Asks("/a")),
    ("OPTIONS /a HTTP/1.1", AsksOptions),
    ("OPTIONS * HTTP/1.1", AsksOptions),
    ("OPTIONS http://x HTTP/1.1", AsksOptions),
    ("OPTIONS *a HTTP/1.1", Refused(InvalidTarget)),
    ("OPTIONS x:80 HTTP/1.1", Refused(InvalidTarget)),
    // Other methods, of which only the form matters.
    ("POST /a HTTP/1.1", Refused(MethodUnknown)),
    ("PUT /../a HTTP/1.1", Refused(MethodUnknown)),
    ("DELETE /a%00 HTTP/1.1", Refused(MethodUnknown)),
    ("TRACE / HTTP/1.1", Refused(MethodUnknown)),
    ("PATCH / HTTP/1.1", Refused(MethodUnknown)),
    ("CONNECT www.example.com:80 HTTP/1.1", Refused(MethodUnknown)),
    ("get / HTTP/1.1", Refused(MethodUnknown)),
    ("GETS / HTTP/1.1", Refused(MethodUnknown)),
    ("GE / HTTP/1.1", Refused(MethodUnknown)),
    ("!#$%&'*+-.^_`|~09Az / HTTP/1.1", Refused(MethodUnknown)),
    (
        "PROPFIND-AND-A-NAME-THAT-IS-LONGER-THAN-ANY-TEXT-THAT-IS-EVER-KEPT-HERE / HTTP/1.1",
        Refused(MethodUnknown),
    ),
    ("G(T / HTTP/1.1", Refused(InvalidToken)),
    ("GET:/ / HTTP/1.1", Refused(InvalidToken)),
    ("GET\t/ HTTP/1.1", Refused(InvalidToken)),
    (" GET / HTTP/1.1", Refused(InvalidToken)),
    ("G\u{e9}T / HTTP/1.1", Refused(InvalidToken)),
    ("GET\r / HTTP/1.1", Refused(InvalidToken)),
    ("\u{0}", Refused(InvalidToken)),
    // Versions (RFC 9110 section 2.5, RFC 9112 section 2.3).
    ("GET / HTTP/1.0", AsksAndCloses("/")),
    ("GET / HTTP/1.2", Asks("/")),
    ("GET / HTTP/1.9", Asks("/")),
    ("GET / HTTP/2.0", Refused(VersionUnknown)),
    ("GET / HTTP/0.9", Refused(VersionUnknown)),
    ("GET / HTTP/3.1", Refused(VersionUnknown)),
    ("GET / HTTP/1.10", Refused(Malformed)),
    ("GET / HTTP/10.1", Refused(Malformed)),
    ("GET / HTTP/1", Refused(Malformed)),
    ("GET / HTTP/1.", Refused(Malformed)),
    ("GET / HTTP/.1", Refused(Malformed)),
    ("GET / HTTP/1.1 ", Refused(Malformed)),
    ("GET / HTTP/1.1\t", Refused(Malformed)),
    ("GET / http/1.1", Refused(Malformed)),
    ("GET / HTTPS/1.1", Refused(Malformed)),
    ("GET / ICAP/1.0", Refused(Malformed)),
    ("GET /  HTTP/1.1", Refused(Malformed)),
    ("GET /a b HTTP/1.1", Refused(Malformed)),
    ("GET / ", Refused(Malformed)),
    ("GET /", Refused(Malformed)),
    ("GET", Refused(InvalidToken)),
    ("POST /", Refused(Malformed)),
    ("GET / HTTP/1.1\r", Refused(BareCarriageReturn)),
    // Other protocols.
    ("PRI * HTTP/2.0", Refused(Http2Preface)),
    ("PRI * HTTP/1.1", Refused(MethodUnknown)),
    ("PRI * HTTP/3.0", Refused(VersionUnknown)),
    ("\u{16}\u{3}\u{1}", Refused(TlsClientHello)),
    ("SSH-2.0-OpenSSH_9.2", Refused(InvalidToken)),
];

const WHOLE: &[(&str, Outcome)] = &[
    // RFC 9112 section 2.1, its example.
    (
        "GET /hello.txt HTTP/1.1\r\nUser-Agent: curl/7.64.1\r\nHost: www.example.com\r\nAccept-Language: en, mi\r\n\r\n",
        Asks("/hello.txt"),
    ),
    // Empty lines before the request (RFC 9112 section 2.2).
    ("\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", Asks("/")),
    ("\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", Asks("/")),
    ("\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", Refused(Malformed)),
    ("\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", Refused(BareLineFeed)),
    ("\rGET / HTTP/1.1\r\nHost: x\r\n\r\n", Refused(BareCarriageReturn)),
    // Line ends.
    ("GET / HTTP/1.1\nHost: x\n\n", Refused(BareLineFeed)),
    ("GET /\n", Refused(BareLineFeed)),
    ("GET \n", Refused(BareLineFeed)),
    ("GET /?a\n", Refused(BareLineFeed)),
    ("GET /\r\n", Refused(Malformed)),
    ("GET / HTTP/1.1\r\nHost: x\n\r\n", Refused(BareLineFeed)),
    ("GET / HTTP/1.1\r\nHost: x\r\n\n", Refused(BareLineFeed)),
    ("GET / HTTP/1.1\r\nHost: x\r\r\n\r\n", Refused(BareCarriageReturn)),
    ("GET / HTTP/1.1\r\nHost: x\r\n\r \n", Refused(BareCarriageReturn)),
    ("GET / HTTP/1.1\r\nHost\n: x\r\n\r\n", Refused(BareLineFeed)),
    ("GET / HTTP/1.1\r\nX: a\nHost: x\r\n\r\n", Refused(BareLineFeed)),
    // Only HTTP/1.0 does without Host.
    ("GET / HTTP/1.1\r\n\r\n", Refused(HostMissing)),
    ("GET http://x/ HTTP/1.1\r\n\r\n", Refused(HostMissing)),
    ("OPTIONS * HTTP/1.1\r\n\r\n", Refused(HostMissing)),
    ("POST / HTTP/1.1\r\n\r\n", Refused(HostMissing)),
    ("GET / HTTP/1.0\r\n\r\n", AsksAndCloses("/")),
    ("GET /a HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", Refused(HostRepeated)),
    ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", Asks("/")),
    ("GET / HTTP/1.0\r\nConnection: Keep-Alive, close\r\n\r\n", AsksAndCloses("/")),
    ("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", Refused(TransferEncodingInvalid)),
    // Not over yet.
    ("", Unfinished),
    ("\r\n", Unfinished),
    ("GET / HTTP/1.1\r\nHost: x\r\n", Unfinished),
    ("GET / HTTP/1.1\r\nHost: x\r\n\r", Unfinished),
];

#[test]
fn targets_lead_where_nginx_would_have_them_lead() {
    check(PATHS, |target| format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
}

#[test]
fn request_lines_are_answered_by_method_and_version() {
    check(LINES, |line| format!("{line}\r\nHost: x\r\n\r\n"));
}

#[test]
fn requests_begin_and_end_where_they_should() {
    check(WHOLE, str::to_owned);
}

#[test]
fn a_copy_answers_only_what_is_asked_for_plainly() {
    let plain = ["/a", "/", "/a/", "/a/b.css", "/caf%C3%A9", "/a%20b", "http://a", "http://a/b"];
    let particular = [
        "/a?",
        "/a?x=1",
        "//a",
        "/a//b",
        "/./a",
        "/b/../a",
        "/a/.",
        "/%61",
        "/a%2Fb",
        "http://a?b",
    ];
    for (targets, expected) in [(&plain[..], false), (&particular[..], true)] {
        for target in targets {
            let (scan, _) = scan(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
            assert_eq!(asked(&scan), Asked::Path, "{target}");
            assert_eq!(is_particular(&scan), expected, "{target}");
        }
    }
    let (scan, _) = scan(b"GET / HTTP/1.1\r\nHost: a\r\nAUTHORIZATION: Basic eDp5\r\n\r\n");
    assert!(is_particular(&scan));
}
