//! The host asked: the value of `Host`, or the authority of the target (RFC 9110 section 7.2,
//! RFC 3986 section 3.2.2).
//!
//! It is hashed in lower case, with the brackets of an IPv6 address, without its port, and without
//! the dot that ends a fully qualified name. Of percent-encoded bytes only the form is checked:
//! no name in use has any. User information is refused (RFC 9110 section 4.2.4).

use zeroserve_shared::refusal::Refusal;

use super::{
    RequestScan,
    characters::hexadecimal,
    refuse,
    swar::{byte_at, wordy_or_dot},
};

/// Nothing has been read yet.
pub(super) const EMPTY: u8 = 0;
/// In a name or an IPv4 address.
const NAME: u8 = 1;
/// After a dot in a name. It is hashed when something follows.
const DOT: u8 = 2;
/// After a `%` in a name.
const ESCAPE_HIGH: u8 = 3;
const ESCAPE_LOW: u8 = 4;
/// After the bracket that closes an IPv6 address.
const CLOSED: u8 = 5;
/// In the port.
const PORT: u8 = 6;
/// After a blank, which nothing may follow.
const OVER: u8 = 7;
/// In an IPv6 address that has no colon, one, and more.
const IPV6: u8 = 8;
const IPV6_COLON: u8 = 9;
const IPV6_COLONS: u8 = 10;

/// Whether a host may end here.
#[inline(always)]
pub(super) const fn is_whole(phase: u8) -> bool {
    matches!(phase, EMPTY | NAME | DOT | CLOSED | PORT | OVER)
}

/// In a host. It counts if it is `kept`; otherwise it only has to be well-formed.
#[inline(always)]
pub(super) fn take(scan: &mut RequestScan, text: u64, left: u32, kept: bool) -> u32 {
    let byte = text as u8;
    match scan.phase {
        EMPTY if byte == b'[' => {
            scan.phase = IPV6;
            push(scan, byte, kept);
        }
        EMPTY | NAME | DOT => return name(scan, text, left, kept),
        ESCAPE_HIGH | ESCAPE_LOW if hexadecimal(byte) <= 0xf => {
            scan.phase = if scan.phase == ESCAPE_HIGH { ESCAPE_LOW } else { NAME };
            push(scan, byte, kept);
        }
        CLOSED if byte == b':' => scan.phase = PORT,
        PORT if byte.is_ascii_digit() => {}
        IPV6_COLONS if byte == b']' => {
            scan.phase = CLOSED;
            push(scan, byte, kept);
        }
        IPV6 | IPV6_COLON | IPV6_COLONS if hexadecimal(byte) <= 0xf || byte == b'.' => {
            push(scan, byte, kept);
        }
        IPV6 | IPV6_COLON | IPV6_COLONS if byte == b':' => {
            scan.phase = if scan.phase == IPV6 { IPV6_COLON } else { IPV6_COLONS };
            push(scan, byte, kept);
        }
        _ => refuse(scan, Refusal::HostInvalid),
    }
    1
}

/// In a name.
#[inline(always)]
fn name(scan: &mut RequestScan, text: u64, left: u32, kept: bool) -> u32 {
    let run = wordy_or_dot(text);
    let run = if run < left { run } else { left };
    let mut index = 0;
    while index < 8 {
        if index >= run {
            break;
        }
        let byte = byte_at(text, index);
        if byte != b'.' {
            flush_dot(scan, kept);
            scan.phase = NAME;
            push(scan, byte, kept);
        } else if scan.phase == NAME {
            scan.phase = DOT;
        } else {
            // An empty label.
            refuse(scan, Refusal::HostInvalid);
            return index + 1;
        }
        index += 1;
    }
    if run > 0 {
        return run;
    }
    let byte = text as u8;
    match (byte, scan.phase) {
        (b':', NAME | DOT) => scan.phase = PORT,
        // Unreserved characters and sub-delimiters (RFC 3986 section 2).
        (b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=', _) => {
            flush_dot(scan, kept);
            scan.phase = NAME;
            push(scan, byte, kept);
        }
        (b'%', _) => {
            flush_dot(scan, kept);
            scan.phase = ESCAPE_HIGH;
            push(scan, byte, kept);
        }
        _ => refuse(scan, Refusal::HostInvalid),
    }
    1
}

/// A blank within the field. Those before the host are skipped; nothing may come after those
/// behind it.
#[inline(always)]
pub(super) fn blank(scan: &mut RequestScan) {
    if scan.phase != EMPTY {
        if is_whole(scan.phase) {
            scan.phase = OVER;
        } else {
            refuse(scan, Refusal::HostInvalid);
        }
    }
}

#[inline(always)]
fn flush_dot(scan: &mut RequestScan, kept: bool) {
    if scan.phase == DOT {
        push(scan, b'.', kept);
    }
}

#[inline(always)]
fn push(scan: &mut RequestScan, byte: u8, kept: bool) {
    if kept {
        scan.host.push(byte.to_ascii_lowercase());
    }
}
