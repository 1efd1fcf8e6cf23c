//! Which media type a file has.

use std::path::Path;

/// The value of `Content-Type` for a file of this name and content. Text that is UTF-8 says so,
/// because clients otherwise guess (RFC 9110 section 8.3.2); other text stays without a charset.
pub(super) fn content_type(file: &Path, body: &[u8]) -> String {
    let guessed = mime_guess::from_path(file).first_or_octet_stream();
    if guessed.type_() == mime_guess::mime::TEXT && std::str::from_utf8(body).is_ok() {
        format!("{}; charset=utf-8", guessed.essence_str())
    } else {
        guessed.essence_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, body: &[u8]) -> String {
        content_type(Path::new(name), body)
    }

    #[test]
    fn text_in_utf8_says_so() {
        assert_eq!(of("a.html", b"x"), "text/html; charset=utf-8");
        assert_eq!(of("a.css", "ü".as_bytes()), "text/css; charset=utf-8");
        assert_eq!(of("a.js", b"x"), "text/javascript; charset=utf-8");
    }

    #[test]
    fn text_in_another_encoding_claims_none() {
        assert_eq!(of("a.txt", b"\xfc"), "text/plain");
    }

    #[test]
    fn what_is_not_text_has_no_charset() {
        assert_eq!(of("a.png", b"x"), "image/png");
        assert_eq!(of("a.json", b"{}"), "application/json");
        assert_eq!(of("a.wasm", b"x"), "application/wasm");
    }

    #[test]
    fn an_unknown_name_is_bytes() {
        assert_eq!(of("LICENSE", b"x"), "application/octet-stream");
    }
}
