//! Settings of the kernel, in one namespace.

use std::fs;

use anyhow::{Context as _, Result};
use zeroserve_tui::net::Namespace;

/// Sets something under `/proc/sys`.
///
/// # Errors
///
/// Where the kernel does not have it, or does not take the value.
pub fn set(namespace: &Namespace, name: &str, value: &str) -> Result<()> {
    let path = format!("/proc/sys/{name}");
    namespace.run(|| fs::write(&path, value))?.with_context(|| format!("{path} = {value}"))
}
