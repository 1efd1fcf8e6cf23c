//! The commands of the palette: what keys do, by name, and what takes a word more.
//!
//! What a command does and what it is good for comes from the table of keys wherever a key does
//! the same.

use super::{
    keys::{Action, BINDINGS, Binding},
    model::{AnswerKind, Model, Panel},
    theme::Theme,
    tree::Sort,
};
use crate::server::RouteName;

/// Completions offered at most.
const OFFERED: usize = 8;

/// A command that can be typed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Command {
    pub(crate) name: &'static str,
    pub(crate) run: Run,
}

/// What a command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    /// What a key does, on that panel if it belongs to one.
    Key(Option<Panel>, Action),
    /// Filters the routes by a text.
    Filter,
    /// Sorts the routes by a column.
    Sort,
    /// Selects the route at a path.
    Goto,
    /// Publishes an answer that is written down there and then.
    Answer(AnswerKind),
    /// Draws in other colours.
    Theme,
}

const fn key(name: &'static str, action: Action) -> Command {
    Command { name, run: Run::Key(None, action) }
}

const fn on(name: &'static str, panel: Panel, action: Action) -> Command {
    Command { name, run: Run::Key(Some(panel), action) }
}

/// All commands, by name.
pub(crate) const COMMANDS: &[Command] = &[
    on("add", Panel::Routes, Action::Add),
    on("all-reasons", Panel::Reasons, Action::AllReasons),
    key("cpus", Action::Show(Panel::Cpus)),
    Command { name: "filter", run: Run::Filter },
    key("flows", Action::Show(Panel::Flows)),
    on("fold", Panel::Routes, Action::FoldAll),
    key("freeze", Action::Freeze),
    Command { name: "goto", run: Run::Goto },
    key("help", Action::Help),
    key("issues", Action::Issues),
    key("keep", Action::Keep),
    key("log", Action::Log),
    key("measure", Action::Measure),
    key("mouse", Action::Mouse),
    key("pause", Action::Pause),
    on("promote", Panel::Routes, Action::Misses),
    key("quit", Action::Quit),
    key("rates", Action::Show(Panel::Rates)),
    key("reasons", Action::Show(Panel::Reasons)),
    Command { name: "redirect", run: Run::Answer(AnswerKind::Redirect) },
    key("redraw", Action::Redraw),
    on("remove", Panel::Routes, Action::Remove),
    on("replace", Panel::Routes, Action::Replace),
    key("requests", Action::Show(Panel::Requests)),
    Command { name: "respond", run: Run::Answer(AnswerKind::Reply) },
    key("routes", Action::Show(Panel::Routes)),
    key("save", Action::Save),
    Command { name: "sort", run: Run::Sort },
    key("staged", Action::Staged),
    Command { name: "theme", run: Run::Theme },
    key("undo", Action::Undo),
    on("whose-drop", Panel::Reasons, Action::Outside),
    on("zoom-in", Panel::Rates, Action::ZoomIn),
    on("zoom-out", Panel::Rates, Action::ZoomOut),
];

impl Command {
    /// What it is good for.
    pub(crate) fn help(self) -> &'static str {
        match self.run {
            Run::Key(..) | Run::Answer(_) => self.binding().map_or("", |binding| binding.help),
            Run::Filter => "Show only routes whose path contains a text; without one show all.",
            Run::Sort => "Sort the routes by a column.",
            Run::Goto => "Select the route at a path.",
            Run::Theme => "Draw in the colours of a theme.",
        }
    }

    /// The key that does the same, if one does.
    pub(crate) fn key(self) -> Option<String> {
        Some(self.binding()?.keys.first()?.name())
    }

    /// The line of the table of keys that does the same.
    fn binding(self) -> Option<&'static Binding> {
        let wanted = match self.run {
            Run::Key(_, action) => action,
            Run::Answer(AnswerKind::Redirect) => Action::Redirect,
            Run::Answer(AnswerKind::Reply) => Action::Respond,
            _ => return None,
        };
        BINDINGS.iter().find(|binding| binding.action == wanted)
    }

    /// What can stand behind it, of that what begins as it was typed.
    fn arguments(self, model: &Model, typed: &str) -> Vec<String> {
        let fits = |word: &&str| word.starts_with(typed);
        let words = |all: &[&str]| {
            all.iter().filter(|word| fits(word)).map(|word| (*word).into()).collect()
        };
        match self.run {
            Run::Key(..) | Run::Filter | Run::Answer(_) => Vec::new(),
            Run::Sort => words(&Sort::ALL.map(Sort::column)),
            Run::Theme => words(&Theme::ALL.map(Theme::name)),
            Run::Goto => {
                let paths = model.routes.infos.iter().filter_map(|info| match &info.name {
                    RouteName::Path(path) => Some(path.as_str()),
                    RouteName::Fixed(_) => None,
                });
                paths.filter(|path| path.contains(typed)).take(OFFERED).map(Into::into).collect()
            }
        }
    }
}

/// What was typed, as a command and the rest of the line.
///
/// # Errors
///
/// Says what is wrong with it.
pub(crate) fn parse(line: &str) -> Result<(Command, &str), String> {
    let (name, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    let rest = rest.trim();
    let exact = COMMANDS.iter().find(|command| command.name == name);
    let mut beginning = COMMANDS.iter().filter(|command| command.name.starts_with(name));
    let command = match (exact, beginning.next(), beginning.next()) {
        (Some(command), _, _) | (None, Some(command), None) => *command,
        (None, None, _) => return Err(format!("there is no command {name}; Tab completes one")),
        (None, Some(a), Some(b)) => {
            return Err(format!("{name} could be {} or {}; Tab completes one", a.name, b.name));
        }
    };
    match command.run {
        Run::Key(..) if !rest.is_empty() => {
            Err(format!("{} takes nothing behind it; did you mean filter {rest}?", command.name))
        }
        Run::Sort | Run::Goto | Run::Theme if rest.is_empty() => {
            Err(format!("{} takes a word behind it; Tab completes one", command.name))
        }
        _ => Ok((command, rest)),
    }
}

/// A line that could be meant, and what to say beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Completion {
    pub(crate) line: String,
    pub(crate) help: &'static str,
    pub(crate) key: Option<String>,
}

/// Lines that begin as what was typed.
pub(crate) fn completions(model: &Model, typed: &str) -> Vec<Completion> {
    let typed = typed.trim_start();
    let named = typed.split_once(' ').and_then(|(name, rest)| {
        Some((COMMANDS.iter().find(|command| command.name == name)?, rest.trim_start()))
    });
    let Some((command, rest)) = named else {
        let fitting = COMMANDS.iter().filter(|command| command.name.starts_with(typed));
        let completion = |command: &Command| Completion {
            line: command.name.into(),
            help: command.help(),
            key: command.key(),
        };
        return fitting.map(completion).collect();
    };
    let complete = |argument: String| Completion {
        line: format!("{} {argument}", command.name),
        help: command.help(),
        key: None,
    };
    command.arguments(model, rest).into_iter().map(complete).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_sorted_by_name_and_say_what_they_are_good_for() {
        assert!(COMMANDS.is_sorted_by_key(|command| command.name));
        for command in COMMANDS {
            assert!(command.help().ends_with('.'), "{}", command.name);
            let by_key = matches!(command.run, Run::Key(..) | Run::Answer(_));
            assert_eq!(command.key().is_some(), by_key, "{}", command.name);
        }
    }

    #[test]
    fn a_beginning_suffices_where_it_is_the_only_one() {
        assert_eq!(parse("wh").map(|(command, _)| command.name), Ok("whose-drop"));
        assert_eq!(
            parse("filter  a b ").map(|(command, rest)| (command.name, rest)),
            Ok(("filter", "a b"))
        );
        assert!(parse("re").unwrap_err().contains("reasons or redirect"));
        assert!(parse("x").unwrap_err().contains("no command x"));
        assert!(parse("log all").unwrap_err().contains("nothing behind it"));
        assert!(parse("theme").unwrap_err().contains("a word behind it"));
    }
}
