//! Fields: names, hosts, lengths, the end of a connection.

use zeroserve_shared::refusal::Refusal::*;

use super::{Outcome::*, *};

/// Values of `Host`, and what they are to the server.
const HOSTS: &[(&str, Option<&str>)] = &[
    ("x", Some("x")),
    ("www.Example.COM", Some("www.example.com")),
    ("example.com:8080", Some("example.com")),
    ("example.com:", Some("example.com")),
    ("example.com.", Some("example.com")),
    ("example.com.:80", Some("example.com")),
    ("198.18.0.1", Some("198.18.0.1")),
    ("a_b-c~!$&'()*+,;=", Some("a_b-c~!$&'()*+,;=")),
    ("%41b", Some("%41b")),
    ("[::1]", Some("[::1]")),
    ("[FD00::1]:80", Some("[fd00::1]")),
    ("[::ffff:198.18.0.1]", Some("[::ffff:198.18.0.1]")),
    ("", Some("")),
    ("   x \t ", Some("x")),
    (
        "a-very-long-name-of-a-host.in-a-very-long-domain.example",
        Some("a-very-long-name-of-a-host.in-a-very-long-domain.example"),
    ),
    ("a b", None),
    ("a.b.", Some("a.b")),
    ("a..b", None),
    (".a", None),
    (".", None),
    ("a/b", None),
    ("a:b", None),
    ("a:80:80", None),
    ("a: 80", None),
    ("user@a", None),
    ("a%4", None),
    ("a%zz", None),
    ("[::1", None),
    ("[]", None),
    ("[:1]", None),
    ("[::g]", None),
    ("[::1]a", None),
    ("a[::1]", None),
    ("a?b", None),
    ("a#b", None),
    ("http://a", None),
    ("a\u{e9}", None),
];

const FIELDS: &[(&str, Outcome)] = &[
    // What does not matter.
    ("X: y", Asks("/")),
    ("X:", Asks("/")),
    ("X: ", Asks("/")),
    ("X:y", Asks("/")),
    ("X: a\tb \u{e9}\u{ff}", Asks("/")),
    ("!#$%&'*+-.^_`|~09Az: y", Asks("/")),
    (
        "X: 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890",
        Asks("/"),
    ),
    ("Hosts: y", Asks("/")),
    ("Hos: y", Asks("/")),
    ("Host-: y", Asks("/")),
    ("A-field-whose-name-is-longer-than-any-text-that-is-ever-kept-here-at-all: y", Asks("/")),
    ("Expect: 100-continue", Asks("/")),
    ("Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings", Asks("/")),
    // What is malformed.
    ("X : y", Refused(SpaceBeforeColon)),
    ("X\t: y", Refused(SpaceBeforeColon)),
    ("X Y: z", Refused(SpaceBeforeColon)),
    (" X: y", Refused(FoldedLine)),
    ("X: y\r\n folded", Refused(FoldedLine)),
    ("X: y\r\n\tfolded", Refused(FoldedLine)),
    ("X: y\r\n ", Refused(FoldedLine)),
    (": y", Refused(InvalidToken)),
    ("X(: y", Refused(InvalidToken)),
    ("X\u{e9}: y", Refused(InvalidToken)),
    ("X\u{0}: y", Refused(InvalidToken)),
    ("X/Y: z", Refused(InvalidToken)),
    ("\"X\": y", Refused(InvalidToken)),
    ("X", Refused(Malformed)),
    ("GET / HTTP/1.1", Refused(SpaceBeforeColon)),
    ("X: a\u{0}b", Refused(ControlCharacter)),
    ("X: a\u{b}b", Refused(ControlCharacter)),
    ("X: a\u{7f}", Refused(ControlCharacter)),
    ("X: 01234567\u{1b}", Refused(ControlCharacter)),
    ("X: a\nb", Refused(BareLineFeed)),
    ("X: a\rb", Refused(BareCarriageReturn)),
    ("Connection: a\u{0}", Refused(ControlCharacter)),
    ("If-None-Match: \"\u{7f}\"", Refused(ControlCharacter)),
    ("If-None-Match: \"\n\"", Refused(BareLineFeed)),
    ("Range: \r", Refused(BareCarriageReturn)),
    // Host, once.
    ("Host: x", Refused(HostRepeated)),
    ("hOST:", Refused(HostRepeated)),
    // The end of the connection (RFC 9112 section 9.6).
    ("Connection: close", AsksAndCloses("/")),
    ("connection:CLOSE", AsksAndCloses("/")),
    ("Connection: upgrade , close", AsksAndCloses("/")),
    ("Connection: ,close,", AsksAndCloses("/")),
    ("Connection: keep-alive\r\nConnection: close", AsksAndCloses("/")),
    ("Connection: keep-alive", Asks("/")),
    ("Connection: closed", Asks("/")),
    ("Connection: clo se", Asks("/")),
    ("Connection: close x", Asks("/")),
    ("Connection: \"close\"", Asks("/")),
    (
        "Connection: closeclosecloseclosecloseclosecloseclosecloseclosecloseclosecloseclose",
        Asks("/"),
    ),
    ("X-Connection: close", Asks("/")),
    ("Proxy-Connection: close", Asks("/")),
    // Bodies, which are not read (RFC 9112 section 6).
    ("Content-Length: 0", Asks("/")),
    ("Content-Length: 000", Asks("/")),
    ("Content-Length:5", AsksAndCloses("/")),
    ("Content-Length: 5 ", AsksAndCloses("/")),
    ("Content-Length: 0, 0", Asks("/")),
    ("Content-Length: 5,5 , 5", AsksAndCloses("/")),
    ("Content-Length: 5\r\nContent-Length: 5", AsksAndCloses("/")),
    ("Content-Length: 05\r\nContent-Length: 5", AsksAndCloses("/")),
    ("Content-Length: 5\r\nContent-Length: 6", Refused(LengthInvalid)),
    ("Content-Length: 0, 5", Refused(LengthInvalid)),
    ("Content-Length:", Refused(LengthInvalid)),
    ("Content-Length: 5,", Refused(LengthInvalid)),
    ("Content-Length: ,5", Refused(LengthInvalid)),
    ("Content-Length: +5", Refused(LengthInvalid)),
    ("Content-Length: -5", Refused(LengthInvalid)),
    ("Content-Length: 5 5", Refused(LengthInvalid)),
    ("Content-Length: 0x5", Refused(LengthInvalid)),
    ("Content-Length: 5.0", Refused(LengthInvalid)),
    ("Content-Length: five", Refused(LengthInvalid)),
    ("Content-Length: 18446744073709551616", Refused(LengthInvalid)),
    ("Content-Length: 99999999999999999999999999999999", Refused(LengthInvalid)),
    ("Content-Length : 5", Refused(SpaceBeforeColon)),
    ("Transfer-Encoding: chunked", AsksAndCloses("/")),
    ("Transfer-Encoding: Chunked ", AsksAndCloses("/")),
    ("Transfer-Encoding: gzip, chunked", AsksAndCloses("/")),
    ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", AsksAndCloses("/")),
    ("Transfer-Encoding: chunked\r\nContent-Length: 5", Refused(LengthAndEncoding)),
    ("Content-Length: 0\r\nTransfer-Encoding: chunked", Refused(LengthAndEncoding)),
    ("Content-Length: 0\r\nTransfer-Encoding: x", Refused(LengthAndEncoding)),
    ("Transfer-Encoding: chunked, gzip", Refused(TransferEncodingInvalid)),
    ("Transfer-Encoding: chunked, chunked", Refused(TransferEncodingInvalid)),
    ("Transfer-Encoding: identity", Refused(TransferEncodingInvalid)),
    ("Transfer-Encoding:", Refused(TransferEncodingInvalid)),
    ("Transfer-Encoding: xchunked", Refused(TransferEncodingInvalid)),
    ("Transfer-Encoding: chunked;q=1", Refused(TransferEncodingInvalid)),
    ("Transfer-Encoding: \"chunked\"", Refused(TransferEncodingInvalid)),
    ("Transfer-Encoding: chunked x", Refused(TransferEncodingInvalid)),
    ("Transfer-Encoding: chu\u{b}nked", Refused(ControlCharacter)),
];

#[test]
fn fields_are_read_refused_or_ignored() {
    check(FIELDS, |field| format!("GET / HTTP/1.1\r\nHost: x\r\n{field}\r\n\r\n"));
}

#[test]
fn a_host_is_known_by_its_name_in_lower_case() {
    for (value, host) in HOSTS {
        let request = format!("GET / HTTP/1.1\r\nHost: {value}\r\n\r\n");
        let (found, _) = scan(request.as_bytes());
        match host {
            None => assert!(is(&found, Refused(HostInvalid)), "{value:?}"),
            Some(host) => {
                assert!(is(&found, Asks("/")), "{value:?}: {:?}", super::super::refusal(&found));
                let hash = PathHasher::hash(KEY, host.as_bytes());
                assert_eq!(super::super::host(&found), hash, "{value:?}");
            }
        }
        assert_eq!(pieces::scan_in(request.as_bytes().chunks(1)).0, found, "{value:?}");
    }
}

#[test]
fn the_authority_of_the_target_overrides_host() {
    for (target, fields, host) in [
        ("http://A.b:80/c", "Host: d", "a.b"),
        ("http://a.b./c", "Host:", "a.b"),
        ("/c", "Host: d", "d"),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\n{fields}\r\n\r\n");
        let (found, _) = scan(request.as_bytes());
        assert!(is(&found, Asks("/c")), "{target}");
        let hash = PathHasher::hash(KEY, host.as_bytes());
        assert_eq!(super::super::host(&found), hash, "{target}");
    }
    let (found, _) = scan(b"GET http://a/ HTTP/1.1\r\nHost: b c\r\n\r\n");
    assert!(is(&found, Refused(HostInvalid)), "it must be valid all the same");
}
