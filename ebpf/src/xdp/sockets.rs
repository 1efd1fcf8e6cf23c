//! The kernel's sockets: who has a connection, or listens for it.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::{BPF_F_CURRENT_NETNS, bpf_sock, bpf_sock_tuple},
    helpers::generated::{bpf_sk_release, bpf_skc_lookup_tcp},
};
use zeroserve_ebpf::{ownership::Known, wire::ipv6::is_mapped};
use zeroserve_shared::flow::FlowKey;

/// The state of a socket that listens (`include/uapi/linux/bpf.h`, `BPF_TCP_LISTEN`).
pub(super) const LISTENING: u32 = 10;

/// What the kernel has for the connection between these ends.
#[inline(always)]
pub(super) fn known(context: *mut c_void, key: &mut FlowKey) -> Known {
    let socket = find(context, key);
    if socket.is_null() {
        return Known::Nothing;
    }
    // SAFETY: the kernel has handed out a socket, which is valid until it is given back.
    let state = unsafe {
        let state = (*socket).state;
        bpf_sk_release(socket.cast());
        state
    };
    if state == LISTENING { Known::Listener } else { Known::Connection }
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

/// The kernel's socket for the connection between these ends, or one that listens for it, or null.
/// It has to be given back.
#[inline(always)]
pub(super) fn find(context: *mut c_void, key: &mut FlowKey) -> *mut bpf_sock {
    if is_mapped(&key.local) {
        let [.., r0, r1, r2, r3] = key.remote;
        let [.., l0, l1, l2, l3] = key.local;
        let mut ends = Ipv4Ends {
            remote: [r0, r1, r2, r3],
            local: [l0, l1, l2, l3],
            ports: [key.remote_port, key.local_port],
        };
        look_up(context, (&raw mut ends).cast(), size_of::<Ipv4Ends>() as u32)
    } else {
        // A key begins with what the kernel wants of an IPv6 connection, in the same order.
        look_up(context, (&raw mut *key).cast(), IPV6_ENDS_BYTES)
    }
}

#[inline(always)]
fn look_up(context: *mut c_void, ends: *mut bpf_sock_tuple, bytes: u32) -> *mut bpf_sock {
    let here = BPF_F_CURRENT_NETNS as i64 as u64;
    // SAFETY: the context is valid, and so are as many bytes of the ends.
    unsafe { bpf_skc_lookup_tcp(context, ends, bytes, here, 0) }
}
