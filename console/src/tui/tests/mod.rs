//! Whole runs of the console against a simulated server: real key events go in, effects are
//! carried out, whole screens come out.

mod around;
mod behaviour;
mod changes;
mod counting;
mod looks;
mod mouse;
mod palette;
mod pen;
mod promote;
mod replay;
mod scale;
mod screens;
mod sights;
mod soak;
mod styles;
mod sums;

use std::{
    collections::VecDeque,
    fs::File,
    path::Path,
    time::{Duration, SystemTime},
};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{Terminal, backend::TestBackend, buffer::Buffer};

use super::{
    Exit, Leaving, Options, effects,
    message::{Effect, Message, ServerJob},
    model::Model,
    update::update,
    view::view,
};
use crate::{content::Config, server::Server, simulated::Simulated};

/// A console on a simulated server, without threads and without a terminal.
struct Run {
    model: Model,
    server: Box<dyn Server>,
    terminal: Terminal<TestBackend>,
    exit: Option<Exit>,
    copied: Option<String>,
    /// Effects that were not carried out, because a test holds them back.
    held: Option<Vec<Effect>>,
}

impl Run {
    fn new(columns: u16, rows: u16) -> Self {
        Self::on(Simulated::new(1), columns, rows)
    }

    fn on(server: impl Server + 'static, columns: u16, rows: u16) -> Self {
        Self::with(server, columns, rows, |_| {})
    }

    fn with(
        server: impl Server + 'static,
        columns: u16,
        rows: u16,
        adjust: impl FnOnce(&mut Options),
    ) -> Self {
        let mut options = Options {
            leaving: Leaving::Ask,
            ascii: false,
            colour: true,
            theme: super::Theme::Dark,
            mouse: true,
            folder: "/nowhere".into(),
            state_folder: None,
            config: Config::default(),
            config_words: Vec::new(),
            user: "anna".into(),
            pen: None,
            guarded: false,
        };
        adjust(&mut options);
        let identity = server.identity().clone();
        let now = identity.attached + Duration::from_secs(2 * 3600);
        let model = Model::new(identity, options, (columns, rows), now);
        let terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        Self { model, server: Box::new(server), terminal, exit: None, copied: None, held: None }
    }

    /// Handles a message and everything that follows from it.
    fn send(&mut self, message: Message) {
        let mut effects: VecDeque<_> = update(&mut self.model, message).into();
        while let Some(effect) = effects.pop_front() {
            if let Some(held) = &mut self.held {
                held.push(effect);
                continue;
            }
            let answer = match effect {
                Effect::Server(job) => effects::ask(self.server.as_mut(), job),
                Effect::Files(job) => effects::read(job),
                Effect::Exit(exit) => {
                    self.exit = Some(exit);
                    continue;
                }
                Effect::Copy(text) => {
                    self.copied = Some(text);
                    continue;
                }
                Effect::Redraw | Effect::Suspend | Effect::Mouse(_) => continue,
            };
            effects.extend(update(&mut self.model, answer));
        }
    }

    /// Lets so many quarters of a second pass.
    fn ticks(&mut self, count: u32) -> &mut Self {
        for _ in 0..count {
            self.send(Message::Tick(self.model.now + Duration::from_millis(250)));
        }
        self
    }

    /// Presses keys, named as in the help, with spaces between them.
    fn press(&mut self, keys: &str) -> &mut Self {
        for key in keys.split(' ') {
            self.send(Message::Key(event(key)));
        }
        self
    }

    /// Types text, a key at a time.
    fn enter(&mut self, text: &str) -> &mut Self {
        for character in text.chars() {
            let key = KeyEvent::new(KeyCode::Char(character), KeyModifiers::NONE);
            self.send(Message::Key(key));
        }
        self
    }

    fn buffer(&mut self) -> &Buffer {
        self.terminal.draw(|frame| view(&mut self.model, frame)).unwrap();
        self.terminal.backend().buffer()
    }

    /// The screen as text.
    fn screen(&mut self) -> String {
        self.buffer();
        self.terminal.backend().to_string()
    }

    /// Whether the screen has that text on it.
    #[track_caller]
    fn assert_shows(&mut self, text: &str) -> &mut Self {
        let screen = self.screen();
        assert!(screen.contains(text), "no {text:?} on\n{screen}");
        self
    }

    #[track_caller]
    fn assert_hides(&mut self, text: &str) -> &mut Self {
        let screen = self.screen();
        assert!(!screen.contains(text), "{text:?} on\n{screen}");
        self
    }

    fn has_route(&self, path: &str) -> bool {
        self.model.route_at(path).is_some()
    }

    /// Selects a route by filtering for it.
    fn select(&mut self, path: &str) -> &mut Self {
        self.press("/").enter(path).press("Enter")
    }
}

fn event(key: &str) -> KeyEvent {
    let (name, modifiers) = match key.strip_prefix("ctrl-") {
        Some(name) => (name, KeyModifiers::CONTROL),
        None => (key, KeyModifiers::NONE),
    };
    let code = match name {
        "Enter" => KeyCode::Enter,
        "Esc" => KeyCode::Esc,
        "Tab" => KeyCode::Tab,
        "Up" => KeyCode::Up,
        "Down" => KeyCode::Down,
        "Left" => KeyCode::Left,
        "Right" => KeyCode::Right,
        "Home" => KeyCode::Home,
        "End" => KeyCode::End,
        "PgDn" => KeyCode::PageDown,
        "Backspace" => KeyCode::Backspace,
        "space" => KeyCode::Char(' '),
        _ => {
            let mut characters = name.chars();
            match (characters.next(), characters.next()) {
                (Some(character), None) => KeyCode::Char(character),
                _ => panic!("no key is called {key}"),
            }
        }
    };
    KeyEvent::new(code, modifiers)
}

/// A folder with files to publish, whose name has always the same length.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("zs").rand_bytes(6).tempdir_in("/tmp").unwrap();
    std::fs::create_dir(folder.path().join("images")).unwrap();
    for (name, body) in [
        ("app.js", "console.log('the next version');\n"),
        ("notes.txt", "nothing much\n"),
        (".hidden", "not shown unless asked for\n"),
    ] {
        std::fs::write(folder.path().join(name), body).unwrap();
    }
    // Listed with their times, which therefore must not be those of the test.
    for name in ["images", "app.js", "notes.txt"] {
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1_750_000_000);
        File::open(folder.path().join(name)).unwrap().set_modified(modified).unwrap();
    }
    folder
}

/// The screen with the folder's random name replaced by one of the same length.
fn anonymous(screen: &str, folder: &Path) -> String {
    screen.replace(folder.to_str().unwrap(), "/tmp/a-folder")
}
