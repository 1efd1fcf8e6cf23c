//! The site that the demo serves: embedded, so that an installed binary has it too.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process,
};

use anyhow::{Context, Result};
use include_dir::{Dir, include_dir};

use crate::net::undo::Undo;

static SITE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../assets/site");

/// Where the site is unpacked to: the console shows files by name, and a person may want to edit
/// one and replace it. `/run` is in memory and only root may write there.
const FOLDER: &str = "/run";
const PREFIX: &str = "zeroserve-demo-";

/// The site as files, removed when dropped.
pub(super) struct UnpackedSite {
    root: PathBuf,
    _undo: Undo,
}

impl UnpackedSite {
    pub(super) fn create() -> Result<Self> {
        let root = folder_of(process::id());
        let undo = Undo::new({
            let root = root.clone();
            move || remove(&root)
        });
        fs::create_dir(&root)
            .and_then(|()| SITE.extract(&root))
            .with_context(|| format!("cannot unpack the demo site to {}", root.display()))?;
        Ok(Self { root, _undo: undo })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }
}

/// Removes the site that a demo of that process id left behind.
pub(super) fn sweep(pid: u32) {
    remove(&folder_of(pid));
}

fn folder_of(pid: u32) -> PathBuf {
    Path::new(FOLDER).join(format!("{PREFIX}{pid}"))
}

fn remove(root: &Path) {
    if let Err(error) = fs::remove_dir_all(root)
        && error.kind() != io::ErrorKind::NotFound
    {
        eprintln!("zeroserve-tui: cannot remove {}: {error}", root.display());
    }
}
