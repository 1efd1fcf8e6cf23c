//! What a server or a demo could leave behind.

use std::{collections::BTreeSet, fs};

use anyhow::Result;
use zeroserve_shared::map::PIN_ROOT;

/// Names that outlive a process unless somebody removes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// Network namespaces, as `ip netns` lists them.
    pub namespaces: BTreeSet<String>,
    /// Interfaces in the namespace of the test.
    pub interfaces: BTreeSet<String>,
    /// Folders of pins.
    pub pins: BTreeSet<String>,
    /// Unpacked sites.
    pub sites: BTreeSet<String>,
}

impl Traces {
    /// Those of the process with an id: its names contain it.
    ///
    /// # Errors
    ///
    /// Where a folder can be found and not be read.
    pub fn of(pid: u32) -> Result<Self> {
        let named = |folder| -> Result<BTreeSet<String>> {
            let mut names = list(folder)?;
            names.retain(|name| contains_number(name, pid));
            Ok(names)
        };
        Ok(Self {
            namespaces: named("/run/netns")?,
            interfaces: named("/sys/class/net")?,
            pins: named(PIN_ROOT)?,
            sites: named("/run")?,
        })
    }
}

fn list(folder: &str) -> Result<BTreeSet<String>> {
    if !fs::exists(folder)? {
        return Ok(BTreeSet::new());
    }
    let entries: std::io::Result<Vec<_>> = fs::read_dir(folder)?.collect();
    Ok(entries?.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}

/// Whether a number is one of those in a name, as 42 is in `demo42n1` and not in `demo420`.
fn contains_number(name: &str, number: u32) -> bool {
    let number = number.to_string();
    name.split(|character: char| !character.is_ascii_digit()).any(|digits| digits == number)
}
