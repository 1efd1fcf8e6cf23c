//! The harness of the tests: namespaces, clients, packets.

/// Fails the test, saying what to do, unless it runs as root.
///
/// # Panics
///
/// Where it does not.
pub fn require_root() {
    assert!(
        nix::unistd::geteuid().is_root(),
        "this test makes network namespaces and loads programs into the kernel; run it as root, \
         as tests/run does: sudo tests/run"
    );
}
