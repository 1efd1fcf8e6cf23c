//! Room for what does not fit the stack, which is 512 bytes for a program and all it calls.

use zeroserve_ebpf::{
    cookie::Remembered,
    moving::{MovingText, Text},
    request::{RequestScan, WINDOW_BYTES, Window},
    select::Selection,
    transport::Work,
    wire::{
        Headers,
        icmp::{FragmentationNeeded, PacketTooBig},
        options::{ANSWER_WORDS, Area, Options},
    },
};
use zeroserve_shared::{
    config::{Config, Local},
    flow::{Flow, FlowKey},
    miss::Miss,
    path::PathHash,
};

use crate::xdp::{backlog::Backlog, burst::Carrier, clock::Tick, reply::Manner};

/// Most request bytes read from one packet.
pub(super) const BUFFER_BYTES: usize = WINDOW_BYTES;

/// One per CPU. A program is never interrupted by another on its CPU, so what it writes here is
/// its own until it ends.
#[repr(C, align(8))]
pub(super) struct Scratch {
    /// The packet's headers.
    pub(super) headers: Headers,
    /// What the headers say.
    pub(super) segment: Segment,
    /// The carrier of a burst: as it is sent off, or as the egress program finds it. Its headers
    /// are those of whatever is sent.
    pub(super) carrier: Carrier,
    /// What the packet says about what we have sent, and what is to be sent.
    pub(super) work: Work,
    /// The TCP options.
    pub(super) options: Area,
    /// What a cookie says.
    pub(super) remembered: Remembered,
    /// What the options of a SYN say.
    pub(super) offered: Options,
    /// The options of the answer to a SYN, in network byte order; zero behind them.
    pub(super) answer: [u32; ANSWER_WORDS],
    /// What a router says about a packet that was too large.
    pub(super) fragmentation_needed: FragmentationNeeded,
    /// The same in IPv6.
    pub(super) packet_too_big: PacketTooBig,
    /// The request, while it is being read.
    pub(super) request: RequestScan,
    /// A flow that is about to be created.
    pub(super) flow: Flow,
    /// The sum of the headers last written.
    pub(super) header_sum: u64,
    /// The moving part last written out.
    pub(super) moving: MovingText,
    /// What the last partial response said of itself.
    pub(super) part: Text,
    /// Number of the last burst.
    pub(super) burst: u32,
    /// Bytes of the request in `buffer`.
    pub(super) buffered_bytes: u32,
    /// When this CPU last recorded a packet, see [`observe`](crate::xdp::observe).
    pub(super) packet_observed_ns: u64,
    /// When this CPU last recorded a request.
    pub(super) request_observed_ns: u64,
    /// A backlog in which nothing is kept yet.
    pub(super) backlog: Backlog,
    /// Whether `buffer` was filled from a backlog: one, or zero.
    pub(super) from_backlog: u32,
    /// The number of the refusal that the request got and one, or zero.
    pub(super) refusal: u32,
    /// What all answers to the packet say besides.
    pub(super) manner: Manner,
    /// The number of the place where the request is to be remembered, and one; zero if nowhere.
    pub(super) memo: u32,
    /// The route that its path led to when it was remembered; zero, which is no path's, if it was not.
    pub(super) recalled_route: u32,
    /// One if the path leads to something that answers the request, or zero.
    pub(super) is_found: u32,
    /// One if the path has a copy that is past its lifetime, or zero.
    pub(super) expired: u32,
    /// When what the path leads to expires, nanoseconds of `CLOCK_BOOTTIME`; zero if it does not.
    pub(super) expires_ns: u64,
    /// What the age of the answer counts from, or zero if it has none.
    pub(super) born_unix_s: u32,
    /// Keeps the layout free of padding.
    pub(super) reserved: u32,
    /// When the packet came.
    pub(super) tick: Tick,
    /// Which of our addresses packets were for lately.
    pub(super) locals: Locals,
    /// A path that misses are to be counted of.
    pub(super) miss: Miss,
    /// Its key.
    pub(super) miss_key: PathHash,
    /// What is sent in answer to the request.
    pub(super) selection: Selection,
    /// The request as it arrived.
    pub(super) buffer: Window,
}

impl Scratch {
    /// Brings the time up to date, and with each tick what is known of our addresses.
    #[inline(always)]
    pub(super) fn update_tick(&mut self, config: &Config) {
        if self.tick.update(config.tai_minus_utc_s) {
            self.locals.forget();
        }
    }
}

/// What was asked for last of the map of addresses, by the version of IP.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Locals {
    pub(super) ipv4: KnownLocal,
    pub(super) ipv6: KnownLocal,
}

impl Locals {
    /// Forgets them.
    #[inline(always)]
    pub(super) fn forget(&mut self) {
        self.ipv4.number = 0;
        self.ipv6.number = 0;
    }
}

/// One of our addresses, and its number; zero if nothing is known.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct KnownLocal {
    pub(super) local: Local,
    pub(super) number: u32,
}

/// A received TCP segment for our port.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Segment {
    /// Its connection.
    pub(super) key: FlowKey,
    /// What it is found by, see [`flows`](crate::xdp::flows).
    pub(super) hash: u64,
    /// Where its flow is.
    pub(super) place: u32,
    /// The client's port and, above it, the number of our address; that is zero if it is not ours.
    pub(super) rest: u32,
    /// Sequence number of its first byte.
    pub(super) sequence: u32,
    /// Its acknowledgment number.
    pub(super) acknowledgment: u32,
    /// Where its payload begins in the frame.
    pub(super) payload_offset: u32,
    /// Bytes of its payload.
    pub(super) payload_bytes: u32,
    /// Bytes of its TCP options.
    pub(super) options_bytes: u32,
    /// Its window, unscaled.
    pub(super) window: u16,
    /// Its flags.
    pub(super) flags: u8,
    /// Keeps the layout free of padding.
    pub(super) reserved: u8,
}

impl Segment {
    /// Sequence number after the last payload byte.
    #[inline(always)]
    pub(super) fn payload_end(&self) -> u32 {
        self.sequence.wrapping_add(self.payload_bytes)
    }

    /// Whether it is for no address of ours.
    #[inline(always)]
    pub(super) fn is_elsewhere(&self) -> bool {
        self.rest >> 16 == 0
    }

    /// Whether a flag is set.
    #[inline(always)]
    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}
