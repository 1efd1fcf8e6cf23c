//! What a request asks for (RFC 9112 section 3, RFC 9110 sections 7.1 and 7.2).
//!
//! The request is read a byte at a time by a state machine whose whole state is the
//! [`RequestScan`] in the flow, so a request may arrive in pieces of any size and no piece is
//! stored. Words that matter (methods, versions, field names, values of `Connection`) are not
//! compared but hashed as they pass by and matched at their end.
//!
//! What is malformed is refused, never guessed at (RFC 9112 section 2.2): bare CR or LF, control
//! characters, line folding, space before a colon, a missing or second `Host`.

mod characters;
mod word;

use characters::{hexadecimal, is_token};
use word::{WORD_START, push_word, word};
use zeroserve_shared::{
    path::{MAX_PATH_BYTES, PathHasher},
    route::FixedRoute,
};

/// The longest request line and header section, in bytes. More is answered with 431.
pub const MAX_REQUEST_BYTES: u16 = 16 << 10;

/// It is a HEAD request.
pub const HEAD: u8 = 1;
/// It is a GET request.
pub const GET: u8 = 2;
/// It is HTTP/1.0.
pub const HTTP_1_0: u8 = 4;
/// The connection is to be closed after the answer (RFC 9112 section 9.6).
pub const CLOSE: u8 = 8;
/// The connection is to be kept although the version is 1.0.
pub const KEEP_ALIVE: u8 = 16;
/// A body follows, or may follow.
pub const BODY: u8 = 32;
/// There was a `Host`.
pub const HOST: u8 = 64;

const START: u8 = 0;
const METHOD: u8 = 1;
const TARGET: u8 = 2;
const PATH: u8 = 3;
const ESCAPE_HIGH: u8 = 4;
const ESCAPE_LOW: u8 = 5;
const QUERY: u8 = 6;
const VERSION: u8 = 7;
const LINE_END: u8 = 8;
const FIELD_START: u8 = 9;
const FIELD_NAME: u8 = 10;
const FIELD_VALUE: u8 = 11;
const FIELD_END: u8 = 12;
const HEAD_END: u8 = 13;
/// The request is complete, or is refused: nothing more is to be read.
const DONE: u8 = 14;

/// A field whose value does not matter.
const OTHER_FIELD: u8 = 0;
const CONNECTION_FIELD: u8 = 1;
const LENGTH_FIELD: u8 = 2;

/// How far the reading of a request has come.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestScan {
    /// The path, as far as it has been read.
    pub path: PathHasher,
    /// Hash of the method, version, field name or field value being read.
    word: u32,
    /// Bytes of the request read so far.
    pub read_bytes: u16,
    /// Bytes of the decoded path read so far.
    path_bytes: u16,
    /// The state of the parser.
    state: u8,
    /// What the request has been found to be.
    facts: u8,
    /// A partly read percent-encoded byte, or what the field being read is.
    detail: u8,
    /// What is wrong with it, zero if nothing is.
    fault: u8,
    /// Keeps the layout free of padding.
    reserved: u32,
}

/// What a complete request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// More bytes are needed.
    Incomplete,
    /// What the path leads to.
    Path,
    /// It cannot be answered but with this.
    Refusal(FixedRoute),
}

/// Starts reading a request.
#[inline(always)]
pub const fn start(path_key: [u64; 2]) -> RequestScan {
    RequestScan {
        path: PathHasher::new(path_key),
        word: WORD_START,
        read_bytes: 0,
        path_bytes: 0,
        state: START,
        facts: 0,
        detail: 0,
        fault: 0,
        reserved: 0,
    }
}

/// Whether nothing more is to be read.
#[inline(always)]
pub const fn is_done(scan: &RequestScan) -> bool {
    scan.state == DONE
}

/// Whether nothing of a request has been read yet.
#[inline(always)]
pub const fn is_untouched(scan: &RequestScan) -> bool {
    scan.read_bytes == 0
}

/// What the request asks for, as far as it has been read.
#[inline(always)]
pub const fn asked(scan: &RequestScan) -> Asked {
    if scan.state != DONE {
        return Asked::Incomplete;
    }
    match scan.fault {
        0 => {}
        fault if fault == FixedRoute::UriTooLong as u8 + 1 => {
            return Asked::Refusal(FixedRoute::UriTooLong);
        }
        fault if fault == FixedRoute::HeaderFieldsTooLarge as u8 + 1 => {
            return Asked::Refusal(FixedRoute::HeaderFieldsTooLarge);
        }
        fault if fault == FixedRoute::VersionNotSupported as u8 + 1 => {
            return Asked::Refusal(FixedRoute::VersionNotSupported);
        }
        _ => return Asked::Refusal(FixedRoute::BadRequest),
    }
    if scan.facts & HOST == 0 && scan.facts & HTTP_1_0 == 0 {
        // RFC 9112 section 3.2: a request of HTTP/1.1 without Host gets 400.
        Asked::Refusal(FixedRoute::BadRequest)
    } else if scan.facts & (GET | HEAD) == 0 {
        Asked::Refusal(FixedRoute::MethodNotAllowed)
    } else {
        Asked::Path
    }
}

/// Whether only the head of the answer is wanted.
#[inline(always)]
pub const fn wants_head(scan: &RequestScan) -> bool {
    scan.facts & HEAD != 0
}

/// Whether the connection ends with the answer (RFC 9112 sections 9.3 and 9.6). It also does if
/// a body follows, because nothing here reads bodies.
#[inline(always)]
pub const fn wants_close(scan: &RequestScan) -> bool {
    scan.facts & (CLOSE | BODY) != 0 || scan.facts & (HTTP_1_0 | KEEP_ALIVE) == HTTP_1_0
}

/// Reads the next byte. Nothing happens once [`is_done`].
#[inline(always)]
pub const fn step(scan: &mut RequestScan, byte: u8) {
    if scan.state == DONE {
        return;
    }
    scan.read_bytes += 1;
    if scan.read_bytes > MAX_REQUEST_BYTES {
        return refuse(scan, FixedRoute::HeaderFieldsTooLarge);
    }
    match scan.state {
        START => step_start(scan, byte),
        METHOD => step_method(scan, byte),
        TARGET => step_target(scan, byte),
        PATH => step_path(scan, byte),
        ESCAPE_HIGH => step_escape_high(scan, byte),
        ESCAPE_LOW => step_escape_low(scan, byte),
        QUERY => step_query(scan, byte),
        VERSION => step_version(scan, byte),
        FIELD_START => step_field_start(scan, byte),
        FIELD_NAME => step_field_name(scan, byte),
        FIELD_VALUE => step_field_value(scan, byte),
        HEAD_END => step_head_end(scan, byte),
        // LINE_END and FIELD_END: a CR has passed, nothing but LF may follow.
        _ => {
            if byte == b'\n' {
                scan.state = FIELD_START;
            } else {
                refuse(scan, FixedRoute::BadRequest);
            }
        }
    }
}

#[inline(always)]
const fn refuse(scan: &mut RequestScan, route: FixedRoute) {
    scan.fault = route as u8 + 1;
    scan.state = DONE;
}

/// Empty lines before a request are skipped (RFC 9112 section 2.2).
#[inline(always)]
const fn step_start(scan: &mut RequestScan, byte: u8) {
    if byte == b'\r' || byte == b'\n' {
        return;
    }
    scan.state = METHOD;
    step_method(scan, byte);
}

#[inline(always)]
const fn step_method(scan: &mut RequestScan, byte: u8) {
    if byte != b' ' {
        if !is_token(byte) {
            return refuse(scan, FixedRoute::BadRequest);
        }
        scan.word = push_word(scan.word, byte);
        return;
    }
    const GET_WORD: u32 = word(b"GET");
    const HEAD_WORD: u32 = word(b"HEAD");
    scan.facts |= match scan.word {
        GET_WORD => GET,
        HEAD_WORD => HEAD,
        _ => 0,
    };
    scan.word = WORD_START;
    scan.state = TARGET;
}

#[inline(always)]
const fn step_target(scan: &mut RequestScan, byte: u8) {
    if byte == b'/' {
        scan.state = PATH;
        push_path(scan, byte);
    } else if byte == b'*' && scan.facts & (GET | HEAD) == 0 {
        // OPTIONS * (RFC 9112 section 3.2.4): the method decides the answer.
        scan.state = QUERY;
    } else {
        refuse(scan, FixedRoute::BadRequest);
    }
}

#[inline(always)]
const fn step_path(scan: &mut RequestScan, byte: u8) {
    match byte {
        b'%' => scan.state = ESCAPE_HIGH,
        b'?' => scan.state = QUERY,
        b' ' => scan.state = VERSION,
        // A fragment is never sent (RFC 9112 section 3.2); the rest is no part of a URI
        // (RFC 3986 section 2) and can only be smuggling something.
        0..=b' ' | b'#' | 0x7f.. => refuse(scan, FixedRoute::BadRequest),
        _ => push_path(scan, byte),
    }
}

#[inline(always)]
const fn push_path(scan: &mut RequestScan, byte: u8) {
    if scan.path_bytes as usize >= MAX_PATH_BYTES {
        return refuse(scan, FixedRoute::UriTooLong);
    }
    scan.path_bytes += 1;
    scan.path.push(byte);
}

#[inline(always)]
const fn step_escape_high(scan: &mut RequestScan, byte: u8) {
    let value = hexadecimal(byte);
    if value > 0xf {
        return refuse(scan, FixedRoute::BadRequest);
    }
    scan.detail = value << 4;
    scan.state = ESCAPE_LOW;
}

#[inline(always)]
const fn step_escape_low(scan: &mut RequestScan, byte: u8) {
    let value = hexadecimal(byte);
    let decoded = scan.detail | value;
    if value > 0xf || decoded == 0 {
        return refuse(scan, FixedRoute::BadRequest);
    }
    scan.detail = 0;
    scan.state = PATH;
    push_path(scan, decoded);
}

#[inline(always)]
const fn step_query(scan: &mut RequestScan, byte: u8) {
    match byte {
        b' ' => scan.state = VERSION,
        0..=b' ' | b'#' | 0x7f.. => refuse(scan, FixedRoute::BadRequest),
        _ => {}
    }
}

#[inline(always)]
const fn step_version(scan: &mut RequestScan, byte: u8) {
    if byte != b'\r' {
        if byte < 0x21 || byte > 0x7e {
            return refuse(scan, FixedRoute::BadRequest);
        }
        scan.word = push_word(scan.word, byte);
        return;
    }
    const HTTP_1_1_WORD: u32 = word(b"HTTP/1.1");
    const HTTP_1_0_WORD: u32 = word(b"HTTP/1.0");
    match scan.word {
        HTTP_1_1_WORD => {}
        HTTP_1_0_WORD => scan.facts |= HTTP_1_0,
        _ => return refuse(scan, FixedRoute::VersionNotSupported),
    }
    scan.word = WORD_START;
    scan.state = LINE_END;
}

#[inline(always)]
const fn step_field_start(scan: &mut RequestScan, byte: u8) {
    if byte == b'\r' {
        scan.state = HEAD_END;
        return;
    }
    scan.word = WORD_START;
    scan.state = FIELD_NAME;
    // A line that begins with a blank is a folded one (RFC 9112 section 5.2); it is no token.
    if byte == b':' {
        return refuse(scan, FixedRoute::BadRequest);
    }
    step_field_name(scan, byte);
}

#[inline(always)]
const fn step_field_name(scan: &mut RequestScan, byte: u8) {
    if byte != b':' {
        if !is_token(byte) {
            return refuse(scan, FixedRoute::BadRequest);
        }
        scan.word = push_word(scan.word, byte.to_ascii_lowercase());
        return;
    }
    const CONNECTION: u32 = word(b"connection");
    const HOST_WORD: u32 = word(b"host");
    const CONTENT_LENGTH: u32 = word(b"content-length");
    const TRANSFER_ENCODING: u32 = word(b"transfer-encoding");
    scan.detail = match scan.word {
        CONNECTION => CONNECTION_FIELD,
        CONTENT_LENGTH => LENGTH_FIELD,
        TRANSFER_ENCODING => {
            scan.facts |= BODY;
            OTHER_FIELD
        }
        HOST_WORD => {
            if scan.facts & HOST != 0 {
                return refuse(scan, FixedRoute::BadRequest);
            }
            scan.facts |= HOST;
            OTHER_FIELD
        }
        _ => OTHER_FIELD,
    };
    scan.word = WORD_START;
    scan.state = FIELD_VALUE;
}

#[inline(always)]
const fn step_field_value(scan: &mut RequestScan, byte: u8) {
    if byte == b'\r' {
        end_value(scan);
        scan.state = FIELD_END;
    } else if byte == 0x7f || byte < b' ' && byte != b'\t' {
        refuse(scan, FixedRoute::BadRequest);
    } else if scan.detail == OTHER_FIELD {
        // Most bytes of most requests end here.
    } else if byte == b',' {
        end_value(scan);
    } else if byte != b' ' && byte != b'\t' {
        scan.word = push_word(scan.word, byte.to_ascii_lowercase());
    }
}

/// Takes note of one member of a list of values.
#[inline(always)]
const fn end_value(scan: &mut RequestScan) {
    const CLOSE_WORD: u32 = word(b"close");
    const KEEP_ALIVE_WORD: u32 = word(b"keep-alive");
    const ZERO: u32 = word(b"0");
    scan.facts |= match (scan.detail, scan.word) {
        (CONNECTION_FIELD, CLOSE_WORD) => CLOSE,
        (CONNECTION_FIELD, KEEP_ALIVE_WORD) => KEEP_ALIVE,
        (LENGTH_FIELD, ZERO) => 0,
        (LENGTH_FIELD, _) => BODY,
        _ => 0,
    };
    scan.word = WORD_START;
}

#[inline(always)]
const fn step_head_end(scan: &mut RequestScan, byte: u8) {
    if byte == b'\n' {
        scan.state = DONE;
    } else {
        refuse(scan, FixedRoute::BadRequest);
    }
}

#[cfg(test)]
mod tests;
