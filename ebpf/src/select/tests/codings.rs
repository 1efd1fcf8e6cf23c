//! Codings accepted in, variants chosen out.

use super::*;

/// What is chosen where there are zstd, brotli and gzip, the smallest first.
const CODINGS_ACCEPTED: &[(&str, &str)] = &[
    ("X: y", "identity"),
    ("Accept-Encoding:", "identity"),
    ("Accept-Encoding: gzip, deflate, br, zstd", "zstd"),
    ("Accept-Encoding: gzip, deflate, br", "br"),
    ("Accept-Encoding: gzip, deflate", "gzip"),
    ("Accept-Encoding: gzip", "gzip"),
    ("Accept-Encoding: GZip", "gzip"),
    ("Accept-Encoding: x-gzip", "gzip"),
    ("Accept-Encoding: deflate, compress", "identity"),
    ("Accept-Encoding: gzipped, brr", "identity"),
    ("Accept-Encoding: gzip br", "identity"),
    // RFC 9110 section 12.5.3, its examples.
    ("Accept-Encoding: compress, gzip", "gzip"),
    ("Accept-Encoding: *", "zstd"),
    ("Accept-Encoding: compress;q=0.5, gzip;q=1.0", "gzip"),
    ("Accept-Encoding: gzip;q=1.0, identity; q=0.5, *;q=0", "gzip"),
    // Weights.
    ("Accept-Encoding: gzip;q=1, br;q=0.5", "gzip"),
    ("Accept-Encoding: gzip;q=0.5, br;q=0.501", "br"),
    ("Accept-Encoding: gzip;q=0.5,br;q=0.5", "br"),
    ("Accept-Encoding: gzip;q=0.001", "gzip"),
    ("Accept-Encoding: gzip;q=0", "identity"),
    ("Accept-Encoding: gzip;q=0.000, br;q=0", "identity"),
    ("Accept-Encoding: gzip;q=0, *", "zstd"),
    ("Accept-Encoding: zstd;q=0, *;q=0.1", "br"),
    ("Accept-Encoding: br;Q=1.000", "br"),
    ("Accept-Encoding: br ; q=0.9 , gzip ; q=1", "gzip"),
    ("Accept-Encoding: br;q=1.", "br"),
    ("Accept-Encoding: br;q=0., gzip;q=0.1", "gzip"),
    // As it is, if that is preferred.
    ("Accept-Encoding: identity, gzip;q=0.5", "identity"),
    ("Accept-Encoding: identity;q=0.4, gzip;q=0.5", "gzip"),
    ("Accept-Encoding: identity, gzip", "gzip"),
    ("Accept-Encoding: identity", "identity"),
    ("Accept-Encoding: gzip;q=0.2, *;q=0.5", "zstd"),
    ("Accept-Encoding: identity;q=0", "identity"),
    ("Accept-Encoding: *;q=0", "identity"),
    // What makes no sense counts as not there.
    ("Accept-Encoding: gzip;q=2", "identity"),
    ("Accept-Encoding: gzip;q=1.001", "identity"),
    ("Accept-Encoding: gzip;q=0.1234", "identity"),
    ("Accept-Encoding: gzip;q=", "identity"),
    ("Accept-Encoding: gzip;q", "identity"),
    ("Accept-Encoding: gzip;level=9", "identity"),
    ("Accept-Encoding: gzip;q=0.5;x=y", "identity"),
    ("Accept-Encoding: gzip;q=-1, br", "br"),
    ("Accept-Encoding: ,,br,,", "br"),
    ("Accept-Encoding: gzip\r\nAccept-Encoding: br", "br"),
    (
        "Accept-Encoding: a-coding-whose-name-is-longer-than-any-text-that-is-kept-here-012345, br",
        "br",
    ),
];

#[test]
fn the_smallest_of_the_codings_preferred_is_chosen() {
    let mut info = version();
    for (index, encoding) in
        [Encoding::Zstd, Encoding::Brotli, Encoding::Gzip].into_iter().enumerate()
    {
        let version = VersionId::new(7 + index as u32, 1);
        info.variants[index] = Variant { version, encoding: encoding as u32, reserved: 0 };
    }
    let mut wrong = Vec::new();
    for (fields, expected) in CODINGS_ACCEPTED {
        let scan = scan(&format!("GET / HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n"));
        let found = match variant(&scan, &info) {
            0 => "identity",
            index => Encoding::ALL[info.variants[index as usize - 1].encoding as usize].name(),
        };
        if found != *expected {
            wrong.push(format!("{fields:?} should get {expected}, gets {found}"));
        }
        assert_eq!(variant(&scan, &version()), 0, "{fields}: there are no variants");
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}
