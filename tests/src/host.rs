//! A private network with nothing attached, for the binary to be used in.

use std::{
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use zeroserve_tui::{
    demo::client::Connection,
    kernel::{AttachOptions, Live},
    net::{PrivateNetwork, undo::Undo},
};

use crate::{binary, require_program, require_root};

/// The machine that a person would sit at. A server that was left on it is stopped when this is
/// dropped.
pub struct Host {
    _pins: Undo,
    /// The network; the server's end is where the binary runs.
    pub network: PrivateNetwork,
    /// A folder for files, removed with the host; the user's config folder as well.
    pub folder: TempDir,
    /// What the binary takes for the user's state folder.
    pub state: TempDir,
}

impl Host {
    /// Makes one.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses.
    ///
    /// # Panics
    ///
    /// Where the test does not run as root.
    pub fn new() -> Result<Self> {
        require_root();
        let network = PrivateNetwork::create("host")?;
        let interface = network.interface().to_owned();
        let pins = Undo::new(move || {
            // Most tests have stopped it themselves.
            let _ = Live::stop(&interface);
        });
        Ok(Self { _pins: pins, network, folder: tempfile::tempdir()?, state: tempfile::tempdir()? })
    }

    /// Name of the interface to serve on.
    pub fn interface(&self) -> &str {
        self.network.interface()
    }

    /// Writes a file into the folder, and returns its path.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<PathBuf> {
        let file = self.folder.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap_or(Path::new("/")))?;
        std::fs::write(&file, content)?;
        Ok(file)
    }

    /// The binary with arguments, to be run on the server's end. `IFACE` stands for the interface
    /// and `DIR` for the folder, also within an argument.
    pub fn console(&self, arguments: &[&str]) -> Command {
        let folder = self.folder.path().display().to_string();
        let mut command = self.network.server.command(binary::path());
        for argument in arguments {
            command.arg(argument.replace("IFACE", self.interface()).replace("DIR", &folder));
        }
        command.stdin(Stdio::null()).env("XDG_STATE_HOME", self.state.path());
        command.env("XDG_CONFIG_HOME", self.folder.path());
        command
    }

    /// Runs the binary.
    ///
    /// # Errors
    ///
    /// Where it does not start.
    pub fn run(&self, arguments: &[&str]) -> Result<Output> {
        self.console(arguments).output().context("the console did not start")
    }

    /// Runs the binary with `--json`, which must succeed, and returns what it printed.
    ///
    /// # Errors
    ///
    /// Where it fails, or prints no JSON.
    pub fn json(&self, arguments: &[&str]) -> Result<Value> {
        let output = self.console(arguments).arg("--json").output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "{arguments:?}: {} {text}", output.status);
        serde_json::from_slice(&output.stdout).with_context(|| format!("{arguments:?}: {text}"))
    }

    /// Runs `ip` on the server's end.
    ///
    /// # Errors
    ///
    /// Where it fails.
    pub fn ip(&self, arguments: &[&str]) -> Result<()> {
        require_program("ip");
        let output = self.network.server.command("ip").args(arguments).output()?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "ip {arguments:?}: {errors}");
        Ok(())
    }

    /// Opens a connection from the client's end.
    ///
    /// # Errors
    ///
    /// Where nobody answers.
    pub fn connect(&self) -> Result<Connection> {
        let address = self.network.server_at(AttachOptions::DEFAULT_PORT);
        Ok(self.network.client.run(|| Connection::open(address))??)
    }
}

/// Every capability that there is, by its number.
pub const ALL_CAPABILITIES: &[u64] = &{
    let mut all = [0; 41];
    let mut capability = 0;
    while capability < 41 {
        all[capability] = capability as u64;
        capability += 1;
    }
    all
};

/// Takes capabilities away from a command, for good, by their numbers.
pub fn without_capabilities(command: &mut Command, capabilities: &'static [u64]) {
    // SAFETY: between fork and exec only prctl(2) is called, a bare system call, which takes
    // numbers only.
    unsafe {
        command.pre_exec(move || {
            for capability in capabilities {
                if nix::libc::prctl(nix::libc::PR_CAPBSET_DROP, *capability, 0, 0, 0) != 0 {
                    return Err(std::io::Error::last_os_error());
                }
            }
            Ok(())
        });
    }
}
