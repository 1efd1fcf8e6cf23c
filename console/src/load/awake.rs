//! Keeps the CPUs from sleeping while something is measured.

use std::{fs::File, io, io::Write};

/// What takes a latency that CPUs may be woken with, in microseconds, and holds to it while it is
/// open (Linux, Documentation/power/pm_qos_interface.rst).
const LATENCY: &str = "/dev/cpu_dma_latency";

/// CPUs that have nothing to do wait without sleeping until this is dropped. To wake one that sleeps
/// costs the one that does so more than an answer, in a virtual machine above all, where it takes an
/// exit to the host. Who gets packets from a network card wakes nobody.
pub(super) struct Awake {
    _open: File,
}

impl Awake {
    /// Keeps them awake; nothing where the kernel does not offer it.
    pub(super) fn new() -> io::Result<Option<Self>> {
        let mut file = match File::options().write(true).open(LATENCY) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        file.write_all(&0_i32.to_ne_bytes())?;
        Ok(Some(Self { _open: file }))
    }
}
