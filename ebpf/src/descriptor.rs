//! What a carrier tells the egress program, and which segment a clone is.
//!
//! The XDP program puts a [`Descriptor`] in front of the carrier. Every clone of it is the same
//! to the byte; the egress program counts them, so that clone `n` becomes segment `n` of the
//! ranges that the descriptor lists.

use zerocopy::FromZeros;

/// Marks a frame that begins with a descriptor.
pub const MAGIC: u32 = 0x5a52_4f53;

/// Most ranges that one burst can be made of: holes to repair, then new data.
pub const MAX_RANGES: usize = 4;

/// A range of the response, in bytes from its beginning.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromZeros)]
pub struct Range {
    /// The first byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

impl Range {
    /// Whether there is nothing in it.
    #[inline(always)]
    pub const fn is_empty(&self) -> bool {
        self.start >= self.end
    }

    /// How many segments it takes.
    #[inline(always)]
    pub const fn segments(&self, mss: u32) -> u32 {
        if self.is_empty() || mss == 0 { 0 } else { (self.end - self.start).div_ceil(mss) }
    }
}

/// What the egress program needs to know to turn a clone into a segment.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Descriptor {
    /// [`MAGIC`].
    pub magic: u32,
    /// Tells this burst from the others in the same queue of the same CPU.
    pub burst: u32,
    /// Slot of the version.
    pub slot: u32,
    /// Storage class of the version.
    pub class: u32,
    /// Sequence number of the response's first byte.
    pub response_start: u32,
    /// Bytes of the response.
    pub response_bytes: u32,
    /// Where its first piece begins in the version's bytes.
    pub first_start: u32,
    /// Bytes of its first piece; all of the response, unless it is a partial one.
    pub first_bytes: u32,
    /// Where its second piece begins in the version's bytes: the part of the body.
    pub second_start: u32,
    /// Where the body begins in the version's bytes.
    pub body_start: u32,
    /// Bytes of the body.
    pub body_bytes: u32,
    /// Where the moving part begins, with `SAYS_AGE` or without, or `NO_MOVING_PART`.
    pub moving_offset: u32,
    /// The time to put there, seconds since the Unix epoch, or the age in seconds.
    pub seconds: u32,
    /// Most payload bytes in a segment.
    pub mss: u16,
    /// Flags to set in the segment that ends the response, besides PSH.
    pub last_flags: u8,
    /// Whether the response says that the connection ends: one, or zero.
    pub closes: u8,
    /// How often the last segment is sent again.
    pub repeats: u16,
    /// How many of the clones, the first ones, are too many.
    pub surplus: u16,
    /// Keeps the layout free of padding.
    pub reserved: [u16; 2],
    /// What to send, in order.
    pub ranges: [Range; MAX_RANGES],
}

/// Bytes of a [`Descriptor`].
pub const DESCRIPTOR_BYTES: usize = size_of::<Descriptor>();

const _: () = zeroserve_shared::size_is::<Descriptor, 96>();

/// How many copies are made of a carrier for so many segments: a clone for each at least, and the
/// carrier itself, which is the last of them and cannot grow.
///
/// Always an even number, see [`surplus`].
#[inline(always)]
pub const fn copies(segments: u32) -> u32 {
    match segments {
        ..=1 => 2,
        2..=3 => 4,
        4..=7 => 8,
        8..=15 => 16,
        _ => 32,
    }
}

/// How many clones of a burst are too many. Those come first, so that a segment stands right before
/// the carrier.
///
/// The kernel hands copies to the driver sixteen at a time and tells it to begin sending with the
/// last of them only, but says nothing at all if the egress program dropped every frame of that
/// last part (`bq_xmit_all` in `kernel/bpf/devmap.c`): what it was handed before would wait for
/// whatever is sent next. Because bursts have an even number of copies, a carrier is never the
/// first of sixteen, so the last part has a segment.
#[inline(always)]
pub const fn surplus(segments: u32) -> u32 {
    (copies(segments) - 1).saturating_sub(segments)
}

/// The slice of the response that clone number `index` carries, the surplus not counted, the last one `repeats` times more;
/// empty if it is one too many.
#[inline(always)]
pub fn segment(ranges: &[Range; MAX_RANGES], mss: u32, repeats: u16, index: u32) -> Range {
    let mut index = index;
    let mut last = Range::default();
    for range in ranges {
        let segments = range.segments(mss);
        if index < segments {
            let start = range.start + index * mss;
            let end = if range.end - start > mss { start + mss } else { range.end };
            return Range { start, end };
        }
        index -= segments;
        if segments > 0 {
            last = Range { start: range.start + (segments - 1) * mss, end: range.end };
        }
    }
    if index < u32::from(repeats) { last } else { Range::default() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zeroserve_shared::map::{FANOUTS, MAX_BURST_SEGMENTS};

    use super::*;

    /// Frames that the kernel hands to a driver at a time (`DEV_MAP_BULK_SIZE`).
    const BULK_FRAMES: usize = 16;

    #[test]
    fn there_is_a_device_map_with_as_many_slots_as_copies_are_made() {
        for segments in 1..=MAX_BURST_SEGMENTS {
            let copies = copies(segments);
            assert!(FANOUTS.iter().any(|(_, slots)| *slots == copies), "{segments}");
            assert_eq!(surplus(segments) + segments + 1, copies, "{segments}");
        }
    }

    proptest! {
        #[test]
        fn the_last_part_of_any_bursts_has_a_segment(
            bursts in proptest::collection::vec(1..=MAX_BURST_SEGMENTS, 1..20),
        ) {
            let is_segment: Vec<bool> = bursts
                .iter()
                .flat_map(|segments| {
                    let surplus = surplus(*segments);
                    (0..copies(*segments)).map(move |index| {
                        index >= surplus && index < surplus + segments
                    })
                })
                .collect();
            let last = is_segment.chunks(BULK_FRAMES).next_back().expect("a burst has copies");
            prop_assert!(last.contains(&true), "{bursts:?}");
        }

        #[test]
        fn segments_cover_the_ranges_in_order_and_none_is_too_long(
            lengths: [u16; MAX_RANGES], gaps: [u16; MAX_RANGES], mss in 1u32..1461,
        ) {
            let mut ranges = [Range::default(); MAX_RANGES];
            let mut at = 0;
            for (range, (length, gap)) in ranges.iter_mut().zip(lengths.iter().zip(gaps)) {
                let start = at + u32::from(gap);
                *range = Range { start, end: start + u32::from(*length % 5000) };
                at = range.end;
            }
            let mut expected = ranges.iter().flat_map(|range| range.start..range.end);
            let mut index = 0;
            loop {
                let segment = segment(&ranges, mss, 0, index);
                if segment.is_empty() {
                    break;
                }
                prop_assert!(segment.end - segment.start <= mss);
                for byte in segment.start..segment.end {
                    prop_assert_eq!(Some(byte), expected.next());
                }
                index += 1;
            }
            prop_assert_eq!(expected.next(), None);
            prop_assert_eq!(index, ranges.iter().map(|range| range.segments(mss)).sum::<u32>());
        }
    }
}
