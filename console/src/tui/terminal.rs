//! The only place that touches the terminal: raw mode, screens, keys, signals, and putting it all
//! back.

use std::{
    fs::File,
    io::{self, IsTerminal as _, Write as _},
    mem::ManuallyDrop,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    panic,
    sync::{
        Once,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crossterm::{
    clipboard::CopyToClipboard,
    cursor,
    event::{self, Event},
    execute, queue,
    style::{Attribute, Print, SetAttribute},
    terminal,
};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signal::{self, Signal},
};
use ratatui::{Frame, Terminal, backend::CrosstermBackend};
use tokio::{
    signal::unix::{self, SignalKind},
    sync::mpsc,
};

/// Whether the terminal is ours at the moment: what has to be put back, and only once.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Whether the mouse is taken along with the terminal.
static MOUSE: AtomicBool = AtomicBool::new(false);

/// Buttons and wheel (1000), with columns beyond 223 (1006). Not what crossterm asks for, which
/// would have every motion of the mouse sent over the link.
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1000l";

/// The terminal while it is ours. Dropping it puts everything back.
pub(crate) struct Screen {
    /// Never dropped: its own way of showing the cursor panics where the terminal is gone.
    terminal: ManuallyDrop<Terminal<CrosstermBackend<io::Stdout>>>,
}

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    ///
    /// Where there is none.
    pub(crate) fn take(mouse: bool) -> io::Result<Self> {
        restore_when_panicking();
        MOUSE.store(mouse, Ordering::SeqCst);
        take()?;
        Ok(Self { terminal: ManuallyDrop::new(blank()?) })
    }

    /// Columns and rows.
    pub(crate) fn size(&self) -> io::Result<(u16, u16)> {
        terminal::size()
    }

    /// Draws what has changed, in one go where the terminal can.
    pub(crate) fn draw(&mut self, view: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        // Given back by a panic on another thread, whose message must stay.
        if !TAKEN.load(Ordering::SeqCst) {
            return Ok(());
        }
        queue!(io::stdout(), terminal::BeginSynchronizedUpdate)?;
        self.terminal.draw(view)?;
        execute!(io::stdout(), terminal::EndSynchronizedUpdate)
    }

    /// Forgets what is on the screen, so that the next draw draws everything.
    pub(crate) fn forget(&mut self) -> io::Result<()> {
        // `Terminal::clear` would ask the terminal where its cursor is and wait for the answer,
        // which the reader of keys may get to see first.
        execute!(io::stdout(), terminal::Clear(terminal::ClearType::All))?;
        self.terminal = ManuallyDrop::new(blank()?);
        Ok(())
    }

    /// Gives the terminal back, stops this process, and takes the terminal when it is continued.
    pub(crate) fn suspend(&mut self) -> io::Result<()> {
        give_back()?;
        signal::raise(Signal::SIGSTOP)?;
        self.resume()
    }

    /// Takes the terminal again after somebody else had it.
    pub(crate) fn resume(&mut self) -> io::Result<()> {
        give_back()?;
        take()?;
        self.forget()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // The terminal may be gone; then there is nothing to put back and nobody to tell.
        let _ = give_back();
    }
}

/// Nothing drawn yet.
fn blank() -> io::Result<Terminal<CrosstermBackend<io::Stdout>>> {
    Terminal::new(CrosstermBackend::new(io::stdout()))
}

/// Takes the mouse, or leaves it to the terminal, from now on.
pub(crate) fn want_mouse(wanted: bool) -> io::Result<()> {
    MOUSE.store(wanted, Ordering::SeqCst);
    execute!(io::stdout(), Print(if wanted { MOUSE_ON } else { MOUSE_OFF }))
}

/// Has the terminal put a text on its clipboard (OSC 52), as far as it allows that.
pub(crate) fn copy(text: &str) -> io::Result<()> {
    execute!(io::stdout(), CopyToClipboard::to_clipboard_from(text))
}

/// Whether the terminal was closed.
pub(crate) fn is_gone() -> bool {
    let stdout = io::stdout();
    let mut screen = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
    // Hang-ups and errors are told without being asked for.
    poll(&mut screen, PollTimeout::ZERO).is_ok_and(|told| told > 0)
}

fn take() -> io::Result<()> {
    terminal::enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    execute!(
        io::stdout(),
        terminal::EnterAlternateScreen,
        event::EnableBracketedPaste,
        cursor::Hide,
        Print(if MOUSE.load(Ordering::SeqCst) { MOUSE_ON } else { "" }),
        terminal::Clear(terminal::ClearType::All),
    )
}

fn give_back() -> io::Result<()> {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return Ok(());
    }
    let written = execute!(
        io::stdout(),
        terminal::EndSynchronizedUpdate,
        SetAttribute(Attribute::Reset),
        Print(if MOUSE.load(Ordering::SeqCst) { MOUSE_OFF } else { "" }),
        event::DisableBracketedPaste,
        terminal::LeaveAlternateScreen,
        cursor::Show,
    );
    // Raw mode ends even where nothing can be written any more.
    terminal::disable_raw_mode()?;
    written?;
    io::stdout().flush()
}

/// Lets a panic be read: its message must not go to the alternate screen.
fn restore_when_panicking() {
    static HOOKED: Once = Once::new();
    HOOKED.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let _ = give_back();
            report(panic);
        }));
    });
}

/// How long reading goes on for what belongs to bytes that have come already.
const REST_OF_EVENT: Duration = Duration::from_millis(1);

/// What is typed and pasted, read on a thread of its own.
///
/// Not `crossterm::event::EventStream`: when the terminal is closed it reads nothing for ever, on
/// the thread that polls it. Here the kernel is asked first whether the terminal is still there.
pub(crate) struct Keys {
    events: mpsc::UnboundedReceiver<Event>,
    /// Dropping it ends the thread, so that it takes no keys from whoever reads next.
    _alive: UnixStream,
}

impl Keys {
    /// Starts reading.
    ///
    /// # Errors
    ///
    /// Where there is no terminal to read from, or no thread to be had.
    pub(crate) fn listen() -> io::Result<Self> {
        let stdin = io::stdin();
        // As crossterm chooses: input that comes through a pipe is not from the keyboard.
        let terminal: OwnedFd = if stdin.is_terminal() {
            stdin.as_fd().try_clone_to_owned()?
        } else {
            File::open("/dev/tty")?.into()
        };
        let (alive, end) = UnixStream::pair()?;
        let (sender, events) = mpsc::unbounded_channel();
        thread::Builder::new()
            .name("console-keys".into())
            // An error means that the terminal is gone, as the closed channel says.
            .spawn(move || drop(read(&terminal, &end, &sender)))?;
        Ok(Self { events, _alive: alive })
    }

    /// The next event; none once the terminal is closed.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// The next event, if it has come already.
    pub(crate) fn waiting(&mut self) -> Option<Event> {
        self.events.try_recv().ok()
    }
}

fn read(
    terminal: &OwnedFd,
    end: &UnixStream,
    sender: &mpsc::UnboundedSender<Event>,
) -> io::Result<()> {
    let gone = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
    loop {
        let mut sources = [
            PollFd::new(terminal.as_fd(), PollFlags::POLLIN),
            PollFd::new(end.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut sources, PollTimeout::NONE) {
            Err(nix::errno::Errno::EINTR) => continue,
            outcome => outcome?,
        };
        let [terminal, end] = sources.map(|source| source.revents().unwrap_or(gone));
        if terminal.intersects(gone) || !end.is_empty() {
            return Ok(());
        }
        while event::poll(REST_OF_EVENT)? {
            if sender.send(event::read()?).is_err() {
                return Ok(());
            }
        }
    }
}

/// What a signal asks of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Somebody wants it to end, or its terminal is closed.
    End,
    /// Somebody wants it to stop for a while.
    Suspend,
    /// It goes on after a stop that it did not see coming.
    Resume,
    /// The terminal has another size.
    Resize,
}

/// The signals that concern the terminal.
pub(crate) struct Signals {
    terminate: unix::Signal,
    hang_up: unix::Signal,
    interrupt: unix::Signal,
    stop: unix::Signal,
    go_on: unix::Signal,
    resize: unix::Signal,
}

impl Signals {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: unix::signal(SignalKind::terminate())?,
            hang_up: unix::signal(SignalKind::hangup())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
            stop: unix::signal(SignalKind::from_raw(Signal::SIGTSTP as i32))?,
            go_on: unix::signal(SignalKind::from_raw(Signal::SIGCONT as i32))?,
            resize: unix::signal(SignalKind::window_change())?,
        })
    }

    pub(crate) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::End,
            _ = self.hang_up.recv() => Asked::End,
            _ = self.interrupt.recv() => Asked::End,
            _ = self.stop.recv() => Asked::Suspend,
            _ = self.go_on.recv() => Asked::Resume,
            _ = self.resize.recv() => Asked::Resize,
        }
    }
}
