//! How much of the kernel's patience the programs take.

use anyhow::{Context, Result};
use aya::{
    Ebpf,
    programs::{Xdp, loaded_programs},
};
use zeroserve_shared::{
    config::OnMiss,
    map::{EGRESS_PROGRAM, HANDOFF_PROGRAM, XDP_PROGRAM},
};
use zeroserve_tests::{bench::OBJECT, front::Front, require_root};
use zeroserve_tui::kernel::MissChoice;

/// The kernel gives up at a million instructions. Verifiers of other kernels need more or fewer for
/// the same program, so there has to be room.
const MOST_INSTRUCTIONS: u32 = 400_000;

#[test]
fn the_verifier_needs_far_less_than_its_limit_for_every_program() -> Result<()> {
    require_root();
    let mut ebpf = Ebpf::load_file(OBJECT).context(OBJECT)?;
    let mut names: Vec<_> = ebpf.programs().map(|(name, _)| name.to_owned()).collect();
    names.sort_unstable();
    let all = [XDP_PROGRAM, EGRESS_PROGRAM, HANDOFF_PROGRAM];
    assert_eq!(names, all, "a program is missing here, or is new");
    for name in [XDP_PROGRAM, EGRESS_PROGRAM] {
        let program: &mut Xdp = ebpf.program_mut(name).context("it was there")?.try_into()?;
        program.load().context(name)?;
        let count = program.info()?.verified_instruction_count();
        let count = count.context("this kernel does not say; it is older than 5.16")?;
        check(name, count, 1000);
    }
    // This one calls a function of the kernel, whose number the loader has to put in.
    let front = Front::new()?;
    let _live = front.attach(MissChoice::Always(OnMiss::HandOff))?;
    // The kernel keeps fifteen characters of a name.
    let short = &HANDOFF_PROGRAM.as_bytes()[..15];
    let loaded = loaded_programs().filter_map(Result::ok);
    // Others of that name may be on this machine. Programs come in the order they were loaded.
    let program = loaded.filter(|program| program.name() == short).last();
    let program = program.context("it is not loaded")?;
    let count = program.verified_instruction_count().context("this kernel does not say")?;
    check(HANDOFF_PROGRAM, count, 50);
    Ok(())
}

fn check(name: &str, count: u32, least: u32) {
    println!("{name}: {count} of {MOST_INSTRUCTIONS} instructions");
    assert!(count > least, "{name}: {count} instructions cannot be all");
    assert!(count <= MOST_INSTRUCTIONS, "{name}: {count} instructions");
}
