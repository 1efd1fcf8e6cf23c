//! The only place that touches the terminal: raw mode, screens, signals, and putting it all back.

use std::{
    io::{self, Write as _},
    panic,
    sync::{
        Once,
        atomic::{AtomicBool, Ordering},
    },
};

use crossterm::{
    cursor, event, execute, queue,
    style::{Attribute, SetAttribute},
    terminal,
};
use nix::sys::signal::{self, Signal};
use ratatui::{Frame, Terminal, backend::CrosstermBackend};
use tokio::signal::unix::{self, SignalKind};

/// Whether the terminal is ours at the moment: what has to be put back, and only once.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal while it is ours. Dropping it puts everything back.
pub(crate) struct Screen {
    terminal: Terminal<CrosstermBackend<io::Stdout>>,
}

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    ///
    /// Where there is none.
    pub(crate) fn take() -> io::Result<Self> {
        restore_when_panicking();
        take()?;
        Ok(Self { terminal: Terminal::new(CrosstermBackend::new(io::stdout()))? })
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
        self.terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
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

fn take() -> io::Result<()> {
    terminal::enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    execute!(
        io::stdout(),
        terminal::EnterAlternateScreen,
        event::EnableBracketedPaste,
        cursor::Hide,
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

/// What a signal asks of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Somebody wants it to end, or its terminal is closed.
    End,
    /// Somebody wants it to stop for a while.
    Suspend,
    /// It goes on after a stop that it did not see coming.
    Resume,
}

/// The signals that concern the terminal.
pub(crate) struct Signals {
    terminate: unix::Signal,
    hang_up: unix::Signal,
    interrupt: unix::Signal,
    stop: unix::Signal,
    go_on: unix::Signal,
}

impl Signals {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: unix::signal(SignalKind::terminate())?,
            hang_up: unix::signal(SignalKind::hangup())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
            stop: unix::signal(SignalKind::from_raw(Signal::SIGTSTP as i32))?,
            go_on: unix::signal(SignalKind::from_raw(Signal::SIGCONT as i32))?,
        })
    }

    pub(crate) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::End,
            _ = self.hang_up.recv() => Asked::End,
            _ = self.interrupt.recv() => Asked::End,
            _ = self.stop.recv() => Asked::Suspend,
            _ = self.go_on.recv() => Asked::Resume,
        }
    }
}
