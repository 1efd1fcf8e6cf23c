//! What answers look like, byte by byte.

use std::time::Duration;

use zeroserve_shared::{
    response::{MAX_RESPONSE_BYTES, MOVING_BYTES, NO_MOVING_PART, PART_BYTES, PART_GAP_BYTES},
    route::{FixedRoute, NOT_MODIFIED, PARTIAL, UNSATISFIABLE},
};

use super::*;

/// A form as text, with what the kernel fills in as `<moving>` and `<part>`.
fn form(rendered: &Rendered, which: usize) -> String {
    let Form { start, bytes, moving_offset } = rendered.forms[which];
    let form = &rendered.bytes[start as usize..][..bytes as usize];
    let (before, rest) = form.split_at(moving_offset as usize);
    let (moving, mut rest) = rest.split_at(MOVING_BYTES);
    assert_eq!(moving, [0; MOVING_BYTES]);
    let mut text = String::from_utf8(before.to_vec()).expect("text") + "<moving>";
    if which == PARTIAL {
        let (gap, behind) = rest.split_at(PART_GAP_BYTES);
        assert_eq!(gap, b"\r\n");
        let (part, behind) = behind.split_at(PART_BYTES);
        assert_eq!(part, [0; PART_BYTES]);
        text += "\r\n<part>";
        rest = behind;
    }
    text + &String::from_utf8_lossy(rest)
}

fn options(fields: &[&str]) -> ResponseOptions {
    let mut options = ResponseOptions::default();
    for field in fields {
        options.fields.add(field.parse().expect("a field")).expect("once");
    }
    options
}

fn modified() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777)
}

#[test]
fn a_file_is_rendered_in_four_forms() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("page.html");
    fs::write(&file, "<h1>hé</h1>").expect("a file");
    let opened = File::options().write(true).open(&file);
    opened.and_then(|file| file.set_modified(modified())).expect("a time");

    let options = options(&["Cache-Control: max-age=60", "Content-Language: fr", "X-A: b"]);
    let rendered = Rendered::file(&file, &options).expect("rendered");
    let sha: String = rendered.body_sha256[..16].iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(
        form(&rendered, WHOLE),
        format!(
            "HTTP/1.1 200 OK\r\nDate: <moving>\r\nServer: zeroserve\r\n\
             Content-Type: text/html; charset=utf-8\r\nContent-Length: 12\r\nETag: \"{sha}\"\r\n\
             Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nAccept-Ranges: bytes\r\n\
             Cache-Control: max-age=60\r\nContent-Language: fr\r\nX-A: b\r\n\r\n<h1>hé</h1>"
        )
    );
    assert_eq!(
        form(&rendered, NOT_MODIFIED),
        format!(
            "HTTP/1.1 304 Not Modified\r\nDate: <moving>\r\nServer: zeroserve\r\nETag: \"{sha}\"\r\n\
             Cache-Control: max-age=60\r\nX-A: b\r\n\r\n"
        )
    );
    assert_eq!(
        form(&rendered, PARTIAL),
        format!(
            "HTTP/1.1 206 Partial Content\r\nDate: <moving>\r\n<part>\r\nServer: zeroserve\r\n\
             Content-Type: text/html; charset=utf-8\r\nETag: \"{sha}\"\r\n\
             Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
             Cache-Control: max-age=60\r\nContent-Language: fr\r\nX-A: b\r\n\r\n"
        )
    );
    assert_eq!(
        form(&rendered, UNSATISFIABLE),
        "HTTP/1.1 416 Range Not Satisfiable\r\nDate: <moving>\r\nServer: zeroserve\r\n\
         Content-Range: bytes */12\r\nContent-Length: 0\r\n\r\n"
    );
    assert_eq!((rendered.modified, rendered.last_modified), (Some(modified()), Some(modified())));
    assert_eq!((rendered.body(), rendered.body_bytes()), ("<h1>hé</h1>".as_bytes(), 12));
    assert_eq!(rendered.variants.len(), 0);
}

#[test]
fn forms_lie_one_behind_the_other_and_fill_the_bytes() {
    let rendered = Rendered::ok("text/plain".into(), &[b'x'; 9000], None);
    for one in rendered.variants.iter().chain([&rendered]) {
        let mut end = 0;
        for form in one.forms {
            assert_eq!(form.start, end);
            assert!(form.bytes > 0);
            end += form.bytes;
        }
        assert_eq!(one.bytes.len(), end as usize);
    }
}

#[test]
fn variants_are_answers_of_their_own_that_say_so_everywhere() {
    let body = "All work and no play. ".repeat(100);
    let rendered = Rendered::ok("text/plain".into(), body.as_bytes(), Some(modified()));
    let encodings: Vec<_> = rendered.variants.iter().map(|variant| variant.encoding).collect();
    assert_eq!(encodings.len(), 3, "{encodings:?}");
    assert_eq!(rendered.encoding, Encoding::Identity);
    assert!(!form(&rendered, WHOLE).contains("Content-Encoding"));
    let mut tags = vec![rendered.etag.clone().expect("a tag")];
    for variant in &rendered.variants {
        let name = variant.encoding.name();
        let tag = variant.etag.clone().expect("a tag");
        assert!(tag.ends_with(&format!("-{name}\"")), "{tag}");
        let whole = form(variant, WHOLE);
        assert!(whole.contains(&format!("\r\nContent-Encoding: {name}\r\n")), "{whole}");
        assert!(whole.contains(&format!("\r\nContent-Length: {}\r\n", variant.body_bytes())));
        assert!(whole.contains("\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"));
        assert!(form(variant, PARTIAL).contains(&format!("\r\nContent-Encoding: {name}\r\n")));
        assert!(!form(variant, NOT_MODIFIED).contains("Content-Encoding"));
        let total = format!("\r\nContent-Range: bytes */{}\r\n", variant.body_bytes());
        assert!(form(variant, UNSATISFIABLE).contains(&total));
        assert!(variant.body_bytes() < rendered.body_bytes());
        tags.push(tag);
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 4);
    for one in rendered.variants.iter().chain([&rendered]) {
        for which in [WHOLE, NOT_MODIFIED, PARTIAL, UNSATISFIABLE] {
            assert!(form(one, which).contains("\r\nVary: Accept-Encoding\r\n"));
        }
    }
}

#[test]
fn what_shall_not_be_compressed_has_no_variants_and_does_not_vary() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("page.html");
    fs::write(&file, "x".repeat(9000)).expect("a file");
    let options = ResponseOptions { compress: false, ..ResponseOptions::default() };
    let rendered = Rendered::file(&file, &options).expect("rendered");
    assert!(rendered.variants.is_empty() && !form(&rendered, WHOLE).contains("Vary"));
    let rendered = Rendered::file(&file, &ResponseOptions::default()).expect("rendered");
    assert!(!rendered.variants.is_empty());
}

#[test]
fn an_empty_file_is_served_and_has_no_ranges() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("empty.txt");
    fs::write(&file, "").expect("a file");
    let rendered = Rendered::file(&file, &ResponseOptions::default()).expect("rendered");
    let whole = form(&rendered, WHOLE);
    assert!(whole.contains("\r\nContent-Length: 0\r\n"), "{whole}");
    assert!(whole.ends_with("\r\n\r\n") && !whole.contains("Accept-Ranges"), "{whole}");
    assert_eq!(rendered.head_bytes, rendered.forms[WHOLE].bytes);
    assert_eq!((rendered.forms[PARTIAL].bytes, rendered.forms[UNSATISFIABLE].bytes), (0, 0));
    assert!(rendered.forms[NOT_MODIFIED].bytes > 0);
}

#[test]
fn a_redirect_says_where_to_go_in_one_form() {
    let redirect = Redirect::new("/new?a=b&c=d", 308).expect("a redirect");
    let rendered = Rendered::redirect(&redirect, &options(&["Cache-Control: no-cache"]));
    let rendered = rendered.expect("rendered");
    let body = "<!doctype html>\n<title>308 Permanent Redirect</title>\n\
                <p>Go on to <a href='/new?a=b&amp;c=d'>/new?a=b&amp;c=d</a>.\n";
    assert_eq!(
        form(&rendered, WHOLE),
        format!(
            "HTTP/1.1 308 Permanent Redirect\r\nDate: <moving>\r\nServer: zeroserve\r\n\
             Location: /new?a=b&c=d\r\nContent-Type: text/html; charset=utf-8\r\n\
             Content-Length: {}\r\nCache-Control: no-cache\r\n\r\n{body}",
            body.len()
        )
    );
    assert_eq!(rendered.forms[WHOLE + 1..], [Form::default(); FORMS - 1]);
    assert_eq!((rendered.status, rendered.etag), (308, None));
}

#[test]
fn a_fixed_reply_of_200_is_like_a_file_and_another_has_one_form() {
    let reply = |status, body: &str| {
        let reply = Reply::new(status, "application/json", body.into()).expect("a reply");
        Rendered::reply(&reply, &ResponseOptions::default()).expect("rendered")
    };
    let ok = reply(200, "{}");
    assert!(form(&ok, WHOLE).ends_with("\r\nAccept-Ranges: bytes\r\n\r\n{}"));
    assert!(ok.etag.is_some() && ok.forms[NOT_MODIFIED].bytes > 0);
    assert_eq!(
        form(&reply(503, "{\"up\":false}"), WHOLE),
        "HTTP/1.1 503 Service Unavailable\r\nDate: <moving>\r\nServer: zeroserve\r\n\
         Content-Type: application/json\r\nContent-Length: 12\r\n\r\n{\"up\":false}"
    );
    assert_eq!(
        form(&reply(204, ""), WHOLE),
        "HTTP/1.1 204 No Content\r\nDate: <moving>\r\nServer: zeroserve\r\n\r\n"
    );
    assert!(form(&reply(599, ""), WHOLE).starts_with("HTTP/1.1 599 \r\n"));
    assert_eq!(reply(503, "").forms[WHOLE + 1..], [Form::default(); FORMS - 1]);
}

#[test]
fn the_date_is_where_the_offset_says_in_every_http_answer() {
    for route in FixedRoute::ALL {
        let rendered = Rendered::fixed(*route);
        let whole = rendered.forms[WHOLE];
        assert_eq!(whole.bytes as usize, rendered.bytes.len(), "{route:?}");
        if route.status() == 0 {
            assert_eq!(whole.moving_offset, NO_MOVING_PART);
            continue;
        }
        let text = form(&rendered, WHOLE);
        let start = format!("HTTP/1.1 {} ", route.status());
        assert!(text.starts_with(&start) && text.contains("\r\nDate: <moving>\r\n"), "{text}");
        let allows = matches!(route, FixedRoute::MethodNotAllowed | FixedRoute::Options);
        assert_eq!(text.contains("\r\nAllow: GET, HEAD, OPTIONS\r\n"), allows, "{text}");
        let retries = *route == FixedRoute::Unavailable;
        assert_eq!(text.contains("\r\nRetry-After: 2\r\n"), retries, "{text}");
        let length = format!("\r\nContent-Length: {}\r\n", rendered.body_bytes());
        let has_body = *route != FixedRoute::Options;
        assert_eq!(text.contains(&length) && rendered.body_bytes() > 0, has_body, "{text}");
    }
}

#[test]
fn a_modification_time_in_the_future_is_not_sent() {
    let tomorrow = SystemTime::now() + Duration::from_secs(86_400);
    let before_all = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
    for modified in [tomorrow, before_all] {
        let rendered = Rendered::ok("text/plain".into(), b"x", Some(modified));
        assert!(!form(&rendered, WHOLE).contains("Last-Modified"));
        assert_eq!((rendered.modified, rendered.last_modified), (Some(modified), None));
    }
}

#[test]
fn the_etag_follows_the_body_and_nothing_else() {
    let tag = |body: &[u8], modified| Rendered::ok("text/plain".into(), body, modified).etag;
    assert_eq!(tag(b"a", None), tag(b"a", Some(SystemTime::UNIX_EPOCH)));
    assert_ne!(tag(b"a", None), tag(b"b", None));
}

#[test]
fn what_cannot_be_served_is_refused_by_name() {
    let render = |file: &Path| Rendered::file(file, &ResponseOptions::default());
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("missing");
    let error = render(&missing).expect_err("missing");
    assert!(matches!(error, RenderError::Unreadable { .. }));
    assert!(error.to_string().contains(&missing.display().to_string()));
    assert!(matches!(render(folder.path()), Err(RenderError::NotAFile(_))));

    let large = folder.path().join("large");
    File::create(&large).and_then(|f| f.set_len(MAX_BODY_BYTES + 1)).expect("a sparse file");
    assert!(matches!(render(&large), Err(RenderError::TooLarge(_))));

    let long = "x".repeat(2000);
    let options = options(&[&format!("X-A: {long}"), &format!("X-B: {long}")]);
    let error = Rendered::file(&large, &options);
    assert!(matches!(error, Err(RenderError::Fields(FieldError::TooLong(_)))));
}

#[test]
fn the_largest_file_with_the_longest_fields_fits_the_largest_response() {
    let folder = tempfile::tempdir().expect("a folder");
    let large = folder.path().join("large");
    File::create(&large).and_then(|f| f.set_len(MAX_BODY_BYTES)).expect("a sparse file");
    let most = super::super::fields::MAX_FIELD_BYTES;
    let options = options(&[&format!("X-A: {}", "x".repeat(most - 7))]);
    let rendered = Rendered::file(&large, &options).expect("rendered");
    assert!(rendered.bytes.len() as u32 <= MAX_RESPONSE_BYTES);
}
