//! What a path leads to, and what the console remembers of it.
//!
//! `PATHS` maps a path's hash to a route's index, which stays while the route exists. `ROUTES`
//! holds, at that index, which version the route serves now: one aligned word, so that replacing
//! a file is one store and a reader sees the old version or the new. `VERSIONS` describes each
//! version to the kernel side; `DETAILS` holds what only people want to know.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::path::{MAX_PATH_BYTES, PathHash};

/// Names a version: its slot in `VERSIONS`, and how often that slot had been used before.
///
/// Zero names none, because generations begin at one. Aligned to four bytes, so that it fits a
/// [`Flow`](crate::flow::Flow); in a [`Route`] it stands where eight are written at once.
#[repr(C, packed(4))]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct VersionId(pub u64);

impl VersionId {
    /// No version.
    pub const NONE: Self = Self(0);

    /// The version in `slot`, of that generation.
    #[inline(always)]
    pub const fn new(slot: u32, generation: u32) -> Self {
        Self((generation as u64) << 32 | slot as u64)
    }

    /// Its slot in `VERSIONS` and in the map-in-map of its class.
    #[inline(always)]
    pub const fn slot(self) -> u32 {
        self.0 as u32
    }

    /// Which use of the slot it is; one or more for every version there is.
    #[inline(always)]
    pub const fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Whether it names no version.
    #[inline(always)]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// An element of `ROUTES`.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Route {
    /// The hash of the route's path, compared after the lookup in `PATHS`: that map may reuse an
    /// element for another path while a reader still looks at it.
    pub path: PathHash,
    /// The version it serves, none if the route is unused.
    pub version: VersionId,
    /// Until when it does, nanoseconds of `CLOCK_BOOTTIME`: then the path counts as a miss. Zero if
    /// it has no end. What has one is a copy of what the server behind answered, and answers only
    /// requests that are not particular (see the kernel side's `request` module).
    pub expires_ns: u64,
    /// When a copy was new, seconds since the Unix epoch: what `Age` counts from. Zero, or the time
    /// that `Date` says would be wrong, if it is no copy.
    pub born_unix_s: u32,
    /// Keeps the layout free of padding.
    pub reserved: u32,
}

const _: () = crate::size_is::<Route, 40>();

/// Routes that exist without a path, for what is not a hit. Their value is their index in
/// `ROUTES`.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FixedRoute {
    /// 400 (RFC 9110 section 15.5.1).
    BadRequest = 0,
    /// 404 (RFC 9110 section 15.5.5).
    NotFound = 1,
    /// 405 (RFC 9110 section 15.5.6).
    MethodNotAllowed = 2,
    /// 414 (RFC 9110 section 15.5.15).
    UriTooLong = 3,
    /// 431 (RFC 6585 section 5).
    HeaderFieldsTooLarge = 4,
    /// 505 (RFC 9110 section 15.6.6).
    VersionNotSupported = 5,
    /// 408 (RFC 9110 section 15.5.9).
    RequestTimeout = 6,
    /// 412 (RFC 9110 section 15.5.13).
    PreconditionFailed = 7,
    /// The answer to OPTIONS (RFC 9110 section 9.3.7): 204 with `Allow`.
    Options = 8,
    /// No HTTP but a TLS alert (RFC 8446 section 6), for a client that speaks TLS.
    Tls = 9,
    /// No HTTP/1.1 but a GOAWAY frame (RFC 9113 section 6.8), for a client that speaks HTTP/2.
    Http2 = 10,
    /// 503 (RFC 9110 section 15.6.4).
    Unavailable = 11,
}

impl FixedRoute {
    /// All fixed routes, in the order of their indices.
    pub const ALL: &[Self] = &[
        Self::BadRequest,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::UriTooLong,
        Self::HeaderFieldsTooLarge,
        Self::VersionNotSupported,
        Self::RequestTimeout,
        Self::PreconditionFailed,
        Self::Options,
        Self::Tls,
        Self::Http2,
        Self::Unavailable,
    ];

    /// Its status code; zero if what is sent is no HTTP/1.1.
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::UriTooLong => 414,
            Self::HeaderFieldsTooLarge => 431,
            Self::VersionNotSupported => 505,
            Self::RequestTimeout => 408,
            Self::PreconditionFailed => 412,
            Self::Options => 204,
            Self::Tls | Self::Http2 => 0,
            Self::Unavailable => 503,
        }
    }

    /// Whether the connection ends with this answer, because where the next request begins is
    /// uncertain (RFC 9112 section 9.6).
    pub const fn closes(self) -> bool {
        !matches!(
            self,
            Self::NotFound | Self::PreconditionFailed | Self::Options | Self::Unavailable
        )
    }
}

/// The index of the first route that has a path.
pub const FIRST_ROUTE: u32 = 16;

/// One of the answers that a version is stored in: a slice of its bytes.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Form {
    /// Where it begins in the version's bytes.
    pub start: u32,
    /// Bytes of it; zero if the version has no such form.
    pub bytes: u32,
    /// Where in it the part of [`MOVING_BYTES`] begins, with [`SAYS_AGE`] or without, or
    /// [`NO_MOVING_PART`].
    ///
    /// [`MOVING_BYTES`]: crate::response::MOVING_BYTES
    /// [`SAYS_AGE`]: crate::response::SAYS_AGE
    /// [`NO_MOVING_PART`]: crate::response::NO_MOVING_PART
    pub moving_offset: u32,
}

/// Status line, headers and body. It begins at zero.
pub const WHOLE: usize = 0;
/// 304: a head (RFC 9110 section 15.4.5).
pub const NOT_MODIFIED: usize = 1;
/// The head of 206 (RFC 9110 section 15.3.7), behind which a part of the body is sent.
pub const PARTIAL: usize = 2;
/// 416, with its body if it has one (RFC 9110 section 15.5.17).
pub const UNSATISFIABLE: usize = 3;
/// How many forms there are.
pub const FORMS: usize = 4;

/// Content codings (RFC 9110 section 8.4.1), in which a body can be stored.
#[repr(u32)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Encoding {
    /// As it is.
    #[default]
    Identity = 0,
    /// `gzip` (RFC 1952).
    Gzip = 1,
    /// `br` (RFC 7932).
    Brotli = 2,
    /// `zstd` (RFC 8878).
    Zstd = 3,
}

impl Encoding {
    /// All of them, in the order of their values.
    pub const ALL: [Self; 4] = [Self::Identity, Self::Gzip, Self::Brotli, Self::Zstd];

    /// Its name in `Accept-Encoding` and `Content-Encoding`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

/// The same body in a content coding: a version of its own.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Variant {
    /// The version; none if there is no such variant.
    pub version: VersionId,
    /// Its [`Encoding`].
    pub encoding: u32,
    /// Keeps the layout free of padding.
    pub reserved: u32,
}

/// How many variants a version can have besides itself.
pub const MAX_VARIANTS: usize = 3;

/// An element of `VERSIONS`: what the kernel side must know of a version to serve it.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct VersionInfo {
    /// Must equal [`VersionId::generation`] of whoever asks.
    pub generation: u32,
    /// A [`StorageClass`](crate::response::StorageClass).
    pub class: u32,
    /// The route it was published under. The kernel may copy a [`Route`] in smaller pieces than a
    /// word, so a reader must not serve a version that another route was meant to have.
    pub route: u32,
    /// Bytes of the status line and headers of [`WHOLE`], blank line included: all that HEAD gets.
    /// The body begins here.
    pub head_bytes: u32,
    /// What it is stored in, by [`WHOLE`], [`NOT_MODIFIED`], [`PARTIAL`] and [`UNSATISFIABLE`].
    pub forms: [Form; FORMS],
    /// Hash of its entity tag, see [`validator`](crate::validator); zero if it has none.
    pub etag: u64,
    /// The value of its `Last-Modified`, seconds since the Unix epoch; zero if it has none.
    pub modified_unix_s: u64,
    /// The same body in other encodings, all smaller than this one, the smallest first; those
    /// there are not are none and last. Only the version that a route names has any.
    pub variants: [Variant; MAX_VARIANTS],
}

const _: () = crate::size_is::<VersionInfo, 128>();

impl VersionInfo {
    /// Bytes of the body.
    #[inline(always)]
    pub const fn body_bytes(&self) -> u32 {
        self.forms[WHOLE].bytes - self.head_bytes
    }

    /// Bytes of all forms together, which lie one behind the other.
    pub fn stored_bytes(&self) -> u32 {
        self.forms.iter().map(|form| form.start + form.bytes).max().unwrap_or(0)
    }
}

/// The longest file name remembered, in bytes. Of a longer one the end is kept.
pub const MAX_SOURCE_BYTES: usize = 512;

/// The longest name of a host, in bytes (RFC 1035 section 3.1 has 253 and a dot).
pub const MAX_HOST_BYTES: usize = 256;

/// An element of `DETAILS`, keyed by version slot: what a console shows of a version, kept in the
/// kernel so that another console finds it.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Detail {
    /// The version it describes.
    pub version: VersionId,
    /// When it was published, seconds since the Unix epoch.
    pub added_unix_s: u64,
    /// When another version took its place, or its route was removed; zero while it is served.
    pub retired_unix_s: u64,
    /// Modification time of the source file, seconds since the Unix epoch; zero if there is none.
    pub modified_unix_s: u64,
    /// Of a copy: until when it is served, as in [`Route`]; else zero.
    pub expires_ns: u64,
    /// Of a copy: when it was new, seconds since the Unix epoch.
    pub born_unix_s: u64,
    /// Of a copy: for how long it was to be served when it was made, in milliseconds.
    pub lifetime_ms: u64,
    /// Of a copy: the lifetime that a person gave it, in milliseconds; zero if the server did.
    pub ttl_ms: u64,
    /// SHA-256 of the body.
    pub body_sha256: [u8; 32],
    /// Says whether publishing something would change anything: see the console.
    pub fingerprint: [u8; 16],
    /// Bytes of the body.
    pub body_bytes: u32,
    /// The route it was published under.
    pub route: u32,
    /// How many versions this route had before.
    pub ordinal: u32,
    /// Status code of the response.
    pub status: u16,
    /// Bytes used of `path`.
    pub path_bytes: u16,
    /// Bytes used of `source`.
    pub source_bytes: u16,
    /// Bytes used of `content_type`.
    pub content_type_bytes: u16,
    /// Bytes used of `host`.
    pub host_bytes: u16,
    /// The [`Encoding`] of the body.
    pub encoding: u16,
    /// The decoded path; empty for a [`FixedRoute`].
    pub path: [u8; MAX_PATH_BYTES],
    /// The only host that has the route, in lower case; empty if every host has it.
    pub host: [u8; MAX_HOST_BYTES],
    /// The file the body came from, or empty.
    pub source: [u8; MAX_SOURCE_BYTES],
    /// The media type, as in `Content-Type`.
    pub content_type: [u8; 128],
}

const _: () = crate::size_is::<Detail, { 136 + 512 + 256 + 512 + 128 }>();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_id_keeps_slot_and_generation() {
        let id = VersionId::new(u32::MAX - 1, 7);
        assert_eq!((id.slot(), id.generation()), (u32::MAX - 1, 7));
        assert!(!VersionId::new(0, 1).is_none());
        assert!(VersionId::NONE.is_none());
    }

    #[test]
    fn fixed_routes_index_the_table_below_the_first_route() {
        for (index, route) in FixedRoute::ALL.iter().enumerate() {
            assert_eq!(*route as usize, index);
            assert!((*route as u32) < FIRST_ROUTE);
        }
    }
}
