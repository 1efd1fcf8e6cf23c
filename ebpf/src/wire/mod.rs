//! The headers on the wire: one file per protocol, each with its fields, how it is read and how
//! it is written.
//!
//! Fields are byte arrays in network order behind accessors, so a header can lie at any address.

pub mod ethernet;
mod headers;
pub mod icmp;
pub mod ipv4;
pub mod ipv6;
pub mod options;
pub mod sequence;
pub mod tcp;

pub use headers::{
    HEADERS_BYTES, Headers, IPV6_HEADER_BYTES, LEAST_HEADER_BYTES, MOST_HEADER_BYTES,
    TIMESTAMPS_BYTES, header_bytes,
};
