//! Which paths a route may have.

use std::fmt;

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
}

impl RoutePath {
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
