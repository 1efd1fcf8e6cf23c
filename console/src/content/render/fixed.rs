//! The answers to what is no hit.

use zeroserve_shared::route::FixedRoute;

use super::{Rendered, ResponseOptions};

/// The methods that are answered.
const ALLOW: (&str, &str) = ("Allow", "GET, HEAD, OPTIONS");

/// When a server that does not listen is to be asked again, in seconds (RFC 9110 section 10.2.3).
const RETRY_AFTER: (&str, &str) = ("Retry-After", "2");

/// A fatal TLS alert, `handshake_failure` (RFC 8446 sections 5.1 and 6.2): `protocol_version` would
/// have clients try an older version in vain.
const TLS_ALERT: [u8; 7] = [21, 3, 1, 0, 2, 2, 40];

/// An empty SETTINGS frame, which a server has to begin with (RFC 9113 section 3.4), and a GOAWAY
/// frame (section 6.8) with the error HTTP_1_1_REQUIRED (section 7).
const HTTP2_GOAWAY: [u8; 26] = [
    0, 0, 0, 4, 0, 0, 0, 0, 0, //
    0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 13,
];

impl Rendered {
    /// The answer to what is not a hit.
    pub fn fixed(route: FixedRoute) -> Self {
        let options = ResponseOptions::default();
        let (reason, sentence) = match route {
            FixedRoute::Tls => return Self::raw(&TLS_ALERT),
            FixedRoute::Http2 => return Self::raw(&HTTP2_GOAWAY),
            // A head without a body (RFC 9110 section 9.3.7).
            FixedRoute::Options => return Self::whole(204, &[ALLOW], None, &options),
            route => words(route),
        };
        let body = format!("{} {reason}\n\n{sentence}\n", route.status());
        let fields: &[_] = match route {
            FixedRoute::MethodNotAllowed => &[ALLOW],
            FixedRoute::Unavailable => &[RETRY_AFTER],
            _ => &[],
        };
        let body = Some(("text/plain; charset=utf-8", body.as_bytes()));
        Self::whole(route.status(), fields, body, &options)
    }
}

/// The reason phrase and what a person reads below it.
fn words(route: FixedRoute) -> (&'static str, &'static str) {
    match route {
        FixedRoute::BadRequest => ("Bad Request", "The request is not well-formed HTTP/1.1."),
        FixedRoute::NotFound => ("Not Found", "Nothing is served at this path."),
        FixedRoute::MethodNotAllowed => {
            ("Method Not Allowed", "Files are served here; GET, HEAD and OPTIONS are answered.")
        }
        FixedRoute::UriTooLong => ("URI Too Long", "The path is longer than any that is served."),
        FixedRoute::HeaderFieldsTooLarge => {
            ("Request Header Fields Too Large", "The request is longer than this server reads.")
        }
        FixedRoute::VersionNotSupported => {
            ("HTTP Version Not Supported", "Only HTTP/1.1 and HTTP/1.0 are answered.")
        }
        FixedRoute::RequestTimeout => {
            ("Request Timeout", "The request did not arrive within the time a connection is held.")
        }
        FixedRoute::PreconditionFailed => {
            ("Precondition Failed", "What is served here is not what the request expects.")
        }
        FixedRoute::Unavailable => {
            ("Service Unavailable", "The server that answers this is not running at the moment.")
        }
        FixedRoute::Options => ("No Content", ""),
        FixedRoute::Tls => ("TLS alert", ""),
        FixedRoute::Http2 => ("HTTP/2 GOAWAY", ""),
    }
}
