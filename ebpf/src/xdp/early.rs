//! Segments of a connection that has no flow yet, but are not its first: they overtook the request,
//! or keep the connection alive before there is one.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::{BPF_F_CURRENT_NETNS, bpf_sock, bpf_sock_tuple, xdp_md},
    helpers::generated::{bpf_sk_release, bpf_skc_lookup_tcp},
};
use zeroserve_ebpf::wire::tcp::{ACK, FIN};
use zeroserve_shared::{
    config::{Address, mapped},
    flow::FlowKey,
    reason::Reason,
};

use crate::xdp::{
    ingress::reply_bare,
    stage::{Ending, Ingress, run},
};

/// The state of a socket that listens (`include/uapi/linux/bpf.h`, `BPF_TCP_LISTEN`).
const LISTENING: u32 = 10;

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
    if is_known_to_kernel(ingress) {
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

/// Both ends of an IPv4 connection, as the kernel wants them (`struct bpf_sock_tuple`).
#[repr(C)]
struct Ipv4Ends {
    remote: [u8; 4],
    local: [u8; 4],
    ports: [[u8; 2]; 2],
}

/// Bytes of the two ends of an IPv6 connection: addresses and ports.
const IPV6_ENDS_BYTES: u32 = 36;

const _: () = assert!(core::mem::offset_of!(FlowKey, vlans) == IPV6_ENDS_BYTES as usize);

/// Whether the kernel has a connection between these ends.
#[inline(always)]
fn is_known_to_kernel(ingress: &mut Ingress<'_>) -> bool {
    let context = ingress.context;
    let key = &mut ingress.scratch.segment.key;
    let socket = if is_mapped(&key.local) {
        let [.., r0, r1, r2, r3] = key.remote;
        let [.., l0, l1, l2, l3] = key.local;
        let mut ends = Ipv4Ends {
            remote: [r0, r1, r2, r3],
            local: [l0, l1, l2, l3],
            ports: [key.remote_port, key.local_port],
        };
        lookup(context, (&raw mut ends).cast(), size_of::<Ipv4Ends>() as u32)
    } else {
        // A key begins with what the kernel wants of an IPv6 connection, in the same order.
        lookup(context, (&raw mut *key).cast(), IPV6_ENDS_BYTES)
    };
    if socket.is_null() {
        return false;
    }
    // SAFETY: the kernel has handed out a socket, which is valid until it is given back.
    unsafe {
        let state = (*socket).state;
        bpf_sk_release(socket.cast());
        state != LISTENING
    }
}

#[inline(always)]
fn is_mapped(address: &Address) -> bool {
    let prefix = mapped([0; 4]);
    let mut index = 0;
    while index < 12 {
        if address[index] != prefix[index] {
            return false;
        }
        index += 1;
    }
    true
}

#[inline(always)]
fn lookup(context: *mut xdp_md, ends: *mut bpf_sock_tuple, bytes: u32) -> *mut bpf_sock {
    let here = BPF_F_CURRENT_NETNS as i64 as u64;
    // SAFETY: the context is valid, and so are as many bytes of the ends.
    unsafe { bpf_skc_lookup_tcp(context.cast::<c_void>(), ends, bytes, here, 0) }
}
