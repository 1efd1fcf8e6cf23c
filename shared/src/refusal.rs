//! Why a request was refused, in words.
//!
//! A refusal is an answer, so its packet leaves by `XDP_TX` or `XDP_REDIRECT` and has no
//! [`Reason`](crate::reason::Reason). What was wrong with the request is counted here instead, one
//! counter for each class of mistake. The table below is the only place where any is written down.

use crate::route::FixedRoute;

macro_rules! refusals {
    ($($variant:ident, $route:ident, $name:literal, $explanation:literal;)+) => {
        /// Why a request was refused. The discriminant is the index of its counter.
        #[repr(u32)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Refusal {
            $(#[doc = $explanation] $variant,)+
        }

        impl Refusal {
            /// All refusals, in the order of their counters.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// How many refusals there are.
            pub const COUNT: usize = Self::ALL.len();

            /// What the client is answered with.
            #[inline(always)]
            pub const fn route(self) -> FixedRoute {
                match self { $(Self::$variant => FixedRoute::$route,)+ }
            }

            /// A short name that is stable across versions, in kebab case.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// One sentence that says what was wrong with the request.
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$variant => $explanation,)+ }
            }
        }
    };
}

refusals! {
    TlsClientHello, Tls, "tls-client-hello",
        "The client speaks TLS (https) on a port that serves plain HTTP; it was told by an alert.";
    Http2Preface, Http2, "http2-preface",
        "The client speaks HTTP/2 without having asked whether it may; it was told to use HTTP/1.1.";
    InvalidToken, BadRequest, "invalid-token",
        "A method or field name is empty or contains a character that is none of a token (RFC 9110 section 5.6.2).";
    InvalidTarget, BadRequest, "invalid-target",
        "The request target is none of RFC 9112 section 3.2, or contains a character that no URI has.";
    InvalidEscape, BadRequest, "invalid-escape",
        "A percent-encoding is incomplete, or stands for NUL (RFC 3986 section 2.1).";
    PathAboveRoot, BadRequest, "path-above-root",
        "Dot segments in the path lead above its root (RFC 3986 section 5.2.4).";
    PathTooDeep, BadRequest, "path-too-deep",
        "Dot segments in the path go back further than this server remembers.";
    BareLineFeed, BadRequest, "bare-line-feed",
        "A line ends with LF alone (RFC 9112 section 2.2).";
    BareCarriageReturn, BadRequest, "bare-carriage-return",
        "A CR is not followed by LF (RFC 9112 section 2.2).";
    ControlCharacter, BadRequest, "control-character",
        "A field value contains a control character (RFC 9110 section 5.5).";
    FoldedLine, BadRequest, "folded-line",
        "A field is continued on a line that begins with a blank (RFC 9112 section 5.2).";
    SpaceBeforeColon, BadRequest, "space-before-colon",
        "A blank stands between a field name and its colon (RFC 9112 section 5.1).";
    HostMissing, BadRequest, "host-missing",
        "A request of HTTP/1.1 has no Host (RFC 9112 section 3.2).";
    HostRepeated, BadRequest, "host-repeated",
        "A request has more than one Host (RFC 9112 section 3.2).";
    HostInvalid, BadRequest, "host-invalid",
        "The value of Host, or the authority of the target, is no host with an optional port (RFC 9110 section 7.2).";
    LengthInvalid, BadRequest, "length-invalid",
        "Content-Length is no number, or there are several that differ (RFC 9112 section 6.3).";
    LengthAndEncoding, BadRequest, "length-and-encoding",
        "A request has both Content-Length and Transfer-Encoding, as in request smuggling (RFC 9112 section 6.1).";
    TransferEncodingInvalid, BadRequest, "transfer-encoding-invalid",
        "Transfer-Encoding does not end with chunked, or comes with HTTP/1.0 (RFC 9112 section 6.1).";
    Malformed, BadRequest, "malformed",
        "The request is not well-formed in some other way.";
    TargetTooLong, UriTooLong, "target-too-long",
        "The path is longer than any that can be served (RFC 9110 section 15.5.15).";
    HeaderTooLarge, HeaderFieldsTooLarge, "header-too-large",
        "Request line and fields together are longer than this server reads (RFC 6585 section 5).";
    VersionUnknown, VersionNotSupported, "version-unknown",
        "The request is of another version than HTTP/1.x (RFC 9110 section 15.6.6).";
    MethodUnknown, MethodNotAllowed, "method-unknown",
        "The method is none of GET, HEAD and OPTIONS (RFC 9110 section 15.5.6).";
    PreconditionFalse, PreconditionFailed, "precondition-false",
        "If-Match or If-Unmodified-Since do not hold (RFC 9110 section 13.2.2).";
    TooSlow, RequestTimeout, "too-slow",
        "The request took longer to arrive than a connection may be held for it (RFC 9110 section 15.5.9).";
    CopyGone, NotFound, "copy-gone",
        "The path has a promoted copy that is past its lifetime, and no server behind is to be asked.";
    NobodyListens, Unavailable, "nobody-listens",
        "The request is for the server behind, and nobody listens there (RFC 9110 section 15.6.4).";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_distinct_kebab_case_and_explanations_are_sentences() {
        let names: HashSet<_> = Refusal::ALL.iter().map(|refusal| refusal.name()).collect();
        assert_eq!(names.len(), Refusal::COUNT);
        for refusal in Refusal::ALL {
            assert!(
                refusal
                    .name()
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            );
            assert!(refusal.explanation().ends_with('.'), "{}", refusal.name());
        }
    }

    #[test]
    fn the_discriminant_is_the_index() {
        for (index, refusal) in Refusal::ALL.iter().enumerate() {
            assert_eq!(*refusal as usize, index);
        }
    }
}
