//! Which paths a route may have.

use std::{fmt, path::Path, str::FromStr};

use zeroserve_shared::path::{MAX_PATH_BYTES, PathHash, PathHasher};

/// The longest name of a host (RFC 1035 section 3.1, less the length bytes at both ends).
const MAX_HOST_NAME_BYTES: usize = 253;

/// The decoded path of a route: it begins with `/`, has no empty or dot segments before its last,
/// no control characters, and at most [`MAX_PATH_BYTES`] bytes. A route of one host only has the
/// host before the path: `//example.org/path`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoutePath {
    /// The path, with `//` and the host before it if there is one.
    name: String,
    /// Where the path begins.
    path_start: usize,
}

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
    /// There is a host, and nothing behind it.
    #[error("{0:?} names a host and no path; write {0}/ for the path / at that host")]
    HostWithoutPath(String),
    /// What follows two slashes is no name of a host.
    #[error(
        "{0:?} is no host, as in //example.org/path: letters, digits, '-' and '.' (of an \
         international name the form that begins with xn--), without a port"
    )]
    BadHost(String),
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
        let end = self.name.rfind('/').map_or(0, |slash| slash + 1);
        Self { name: self.name[..end].to_owned(), path_start: self.path_start }
    }

    /// The path of a folder without its trailing slash, which a person may type; none for `/`.
    pub fn without_slash(&self) -> Option<Self> {
        let name = self.name.strip_suffix('/').filter(|name| name.len() > self.path_start)?;
        Some(Self { name: name.to_owned(), path_start: self.path_start })
    }

    /// The same path at one host only.
    ///
    /// # Errors
    ///
    /// [`PathError::BadHost`].
    pub fn at_host(&self, host: &str) -> Result<Self, PathError> {
        let host = parse_host(host)?;
        Ok(Self { name: format!("//{host}{}", self.path()), path_start: host.len() + 2 })
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
        Ok(Self { name: path, path_start: 0 })
    }

    /// The decoded path, behind `//` and the host if it is a route of one host only: what people
    /// see, and type but for percent-encoding.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The decoded path alone.
    pub fn path(&self) -> &str {
        &self.name[self.path_start..]
    }

    /// The only host that has the route, in lower case; none if every host has it.
    pub fn host(&self) -> Option<&str> {
        self.name[..self.path_start].strip_prefix("//")
    }

    /// The path as the target of a request, percent-encoded where need be (RFC 3986 section 3.3).
    pub fn target(&self) -> String {
        let mut target = String::with_capacity(self.path().len());
        for byte in self.path().bytes() {
            if byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&byte) {
                target.push(byte.into());
            } else {
                target += &format!("%{byte:02X}");
            }
        }
        target
    }

    /// The hash by which the kernel side finds it.
    pub fn hash(&self, key: [u64; 2]) -> PathHash {
        let path = PathHasher::hash(key, self.path().as_bytes());
        match self.host() {
            Some(host) => path.at(PathHasher::hash(key, host.as_bytes())),
            None => path,
        }
    }
}

/// A host's name in lower case (RFC 3986 section 3.2.2): a name, or an address in brackets.
pub(crate) fn parse_host(host: &str) -> Result<String, PathError> {
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let fits = match inner {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.split('.').all(|label| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            !label.is_empty() && label.len() < 64 && label.chars().all(allowed)
        }),
    };
    if fits && host.len() <= MAX_HOST_NAME_BYTES {
        Ok(host.to_ascii_lowercase())
    } else {
        Err(PathError::BadHost(host.to_owned()))
    }
}

impl fmt::Display for RoutePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.name)
    }
}

/// Parses a path as a person types it, percent-encoded where need be, behind `//` and a host if it
/// is to be a route of that host only.
impl FromStr for RoutePath {
    type Err = PathError;

    fn from_str(typed: &str) -> Result<Self, PathError> {
        if typed.contains(['?', '#']) {
            return Err(PathError::QueryOrFragment(typed.to_owned()));
        }
        let (host, encoded) = match typed.strip_prefix("//") {
            Some(rest) => rest.find('/').map(|slash| rest.split_at(slash)).unzip(),
            None => (None, Some(typed)),
        };
        let Some(encoded) = encoded else {
            return Err(PathError::HostWithoutPath(typed.to_owned()));
        };
        let decoded =
            percent_decode(encoded).ok_or_else(|| PathError::BadEncoding(typed.to_owned()))?;
        let path = Self::from_decoded(decoded)?;
        host.map_or(Ok(path.clone()), |host| path.at_host(host))
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
        typed.parse().map(|path: RoutePath| path.name)
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
            ("//", PathError::HostWithoutPath(owned("//"))),
            ("//host", PathError::HostWithoutPath(owned("//host"))),
            ("///", PathError::BadHost(owned(""))),
            ("//a b/", PathError::BadHost(owned("a b"))),
            ("//a:80/", PathError::BadHost(owned("a:80"))),
            ("//a./", PathError::BadHost(owned("a."))),
            ("//bücher.example/", PathError::BadHost(owned("bücher.example"))),
            ("//[::g]/", PathError::BadHost(owned("[::g]"))),
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
        let folder = |path: &str| path.parse::<RoutePath>().map(|path| path.folder().name);
        assert_eq!(folder("/index.html").as_deref(), Ok("/"));
        assert_eq!(folder("/docs/index.html").as_deref(), Ok("/docs/"));
        assert_eq!(folder("//a.example/index.html").as_deref(), Ok("//a.example/"));
    }

    #[test]
    fn a_route_of_one_host_has_the_host_before_its_path_in_lower_case() {
        let path: RoutePath = "//WWW.Example.org/a%20b".parse().expect("a path at a host");
        assert_eq!(path.as_str(), "//www.example.org/a b");
        assert_eq!((path.host(), path.path()), (Some("www.example.org"), "/a b"));
        let plain: RoutePath = "/a b".parse().expect("a path");
        assert_eq!((plain.host(), plain.path()), (None, "/a b"));
        assert_eq!(plain.at_host("WWW.example.org").as_ref(), Ok(&path));
        assert_ne!(plain.hash([1, 2]), path.hash([1, 2]));
        let address: RoutePath = "//[2001:DB8::1]/".parse().expect("an address");
        assert_eq!(address.host(), Some("[2001:db8::1]"));
    }

    #[test]
    fn a_folder_without_its_slash_is_a_path_but_for_the_root() {
        let without = |path: &str| {
            let path: RoutePath = path.parse().expect("a path");
            path.without_slash().map(|path| path.name)
        };
        assert_eq!(without("/docs/").as_deref(), Some("/docs"));
        assert_eq!(without("//a/docs/").as_deref(), Some("//a/docs"));
        assert_eq!(without("/"), None);
        assert_eq!(without("//a/"), None);
        assert_eq!(without("/docs"), None);
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
                prop_assert!(path.path().starts_with('/'));
                prop_assert!(!path.path().contains("//"));
                prop_assert!(!path.path().split('/').any(|segment| segment == "." || segment == ".."));
                prop_assert!(path.path().len() <= MAX_PATH_BYTES);
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
