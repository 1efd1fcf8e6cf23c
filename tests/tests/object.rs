//! The checked-in eBPF objects are those of the checked-in sources.
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

const MEND: &str = "run 'ebpf/build --record' and commit ebpf/*.o and ebpf/*.o.digests";

/// The server, and the load generator.
const OBJECTS: [&str; 2] = ["zeroserve.o", "load.o"];

fn ebpf(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../ebpf").join(file)
}

fn read(file: &str) -> Vec<u8> {
    fs::read(ebpf(file)).unwrap_or_else(|error| panic!("ebpf/{file}: {error}; {MEND}"))
}

/// The digest recorded for an object in a line that begins with `what` after the digest.
fn recorded(object: &str, what: &str) -> String {
    let text = read(&format!("{object}.digests"));
    let text = String::from_utf8(text).expect("the digests are text");
    let line = text
        .lines()
        .filter_map(|line| line.split_once("  "))
        .find(|(_, rest)| rest.starts_with(what))
        .unwrap_or_else(|| panic!("no digest of {object} is recorded for {what}; {MEND}"));
    line.0.to_owned()
}

#[test]
fn the_sources_have_not_changed_since_the_objects_were_built() {
    let run = Command::new(ebpf("build")).arg("--stamp").output().expect("ebpf/build runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let now = String::from_utf8(run.stdout).expect("the stamp is text");
    for object in OBJECTS {
        assert_eq!(now.trim(), recorded(object, "sources"), "ebpf/ or shared/ has changed; {MEND}");
    }
}

#[test]
fn the_objects_are_those_that_were_recorded() {
    for object in OBJECTS {
        let digest = Sha256::digest(read(object));
        let digest = digest.iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a string takes everything");
            text
        });
        assert_eq!(digest, recorded(object, "rustc 1.95.0,"), "{object}: {MEND}");
    }
}
