//! A piece of a response, from its blocks into the frame: payload, checksum and headers.

use core::ptr::from_ref;

use aya_ebpf::{
    bindings::xdp_md,
    btf_maps::{Array, ArrayOfMaps},
};
use zeroserve_ebpf::{
    bounds::opaque,
    checksum::{complement, difference, shifted},
    descriptor::{Descriptor, Range},
    moving::{self, AGES, MovingText, TEXT_BYTES, Text},
    wire::tcp::ACK,
};
use zeroserve_shared::response::{
    Block, LargeBlock, MAX_SEGMENT_BYTES, MOVING_BYTES, MediumBlock, NO_MOVING_PART, PART_BYTES,
    PART_GAP_BYTES, SAYS_AGE, SUM_STEP_BYTES, SmallBlock, StorageClass,
};

use crate::xdp::{
    burst::{self, Carrier},
    maps::{LARGE, MEDIUM, SCRATCH, SMALL, Words},
    packet::{Packet, bounded},
    scratch::Scratch,
};

/// Writes the headers of one segment of the response that the carrier describes, and notes their sum.
///
/// This comes before anything else is written, the room for the payload included: headers are put together
/// in pieces and written in words, so they are read only once all that was written before is in the cache,
/// and the frame's memory may be in that of another CPU.
#[inline(always)]
pub(super) fn write_headers(packet: Packet, range: Range, scratch: &mut Scratch) -> bool {
    let Carrier { descriptor, headers } = &mut scratch.carrier;
    headers.tcp.set_flags(ACK | burst::flags_at(descriptor, range));
    let sequence = descriptor.response_start.wrapping_add(range.start);
    scratch.header_sum = headers.prepare(sequence, 0, (range.end - range.start) as u16);
    packet.write_headers(headers)
}

/// Fills a frame of the right size that has its headers with the payload, and sets the checksum.
#[inline(always)]
pub(super) fn write_payload(packet: Packet, range: Range, scratch: &mut Scratch) -> bool {
    let Some(stored_sum) = write_stored(packet, &scratch.carrier, range) else {
        return false;
    };
    let Some(text_sum) = write_texts(packet, range, scratch) else {
        return false;
    };
    let checksum = complement(scratch.header_sum + stored_sum + text_sum);
    packet.write_pair(scratch.carrier.headers.checksum_offset(), checksum)
}

/// Copies what is stored of the payload behind the headers and returns its sum.
#[inline(always)]
fn write_stored(packet: Packet, carrier: &Carrier, range: Range) -> Option<u64> {
    let Descriptor { first_start, first_bytes, second_start, .. } = carrier.descriptor;
    let at = carrier.headers.all_bytes();
    if range.end <= first_bytes {
        let Descriptor { slot, class, .. } = carrier.descriptor;
        let range = Range { start: first_start + range.start, end: first_start + range.end };
        return copy(packet, slot, class, range, at);
    }
    if range.start >= first_bytes {
        let start = second_start + (range.start - first_bytes);
        return sum_of(zeroserve_copy(packet.context(), start, range.end - range.start, at));
    }
    let before = first_bytes - range.start;
    let first = sum_of(zeroserve_copy(packet.context(), first_start + range.start, before, at))?;
    let behind = range.end - first_bytes;
    let second = sum_of(zeroserve_copy(packet.context(), second_start, behind, at + before))?;
    Some(first + shifted(second, before & 1 != 0))
}

/// What [`zeroserve_copy`] returns when it has failed; no sum is as large.
const FAILED: u64 = u64::MAX;

#[inline(always)]
fn sum_of(returned: u64) -> Option<u64> {
    if returned == FAILED { None } else { Some(returned) }
}

/// Copies stored bytes of the version in the carrier into the frame and returns their sum. Global,
/// like a [`stage`](crate::xdp::stage), because it is called for each piece.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn zeroserve_copy(context: *mut xdp_md, start: u32, bytes: u32, at: u32) -> u64 {
    let Some(scratch) = SCRATCH.get_ptr_mut(0) else {
        return FAILED;
    };
    // SAFETY: the element is this CPU's own. The caller holds references to it, too, but the call
    // is opaque to the compiler: it keeps nothing across it.
    let Descriptor { slot, class, .. } = unsafe { (*scratch).carrier.descriptor };
    let range = Range { start, end: start.wrapping_add(bytes) };
    copy(Packet::new(context), slot, class, range, at).unwrap_or(FAILED)
}

#[inline(always)]
fn copy(packet: Packet, slot: u32, class: u32, range: Range, at: u32) -> Option<u64> {
    const SMALL_CLASS: u32 = StorageClass::Small as u32;
    const MEDIUM_CLASS: u32 = StorageClass::Medium as u32;
    match class {
        SMALL_CLASS => {
            copy_from(packet, block::<SmallBlock, _, _, _>(&SMALL, slot, range)?, range, at)
        }
        MEDIUM_CLASS => {
            copy_from(packet, block::<MediumBlock, _, _, _>(&MEDIUM, slot, range)?, range, at)
        }
        _ => copy_from(packet, block::<LargeBlock, _, _, _>(&LARGE, slot, range)?, range, at),
    }
}

/// The block that a range begins in.
#[inline(always)]
fn block<B: IsBlock, const WORDS: usize, const FLAGS: usize, const MAPS: usize>(
    maps: &ArrayOfMaps<Array<Words<WORDS>, 1, FLAGS>, MAPS>,
    slot: u32,
    range: Range,
) -> Option<&B> {
    const { assert!(size_of::<B>() == size_of::<Words<WORDS>>()) };
    let words = maps.get_value(slot, &(range.start / B::STRIDE as u32))?;
    // SAFETY: the sizes are the same, words are aligned at least as a block must be, and any
    // bytes are a valid block.
    Some(unsafe { &*from_ref(words).cast::<B>() })
}

/// What the three kinds of block have in common.
trait IsBlock {
    const STRIDE: usize;
}

impl<const BYTES: usize, const SUMS: usize> IsBlock for Block<BYTES, SUMS> {
    const STRIDE: usize = Self::STRIDE;
}

#[inline(always)]
fn copy_from<const BYTES: usize, const SUMS: usize>(
    packet: Packet,
    block: &Block<BYTES, SUMS>,
    range: Range,
    at: u32,
) -> Option<u64> {
    let stride = Block::<BYTES, SUMS>::STRIDE as u64;
    let from = opaque(u64::from(range.start)) & (stride - 1);
    let length = bounded(range.end - range.start, MAX_SEGMENT_BYTES as u32)?;
    // SAFETY: `from` is less than the stride and `length` at most a segment, and a block has
    // `OVERLAP_BYTES`, which is more than a segment, behind its stride.
    let written =
        unsafe { packet.write_bytes(at, block.bytes.as_ptr().add(from as usize), length) };
    if !written {
        return None;
    }
    let sum = difference(sum_before(block, from + length)?, sum_before(block, from)?);
    Some(shifted(sum, from & 1 != 0))
}

/// The sum of the bytes of a block before a position: the stored sum of all whole steps, and a
/// pass over what is left, less than a step.
#[inline(always)]
fn sum_before<const BYTES: usize, const SUMS: usize>(
    block: &Block<BYTES, SUMS>,
    position: u64,
) -> Option<u64> {
    let step = opaque(position / SUM_STEP_BYTES as u64) as usize;
    if step >= SUMS {
        return None;
    }
    let stored = u64::from(block.sums[step]);
    let rest = position % SUM_STEP_BYTES as u64;
    if rest == 0 {
        return Some(stored);
    }
    // SAFETY: `step` is less than `SUMS`, so a whole step of bytes begins here.
    let bytes = unsafe { block.bytes.as_ptr().add(step * SUM_STEP_BYTES) };
    let mut sum = stored;
    let mut at = 0;
    // The first bound is for Linux 6.1, which would go round for ever, so the optimiser must not see
    // that it follows from the second.
    while opaque(at) < SUM_STEP_BYTES as u64 {
        if at + 8 > rest {
            break;
        }
        // SAFETY: `rest` is less than a step; blocks and steps are aligned to eight bytes.
        let word = unsafe { *bytes.add(opaque(at) as usize & (SUM_STEP_BYTES - 8)).cast::<u64>() };
        sum += (word & 0xffff_ffff) + (word >> 32);
        at += 8;
    }
    // SAFETY: as above.
    let last = unsafe { *bytes.add(opaque(at) as usize & (SUM_STEP_BYTES - 8)).cast::<u64>() };
    let kept = u64::from_le(last) & ((1u64 << (8 * (rest & 7))) - 1);
    Some(sum + (kept & 0xffff_ffff) + (kept >> 32))
}

/// Writes what lies in the segment of the texts that are not stored, and returns their sum.
#[inline(always)]
fn write_texts(packet: Packet, range: Range, scratch: &mut Scratch) -> Option<u64> {
    let Descriptor { moving_offset, first_bytes, response_bytes, .. } = scratch.carrier.descriptor;
    if moving_offset == NO_MOVING_PART || range.start >= first_bytes {
        return Some(0);
    }
    let Scratch { carrier, moving, part, .. } = scratch;
    let Carrier { descriptor, .. } = carrier;
    let mut kind = u32::from(descriptor.closes);
    if moving_offset & SAYS_AGE != 0 {
        kind |= AGES;
    }
    let moving_offset = moving_offset & !SAYS_AGE;
    if moving.seconds != descriptor.seconds || moving.kind != kind {
        zeroserve_set_moving(moving, descriptor.seconds, kind);
    }
    let at = carrier.headers.all_bytes();
    let end = moving_offset + MOVING_BYTES as u32;
    let moving = Range { start: moving_offset, end };
    let sum = write_text::<MOVING_BYTES>(packet, at, range, moving, &scratch.moving.text)?;
    if response_bytes <= first_bytes {
        return Some(sum);
    }
    zeroserve_set_part(part, descriptor);
    let start = end + PART_GAP_BYTES as u32;
    let place = Range { start, end: start + PART_BYTES as u32 };
    Some(sum + write_text::<PART_BYTES>(packet, at, range, place, &scratch.part)?)
}

/// Writes the part of a text that lies in the segment, whose place in the response is `place`, and
/// whose payload begins at `at`.
#[inline(always)]
fn write_text<const BYTES: usize>(
    packet: Packet,
    at: u32,
    range: Range,
    place: Range,
    text: &Text,
) -> Option<u64> {
    if range.start <= place.start && place.end <= range.end {
        let before = place.start - range.start;
        // SAFETY: a text has as many bytes.
        let written = unsafe { packet.write_exactly::<BYTES>(at + before, text.bytes.as_ptr()) };
        return written.then(|| shifted(text.sum.into(), before & 1 != 0));
    }
    let start = if range.start > place.start { range.start } else { place.start };
    let end = if range.end < place.end { range.end } else { place.end };
    if start >= end {
        return Some(0);
    }
    let length = bounded(end - start, TEXT_BYTES as u32 / 2)?;
    let skipped = opaque(u64::from(start - place.start)) & (TEXT_BYTES as u64 / 2 - 1);
    let at = at + (start - range.start);
    // SAFETY: both are at most half the text.
    let written =
        unsafe { packet.write_bytes(at, text.bytes.as_ptr().add(skipped as usize), length) };
    if !written {
        return None;
    }
    let sum = zeroserve_sum_text(text, skipped as u32, length as u32);
    Some(shifted(sum, (start - range.start) & 1 != 0))
}

/// The sum of some bytes of a text. Global, like a [`stage`](crate::xdp::stage).
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn zeroserve_sum_text(text: *const Text, skipped: u32, length: u32) -> u64 {
    // SAFETY: the caller passes a reference; the verifier has it checked for null.
    let Some(text) = (unsafe { text.as_ref() }) else {
        return 0;
    };
    let mut sum = 0;
    let mut index = 0;
    while index < TEXT_BYTES as u32 / 2 {
        if index >= length {
            break;
        }
        let byte = text.bytes[(skipped.wrapping_add(index) & (TEXT_BYTES as u32 - 1)) as usize];
        sum += u64::from(byte) << (8 * (index & 1));
        index += 1;
    }
    sum
}

/// Writes out the moving part. Global, like a [`stage`](crate::xdp::stage).
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn zeroserve_set_moving(moving: *mut MovingText, seconds: u32, kind: u32) -> u32 {
    // SAFETY: the caller passes a reference; the verifier has it checked for null.
    if let Some(moving) = unsafe { moving.as_mut() } {
        moving.set(seconds, kind);
    }
    0
}

/// Writes out what a partial response says of itself. Global, like a [`stage`](crate::xdp::stage).
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn zeroserve_set_part(part: *mut Text, descriptor: *const Descriptor) -> u32 {
    // SAFETY: the caller passes references; the verifier has both checked for null.
    if let (Some(part), Some(descriptor)) = unsafe { (part.as_mut(), descriptor.as_ref()) } {
        let first = descriptor.second_start.wrapping_sub(descriptor.body_start);
        let bytes = descriptor.response_bytes.wrapping_sub(descriptor.first_bytes);
        moving::set_part(part, first, bytes, descriptor.body_bytes);
    }
    0
}
