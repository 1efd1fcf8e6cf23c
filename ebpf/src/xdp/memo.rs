//! Requests that this CPU has read before, see [`zeroserve_ebpf::request::memo`].
//!
//! What is kept is what the bytes ask for and which route they led to, not whether that is there
//! still: the route says itself whose it is, and everything from there on is looked up as ever.

use zeroserve_ebpf::{
    bounds::opaque,
    request::memo::{self, Known, Memo},
    words,
};
use zeroserve_shared::{config::Config, map::MEMO_COUNT};

use crate::xdp::{
    maps::{CONFIG, MEMOS, SCRATCH},
    scratch::Scratch,
};

/// Recalls what the bytes in the buffer ask for: one, and the request is as if it had been read to its
/// end, or zero. Global, like a [`stage`](crate::xdp::stage), as is the other: inlined it would save 15 ns
/// and take the stack that Linux 6.1 allows.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn zeroserve_recall() -> u32 {
    let (Some(config), Some(scratch)) = (CONFIG.get(0), SCRATCH.get_ptr_mut(0)) else {
        return 0;
    };
    // SAFETY: the element is this CPU's own. The caller holds a reference to it, too, but the call is
    // opaque to the compiler: it keeps nothing across it.
    u32::from(recall(config, unsafe { &mut *scratch }))
}

#[inline(always)]
fn recall(config: &Config, scratch: &mut Scratch) -> bool {
    let bytes = scratch.buffered_bytes;
    let Some(hash) = memo::hash(&mut scratch.buffer, bytes) else {
        return false;
    };
    let place = (opaque(hash) >> 32) as u32 & (MEMO_COUNT - 1);
    let Some(memo) = place_at(place) else {
        return false;
    };
    match memo.recall(&mut scratch.buffer, bytes, hash, &mut scratch.request) {
        // Rules may have been changed since.
        Known::Whole
            if !config.hands_off() || words::are_equal(&scratch.request.bypass, &config.bypass) =>
        {
            scratch.recalled_route = memo.route;
            true
        }
        Known::Nothing => false,
        _ => {
            scratch.memo = place + 1;
            false
        }
    }
}

/// Remembers the request that has been read, and the route that it led to.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn zeroserve_memorise(route: u32) -> u32 {
    let Some(scratch) = SCRATCH.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: as above.
    let scratch = unsafe { &mut *scratch };
    if let Some(memo) = place_at(scratch.memo.wrapping_sub(1)) {
        memo.keep(&scratch.buffer, scratch.buffered_bytes, &scratch.request, route);
    }
    0
}

#[inline(always)]
fn place_at(place: u32) -> Option<&'static mut Memo> {
    // SAFETY: the element is this CPU's own, and each function here asks for one only.
    MEMOS.get_ptr_mut(place).map(|memo| unsafe { &mut *memo })
}
