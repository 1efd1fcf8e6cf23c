//! The request parser and the selection of an answer, on any bytes.
//!
//! The input is a request, or several. Rules for all of them: nothing panics or overflows, how a
//! request is cut into pieces changes nothing, no more is read than belongs to it, what is
//! selected lies within the version. And what is accepted is understood as an independent parser and
//! a plain normaliser of paths understand it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zeroserve_ebpf::{
    request::{self, Asked, MAX_REQUEST_BYTES, RequestScan},
    select::{Selection, select, variant},
};
use zeroserve_fuzz::oracle::{self, Understood};
use zeroserve_shared::{
    path::PathHasher,
    refusal::Refusal,
    route::{
        Encoding, Form, MAX_VARIANTS, NOT_MODIFIED, PARTIAL, UNSATISFIABLE, Variant, VersionId,
        VersionInfo, WHOLE,
    },
    validator::TagHasher,
};

/// The key of paths.
const KEY: [u64; 2] = [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210];

fuzz_target!(|input: &[u8]| {
    // Everything but the request follows from the request, so that an input is nothing else.
    let mut noise = Noise(TagHasher::hash(input));
    let mut rest = input;
    for _ in 0..8 {
        let read_bytes = check(rest, &mut noise);
        rest = &rest[read_bytes..];
        if rest.is_empty() || read_bytes == 0 {
            break;
        }
    }
});

/// Reads a request, and says how many bytes it has.
fn check(input: &[u8], noise: &mut Noise) -> usize {
    let (whole, read_bytes) = scan(input, usize::MAX, noise);
    for most in [1, 40] {
        let (pieces, pieces_bytes) = scan(input, most, noise);
        assert_eq!(request::refusal(&pieces), request::refusal(&whole), "in pieces of {most}");
        if request::refusal(&whole).is_none() {
            assert_eq!((pieces, pieces_bytes), (whole, read_bytes), "in pieces of {most}");
        }
    }
    assert_eq!(usize::from(whole.read_bytes), read_bytes);
    assert!(read_bytes <= usize::from(MAX_REQUEST_BYTES));
    let asked = request::asked(&whole);
    assert_eq!(asked == Asked::Incomplete, !request::is_done(&whole));
    assert_eq!(asked == Asked::Refused, request::refusal(&whole).is_some());
    match asked {
        Asked::Incomplete => assert_eq!(read_bytes, input.len()),
        Asked::Refused => judge_refusal(&whole),
        Asked::Options | Asked::Path => {
            let understood = oracle::understand(&input[..read_bytes]);
            judge(&whole, read_bytes, &understood.expect("it was accepted"));
            judge_selection(&whole, noise);
        }
    }
    read_bytes
}

/// Reads a request in pieces of up to so many bytes.
fn scan(input: &[u8], most: usize, noise: &mut Noise) -> (RequestScan, usize) {
    let mut scan = RequestScan::EMPTY;
    request::start(&mut scan, KEY);
    let mut read_bytes = 0;
    while read_bytes < input.len() && !request::is_done(&scan) {
        let rest = &input[read_bytes..];
        let bytes = 1 + noise.below(most.min(rest.len()));
        let piece = if most == usize::MAX { rest } else { &rest[..bytes] };
        let taken = request::read(&mut scan, piece);
        assert!(taken == piece.len() || request::is_done(&scan), "{taken} of {}", piece.len());
        read_bytes += taken;
    }
    (scan, read_bytes)
}

fn judge_refusal(scan: &RequestScan) {
    let number = request::refusal_number(scan);
    let refusal = Refusal::ALL[number as usize];
    assert_eq!(request::route_of(number), refusal.route() as u32, "{refusal:?}");
}

/// Compares what has been understood.
fn judge(scan: &RequestScan, read_bytes: usize, other: &Understood) {
    assert_eq!(read_bytes, other.bytes, "where the request ends");
    assert_eq!(request::is_get(scan), other.method == "GET");
    assert_eq!(request::wants_head(scan), other.method == "HEAD");
    assert_eq!(request::asked(scan) == Asked::Options, other.method == "OPTIONS");
    assert_eq!(request::wants_close(scan), other.closes, "whether the connection ends");
    let host = PathHasher::hash(KEY, other.host.as_bytes());
    assert_eq!(request::host(scan), host, "the host is {}", other.host);
    if let Some(path) = &other.path {
        let hash = PathHasher::hash(KEY, path);
        assert_eq!(request::path(scan), hash, "the path is {}", path.escape_ascii());
    }
}

/// What is selected of any version lies within it.
fn judge_selection(scan: &RequestScan, noise: &mut Noise) {
    for _ in 0..4 {
        let info = noise.version();
        let index = variant(scan, &info) as usize;
        if index > 0 {
            assert!(!info.variants[index - 1].version.is_none(), "variant {index} of {info:?}");
        }
        let mut selection = Selection::default();
        select(scan, &info, &mut selection);
        let Selection { form, body_start, response_bytes, precondition_false } = selection;
        assert!(precondition_false <= 1);
        let form = form as usize;
        assert!(form == WHOLE || info.forms[form].bytes > 0, "there is no form {form}");
        match form {
            WHOLE if request::wants_head(scan) => assert_eq!(response_bytes, info.head_bytes),
            PARTIAL => {
                let part_bytes = response_bytes - info.forms[PARTIAL].bytes;
                assert!(part_bytes > 0 && body_start >= info.head_bytes, "{selection:?} {info:?}");
                let end = u64::from(body_start) + u64::from(part_bytes);
                assert!(end <= u64::from(info.forms[WHOLE].bytes), "{selection:?} {info:?}");
                assert!(request::is_get(scan), "only GET has parts (RFC 9110 section 14.2)");
            }
            _ => assert_eq!(response_bytes, info.forms[form].bytes),
        }
    }
}

/// Numbers that look random and follow from the input.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below another.
    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    /// A version as the console could have stored it.
    fn version(&mut self) -> VersionInfo {
        let head_bytes = 100 + self.below(400) as u32;
        let body_bytes = [0, 1, 10, 1000, 10_000, 64 << 20][self.below(6)];
        let mut info = VersionInfo { head_bytes, ..VersionInfo::default() };
        let mut at = 0;
        let has_forms = self.below(4) > 0;
        for (index, bytes) in [
            (WHOLE, head_bytes + body_bytes),
            (NOT_MODIFIED, 150),
            (PARTIAL, 250),
            (UNSATISFIABLE, 200),
        ] {
            let of_a_part = index == PARTIAL || index == UNSATISFIABLE;
            if index == WHOLE || has_forms && (body_bytes > 0 || !of_a_part) {
                info.forms[index] = Form { start: at, bytes, moving_offset: 20 };
                at += bytes;
            }
        }
        if has_forms {
            let tags: [&[u8]; 3] = [b"\"xyzzy\"", b"\"a\"", b"\"\""];
            info.etag = TagHasher::hash(tags[self.below(3)]);
            info.modified_unix_s = [0, 784_111_777, 1][self.below(3)];
        }
        let count = self.below(MAX_VARIANTS + 1);
        for variant in &mut info.variants[..count] {
            let encoding = Encoding::ALL[1 + self.below(3)] as u32;
            *variant = Variant { version: VersionId::new(1, 1), encoding, reserved: 0 };
        }
        info
    }
}
