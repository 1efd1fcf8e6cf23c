//! What was done to servers, by whoever, from whichever console or command: `actions.jsonl` in the
//! state folder.
//!
//! A line of JSON for each change, appended in one write, in two files of bounded length that take
//! turns. Of the past only so much is read as somebody may want to scroll through.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
    time::SystemTime,
};

use serde::{Deserialize, Serialize};

use super::{
    document::Action,
    journal::Rotating,
    recorded::{describe, user},
    state,
};
use crate::{
    server::{Change, ChangeError, RouteInfo, RouteName, Server},
    tui::format,
};

/// Its name within the state folder.
const NAME: &str = "actions.jsonl";

/// When a file is this long another is begun, and the one before the last is forgotten.
const FILE_BYTES: u64 = 1 << 20;

/// How much is read of it, from its end, in bytes.
const READ_BYTES: u64 = 256 << 10;

/// How many actions are shown of it at most.
const READ_ACTIONS: usize = 300;

/// Something that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Name of the interface.
    pub interface: String,
    /// The process that did it.
    pub pid: u32,
    /// What was done.
    pub action: Action,
}

impl Entry {
    /// Takes note of a change of this process, and of what was there before.
    pub fn new(
        interface: &str,
        change: &Change,
        outcome: &Result<(), ChangeError>,
        old: Option<&RouteInfo>,
    ) -> Self {
        let (text, command) = describe(change, outcome, interface);
        let before = old.filter(|_| outcome.is_ok()).map(describe_old);
        let (at, done) = (SystemTime::now(), outcome.is_ok());
        let action = Action { at, done, text, before, command, user: user() };
        Self { interface: interface.to_owned(), pid: std::process::id(), action }
    }
}

/// The route that a change replaces or removes, before it is made.
pub fn replaced_by(server: &mut dyn Server, change: &Change) -> Option<RouteInfo> {
    let path = match change {
        Change::Add(..) => return None,
        Change::Replace(path, _) | Change::Remove(path) => path,
    };
    // If routes cannot be read, the change will say so.
    let routes = server.routes().ok()?;
    routes
        .iter()
        .find(|info| matches!(&info.name, RouteName::Path(known) if known == path))
        .cloned()
}

/// What was there before, in words.
pub(crate) fn describe_old(old: &RouteInfo) -> String {
    format!(
        "it was version {}, {} bytes, {}, SHA-256 {}",
        old.version,
        format::exact(old.body_bytes.into()),
        old.content_type,
        format::hex(&old.body_sha256, 8),
    )
}

/// Makes a change that belongs to no console, and takes note of it.
///
/// # Errors
///
/// Where the server refuses. A note that cannot be taken keeps nobody from a change.
pub fn apply(server: &mut dyn Server, change: Change) -> Result<(), ChangeError> {
    let old = replaced_by(server, &change);
    let outcome = server.apply(change.clone());
    if outcome.is_ok()
        && let Some(folder) = state::folder()
    {
        let entry = Entry::new(&server.identity().interface, &change, &outcome, old.as_ref());
        let _ = append(&folder, &entry);
    }
    outcome
}

/// Takes note of something else that was done to the server of an interface.
pub fn note(interface: &str, text: &str) {
    let Some(folder) = state::folder() else { return };
    let (at, text) = (SystemTime::now(), text.to_owned());
    let action = Action { at, done: true, text, before: None, command: None, user: user() };
    let entry = Entry { interface: interface.to_owned(), pid: std::process::id(), action };
    // That it cannot be noted is no reason not to do it.
    let _ = append(&folder, &entry);
}

/// Adds a line in that folder.
///
/// # Errors
///
/// Where it cannot be written.
pub fn append(folder: &Path, entry: &Entry) -> io::Result<()> {
    let mut line = serde_json::to_vec(entry)?;
    line.push(b'\n');
    Rotating::new(folder, NAME, FILE_BYTES).write_all(&line)
}

/// What was done to the server of an interface, the latest last. What cannot be read, or is of
/// another version, is left out.
pub fn read(folder: &Path, interface: &str) -> Vec<Entry> {
    let latest = tail(&folder.join(NAME), READ_BYTES);
    let room = READ_BYTES.saturating_sub(latest.len() as u64);
    let mut text = tail(&folder.join(format!("{NAME}.old")), room);
    text += &latest;
    let entries = text.lines().filter_map(|line| serde_json::from_str::<Entry>(line).ok());
    let mut entries: Vec<_> = entries.filter(|entry| entry.interface == interface).collect();
    entries.drain(..entries.len().saturating_sub(READ_ACTIONS));
    entries
}

/// The end of a file, as far as it consists of whole lines; nothing if there is none.
fn tail(path: &Path, bytes: u64) -> String {
    let read = || -> io::Result<String> {
        let mut file = File::open(path)?;
        let skipped = file.metadata()?.len().saturating_sub(bytes);
        file.seek(SeekFrom::Start(skipped))?;
        let mut content = Vec::new();
        file.take(bytes).read_to_end(&mut content)?;
        let text = String::from_utf8_lossy(&content).into_owned();
        Ok(match text.split_once('\n') {
            Some((_, whole)) if skipped > 0 => whole.to_owned(),
            _ => text,
        })
    };
    read().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulated::Simulated;

    fn remove(server: &mut Simulated, path: &str) -> Entry {
        let change = Change::Remove(path.parse().unwrap());
        let old = replaced_by(server, &change);
        let outcome = server.apply(change.clone());
        Entry::new("eth0", &change, &outcome, old.as_ref())
    }

    #[test]
    fn what_was_done_is_read_back_with_what_it_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Simulated::new(1);
        let (done, refused) = (remove(&mut server, "/app.js"), remove(&mut server, "/app.js"));
        let other = Entry { interface: "eth1".into(), ..done.clone() };
        for entry in [&done, &other, &refused] {
            append(folder.path(), entry).unwrap();
        }
        let read = read(folder.path(), "eth0");
        assert_eq!(read, [done, refused]);
        let before = read[0].action.before.as_deref().unwrap();
        assert!(before.starts_with("it was version 1, 148 230 bytes, text/javascript"), "{before}");
        assert_eq!(read[0].action.command.as_deref(), Some("zeroserve-tui remove eth0 /app.js"));
        assert_eq!((read[1].action.done, &read[1].action.before), (false, &None));
    }

    #[test]
    fn only_the_end_of_a_long_past_is_read_and_broken_lines_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let mut entry = remove(&mut Simulated::new(1), "/app.js");
        for number in 0..8_000 {
            entry.pid = number;
            append(folder.path(), &entry).unwrap();
        }
        let file = folder.path().join(NAME);
        let mut text = std::fs::read_to_string(&file).unwrap();
        assert!(text.len() < FILE_BYTES as usize);
        text.push_str("{\"interface\": \"eth0\", \"pid\"");
        std::fs::write(&file, text).unwrap();
        let read = read(folder.path(), "eth0");
        let pids: Vec<_> = read.iter().map(|entry| entry.pid).collect();
        assert_eq!(pids, (8_000 - READ_ACTIONS as u32..8_000).collect::<Vec<_>>());
        assert_eq!(tail(&folder.path().join("nothing"), 10), "");
    }
}
