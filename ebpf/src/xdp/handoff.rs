//! The handoff program: gives the kernel connections that were begun here.
//!
//! It is entered for every packet that goes up, behind the XDP program and before the kernel's own
//! TCP (tcx, ingress). For the one packet of a flow that begins a socket it has the kernel build it
//! (`bpf_sk_assign_tcp_reqsk`, Linux 6.9).
//!
//! What comes right behind that packet may be here before the kernel has looked at it, because packets
//! are taken up in batches. Should the kernel refuse the first, for want of room in the accept queue,
//! it would reset the connection for the second. So that is put at the end of what this CPU has to
//! take up, once; then the kernel has the connection, or the packet is dropped, and will come again.
//! Everything else passes as it is.

use core::{arch::asm, ffi::c_void};

use aya_ebpf::{
    bindings::{__sk_buff, BPF_F_INGRESS, bpf_sock},
    helpers::generated::{bpf_redirect, bpf_sk_release, bpf_skb_load_bytes, bpf_skc_to_tcp_sock},
    macros::classifier,
    programs::TcContext,
};
use zeroserve_ebpf::{
    handoff::{self, Negotiated},
    ownership::Known,
    wire::{
        Headers, LEAST_HEADER_BYTES,
        ethernet::{IPV4, IPV6},
        tcp,
    },
    words,
};
use zeroserve_shared::{
    flow::{Flow, FlowKey, SEATED},
    map::HANDOFF_PLACEHOLDER,
};

use crate::xdp::{
    clock, flows,
    maps::{CONFIG, COUNTERS, SCRATCH},
    packet::read_least_headers,
    scratch::{Scratch, Segment},
    sockets::{self, LISTENING},
};

/// The packet goes on to whatever comes next (`TCX_NEXT`).
const NEXT: i32 = -1;
/// It ends here (`TCX_DROP`).
const DROP: i32 = 2;

/// What a packet is marked with that has been put off (`tc_index`, which nothing else uses any more).
const PUT_OFF: u32 = 0x5eed;

/// Entered for every packet that goes up.
#[classifier]
pub(super) fn zeroserve_handoff(context: TcContext) -> i32 {
    hand_off(context.skb.skb).unwrap_or(NEXT)
}

#[inline(always)]
fn hand_off(packet: *mut __sk_buff) -> Option<i32> {
    let config = CONFIG.get(0)?;
    // SAFETY: the kernel hands the program a valid context.
    let protocol = unsafe { (*packet).protocol as u16 }.to_ne_bytes();
    let bytes = if protocol == IPV4.to_be_bytes() {
        LEAST_HEADER_BYTES
    } else if protocol == IPV6.to_be_bytes() {
        Headers::bytes_for(0, true)
    } else {
        return None;
    };
    let scratch = SCRATCH.get_ptr_mut(0)?;
    // SAFETY: the element is this CPU's own: programs do not interrupt each other on it.
    let scratch = unsafe { &mut *scratch };
    let headers = &mut scratch.headers;
    let key = &mut scratch.segment.key;
    headers.set_bytes(bytes);
    if bytes == LEAST_HEADER_BYTES {
        // SAFETY: the kernel hands the program a valid context.
        let ends = unsafe { ((*packet).data as usize, (*packet).data_end as usize) };
        // Drivers may put headers elsewhere, which takes a call.
        if !read_least_headers(ends, headers) {
            read(packet, headers, LEAST_HEADER_BYTES)?;
        }
        let header = headers.ipv4();
        if header.protocol() != tcp::PROTOCOL || header.has_options() || header.is_fragment() {
            return None;
        }
        words::store_mapped(&mut key.remote, header.source());
        words::store_mapped(&mut key.local, header.destination());
    } else {
        read(packet, headers, const { Headers::bytes_for(0, true) })?;
        let header = headers.ipv6();
        if header.next_header() != tcp::PROTOCOL {
            return None;
        }
        key.remote = header.source();
        key.local = header.destination();
    }
    if headers.tcp.destination() != config.port.to_be_bytes() {
        return None;
    }
    key.remote_port = headers.tcp.source();
    key.local_port = headers.tcp.destination();
    key.vlans = [[0; 2]; 2];
    scratch.update_tick(config);
    flows::zeroserve_find_flow();
    let flow = flows::found(&scratch.segment)?;
    let Scratch { headers, segment: Segment { key, .. }, .. } = scratch;
    // SAFETY: the element stays valid for this call.
    let flow = unsafe { &mut *flow };
    if !handoff::is_unseated(flow) {
        return None;
    }
    if handoff::is_first(flow, headers.tcp.sequence(), headers.tcp.acknowledgment()) {
        give(packet, key, flow)?;
        return None;
    }
    follow(packet, key, flow)
}

/// Handles a packet that came behind the one that begins a socket.
#[inline(always)]
fn follow(packet: *mut __sk_buff, key: &mut FlowKey, flow: &mut Flow) -> Option<i32> {
    let known = sockets::known(packet.cast(), key);
    if known == Known::Connection {
        flow.window_shift |= SEATED;
    }
    // SAFETY: the kernel hands the program a valid context.
    unsafe {
        let was_put_off = (*packet).tc_index == PUT_OFF;
        if was_put_off {
            (*packet).tc_index = 0;
        }
        match known {
            Known::Listener if was_put_off => Some(DROP),
            Known::Listener => {
                (*packet).tc_index = PUT_OFF;
                Some(bpf_redirect((*packet).ifindex, BPF_F_INGRESS.into()) as i32)
            }
            Known::Connection | Known::Nothing => None,
        }
    }
}

#[inline(always)]
fn read(packet: *mut __sk_buff, headers: &mut Headers, bytes: u32) -> Option<()> {
    let to = headers.tail(u64::from(bytes)).cast::<c_void>();
    // SAFETY: the headers have room for as many bytes.
    let result = unsafe { bpf_skb_load_bytes(packet.cast_const().cast(), 0, to, bytes) };
    (result == 0).then_some(())
}

/// Gives the connection to whoever listens for it, unless the kernel has it already.
#[inline(always)]
fn give(packet: *mut __sk_buff, key: &mut FlowKey, flow: &mut Flow) -> Option<()> {
    let counters = COUNTERS.get_ptr_mut(0)?;
    let clock = CONFIG.get(0)?.timestamp_clock(clock::now_ms());
    let negotiated = handoff::negotiated(flow, clock);
    let socket = sockets::find(packet.cast(), key);
    if socket.is_null() {
        return None;
    }
    // SAFETY: the kernel has handed out a socket, which is valid until it is given back. The
    // counters are this CPU's own: programs do not interrupt each other on it.
    unsafe {
        if (*socket).state != LISTENING {
            flow.window_shift |= SEATED;
        } else if assign(packet, socket, &negotiated) {
            // It is offered again where the queue of those who wait to be accepted is full.
            (*counters).handed_off += u64::from(flow.form == 0);
            flow.form = 1;
        } else {
            (*counters).handoffs_failed += 1;
        }
        bpf_sk_release(socket.cast());
    }
    Some(())
}

/// Has the kernel build a socket for the packet, by whoever listens.
///
/// # Safety
///
/// The packet must be the program's own and the socket one that the kernel has handed out.
#[inline(always)]
unsafe fn assign(packet: *mut __sk_buff, listener: *mut bpf_sock, what: &Negotiated) -> bool {
    // SAFETY: the caller vouches for the socket.
    let listener = unsafe { bpf_skc_to_tcp_sock(listener.cast()) };
    if listener.is_null() {
        return false;
    }
    let result: u64;
    // A call of a function of the kernel: opcode 0x85, the kind of call (2) in the source register,
    // the function's number as the immediate.
    const CALL: u64 = 0x2085 | (HANDOFF_PLACEHOLDER as u64) << 32;
    // SAFETY: the function takes these four arguments and keeps no pointer to the attributes.
    unsafe {
        asm!(
            ".8byte {call}",
            call = const CALL,
            inlateout("r1") packet => _,
            inlateout("r2") listener => _,
            inlateout("r3") core::ptr::from_ref(what) => _,
            inlateout("r4") size_of::<Negotiated>() as u64 => _,
            lateout("r0") result,
            lateout("r5") _,
        );
    }
    result as u32 == 0
}
