//! Status line, headers and body of a response, as they will be sent.

use std::{fmt, path::PathBuf, time::SystemTime};

/// A response as it will be sent, and where it came from.
#[derive(Clone)]
pub struct Rendered {
    /// Status line, headers, blank line and body. The value of `Date` is
    /// [`DATE_BYTES`](zeroserve_shared::response::DATE_BYTES) zero bytes, for the kernel to fill.
    pub bytes: Vec<u8>,
    /// How many of them come before the body.
    pub head_bytes: u32,
    /// Where the value of `Date` begins.
    pub date_offset: u32,
    /// Status code.
    pub status: u16,
    /// Media type of the body.
    pub content_type: String,
    /// SHA-256 of the body.
    pub body_sha256: [u8; 32],
    /// The file the body came from.
    pub source: Option<PathBuf>,
    /// Modification time of that file.
    pub modified: Option<SystemTime>,
}

impl Rendered {
    /// Bytes of the body.
    pub fn body_bytes(&self) -> u32 {
        self.bytes.len() as u32 - self.head_bytes
    }
}

impl fmt::Debug for Rendered {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Rendered")
            .field("status", &self.status)
            .field("content_type", &self.content_type)
            .field("body_bytes", &self.body_bytes())
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}
