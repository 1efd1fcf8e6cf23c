//! The same body in fewer bytes: which bodies are worth it, and how hard to try.

use std::{
    io::{self, Write},
    thread,
};

use flate2::{Compression, GzBuilder};
use mime_guess::mime::{self, Mime};
use zeroserve_shared::route::Encoding;

/// Bodies below this are sent in a segment or two whatever is done to them.
const LEAST_BODY_BYTES: usize = 256;
/// What a variant must save at least, in bytes.
const LEAST_SAVING_BYTES: usize = 64;
/// And in parts of the body: one in so many.
const LEAST_SAVING_PART: usize = 20;

/// RFC 9659 section 3: no client has to accept a larger window with `zstd`, which is 8 MiB.
const ZSTD_WINDOW_LOG: u32 = 23;
/// The largest window of RFC 7932, 16 MiB.
const BROTLI_WINDOW_LOG: i32 = 24;

/// How hard the encoders try, by size of the body: as hard as they can while that takes a second
/// or so.
struct Effort {
    brotli: i32,
    gzip: u32,
    zstd: i32,
}

impl Effort {
    fn for_body(bytes: usize) -> Self {
        match bytes >> 10 {
            0..256 => Self { brotli: 11, gzip: 9, zstd: 19 },
            256..8192 => Self { brotli: 9, gzip: 9, zstd: 12 },
            _ => Self { brotli: 5, gzip: 6, zstd: 6 },
        }
    }
}

/// The body in every encoding that saves enough, the smallest first.
pub(super) fn variants(content_type: &str, body: &[u8]) -> Vec<(Encoding, Vec<u8>)> {
    if body.len() < LEAST_BODY_BYTES || !is_compressible(content_type) {
        return Vec::new();
    }
    let effort = Effort::for_body(body.len());
    let mut variants: Vec<(Encoding, Vec<u8>)> = thread::scope(|scope| {
        let brotli = scope.spawn(|| brotli(body, effort.brotli));
        let gzip = scope.spawn(|| gzip(body, effort.gzip));
        let zstd = zstd(body, effort.zstd);
        let joined =
            |thread: thread::ScopedJoinHandle<'_, _>| thread.join().ok().and_then(io::Result::ok);
        let all = [
            (Encoding::Gzip, joined(gzip)),
            (Encoding::Brotli, joined(brotli)),
            (Encoding::Zstd, zstd.ok()),
        ];
        // An encoder that fails costs the variant and nothing else: the body itself is served.
        all.into_iter().filter_map(|(encoding, bytes)| Some((encoding, bytes?))).collect()
    });
    let saving = LEAST_SAVING_BYTES.max(body.len() / LEAST_SAVING_PART);
    variants.retain(|(_, bytes)| bytes.len() + saving <= body.len());
    variants.sort_by_key(|(_, bytes)| bytes.len());
    variants
}

/// Whether bodies of this type are likely to get smaller: text, and what is made of text or
/// tables. Pictures, sound, archives and web fonts are compressed already.
fn is_compressible(content_type: &str) -> bool {
    let Ok(media) = content_type.parse::<Mime>() else {
        return false;
    };
    if media.type_() == mime::TEXT || matches!(media.suffix(), Some(mime::XML | mime::JSON)) {
        return true;
    }
    matches!(
        media.essence_str(),
        "application/javascript"
            | "application/json"
            | "application/rtf"
            | "application/sql"
            | "application/toml"
            | "application/vnd.ms-fontobject"
            | "application/wasm"
            | "application/x-javascript"
            | "application/x-sh"
            | "application/x-yaml"
            | "application/xml"
            | "application/yaml"
            | "font/collection"
            | "font/otf"
            | "font/ttf"
            | "image/bmp"
            | "image/vnd.microsoft.icon"
            | "image/x-icon"
            | "image/x-ms-bmp"
    )
}

fn brotli(body: &[u8], quality: i32) -> io::Result<Vec<u8>> {
    let parameters = brotli::enc::BrotliEncoderParams {
        quality,
        lgwin: BROTLI_WINDOW_LOG,
        size_hint: body.len(),
        ..Default::default()
    };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &body[..], &mut compressed, &parameters)?;
    Ok(compressed)
}

/// Without name and time (RFC 1952 section 2.3.1), so that the same body gives the same bytes.
fn gzip(body: &[u8], level: u32) -> io::Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::new(level));
    encoder.write_all(body)?;
    encoder.finish()
}

fn zstd(body: &[u8], level: i32) -> io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), level)?;
    encoder.set_pledged_src_size(Some(body.len() as u64))?;
    if body.len() > 1 << ZSTD_WINDOW_LOG {
        encoder.window_log(ZSTD_WINDOW_LOG)?;
    }
    encoder.include_checksum(false)?;
    encoder.write_all(body)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    const HTML: &str = "text/html; charset=utf-8";

    fn text(bytes: usize) -> Vec<u8> {
        let line = |number| format!("<p>Paragraph {number} says what {} said.</p>\n", number * 7);
        (0..).flat_map(|number: usize| line(number).into_bytes()).take(bytes).collect()
    }

    fn decoded(encoding: Encoding, bytes: &[u8]) -> Vec<u8> {
        let mut decoded = Vec::new();
        match encoding {
            Encoding::Identity => decoded.extend(bytes),
            Encoding::Gzip => {
                flate2::read::GzDecoder::new(bytes).read_to_end(&mut decoded).expect("gzip");
            }
            Encoding::Brotli => {
                brotli::BrotliDecompress(&mut &bytes[..], &mut decoded).expect("brotli");
            }
            Encoding::Zstd => decoded = zstd::decode_all(bytes).expect("zstd"),
        }
        decoded
    }

    #[test]
    fn text_gets_every_encoding_smallest_first_and_each_decodes_to_the_body() {
        for bytes in [400, 50_000, 1_500_000] {
            let body = text(bytes);
            let variants = variants(HTML, &body);
            let mut encodings: Vec<_> = variants.iter().map(|(encoding, _)| *encoding).collect();
            assert!(variants.is_sorted_by_key(|(_, bytes)| bytes.len()));
            encodings.sort();
            assert_eq!(encodings, [Encoding::Gzip, Encoding::Brotli, Encoding::Zstd]);
            for (encoding, compressed) in variants {
                assert!(compressed.len() + LEAST_SAVING_BYTES <= body.len());
                assert_eq!(decoded(encoding, &compressed), body, "{encoding:?}");
            }
        }
    }

    #[test]
    fn the_same_body_gives_the_same_bytes() {
        assert_eq!(variants(HTML, &text(9000)), variants(HTML, &text(9000)));
    }

    #[test]
    fn what_saves_too_little_is_left_as_it_is() {
        let noise: Vec<u8> = (0..20_000u32)
            .map(|n| (n.wrapping_mul(0x9e37_79b9) ^ n.wrapping_mul(n) >> 7) as u8)
            .scan(1u32, |state, byte| {
                *state = state.wrapping_mul(0x01e3_5a7d).wrapping_add(u32::from(byte) | 1);
                Some((*state >> 23) as u8)
            })
            .collect();
        assert_eq!(variants(HTML, &noise), []);
        assert_eq!(variants(HTML, &text(LEAST_BODY_BYTES - 1)), []);
        assert_eq!(variants(HTML, b""), []);
    }

    #[test]
    fn only_types_that_are_not_compressed_already_are_tried() {
        for (content_type, expected) in [
            ("text/css; charset=utf-8", true),
            ("image/svg+xml", true),
            ("application/manifest+json", true),
            ("application/wasm", true),
            ("font/woff2", false),
            ("image/png", false),
            ("application/zip", false),
            ("application/octet-stream", false),
            ("video/mp4", false),
            ("", false),
        ] {
            assert_eq!(is_compressible(content_type), expected, "{content_type}");
        }
    }

    #[test]
    fn a_client_needs_no_larger_window_than_it_must_have() {
        let body = text(20 << 20);
        let (_, compressed) = variants("text/plain", &body)
            .into_iter()
            .find(|(encoding, _)| *encoding == Encoding::Zstd)
            .expect("a variant");
        let mut decoder = zstd::Decoder::new(&compressed[..]).expect("a frame");
        decoder.window_log_max(ZSTD_WINDOW_LOG).expect("a limit");
        let mut decoded = Vec::new();
        decoder.read_to_end(&mut decoded).expect("a window within the limit");
        assert!(decoded == body);
    }
}
