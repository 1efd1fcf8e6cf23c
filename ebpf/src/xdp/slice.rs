//! A piece of a response, from its blocks into the frame: payload, checksum and headers.

use core::{
    ffi::c_void,
    ptr::{from_ref, null_mut},
};

use aya_ebpf::{
    bindings::bpf_func_id::BPF_FUNC_csum_diff,
    btf_maps::{Array, ArrayOfMaps},
};
use zeroserve_ebpf::{
    bounds::opaque,
    checksum::{difference, shifted},
    date::DateText,
    descriptor::{Descriptor, Range},
    wire::HEADER_BYTES,
};
use zeroserve_shared::response::{
    Block, DATE_BYTES, LargeBlock, MAX_SEGMENT_BYTES, MediumBlock, SUM_STEP_BYTES, SmallBlock,
    StorageClass,
};

use crate::xdp::{
    burst::{self, Carrier},
    maps::{LARGE, MEDIUM, SMALL, Words},
    packet::{Packet, bounded},
    scratch::Scratch,
};

/// Fills a frame of the right size with one segment of the response that the carrier describes.
#[inline(always)]
pub(super) fn write(packet: Packet, range: Range, scratch: &mut Scratch) -> bool {
    let Carrier { descriptor, headers: template, .. } = &scratch.carrier;
    let Some(payload_sum) = copy(packet, descriptor, range) else {
        return false;
    };
    let Some(date_sum) = write_date(packet, descriptor, range, &mut scratch.date) else {
        return false;
    };
    let headers = &mut scratch.outgoing;
    *headers = *template;
    headers.tcp.add_flags(burst::flags_at(descriptor, range));
    let sequence = descriptor.response_start.wrapping_add(range.start);
    let payload_bytes = (range.end - range.start) as u16;
    headers.finish(sequence, 0, payload_bytes, payload_sum + date_sum);
    packet.write(0, headers)
}

/// Copies the payload behind the headers and returns its sum.
#[inline(always)]
fn copy(packet: Packet, descriptor: &Descriptor, range: Range) -> Option<u64> {
    const SMALL_CLASS: u32 = StorageClass::Small as u32;
    const MEDIUM_CLASS: u32 = StorageClass::Medium as u32;
    let Descriptor { slot, class, .. } = *descriptor;
    match class {
        SMALL_CLASS => copy_from(packet, block::<SmallBlock, _, _, _>(&SMALL, slot, range)?, range),
        MEDIUM_CLASS => {
            copy_from(packet, block::<MediumBlock, _, _, _>(&MEDIUM, slot, range)?, range)
        }
        _ => copy_from(packet, block::<LargeBlock, _, _, _>(&LARGE, slot, range)?, range),
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
) -> Option<u64> {
    let stride = Block::<BYTES, SUMS>::STRIDE as u64;
    let from = opaque(u64::from(range.start)) & (stride - 1);
    let length = bounded(range.end - range.start, MAX_SEGMENT_BYTES as u32)?;
    // SAFETY: `from` is less than the stride and `length` at most a segment, and a block has
    // `OVERLAP_BYTES`, which is more than a segment, behind its stride.
    let written = unsafe {
        packet.write_bytes(HEADER_BYTES as u32, block.bytes.as_ptr().add(from as usize), length)
    };
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
    let whole = opaque(rest) & (SUM_STEP_BYTES as u64 - 4);
    // SAFETY: the helper reads less than a step. It wants words; the last, partial one follows.
    let words = unsafe { csum(bytes.cast_mut().cast(), whole) };
    // SAFETY: `whole` is at most 60, so the word lies within the step; blocks and steps are
    // aligned to eight bytes and `whole` is a multiple of four.
    let last = unsafe { *bytes.add(whole as usize).cast::<u32>() };
    let kept = (1u64 << (8 * (rest & 3))) - 1;
    Some(stored + (words as u64 & 0xffff_ffff) + (u64::from(u32::from_le(last)) & kept))
}

/// `bpf_csum_diff` of some bytes and nothing, with the length as wide as a register.
#[inline(always)]
unsafe fn csum(bytes: *mut c_void, length: u64) -> i64 {
    type Diff = unsafe extern "C" fn(*mut c_void, u64, *mut c_void, u64, u64) -> i64;
    // SAFETY: a call of a helper is a call of its number; the types are those of the kernel.
    unsafe {
        let helper: Diff = core::mem::transmute(BPF_FUNC_csum_diff as usize);
        helper(null_mut(), 0, bytes, length, 0)
    }
}

/// Writes the part of the date that lies in the segment and returns its sum.
#[inline(always)]
fn write_date(
    packet: Packet,
    descriptor: &Descriptor,
    range: Range,
    date: &mut DateText,
) -> Option<u64> {
    let date_end = descriptor.date_offset + DATE_BYTES as u32;
    let start =
        if range.start > descriptor.date_offset { range.start } else { descriptor.date_offset };
    let end = if range.end < date_end { range.end } else { date_end };
    if start >= end {
        return Some(0);
    }
    if date.unix_s != descriptor.date_unix_s {
        zeroserve_set_date(date, descriptor.date_unix_s);
    }
    let skipped = opaque(u64::from(start - descriptor.date_offset)) & 31;
    let length = bounded(end - start, DATE_BYTES as u32)?;
    let offset = HEADER_BYTES as u32 + (start - range.start);
    // SAFETY: both are at most 31, and the text has 64 bytes.
    let written = unsafe {
        packet.write_bytes(offset, from_ref(&date.text).cast::<u8>().add(skipped as usize), length)
    };
    if !written {
        return None;
    }
    let is_odd = (start - range.start) & 1 != 0;
    if length == DATE_BYTES as u64 {
        return Some(shifted(u64::from(date.sum), is_odd));
    }
    let mut sum = 0;
    for index in 0..DATE_BYTES as u64 {
        if index >= skipped && index < skipped + length {
            sum += u64::from(date.text[index as usize]) << (8 * ((index - skipped) & 1));
        }
    }
    Some(shifted(sum, is_odd))
}

/// Writes out a date. Global, like a [`stage`](crate::xdp::stage).
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn zeroserve_set_date(date: *mut DateText, unix_s: u32) -> u32 {
    // SAFETY: the caller passes a reference; the verifier has it checked for null.
    if let Some(date) = unsafe { date.as_mut() } {
        date.set(unix_s);
    }
    0
}
