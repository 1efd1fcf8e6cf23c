//! What a request gets, end to end: conditions, ranges, codings, hosts, refusals.

use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use zeroserve_shared::refusal::Refusal;
use zeroserve_tests::{
    Lab,
    lab::{check_books, noise},
};
use zeroserve_tui::{
    content::Rendered,
    demo::client::Response,
    server::{Change, Server},
};

/// The time in the examples of RFC 9110, seconds since the Unix epoch.
const MODIFIED_UNIX_S: u64 = 784_111_777;

/// A lab that serves a body behind `/file`, last modified at that time.
fn lab(body: &[u8]) -> Result<Lab> {
    let mut lab = Lab::new()?;
    let modified = UNIX_EPOCH + Duration::from_secs(MODIFIED_UNIX_S);
    let rendered = Rendered::ok("text/plain".into(), body, Some(modified));
    lab.live.apply(Change::Add("/file".parse()?, Arc::new(rendered)))?;
    Ok(lab)
}

/// The value of a field that has to be there.
fn field(response: &Response<'_>, name: &str) -> Result<String> {
    let value = response.header(name).with_context(|| format!("no {name}: {response:?}"))?;
    Ok(String::from_utf8(value.to_vec())?)
}

#[test]
fn conditions_are_answered_without_a_body_and_the_connection_goes_on() -> Result<()> {
    let body = noise(1, 5000);
    let mut lab = lab(&body)?;
    let mut connection = lab.connect()?;
    let whole = connection.get("/file")?;
    let tag = field(&whole, "ETag")?;
    let date = field(&whole, "Last-Modified")?;
    assert_eq!(date, "Sun, 06 Nov 1994 08:49:37 GMT");
    for (fields, status) in [
        (format!("If-None-Match: {tag}\r\n"), 304),
        (format!("If-None-Match: \"a\", W/{tag}\r\n"), 304),
        ("If-None-Match: *\r\n".into(), 304),
        ("If-None-Match: \"a\"\r\n".into(), 200),
        (format!("If-Modified-Since: {date}\r\n"), 304),
        ("If-Modified-Since: Sun Nov  6 08:49:36 1994\r\n".into(), 200),
        (format!("If-None-Match: \"a\"\r\nIf-Modified-Since: {date}\r\n"), 200),
        (format!("If-Match: {tag}\r\n"), 200),
        (format!("If-Match: W/{tag}\r\n"), 412),
        (format!("If-Unmodified-Since: {date}\r\n"), 200),
        ("If-Unmodified-Since: Sunday, 06-Nov-94 08:49:36 GMT\r\n".into(), 412),
    ] {
        for method in ["GET", "HEAD"] {
            let response = connection.request(method, "/file", &fields)?;
            assert_eq!(response.status, status, "{method} {fields}");
            assert!(!response.closes, "{method} {fields}");
            match status {
                304 => {
                    // RFC 9110 section 15.4.5.
                    assert_eq!(field(&response, "ETag")?, tag);
                    assert!(response.header("Date").is_some() && response.body.is_empty());
                }
                200 if method == "GET" => assert!(response.body == body),
                _ => assert!(method == "GET" || response.body.is_empty()),
            }
        }
    }
    let totals = lab.totals()?;
    assert_eq!(totals.refusals[Refusal::PreconditionFalse as usize], 4);
    assert_eq!(totals.requests, 1 + 22);
    check_books(&totals);
    Ok(())
}

#[test]
fn a_range_brings_its_bytes_and_says_which() -> Result<()> {
    // Of one segment, of one block, of many.
    for bytes in [1usize, 1000, 40_000, 700_000] {
        let body = noise(2, bytes);
        let mut lab = lab(&body)?;
        let mut connection = lab.connect()?;
        let last = bytes - 1;
        let middle = bytes / 2;
        for (range, first, end) in [
            ("0-".to_owned(), 0, bytes),
            ("0-0".to_owned(), 0, 1),
            (format!("{last}-"), last, bytes),
            (format!("{middle}-{last}"), middle, bytes),
            (format!("{middle}-99999999999999"), middle, bytes),
            ("-1".to_owned(), last, bytes),
            (format!("-{bytes}"), 0, bytes),
            (format!("-{}", bytes * 3), 0, bytes),
            (format!("{}-{middle}", middle / 2), middle / 2, middle + 1),
        ] {
            let fields = format!("Range: bytes={range}\r\n");
            let response = connection.request("GET", "/file", &fields)?;
            assert_eq!(response.status, 206, "{range} of {bytes}: {response:?}");
            let says = format!("bytes {first}-{}/{bytes}", end - 1);
            assert_eq!(field(&response, "Content-Range")?, says);
            assert_eq!(field(&response, "Content-Length")?, (end - first).to_string());
            assert!(response.body == &body[first..end], "{range} of {bytes}");
        }
        for range in [format!("{bytes}-"), format!("{bytes}-{}", bytes + 5), "-0".to_owned()] {
            let fields = format!("Range: bytes={range}\r\n");
            let response = connection.request("GET", "/file", &fields)?;
            assert_eq!(response.status, 416, "{range} of {bytes}");
            assert_eq!(field(&response, "Content-Range")?, format!("bytes */{bytes}"));
        }
        for fields in ["Range: bytes=0-0,0-0\r\n", "Range: lines=0-0\r\n"] {
            let response = connection.request("GET", "/file", fields)?;
            assert_eq!(response.status, 200, "{fields} of {bytes}");
            assert!(response.body == body, "{fields} of {bytes}");
        }
        let response = connection.request("HEAD", "/file", "Range: bytes=0-0\r\n")?;
        assert_eq!((response.status, response.body.len()), (200, 0));
        check_books(&lab.totals()?);
    }
    Ok(())
}

#[test]
fn a_range_counts_only_of_what_the_client_has_the_rest_of() -> Result<()> {
    let body = noise(3, 3000);
    let lab = lab(&body)?;
    let mut connection = lab.connect()?;
    let tag = field(&connection.get("/file")?, "ETag")?;
    for (value, status) in [
        (tag.clone(), 206),
        (format!("W/{tag}"), 200),
        ("\"a\"".into(), 200),
        ("Sun, 06 Nov 1994 08:49:37 GMT".into(), 206),
        ("Sun, 06 Nov 1994 08:49:38 GMT".into(), 200),
    ] {
        let fields = format!("Range: bytes=10-19\r\nIf-Range: {value}\r\n");
        let response = connection.request("GET", "/file", &fields)?;
        assert_eq!(response.status, status, "{value}");
        let expected = if status == 206 { &body[10..20] } else { &body[..] };
        assert!(response.body == expected, "{value}");
    }
    Ok(())
}

#[test]
fn each_coding_is_a_representation_of_its_own() -> Result<()> {
    let text = "all work and no play ".repeat(5000);
    let lab = lab(text.as_bytes())?;
    let mut connection = lab.connect()?;
    let mut tags = Vec::new();
    let mut sizes = Vec::new();
    for (accepted, coding) in [
        ("", None),
        ("br;q=0", None),
        ("identity, br;q=0.9", None),
        ("gzip", Some("gzip")),
        ("br", Some("br")),
        ("zstd", Some("zstd")),
        ("gzip;q=0.9, zstd;q=1, br;q=0.5", Some("zstd")),
    ] {
        let accept = format!("Accept-Encoding: {accepted}\r\n");
        let response = connection.request("GET", "/file", &accept)?;
        assert_eq!(response.status, 200);
        let found = response.header("Content-Encoding");
        assert_eq!(found, coding.map(str::as_bytes), "{accepted}");
        assert_eq!(field(&response, "Vary")?, "Accept-Encoding");
        let (tag, body) = (field(&response, "ETag")?, response.body.to_vec());
        assert_eq!(coding.is_none(), body == text.as_bytes());

        // RFC 9110 section 14.1: a range is one of the representation selected.
        let fields = format!("{accept}Range: bytes=5-14\r\n");
        let response = connection.request("GET", "/file", &fields)?;
        assert_eq!((response.status, response.body), (206, &body[5..15]), "{accepted}");
        assert_eq!(response.header("Content-Encoding"), coding.map(str::as_bytes));
        let fields = format!("{accept}If-None-Match: {tag}\r\n");
        assert_eq!(connection.request("GET", "/file", &fields)?.status, 304, "{accepted}");
        let other = if coding == Some("gzip") { "br" } else { "gzip" };
        let fields = format!("Accept-Encoding: {other}\r\nIf-None-Match: {tag}\r\n");
        assert_eq!(connection.request("GET", "/file", &fields)?.status, 200, "{accepted}");
        tags.push(tag);
        sizes.push((body.len(), coding));
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 4);
    let response = connection.request("GET", "/file", "Accept-Encoding: zstd, gzip, br\r\n")?;
    let smallest = sizes.iter().min().context("no sizes")?;
    assert_eq!(response.body.len(), smallest.0, "{sizes:?}");
    Ok(())
}

#[test]
fn a_host_has_routes_of_its_own_and_everybodys() -> Result<()> {
    let mut lab = Lab::new()?;
    lab.publish("/a", b"everybody's")?;
    lab.publish("//a.example/a", b"a's")?;
    lab.publish("//b.example/a", b"b's")?;
    lab.publish("//b.example/b", b"only b's")?;
    let mut connection = lab.connect()?;
    for (target, host, expected) in [
        ("/a", "a.example", Some("a's")),
        ("/a", "B.Example:80", Some("b's")),
        ("/a", "b.example.", Some("b's")),
        ("/a", "c.example", Some("everybody's")),
        ("/a", "", Some("everybody's")),
        ("http://a.example/a", "b.example", Some("a's")),
        ("http://B.example:80/./a?b", "a.example", Some("b's")),
        ("/b", "b.example", Some("only b's")),
        ("/b", "a.example", None),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        connection.send(request.as_bytes())?;
        let response = connection.receive(true)?;
        assert_eq!(response.status, if expected.is_some() { 200 } else { 404 }, "{request}");
        if let Some(expected) = expected {
            assert_eq!(response.body, expected.as_bytes(), "{request}");
        }
    }
    Ok(())
}

#[test]
fn paths_are_normalised_before_they_are_looked_up() -> Result<()> {
    let mut lab = Lab::new()?;
    lab.publish("/a/b c", b"here")?;
    let mut connection = lab.connect()?;
    for target in
        ["/a/b%20c", "//a///b%20c", "/a/./x/../b%20c?q", "/%61%2fb%20c", "/x/%2e%2E/a/b%20c"]
    {
        assert_eq!(connection.get(target)?.body, b"here", "{target}");
    }
    for target in ["/a/b%2520c", "/a/b+c", "/A/b%20c", "/a/b%20c/"] {
        assert_eq!(connection.get(target)?.status, 404, "{target}");
    }
    Ok(())
}

#[test]
fn options_say_what_may_be_done() -> Result<()> {
    let lab = Lab::new()?;
    let mut connection = lab.connect()?;
    for target in ["*", "/nowhere", "http://x"] {
        let response = connection.request("OPTIONS", target, "")?;
        assert_eq!((response.status, response.closes), (204, false), "{target}");
        assert_eq!(field(&response, "Allow")?, "GET, HEAD, OPTIONS");
    }
    Ok(())
}

#[test]
fn each_class_of_mistake_is_counted_and_ends_the_connection() -> Result<()> {
    let mut lab = lab(b"here")?;
    for (request, refusal) in [
        ("\u{16}\u{3}\u{1}\u{2}", Refusal::TlsClientHello),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Refusal::Http2Preface),
        ("G(T / HTTP/1.1\r\n\r\n", Refusal::InvalidToken),
        ("GET file HTTP/1.1\r\n\r\n", Refusal::InvalidTarget),
        ("GET /%00 HTTP/1.1\r\n\r\n", Refusal::InvalidEscape),
        ("GET /../file HTTP/1.1\r\n\r\n", Refusal::PathAboveRoot),
        ("GET / HTTP/1.1\nHost: x\n\n", Refusal::BareLineFeed),
        ("GET / HTTP/1.1\r\nHost: x\r\rA", Refusal::BareCarriageReturn),
        ("GET / HTTP/1.1\r\nHost: x\r\nA: \u{1}\r\n\r\n", Refusal::ControlCharacter),
        ("GET / HTTP/1.1\r\nHost: x\r\n A: b\r\n\r\n", Refusal::FoldedLine),
        ("GET / HTTP/1.1\r\nHost : x\r\n\r\n", Refusal::SpaceBeforeColon),
        ("GET / HTTP/1.1\r\n\r\n", Refusal::HostMissing),
        ("GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", Refusal::HostRepeated),
        ("GET / HTTP/1.1\r\nHost: x y\r\n\r\n", Refusal::HostInvalid),
        ("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", Refusal::LengthInvalid),
        (
            "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            Refusal::LengthAndEncoding,
        ),
        (
            "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
            Refusal::TransferEncodingInvalid,
        ),
        ("GET /\r\n\r\n", Refusal::Malformed),
        ("GET / HTTP/3.0\r\n\r\n", Refusal::VersionUnknown),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", Refusal::MethodUnknown),
        (&format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(600)), Refusal::TargetTooLong),
        (
            &format!("GET {}{} HTTP/1.1\r\n\r\n", "/a".repeat(20), "/..".repeat(20)),
            Refusal::PathTooDeep,
        ),
        (&format!("GET /?{} HTTP/1.1\r\n\r\n", "a".repeat(17_000)), Refusal::HeaderTooLarge),
    ] {
        let before = lab.totals()?.refusals;
        let mut connection = lab.connect()?;
        connection.send(request.as_bytes())?;
        let answer = connection.rest()?;
        let status = refusal.route().status();
        let begins = match refusal {
            Refusal::TlsClientHello => answer.starts_with(&[0x15, 3]),
            // A frame of SETTINGS, as RFC 9113 section 3.4 wants first.
            Refusal::Http2Preface => answer.get(3) == Some(&4),
            _ => answer.starts_with(format!("HTTP/1.1 {status} ").as_bytes()),
        };
        let shown = String::from_utf8_lossy(&answer);
        assert!(begins, "{request:?} got {shown:?}");
        let mut expected = before;
        expected[refusal as usize] += 1;
        assert_eq!(lab.totals()?.refusals, expected, "{request:?} is {}", refusal.name());
    }
    check_books(&lab.totals()?);
    Ok(())
}

/// What `/a` brings at a host, to a request that comes again and again, so that the server has
/// remembered it.
fn ask_often(lab: &Lab, host: &str) -> Result<(u16, Vec<u8>)> {
    let mut connection = lab.connect()?;
    let request = format!("GET /a HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let mut answers = Vec::new();
    for _ in 0..20 {
        connection.send(request.as_bytes())?;
        let response = connection.receive(true)?;
        answers.push((response.status, response.body.to_vec()));
    }
    let first = answers[0].clone();
    assert!(answers.iter().all(|answer| *answer == first), "{answers:?}");
    Ok(first)
}

#[test]
fn a_request_that_is_remembered_gets_what_there_is_now() -> Result<()> {
    let mut lab = Lab::new()?;
    let ok = |body: &str| (200, body.as_bytes().to_vec());
    lab.publish("/a", b"first")?;
    lab.publish("/b", b"other")?;
    assert_eq!(ask_often(&lab, "x.example")?, ok("first"));
    lab.replace("/a", b"second")?;
    assert_eq!(ask_often(&lab, "x.example")?, ok("second"));
    lab.publish("//x.example/a", b"x's own")?;
    assert_eq!(ask_often(&lab, "x.example")?, ok("x's own"));
    assert_eq!(ask_often(&lab, "y.example")?, ok("second"));
    lab.remove("//x.example/a")?;
    assert_eq!(ask_often(&lab, "x.example")?, ok("second"));
    lab.remove("/a")?;
    assert_eq!(ask_often(&lab, "x.example")?.0, 404);
    // The place of the route that was removed is free for another.
    lab.publish("/c", b"another")?;
    assert_eq!(ask_often(&lab, "x.example")?.0, 404);
    lab.publish("/a", b"third")?;
    assert_eq!(ask_often(&lab, "x.example")?, ok("third"));
    check_books(&lab.totals()?);
    Ok(())
}
