//! What was served before a trial, set aside in a file, should the guard be killed together with its
//! console.
//!
//! Both hold a lock on the file as long as they live, and whichever ends the trial removes it. So a file
//! that nobody has locked is that of a trial that nobody ends any more, and the next command of this
//! program that opens the server puts back what was there. It lies in `/run`, which a machine that
//! starts again finds empty, like the maps.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, BufRead as _, BufReader, BufWriter, Read, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, anyhow, ensure};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use zeroserve_shared::response::MAX_RESPONSE_BYTES;

use super::keeper::{Before, put_back};
use crate::{
    content::RoutePath,
    record::document::Route,
    server::{RouteInfo, Server},
    tui::{format, restored},
};

/// Where the files are.
pub(super) const FOLDER: &str = "/run/zeroserve";

/// Paths that are named.
const NAMED: usize = 3;

/// The longest line of such a file, in bytes.
const LONGEST_LINE_BYTES: u64 = 64 << 10;

/// Whose trial it is: the first line of the file.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Head {
    interface: String,
    /// When the server was attached, seconds since the Unix epoch: a later one knows nothing of the
    /// trial.
    attached_unix_s: u64,
}

impl Head {
    fn new(server: &dyn Server) -> Self {
        let identity = server.identity();
        let attached = identity.attached.duration_since(std::time::UNIX_EPOCH);
        Self {
            interface: identity.interface.clone(),
            attached_unix_s: attached.unwrap_or_default().as_secs(),
        }
    }
}

/// What was served at a path: a line, and behind it the response.
#[derive(Debug, Deserialize, Serialize)]
struct Served {
    /// The path as it is typed.
    path: String,
    /// None if nothing was served there.
    route: Option<Route>,
    response_bytes: u32,
}

/// Such a file, as whoever writes it sees it: under another name until it is complete.
#[derive(Debug)]
pub(super) struct Draft {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Draft {
    /// Begins one for a server.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub(super) fn begin(folder: &Path, server: &dyn Server) -> io::Result<Self> {
        match DirBuilder::new().mode(0o755).create(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let head = Head::new(server);
        let path = path_of(folder, &head.interface);
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        let file = options.open(draft_of(&path))?;
        file.lock_shared()?;
        let mut draft = Self { path, file: BufWriter::new(file) };
        draft.line(&head)?;
        Ok(draft)
    }

    /// Adds what is served at a path.
    ///
    /// # Errors
    ///
    /// As for [`Draft::begin`].
    pub(super) fn add(
        &mut self,
        path: &RoutePath,
        served: Option<(&RouteInfo, &[u8])>,
    ) -> io::Result<()> {
        let response = served.map_or(&[][..], |(_, response)| response);
        self.line(&Served {
            path: format::typed_path(path.as_str()),
            route: served.map(|(info, _)| Route::new(info)),
            response_bytes: response.len() as u32,
        })?;
        self.file.write_all(response)
    }

    /// Gives it its name.
    ///
    /// # Errors
    ///
    /// As for [`Draft::begin`].
    pub(super) fn finish(self) -> io::Result<Aside> {
        let Self { path, file } = self;
        let file = file.into_inner()?;
        fs::rename(draft_of(&path), &path)?;
        Ok(Aside { path, file })
    }

    fn line<T: Serialize>(&mut self, value: &T) -> io::Result<()> {
        serde_json::to_writer(&mut self.file, value)?;
        self.file.write_all(b"\n")
    }
}

/// A file of that kind, locked as long as this exists.
#[derive(Debug)]
pub(super) struct Aside {
    path: PathBuf,
    file: File,
}

impl Aside {
    /// Takes part in the lock on the file of an interface, if there is one.
    pub(super) fn join(folder: &Path, interface: &str) -> Option<Self> {
        let path = path_of(folder, interface);
        let file = File::open(&path).ok()?;
        file.lock_shared().ok()?;
        Some(Self { path, file })
    }

    /// Removes it: the trial is over. Another one, in its place by now, stays.
    pub(super) fn remove(self) {
        let inode = |metadata: fs::Metadata| metadata.ino();
        if fs::metadata(&self.path).map(inode).ok() == self.file.metadata().map(inode).ok() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Puts back what was served before a trial that nobody is left to end. Names the
/// paths, or nothing if there is no such trial.
///
/// # Errors
///
/// Where it cannot be put back. What was set aside stays then.
pub fn settle(server: &mut dyn Server) -> anyhow::Result<Option<String>> {
    settle_in(Path::new(FOLDER), server)
}

fn settle_in(folder: &Path, server: &mut dyn Server) -> anyhow::Result<Option<String>> {
    let path = path_of(folder, &server.identity().interface);
    // Whoever may not read it is not the one to settle it.
    let Ok(file) = File::open(&path) else { return Ok(None) };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error).context("cannot lock it"),
    }
    let aside = Aside { path, file };
    let befores = read(&aside.file, &Head::new(server))
        .with_context(|| format!("cannot read {}", aside.path.display()))?;
    let named = befores.as_deref().map(name);
    if let Some(befores) = befores {
        put_back(server, &befores)?;
    }
    aside.remove();
    Ok(named)
}

/// The paths, but no more than can be read at a glance.
fn name(befores: &[Before]) -> String {
    let mut named: Vec<_> =
        befores.iter().take(NAMED).map(|before| before.path.to_string()).collect();
    if befores.len() > NAMED {
        named.push(format!("{} more", befores.len() - NAMED));
    }
    named.join(", ")
}

/// What was set aside; nothing if it was that of a server that is no more.
fn read(file: &File, wanted: &Head) -> anyhow::Result<Option<Vec<Before>>> {
    let mut file = BufReader::new(file);
    let head: Head = line(&mut file)?.context("it is empty")?;
    if head != *wanted {
        return Ok(None);
    }
    let mut befores = Vec::new();
    while let Some(served) = line::<Served>(&mut file)? {
        let path: RoutePath = served.path.parse()?;
        ensure!(served.response_bytes <= MAX_RESPONSE_BYTES, "{path} is too long");
        let mut response = vec![0; served.response_bytes as usize];
        file.read_exact(&mut response)?;
        let rendered = match served.route {
            None => None,
            Some(route) => {
                let info = route.info().with_context(|| format!("what {path} was is unknown"))?;
                let rendered =
                    restored(&info, &response).map_err(|why| anyhow!("{path}: {why}"))?;
                Some(Arc::new(rendered))
            }
        };
        befores.push(Before { path, rendered });
    }
    Ok(Some(befores))
}

fn line<T: DeserializeOwned>(file: &mut impl io::BufRead) -> anyhow::Result<Option<T>> {
    let mut line = Vec::new();
    file.take(LONGEST_LINE_BYTES).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&line)?))
}

fn path_of(folder: &Path, interface: &str) -> PathBuf {
    folder.join(format!("{interface}.trial"))
}

fn draft_of(path: &Path) -> PathBuf {
    path.with_added_extension("new")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        content::Rendered,
        server::{Change, RouteName},
        simulated::Simulated,
    };

    fn body(server: &mut Simulated, path: &RoutePath) -> Option<Vec<u8>> {
        server.response(&RouteName::Path(path.clone())).ok()
    }

    #[test]
    fn what_was_set_aside_is_put_back_once_nobody_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Simulated::new(1);
        let [replaced, added] = ["/replaced", "/added"].map(|path| path.parse().unwrap());
        let publish =
            |body: &str| Arc::new(Rendered::ok("text/plain".into(), body.as_bytes(), None));
        server.apply(Change::Add(RoutePath::clone(&replaced), publish("first"))).unwrap();
        let before = body(&mut server, &replaced);
        let info = server.routes().unwrap();
        let info = info.iter().find(|info| info.name == RouteName::Path(replaced.clone()));
        let mut draft = Draft::begin(folder.path(), &server).unwrap();
        draft.add(&replaced, info.zip(before.as_deref())).unwrap();
        draft.add(&added, None).unwrap();
        let guard = draft.finish().unwrap();
        let console = Aside::join(folder.path(), "eth0").unwrap();
        server.apply(Change::Replace(replaced.clone(), publish("second"))).unwrap();
        server.apply(Change::Add(RoutePath::clone(&added), publish("new"))).unwrap();

        drop(guard);
        assert_eq!(settle_in(folder.path(), &mut server).unwrap(), None, "the console lives");
        drop(console);
        assert_eq!(
            settle_in(folder.path(), &mut server).unwrap(),
            Some("/replaced, /added".into())
        );
        assert_eq!((body(&mut server, &replaced), body(&mut server, &added)), (before, None));
        assert_eq!(settle_in(folder.path(), &mut server).unwrap(), None, "it is over");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_trial_of_a_server_that_is_no_more_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Simulated::new(1);
        let path = path_of(folder.path(), "eth0");
        fs::write(&path, "{\"interface\":\"eth0\",\"attached_unix_s\":1}\n").unwrap();
        assert_eq!(settle_in(folder.path(), &mut server).unwrap(), None);
        assert!(!path.exists());
        fs::write(&path, "no trial at all\n").unwrap();
        assert!(settle_in(folder.path(), &mut server).is_err());
        assert!(path.exists());
    }
}
