//! The one table of keys: what they do where, the footer, and the help.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::model::Panel;
use crate::record::Play;

/// What keys are for at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Routes,
    Reasons,
    Chart,
    /// On any panel, while a recording plays: these keys come before the panel's own.
    Replay,
    /// Typing a filter for the routes.
    Filter,
    /// Picking a file.
    Picker,
    /// Typing the path of a route.
    Path,
    /// Answering whether a change shall be made.
    Confirm,
    /// Answering what becomes of the server.
    Exit,
    /// Reading a popup.
    Reading,
    /// Waiting for a file to be rendered.
    Working,
}

impl Scope {
    /// All of them, with their titles in the help.
    pub(crate) const ALL: [(Self, &'static str); 11] = [
        (Self::Routes, "Routes"),
        (Self::Reasons, "Reasons"),
        (Self::Chart, "Chart"),
        (Self::Replay, "Replay of a recording"),
        (Self::Filter, "Filter"),
        (Self::Picker, "File picker"),
        (Self::Path, "Path of a new route"),
        (Self::Confirm, "Confirmation"),
        (Self::Exit, "Exit question"),
        (Self::Reading, "Popups"),
        (Self::Working, "While a file is read"),
    ];

    /// Whether characters are text here.
    pub(crate) fn takes_text(self) -> bool {
        matches!(self, Self::Filter | Self::Picker | Self::Path)
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
    AllReasons,
    ZoomIn,
    ZoomOut,
    Pause,
    Log,
    Play(Play),
    Save,
    Help,
    Quit,
    Suspend,
    Redraw,
    Cancel,
    Yes,
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

const PANELS: &[Scope] = &[Scope::Routes, Scope::Reasons, Scope::Chart];
const LISTS: &[Scope] = &[Scope::Routes, Scope::Reasons, Scope::Picker, Scope::Reading];
const CHOICES: &[Scope] = &[Scope::Confirm, Scope::Exit];

const UP: Key = Key::plain(KeyCode::Up);
const DOWN: Key = Key::plain(KeyCode::Down);
const LEFT: Key = Key::plain(KeyCode::Left);
const RIGHT: Key = Key::plain(KeyCode::Right);
const ENTER: Key = Key::plain(KeyCode::Enter);
const ESC: Key = Key::plain(KeyCode::Esc);
const TAB: Key = Key::plain(KeyCode::Tab);
const BACK_TAB: Key = Key::plain(KeyCode::BackTab);

/// The table. Where two lines share a key in a scope, the first wins; a test says there are none.
#[rustfmt::skip]
pub(crate) const BINDINGS: &[Binding] = &[
    // What the footer shows first comes first.
    bind(&[Key::char('a')], Action::Add, &[Scope::Routes], "add", "Publish a file behind a new path."),
    bind(&[Key::char('r')], Action::Replace, &[Scope::Routes], "replace", "Put another file behind the selected path."),
    bind(&[Key::char('d')], Action::Remove, &[Scope::Routes], "remove", "Serve nothing behind the selected path any more."),
    bind(&[ENTER], Action::Enter, &[Scope::Routes], "details", "Show everything about the selected route, or fold the folder."),
    bind(&[ENTER], Action::Enter, &[Scope::Reasons], "explain", "Say what the selected reason means."),
    bind(&[ENTER], Action::Enter, &[Scope::Picker], "open/choose", "Go into the folder, or choose the file."),
    bind(&[ENTER], Action::Enter, &[Scope::Path], "go on", "Read the file and show what will change."),
    bind(&[ENTER], Action::Enter, &[Scope::Filter], "keep filter", "Keep the filter and go back to the routes."),
    bind(&[Key::char('/')], Action::Filter, &[Scope::Routes], "filter", "Show only routes whose path contains what you type."),
    bind(&[Key::char('s')], Action::Sort, &[Scope::Routes], "sort", "Sort by the next column. The order then stays until asked for again."),
    bind(&[Key::char('S')], Action::SortAgain, &[Scope::Routes], "", "Sort by the same column again, with the values of now."),
    bind(&[Key::char('*')], Action::FoldAll, &[Scope::Routes], "", "Close all folders, or open them all."),
    bind(&[Key::char('t')], Action::AllReasons, &[Scope::Reasons], "all/counted", "Show every reason there is, or only those that were counted."),
    bind(&[Key::char('+'), Key::char('=')], Action::ZoomIn, &[Scope::Chart], "zoom in", "Show a shorter time in more detail."),
    bind(&[Key::char('-')], Action::ZoomOut, &[Scope::Chart], "zoom out", "Show a longer time."),
    bind(&[Key::char('y')], Action::Yes, &[Scope::Confirm], "yes, do it", "Make the change."),
    bind(&[Key::char('l')], Action::LeaveServing, &[Scope::Exit], "leave it serving", "Leave the console; the kernel goes on serving."),
    bind(&[Key::char('s')], Action::Stop, &[Scope::Exit], "stop the server", "Detach the server and leave."),
    bind(&[LEFT, BACK_TAB], Action::Left, CHOICES, "", "Go to the choice on the left."),
    bind(&[RIGHT, TAB], Action::Right, CHOICES, "choose", "Go to the choice on the right."),
    bind(&[ENTER], Action::Enter, CHOICES, "", "Take the choice, unless it removes or stops something: that takes its letter."),
    bind(&[ENTER, Key::char('q')], Action::Cancel, &[Scope::Reading], "", "Close it."),
    bind(&[Key::char('n'), Key::char('q'), ESC], Action::Cancel, CHOICES, "cancel", "Change nothing."),
    bind(&[ESC], Action::Cancel, &[Scope::Routes, Scope::Reasons, Scope::Chart], "", "Clear the filter, or the message."),
    bind(&[ESC], Action::Cancel, &[Scope::Filter], "clear", "Clear the filter."),
    bind(&[ESC], Action::Cancel, &[Scope::Picker, Scope::Path, Scope::Working], "cancel", "Change nothing."),
    bind(&[ESC], Action::Cancel, &[Scope::Reading], "close", "Close it."),
    bind(&[TAB], Action::NextPanel, PANELS, "panel", "Go to the next panel."),
    bind(&[BACK_TAB], Action::PreviousPanel, PANELS, "", "Go to the previous panel."),
    bind(&[Key::char('1')], Action::Show(Panel::Routes), PANELS, "", "Go to the routes."),
    bind(&[Key::char('2')], Action::Show(Panel::Reasons), PANELS, "", "Go to the reasons."),
    bind(&[Key::char('3')], Action::Show(Panel::Chart), PANELS, "", "Go to the chart."),
    bind(&[UP, Key::char('k')], Action::Up, &[Scope::Routes, Scope::Reasons, Scope::Reading], "", "Go up."),
    bind(&[DOWN, Key::char('j')], Action::Down, &[Scope::Routes, Scope::Reasons, Scope::Reading], "", "Go down."),
    bind(&[UP], Action::Up, &[Scope::Picker, Scope::Filter], "", "Go up."),
    bind(&[DOWN], Action::Down, &[Scope::Picker, Scope::Filter], "", "Go down."),
    bind(&[Key::plain(KeyCode::PageUp)], Action::PageUp, LISTS, "", "Go up a page."),
    bind(&[Key::plain(KeyCode::PageDown)], Action::PageDown, LISTS, "", "Go down a page."),
    bind(&[Key::plain(KeyCode::Home)], Action::First, LISTS, "", "Go to the first row."),
    bind(&[Key::plain(KeyCode::End)], Action::Last, LISTS, "", "Go to the last row."),
    bind(&[Key::char('g')], Action::First, &[Scope::Routes, Scope::Reasons, Scope::Reading], "", "Go to the first row."),
    bind(&[Key::char('G')], Action::Last, &[Scope::Routes, Scope::Reasons, Scope::Reading], "", "Go to the last row."),
    bind(&[LEFT, Key::char('h')], Action::Left, &[Scope::Routes], "", "Close the folder, or go to the one around it."),
    bind(&[RIGHT, Key::char('l')], Action::Right, &[Scope::Routes], "", "Open the folder."),
    bind(&[LEFT], Action::Left, &[Scope::Picker], "folder above", "Go to the folder around this one."),
    bind(&[RIGHT, TAB], Action::Right, &[Scope::Picker], "", "Go into the folder."),
    bind(&[LEFT], Action::Left, &[Scope::Path], "", "Go a character left."),
    bind(&[RIGHT], Action::Right, &[Scope::Path], "", "Go a character right."),
    bind(&[Key::plain(KeyCode::Home)], Action::First, &[Scope::Path], "", "Go to the first character."),
    bind(&[Key::plain(KeyCode::End)], Action::Last, &[Scope::Path], "", "Go behind the last character."),
    bind(&[Key::plain(KeyCode::Backspace), Key::ctrl('h')], Action::Erase, &[Scope::Filter, Scope::Picker, Scope::Path], "", "Erase a character; with none left in the picker, go to the folder around this one."),
    bind(&[Key::ctrl('u')], Action::EraseAll, &[Scope::Filter, Scope::Picker, Scope::Path], "", "Erase all that was typed."),
    bind(&[Key::char(' ')], Action::Pause, PANELS, "pause", "Freeze the values on the screen, or let them go on. Counting goes on anyway."),
    bind(&[Key::char(' ')], Action::Play(Play::Pause), &[Scope::Replay], "pause", "Stop time, or let it go on."),
    bind(&[Key::char(','), Key::char('<')], Action::Play(Play::Back), &[Scope::Replay], "-10 s", "Go back ten seconds."),
    bind(&[Key::char('.'), Key::char('>')], Action::Play(Play::Forward), &[Scope::Replay], "+10 s", "Go forward ten seconds."),
    bind(&[Key::char('b')], Action::Play(Play::Begin), &[Scope::Replay], "begin", "Go to the beginning."),
    bind(&[Key::char('e')], Action::Play(Play::End), &[Scope::Replay], "end", "Go to the end."),
    bind(&[Key::char('x')], Action::Play(Play::Speed), &[Scope::Replay], "speed", "Play 1, 2, 10 or 60 times as fast."),
    bind(&[Key::char('q')], Action::Quit, &[Scope::Replay], "quit", "Leave the recording."),
    bind(&[Key::char('W')], Action::Save, PANELS, "", "Save the last minutes, which are always recorded, to a file that `zeroserve-tui replay` opens."),
    bind(&[Key::char('L')], Action::Log, PANELS, "log", "Show what was done, with the commands that do the same."),
    bind(&[Key::char('?')], Action::Help, PANELS, "help", "Show this page."),
    bind(&[Key::char('q')], Action::Quit, PANELS, "quit", "Leave the console: asks what becomes of the server."),
    bind(&[Key::ctrl('c')], Action::Quit, &[Scope::Routes, Scope::Reasons, Scope::Chart, Scope::Filter, Scope::Picker, Scope::Path, Scope::Confirm, Scope::Reading, Scope::Working], "", "Leave the console, from anywhere."),
    bind(&[Key::ctrl('c')], Action::LeaveServing, &[Scope::Exit], "", "Leave the console; the kernel goes on serving."),
    bind(&[Key::ctrl('z')], Action::Suspend, &[Scope::Routes, Scope::Reasons, Scope::Chart, Scope::Filter, Scope::Picker, Scope::Path, Scope::Confirm, Scope::Exit, Scope::Reading, Scope::Working], "", "Put the console to sleep; fg wakes it."),
    bind(&[Key::ctrl('l')], Action::Redraw, &[Scope::Routes, Scope::Reasons, Scope::Chart, Scope::Filter, Scope::Picker, Scope::Path, Scope::Confirm, Scope::Exit, Scope::Reading, Scope::Working], "", "Draw everything again."),
];

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
