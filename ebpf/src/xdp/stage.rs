//! The stages of the XDP program, and what they pass to each other.
//!
//! Each stage is a global function: the verifier judges it once, on its own, instead of along
//! every path that leads to it, and its stack is its own. Such a function takes the context and
//! plain pointers, which may be null for all it knows, and returns a number.

use aya_ebpf::bindings::xdp_md;
use zeroserve_shared::{config::Config, counters::Counters, flow::Flow, reason::Reason};

use crate::xdp::{
    maps::{CONFIG, COUNTERS, SCRATCH},
    packet::Packet,
    scratch::Scratch,
};

/// How a packet ends: answered, or for a [`Reason`], whose number it then is. One word, because
/// that is what a stage can return.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Ending(pub(super) u32);

impl Ending {
    /// The frame, rewritten, goes back.
    pub(super) const IN_PLACE: Self = Self(0x1000);
    /// Its clones go back.
    pub(super) const BURST: Self = Self(0x1001);

    /// What lies ready in the scratch space goes back, see `burst`.
    pub(super) const READY: Self = Self(0x1002);

    /// It is none yet: the packet is not the kernel's after all.
    pub(super) const OURS: Self = Self(0x1003);

    /// It leaves the fast path.
    #[inline(always)]
    pub(super) const fn of(reason: Reason) -> Self {
        Self(reason as u32)
    }
}

const _: () = assert!(Reason::COUNT < Ending::IN_PLACE.0 as usize);

/// Everything a stage works with.
pub(super) struct Ingress<'a> {
    pub(super) context: *mut xdp_md,
    pub(super) packet: Packet,
    pub(super) config: &'a Config,
    pub(super) counters: &'a mut Counters,
    pub(super) scratch: &'a mut Scratch,
}

impl Ingress<'_> {
    /// Looks up what every stage needs.
    #[inline(always)]
    pub(super) fn new(context: *mut xdp_md) -> Option<Self> {
        let config = CONFIG.get(0)?;
        let counters = COUNTERS.get_ptr_mut(0)?;
        let scratch = SCRATCH.get_ptr_mut(0)?;
        // SAFETY: both elements are this CPU's own. A stage that calls another holds references
        // to them meanwhile, but the call is opaque to the compiler: it keeps nothing across it.
        let (counters, scratch) = unsafe { (&mut *counters, &mut *scratch) };
        Some(Self { context, packet: Packet::new(context), config, counters, scratch })
    }
}

/// Runs a stage.
#[inline(always)]
pub(super) fn run(context: *mut xdp_md, stage: impl FnOnce(&mut Ingress<'_>) -> Ending) -> u32 {
    let Some(mut ingress) = Ingress::new(context) else {
        return Reason::MapMissing as u32;
    };
    stage(&mut ingress).0
}

/// Runs a stage on a flow.
#[inline(always)]
pub(super) fn run_on(
    context: *mut xdp_md,
    flow: *mut Flow,
    stage: impl FnOnce(&mut Ingress<'_>, &mut Flow) -> Ending,
) -> u32 {
    // SAFETY: the callers pass an element of the map of flows, which stays valid for the call.
    // Segments of one connection arrive on one CPU; should they not, fields may mix, and TCP
    // repairs what is sent wrong.
    let Some(flow) = (unsafe { flow.as_mut() }) else {
        return Reason::MapMissing as u32;
    };
    run(context, |ingress| stage(ingress, flow))
}
