//! The one table of keys: what they do where, the footer, and the help.

mod table;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

pub(crate) use self::table::BINDINGS;
use self::table::PANELS;
use super::model::Panel;
use crate::record::Play;

/// What keys are for at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Routes,
    Reasons,
    Rates,
    Cpus,
    Flows,
    Requests,
    /// Choosing what to have explained.
    Issues,
    /// Choosing what to promote.
    Misses,
    /// On any panel, while a recording plays: these keys come before the panel's own.
    Replay,
    /// Typing a filter for the routes or the requests.
    Filter,
    /// Picking a file.
    Picker,
    /// Typing the path of a route.
    Path,
    /// Writing down an answer.
    Answer,
    /// Answering whether a change shall be made.
    Confirm,
    /// Looking at changes that wait.
    Staged,
    /// Looking at what takes the last commit back.
    Undo,
    /// Answering what becomes of the server.
    Exit,
    /// Reading a popup.
    Reading,
    /// Reading about a reason.
    Cause,
    /// Waiting for a file to be rendered.
    Working,
    /// Typing a command.
    Palette,
}

impl Scope {
    /// All of them, with their titles in the help.
    pub(crate) const ALL: [(Self, &'static str); 21] = [
        (Self::Routes, "Routes"),
        (Self::Reasons, "Reasons"),
        (Self::Rates, "Rates"),
        (Self::Cpus, "CPUs"),
        (Self::Flows, "Flows"),
        (Self::Requests, "Requests"),
        (Self::Issues, "What is wrong"),
        (Self::Misses, "Misses"),
        (Self::Replay, "Replay of a recording"),
        (Self::Filter, "Filter"),
        (Self::Palette, "Command line"),
        (Self::Picker, "File picker"),
        (Self::Path, "Path of a new route"),
        (Self::Answer, "Redirect or fixed reply"),
        (Self::Confirm, "Confirmation"),
        (Self::Staged, "Staged changes"),
        (Self::Undo, "Undo"),
        (Self::Exit, "Exit question"),
        (Self::Reading, "Popups"),
        (Self::Cause, "Explained reason"),
        (Self::Working, "While a file is read"),
    ];

    /// Whether it is a panel.
    pub(crate) fn is_panel(self) -> bool {
        PANELS.contains(&self)
    }

    /// Whether characters are text here.
    pub(crate) fn takes_text(self) -> bool {
        matches!(self, Self::Filter | Self::Picker | Self::Path | Self::Answer | Self::Palette)
    }
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Left,
    Right,
    Enter,
    Erase,
    EraseAll,
    NextPanel,
    PreviousPanel,
    Show(Panel),
    Filter,
    Sort,
    SortAgain,
    FoldAll,
    Add,
    Replace,
    Remove,
    Redirect,
    Respond,
    AllReasons,
    ZoomIn,
    ZoomOut,
    Pause,
    Freeze,
    Palette,
    Complete,
    Issues,
    Misses,
    Outside,
    Export,
    Log,
    Play(Play),
    Save,
    Help,
    Quit,
    Suspend,
    Redraw,
    Copy,
    Measure,
    Mouse,
    Cancel,
    Yes,
    OnTrial,
    Stage,
    Unstage,
    Staged,
    Keep,
    Undo,
    LeaveServing,
    Stop,
}

/// A key as it is pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    code: KeyCode,
    ctrl: bool,
}

impl Key {
    const fn plain(code: KeyCode) -> Self {
        Self { code, ctrl: false }
    }

    const fn char(character: char) -> Self {
        Self::plain(KeyCode::Char(character))
    }

    const fn ctrl(character: char) -> Self {
        Self { code: KeyCode::Char(character), ctrl: true }
    }

    fn is(self, event: &KeyEvent) -> bool {
        self.code == event.code
            && self.ctrl == event.modifiers.contains(KeyModifiers::CONTROL)
            && !event.modifiers.contains(KeyModifiers::ALT)
    }

    /// As written on a keyboard.
    pub(crate) fn name(self) -> String {
        let name = match self.code {
            KeyCode::Char(' ') => "space".into(),
            KeyCode::Char(character) => character.to_string(),
            KeyCode::Enter => "Enter".into(),
            KeyCode::Esc => "Esc".into(),
            KeyCode::Tab => "Tab".into(),
            KeyCode::BackTab => "shift-Tab".into(),
            KeyCode::Backspace => "Backspace".into(),
            KeyCode::Up => "↑".into(),
            KeyCode::Down => "↓".into(),
            KeyCode::Left => "←".into(),
            KeyCode::Right => "→".into(),
            KeyCode::PageUp => "PgUp".into(),
            KeyCode::PageDown => "PgDn".into(),
            KeyCode::Home => "Home".into(),
            KeyCode::End => "End".into(),
            other => format!("{other:?}"),
        };
        if self.ctrl { format!("ctrl-{name}") } else { name }
    }
}

/// A line of the table.
pub(crate) struct Binding {
    pub(crate) keys: &'static [Key],
    pub(crate) action: Action,
    pub(crate) scopes: &'static [Scope],
    /// A word for the footer, if it is shown there.
    pub(crate) hint: Option<&'static str>,
    /// A sentence for the help.
    pub(crate) help: &'static str,
}

impl Binding {
    /// Its keys, as written on a keyboard.
    pub(crate) fn names(&self) -> String {
        self.keys.iter().map(|key| key.name()).collect::<Vec<_>>().join(" ")
    }
}

const fn bind(
    keys: &'static [Key],
    action: Action,
    scopes: &'static [Scope],
    hint: &'static str,
    help: &'static str,
) -> Binding {
    let hint = if hint.is_empty() { None } else { Some(hint) };
    Binding { keys, action, scopes, hint, help }
}

/// What a key asks for, where it is pressed.
pub(crate) fn lookup(scope: Scope, event: &KeyEvent) -> Option<Action> {
    BINDINGS
        .iter()
        .find(|binding| {
            binding.scopes.contains(&scope) && binding.keys.iter().any(|key| key.is(event))
        })
        .map(|binding| binding.action)
}

/// The footer of a scope, in order: key and word.
pub(crate) fn hints(scope: Scope) -> impl Iterator<Item = (String, &'static str)> {
    BINDINGS
        .iter()
        .filter(move |binding| binding.scopes.contains(&scope))
        .filter_map(|binding| Some((binding.keys.first()?.name(), binding.hint?)))
}

/// The table by place, each with its title; what holds on all panels comes first.
pub(crate) fn by_place() -> Vec<(&'static str, Vec<&'static Binding>)> {
    let everywhere = |binding: &&Binding| PANELS.iter().all(|panel| binding.scopes.contains(panel));
    let mut places = vec![("Everywhere", BINDINGS.iter().filter(everywhere).collect())];
    for (scope, title) in Scope::ALL {
        let here = BINDINGS.iter().filter(|binding| binding.scopes.contains(&scope));
        places.push((title, here.filter(|binding| !everywhere(binding)).collect()));
    }
    places
}

/// The table as a page of documentation, in Markdown.
pub fn as_markdown() -> String {
    let mut page = String::from(
        "# Keys\n\nMade from the table in `src/tui/keys.rs`, as are the console's help (`?`) and its \
         footer.\n",
    );
    for (title, bindings) in by_place() {
        page += &format!("\n## {title}\n\n| key | what it does |\n|---|---|\n");
        for binding in bindings {
            let names: Vec<_> =
                binding.keys.iter().map(|key| format!("`{}`", key.name())).collect();
            page += &format!("| {} | {} |\n", names.join(" "), binding.help);
        }
    }
    page
}

/// The table as plain text.
pub fn as_text() -> String {
    let mut page = String::new();
    for (title, bindings) in by_place() {
        page += &format!("{title}\n");
        for binding in bindings {
            page += &format!("  {:<17} {}\n", binding.names(), binding.help);
        }
        page.push('\n');
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_place() {
        for (scope, title) in Scope::ALL {
            let mut taken: Vec<Key> = Vec::new();
            for binding in BINDINGS.iter().filter(|binding| binding.scopes.contains(&scope)) {
                for key in binding.keys {
                    assert!(!taken.contains(key), "{} in {title}", key.name());
                    taken.push(*key);
                }
            }
        }
    }

    #[test]
    fn the_page_of_keys_is_what_the_table_says() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/KEYS.md");
        if std::env::var_os("UPDATE_KEYS").is_some() {
            std::fs::write(file, as_markdown()).unwrap();
        }
        let page = std::fs::read_to_string(file).unwrap();
        assert!(page == as_markdown(), "KEYS.md is out of date; run this test with UPDATE_KEYS=1");
    }

    #[test]
    fn every_place_can_be_left_and_says_how() {
        for (scope, title) in Scope::ALL {
            let ways_out = hints(scope)
                .filter(|(_, hint)| ["quit", "cancel", "close", "clear"].contains(hint))
                .count();
            assert!(ways_out > 0, "{title}");
        }
    }

    #[test]
    fn where_characters_are_text_none_of_them_is_a_command() {
        for binding in BINDINGS {
            for key in binding.keys {
                let is_text = matches!(key.code, KeyCode::Char(_)) && !key.ctrl;
                let in_text = binding.scopes.iter().any(|scope| scope.takes_text());
                assert!(!(is_text && in_text), "{}", key.name());
            }
        }
    }
}
