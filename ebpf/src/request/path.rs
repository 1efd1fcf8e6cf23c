//! The path of a target, decoded and normalised (RFC 3986 sections 5.2.4 and 6.2.2).
//!
//! Percent-encodings are undone once. Then empty segments are left out, `.` and `..` are followed,
//! all as nginx does it by default, also where a `%2F` or a `%2E` made them; what is left is hashed.
//! The console publishes only paths that are normalised already, so that what it hashes is what
//! is left here. Where `..` leads above the root the request is refused.
//!
//! The path is hashed as it passes by, so what `..` goes back to are states of the hasher: those
//! at the beginnings of the last [`LEVELS`] segments are remembered.

use zeroserve_shared::{path::MAX_PATH_BYTES, refusal::Refusal};

use super::{
    ESCAPE_HIGH, ESCAPE_LOW, PARTICULAR, PATH, REST, RequestScan, VERSION,
    characters::hexadecimal,
    line, refuse,
    scan::LEVELS,
    swar::{byte_at, wordy},
};
use crate::bounds::opaque;

// Where in a segment of the path the parser is. Dots are not hashed before it is known that they
// are not the whole segment.
const BEGINNING: u8 = 0;
const DOT: u8 = 1;
const TWO_DOTS: u8 = 2;
const INSIDE: u8 = 3;

/// Takes the slash that a path begins with.
#[inline(always)]
pub(super) fn begin(scan: &mut RequestScan) {
    scan.path.push(b'/');
    scan.path_bytes = 1;
    scan.segment = BEGINNING;
    scan.state = PATH;
    remember(scan);
}

/// Keeps the state at the beginning of a segment.
#[inline(always)]
fn remember(scan: &mut RequestScan) {
    let index = opaque(u64::from(scan.level)) as usize & (LEVELS - 1);
    scan.levels[index] = scan.path;
    scan.level_bytes[index] = scan.path_bytes;
}

/// In the path: a run of characters that mean nothing special, and the one behind them.
#[inline(always)]
pub(super) fn take(scan: &mut RequestScan, text: u64, left: u32) -> u32 {
    if scan.state != PATH {
        escape(scan, text as u8);
        return 1;
    }
    let run = wordy(text);
    let run = if run < left { run } else { left };
    if run > 0 {
        flush_dots(scan);
        push_run(scan, text, run);
    }
    if run >= left || run >= 8 || scan.state != PATH {
        return run;
    }
    let byte = byte_at(text, run);
    match byte {
        b'%' => scan.state = ESCAPE_HIGH,
        b'?' | b' ' => {
            scan.state = VERSION;
            if byte == b'?' {
                scan.state = REST;
                scan.facts |= PARTICULAR;
            }
            end_dots(scan);
        }
        0..=b' ' | b'#' | 0x7f.. => line::refuse_target(scan, byte),
        _ => decoded(scan, byte),
    }
    run + 1
}

/// Takes the first of some characters that are neither dots nor slashes.
#[inline(always)]
fn push_run(scan: &mut RequestScan, text: u64, run: u32) {
    let mut index = 0;
    while index < 8 {
        if index >= run {
            break;
        }
        scan.path.push(byte_at(text, index));
        index += 1;
    }
    scan.segment = INSIDE;
    scan.path_bytes = scan.path_bytes.wrapping_add(run as u16);
    check_length(scan);
}

#[inline(always)]
fn check_length(scan: &mut RequestScan) {
    if scan.path_bytes as usize > MAX_PATH_BYTES {
        refuse(scan, Refusal::TargetTooLong);
    }
}

/// After `%`, or after that and a digit.
#[inline(always)]
fn escape(scan: &mut RequestScan, byte: u8) {
    let value = hexadecimal(byte);
    if value > 0xf {
        return refuse(scan, Refusal::InvalidEscape);
    }
    if scan.state == ESCAPE_HIGH {
        scan.detail = value << 4;
        scan.state = ESCAPE_LOW;
        return;
    }
    let whole = scan.detail | value;
    if whole == 0 {
        return refuse(scan, Refusal::InvalidEscape);
    }
    scan.detail = 0;
    scan.state = PATH;
    // Any other could not stand for itself in a target, so it has no second spelling.
    if whole > b' ' && whole < 0x7f {
        scan.facts |= PARTICULAR;
    }
    decoded(scan, whole);
}

/// Takes a byte of the decoded path.
#[inline(always)]
fn decoded(scan: &mut RequestScan, byte: u8) {
    match (byte, scan.segment) {
        (b'/', BEGINNING) => scan.facts |= PARTICULAR,
        (b'/', INSIDE) => {
            push(scan, b'/');
            scan.level = scan.level.wrapping_add(1);
            if scan.level.wrapping_sub(scan.oldest_level) >= LEVELS as u16 {
                scan.oldest_level = scan.level.wrapping_sub(LEVELS as u16 - 1);
            }
            scan.segment = BEGINNING;
            remember(scan);
        }
        (b'/', _) => end_dots(scan),
        (b'.', BEGINNING) => scan.segment = DOT,
        (b'.', DOT) => scan.segment = TWO_DOTS,
        _ => {
            flush_dots(scan);
            push(scan, byte);
            scan.segment = INSIDE;
        }
    }
    check_length(scan);
}

#[inline(always)]
fn push(scan: &mut RequestScan, byte: u8) {
    scan.path.push(byte);
    scan.path_bytes = scan.path_bytes.wrapping_add(1);
}

/// Hashes dots that have turned out to be part of a name.
#[inline(always)]
fn flush_dots(scan: &mut RequestScan) {
    if scan.segment == DOT || scan.segment == TWO_DOTS {
        push(scan, b'.');
    }
    if scan.segment == TWO_DOTS {
        push(scan, b'.');
    }
}

/// Follows dots that have turned out to be a whole segment.
#[inline(always)]
fn end_dots(scan: &mut RequestScan) {
    if scan.segment == TWO_DOTS {
        if scan.level == 0 {
            return refuse(scan, Refusal::PathAboveRoot);
        }
        if scan.level <= scan.oldest_level {
            return refuse(scan, Refusal::PathTooDeep);
        }
        scan.level -= 1;
        let index = opaque(u64::from(scan.level)) as usize & (LEVELS - 1);
        scan.path = scan.levels[index];
        scan.path_bytes = scan.level_bytes[index];
    }
    if scan.segment == DOT || scan.segment == TWO_DOTS {
        scan.segment = BEGINNING;
        scan.facts |= PARTICULAR;
    }
}
