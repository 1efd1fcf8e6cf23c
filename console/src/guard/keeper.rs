//! The guard's side.

use std::{
    io::{self, BufRead as _, Write as _},
    os::fd::AsFd as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

use super::{
    OVER, READY,
    aside::{Aside, Draft, FOLDER},
};
use crate::{
    content::{Rendered, RoutePath},
    server::{Change, RouteInfo, RouteName, Server},
    tui::restored,
};

/// What was served at a path, and how to serve it again; nothing if there was nothing.
#[derive(Debug)]
pub(super) struct Before {
    pub(super) path: RoutePath,
    pub(super) rendered: Option<Arc<Rendered>>,
}

/// A trial that the console did not end.
#[derive(Debug)]
pub struct Unfinished {
    befores: Vec<Before>,
    aside: Option<Aside>,
}

impl Unfinished {
    /// Puts back what was served before.
    ///
    /// # Errors
    ///
    /// Where something cannot be put back.
    pub fn put_back(self, server: &mut dyn Server) -> anyhow::Result<()> {
        put_back(server, &self.befores)?;
        self.aside.into_iter().for_each(Aside::remove);
        Ok(())
    }
}

/// Does what a guard does, with standard input and output as its line to the console, up to the
/// point where something has to be put back. Returns that, if it comes to it.
///
/// # Errors
///
/// Where what is served cannot be read.
pub fn keep_watch(server: &mut dyn Server, limit: Duration) -> anyhow::Result<Option<Unfinished>> {
    let begun = Instant::now();
    let unfinished = match read(Path::new(FOLDER), server, &told_paths()?) {
        Ok(unfinished) => unfinished,
        Err(error) => {
            // The console shows this line.
            println!("{error:#}");
            return Err(error);
        }
    };
    println!("{READY}");
    io::stdout().flush()?;
    if !told_over(begun, limit)? {
        return Ok(Some(unfinished));
    }
    unfinished.aside.into_iter().for_each(Aside::remove);
    Ok(None)
}

/// The paths that the console is about to change: a line each, up to an empty one.
fn told_paths() -> anyhow::Result<Vec<RoutePath>> {
    let mut paths = Vec::new();
    for line in io::stdin().lock().lines() {
        let line = line?;
        if line.is_empty() {
            return Ok(paths);
        }
        paths.push(line.parse().with_context(|| format!("{line} is no path"))?);
    }
    anyhow::bail!("the console has gone before it said which paths")
}

/// Waits for the console's word. False if it is gone, or the time is over.
fn told_over(begun: Instant, limit: Duration) -> anyhow::Result<bool> {
    let stdin = io::stdin();
    loop {
        let left = limit.saturating_sub(begun.elapsed());
        let mut line = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut line, timeout) {
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error).context("cannot wait for the console"),
            Ok(0) if left.is_zero() => return Ok(false),
            Ok(0) => {}
            Ok(_) => {
                let mut word = String::new();
                stdin.lock().read_line(&mut word)?;
                return Ok(word.trim_end() == OVER);
            }
        }
    }
}

/// Reads what is served at paths, and sets it aside.
fn read(folder: &Path, server: &mut dyn Server, paths: &[RoutePath]) -> anyhow::Result<Unfinished> {
    let routes = server.routes()?;
    // Where no file can be written this process has to be enough.
    let mut draft = Draft::begin(folder, server).ok();
    let mut befores = Vec::new();
    for path in paths {
        // What takes the place of a copy gives way to the server behind, who answers as the copy
        // would have: a copy's lifetime is not to be prolonged by setting it aside.
        let info = find(&routes, path).filter(|info| info.copy.is_none());
        let response = info.map(|_| server.response(&RouteName::Path(path.clone()))).transpose()?;
        let served = info.zip(response.as_deref());
        draft = draft.and_then(|mut draft| draft.add(path, served).ok().map(|()| draft));
        let rendered = served.map(|(info, response)| restored(info, response)).transpose();
        let rendered = rendered.map_err(|why| anyhow::anyhow!("{path}: {why}"))?;
        befores.push(Before { path: path.clone(), rendered: rendered.map(Arc::new) });
    }
    Ok(Unfinished { befores, aside: draft.and_then(|draft| draft.finish().ok()) })
}

fn find<'a>(routes: &'a [RouteInfo], path: &RoutePath) -> Option<&'a RouteInfo> {
    routes.iter().find(|info| matches!(&info.name, RouteName::Path(known) if known == path))
}

/// Puts back what was served. What cannot be put back keeps none of the rest from it.
///
/// # Errors
///
/// Where something cannot be put back.
pub(super) fn put_back(server: &mut dyn Server, befores: &[Before]) -> anyhow::Result<()> {
    let routes = server.routes()?;
    let mut outcome = Ok(());
    for Before { path, rendered } in befores {
        let is_served = find(&routes, path).is_some();
        let change = match (rendered, is_served) {
            (Some(rendered), true) => Change::Replace(path.clone(), Arc::clone(rendered)),
            (Some(rendered), false) => Change::Add(path.clone(), Arc::clone(rendered)),
            (None, true) => Change::Remove(path.clone()),
            (None, false) => continue,
        };
        if let Err(error) = server.apply(change) {
            outcome = Err(error).with_context(|| format!("cannot put back {path}"));
        }
    }
    outcome
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulated::Simulated;

    fn path(path: &str) -> RoutePath {
        path.parse().unwrap()
    }

    fn rendered(body: &str) -> Arc<Rendered> {
        Arc::new(Rendered::ok("text/plain".into(), body.as_bytes(), None))
    }

    fn served(server: &mut Simulated) -> Vec<(String, Vec<u8>)> {
        let routes = server.routes().unwrap();
        let paths = routes.iter().filter_map(|info| match &info.name {
            RouteName::Path(path) => Some((path.to_string(), info.body_sha256.to_vec())),
            RouteName::Fixed(_) => None,
        });
        paths.collect()
    }

    #[test]
    fn what_was_there_comes_back_whatever_has_become_of_it() {
        let mut server = Simulated::new(1);
        let paths = ["/replaced", "/removed", "/untouched", "/new", "/never"].map(path);
        for path in &paths[..3] {
            server.apply(Change::Add(path.clone(), rendered(path.as_str()))).unwrap();
        }
        let before = served(&mut server);
        let folder = tempfile::tempdir().unwrap();
        let unfinished = read(folder.path(), &mut server, &paths).unwrap();
        server.apply(Change::Replace(paths[0].clone(), rendered("other"))).unwrap();
        server.apply(Change::Remove(paths[1].clone())).unwrap();
        server.apply(Change::Add(paths[3].clone(), rendered("new"))).unwrap();
        assert_ne!(served(&mut server), before);
        unfinished.put_back(&mut server).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert_eq!(served(&mut server), before);
    }
}
