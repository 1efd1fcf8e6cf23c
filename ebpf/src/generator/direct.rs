//! Reads and writes the frame through packet pointers: what is done for each request is done without
//! helpers, of which each takes as long as a few dozen words.
//!
//! No pointer outlives its function, so none can go stale when the frame is resized.

use zeroserve_ebpf::{bounds::opaque, load::frame::HEADER_BYTES, words};
use zeroserve_shared::load::REQUEST_BYTES;

use crate::packet::{MOST_OFFSET, Packet};

impl Packet {
    /// Words of the headers; none if the frame is shorter than those.
    #[inline(always)]
    pub(crate) fn header_words<const COUNT: usize>(
        self,
        offsets: [usize; COUNT],
    ) -> Option<[u64; COUNT]> {
        let (data, data_end) = self.ends();
        if data + HEADER_BYTES as usize > data_end {
            return None;
        }
        let mut values = [0; COUNT];
        let mut index = 0;
        while index < COUNT {
            // SAFETY: the headers are there, and the word lies in them.
            values[index] = unsafe { words::load((data + offsets[index]) as *const u8) };
            index += 1;
        }
        Some(values)
    }

    /// Writes words of the headers; false if the frame is shorter than those.
    #[inline(always)]
    pub(crate) fn write_header_words<const COUNT: usize>(
        self,
        offsets: [usize; COUNT],
        values: [u64; COUNT],
    ) -> bool {
        let (data, data_end) = self.ends();
        if data + HEADER_BYTES as usize > data_end {
            return false;
        }
        let mut index = 0;
        while index < COUNT {
            // SAFETY: the headers are there, and the word lies in them.
            unsafe { words::store((data + offsets[index]) as *mut u8, values[index]) };
            index += 1;
        }
        true
    }

    /// Writes the beginning of a request, so many bytes of it; false if the frame has no room for
    /// them. A request has eight bytes at least.
    #[inline(always)]
    pub(crate) fn write_request(
        self,
        offset: u32,
        request: &[u8; REQUEST_BYTES],
        bytes: u32,
    ) -> bool {
        let (offset, bytes) = (opaque(offset.into()), opaque(bytes.into()));
        let (data, data_end) = self.ends();
        if offset >= MOST_OFFSET || bytes < 8 || bytes > REQUEST_BYTES as u64 {
            return false;
        }
        let from = request.as_ptr();
        let mut to = data + offset as usize;
        let mut at = 0;
        while at < REQUEST_BYTES {
            if at as u64 + 8 > bytes {
                break;
            }
            if to + 8 > data_end {
                return false;
            }
            // SAFETY: the word lies in the request, and in the frame.
            unsafe { words::copy::<8>(from.add(at), to as *mut u8) };
            to += 8;
            at += 8;
        }
        // What is left is part of the last word, which overlaps the one before.
        let last = opaque(bytes - 8);
        let to = data + offset as usize + last as usize;
        if last > REQUEST_BYTES as u64 - 8 || to + 8 > data_end {
            return false;
        }
        // SAFETY: as above.
        unsafe { words::copy::<8>(from.add(last as usize), to as *mut u8) };
        true
    }
}
