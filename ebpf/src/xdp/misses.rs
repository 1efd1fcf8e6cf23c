//! Counts what is asked for and not served here, by path, see `zeroserve_shared::miss`.
//!
//! Nothing of it is on the way of a hit.

use zeroserve_ebpf::{
    request::{self, Asked},
    words,
};
use zeroserve_shared::miss::MISS_BYTES;

use crate::xdp::{
    maps::{MISSES, SCRATCH},
    observe,
    scratch::Scratch,
};

/// Counts the request that has been read, if it asks for a path that leads nowhere. It takes no pointer to the
/// scratch space, because Linux 6.1 wants keys of maps from where it knows them itself.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn zeroserve_count_miss() -> u32 {
    if let Some(scratch) = SCRATCH.get_ptr_mut(0) {
        // SAFETY: the element is this CPU's own. The caller holds a reference to it, too, but the
        // call is opaque to the compiler: it keeps nothing across it.
        count(unsafe { &mut *scratch });
    }
    0
}

#[inline(always)]
fn count(scratch: &mut Scratch) {
    let scan = &scratch.request;
    if scratch.is_found != 0 || request::asked(scan) != Asked::Path {
        return;
    }
    let is_particular = request::is_particular(scan)
        | request::bypasses(scan)
        | request::has_body(scan)
        | request::wants_upgrade(scan);
    let key = request::path(scan).at(request::host(scan));
    words::copy_value(&key, &mut scratch.miss_key);
    if let Some(miss) = MISSES.get_ptr_mut(&scratch.miss_key) {
        // SAFETY: the element stays valid; should it have been reused meanwhile, another path has one
        // request too many. Several CPUs count in it, by atomic operations only.
        unsafe {
            let counter =
                if is_particular { &raw mut (*miss).particular } else { &raw mut (*miss).requests };
            observe::next_number(counter);
            (*miss).last_ns = scratch.tick.boot_ns;
        }
        return;
    }
    // Only what is in the buffer from its first byte on tells what it asks for.
    if u32::from(scan.read_bytes) != scratch.buffer.at {
        return;
    }
    let bytes = scratch.buffered_bytes;
    let miss = &mut scratch.miss;
    miss.requests = u64::from(!is_particular);
    miss.particular = u64::from(is_particular);
    miss.last_ns = scratch.tick.boot_ns;
    miss.captured_bytes = if bytes < MISS_BYTES as u32 { bytes } else { MISS_BYTES as u32 };
    miss.reserved = 0;
    let mut at = 0;
    while at < MISS_BYTES {
        miss.captured[at] = scratch.buffer.bytes[at];
        at += 1;
    }
    // No room, or another CPU was first: then this one is not counted.
    let _ = MISSES.insert(&scratch.miss_key, &scratch.miss, BPF_NOEXIST);
}

/// Only where there is none yet.
const BPF_NOEXIST: u64 = aya_ebpf::bindings::BPF_NOEXIST as u64;
