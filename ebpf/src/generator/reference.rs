//! Programs for microbenchmarks to compare with. One always does the same: what a machine needs for
//! it says how fast the machine is. The other does nothing: what it takes is what measuring takes.

use aya_ebpf::{
    bindings::xdp_action::{XDP_ABORTED, XDP_PASS},
    macros::xdp,
    programs::XdpContext,
};
use zeroserve_shared::load::{EMPTY_HASH, hash_byte};

use crate::packet::Packet;

/// How many bytes are read, and how often they are gone through.
const BYTES: usize = 32;
const ROUNDS: usize = 8;

/// Lets everything pass.
#[xdp]
pub(crate) fn zeroserve_empty(_: XdpContext) -> u32 {
    XDP_PASS
}

/// Hashes the beginning of the frame eight times: 256 multiplications, each of which has to wait for
/// the one before.
#[xdp]
pub(crate) fn zeroserve_reference(context: XdpContext) -> u32 {
    let mut bytes = [0u8; BYTES];
    if !Packet::new(context.ctx).read_into(0, &mut bytes) {
        return XDP_ABORTED;
    }
    let mut hash = EMPTY_HASH;
    let mut round = 0;
    while round < ROUNDS {
        let mut index = 0;
        while index < BYTES {
            hash = hash_byte(hash, bytes[index]);
            index += 1;
        }
        round += 1;
    }
    // Otherwise nothing of it would be left.
    if hash == 0 { XDP_ABORTED } else { XDP_PASS }
}
