//! The bottom of the screen: what happened last, and which keys there are.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};
use unicode_truncate::UnicodeTruncateStr as _;
use unicode_width::UnicodeWidthStr as _;

use super::areas::Areas;
use crate::tui::{
    Leaving, format,
    keys::{self, Scope},
    model::{Level, Model, Note, Trial},
    theme,
};

pub(super) fn draw(model: &Model, areas: &Areas, frame: &mut Frame<'_>) {
    if let Some(trial) = &model.changes.trial {
        on_trial(trial, model, frame, areas.message);
    } else if let Some(note) = &model.note {
        message(note, frame, areas.message);
    } else if model.leaving == Leaving::StopsServing {
        let text = " leaving stops the server and removes everything that was made for it";
        frame.render_widget(Line::styled(text, theme::FAINT), areas.message);
    }
    hints(model, frame, areas.footer);
}

/// What is on trial, and how long it still is.
fn on_trial(trial: &Trial, model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let keys = "   K keeps it, u takes it back";
    let left = format!(" ◆ taken back in {} s: ", trial.left_s(model.now));
    let room = usize::from(area.width).saturating_sub(left.width() + keys.width());
    let line = Line::from(vec![
        Span::styled(left, theme::WARNING),
        Span::raw(format::cut(&trial.what, room)),
        Span::styled(keys, theme::KEY),
    ]);
    frame.render_widget(line, area);
}

/// A note, and, if there is room, the command that does the same.
fn message(note: &Note, frame: &mut Frame<'_>, area: Rect) {
    let (sign, style) = sign(note.level);
    let width = usize::from(area.width).saturating_sub(4);
    let used = note.text.width();
    let text = if used <= width {
        note.text.clone()
    } else {
        // What follows is in the log.
        let (beginning, _) = note.text.unicode_truncate(width.saturating_sub(11));
        format!("{beginning} … (L: all)")
    };
    let mut spans = vec![Span::styled(format!(" {sign} "), style), Span::styled(text, style)];
    if let Some(command) = &note.command
        && used + command.width() + 6 <= width
    {
        spans.push(Span::styled(format!("   $ {command}"), theme::FAINT));
    }
    frame.render_widget(Line::from(spans), area);
}

/// How a level looks.
pub(super) fn sign(level: Level) -> (&'static str, ratatui::style::Style) {
    match level {
        Level::Info => ("·", theme::PLAIN),
        Level::Done => ("✓", theme::GOOD),
        Level::Failed => ("✗", theme::BAD),
    }
}

/// The keys of the place, before them those of the recording that plays. A key that means something
/// else then is named once.
fn hinted(model: &Model) -> impl Iterator<Item = (String, &'static str)> {
    let scope = model.scope();
    let replaying = model.leaving == Leaving::Replay && scope.is_panel();
    let first: Vec<_> = if replaying { keys::hints(Scope::Replay).collect() } else { Vec::new() };
    let taken: Vec<String> = first.iter().map(|(key, _)| key.clone()).collect();
    let read_only = replaying || model.pen.is_some() && scope.is_panel();
    let changes = ["add", "replace", "remove", "undo"];
    let others = keys::hints(scope)
        .filter(move |(key, hint)| !(taken.contains(key) || read_only && changes.contains(hint)));
    first.into_iter().chain(others)
}

/// As many keys as fit; help and the way out always do.
fn hints(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let width = |(key, hint): &(String, &str)| key.chars().count() + hint.chars().count() + 3;
    let (always, others): (Vec<_>, Vec<_>) =
        hinted(model).partition(|(_, hint)| ["help", "quit", "cancel", "close"].contains(hint));
    let mut room =
        usize::from(area.width).saturating_sub(1 + always.iter().map(width).sum::<usize>());
    let mut shown = Vec::new();
    for hint in others {
        let Some(rest) = room.checked_sub(width(&hint)) else { break };
        room = rest;
        shown.push(hint);
    }
    let mut spans = vec![Span::raw(" ")];
    for (key, hint) in shown.into_iter().chain(always) {
        spans.push(Span::styled(key, theme::KEY));
        spans.push(Span::raw(format!(" {hint}  ")));
    }
    frame.render_widget(Line::from(spans), area);
}
