//! What every server serves: a folder of files, a redirect and a health check.

use std::{fs, path::Path};

use anyhow::Result;
use tempfile::TempDir;

use crate::lab::noise;

/// The files, with their sizes in bytes.
pub const FILES: [(&str, usize); 6] = [
    // With any server's head it fits one segment.
    ("small", 272),
    ("cold", 272),
    // One initial window of ten segments (RFC 6928), head included.
    ("window", 14_000),
    ("library", 90_000),
    ("picture", 1_000_000),
    ("video", 10_000_000),
];

/// Path of the first.
pub const SMALL: &str = "/small";

/// Path of the second, which a server behind Zeroserve has to answer for.
pub const COLD: &str = "/cold";

/// How many files the folder `many` has.
pub const MANY: usize = 10_000;

/// Path of the redirect.
pub const REDIRECT: &str = "/old";
/// Where it leads.
pub const REDIRECT_TO: &str = SMALL;
/// Path of the health check.
pub const HEALTH: &str = "/healthz";
/// What it answers.
pub const HEALTH_BODY: &str = "ok\n";

/// The folder, removed when dropped.
pub struct Site {
    folder: TempDir,
}

impl Site {
    /// Writes the files.
    ///
    /// # Errors
    ///
    /// Where there is no room.
    pub fn create() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let site = folder.path().join("site");
        fs::create_dir_all(site.join("many"))?;
        for (name, bytes) in FILES {
            fs::write(site.join(name), noise(1, bytes))?;
        }
        let mut random = fastrand::Rng::with_seed(1);
        for number in 0..MANY {
            // As web objects are: most of some hundred bytes, a few of many thousand (log-normal).
            let normal: f64 = (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
            let bytes = (2000.0 * normal.exp()).clamp(100.0, 60_000.0) as usize;
            fs::write(site.join(many(number)), noise(number as u64, bytes))?;
        }
        Ok(Self { folder })
    }

    /// The folder to be served.
    pub fn root(&self) -> std::path::PathBuf {
        self.folder.path().join("site")
    }

    /// A folder beside it, for a server's own files.
    pub fn beside(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// What is behind a path.
    ///
    /// # Errors
    ///
    /// Where there is no such file.
    pub fn body(&self, path: &str) -> Result<Vec<u8>> {
        Ok(fs::read(self.root().join(Path::new(path.trim_start_matches('/'))))?)
    }
}

/// Name of a file of the folder `many`.
pub fn many(number: usize) -> String {
    format!("many/{number:05}.bin")
}
