//! Popups that ask: which file, which path, whether to do it, and what becomes of the server.

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
    widgets::Paragraph,
};
use unicode_truncate::UnicodeTruncateStr as _;
use unicode_width::UnicodeWidthStr as _;

use super::{areas::PICKER_ROWS, centred, detail::wrapped, popup::open, popup_frame};
use crate::tui::{
    commands::completions,
    field::Field,
    format,
    message::Entry,
    model::{AnswerForm, AnswerKind, Model, Palette, PathForm, Picker, Purpose, Working},
    theme,
};

const WIDTH: u16 = 76;
/// Columns inside the frame and its margins.
pub(super) const TEXT_WIDTH: usize = WIDTH as usize - 4;

/// Draws a popup of fixed width, as high as its lines. Where there is not enough room for them,
/// the last one is seen all the same: it says what can be done.
pub(super) fn ask(title: &str, lines: Vec<Line<'_>>, frame: &mut Frame<'_>, ground: Rect) {
    let height = lines.len() as u16 + 2;
    let area = centred(ground, WIDTH, height);
    let last = lines.last().cloned().unwrap_or_default();
    open(frame, area, Paragraph::new(lines).block(popup_frame(title)));
    if area.height > 2 {
        let row = Rect { x: area.x + 1, y: area.bottom() - 2, width: area.width - 2, height: 1 };
        open(frame, row, Paragraph::new(last));
    }
}

/// A line to type in, with its cursor. Of a text that is too long the end is shown.
fn typing(label: &str, field: &Field) -> Line<'static> {
    let room = TEXT_WIDTH - label.len() - 2;
    let (before, rest) = field.text().split_at(field.cursor_byte());
    let mut rest = rest.chars();
    let under = rest.next().unwrap_or(' ').to_string();
    let (before, taken) = before.unicode_truncate_start(room - under.width());
    let (after, _) = rest.as_str().unicode_truncate(room - under.width() - taken);
    Line::from(vec![
        Span::styled(format!(" {label} "), theme::FAINT),
        Span::styled(before.to_owned(), theme::STRONG),
        Span::styled(under, theme::SELECTED),
        Span::styled(after.to_owned(), theme::STRONG),
    ])
}

/// The file picker. Only the rows on the screen are touched.
pub(super) fn picker(picker: &Picker, frame: &mut Frame<'_>, ground: Rect) {
    let title = match &picker.purpose {
        Purpose::Add { .. } => "Publish a file".to_owned(),
        Purpose::Replace { path } => format!("Replace {path} by"),
    };
    let folder = format::shortened(&picker.folder.display().to_string(), TEXT_WIDTH - 8);
    let mut lines = vec![
        Line::from(vec![Span::styled(" in   ", theme::FAINT), Span::raw(folder)]),
        typing("name", &picker.field),
        Line::styled("─".repeat(usize::from(WIDTH) - 2), theme::FAINT),
    ];
    // On a low screen there is room for fewer.
    let rows = PICKER_ROWS.min(usize::from(ground.height).saturating_sub(6)).max(1);
    let first = (picker.selected + 1).saturating_sub(rows);
    match &picker.entries {
        None => lines.push(Line::styled(" reading …", theme::FAINT)),
        Some(Err(why)) => lines.extend(wrapped(why, TEXT_WIDTH)),
        Some(Ok(_)) if picker.rows.is_empty() => {
            lines.push(Line::styled(" nothing here has such a name", theme::FAINT));
        }
        Some(Ok(_)) => {
            let seen = first..picker.rows.len().min(first + rows);
            lines.extend(seen.filter_map(|row| {
                let line = entry(picker.entry(row)?);
                Some(if row == picker.selected { line.style(theme::SELECTED) } else { line })
            }));
        }
    }
    lines.resize(rows + 3, Line::default());
    let count = format!(
        " {} of {}",
        picker.selected + usize::from(!picker.rows.is_empty()),
        picker.rows.len()
    );
    lines.push(Line::styled(count, theme::FAINT));
    ask(&title, lines, frame, ground);
}

fn entry(entry: &Entry) -> Line<'static> {
    let name = if entry.is_folder { format!("{}/", entry.name) } else { entry.name.clone() };
    let name = format::padded(&name, TEXT_WIDTH - 35);
    let size = if entry.is_folder { String::new() } else { format::bytes(entry.bytes) };
    let modified = entry.modified.map(format::date).unwrap_or_default();
    let style = if entry.is_folder { theme::STRONG } else { theme::PLAIN };
    Line::from(vec![
        Span::styled(format!(" {name}"), style),
        Span::raw(format!("{size:>9}")),
        Span::styled(format!("  {modified:<24}"), theme::FAINT),
    ])
}

/// Under which path a file shall be published.
pub(super) fn path(form: &PathForm, frame: &mut Frame<'_>, ground: Rect) {
    let source = format::shortened(&form.source.display().to_string(), TEXT_WIDTH - 6);
    let mut lines = vec![
        Line::from(vec![Span::styled(" file ", theme::FAINT), Span::raw(source)]),
        typing("path", &form.field),
        Line::default(),
    ];
    match &form.error {
        Some(error) => {
            lines.extend(wrapped(error, TEXT_WIDTH).into_iter().map(|line| line.style(theme::BAD)))
        }
        None => lines.push(Line::styled(
            " Nothing goes live before you have seen what changes.",
            theme::FAINT,
        )),
    }
    ask("Publish under which path?", lines, frame, ground);
}

/// What is answered, and where.
pub(super) fn answer(form: &AnswerForm, frame: &mut Frame<'_>, ground: Rect) {
    let title = match form.kind {
        AnswerKind::Redirect => "Send clients elsewhere",
        AnswerKind::Reply => "Answer with a few words",
    };
    let fields = form.kind.labels().iter().zip(&form.fields).enumerate();
    let mut lines: Vec<_> = fields
        .map(|(at, (label, field))| {
            let label = format!("{label:<6}");
            if at == form.at {
                return typing(&label, field);
            }
            let text = format::shortened(field.text(), TEXT_WIDTH - 8);
            Line::from(vec![Span::styled(format!(" {label} "), theme::FAINT), Span::raw(text)])
        })
        .collect();
    lines.push(Line::default());
    let hint = match (form.kind, form.at) {
        (_, 0) => "A path such as /old.html; for one host only, //example.org/old.html.",
        (AnswerKind::Redirect, 1) => "A path, or a URL that begins with http:// or https://.",
        (AnswerKind::Redirect, _) => "301 or 308 for good, 302 or 307 for now.",
        (AnswerKind::Reply, 1) => "The body of the answer.",
        (AnswerKind::Reply, 2) => "The status of the answer, such as 200 or 503.",
        (AnswerKind::Reply, _) => "The media type of the body.",
    };
    let (text, style) = match &form.error {
        Some(error) => (error.as_str(), theme::BAD),
        None => (hint, theme::FAINT),
    };
    lines.extend(wrapped(text, TEXT_WIDTH).into_iter().map(|line| line.style(style)));
    ask(title, lines, frame, ground);
}

/// A command, and how it could go on.
pub(super) fn palette(model: &Model, palette: &Palette, frame: &mut Frame<'_>, ground: Rect) {
    let typed = palette.completing.as_ref().map_or(palette.field.text(), |(typed, _)| typed);
    let offered = completions(model, typed);
    let rows = usize::from(ground.height).saturating_sub(5).clamp(1, 12);
    let mut lines = vec![typing(":", &palette.field)];
    match &palette.error {
        Some(error) => {
            lines.extend(wrapped(error, TEXT_WIDTH).into_iter().map(|line| line.style(theme::BAD)));
        }
        None => lines.push(Line::styled("─".repeat(usize::from(WIDTH) - 2), theme::FAINT)),
    }
    let tried = palette.completing.as_ref().map(|(_, tried)| (tried - 1) % offered.len().max(1));
    // Keeps the one that was tried last on view.
    let first = (tried.unwrap_or(0) + 1).saturating_sub(rows);
    for (row, completion) in offered.iter().enumerate().skip(first).take(rows) {
        let line = Line::from(vec![
            Span::styled(format!(" {:<16}", format::cut(&completion.line, 40)), theme::STRONG),
            Span::styled(format!("{:<8}", completion.key.as_deref().unwrap_or("")), theme::KEY),
            Span::styled(format::cut(completion.help, TEXT_WIDTH - 24), theme::FAINT),
        ]);
        lines.push(if tried == Some(row) { line.style(theme::SELECTED) } else { line });
    }
    ask("Command", lines, frame, ground);
}

/// A file is being read.
pub(super) fn working(working: &Working, frame: &mut Frame<'_>, ground: Rect) {
    let source = format::shortened(&working.source.display().to_string(), TEXT_WIDTH - 10);
    ask("One moment", vec![Line::raw(format!(" reading {source} …"))], frame, ground);
}

/// Choices side by side, one of them highlighted.
pub(super) fn choices(choices: &[(&'static str, Style)], chosen: usize) -> Line<'static> {
    let mut spans = vec![Span::raw(" ")];
    for (index, (text, style)) in choices.iter().enumerate() {
        spans.push(if index == chosen {
            Span::styled(format!("[ {text} ]"), style.patch(theme::SELECTED))
        } else {
            Span::styled(format!("  {text}  "), *style)
        });
        spans.push(Span::raw("   "));
    }
    Line::from(spans)
}

/// What becomes of the server.
pub(super) fn exit(model: &Model, choice: usize, frame: &mut Frame<'_>, ground: Rect) {
    let identity = &model.identity;
    let interface = &identity.interface;
    let mut lines = Vec::new();
    let texts = [
        format!(
            "Leave it serving: the kernel goes on answering port {} on {interface} without a \
             console. zeroserve-tui {interface} opens one again.",
            identity.port
        ),
        format!(
            "Stop it: answers in flight are finished and connections end, within a few seconds. \
             Whoever listens on port {} answers afterwards, or nobody.",
            identity.port
        ),
    ];
    for text in texts {
        lines.extend(wrapped(&text, TEXT_WIDTH));
        lines.push(Line::default());
    }
    let staged = model.changes.staged.len();
    if staged > 0 {
        let text = format!("Staged changes are forgotten: {staged}.");
        lines.push(Line::styled(format!(" ◆ {text}"), theme::WARNING));
    }
    if model.changes.trial.is_some() {
        let text = "◆ What is on trial is taken back, unless it is kept before (K).";
        lines.push(Line::styled(format!(" {text}"), theme::WARNING));
    }
    let options = [
        ("Cancel", theme::PLAIN),
        ("l  leave it serving", theme::GOOD),
        ("s  stop it", theme::BAD),
    ];
    lines.push(choices(&options, choice));
    ask("Leave the console", lines, frame, ground);
}
