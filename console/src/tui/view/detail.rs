//! What a reason or something odd means, and what details of anything are made of.

use ratatui::{
    style::Style,
    text::{Line, Span},
};
use unicode_truncate::UnicodeTruncateStr as _;
use unicode_width::UnicodeWidthStr as _;

use super::popup::Page;
use crate::tui::{
    advice::{self, Advice},
    format,
    model::{Cause, Lint, Model},
    theme,
    tree::fixed_label,
};

/// Columns of the names beside the values.
const NAME_WIDTH: usize = 15;

/// A line of a detail: name and value.
pub(super) fn line(name: &str, value: impl Into<String>) -> Line<'static> {
    styled(name, value, theme::PLAIN)
}

pub(super) fn styled(name: &str, value: impl Into<String>, style: Style) -> Line<'static> {
    Line::from(vec![
        Span::styled(format!(" {name:<NAME_WIDTH$}"), theme::FAINT),
        Span::styled(value.into(), style),
    ])
}

/// A line of a detail whose value may need several.
pub(super) fn long(name: &str, value: &str) -> Vec<Line<'static>> {
    let pieces = wrapped(value, 56).into_iter().enumerate();
    pieces
        .map(|(row, text)| {
            let text = text.spans.into_iter().map(|span| span.content).collect::<String>();
            line(if row == 0 { name } else { "" }, text.trim_start().to_owned())
        })
        .collect()
}

/// What a reason means, what usually causes it, and what to do.
pub(super) fn cause(model: &Model, cause: Cause, scroll: usize) -> Page {
    let (sign, severity, style) = theme::severity(cause.severity());
    let (count, per_s) = cause.counted(&model.shown);
    let what = match cause {
        Cause::Reason(_) => "verdict",
        Cause::Egress(_) => "counted by",
        Cause::Refusal(_) => "answer",
    };
    let by = match cause {
        Cause::Reason(reason) => {
            format!("{} (XDP_{})", cause.verdict(), reason.verdict().name().to_uppercase())
        }
        Cause::Egress(_) => "the egress program, once per clone".into(),
        Cause::Refusal(refusal) => fixed_label(refusal.route()),
    };
    let mut lines = advice_lines(&cause.advice());
    lines.extend([
        styled("severity", format!("{sign} {severity}"), style),
        line(what, by),
        styled("counted", format::exact(count), theme::STRONG),
        line("rate", format::rate(per_s)),
        styled("last 30 s", format::spark(&cause.spark(&model.shown)), theme::REQUESTS),
    ]);
    lines.push(Line::default());
    let width = model.size.0.saturating_sub(4).clamp(76, 110);
    lines.extend(seen(model, cause, width.into()));
    Page { title: cause.name().into(), lines, width, scroll }
}

/// The last packets that left for a reason, or the last requests that were refused for it.
fn seen(model: &Model, cause: Cause, width: usize) -> Vec<Line<'static>> {
    let room = width.saturating_sub(18);
    let (what, rows): (_, Vec<_>) = match cause {
        Cause::Reason(reason) => {
            let packets = model.sights.packets(reason);
            ("packets", packets.map(|packet| (packet.time, packet.to_string())).collect())
        }
        Cause::Refusal(refusal) => {
            let requests = model.sights.requests.refused(refusal);
            ("requests", requests.map(|request| (request.time, request.to_string())).collect())
        }
        // Clones are made of packets that did not leave.
        Cause::Egress(_) => return Vec::new(),
    };
    let heading = match (&model.replay, rows.is_empty()) {
        (Some(_), _) => format!(" Single {what} are not recorded."),
        (None, true) => format!(" Looking for {what} … none seen yet; they come from now on."),
        (None, false) => format!(" The last {what} that were seen, newest first (times are UTC)"),
    };
    let mut lines = vec![Line::styled(heading, theme::FAINT)];
    for (time, text) in rows {
        let mut head = format::time_of_day_ms(time);
        for text in wrapped(&text, room) {
            let text = text.spans.into_iter().map(|span| span.content).collect::<String>();
            lines.push(Line::from(vec![
                Span::styled(format!(" {head:<13}"), theme::FAINT),
                Span::raw(text),
            ]));
            head.clear();
        }
    }
    lines
}

/// What something odd means, what usually causes it, and what to do.
pub(super) fn lint(model: &Model, lint: &Lint, scroll: usize) -> Page {
    let (sign, severity, style) = theme::severity(lint.severity());
    let mut lines = advice_lines(&advice::lint(lint, &model.identity));
    lines.push(styled("severity", format!("{sign} {severity}"), style));
    Page { title: lint.name().into(), lines, width: 76, scroll }
}

fn advice_lines(advice: &Advice) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for (name, text) in [
        ("what it means", &advice.meaning),
        ("usual cause", &advice.cause),
        ("what to do", &advice.mend),
    ] {
        lines.extend(long(name, text));
        lines.push(Line::default());
    }
    lines
}

/// A word that is too long for a line, such as a path, in pieces that are not.
pub(super) fn pieces(word: &str, width: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = word;
    while !rest.is_empty() {
        let (piece, _) = rest.unicode_truncate(width);
        // Of a line that is too narrow for one character the rest is as good as any other part.
        let piece = if piece.is_empty() { rest } else { piece };
        pieces.push(piece);
        rest = &rest[piece.len()..];
    }
    pieces
}

/// Breaks text into lines of so many columns at most, with a margin.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<Line<'static>> {
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split_whitespace().flat_map(|word| pieces(word, width)) {
        let last = lines.last_mut().expect("there is always a last line");
        if !last.is_empty() && last.width() + 1 + word.width() > width {
            lines.push(word.into());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines.into_iter().map(|line| Line::raw(format!(" {line}"))).collect()
}
