//! Where an answer can send a client.

use http::StatusCode;

use super::path::RoutePath;

/// The longest `Location` that fits an answer's head, in bytes.
const MAX_LOCATION_BYTES: usize = 2 << 10;

/// Why a redirect cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedirectError {
    /// The status is none of a redirect that has a target.
    #[error("{0} is no status of a redirect; there are 301 and 308 for good, 302 and 307 for now")]
    Status(u16),
    /// The target is neither a path nor a URL.
    #[error("{0:?} is no target: it must begin with '/', http:// or https://")]
    Target(String),
    /// The target has a control character.
    #[error("the target {0:?} contains a control character")]
    ControlCharacter(String),
    /// The target's host is not ASCII.
    #[error(
        "the host of {0:?} is not written as it is sent; an international name has a form that \
         begins with xn--"
    )]
    Host(String),
    /// The target does not fit an answer's head.
    #[error("the target has {0} bytes, encoded; at most {MAX_LOCATION_BYTES} are possible")]
    TooLong(usize),
    /// It would lead back to where it comes from.
    #[error("{0} would be sent to itself, without end")]
    ToItself(String),
}

/// An answer that sends a client elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    status: u16,
    location: String,
}

impl Redirect {
    /// What is meant where no status is given: 301, moved for good.
    pub const DEFAULT_STATUS: u16 = 301;

    /// A redirect to a path or an absolute URL, in which what a URL cannot hold is percent-encoded.
    ///
    /// # Errors
    ///
    /// See [`RedirectError`].
    pub fn new(to: &str, status: u16) -> Result<Self, RedirectError> {
        if !matches!(status, 301 | 302 | 307 | 308) {
            return Err(RedirectError::Status(status));
        }
        if to.chars().any(char::is_control) {
            return Err(RedirectError::ControlCharacter(to.to_owned()));
        }
        let scheme = ["http://", "https://", "//"].into_iter().find(|scheme| {
            to.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        });
        if let Some(scheme) = scheme {
            let host = to[scheme.len()..].split(['/', '?', '#']).next().unwrap_or_default();
            if host.is_empty() {
                return Err(RedirectError::Target(to.to_owned()));
            }
            if !host.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(RedirectError::Host(to.to_owned()));
            }
        } else if !to.starts_with('/') {
            return Err(RedirectError::Target(to.to_owned()));
        }
        let location = encode(to);
        if location.len() > MAX_LOCATION_BYTES {
            return Err(RedirectError::TooLong(location.len()));
        }
        Ok(Self { status, location })
    }

    /// The redirect from a folder without its slash to the folder.
    pub(crate) fn to_folder(folder: &RoutePath) -> Self {
        Self { status: Self::DEFAULT_STATUS, location: percent_encode(folder.path()) }
    }

    /// Refuses a redirect from a path to the same path.
    ///
    /// # Errors
    ///
    /// [`RedirectError::ToItself`].
    pub fn check_from(&self, from: &RoutePath) -> Result<(), RedirectError> {
        let leads_back = self.location == percent_encode(from.path());
        if leads_back { Err(RedirectError::ToItself(from.to_string())) } else { Ok(()) }
    }

    /// Its status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The value of `Location`.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// A few words for a person whose client stays where it is (RFC 9110 section 15.4).
    pub(super) fn body(&self) -> String {
        let reason =
            StatusCode::from_u16(self.status).ok().and_then(|status| status.canonical_reason());
        let title = format!("{} {}", self.status, reason.unwrap_or_default());
        // What could end the attribute or begin an entity; the rest was percent-encoded.
        let location = self.location.replace('&', "&amp;").replace('\'', "&#39;");
        format!(
            "<!doctype html>\n<title>{title}</title>\n<p>Go on to <a href='{location}'>{location}\
             </a>.\n"
        )
    }
}

/// Percent-encodes what no URI has (RFC 3986 section 2). What is encoded already stays so.
fn encode(url: &str) -> String {
    let mut encoded = String::with_capacity(url.len());
    for byte in url.bytes() {
        match byte {
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' => {
                push(&mut encoded, byte)
            }
            0x21..=0x7e => encoded.push(char::from(byte)),
            _ => push(&mut encoded, byte),
        }
    }
    encoded
}

/// Percent-encodes a decoded path for a request line or a link (RFC 3986 section 3.3).
pub(crate) fn percent_encode(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => push(&mut encoded, byte),
        }
    }
    encoded
}

fn push(encoded: &mut String, byte: u8) {
    encoded.push_str(&format!("%{byte:02X}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(to: &str) -> String {
        Redirect::new(to, 301).expect(to).location
    }

    #[test]
    fn a_target_stays_as_it_is_but_for_what_no_url_holds() {
        for target in
            ["/new", "/a%20b?c=d&e#f", "https://example.org:8443/x", "//example.org/", "HTTP://a/"]
        {
            assert_eq!(location(target), target);
        }
        assert_eq!(location("/ü b\"<"), "/%C3%BC%20b%22%3C");
        assert_eq!(location("https://example.org/é"), "https://example.org/%C3%A9");
    }

    #[test]
    fn what_is_no_target_is_refused_with_the_reason() {
        let owned = str::to_owned;
        for (to, error) in [
            ("new.html", RedirectError::Target(owned("new.html"))),
            ("", RedirectError::Target(owned(""))),
            ("http://", RedirectError::Target(owned("http://"))),
            ("javascript:alert(1)", RedirectError::Target(owned("javascript:alert(1)"))),
            ("/a\r\nSet-Cookie: b", RedirectError::ControlCharacter(owned("/a\r\nSet-Cookie: b"))),
            ("http://bücher.example/", RedirectError::Host(owned("http://bücher.example/"))),
        ] {
            assert_eq!(Redirect::new(to, 301), Err(error), "{to:?}");
        }
        assert_eq!(Redirect::new("/a", 303), Err(RedirectError::Status(303)));
        let long = format!("/{}", "x".repeat(MAX_LOCATION_BYTES));
        assert_eq!(Redirect::new(&long, 302), Err(RedirectError::TooLong(long.len())));
    }

    #[test]
    fn a_redirect_to_where_it_comes_from_is_refused() {
        let from: RoutePath = "/a%20b".parse().expect("a path");
        let to_itself = Redirect::new("/a b", 302).expect("a redirect");
        assert!(to_itself.check_from(&from).is_err());
        assert_eq!(Redirect::new("/a%20b/", 302).map(|one| one.check_from(&from)), Ok(Ok(())));
    }

    #[test]
    fn a_folder_is_named_as_a_request_line_would() {
        let folder: RoutePath = "//host/50%25%20%3F/".parse().expect("a path");
        assert_eq!(Redirect::to_folder(&folder).location, "/50%25%20%3F/");
    }

    #[test]
    fn what_a_request_line_cannot_hold_is_percent_encoded() {
        assert_eq!(percent_encode("/a b/ü.html"), "/a%20b/%C3%BC.html");
    }

    #[test]
    fn the_words_below_a_redirect_cannot_break_out_of_their_place() {
        let body = Redirect::new("/a'b&c<d>", 308).expect("a redirect").body();
        assert_eq!(
            body,
            "<!doctype html>\n<title>308 Permanent Redirect</title>\n\
             <p>Go on to <a href='/a&#39;b&amp;c%3Cd%3E'>/a&#39;b&amp;c%3Cd%3E</a>.\n"
        );
    }
}
