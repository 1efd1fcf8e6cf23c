//! The request line (RFC 9112 section 3).
//!
//! Only of the methods that are answered is the target looked at; for others it may have any form,
//! such as that of CONNECT, because the answer does not depend on it. Of a target, any visible
//! ASCII character is accepted but `#`: clients do send some that RFC 3986 wants encoded.

use zeroserve_shared::refusal::Refusal;

use super::{
    ASTERISK, AUTHORITY, FIELD_START, GET, HEAD, HTTP_1_0, LAST_LINE_FEED, LINE_FEED, METHOD,
    OPTIONS, PARTICULAR, PRI, REST, RequestScan, SCHEME, START, START_LINE_FEED, TARGET,
    TARGET_HOST, VERSION,
    characters::is_token,
    field, host, path, refuse,
    swar::{byte_at, targetable, wordy},
    window::word,
};

/// The first byte of a TLS record that holds a handshake (RFC 8446 section 5.1). No method begins
/// with it.
const TLS_HANDSHAKE: u8 = 0x16;

/// Most empty lines before a request. RFC 9112 section 2.2 wants at least one skipped.
const MOST_EMPTY_LINES: u8 = 8;

/// In the request line, up to the target, but for the form of the target.
#[inline(always)]
pub(super) fn take(scan: &mut RequestScan, text: u64, left: u32) -> u32 {
    match scan.state {
        START => return start(scan, text, left),
        METHOD => return method(scan, text, left),
        TARGET => target(scan, text as u8),
        SCHEME => scheme(scan, text as u8),
        // START_LINE_FEED
        _ if text as u8 == b'\n' => scan.state = START,
        _ => refuse(scan, Refusal::BareCarriageReturn),
    }
    1
}

/// At the LF of a line whose CR has passed.
#[inline(always)]
pub(super) fn line_feed(scan: &mut RequestScan, text: u64, _left: u32) -> u32 {
    if text as u8 != b'\n' {
        refuse(scan, Refusal::BareCarriageReturn);
    } else if scan.state == LAST_LINE_FEED {
        field::end(scan);
    } else {
        scan.state = FIELD_START;
    }
    1
}

/// Before the first byte of the request line.
#[inline(always)]
fn start(scan: &mut RequestScan, text: u64, left: u32) -> u32 {
    const GET_SLASH: u64 = word(b"GET /");
    if left >= 5 && text & 0xff_ffff_ffff == GET_SLASH {
        scan.facts |= GET;
        scan.phase = 0;
        path::begin(scan);
        return 5;
    }
    match text as u8 {
        b'\r' if scan.phase < MOST_EMPTY_LINES => {
            scan.phase += 1;
            scan.state = START_LINE_FEED;
        }
        b'\r' => refuse(scan, Refusal::Malformed),
        b'\n' => refuse(scan, Refusal::BareLineFeed),
        TLS_HANDSHAKE => refuse(scan, Refusal::TlsClientHello),
        _ => {
            scan.state = METHOD;
            return method(scan, text, left);
        }
    }
    1
}

/// In the method, which is told apart by case (RFC 9110 section 9.1).
#[inline(always)]
fn method(scan: &mut RequestScan, text: u64, left: u32) -> u32 {
    let run = wordy(text);
    let run = if run < left { run } else { left };
    if run > 0 {
        scan.append(text, run);
        return run;
    }
    let byte = text as u8;
    if byte != b' ' {
        if is_token(byte) {
            scan.append(text, 1);
        } else {
            refuse(scan, Refusal::InvalidToken);
        }
        return 1;
    }
    scan.facts |= match (scan.text_bytes, scan.text.words[0]) {
        (0, _) => {
            refuse(scan, Refusal::InvalidToken);
            return 1;
        }
        (3, name) if name == const { word(b"GET") } => GET,
        (4, name) if name == const { word(b"HEAD") } => HEAD,
        (7, name) if name == const { word(b"OPTIONS") } => OPTIONS,
        (3, name) if name == const { word(b"PRI") } => PRI,
        _ => 0,
    };
    scan.clear_text();
    scan.phase = 0;
    scan.state = TARGET;
    1
}

/// At the first byte of the target, which decides its form (RFC 9112 section 3.2).
#[inline(always)]
fn target(scan: &mut RequestScan, byte: u8) {
    if byte <= b' ' || byte >= 0x7f || byte == b'#' {
        refuse_target(scan, byte);
    } else if scan.facts & (GET | HEAD | OPTIONS) == 0 {
        scan.state = REST;
    } else if byte == b'/' {
        path::begin(scan);
    } else if byte == b'*' && scan.facts & OPTIONS != 0 {
        scan.state = ASTERISK;
    } else if byte | 0x20 == b'h' {
        scan.phase = 1;
        scan.state = SCHEME;
    } else {
        refuse(scan, Refusal::InvalidTarget);
    }
}

/// Refuses a target for a byte that cannot be in it.
#[inline(always)]
pub(super) fn refuse_target(scan: &mut RequestScan, byte: u8) {
    let refusal = match byte {
        b'\n' => Refusal::BareLineFeed,
        // The line ends without a version, as in HTTP/0.9.
        b'\r' => Refusal::Malformed,
        _ => Refusal::InvalidTarget,
    };
    refuse(scan, refusal);
}

/// In the scheme of an absolute target, of which only `http` is served here.
#[inline(always)]
fn scheme(scan: &mut RequestScan, byte: u8) {
    const SCHEME_TEXT: u64 = word(b"http://");
    let expected = byte_at(SCHEME_TEXT, u32::from(scan.phase & 7));
    if byte != expected && byte.to_ascii_lowercase() != expected {
        return refuse_target(scan, byte);
    }
    scan.phase += 1;
    if scan.phase == 7 {
        scan.facts |= AUTHORITY;
        scan.phase = host::EMPTY;
        scan.state = TARGET_HOST;
    }
}

/// In the authority of an absolute target, which must not be empty (RFC 9110 section 4.2.1).
#[inline(always)]
pub(super) fn target_host(scan: &mut RequestScan, text: u64, left: u32) -> u32 {
    let byte = text as u8;
    match byte {
        b'/' | b'?' | b' ' => {
            if scan.phase == host::EMPTY || !host::is_whole(scan.phase) {
                refuse(scan, Refusal::HostInvalid);
                return 1;
            }
            // An empty path is the root (RFC 9110 section 4.2.3).
            path::begin(scan);
            scan.phase = 0;
            if byte == b' ' {
                scan.state = VERSION;
            } else if byte == b'?' {
                scan.state = REST;
                scan.facts |= PARTICULAR;
            }
            1
        }
        0..=b' ' | 0x7f.. => {
            refuse_target(scan, byte);
            1
        }
        _ => host::take(scan, text, left, true),
    }
}

/// After `*`.
#[inline(always)]
pub(super) fn asterisk(scan: &mut RequestScan, text: u64, _left: u32) -> u32 {
    let byte = text as u8;
    if byte == b' ' {
        scan.state = VERSION;
    } else {
        refuse_target(scan, byte);
    }
    1
}

/// In the part of the target that means nothing.
#[inline(always)]
pub(super) fn rest(scan: &mut RequestScan, text: u64, left: u32) -> u32 {
    let run = targetable(text);
    let run = if run < left { run } else { left };
    if run >= left || run >= 8 {
        return run;
    }
    match byte_at(text, run) {
        b' ' => scan.state = VERSION,
        byte => refuse_target(scan, byte),
    }
    run + 1
}

/// In the version (RFC 9112 section 2.3). A minor version above 1 is answered as 1.1 is (RFC 9110
/// section 2.5); what has not the form of a version is malformed.
#[inline(always)]
pub(super) fn version(scan: &mut RequestScan, text: u64, left: u32) -> u32 {
    const HTTP_1_1: u64 = word(b"HTTP/1.1");
    let byte = text as u8;
    match scan.phase {
        0 if left >= 8 && text == HTTP_1_1 => {
            scan.phase = 8;
            return 8;
        }
        8 if byte == b'\r' => {
            scan.phase = 0;
            if left >= 2 && text & 0xffff == const { word(b"\r\n") } {
                scan.state = FIELD_START;
                return 2;
            }
            scan.state = LINE_FEED;
            return 1;
        }
        5 if byte.is_ascii_digit() && byte != b'1' => {
            // Refused once it is known to be a version.
            scan.detail = byte;
        }
        7 if byte.is_ascii_digit() => finish_version(scan, byte),
        phase if phase != 7 && byte == byte_at(HTTP_1_1, u32::from(phase & 7)) && phase < 8 => {}
        _ => {
            let is_bare = byte == b'\n';
            refuse(scan, if is_bare { Refusal::BareLineFeed } else { Refusal::Malformed });
        }
    }
    scan.phase += 1;
    1
}

/// After the last digit of the version.
#[inline(always)]
fn finish_version(scan: &mut RequestScan, minor: u8) {
    if scan.detail == b'2' && minor == b'0' && scan.facts & PRI != 0 {
        refuse(scan, Refusal::Http2Preface);
    } else if scan.detail != 0 {
        refuse(scan, Refusal::VersionUnknown);
    } else if minor == b'0' {
        scan.facts |= HTTP_1_0;
    }
}
