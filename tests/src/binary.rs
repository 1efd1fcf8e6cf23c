//! The console's binary, also on a terminal.

use std::{
    fs::File,
    io::{Read, Write},
    os::fd::{AsRawFd as _, OwnedFd},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, LazyLock, Mutex},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use escargot::{CargoBuild, CargoRun};
use nix::{
    errno::Errno,
    libc,
    pty::{Winsize, openpty},
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// How long to wait for something that must happen.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The path of the console's binary, built from the source tree.
///
/// # Panics
///
/// Where it cannot be built.
pub fn path() -> &'static Path {
    static BUILT: LazyLock<CargoRun> = LazyLock::new(|| {
        // With the features of the whole workspace, dependencies need not be built twice.
        let build = CargoBuild::new().arg("--workspace").bin("zeroserve-tui");
        // A benchmark is to measure what users run.
        let build = if cfg!(debug_assertions) { build } else { build.release() };
        build.run().expect("the console can be built")
    });
    BUILT.path()
}

/// Sends a signal to a process that was started here.
///
/// # Errors
///
/// Where it is gone already.
pub fn send(child: &Child, signal: Signal) -> Result<()> {
    Ok(kill(Pid::from_raw(child.id() as i32), signal)?)
}

/// Waits until a condition holds.
///
/// # Errors
///
/// Where it does not hold within [`PATIENCE`], or cannot be checked.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !holds()? {
        if Instant::now() > deadline {
            bail!("{what}: not within {} s", PATIENCE.as_secs());
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// A process on a terminal of its own.
pub struct Terminal {
    /// The process.
    pub child: Child,
    keyboard: File,
    screen: Arc<Mutex<vt100::Parser>>,
}

impl Terminal {
    /// Starts a command on a terminal of 80 columns and 24 rows.
    ///
    /// # Errors
    ///
    /// Where the command cannot be started.
    pub fn start(command: Command) -> Result<Self> {
        Self::sized(command, 80, 24)
    }

    /// Starts a command on a terminal of some size.
    ///
    /// # Errors
    ///
    /// Where the command cannot be started.
    pub fn sized(mut command: Command, columns: u16, rows: u16) -> Result<Self> {
        let pty = openpty(Some(&window(columns, rows)), None)?;
        let ours = File::from(pty.master);
        let stdio = |fd: &OwnedFd| fd.try_clone().map(Stdio::from);
        command.stdin(stdio(&pty.slave)?).stdout(stdio(&pty.slave)?).stderr(stdio(&pty.slave)?);
        command.env("TERM", "xterm-256color");
        on_its_own_terminal(&mut command);
        let child = command.spawn().context("the command did not start")?;
        // The command holds the terminal too; without ours, reading ends when the process does.
        drop((command, pty.slave));
        let screen = Arc::new(Mutex::new(vt100::Parser::new(rows, columns, 0)));
        let (mut output, shown) = (ours.try_clone()?, Arc::clone(&screen));
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Reading fails once nobody has the terminal open any more.
            while let Ok(bytes @ 1..) = output.read(&mut buffer) {
                shown.lock().expect("no panic with the lock held").process(&buffer[..bytes]);
            }
        });
        Ok(Self { child, keyboard: ours, screen })
    }

    /// What the screen shows.
    ///
    /// # Panics
    ///
    /// Where the thread that reads the screen panicked.
    pub fn contents(&self) -> String {
        self.look(vt100::Screen::contents)
    }

    /// Looks at the screen, with its colours.
    ///
    /// # Panics
    ///
    /// Where the thread that reads the screen panicked.
    pub fn look<T>(&self, at: impl FnOnce(&vt100::Screen) -> T) -> T {
        at(self.screen.lock().expect("no panic with the lock held").screen())
    }

    /// Makes the terminal another size, as somebody who drags its window does.
    ///
    /// # Errors
    ///
    /// Where the terminal is gone.
    ///
    /// # Panics
    ///
    /// Where the thread that reads the screen panicked.
    pub fn resize(&mut self, columns: u16, rows: u16) -> Result<()> {
        let mut screen = self.screen.lock().expect("no panic with the lock held");
        screen.screen_mut().set_size(rows, columns);
        // SAFETY: TIOCSWINSZ reads one `winsize` from the pointer, which is to a whole one that
        // lives until the call returns; the descriptor is open as long as `keyboard` is.
        let done = unsafe {
            libc::ioctl(self.keyboard.as_raw_fd(), libc::TIOCSWINSZ, &window(columns, rows))
        };
        Ok(Errno::result(done).map(drop)?)
    }

    /// Types.
    ///
    /// # Errors
    ///
    /// Where the terminal is gone.
    pub fn keys(&mut self, keys: &str) -> Result<()> {
        Ok(self.keyboard.write_all(keys.as_bytes())?)
    }

    /// Waits until the process has ended.
    ///
    /// # Errors
    ///
    /// Where it does not end, or not well.
    pub fn wait_for_end(&mut self) -> Result<()> {
        let mut status = None;
        wait_until("the end of the process", || {
            status = self.child.try_wait()?;
            Ok(status.is_some())
        })
        .with_context(|| format!("the screen shows:\n{}", self.contents()))?;
        match status.filter(|status| !status.success()) {
            Some(status) => bail!("it failed ({status}) and showed:\n{}", self.contents()),
            None => Ok(()),
        }
    }

    /// Waits until the screen shows something.
    ///
    /// # Errors
    ///
    /// Where it does not, or the process ends before.
    pub fn wait_for(&mut self, text: &str) -> Result<()> {
        wait_until(text, || {
            if self.contents().contains(text) {
                return Ok(true);
            }
            match self.child.try_wait()? {
                Some(status) => bail!("it ended ({status}) and showed:\n{}", self.contents()),
                None => Ok(false),
            }
        })
        .with_context(|| format!("the screen shows:\n{}", self.contents()))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Only a test that failed leaves the process running.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn window(columns: u16, rows: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

/// Makes the terminal on standard input the controlling one, as a login does.
fn on_its_own_terminal(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    // SAFETY: between fork and exec only setsid(2) and ioctl(2) are called, which are bare system
    // calls, on a descriptor that `Command` has put in place by then.
    unsafe {
        command.pre_exec(|| {
            nix::unistd::setsid()?;
            match libc::ioctl(0, libc::TIOCSCTTY, 0) {
                -1 => Err(std::io::Error::last_os_error()),
                _ => Ok(()),
            }
        });
    }
}
