//! A video in which every second shows its own picture and lies at a place of its own, so that
//! whoever jumps to it has to fetch it from there.
//!
//! The container is WebM (RFC 9559, with the elements of RFC 8794); the pictures are made elsewhere.

/// Bytes of each second, most of them meaning nothing.
pub const SECOND_BYTES: usize = 64 << 10;

/// Width and height of the picture, in pixels.
pub const SIDE_PIXELS: u64 = 64;

/// An element: what it is, how long it is in eight bytes, what it holds.
fn element(id: &[u8], content: &[u8]) -> Vec<u8> {
    let length = (1_u64 << 56) | content.len() as u64;
    [id, &length.to_be_bytes(), content].concat()
}

/// An element that holds a number.
fn number(id: &[u8], value: u64) -> Vec<u8> {
    element(id, &value.to_be_bytes())
}

/// A video that shows each picture for a second. They are key frames of VP8 (RFC 6386 section 9.1).
///
/// # Panics
///
/// Where a picture does not fit its second.
pub fn video(pictures: &[Vec<u8>]) -> Vec<u8> {
    let kind = [
        number(b"\x42\x86", 1),
        number(b"\x42\xf7", 1),
        number(b"\x42\xf2", 4),
        number(b"\x42\xf3", 8),
        element(b"\x42\x82", b"webm"),
        number(b"\x42\x87", 2),
        number(b"\x42\x85", 2),
    ];
    // In milliseconds.
    let duration = (pictures.len() as f64 * 1000.0).to_be_bytes();
    let information = [
        number(b"\x2a\xd7\xb1", 1_000_000),
        element(b"\x44\x89", &duration),
        element(b"\x4d\x80", b"zeroserve"),
        element(b"\x57\x41", b"zeroserve"),
    ];
    let size = [number(b"\xb0", SIDE_PIXELS), number(b"\xba", SIDE_PIXELS)];
    let track = [
        number(b"\xd7", 1),
        number(b"\x73\xc5", 1),
        number(b"\x83", 1),
        element(b"\x86", b"V_VP8"),
        element(b"\xe0", &size.concat()),
    ];
    let mut head = element(b"\x15\x49\xa9\x66", &information.concat());
    head.extend(element(b"\x16\x54\xae\x6b", &element(b"\xae", &track.concat())));
    // As long as they are with other places in them.
    let seconds = pictures.len();
    let clusters_at = head.len() + places(0, seconds).len();
    head.extend(places(clusters_at, seconds));
    let clusters =
        pictures.iter().enumerate().flat_map(|(second, picture)| cluster(second, picture));
    head.extend(clusters);
    [element(b"\x1a\x45\xdf\xa3", &kind.concat()), element(b"\x18\x53\x80\x67", &head)].concat()
}

/// Where each second is.
fn places(clusters_at: usize, seconds: usize) -> Vec<u8> {
    let place = |second: usize| {
        let at = clusters_at + second * SECOND_BYTES;
        let track = [number(b"\xf7", 1), number(b"\xf1", at as u64)].concat();
        let time = number(b"\xb3", second as u64 * 1000);
        element(b"\xbb", &[time, element(b"\xb7", &track)].concat())
    };
    element(b"\x1c\x53\xbb\x6b", &(0..seconds).flat_map(place).collect::<Vec<_>>())
}

/// One second: its picture, and what means nothing.
fn cluster(second: usize, picture: &[u8]) -> Vec<u8> {
    // Track 1, at the cluster's time, a key frame.
    let block = [b"\x81\0\0\x80", picture].concat();
    let mut content = [number(b"\xe7", second as u64 * 1000), element(b"\xa3", &block)].concat();
    let heads_bytes = element(b"\x1f\x43\xb6\x75", &element(b"\xec", b"")).len();
    let rest = SECOND_BYTES.checked_sub(content.len() + heads_bytes);
    let filling = vec![0; rest.expect("a picture is smaller than its second")];
    content.extend(element(b"\xec", &filling));
    element(b"\x1f\x43\xb6\x75", &content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_second_lies_where_the_places_say() {
        let pictures: Vec<_> = (1..=5_usize).map(|n| vec![n as u8; 100 * n]).collect();
        let video = video(&pictures);
        let clusters: Vec<_> =
            (0..video.len()).filter(|at| video[*at..].starts_with(b"\x1f\x43\xb6\x75")).collect();
        assert_eq!(clusters.len(), 5);
        assert!(clusters.windows(2).all(|pair| pair[1] - pair[0] == SECOND_BYTES));
        assert_eq!(clusters[4] + SECOND_BYTES, video.len());
        // Places count from behind the segment's own head.
        let segment = video.windows(4).position(|bytes| bytes == b"\x18\x53\x80\x67").expect("one");
        let at = |cluster: usize| number(b"\xf1", (cluster - segment - 12) as u64);
        for cluster in clusters {
            let place = at(cluster);
            assert!(video.windows(place.len()).any(|bytes| bytes == place), "{cluster}");
        }
    }
}
