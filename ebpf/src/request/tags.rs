//! `If-Match` and `If-None-Match`: lists of entity tags (RFC 9110 sections 8.8.3, 13.1.1, 13.1.2).
//!
//! Only the hashes of tags are kept. A weak tag never satisfies `If-Match`, which compares
//! strongly, so of that field no weak tags are kept; `If-None-Match` compares weakly, so there it
//! makes no difference. From where a list makes no sense its rest is ignored.

use zeroserve_shared::validator::TagHasher;

use super::{
    MATCH_ANY, NONE_MATCH_ANY, RequestScan, TAGS, Text,
    field::IF_MATCH,
    swar::{byte_at, quotable},
    window::TEXT_BYTES,
};
use crate::bounds::opaque;

/// Before a member of the list.
const BEFORE: u8 = 0;
/// After the `W` and the slash of a weak tag.
const WEAK: u8 = 1;
const WEAK_SLASH: u8 = 2;
/// Between the quotes of a tag.
const STRONG_TAG: u8 = 3;
const WEAK_TAG: u8 = 4;
/// After a tag.
const AFTER: u8 = 5;
/// The rest is ignored.
const IGNORED: u8 = 6;

/// In the list.
#[inline(always)]
pub(super) fn take(scan: &mut RequestScan, text: u64, left: u32) -> u32 {
    let byte = text as u8;
    match (byte, scan.phase) {
        (b'"', STRONG_TAG | WEAK_TAG) => end_tag(scan),
        (_, STRONG_TAG | WEAK_TAG) => return opaque_part(scan, text, left),
        (b'"', BEFORE) => begin_tag(scan, STRONG_TAG),
        (b'"', WEAK_SLASH) => begin_tag(scan, WEAK_TAG),
        (b'W', BEFORE) => scan.phase = WEAK,
        (b'/', WEAK) => scan.phase = WEAK_SLASH,
        (b'*', BEFORE) => {
            let is_match = scan.field == IF_MATCH.0;
            scan.facts |= if is_match { MATCH_ANY } else { NONE_MATCH_ANY };
            scan.phase = IGNORED;
        }
        (b',', BEFORE | AFTER) => scan.phase = BEFORE,
        (b' ' | b'\t', BEFORE | AFTER) => {}
        _ => scan.phase = IGNORED,
    }
    1
}

#[inline(always)]
fn begin_tag(scan: &mut RequestScan, phase: u8) {
    let mut hasher = TagHasher::START;
    hasher.push(b'"');
    scan.tag = hasher.0;
    scan.phase = phase;
}

/// Between the quotes.
#[inline(always)]
fn opaque_part(scan: &mut RequestScan, text: u64, left: u32) -> u32 {
    let run = quotable(text);
    let run = if run < left { run } else { left };
    // A tab is none of what a tag may contain; then it matches nothing.
    let run = if run == 0 { 1 } else { run };
    let mut hasher = TagHasher(scan.tag);
    let mut index = 0;
    while index < 8 {
        if index >= run {
            break;
        }
        hasher.push(byte_at(text, index));
        index += 1;
    }
    scan.tag = hasher.0;
    run
}

#[inline(always)]
fn end_tag(scan: &mut RequestScan) {
    let is_match = scan.field == IF_MATCH.0;
    let counts = !is_match || scan.phase == STRONG_TAG;
    scan.phase = AFTER;
    if !counts || scan.tag_count as usize >= TAGS {
        return;
    }
    let mut hasher = TagHasher(scan.tag);
    hasher.push(b'"');
    let index = opaque(u64::from(scan.tag_count)) as usize & (TAGS - 1);
    scan.tags[index] = hasher.finish();
    if is_match {
        scan.match_tags |= 1 << index;
    }
    scan.tag_count += 1;
}

/// The hash of a text that is a tag.
#[inline(always)]
pub(super) fn hash(text: &Text, bytes: u32) -> u64 {
    let mut hasher = TagHasher::START;
    let mut index = 0;
    while index < TEXT_BYTES as u32 {
        if index >= bytes {
            break;
        }
        hasher.push(text.byte(index));
        index += 1;
    }
    hasher.finish()
}
