//! What is asked for and not served here.

use ratatui::text::{Line, Span};

use super::{detail::wrapped, popup::Page};
use crate::tui::{
    format,
    model::{MissRow, Model},
    theme,
};

/// Columns of the numbers before a path.
const NUMBERS_WIDTH: usize = 28;

/// The list, as high as there is room for.
pub(super) fn page(model: &Model, height: usize) -> Page {
    let width = model.size.0.saturating_sub(4).min(120);
    let text_width = usize::from(width).saturating_sub(4);
    let misses = &model.misses;
    let mut lines = match &misses.read {
        None => vec![Line::styled(" reading …", theme::FAINT)],
        Some(Err(why)) => styled(why, text_width, theme::BAD),
        Some(Ok(())) if misses.rows.is_empty() => {
            let text = "Nothing was asked for that is not served here.";
            styled(text, text_width, theme::FAINT)
        }
        Some(Ok(())) => {
            let heading = format!(" {:>8} {:>8} {:>8}  path", "req/s", "requests", "others");
            let mut lines = vec![Line::styled(heading, theme::FAINT)];
            // A heading, a frame, and two lines below.
            let rows = height.saturating_sub(6).max(1);
            let selected = misses.selected();
            let first = (selected + 1).saturating_sub(rows);
            let seen = misses.rows.iter().enumerate().skip(first).take(rows);
            lines.extend(seen.map(|(row, miss)| {
                let line = line(model, miss, text_width);
                if row == selected { line.style(theme::SELECTED) } else { line }
            }));
            lines
        }
    };
    lines.push(Line::default());
    let text = "First misses of connections; others have a query or credentials.";
    lines.extend(styled(text, text_width, theme::FAINT));
    Page { title: "Misses: asked for, and not served here".into(), lines, width, scroll: 0 }
}

fn styled(text: &str, width: usize, style: ratatui::style::Style) -> Vec<Line<'static>> {
    wrapped(text, width).into_iter().map(|line| line.style(style)).collect()
}

fn line(model: &Model, row: &MissRow, width: usize) -> Line<'static> {
    let path = row.miss.path.as_str();
    let found = match model.misses.found.get(&row.miss.path) {
        None => None,
        Some(Ok(summary)) => Some((format!("✓ {summary}"), theme::GOOD)),
        Some(Err(why)) => {
            // The path is on this line already.
            let why = why.strip_prefix(path).unwrap_or(why);
            let why = why.trim_start_matches(" cannot be promoted: ");
            let why = why.trim_start_matches("the server says ");
            Some((format!("✗ {why}"), theme::BAD))
        }
    };
    let room = width.saturating_sub(NUMBERS_WIDTH);
    let path_room = if found.is_some() { room * 2 / 5 } else { room };
    let mut spans = vec![Span::raw(format!(
        " {:>8} {:>8} {:>8}  {}",
        format::rate(row.per_s),
        format::count(row.miss.requests),
        format::count(row.miss.particular),
        format::padded(&format::shortened(path, path_room), path_room),
    ))];
    if let Some((text, style)) = found {
        spans.push(Span::styled(format!(" {}", format::cut(&text, room - path_room)), style));
    }
    Line::from(spans)
}
