//! Which paths a route may have.

use std::{fmt, path::Path, str::FromStr};

use zeroserve_shared::path::{MAX_PATH_BYTES, PathHash, PathHasher};

/// The decoded path of a route: it begins with `/`, has no empty or dot segments before its last,
/// no control characters, and at most [`MAX_PATH_BYTES`] bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoutePath(String);

/// Why something is no path of a route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It does not begin with a slash.
    #[error("the path {0:?} must begin with '/', as in /index.html")]
    NotAbsolute(String),
    /// It has more bytes than a route can have.
    #[error("the path has {0} bytes; at most {MAX_PATH_BYTES} are possible")]
    TooLong(usize),
    /// It has a query or a fragment, which are no part of a route.
    #[error(
        "the path {0:?} must not contain '?' or '#'; routes ignore queries (percent-encode the character if it belongs to the name)"
    )]
    QueryOrFragment(String),
    /// It has an empty segment, `.` or `..`.
    #[error("the path {0:?} must not contain '//', '.' or '..' segments")]
    OddSegment(String),
    /// It has a control character.
    #[error("the path {0:?} contains a control character")]
    ControlCharacter(String),
    /// A `%` is not followed by two hexadecimal digits, or the result is not UTF-8.
    #[error("the path {0:?} has a percent-encoding that is incomplete or not UTF-8")]
    BadEncoding(String),
    /// A file's name is not UTF-8, so no route can be named after it.
    #[error("the file name {0:?} is not UTF-8; rename the file")]
    NameNotUtf8(String),
}

impl RoutePath {
    /// The path of a file, from its name relative to the folder that is served. File names are
    /// decoded already: `%`, `?` and `#` are ordinary characters here.
    ///
    /// # Errors
    ///
    /// See [`PathError`].
    pub fn from_file_names(relative: &Path) -> Result<Self, PathError> {
        let names = relative
            .to_str()
            .ok_or_else(|| PathError::NameNotUtf8(relative.display().to_string()))?;
        Self::from_decoded(format!("/{names}"))
    }

    /// The path of the folder that this path lies in, with its trailing slash.
    pub fn folder(&self) -> Self {
        let end = self.0.rfind('/').map_or(0, |slash| slash + 1);
        Self(self.0[..end].to_owned())
    }

    /// A path that is decoded already.
    pub(crate) fn from_decoded(path: String) -> Result<Self, PathError> {
        let Some(relative) = path.strip_prefix('/') else {
            return Err(PathError::NotAbsolute(path));
        };
        if path.len() > MAX_PATH_BYTES {
            return Err(PathError::TooLong(path.len()));
        }
        if path.chars().any(char::is_control) {
            return Err(PathError::ControlCharacter(path));
        }
        // A trailing slash leaves one empty segment at the end, and "/" is nothing but that.
        let without_slash = relative.strip_suffix('/').unwrap_or(relative);
        let odd = |segment: &str| matches!(segment, "" | "." | "..");
        if !relative.is_empty() && without_slash.split('/').any(odd) {
            return Err(PathError::OddSegment(path));
        }
        Ok(Self(path))
    }

    /// The decoded path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The hash by which the kernel side finds it.
    pub fn hash(&self, key: [u64; 2]) -> PathHash {
        PathHasher::hash(key, self.0.as_bytes())
    }
}

impl fmt::Display for RoutePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// Parses a path as a person types it, percent-encoded where need be.
impl FromStr for RoutePath {
    type Err = PathError;

    fn from_str(typed: &str) -> Result<Self, PathError> {
        if typed.contains(['?', '#']) {
            return Err(PathError::QueryOrFragment(typed.to_owned()));
        }
        let decoded =
            percent_decode(typed).ok_or_else(|| PathError::BadEncoding(typed.to_owned()))?;
        Self::from_decoded(decoded)
    }
}

/// Undoes percent-encoding (RFC 3986 section 2.1); none where it is incomplete or not UTF-8.
fn percent_decode(encoded: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.bytes();
    let digit = |bytes: &mut std::str::Bytes<'_>| char::from(bytes.next()?).to_digit(16);
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => (digit(&mut bytes)? << 4 | digit(&mut bytes)?) as u8,
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    use proptest::prelude::*;

    use super::*;

    fn parse(typed: &str) -> Result<String, PathError> {
        typed.parse().map(|path: RoutePath| path.0)
    }

    #[test]
    fn ordinary_paths_stay_as_they_are() {
        for path in ["/", "/index.html", "/a/b/c.js", "/docs/", "/...", "/.well-known/x", "/ü"] {
            assert_eq!(parse(path).as_deref(), Ok(path));
        }
    }

    #[test]
    fn typed_paths_are_percent_decoded_once() {
        assert_eq!(parse("/a%20b").as_deref(), Ok("/a b"));
        assert_eq!(parse("/%C3%bc").as_deref(), Ok("/ü"));
        assert_eq!(parse("/100%2525").as_deref(), Ok("/100%25"));
        assert_eq!(parse("/what%3F").as_deref(), Ok("/what?"));
    }

    #[test]
    fn what_is_no_path_of_a_route_is_refused_with_the_reason() {
        let owned = str::to_owned;
        for (typed, error) in [
            ("", PathError::NotAbsolute(owned(""))),
            ("index.html", PathError::NotAbsolute(owned("index.html"))),
            ("/a?b=c", PathError::QueryOrFragment(owned("/a?b=c"))),
            ("/a#top", PathError::QueryOrFragment(owned("/a#top"))),
            ("//", PathError::OddSegment(owned("//"))),
            ("/a//b", PathError::OddSegment(owned("/a//b"))),
            ("/a/../b", PathError::OddSegment(owned("/a/../b"))),
            ("/%2e%2E/b", PathError::OddSegment(owned("/../b"))),
            ("/a/./", PathError::OddSegment(owned("/a/./"))),
            ("/a%00", PathError::ControlCharacter(owned("/a\0"))),
            ("/a%", PathError::BadEncoding(owned("/a%"))),
            ("/a%2", PathError::BadEncoding(owned("/a%2"))),
            ("/a%+1", PathError::BadEncoding(owned("/a%+1"))),
            ("/a%ff", PathError::BadEncoding(owned("/a%ff"))),
        ] {
            assert_eq!(parse(typed), Err(error), "{typed}");
        }
    }

    #[test]
    fn a_path_may_be_as_long_as_the_kernel_side_accepts_and_no_longer() {
        let longest = format!("/{}", "a".repeat(MAX_PATH_BYTES - 1));
        assert_eq!(parse(&longest).as_deref(), Ok(longest.as_str()));
        assert_eq!(parse(&format!("{longest}a")), Err(PathError::TooLong(MAX_PATH_BYTES + 1)));
        let encoded = format!("/{}", "%61".repeat(MAX_PATH_BYTES - 1));
        assert_eq!(parse(&encoded), Ok(longest));
    }

    #[test]
    fn file_names_are_not_percent_decoded() {
        let path = RoutePath::from_file_names(Path::new("a/100%25?#.txt"));
        assert_eq!(path.as_ref().map(RoutePath::as_str), Ok("/a/100%25?#.txt"));
    }

    #[test]
    fn a_file_name_that_is_not_utf8_is_refused() {
        let name = Path::new(OsStr::from_bytes(b"a\xff"));
        assert!(matches!(RoutePath::from_file_names(name), Err(PathError::NameNotUtf8(_))));
    }

    #[test]
    fn the_folder_of_a_path_ends_with_a_slash() {
        let folder = |path: &str| path.parse::<RoutePath>().map(|path| path.folder().0);
        assert_eq!(folder("/index.html").as_deref(), Ok("/"));
        assert_eq!(folder("/docs/index.html").as_deref(), Ok("/docs/"));
    }

    /// Percent-encodes every byte but the slashes.
    fn encode_all(path: &str) -> String {
        let encode = |byte| if byte == b'/' { "/".into() } else { format!("%{byte:02X}") };
        path.bytes().map(encode).collect()
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_what_it_accepts_is_a_path(typed in "\\PC{0,40}|(/[.%a2f]{0,3}){0,6}/?") {
            if let Ok(path) = typed.parse::<RoutePath>() {
                prop_assert!(path.0.starts_with('/'));
                prop_assert!(!path.0.contains("//"));
                prop_assert!(!path.0.split('/').any(|segment| segment == "." || segment == ".."));
                prop_assert!(path.0.len() <= MAX_PATH_BYTES);
            }
        }

        #[test]
        fn encoding_a_path_wholly_names_the_same_route(names in proptest::collection::vec("[a-zü %?#~]{1,9}", 1..5)) {
            let relative = names.join("/");
            let from_file = RoutePath::from_file_names(Path::new(&relative));
            let typed = encode_all(&format!("/{relative}")).parse::<RoutePath>();
            prop_assert!(typed.is_ok());
            prop_assert_eq!(typed, from_file);
        }
    }
}
