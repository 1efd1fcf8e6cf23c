//! The log: what was done from this console, and what is known of others and of the past.

use std::time::SystemTime;

use ratatui::text::{Line, Span};

use super::{detail, footer, popup::Page};
use crate::{
    record::history::Entry,
    tui::{
        format,
        model::{Level, Model},
        theme,
    },
};

/// Everything that is known, newest first.
pub(super) fn page(model: &Model, scroll: usize) -> Page {
    let width = model.size.0.saturating_sub(4).min(120);
    let room = usize::from(width).saturating_sub(16);
    let own = model.log.iter().map(|note| {
        let by = match (&note.before, &note.command) {
            // What is played names who did it; whoever watches it did not.
            (before, _) if model.replay.is_some() => before.clone(),
            (Some(before), _) => Some(format!("{before}; by {}", model.user)),
            (None, Some(_)) => Some(format!("by {}", model.user)),
            (None, None) => None,
        };
        Logged { at: note.at, level: note.level, text: &note.text, by, command: &note.command }
    });
    let others = model.history.iter().map(|Entry { action, .. }| {
        let user = action.user.as_deref().unwrap_or("somebody");
        let by = match &action.before {
            Some(before) => format!("{before}; by {user}"),
            None => format!("by {user}"),
        };
        let level = if action.done { Level::Done } else { Level::Failed };
        let (text, command) = (&action.text, &action.command);
        Logged { at: action.at, level, text, by: Some(by), command }
    });
    let mut all: Vec<_> = others.chain(own).collect();
    all.sort_by_key(|logged| logged.at);
    let mut day = format::day(model.now);
    let mut lines = Vec::new();
    for logged in all.iter().rev() {
        let on = format::day(logged.at);
        if on != day {
            lines.push(Line::styled(format!(" {on}"), theme::STRONG));
            day = on;
        }
        lines.extend(logged.lines(room));
    }
    if lines.is_empty() {
        lines.push(Line::styled(" Nothing has been done yet that is known of.", theme::FAINT));
    }
    Page { title: "Log (times are UTC)".into(), lines, width, scroll }
}

/// Something in the log.
struct Logged<'a> {
    at: SystemTime,
    level: Level,
    text: &'a str,
    /// Who did it, and what was there before.
    by: Option<String>,
    command: &'a Option<String>,
}

impl Logged<'_> {
    fn lines(&self, room: usize) -> Vec<Line<'static>> {
        let (sign, style) = footer::sign(self.level);
        let mut head = format!(" {} {sign}", format::time_of_day(self.at));
        let command = self.command.as_ref().map(|command| format!("$ {command}"));
        let texts = [(Some(self.text), style), (self.by.as_deref(), theme::PLAIN)];
        let texts = texts.into_iter().chain([(command.as_deref(), theme::FAINT)]);
        let texts = texts.filter_map(|(text, style)| Some((text?, style)));
        texts
            .flat_map(|(text, style)| {
                detail::wrapped(text, room).into_iter().map(move |line| line.style(style))
            })
            .map(|line| hanging(&mut head, line))
            .collect()
    }
}

/// A line behind a head, which is used up by it: further lines hang below the first.
fn hanging(head: &mut String, mut line: Line<'static>) -> Line<'static> {
    line.spans.insert(0, Span::styled(format!("{head:<11}"), theme::FAINT));
    head.clear();
    line
}
