//! The maps. What they hold is in `zeroserve_shared::load`.

use aya_ebpf::{
    btf_maps::{Array, PerCpuArray},
    macros::btf_map,
};
use zeroserve_ebpf::load::frame::Options;
use zeroserve_shared::load::{
    CHOICES_COUNT, Connection, Histogram, MAX_SLOTS, MAX_TARGETS, Settings as LoadSettings, Tally,
    Target,
};

#[btf_map]
pub(crate) static SETTINGS: Array<LoadSettings, 1> = Array::new();

#[btf_map]
pub(crate) static TARGETS: Array<Target, { MAX_TARGETS as usize }> = Array::new();

#[btf_map]
pub(crate) static CHOICES: Array<u32, { CHOICES_COUNT as usize }> = Array::new();

#[btf_map]
pub(crate) static CONNECTIONS: Array<Connection, { MAX_SLOTS as usize }> = Array::new();

#[btf_map]
pub(crate) static TALLY: PerCpuArray<Tally, 1> = PerCpuArray::new();

#[btf_map]
pub(crate) static LATENCY: PerCpuArray<Histogram, 1> = PerCpuArray::new();

#[btf_map]
pub(crate) static SCRATCH: PerCpuArray<Scratch, 1> = PerCpuArray::new();

/// Most bytes of a payload that are looked at: more than a segment can have on an MTU of 1500.
pub(crate) const BUFFER_BYTES: usize = 2048;

/// Room for what does not fit the stack. One per CPU: a program is never interrupted by another
/// on its CPU.
#[repr(C, align(8))]
pub(crate) struct Scratch {
    /// TCP's options, as they are sent.
    pub(crate) options: Options,
    /// A payload.
    pub(crate) buffer: [u8; BUFFER_BYTES],
}
