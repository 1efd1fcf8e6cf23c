//! The compiled programs.

use std::thread;

use anyhow::{Context, anyhow};
use aya::{
    Ebpf, EbpfLoader,
    programs::{Program, ProgramError},
};
use zerocopy::IntoBytes;
use zeroserve_shared::map::{
    DETAILS, FLOWS, HITS, LARGE, MEDIUM, PATHS, ROUTES, SMALL, TAGS, VERSIONS, VERSIONS_PER_ROUTE,
};

use super::handoff;

/// The object that `ebpf/` builds to.
pub(super) static OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("CARGO_MANIFEST_DIR"), "/../ebpf/zeroserve.o"));

/// How large the maps are made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// Routes, fixed ones included.
    pub(super) routes: u32,
    /// Sets of flows.
    pub(super) flow_sets: u32,
}

/// Creates the maps in the kernel. The programs are loaded by [`load_programs`]; the handoff program
/// can be only if the number of the function that it calls is given.
pub(super) fn load(sizes: Sizes, function: Option<u32>) -> anyhow::Result<Ebpf> {
    // In words, because what reads it wants it aligned.
    let mut words = vec![0u64; OBJECT.len().div_ceil(8)];
    let object = &mut words.as_mut_bytes()[..OBJECT.len()];
    object.copy_from_slice(OBJECT);
    if let Some(function) = function {
        handoff::patch(object, function)?;
    }
    let versions = sizes.routes * VERSIONS_PER_ROUTE;
    let mut loader = EbpfLoader::new();
    for name in [FLOWS, TAGS] {
        loader.map_max_entries(name, sizes.flow_sets);
    }
    for name in [PATHS, ROUTES, HITS] {
        loader.map_max_entries(name, sizes.routes);
    }
    for name in [VERSIONS, DETAILS, MEDIUM, LARGE] {
        loader.map_max_entries(name, versions);
    }
    // One more than there are versions: see `Maps::wait_for_programs`.
    loader.map_max_entries(SMALL, versions + 1);
    loader.load(object).context("the kernel refused the maps")
}

/// One of the programs of the object.
pub(super) fn program<'a>(ebpf: &'a mut Ebpf, name: &str) -> anyhow::Result<&'a mut Program> {
    ebpf.program_mut(name).with_context(|| format!("the object has no program {name}"))
}

/// Loads the programs of these names while something else is done: the verifier takes most of the
/// time until a server is there, and keeps no more than a CPU busy for each program.
pub(super) fn load_programs<T>(
    ebpf: &mut Ebpf,
    names: &[&str],
    meanwhile: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    for name in names {
        program(ebpf, name)?;
    }
    thread::scope(|scope| {
        let wanted = ebpf.programs_mut().filter(|(name, _)| names.contains(name));
        let loading: Vec<_> =
            wanted.map(|(name, program)| (name, scope.spawn(|| load_program(program)))).collect();
        let done = meanwhile();
        for (name, thread) in loading {
            let loaded = thread.join().map_err(|_| anyhow!("loading {name} panicked"))?;
            loaded.with_context(|| format!("the kernel refused the program {name}"))?;
        }
        done
    })
}

fn load_program(program: &mut Program) -> Result<(), ProgramError> {
    match program {
        Program::SchedClassifier(program) => program.load(),
        Program::Xdp(program) => program.load(),
        _ => Err(ProgramError::UnexpectedProgramType),
    }
}
