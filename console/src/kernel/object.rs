//! The compiled programs.

use anyhow::Context;
use aya::{Ebpf, EbpfLoader};
use zeroserve_shared::map::{
    DETAILS, FLOWS, HITS, LARGE, MEDIUM, PATHS, ROUTES, SMALL, VERSIONS, VERSIONS_PER_ROUTE,
};

/// The object that `ebpf/` builds to.
static OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("CARGO_MANIFEST_DIR"), "/../ebpf/zeroserve.o"));

/// How large the maps are made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// Routes, fixed ones included.
    pub(super) routes: u32,
    /// Flows.
    pub(super) flows: u32,
}

/// Creates the maps in the kernel. The programs are loaded by whoever attaches them.
pub(super) fn load(sizes: Sizes) -> anyhow::Result<Ebpf> {
    let versions = sizes.routes * VERSIONS_PER_ROUTE;
    let mut loader = EbpfLoader::new();
    loader.map_max_entries(FLOWS, sizes.flows);
    for name in [PATHS, ROUTES, HITS] {
        loader.map_max_entries(name, sizes.routes);
    }
    for name in [VERSIONS, DETAILS, MEDIUM, LARGE] {
        loader.map_max_entries(name, versions);
    }
    // One more than there are versions: see `Maps::wait_for_programs`.
    loader.map_max_entries(SMALL, versions + 1);
    loader.load(OBJECT).context("the kernel refused the maps")
}
