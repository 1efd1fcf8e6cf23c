//! The header section: names of fields, and which values matter (RFC 9112 section 5).
//!
//! A field that may be there once only, such as `Range`, is ignored when it is there twice; two of
//! `Host` or two different lengths are refused.

use zeroserve_shared::{bypass, refusal::Refusal};

use super::{
    AUTHORITY, BYPASS, CHUNKED, CHUNKED_INSIDE, DONE, FIELD_NAME, FIELD_START, FIELD_VALUE, GET,
    HEAD, HOST_VALUE, HTTP_1_0, LAST_LINE_FEED, LINE_FEED, OPTIONS, PARTICULAR, RequestScan,
    VALUE_END, VALUE_SKIPPED,
    characters::is_token,
    cookies, date, host, list, range, refuse,
    swar::{byte_at, lower, printable, wordy},
    tags,
    window::{word, words},
};

/// A field whose value matters, or [`OTHER`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Field(pub(super) u8);

impl Field {
    /// Its bit in a set of fields.
    #[inline(always)]
    pub(crate) const fn bit(self) -> u16 {
        1 << (self.0 & 15)
    }
}

/// A field whose value does not matter.
pub(super) const OTHER: Field = Field(0);
pub(super) const HOST: Field = Field(1);
pub(super) const CONNECTION: Field = Field(2);
pub(super) const CONTENT_LENGTH: Field = Field(3);
pub(super) const TRANSFER_ENCODING: Field = Field(4);
pub(crate) const ACCEPT_ENCODING: Field = Field(5);
pub(crate) const IF_MATCH: Field = Field(6);
pub(crate) const IF_NONE_MATCH: Field = Field(7);
pub(crate) const IF_MODIFIED_SINCE: Field = Field(8);
pub(crate) const IF_UNMODIFIED_SINCE: Field = Field(9);
pub(crate) const IF_RANGE: Field = Field(10);
pub(crate) const RANGE: Field = Field(11);
/// Only where a rule names a cookie.
const COOKIE: Field = Field(12);
/// That it is there matters, its value does not.
const AUTHORIZATION: Field = Field(13);

/// Fields that are ignored when they are there more than once.
const SINGLE: u16 =
    IF_MODIFIED_SINCE.bit() | IF_UNMODIFIED_SINCE.bit() | IF_RANGE.bit() | RANGE.bit();

// The same as numbers, for patterns.
const CONNECTION_FIELD: u8 = CONNECTION.0;
const LENGTH_FIELD: u8 = CONTENT_LENGTH.0;
const TRANSFER_FIELD: u8 = TRANSFER_ENCODING.0;
const ACCEPT_FIELD: u8 = ACCEPT_ENCODING.0;
const MATCH_FIELD: u8 = IF_MATCH.0;
const NONE_MATCH_FIELD: u8 = IF_NONE_MATCH.0;
const RANGE_FIELD: u8 = RANGE.0;
const COOKIE_FIELD: u8 = COOKIE.0;

/// CR and LF, as a word has them.
const LINE_END: u64 = word(b"\r\n");

/// At the beginning of a line.
#[inline(always)]
pub(super) fn start(scan: &mut RequestScan, text: u64, left: u32) -> u32 {
    match text as u8 {
        b'\r' if left >= 2 && text & 0xffff == LINE_END => {
            end(scan);
            return 2;
        }
        b'\r' => scan.state = LAST_LINE_FEED,
        b'\n' => refuse(scan, Refusal::BareLineFeed),
        // Also before the first field (RFC 9112 section 2.2).
        b' ' | b'\t' => refuse(scan, Refusal::FoldedLine),
        b':' => refuse(scan, Refusal::InvalidToken),
        _ => {
            scan.clear_text();
            scan.state = FIELD_NAME;
            return 0;
        }
    }
    1
}

/// In the name of a field. The colon and a blank behind it are taken with it.
#[inline(always)]
pub(super) fn name(scan: &mut RequestScan, text: u64, left: u32) -> u32 {
    let run = wordy(text);
    let run = if run < left { run } else { left };
    if run > 0 {
        scan.append(lower(text), run);
    }
    if run >= left || run >= 8 {
        return run;
    }
    match byte_at(text, run) {
        b':' => {
            end_name(scan);
            let is_taken = run + 1 < left && run < 7 && scan.state != DONE;
            let has_blank = is_taken && byte_at(text, run + 1) == b' ';
            return if has_blank { run + 2 } else { run + 1 };
        }
        b' ' | b'\t' => refuse(scan, Refusal::SpaceBeforeColon),
        b'\n' => refuse(scan, Refusal::BareLineFeed),
        b'\r' => refuse(scan, Refusal::Malformed),
        byte if is_token(byte) => scan.append(lower(u64::from(byte)), 1),
        _ => refuse(scan, Refusal::InvalidToken),
    }
    run + 1
}

/// After the name of a field.
#[inline(always)]
fn end_name(scan: &mut RequestScan) {
    if scan.bypass.headers[0] != 0 {
        let [one, two, three, ..] = scan.text.words;
        let name = bypass::hash([one, two, three], u32::from(scan.text_bytes));
        if bypass::contains(&scan.bypass.headers, name) {
            scan.facts |= BYPASS;
        }
    }
    let mut field = known(scan);
    if field == COOKIE && scan.bypass.cookies[0] == 0 {
        field = OTHER;
    }
    if field == AUTHORIZATION {
        scan.facts |= PARTICULAR;
        field = OTHER;
    }
    let bit = field.bit();
    scan.field = field.0;
    scan.phase = 0;
    scan.state = VALUE_SKIPPED;
    if field == OTHER {
        return;
    }
    scan.state = if field == HOST { HOST_VALUE } else { FIELD_VALUE };
    scan.clear_text();
    if field == HOST && scan.seen & bit != 0 {
        refuse(scan, Refusal::HostRepeated);
    }
    if scan.seen & bit & SINGLE != 0 {
        scan.repeated |= bit;
        scan.state = VALUE_SKIPPED;
    }
    scan.seen |= bit;
}

/// What a name is known as. In three words, because that is the longest.
#[inline(always)]
fn known(scan: &RequestScan) -> Field {
    let [one, two, three, ..] = scan.text.words;
    macro_rules! is {
        ($name:literal) => {{
            const WORDS: [u64; 3] = words($name);
            (one ^ WORDS[0]) | (two ^ WORDS[1]) | (three ^ WORDS[2]) == 0
        }};
    }
    match scan.text_bytes {
        4 if is!(b"host") => HOST,
        5 if is!(b"range") => RANGE,
        6 if is!(b"cookie") => COOKIE,
        8 if is!(b"if-match") => IF_MATCH,
        8 if is!(b"if-range") => IF_RANGE,
        10 if is!(b"connection") => CONNECTION,
        13 if is!(b"if-none-match") => IF_NONE_MATCH,
        13 if is!(b"authorization") => AUTHORIZATION,
        14 if is!(b"content-length") => CONTENT_LENGTH,
        15 if is!(b"accept-encoding") => ACCEPT_ENCODING,
        17 if is!(b"transfer-encoding") => TRANSFER_ENCODING,
        17 if is!(b"if-modified-since") => IF_MODIFIED_SINCE,
        19 if is!(b"if-unmodified-since") => IF_UNMODIFIED_SINCE,
        _ => OTHER,
    }
}

/// In a value that does not matter. Most bytes of most requests are taken here.
#[inline(always)]
pub(super) fn skip(scan: &mut RequestScan, text: u64, left: u32) -> u32 {
    let run = printable(text);
    let run = if run < left { run } else { left };
    if run >= left || run >= 8 {
        return run;
    }
    let behind = text >> (8 * run);
    match behind as u8 {
        b'\t' => {}
        b'\r' if run < 7 && left - run >= 2 && behind & 0xffff == LINE_END => {
            scan.state = FIELD_START;
            return run + 2;
        }
        b'\r' => scan.state = LINE_FEED,
        byte => refuse_control(scan, byte),
    }
    run + 1
}

/// Refuses a control character that is neither a tab nor a CR.
#[inline(always)]
fn refuse_control(scan: &mut RequestScan, byte: u8) {
    let is_bare = byte == b'\n';
    refuse(scan, if is_bare { Refusal::BareLineFeed } else { Refusal::ControlCharacter });
}

/// Whether a byte is a control character that is no tab.
#[inline(always)]
const fn is_control(byte: u8) -> bool {
    byte < b' ' && byte != b'\t' || byte == 0x7f
}

/// In the value of `Host`.
#[inline(always)]
pub(super) fn host_value(scan: &mut RequestScan, text: u64, left: u32) -> u32 {
    let byte = text as u8;
    if byte == b' ' || byte == b'\t' {
        host::blank(scan);
        return 1;
    }
    if !is_control(byte) {
        let kept = scan.facts & AUTHORITY == 0;
        return host::take(scan, text, left, kept);
    }
    if byte == b'\r' && !host::is_whole(scan.phase) {
        refuse(scan, Refusal::HostInvalid);
        return 1;
    }
    end_line(scan, text, left)
}

/// Takes the end of the line a value is on, or what cannot be in one.
#[inline(always)]
fn end_line(scan: &mut RequestScan, text: u64, left: u32) -> u32 {
    let byte = text as u8;
    if byte != b'\r' {
        refuse_control(scan, byte);
        return 1;
    }
    if left >= 2 && text & 0xffff == LINE_END {
        scan.state = FIELD_START;
        return 2;
    }
    scan.state = LINE_FEED;
    1
}

/// In another value that matters.
#[inline(always)]
pub(super) fn value(scan: &mut RequestScan, text: u64, left: u32) -> u32 {
    let byte = text as u8;
    if is_control(byte) {
        scan.state = VALUE_END;
        return 0;
    }
    match scan.field {
        CONNECTION_FIELD | TRANSFER_FIELD => list::words(scan, text, left),
        LENGTH_FIELD => list::length(scan, byte),
        ACCEPT_FIELD => list::codings(scan, text, left),
        MATCH_FIELD | NONE_MATCH_FIELD => tags::take(scan, text, left),
        RANGE_FIELD => range::take(scan, byte),
        COOKIE_FIELD => cookies::take(scan, text, left),
        _ => date_or_tag(scan, text, left),
    }
}

/// At the end of such a value.
#[inline(always)]
pub(super) fn value_end(scan: &mut RequestScan, text: u64, left: u32) -> u32 {
    if text as u8 == b'\r' {
        match scan.field {
            CONNECTION_FIELD | TRANSFER_FIELD => list::end_word(scan),
            LENGTH_FIELD => list::end_length(scan),
            ACCEPT_FIELD => list::end_coding(scan),
            MATCH_FIELD | NONE_MATCH_FIELD | COOKIE_FIELD => {}
            RANGE_FIELD => range::end(scan),
            _ => {
                zeroserve_end_text(scan);
            }
        }
    }
    if scan.state == DONE { 1 } else { end_line(scan, text, left) }
}

/// In the value of a field that is a date, or a tag in the place of one.
#[inline(always)]
fn date_or_tag(scan: &mut RequestScan, text: u64, left: u32) -> u32 {
    let run = printable(text);
    let run = if run < left { run } else { left };
    if scan.text_bytes == 0 && (text as u8 == b' ' || run == 0) {
        // A blank before the value.
        return 1;
    }
    let run = if run == 0 { 1 } else { run };
    scan.append(text, run);
    run
}

/// Ends the value of a field that is a date, or a tag in the place of one. A global function, which
/// the verifier judges once, on its own, because of the loops in it.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn zeroserve_end_text(scan: *mut RequestScan) -> u32 {
    // SAFETY: the caller passes a reference; the verifier has it checked for null.
    if let Some(scan) = unsafe { scan.as_mut() } {
        end_text(scan);
    }
    0
}

#[inline(always)]
fn end_text(scan: &mut RequestScan) {
    trim(scan);
    let field = Field(scan.field);
    let bytes = u32::from(scan.text_bytes);
    let mut value = date::INVALID;
    if bytes > super::window::TEXT_BYTES as u32 {
        // It is none that was ever sent from here.
    } else if field == IF_RANGE && scan.text.byte(0) == b'"' {
        value = tags::hash(&scan.text, bytes);
        scan.facts |= super::RANGE_IF_TAG;
    } else {
        value = date::parse(&scan.text, bytes);
    }
    if value != date::INVALID {
        scan.valid |= field.bit();
        if field == IF_RANGE {
            scan.range_if = value;
        } else if field == IF_MODIFIED_SINCE {
            scan.modified_since_unix_s = value;
        } else {
            scan.unmodified_since_unix_s = value;
        }
    }
}

/// Leaves blanks at the end of the text out.
#[inline(always)]
fn trim(scan: &mut RequestScan) {
    let mut index = 0;
    while index < super::window::TEXT_BYTES {
        let last = scan.text.byte(u32::from(scan.text_bytes).wrapping_sub(1));
        let is_blank = last == b' ' || last == b'\t';
        if scan.text_bytes == 0 || !is_blank || scan.text_bytes as usize > super::window::TEXT_BYTES
        {
            break;
        }
        scan.text_bytes -= 1;
        index += 1;
    }
}

/// At the end of the request: what can only be judged as a whole.
#[inline(always)]
pub(super) fn end(scan: &mut RequestScan) {
    scan.state = DONE;
    scan.clear_text();
    if scan.seen & HOST.bit() == 0 && scan.facts & HTTP_1_0 == 0 {
        return refuse(scan, Refusal::HostMissing);
    }
    if scan.seen & TRANSFER_ENCODING.bit() != 0 {
        if scan.seen & CONTENT_LENGTH.bit() != 0 {
            return refuse(scan, Refusal::LengthAndEncoding);
        }
        if scan.facts & (CHUNKED | CHUNKED_INSIDE | HTTP_1_0) != CHUNKED {
            return refuse(scan, Refusal::TransferEncodingInvalid);
        }
    }
    if scan.facts & (GET | HEAD | OPTIONS) == 0 {
        refuse(scan, Refusal::MethodUnknown);
    }
}
