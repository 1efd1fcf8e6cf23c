//! Which answer a request gets: the variant, the form, the part of the body (RFC 9110 sections
//! 12.5.3, 13.2.2 and 14).
//!
//! Everything has been rendered already; here is only chosen. A version that lacks a form, such as
//! a redirect, is not subject to the conditions that lead to it (RFC 9110 section 13.2.1).

use zeroserve_shared::route::{
    Encoding, MAX_VARIANTS, NOT_MODIFIED, PARTIAL, UNSATISFIABLE, VersionInfo, WHOLE,
};

use crate::request::{
    MATCH_ANY, NONE_MATCH_ANY, RANGE_IF_TAG, RequestScan, TAGS,
    field::{
        ACCEPT_ENCODING, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE,
        RANGE,
    },
    is_get,
    list::{ANY, CODINGS},
    range::{BOTH, SUFFIX},
    wants_head,
};

/// What is sent of a version.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The [`Form`](zeroserve_shared::route::Form), by its index.
    pub form: u32,
    /// For [`PARTIAL`]: where in the version the part of the body begins.
    pub body_start: u32,
    /// Bytes of the answer.
    pub response_bytes: u32,
    /// One if a precondition is false, so that the answer is another one; or zero.
    pub precondition_false: u32,
}

/// Which variant of a version the client gets: its index and one, or zero for the version itself.
///
/// The highest quality wins; among equals the smallest does, and the body as it is only if the
/// client says that it prefers it. What a client does not mention it does not get.
#[inline(always)]
pub fn variant(scan: &RequestScan, info: &VersionInfo) -> u32 {
    if !scan.mentions(ACCEPT_ENCODING) {
        return 0;
    }
    let mut best = 0;
    // One more than its quality, as in `qualities`: none, or that of the body as it is.
    let mut best_quality = quality(scan, Encoding::Identity as u32);
    let mut needed = best_quality;
    if needed < 2 {
        needed = 2;
    }
    let mut index = 0;
    while index < MAX_VARIANTS {
        let variant = &info.variants[index];
        best_quality = quality(scan, variant.encoding);
        if !variant.version.is_none() && best_quality >= needed {
            best = index as u32 + 1;
            needed = best_quality + 1;
        }
        index += 1;
    }
    best
}

/// The quality of a coding in thousandths and one more, or zero if it is not mentioned.
#[inline(always)]
fn quality(scan: &RequestScan, encoding: u32) -> u16 {
    let own = scan.qualities[encoding as usize & (CODINGS - 1)];
    if own == 0 { scan.qualities[ANY] } else { own }
}

/// Whether which variant is sent depends on the request.
#[inline(always)]
pub fn may_vary(scan: &RequestScan, info: &VersionInfo) -> bool {
    scan.mentions(ACCEPT_ENCODING) && !info.variants[0].version.is_none()
}

/// Whether a request has neither conditions nor a range.
#[inline(always)]
pub fn is_plain(scan: &RequestScan) -> bool {
    const SPECIAL: u16 = IF_MATCH.bit()
        | IF_NONE_MATCH.bit()
        | IF_MODIFIED_SINCE.bit()
        | IF_UNMODIFIED_SINCE.bit()
        | IF_RANGE.bit()
        | RANGE.bit();
    scan.seen & SPECIAL == 0
}

/// Selects all of it, or its head.
#[inline(always)]
pub fn whole(scan: &RequestScan, info: &VersionInfo, selection: &mut Selection) {
    selection.form = WHOLE as u32;
    selection.body_start = 0;
    selection.precondition_false = 0;
    selection.response_bytes =
        if wants_head(scan) { info.head_bytes } else { info.forms[WHOLE].bytes };
}

/// Decides what of a version is sent in answer to a request for it.
#[inline(always)]
pub fn select(scan: &RequestScan, info: &VersionInfo, selection: &mut Selection) {
    whole(scan, info, selection);
    // RFC 9110 section 13.2.2, step by step.
    if info.forms[NOT_MODIFIED].bytes != 0 {
        if !precondition(scan, info) {
            selection.precondition_false = 1;
            return;
        }
        if is_not_modified(scan, info) {
            selection.form = NOT_MODIFIED as u32;
            selection.response_bytes = info.forms[NOT_MODIFIED].bytes;
            return;
        }
    }
    // RFC 9110 section 14.2: only for GET.
    if is_get(scan) && scan.has(RANGE) && info.forms[PARTIAL].bytes != 0 && range_counts(scan, info)
    {
        select_part(scan, info, selection);
    }
}

/// Steps 1 and 2: whether `If-Match` holds, or `If-Unmodified-Since` if there is none.
#[inline(always)]
fn precondition(scan: &RequestScan, info: &VersionInfo) -> bool {
    if scan.mentions(IF_MATCH) {
        return scan.facts & MATCH_ANY != 0 || has_tag(scan, info, 0);
    }
    if scan.has(IF_UNMODIFIED_SINCE) && info.modified_unix_s != 0 {
        return info.modified_unix_s <= scan.unmodified_since_unix_s;
    }
    true
}

/// Steps 3 and 4: whether `If-None-Match` fails, or `If-Modified-Since` if there is none.
#[inline(always)]
fn is_not_modified(scan: &RequestScan, info: &VersionInfo) -> bool {
    if scan.mentions(IF_NONE_MATCH) {
        return scan.facts & NONE_MATCH_ANY != 0 || has_tag(scan, info, u8::MAX);
    }
    scan.has(IF_MODIFIED_SINCE)
        && info.modified_unix_s != 0
        && info.modified_unix_s <= scan.modified_since_unix_s
}

/// Whether the version's tag is among those that the client has sent: in `If-None-Match` if
/// `flipped` has all bits set, in `If-Match` if it has none.
#[inline(always)]
fn has_tag(scan: &RequestScan, info: &VersionInfo, flipped: u8) -> bool {
    let counted = scan.match_tags ^ flipped;
    let mut found = false;
    let mut index = 0;
    while index < TAGS {
        let counts = index < scan.tag_count as usize && counted >> index & 1 != 0;
        if counts && scan.tags[index] == info.etag {
            found = true;
        }
        index += 1;
    }
    found
}

/// Step 5: whether `If-Range` holds, or is not there. A date has to be the very one that was sent
/// (RFC 9110 section 13.1.5).
#[inline(always)]
fn range_counts(scan: &RequestScan, info: &VersionInfo) -> bool {
    if !scan.mentions(IF_RANGE) {
        return true;
    }
    if !scan.has(IF_RANGE) {
        return false;
    }
    if scan.facts & RANGE_IF_TAG != 0 {
        info.etag != 0 && scan.range_if == info.etag
    } else {
        info.modified_unix_s != 0 && scan.range_if == info.modified_unix_s
    }
}

/// Selects the part of the body that `Range` asks for (RFC 9110 section 14.1.2).
#[inline(always)]
fn select_part(scan: &RequestScan, info: &VersionInfo, selection: &mut Selection) {
    let total = info.body_bytes();
    let mut first = scan.range_first;
    let mut bytes = total.wrapping_sub(first);
    let mut satisfiable = first < total;
    if scan.range == SUFFIX {
        satisfiable = first != 0;
        bytes = if first < total { first } else { total };
        first = total.wrapping_sub(bytes);
    } else if scan.range == BOTH {
        let asked = scan.range_last.wrapping_sub(first);
        // One less than what is asked for, so that it cannot overflow.
        if asked < bytes.wrapping_sub(1) {
            bytes = asked + 1;
        }
    }
    if satisfiable && bytes != 0 {
        selection.form = PARTIAL as u32;
        selection.body_start = info.head_bytes + first;
        selection.response_bytes = info.forms[PARTIAL].bytes + bytes;
    } else if !satisfiable && info.forms[UNSATISFIABLE].bytes != 0 {
        selection.form = UNSATISFIABLE as u32;
        selection.response_bytes = info.forms[UNSATISFIABLE].bytes;
    }
}

#[cfg(test)]
mod tests;
