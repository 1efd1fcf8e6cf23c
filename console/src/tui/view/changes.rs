//! What changes would do: one that is asked about, and lists of them.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::{
    detail::{line, wrapped},
    questions::{TEXT_WIDTH, ask, choices},
};
use crate::promote::shown;
use crate::tui::{
    commit::head,
    format,
    message::{Kind, Planned},
    model::{Confirm, Listed, Model},
    theme,
};

/// What a change would do, and what can be done about it.
pub(super) fn confirm(confirm: &Confirm, frame: &mut Frame<'_>, ground: Rect) {
    let planned = &confirm.planned;
    let copy = planned.rendered().and_then(|rendered| rendered.copy);
    let was_copy = planned.old.as_ref().is_some_and(|old| old.copy.is_some());
    let (title, yes) = match planned.kind() {
        Kind::Add if copy.is_some() => ("Promote this?", "y  promote"),
        Kind::Remove if was_copy => ("Give this back to the server behind?", "y  demote"),
        Kind::Add => ("Publish this?", "y  publish"),
        Kind::Replace => ("Replace this?", "y  replace"),
        Kind::Remove => ("Remove this?", "y  remove"),
    };
    let path = format::shortened(planned.path().as_str(), TEXT_WIDTH - 10);
    let mut lines = vec![line("path", path)];
    lines.extend(comparison(planned));
    if let Some(copy) = copy {
        let text = format!("{}; asked again before while a console runs", shown(copy.lifetime));
        lines.push(line("lifetime", text));
    }
    let mut below = vec![Line::default()];
    if planned.kind() == Kind::Remove {
        let text = if was_copy {
            "From then on the server behind answers this path again."
        } else {
            "From then on this path is answered with 404. Transfers in flight end as they began."
        };
        below.extend(wrapped(text, TEXT_WIDTH));
    }
    let command: Vec<_> = wrapped(&format!("$ {}", planned.command), TEXT_WIDTH);
    below.extend(command.into_iter().map(|line| line.style(theme::FAINT)));
    below.push(Line::default());
    let yes_style = if planned.kind() == Kind::Remove { theme::BAD } else { theme::GOOD };
    let options = [
        ("Cancel", theme::PLAIN),
        (yes, yes_style),
        ("t  on trial", yes_style),
        ("s  stage", theme::PLAIN),
    ];
    below.push(choices(&options, confirm.choice));
    let room = usize::from(ground.height).saturating_sub(2 + lines.len() + below.len());
    lines.extend(headers(planned, room));
    lines.extend(below);
    ask(title, lines, frame, ground);
}

/// Several changes, and what the selected one would do.
pub(super) fn list(
    model: &Model,
    listed: Listed,
    selected: usize,
    frame: &mut Frame<'_>,
    ground: Rect,
) {
    let (title, changes, last) = match listed {
        Listed::Staged => (
            "Staged changes: made together, all or none",
            &model.changes.staged[..],
            "y  make them   t  on trial   x  unstage   Esc  cancel",
        ),
        Listed::Undo => (
            "Take the last change back?",
            model.changes.last_undo(),
            "y  take it back   Esc  cancel",
        ),
    };
    let selected = selected.min(changes.len().saturating_sub(1));
    let mut below = Vec::new();
    if let Some(planned) = changes.get(selected) {
        // What is served now may have changed since it was planned.
        let mut planned = planned.clone();
        planned.old = model.route_at(planned.path().as_str()).cloned();
        below.push(Line::styled("─".repeat(TEXT_WIDTH + 2), theme::FAINT));
        below.extend(comparison(&planned));
        below.extend(headers(&planned, usize::from(ground.height).saturating_sub(14)));
    }
    below.push(Line::styled(format!(" {last}"), theme::STRONG));
    let rows = usize::from(ground.height).saturating_sub(2 + below.len()).clamp(1, 8);
    let first = (selected + 1).saturating_sub(rows);
    let mut lines: Vec<_> = changes
        .iter()
        .enumerate()
        .skip(first)
        .take(rows)
        .map(|(row, planned)| {
            let (sign, verb, style) = match planned.kind() {
                Kind::Add => ("+", "add", theme::GOOD),
                Kind::Replace => ("≠", "replace", theme::WARNING),
                Kind::Remove => ("✗", "remove", theme::BAD),
            };
            let path = format::shortened(planned.path().as_str(), TEXT_WIDTH - 14);
            let line = Line::from(vec![
                Span::styled(format!(" {sign} {verb:<8} "), style),
                Span::raw(format::padded(&path, TEXT_WIDTH - 12)),
            ]);
            if row == selected { line.style(theme::SELECTED) } else { line }
        })
        .collect();
    lines.extend(below);
    ask(title, lines, frame, ground);
}

/// Headers that differ, as many as fit; of something new, all of them.
fn headers(planned: &Planned, room: usize) -> Vec<Line<'static>> {
    let new = planned.rendered().map(|rendered| head(&rendered.bytes)).unwrap_or_default();
    let old = match (&planned.old_head, planned.kind()) {
        (_, Kind::Remove) => return Vec::new(),
        (_, Kind::Add) => Vec::new(),
        (None, _) => return vec![Line::styled(" reading the headers …", theme::FAINT)],
        (Some(Err(why)), _) => {
            let text = format::cut(&format!("headers: {why}"), TEXT_WIDTH);
            return vec![Line::styled(format!(" {text}"), theme::FAINT)];
        }
        (Some(Ok(lines)), _) => lines.clone(),
    };
    let gone = old.iter().filter(|line| !new.contains(line)).map(|line| ("−", line, theme::FAINT));
    let come = new.iter().filter(|line| !old.contains(line)).map(|line| ("+", line, theme::PLAIN));
    let mut all: Vec<_> = gone.chain(come).collect();
    // What became of a header stands below what it was; the status line has no name and is first, and
    // where clients are sent comes next.
    all.sort_by_key(|(_, line, _)| {
        let name = line.split_once(": ").map(|(name, _)| name);
        (name.is_some_and(|name| name != "Location"), name)
    });
    let same = new.iter().filter(|line| old.contains(line)).count();
    let mut lines: Vec<_> = all
        .iter()
        .map(|(sign, line, style)| {
            Line::styled(format!(" {sign} {}", format::cut(line, TEXT_WIDTH - 4)), *style)
        })
        .collect();
    if lines.is_empty() {
        lines.push(Line::styled(format!(" all {same} lines of the head stay"), theme::FAINT));
    }
    if lines.len() > room {
        let more = lines.len() - room.saturating_sub(1);
        lines.truncate(room.saturating_sub(1));
        lines.push(Line::styled(format!("   … and {more} more lines of the head"), theme::FAINT));
        lines.truncate(room);
    }
    lines
}

/// Old against new, where there are both.
fn comparison(planned: &Planned) -> Vec<Line<'static>> {
    let source = |source: Option<&std::path::Path>| {
        source.map_or("no file".into(), |source| source.display().to_string())
    };
    let old = planned.old.as_ref().map(|old| {
        [
            format!("{} bytes", format::exact(old.body_bytes.into())),
            old.content_type.clone(),
            format::hex(&old.body_sha256, 8),
            source(old.source.as_deref()),
            old.modified.map_or_else(|| format::NONE.into(), format::date),
        ]
    });
    let new = planned.rendered().map(|new| {
        [
            format!("{} bytes", format::exact(new.body_bytes().into())),
            new.content_type.clone(),
            format::hex(&new.body_sha256, 8),
            if new.copy.is_some() {
                "the server behind".into()
            } else {
                source(new.source.as_deref())
            },
            new.modified.map_or_else(|| format::NONE.into(), format::date),
        ]
    });
    let width = (TEXT_WIDTH - 12) / 2 - 1;
    let names = ["size", "type", "SHA-256", "source", "modified"];
    let cell = |text: &str| format::padded(text, width);
    let heads = (
        if old.is_some() { "now" } else { "now nothing" },
        if new.is_some() { "then" } else { "then nothing" },
    );
    let mut lines =
        vec![Line::styled(format!(" {:<12}{} {}", "", cell(heads.0), cell(heads.1)), theme::FAINT)];
    for (row, name) in names.into_iter().enumerate() {
        let (before, after) =
            (old.as_ref().map(|old| &old[row]), new.as_ref().map(|new| &new[row]));
        let differs = before.is_some() && after.is_some() && before != after;
        let text = |value: Option<&String>| cell(value.map_or("", String::as_str));
        lines.push(Line::from(vec![
            Span::styled(format!(" {name:<10}"), theme::FAINT),
            Span::styled(if differs { "≠ " } else { "  " }, theme::WARNING),
            Span::raw(format!("{} ", text(before))),
            Span::styled(text(after), if differs { theme::STRONG } else { theme::PLAIN }),
        ]));
    }
    lines
}
