//! What the kernel is told of a connection that it is given.
//!
//! It builds the socket from one packet, as if that were the last of a handshake: what the client
//! sends next is the packet's sequence number, what it expects next the acknowledgment number. So
//! there is one packet in a connection that it can be given with, and no other must be.

use zeroserve_shared::flow::{Flow, HANDED, SACKS, SCALES, SEATED};

use crate::{
    ownership::is_in_place,
    wire::{TIMESTAMPS_BYTES, options::OWN_SHIFT},
};

/// What the kernel cannot know of the handshake (`struct bpf_tcp_req_attrs`).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Negotiated {
    /// The client's last timestamp.
    pub client_timestamp: u32,
    /// The timestamp that it echoed.
    pub echoed_timestamp: u32,
    /// Largest payload that the client takes, in bytes.
    pub mss: u16,
    /// Shift of our own window.
    pub own_shift: u8,
    /// Shift of the client's window.
    pub client_shift: u8,
    /// Whether congestion may be marked in packets.
    pub ecn: u8,
    /// Whether windows are scaled.
    pub scales: u8,
    /// Whether both take SACK.
    pub sack: u8,
    /// Whether segments carry timestamps.
    pub timestamps: u8,
    /// Whether those count microseconds.
    pub in_microseconds: u8,
    /// The kernel refuses anything but zero.
    pub reserved: [u8; 3],
}

const _: () = zeroserve_shared::size_is::<Negotiated, 20>();

/// What was negotiated in a flow, when the clock of our timestamps is at `clock`. ECN never is.
///
/// The kernel sets its own clock by the timestamp that the client echoed. It gets the time instead:
/// what the client echoed is older, and a clock that goes back has its segments dropped (PAWS).
#[inline(always)]
pub const fn negotiated(flow: &Flow, clock: u32) -> Negotiated {
    let scales = flow.window_shift & SCALES != 0;
    let timestamps = flow.client_clock != 0;
    Negotiated {
        client_timestamp: flow.client_clock,
        echoed_timestamp: if timestamps { clock } else { 0 },
        mss: if timestamps { flow.mss + TIMESTAMPS_BYTES } else { flow.mss },
        own_shift: if scales { OWN_SHIFT } else { 0 },
        client_shift: if scales { flow.window_shift & 0xf } else { 0 },
        ecn: 0,
        scales: scales as u8,
        sack: (flow.window_shift & SACKS != 0) as u8,
        timestamps: timestamps as u8,
        in_microseconds: 0,
        reserved: [0; 3],
    }
}

/// Whether a flow has been handed off and the kernel not been seen to have it.
#[inline(always)]
pub const fn is_unseated(flow: &Flow) -> bool {
    flow.window_shift & (HANDED | SEATED) == HANDED
}

/// Whether a packet is the one that the kernel is to be given a connection with: the first of the
/// request, sent when the client had everything before.
#[inline(always)]
pub const fn is_first(flow: &Flow, sequence: u32, acknowledgment: u32) -> bool {
    is_unseated(flow) && is_in_place(flow, sequence, acknowledgment)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(window_shift: u8) -> Flow {
        Flow {
            receive_next: 7,
            send_next: u32::MAX,
            mss: 1400,
            window_shift: window_shift | HANDED,
            ..Flow::default()
        }
    }

    #[test]
    fn the_kernel_is_told_what_was_negotiated() {
        let plain = Negotiated { mss: 1400, ..Negotiated::default() };
        assert_eq!(negotiated(&flow(0), 5), plain);
        assert_eq!(negotiated(&flow(SACKS), 5), Negotiated { sack: 1, ..plain });
        let scaled =
            Negotiated { scales: 1, client_shift: 9, own_shift: OWN_SHIFT, sack: 1, ..plain };
        assert_eq!(negotiated(&flow(SCALES | SACKS | 9), 5), scaled);
        // A shift of zero is a shift: the kernel's own windows may be scaled then.
        let unscaled = Negotiated { scales: 1, own_shift: OWN_SHIFT, ..plain };
        assert_eq!(negotiated(&flow(SCALES), 5), unscaled);
        let stamped = Flow { client_clock: 77, mss: 1388, ..flow(0) };
        let expected =
            Negotiated { timestamps: 1, client_timestamp: 77, echoed_timestamp: 5, ..plain };
        assert_eq!(negotiated(&stamped, 5), expected, "the MSS is without options");
    }

    #[test]
    fn one_packet_only_begins_a_socket() {
        assert!(is_first(&flow(0), 7, u32::MAX));
        for (sequence, acknowledgment) in [(6, u32::MAX), (8, u32::MAX), (7, 0), (7, u32::MAX - 1)]
        {
            assert!(!is_first(&flow(0), sequence, acknowledgment));
        }
        assert!(!is_first(&Flow { window_shift: 0, ..flow(0) }, 7, u32::MAX));
        assert!(!is_first(&flow(SEATED), 7, u32::MAX));
    }
}
