//! The only door to the terminal: model, update, views.
//!
//! Messages (keys, ticks, answers) change the model in [`update`](update::update), which answers
//! with effects. Effects are carried out by [`effects::Workers`], off the thread that draws, and
//! answer with messages. Views only read the model, but for the scroll position of the tree, which
//! its widget keeps. This file turns that wheel.
//!
//! | module | what it is for |
//! |---|---|
//! | `arguments` | how it looks, as the command line can say it |
//! | `terminal` | the terminal itself: taking it, giving it back, signals |
//! | `keys` | the one table of keys, behind footer and help |
//! | `message` | what can happen, and what can be asked for |
//! | `model` | everything the console knows and shows |
//! | `update` | how messages change the model |
//! | `advice` | what to make of what is counted |
//! | `commands` | the commands of the palette |
//! | `commit` | makes changes, all or none, and finds out how to take them back |
//! | `drift` | whether a file is still what is served |
//! | `effects` | carries out what the model cannot: the server, the file system |
//! | `guarded` | takes back what is on trial even if the console is killed |
//! | `view` | draws the model |
//! | `preferences` | how somebody likes it, from a file |
//! | `rates`, `tree`, `format`, `field` | parts that know nothing of the rest |

mod advice;
mod arguments;
mod commands;
mod commit;
mod drift;
mod effects;
mod field;
pub(crate) mod format;
mod guarded;
mod keys;
mod message;
mod model;
mod preferences;
mod rates;
mod terminal;
mod theme;
mod tree;
mod update;
mod view;

#[cfg(test)]
mod tests;

use std::{
    path::PathBuf,
    time::{Duration, Instant, SystemTime},
};

use anyhow::Context as _;
use crossterm::event::{Event, MouseButton, MouseEventKind};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

pub use self::{
    arguments::DisplayArguments,
    keys::{as_markdown as keys_as_markdown, as_text as keys_as_text},
    preferences::EXAMPLE as PREFERENCES,
    theme::Theme,
};
pub(crate) use self::{
    commit::restored_in_full as restored,
    model::{Warning, in_short, warnings, written_down},
    tree::fixed_label,
};
use self::{
    effects::{Answer, Workers},
    guarded::Guarded,
    message::{Effect, Message, Mouse},
    model::Model,
    terminal::{Asked, Keys, Screen, Signals},
    update::update,
};
use crate::{
    content::Config,
    record::{recorded, state},
    server::{Holder, Server},
};

/// Time between two samples, at least.
const TICK: Duration = Duration::from_millis(250);

/// What shall become of the server, as the person at the console decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It goes on serving without a console.
    Leave,
    /// It shall be stopped; that is up to the caller.
    Stop,
}

/// What leaving the console means for the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// Whoever leaves is asked: leave it serving, or stop it.
    Ask,
    /// The server ends with the console, as in the demo; the console says so and does not ask.
    StopsServing,
    /// Nothing: it is a recording.
    Replay,
}

/// How the console behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// What leaving means for the server.
    pub leaving: Leaving,
    /// Draw with nothing but ASCII.
    pub ascii: bool,
    /// Draw in colour.
    pub colour: bool,
    /// The colours to draw in.
    pub theme: Theme,
    /// Whether it takes the mouse.
    pub mouse: bool,
    /// Where the file picker starts.
    pub folder: PathBuf,
    /// Where what others did is read for the log; none where there is nothing to be read.
    pub state_folder: Option<PathBuf>,
    /// How files that are published from the console are served.
    pub config: Config,
    /// The options of a command that say the same.
    pub config_words: Vec<String>,
    /// Who sits in front of it, for the log.
    pub user: String,
    /// Who else has the right to change the server: the console only reads then, until
    /// [`Surroundings`](crate::server::Surroundings) say otherwise.
    pub pen: Option<Holder>,
    /// Whether what is on trial is taken back by a process of its own, should this one be killed.
    pub guarded: bool,
}

impl Options {
    /// Colour unless `NO_COLOR` is set (<https://no-color.org>), files from the current folder.
    pub fn from_environment(leaving: Leaving) -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let folder = std::env::current_dir().unwrap_or_else(|_| "/".into());
        let theme = Theme::from_environment();
        let user = recorded::user();
        let user = user.unwrap_or_else(|| format!("user {}", nix::unistd::getuid()));
        let (config, config_words) = (Config::default(), Vec::new());
        Self {
            leaving,
            ascii: false,
            colour: !no_colour,
            theme,
            mouse: true,
            folder,
            state_folder: (leaving == Leaving::Ask).then(state::folder).flatten(),
            user,
            config,
            config_words,
            pen: None,
            guarded: false,
        }
    }
}

/// Opens the console on a server, until somebody leaves it.
///
/// SIGTERM, SIGHUP and a closed terminal leave with [`Exit::Leave`]: nobody decided to stop.
///
/// # Errors
///
/// Where there is no terminal, or it fails. The terminal is as it was before in any case.
pub fn run(server: Box<dyn Server>, options: Options) -> anyhow::Result<Exit> {
    // On a thread of its own, because the caller may be inside an async runtime.
    let console = std::thread::Builder::new()
        .name("console".into())
        .spawn(move || converse(server, options))
        .context("cannot start the console's thread")?;
    console.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn converse(server: Box<dyn Server>, options: Options) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the console's event loop")?;
    runtime.block_on(async {
        let identity = server.identity().clone();
        let (answers, inbox) = mpsc::unbounded_channel();
        // An answer that nobody waits for any more may be lost.
        let reply = move |message| drop(answers.send(message));
        let guarded = Guarded::new(options.guarded);
        let workers = Workers::start(server, guarded, reply).context("cannot start the workers")?;
        let signals = Signals::new().context("cannot listen for signals")?;
        let screen = Screen::take(options.mouse).context("cannot use the terminal")?;
        let keys = Keys::listen().context("cannot read keys from the terminal")?;
        let size = screen.size().context("cannot tell the size of the terminal")?;
        let model = Model::new(identity, options, size, SystemTime::now());
        let (begun, stopped) = (Instant::now(), false);
        let mut console = Console { model, screen, keys, signals, inbox, workers, begun, stopped };
        let exit = match console.turn().await {
            // Something failed because the terminal was closed, before the signal that says so.
            Err(_) if terminal::is_gone() => Ok(Exit::Leave),
            exit => exit,
        };
        // What is on trial must not stay only because nobody is there to take it back.
        if let Some(revert) = update::leave(&mut console.model) {
            console.workers.ask(revert)?;
        }
        drop((console.keys, console.screen));
        // A change that was confirmed is made, even if somebody left right after.
        console.workers.finish();
        exit
    })
}

/// Everything that a running console holds.
struct Console {
    model: Model,
    screen: Screen,
    keys: Keys,
    signals: Signals,
    inbox: mpsc::UnboundedReceiver<Answer>,
    workers: Workers,
    begun: Instant,
    /// Whether it stopped itself, and the signal that continued it has not been seen yet.
    stopped: bool,
}

impl Console {
    /// Turns the wheel until somebody leaves.
    async fn turn(&mut self) -> anyhow::Result<Exit> {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if self.model.changed {
                self.model.changed = false;
                let model = &mut self.model;
                self.screen.draw(|frame| view::view(model, frame)).context("cannot draw")?;
            }
            let message = tokio::select! {
                biased;
                asked = self.signals.next() => match asked {
                    Asked::End => return Ok(Exit::Leave),
                    Asked::Suspend => { self.suspend()?; continue }
                    // The end of a stop that was asked for: the terminal has been taken again.
                    Asked::Resume if self.stopped => { self.stopped = false; continue }
                    Asked::Resume => { self.resume()?; continue }
                    Asked::Resize => { self.measure()?; continue }
                },
                event = self.keys.next() => match event {
                    Some(event) => translated(event),
                    // The terminal is gone.
                    None => return Ok(Exit::Leave),
                },
                Some(answer) = self.inbox.recv() => match answer {
                    Answer::Message(message) => Some(message),
                    Answer::Failed => anyhow::bail!("a part of the console has failed, see above"),
                },
                _ = ticks.tick() => {
                    let (at, cpu) = (self.begun.elapsed(), self.workers.spent());
                    self.handle(Message::Spent { at, cpu })?;
                    Some(Message::Tick(SystemTime::now()))
                }
            };
            let Some(message) = message else { continue };
            if let Some(exit) = self.handle(message)? {
                return Ok(exit);
            }
            // Keys that came together are drawn together: a held key must not lag behind.
            while let Some(event) = self.keys.waiting() {
                if let Some(message) = translated(event)
                    && let Some(exit) = self.handle(message)?
                {
                    return Ok(exit);
                }
            }
        }
    }

    fn handle(&mut self, message: Message) -> anyhow::Result<Option<Exit>> {
        for effect in update(&mut self.model, message) {
            match effect {
                Effect::Server(job) => self.workers.ask(job)?,
                Effect::Files(job) => self.workers.read(job)?,
                Effect::Redraw => self.redraw()?,
                Effect::Copy(text) => terminal::copy(&text).context("cannot draw")?,
                Effect::Mouse(wanted) => terminal::want_mouse(wanted).context("cannot draw")?,
                Effect::Suspend => self.suspend()?,
                Effect::Exit(exit) => return Ok(Some(exit)),
            }
        }
        Ok(None)
    }

    fn redraw(&mut self) -> anyhow::Result<()> {
        self.model.changed = true;
        self.screen.forget().context("cannot draw")
    }

    fn suspend(&mut self) -> anyhow::Result<()> {
        self.stopped = true;
        self.screen.suspend().context("cannot take the terminal again")?;
        self.measure()
    }

    fn resume(&mut self) -> anyhow::Result<()> {
        self.screen.resume().context("cannot take the terminal again")?;
        self.measure()
    }

    /// The terminal may have another size after a stop.
    fn measure(&mut self) -> anyhow::Result<()> {
        let (columns, rows) = self.screen.size().context("cannot tell the terminal's size")?;
        self.handle(Message::Resize(columns, rows))?;
        Ok(())
    }
}

/// What an event of the terminal means, if anything.
fn translated(event: Event) -> Option<Message> {
    match event {
        Event::Key(key) => Some(Message::Key(key)),
        Event::Paste(text) => Some(Message::Paste(text)),
        // A change of size comes as a signal.
        Event::Resize(..) | Event::FocusGained | Event::FocusLost => None,
        Event::Mouse(event) => {
            let mouse = match event.kind {
                MouseEventKind::Down(MouseButton::Left) => Mouse::Click,
                MouseEventKind::ScrollUp => Mouse::Up,
                MouseEventKind::ScrollDown => Mouse::Down,
                _ => return None,
            };
            Some(Message::Mouse { mouse, column: event.column, row: event.row })
        }
    }
}
