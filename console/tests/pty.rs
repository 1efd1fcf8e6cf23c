//! The console in a real pseudo-terminal: it takes the terminal, follows its size, and gives it
//! back as it was, however it ends.

use std::{
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Condvar, LazyLock, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use nix::{
    sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use vt100::MouseProtocolMode;

/// How long something may take before a test gives up: far more than it takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// The example, freshly built: `cargo test --test pty` alone would not build it.
static EXAMPLE: LazyLock<PathBuf> = LazyLock::new(|| {
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--example", "console_on_simulation"]);
    build.current_dir(env!("CARGO_MANIFEST_DIR"));
    build.arg("--target-dir").arg(profile.parent().unwrap());
    if profile.file_name() == Some("release".as_ref()) {
        build.arg("--release");
    }
    assert!(build.status().unwrap().success(), "the example cannot be built");
    profile.join("examples/console_on_simulation")
});

/// The console in a terminal of its own.
struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    master: Option<Box<dyn MasterPty + Send>>,
    keyboard: Option<Box<dyn std::io::Write + Send>>,
    shown: Arc<(Mutex<vt100::Parser>, Condvar)>,
    /// Tells the reader to let go of the terminal.
    closing: Arc<AtomicBool>,
    /// The settings of the terminal before anybody touched them.
    before: String,
}

/// Settings of the terminal, as text: their type belongs to a library of the library.
fn settings(master: &dyn MasterPty) -> String {
    format!("{:?}", master.get_termios().expect("a pty has settings"))
}

impl Terminal {
    fn open(words: &[&str]) -> Self {
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let before = settings(pair.master.as_ref());
        let mut command = CommandBuilder::new(EXAMPLE.as_path());
        command.args(words);
        command.cwd(Path::new(env!("CARGO_MANIFEST_DIR")));
        command.env("TERM", "xterm-256color");
        command.env("RUST_BACKTRACE", "0");
        command.env_remove("NO_COLOR");
        let child = pair.slave.spawn_command(command).unwrap();
        let shown = Arc::new((Mutex::new(vt100::Parser::new(24, 80, 0)), Condvar::new()));
        let mut output = pair.master.try_clone_reader().unwrap();
        let sink = Arc::clone(&shown);
        let closing = Arc::new(AtomicBool::new(false));
        let close = Arc::clone(&closing);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                if close.load(Ordering::SeqCst) {
                    break;
                }
                sink.0.lock().unwrap().process(&bytes[..count]);
                sink.1.notify_all();
            }
        });
        let keyboard = Some(pair.master.take_writer().unwrap());
        // The slave stays open in the child only, so that its end can be seen.
        drop(pair.slave);
        Self { child, master: Some(pair.master), keyboard, shown, closing, before }
    }

    fn press(&mut self, bytes: &str) -> &mut Self {
        let keyboard = self.keyboard.as_mut().unwrap();
        keyboard.write_all(bytes.as_bytes()).unwrap();
        keyboard.flush().unwrap();
        self
    }

    /// Waits until the screen is as it should be.
    #[track_caller]
    fn wait(&mut self, what: &str, is_so: impl Fn(&vt100::Screen) -> bool) -> &mut Self {
        let (parser, moved) = &*self.shown;
        let parser = parser.lock().unwrap();
        let (parser, late) =
            moved.wait_timeout_while(parser, PATIENCE, |parser| !is_so(parser.screen())).unwrap();
        assert!(!late.timed_out(), "{what}: not on\n{}", parser.screen().contents());
        drop(parser);
        self
    }

    #[track_caller]
    fn wait_for(&mut self, text: &str) -> &mut Self {
        self.wait(text, |screen| screen.contents().contains(text))
    }

    fn resize(&mut self, columns: u16, rows: u16) -> &mut Self {
        self.shown.0.lock().unwrap().screen_mut().set_size(rows, columns);
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        self.master.as_ref().unwrap().resize(size).unwrap();
        self
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.process_id().unwrap() as i32)
    }

    fn signal(&mut self, signal: Signal) -> &mut Self {
        kill(self.pid(), signal).unwrap();
        self
    }

    /// The terminal is as it was, for whoever uses it next.
    #[track_caller]
    fn assert_given_back(&mut self) {
        self.wait("the terminal as it was", |screen| {
            !screen.alternate_screen()
                && !screen.hide_cursor()
                && !screen.bracketed_paste()
                && screen.mouse_protocol_mode() == MouseProtocolMode::None
        });
        assert_eq!(settings(self.master.as_ref().unwrap().as_ref()), self.before);
    }

    #[track_caller]
    fn assert_taken(&mut self) {
        self.wait("a terminal that is taken", |screen| {
            screen.alternate_screen() && screen.bracketed_paste()
        });
        assert_ne!(settings(self.master.as_ref().unwrap().as_ref()), self.before);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // After a failed assertion it may still run; after a good one it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn keys_and_resizing_work_and_the_terminal_is_given_back() {
    let mut terminal = Terminal::open(&[]);
    terminal.wait_for("SERVING").wait_for("1 Routes").wait_for("hits/s").assert_taken();
    terminal.press("2").wait_for("the verdicts add up");
    terminal.press("\t\t").wait_for("CPUs take packets");
    terminal
        .press("2")
        .resize(160, 48)
        .wait_for("Reasons  counted")
        .wait_for("routes 20 of 16 368");
    terminal.resize(80, 24).wait_for("3 Rates");
    terminal.press("?").wait_for("Everywhere").press("\x1b");
    // Bytes right behind an escape would make another key of it.
    terminal.wait("the help closed", |screen| !screen.contents().contains("Everywhere"));
    terminal.press("q").wait_for("Leave the console").press("l");
    terminal.wait_for("left with Leave").assert_given_back();
    assert!(terminal.child.wait().unwrap().success());
}

#[test]
fn pasted_text_goes_into_the_picker_in_one_piece() {
    let mut terminal = Terminal::open(&[]);
    terminal.wait_for("app.js").press("a").wait_for("Publish a file");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    terminal.press(&format!("\x1b[200~{file}\n\x1b[201~")).wait_for("1 of 1");
    terminal.press("\r").wait_for("Publish under which path?").press("\r");
    terminal.wait_for("Publish this?").press("y").wait_for("added /Cargo.toml");
    terminal.press("qs").wait_for("left with Stop").assert_given_back();
}

#[test]
fn the_mouse_is_taken_and_can_be_left_to_the_terminal() {
    let mut terminal = Terminal::open(&[]);
    let mode = |wanted| move |screen: &vt100::Screen| screen.mouse_protocol_mode() == wanted;
    terminal.wait_for("app.js").wait("buttons only", mode(MouseProtocolMode::PressRelease));
    // A click on the second tab, in SGR coordinates, which count from one.
    terminal.press("\x1b[<0;14;5M\x1b[<0;14;5m").wait_for("the verdicts add up");
    terminal.press("M").wait("the terminal's again", mode(MouseProtocolMode::None));
    terminal.press("M").wait("taken again", mode(MouseProtocolMode::PressRelease));
    terminal.press("ql").wait_for("left with Leave").assert_given_back();
}

#[test]
fn ctrl_z_gives_the_terminal_back_and_fg_takes_it_again() {
    let mut terminal = Terminal::open(&[]);
    terminal.wait_for("app.js").press("\x1a");
    let stopped = waitpid(terminal.pid(), Some(WaitPidFlag::WUNTRACED)).unwrap();
    assert_eq!(stopped, WaitStatus::Stopped(terminal.pid(), Signal::SIGSTOP));
    terminal.assert_given_back();
    terminal.signal(Signal::SIGCONT).wait_for("app.js").assert_taken();
    terminal.press("ql").wait_for("left with Leave").assert_given_back();
}

#[test]
fn a_termination_signal_leaves_the_server_serving_and_the_terminal_usable() {
    let mut terminal = Terminal::open(&[]);
    terminal.wait_for("SERVING").signal(Signal::SIGTERM);
    terminal.wait_for("left with Leave").assert_given_back();
    assert!(terminal.child.wait().unwrap().success());
}

#[test]
fn a_closed_terminal_ends_the_console() {
    let mut terminal = Terminal::open(&[]);
    terminal.wait_for("SERVING");
    terminal.keyboard = None;
    terminal.master = None;
    // The reader lets go with the next output; then the kernel hangs up.
    terminal.closing.store(true, Ordering::SeqCst);
    let status = terminal.child.wait().unwrap();
    assert!(status.success(), "{status:?}");
}

#[test]
fn a_panic_can_be_read_on_a_terminal_that_works() {
    let mut terminal = Terminal::open(&["panic"]);
    terminal.wait_for("this server has had enough").assert_given_back();
    terminal.wait_for("a part of the console has failed");
    assert!(!terminal.child.wait().unwrap().success());
}
