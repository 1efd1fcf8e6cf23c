//! Values that are lists of words: `Connection`, `Transfer-Encoding`, `Content-Length` and
//! `Accept-Encoding`.
//!
//! A member is put together in the text, in lower case, and looked at when it ends. Several lines
//! of one field are one list (RFC 9110 section 5.3).

use zeroserve_shared::{refusal::Refusal, route::Encoding};

use super::{
    CHUNKED, CHUNKED_INSIDE, CLOSE, KEEP_ALIVE, RequestScan, UPGRADE,
    field::{CONNECTION, CONTENT_LENGTH},
    refuse,
    swar::{byte_at, lower, wordy},
    window::{word, words as words_of},
};
use crate::bounds::opaque;

/// How many codings `Accept-Encoding` can give a quality that matters: those that bodies are
/// stored in, and [`ANY`]. One more keeps an index within bounds.
pub(crate) const CODINGS: usize = 8;

/// `*`, among the codings.
pub(crate) const ANY: usize = Encoding::ALL.len();

/// A coding that does not matter.
const UNKNOWN: u8 = CODINGS as u8 - 1;

// Where in a member the parser is.
/// In its only word, or before it.
const WORD: u8 = 0;
/// After a blank behind the word.
const BLANK: u8 = 1;
/// In the name of a parameter.
const PARAMETER: u8 = 2;
/// In a weight: before its first digit, after it, behind the point.
const WEIGHT: u8 = 3;
const WEIGHT_POINT: u8 = 4;
const WEIGHT_FRACTION: u8 = 5;
/// Behind a weight, or in a member that makes no sense.
const WEIGHED: u8 = 6;
const SENSELESS: u8 = 7;

/// In a list of plain words.
#[inline(always)]
pub(super) fn words(scan: &mut RequestScan, text: u64, left: u32) -> u32 {
    let byte = text as u8;
    if byte == b',' {
        end_word(scan);
        return 1;
    }
    if byte == b' ' || byte == b'\t' {
        if scan.text_bytes > 0 {
            scan.phase = BLANK;
        }
        return 1;
    }
    if scan.phase == BLANK {
        // Two words are none of those that matter.
        scan.phase = WORD;
        scan.append(u64::from(b' '), 1);
    }
    append_run(scan, text, left)
}

/// Appends the letters, digits and dashes that come first; any other character alone.
#[inline(always)]
fn append_run(scan: &mut RequestScan, text: u64, left: u32) -> u32 {
    let run = wordy(text);
    let run = if run < left { run } else { left };
    let run = if run == 0 { 1 } else { run };
    scan.append(lower(text), run);
    run
}

/// At the end of a plain word.
#[inline(always)]
pub(super) fn end_word(scan: &mut RequestScan) {
    let [one, two, ..] = scan.text.words;
    let bytes = scan.text_bytes;
    if scan.field == CONNECTION.0 {
        const KEEP: [u64; 3] = words_of(b"keep-alive");
        if bytes == 5 && one == const { word(b"close") } {
            scan.facts |= CLOSE;
        } else if bytes == 7 && one == const { word(b"upgrade") } {
            scan.facts |= UPGRADE;
        } else if bytes == 10 && one == KEEP[0] && two == KEEP[1] {
            scan.facts |= KEEP_ALIVE;
        }
    } else if bytes > 0 {
        if scan.facts & CHUNKED != 0 {
            scan.facts |= CHUNKED_INSIDE;
        }
        if bytes == 7 && one == const { word(b"chunked") } {
            scan.facts |= CHUNKED;
        }
    }
    scan.clear_text();
    scan.phase = WORD;
}

/// In `Content-Length`. A list is accepted if all its members are the same number (RFC 9110
/// section 8.6), so that one is not sent on as another.
#[inline(always)]
pub(super) fn length(scan: &mut RequestScan, byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' if scan.phase != BLANK && scan.number < u64::MAX / 16 => {
            scan.number = scan.number * 10 + u64::from(byte - b'0');
            scan.phase = WEIGHT;
        }
        b' ' | b'\t' if scan.phase == WORD => {}
        b' ' | b'\t' => scan.phase = BLANK,
        b',' => end_length(scan),
        _ => refuse(scan, Refusal::LengthInvalid),
    }
    1
}

/// At the end of a length.
#[inline(always)]
pub(super) fn end_length(scan: &mut RequestScan) {
    let differs = scan.valid & CONTENT_LENGTH.bit() != 0 && scan.length != scan.number;
    if scan.phase == WORD || differs {
        return refuse(scan, Refusal::LengthInvalid);
    }
    scan.valid |= CONTENT_LENGTH.bit();
    scan.length = scan.number;
    scan.number = 0;
    scan.phase = WORD;
}

/// In `Accept-Encoding` (RFC 9110 section 12.5.3).
#[inline(always)]
pub(super) fn codings(scan: &mut RequestScan, text: u64, left: u32) -> u32 {
    let byte = text as u8;
    match (byte, scan.phase) {
        (b',', _) => end_coding(scan),
        (b' ' | b'\t', WORD) if scan.text_bytes > 0 => scan.phase = BLANK,
        (b' ' | b'\t', WEIGHT_POINT | WEIGHT_FRACTION) => scan.phase = WEIGHED,
        (b' ' | b'\t', WEIGHT) => scan.phase = SENSELESS,
        (b' ' | b'\t', _) => {}
        (b';', WORD | BLANK) => {
            scan.detail = coding(scan);
            scan.clear_text();
            scan.phase = PARAMETER;
        }
        (b'q' | b'Q', PARAMETER) if scan.text_bytes == 0 => scan.append(u64::from(byte), 1),
        (b'=', PARAMETER) if scan.text_bytes == 1 => {
            scan.number = 0;
            scan.phase = WEIGHT;
        }
        (b'0' | b'1', WEIGHT) => {
            scan.number = if byte == b'1' { 1000 } else { 0 };
            scan.phase = WEIGHT_POINT;
        }
        (b'.', WEIGHT_POINT) => {
            scan.scale = 100;
            scan.phase = WEIGHT_FRACTION;
        }
        (b'0'..=b'9', WEIGHT_FRACTION) if scan.scale > 0 => {
            scan.number += u64::from(byte - b'0') * u64::from(scan.scale);
            scan.scale /= 10;
        }
        (_, WORD) => return coding_run(scan, text, left),
        _ => scan.phase = SENSELESS,
    }
    1
}

/// Appends a run to a coding, and takes a comma behind it, and a blank behind that.
#[inline(always)]
fn coding_run(scan: &mut RequestScan, text: u64, left: u32) -> u32 {
    let run = append_run(scan, text, left);
    if run >= left || run >= 8 || byte_at(text, run) != b',' {
        return run;
    }
    end_coding(scan);
    let has_blank = run + 1 < left && run < 7 && byte_at(text, run + 1) == b' ';
    if has_blank { run + 2 } else { run + 1 }
}

/// At the end of a member of `Accept-Encoding`. One that makes no sense counts as not there.
#[inline(always)]
pub(super) fn end_coding(scan: &mut RequestScan) {
    let (coding, quality) = match scan.phase {
        WORD | BLANK => (coding(scan), 1000),
        WEIGHT_POINT | WEIGHT_FRACTION | WEIGHED if scan.number <= 1000 => {
            (scan.detail, scan.number as u16)
        }
        _ => (UNKNOWN, 0),
    };
    scan.qualities[opaque(u64::from(coding)) as usize & (CODINGS - 1)] = quality + 1;
    scan.clear_text();
    scan.number = 0;
    scan.phase = WORD;
}

/// The coding that the text names. `x-gzip` is another name for `gzip` (RFC 9110 section 8.4.1.3).
#[inline(always)]
fn coding(scan: &RequestScan) -> u8 {
    match (scan.text_bytes, scan.text.words[0]) {
        (8, name) if name == const { word(b"identity") } => Encoding::Identity as u8,
        (4, name) if name == const { word(b"gzip") } => Encoding::Gzip as u8,
        (6, name) if name == const { word(b"x-gzip") } => Encoding::Gzip as u8,
        (2, name) if name == const { word(b"br") } => Encoding::Brotli as u8,
        (4, name) if name == const { word(b"zstd") } => Encoding::Zstd as u8,
        // `*` in lower case, as the text has it.
        (1, name) if name == const { word(b"*") } => ANY as u8,
        _ => UNKNOWN,
    }
}
