//! Reads, writes and resizes the frame: the only place that does.
//!
//! Nearly all access goes through `bpf_xdp_load_bytes` and `bpf_xdp_store_bytes` (Linux 5.18), which
//! check the bounds themselves. So no packet pointer exists that could go stale when the frame is
//! resized, and the verifier has none to follow. Only the headers of most frames, those without tags,
//! are copied through such a pointer, which lives no longer than that copy: a helper costs as much
//! as everything else that is done with a packet that is not ours.

use core::{ffi::c_void, ptr::from_mut, ptr::from_ref};

use aya_ebpf::{
    bindings::{
        bpf_func_id::{BPF_FUNC_xdp_load_bytes, BPF_FUNC_xdp_store_bytes},
        xdp_md,
    },
    helpers::generated::{
        bpf_xdp_adjust_head, bpf_xdp_adjust_tail, bpf_xdp_load_bytes, bpf_xdp_store_bytes,
    },
};
use zeroserve_ebpf::{
    bounds::opaque,
    wire::{Headers, IPV6_HEADER_BYTES, LEAST_HEADER_BYTES, MOST_HEADER_BYTES, TIMESTAMPS_BYTES},
    words,
};

/// The frame that the program was called for.
#[derive(Clone, Copy)]
pub(super) struct Packet {
    context: *mut xdp_md,
}

impl Packet {
    pub(super) const fn new(context: *mut xdp_md) -> Self {
        Self { context }
    }

    /// What the kernel calls it by, to hand it to another function.
    #[inline(always)]
    pub(super) const fn context(self) -> *mut xdp_md {
        self.context
    }

    /// Bytes of the frame. Nothing here uses fragments, so it is one piece of memory.
    #[inline(always)]
    pub(super) fn length(self) -> u32 {
        // SAFETY: the kernel hands the program a valid context, which lives as long as its call.
        unsafe { (*self.context).data_end - (*self.context).data }
    }

    /// Copies a value out of the frame into its place; false if it does not lie wholly inside.
    #[inline(always)]
    pub(super) fn read_into<T: Copy>(self, offset: u32, value: &mut T) -> bool {
        let to = from_mut(value).cast::<c_void>();
        // SAFETY: the helper writes exactly the size of `T`; the types read are plain bytes.
        unsafe { bpf_xdp_load_bytes(self.context, offset, to, size_of::<T>() as u32) == 0 }
    }

    /// Copies bytes out of the frame into a buffer; `length` must be 1 to `BYTES`.
    #[inline(always)]
    pub(super) fn read_bytes<const BYTES: usize>(
        self,
        offset: u32,
        length: u32,
        buffer: &mut [u8; BYTES],
    ) -> bool {
        let Some(length) = bounded(length, BYTES as u32) else {
            return false;
        };
        // SAFETY: the length was checked against the buffer's.
        unsafe { load_bytes(self.context, offset, from_mut(buffer).cast(), length) == 0 }
    }

    /// As [`Self::read_bytes`], without a call if there are few. What follows them in the buffer is
    /// undefined, up to the next multiple of eight bytes.
    #[inline(always)]
    pub(super) fn read_words<const BYTES: usize>(
        self,
        offset: u32,
        length: u32,
        buffer: &mut [u8; BYTES],
    ) -> bool {
        const { assert!(BYTES >= MOST_WORDS as usize * 8) };
        let (offset, length) = (opaque(offset.into()), opaque(length.into()));
        if length == 0 || length > MOST_WORDS * 8 || offset >= MOST_OFFSET {
            return self.read_bytes(offset as u32, length as u32, buffer);
        }
        let (data, data_end) = self.ends();
        let to = buffer.as_mut_ptr();
        let mut from = data + offset as usize;
        let mut at = 0;
        while at < MOST_WORDS {
            if at * 8 + 8 > length {
                break;
            }
            if from + 8 > data_end {
                return false;
            }
            // SAFETY: the word lies in the frame, and in the buffer.
            unsafe { words::copy::<8>(from as *const u8, to.add(at as usize * 8)) };
            from += 8;
            at += 1;
        }
        let rest = length & 7;
        if rest == 0 {
            return true;
        }
        // The word that ends with the last byte: in front of the bytes are the headers.
        let last = data + (opaque(offset + length - 8) & (MOST_OFFSET * 2 - 1)) as usize;
        if last + 8 > data_end {
            return false;
        }
        let start = opaque(length & !7) & (MOST_WORDS * 8 - 1);
        // SAFETY: the word lies in the frame, and in the buffer, which has room for one more.
        unsafe {
            let word = words::load(last as *const u8) >> (8 * (8 - rest));
            words::store(to.add(start as usize), word);
        }
        true
    }

    /// Copies bytes out of the frame.
    ///
    /// # Safety
    ///
    /// `to` must be valid for `length` bytes, in a way that the verifier can see: `length` comes
    /// from [`bounded`].
    #[inline(always)]
    pub(super) unsafe fn read_to(self, offset: u32, to: *mut u8, length: u64) -> bool {
        // SAFETY: the caller vouches for the destination; the helper checks the source.
        unsafe { load_bytes(self.context, offset, to.cast(), length) == 0 }
    }

    /// Where the frame begins and ends.
    #[inline(always)]
    pub(super) fn ends(self) -> (usize, usize) {
        // SAFETY: the kernel hands the program a valid context, which lives as long as its call.
        unsafe { ((*self.context).data as usize, (*self.context).data_end as usize) }
    }

    /// The eight bytes at a place in the frame, as they lie there.
    #[inline(always)]
    pub(super) fn word(self, offset: u32) -> Option<u64> {
        let offset = opaque(offset.into());
        if offset >= MOST_OFFSET {
            return None;
        }
        let (data, data_end) = self.ends();
        let from = data + offset as usize;
        if from + 8 > data_end {
            return None;
        }
        // SAFETY: the word lies in the frame.
        Some(unsafe { words::load(from as *const u8) })
    }

    /// Has the cache fetch what comes behind the first line of the frame, while that is being read: a request,
    /// which would be waited for later.
    #[inline(always)]
    pub(super) fn expect_payload(self) {
        let (data, data_end) = self.ends();
        let place = data + LINE_BYTES;
        if place + 8 <= data_end {
            // SAFETY: the word lies in the frame.
            unsafe { words::expect(place as *const u8) };
        }
    }

    /// Copies the headers out of the frame as if they were IPv4's without tags.
    #[inline(always)]
    pub(super) fn read_least_headers(self, headers: &mut Headers) -> bool {
        read_least_headers(self.ends(), headers)
    }

    /// Copies the headers out of the frame, as many bytes as they are to have.
    #[inline(always)]
    pub(super) fn read_headers(self, headers: &mut Headers) -> bool {
        const IPV6: usize = IPV6_HEADER_BYTES as usize;
        if headers.bytes() == IPV6_HEADER_BYTES {
            return copy_headers::<IPV6>(self.ends(), headers);
        }
        let Some(length) = bounded(headers.bytes(), MOST_HEADER_BYTES) else {
            return false;
        };
        // SAFETY: the length was checked, and so many bytes are there.
        unsafe { load_bytes(self.context, 0, headers.tail(length).cast(), length) == 0 }
    }

    /// Copies the headers to the beginning of the frame.
    #[inline(always)]
    pub(super) fn write_headers(self, headers: &mut Headers) -> bool {
        const STAMPS: usize = TIMESTAMPS_BYTES as usize;
        const LEAST: usize = LEAST_HEADER_BYTES as usize;
        const IPV6: usize = IPV6_HEADER_BYTES as usize;
        if self.write_tail::<LEAST, { LEAST + STAMPS }>(headers)
            || self.write_tail::<IPV6, { IPV6 + STAMPS }>(headers)
        {
            return true;
        }
        let Some(bytes) = bounded(headers.bytes(), MOST_HEADER_BYTES) else {
            return false;
        };
        let most = MOST_HEADER_BYTES + u32::from(TIMESTAMPS_BYTES);
        let Some(length) = bounded(headers.all_bytes(), most) else {
            return false;
        };
        // SAFETY: the lengths were checked, and so many bytes are there.
        unsafe { store_bytes(self.context, 0, headers.tail(bytes).cast(), length) == 0 }
    }

    /// Copies the headers to the beginning of the frame without a call, if they have `BYTES` bytes
    /// and the frame has room for those and for timestamps, `STAMPED` in all.
    #[inline(always)]
    fn write_tail<const BYTES: usize, const STAMPED: usize>(self, headers: &mut Headers) -> bool {
        if headers.bytes() != BYTES as u32 {
            return false;
        }
        let Some(frame) = beginning(self.ends(), STAMPED) else {
            return false;
        };
        let from = headers.tail_of::<BYTES>();
        // SAFETY: the frame has so many bytes, and so have the headers.
        unsafe {
            if headers.all_bytes() == BYTES as u32 {
                words::copy::<BYTES>(from, frame);
            } else {
                words::copy::<STAMPED>(from, frame);
            }
        }
        true
    }

    /// Copies a known number of bytes into the frame, without a call.
    ///
    /// # Safety
    ///
    /// `from` must be valid for `BYTES` bytes.
    #[inline(always)]
    pub(super) unsafe fn write_exactly<const BYTES: usize>(
        self,
        offset: u32,
        from: *const u8,
    ) -> bool {
        const { assert!(BYTES >= 8) };
        let offset = opaque(offset.into());
        if offset >= MOST_OFFSET {
            return false;
        }
        let (data, data_end) = self.ends();
        let to = data + offset as usize;
        if to + BYTES > data_end {
            return false;
        }
        // SAFETY: so many bytes are there, and the caller vouches for as many to be read.
        unsafe { words::copy::<BYTES>(from, to as *mut u8) };
        true
    }

    /// Writes two bytes into the frame.
    #[inline(always)]
    pub(super) fn write_pair(self, offset: u32, pair: [u8; 2]) -> bool {
        let offset = opaque(offset.into());
        if offset >= MOST_OFFSET {
            return false;
        }
        let (data, data_end) = self.ends();
        let to = data + offset as usize;
        if to + 2 > data_end {
            return false;
        }
        // SAFETY: both bytes lie in the frame; headers begin at an even address.
        unsafe { *(to as *mut u16) = u16::from_ne_bytes(pair) };
        true
    }

    /// Copies a value into the frame.
    #[inline(always)]
    pub(super) fn write<T: Copy>(self, offset: u32, value: &T) -> bool {
        let from = from_ref(value).cast_mut().cast::<c_void>();
        // SAFETY: the helper reads exactly the size of `T` from a valid reference.
        unsafe { bpf_xdp_store_bytes(self.context, offset, from, size_of::<T>() as u32) == 0 }
    }

    /// Copies bytes into the frame.
    ///
    /// # Safety
    ///
    /// `from` must be valid for `length` bytes, in a way that the verifier can see: `length` comes
    /// from [`bounded`].
    #[inline(always)]
    pub(super) unsafe fn write_bytes(self, offset: u32, from: *const u8, length: u64) -> bool {
        // SAFETY: the caller vouches for the source; the helper checks the destination.
        unsafe { store_bytes(self.context, offset, from.cast_mut().cast(), length) == 0 }
    }

    /// Makes the frame so many bytes long by moving its end. Growing fails where the driver left
    /// no room behind the frame.
    #[inline(always)]
    pub(super) fn resize(self, length: u32) -> bool {
        let delta = length.wrapping_sub(self.length()) as i32;
        // SAFETY: the context is valid; the helper checks the delta.
        delta == 0 || unsafe { bpf_xdp_adjust_tail(self.context, delta) == 0 }
    }

    /// Adds room in front of the frame, or takes it away if negative.
    #[inline(always)]
    pub(super) fn extend_front(self, bytes: i32) -> bool {
        // SAFETY: the context is valid; the helper checks the delta.
        unsafe { bpf_xdp_adjust_head(self.context, -bytes) == 0 }
    }
}

/// Copies the headers out of a packet between these ends as if they were IPv4's without tags.
#[inline(always)]
pub(super) fn read_least_headers(ends: (usize, usize), headers: &mut Headers) -> bool {
    headers.set_bytes(LEAST_HEADER_BYTES);
    copy_headers::<{ LEAST_HEADER_BYTES as usize }>(ends, headers)
}

/// Copies so many bytes of headers out of a packet between these ends, without a call.
#[inline(always)]
fn copy_headers<const BYTES: usize>(ends: (usize, usize), headers: &mut Headers) -> bool {
    let Some(packet) = beginning(ends, BYTES) else {
        return false;
    };
    // SAFETY: the packet has so many bytes, and so have the headers.
    unsafe { words::copy_to_end::<BYTES>(packet, headers.tail_of::<BYTES>()) };
    true
}

/// Where a packet between these ends begins, if it has so many bytes.
#[inline(always)]
fn beginning((data, data_end): (usize, usize), bytes: usize) -> Option<*mut u8> {
    (data + bytes <= data_end).then_some(data as *mut u8)
}

/// A length of 1 to `most` bytes, in a form whose bounds the verifier sees: nothing the optimiser
/// does can separate the checks from the value that is used.
#[inline(always)]
pub(super) fn bounded(length: u32, most: u32) -> Option<u64> {
    // Less one, and one again: from a comparison with zero Linux 6.1 learns no lower bound.
    let less_one = opaque(u64::from(length).wrapping_sub(1));
    (less_one < u64::from(most)).then(|| less_one + 1)
}

/// Bytes of a line of the cache. Frames mostly begin with one.
const LINE_BYTES: usize = 64;

/// Most words that are read without a helper.
const MOST_WORDS: u64 = 32;

/// What is read or written without a helper begins below this, because the verifier wants a bound.
pub(super) const MOST_OFFSET: u64 = 2048;

type Transfer = unsafe extern "C" fn(*mut xdp_md, u32, *mut c_void, u64) -> i64;

/// `bpf_xdp_load_bytes` with its length as wide as a register, so that it is not cut down between
/// the check of its bounds and the call.
#[inline(always)]
unsafe fn load_bytes(context: *mut xdp_md, offset: u32, to: *mut c_void, length: u64) -> i64 {
    // SAFETY: a call of a helper is a call of its number; the types are those of the kernel.
    unsafe {
        let helper: Transfer = core::mem::transmute(BPF_FUNC_xdp_load_bytes as usize);
        helper(context, offset, to, length)
    }
}

/// `bpf_xdp_store_bytes`, likewise.
#[inline(always)]
unsafe fn store_bytes(context: *mut xdp_md, offset: u32, from: *mut c_void, length: u64) -> i64 {
    // SAFETY: as above.
    unsafe {
        let helper: Transfer = core::mem::transmute(BPF_FUNC_xdp_store_bytes as usize);
        helper(context, offset, from, length)
    }
}
