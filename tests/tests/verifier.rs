//! How much of the kernel's patience the programs take.

use anyhow::{Context, Result};
use aya::{Ebpf, programs::Xdp};
use zeroserve_shared::map::{EGRESS_PROGRAM, XDP_PROGRAM};
use zeroserve_tests::{bench::OBJECT, require_root};

/// The kernel gives up at a million instructions. Verifiers of other kernels need more or fewer for
/// the same program, so there has to be room.
const MOST_INSTRUCTIONS: u32 = 400_000;

#[test]
fn the_verifier_needs_far_less_than_its_limit_for_every_program() -> Result<()> {
    require_root();
    let mut ebpf = Ebpf::load_file(OBJECT).context(OBJECT)?;
    let mut names: Vec<_> = ebpf.programs().map(|(name, _)| name.to_owned()).collect();
    names.sort_unstable();
    assert_eq!(names, [XDP_PROGRAM, EGRESS_PROGRAM], "a program is missing here, or is new");
    for name in names {
        let program: &mut Xdp = ebpf.program_mut(&name).context("it was there")?.try_into()?;
        program.load().with_context(|| name.clone())?;
        let count = program.info()?.verified_instruction_count();
        let count = count.context("this kernel does not say; it is older than 5.16")?;
        println!("{name}: {count} of {MOST_INSTRUCTIONS} instructions");
        assert!(count > 1000, "{name}: {count} instructions cannot be all");
        assert!(count <= MOST_INSTRUCTIONS, "{name}: {count} instructions");
    }
    Ok(())
}
