//! The checked-in eBPF object is that of the checked-in sources.
//!
//! These tests need no eBPF toolchain: they compare digests that `ebpf/build` wrote down. That the
//! digests are true is for `ebpf/build --check` to find out, by building.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use sha2::{Digest as _, Sha256};

const MEND: &str = "run 'ebpf/build --record' and commit ebpf/zeroserve.o and its digests";

fn ebpf(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../ebpf").join(file)
}

fn read(file: &str) -> Vec<u8> {
    fs::read(ebpf(file)).unwrap_or_else(|error| panic!("ebpf/{file}: {error}; {MEND}"))
}

/// The digest recorded in a line that ends with `what`, or begins with it after the digest.
fn recorded(what: &str) -> String {
    let text = String::from_utf8(read("zeroserve.o.digests")).expect("the digests are text");
    let line = text
        .lines()
        .filter_map(|line| line.split_once("  "))
        .find(|(_, rest)| rest.starts_with(what))
        .unwrap_or_else(|| panic!("no digest is recorded for {what}; {MEND}"));
    line.0.to_owned()
}

#[test]
fn the_sources_have_not_changed_since_the_object_was_built() {
    let run = Command::new(ebpf("build")).arg("--stamp").output().expect("ebpf/build runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let now = String::from_utf8(run.stdout).expect("the stamp is text");
    assert_eq!(now.trim(), recorded("sources"), "ebpf/ or shared/ has changed; {MEND}");
}

#[test]
fn the_object_is_the_one_that_was_recorded() {
    let digest = Sha256::digest(read("zeroserve.o"));
    let digest = digest.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    });
    assert_eq!(digest, recorded("rustc 1.95.0,"), "{MEND}");
}
