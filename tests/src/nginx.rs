//! nginx, a server to compare with.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::{Child, Stdio},
};

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use zeroserve_tui::net::{Namespace, listeners};

use crate::{binary, require_program};

/// The port that it listens on, in the server's namespace.
pub const PORT: u16 = 8080;

/// The settings that serve small static files fastest.
pub const SETTINGS: &str = include_str!("../nginx.conf");

/// A running nginx, stopped when dropped.
pub struct Nginx {
    master: Child,
}

impl Nginx {
    /// Starts nginx on the server's end of a network, with [`SETTINGS`], and waits until it
    /// listens. It serves the files in `site`; `folder`, which must not exist but may lie beside
    /// them, is for its own.
    ///
    /// # Errors
    ///
    /// Where it does not start.
    ///
    /// # Panics
    ///
    /// Where it is not installed.
    pub fn start(server: &Namespace, folder: &Path, site: &Path) -> Result<Self> {
        Self::start_workers("auto", server, folder, site)
    }

    /// As [`Nginx::start`], with so many workers, or `auto` for one a CPU.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Panics
    ///
    /// As there.
    pub fn start_workers(
        workers: &str,
        server: &Namespace,
        folder: &Path,
        site: &Path,
    ) -> Result<Self> {
        Self::start_with(&SETTINGS.replace("WORKERS", workers), server, folder, site)
    }

    /// Starts nginx with other settings, in which `FOLDER` and `PORT` are replaced.
    ///
    /// # Errors
    ///
    /// Where it does not start.
    ///
    /// # Panics
    ///
    /// Where it is not installed.
    pub fn start_with(
        settings: &str,
        server: &Namespace,
        folder: &Path,
        site: &Path,
    ) -> Result<Self> {
        require_program("nginx");
        fs::create_dir(folder)?;
        symlink(site, folder.join("site"))?;
        let settings = settings
            .replace("FOLDER", &folder.display().to_string())
            .replace("PORT", &PORT.to_string());
        let file = folder.join("nginx.conf");
        fs::write(&file, settings)?;
        // Workers of nginx run as another user.
        for folder in [Some(folder), folder.parent(), Some(site), site.parent()] {
            make_readable(folder.context("nginx cannot use the root folder")?)?;
        }
        let mut nginx = server.command("nginx");
        nginx.arg("-c").arg(&file).arg("-e").arg(folder.join("error.log"));
        let master = nginx.stdin(Stdio::null()).spawn().context("nginx did not start")?;
        let mut running = Self { master };
        // No connection, because something else may answer in its place.
        binary::wait_until("nginx listens", || {
            if let Some(status) = running.master.try_wait()? {
                bail!("nginx ended at once: {status}");
            }
            Ok(server.run(|| listeners::socket(PORT, &[]))??.is_some())
        })?;
        Ok(running)
    }

    /// The process ids of its workers.
    ///
    /// # Errors
    ///
    /// Where it has ended.
    pub fn workers(&self) -> Result<Vec<u32>> {
        let id = self.master.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
        Ok(children.split_whitespace().filter_map(|child| child.parse().ok()).collect())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master ends its workers; killed outright it would leave them behind.
        if binary::send(&self.master, Signal::SIGTERM).is_ok() {
            let _ = self.master.wait();
        }
    }
}

/// Has other users read a folder.
pub(crate) fn make_readable(folder: &Path) -> Result<()> {
    Ok(fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?)
}
