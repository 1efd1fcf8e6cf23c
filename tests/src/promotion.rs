//! Zeroserve in front of a server whose answers it promotes.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;
use zeroserve_tui::kernel::{Live, MissChoice};

use crate::{binary, front::Front};

const SETTINGS: &str = include_str!("../promote.conf");

/// A Zeroserve in front of an nginx that serves these files.
///
/// # Errors
///
/// Where one of them does not start.
pub fn front(files: &[(&str, &[u8])]) -> Result<(Front, Live)> {
    let mut front = Front::new()?;
    for (name, body) in files {
        write(&front, name, body)?;
    }
    front.start_nginx_with(SETTINGS)?;
    let live = front.attach(MissChoice::Auto)?;
    Ok((front, live))
}

/// Writes a file of the server behind, which never sees it half written.
///
/// # Errors
///
/// Where it cannot be written.
pub fn write(front: &Front, name: &str, body: &[u8]) -> Result<()> {
    let file = front.folder.path().join("site").join(name);
    fs::create_dir_all(file.parent().context("a folder")?)?;
    let new = file.with_extension("new");
    fs::write(&new, body)?;
    Ok(fs::rename(new, file)?)
}

/// An answer, on a connection of its own.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status code.
    pub status: u16,
    /// Names, in lower case, and values.
    pub fields: Vec<(String, String)>,
    /// Its body, decoded where it came in chunks.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first field of a name, in lower case.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut named = self.fields.iter().filter(|(other, _)| other == name);
        named.next().map(|(_, value)| value.as_str())
    }
}

/// Asks for a path on a connection of its own.
///
/// # Errors
///
/// Where no answer comes.
pub fn get(front: &Front, path: &str, fields: &str) -> Result<Answer> {
    let mut connection = front.connect()?;
    let response = connection.request("GET", path, fields)?;
    let text = |value: &[u8]| String::from_utf8_lossy(value).trim().to_owned();
    let fields = response.headers.iter();
    Ok(Answer {
        status: response.status,
        fields: fields.map(|(name, value)| (name.to_ascii_lowercase(), text(value))).collect(),
        body: response.body.to_vec(),
    })
}

/// Runs the console's binary, which must end so, and returns what it says.
///
/// # Errors
///
/// Where it ends in another way.
pub fn run(front: &Front, arguments: &[&str], code: i32) -> Result<Value> {
    let output = front.console(arguments).arg("--json").output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(code), "{arguments:?}: {text} {errors}");
    serde_json::from_slice(&output.stdout).with_context(|| format!("{arguments:?}: {text}"))
}

/// A `promote --watch` that runs, and what it has said.
pub struct Watch {
    child: Child,
    said: Arc<Mutex<Vec<Value>>>,
}

impl Watch {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// Where it cannot be started.
    pub fn start(front: &Front, arguments: &[&str]) -> Result<Self> {
        let mut command = front.console(arguments);
        command.args(["--watch", "--json"]).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let said = Arc::new(Mutex::new(Vec::new()));
        let (output, to) = (child.stdout.take().context("its output")?, Arc::clone(&said));
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let document = serde_json::from_str(&line).expect("a document a line");
                to.lock().expect("no panic with the lock held").push(document);
            }
        });
        Ok(Self { child, said })
    }

    /// Whether it has said that this was done to a path that ends so.
    ///
    /// # Panics
    ///
    /// Where it has said what is no JSON.
    pub fn has_said(&self, done: &str, path: &str) -> bool {
        let said = self.said.lock().expect("no panic with the lock held");
        said.iter().any(|one| {
            one["done"] == done && one["path"].as_str().is_some_and(|own| own.ends_with(path))
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if binary::send(&self.child, Signal::SIGTERM).is_ok() {
            let _ = self.child.wait();
        }
    }
}
