//! Segments of a connection that has no flow yet, but are not its first: they overtook the request,
//! or keep the connection alive before there is one.

use aya_ebpf::bindings::xdp_md;
use zeroserve_ebpf::{
    ownership::Known,
    wire::tcp::{ACK, FIN},
};
use zeroserve_shared::reason::Reason;

use crate::xdp::{
    front,
    reply::reply_bare,
    stage::{Ending, Ingress, run},
};

/// Answers a segment whose cookie says that it is so many bytes ahead of the first, or behind.
///
/// That is no proof, because one segment in some hundreds is as near by chance. So a connection
/// of the kernel is left to it, and nothing is stored.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn zeroserve_early(context: *mut xdp_md, ahead: i32) -> u32 {
    run(context, |ingress| early(ingress, ahead))
}

#[inline(always)]
fn early(ingress: &mut Ingress<'_>, ahead: i32) -> Ending {
    if front::known(ingress) == Known::Connection {
        return Ending::of(Reason::UnknownConnection);
    }
    let segment = &ingress.scratch.segment;
    if ahead > 0 && segment.payload_bytes == 0 && !segment.has(FIN) {
        return Ending::of(Reason::HandshakeComplete);
    }
    // What is expected, once more (RFC 5681 section 4.2, RFC 9293 sections 3.8.4 and 3.10.7.4).
    let (sequence, expected) =
        (segment.acknowledgment, segment.sequence.wrapping_sub(ahead as u32));
    reply_bare(ingress, sequence, expected, ACK)
}
