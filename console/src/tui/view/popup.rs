//! Popups: which one is drawn, and those that are only read.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::{Clear, Paragraph},
};

use super::{areas::Areas, centred, detail, footer, popup_frame, questions};
use crate::tui::{
    format,
    keys::{BINDINGS, Binding, Scope},
    model::{Model, Popup},
    theme,
};

/// Something to read: a title, lines, and the columns they need.
pub(super) struct Page {
    pub(super) title: String,
    pub(super) lines: Vec<Line<'static>>,
    pub(super) width: u16,
    pub(super) scroll: usize,
}

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, ground: Rect) {
    match &model.popup {
        None => {}
        Some(Popup::Picker(picker)) => questions::picker(picker, frame, ground),
        Some(Popup::Path(form)) => questions::path(form, frame, ground),
        Some(Popup::Working(working)) => questions::working(working, frame, ground),
        Some(Popup::Confirm(confirm)) => questions::confirm(confirm, frame, ground),
        Some(Popup::Exit { choice }) => questions::exit(model, *choice, frame, ground),
        Some(_) => {
            if let Some(page) = page(model) {
                draw_page(page, frame, ground);
            }
        }
    }
}

fn page(model: &Model) -> Option<Page> {
    match model.popup.as_ref()? {
        Popup::Help { scroll } => Some(help(*scroll, model.size.0)),
        Popup::Log { scroll } => Some(log(model, *scroll)),
        Popup::Route { index, scroll } => Some(detail::route(model, *index, *scroll)),
        Popup::Cause(cause) => Some(detail::cause(model, *cause)),
        _ => None,
    }
}

/// How many lines of the popup are seen at once, and how far it can be scrolled.
pub(crate) fn scrolling(model: &Model) -> (usize, usize) {
    let lines = page(model).map_or(0, |page| page.lines.len());
    let height = height(lines, Areas::of(model).popups.height).saturating_sub(2).into();
    (height, lines.saturating_sub(height))
}

fn height(lines: usize, room: u16) -> u16 {
    u16::try_from(lines + 2).unwrap_or(u16::MAX).min(room)
}

fn draw_page(page: Page, frame: &mut Frame<'_>, ground: Rect) {
    let height = height(page.lines.len(), ground.height);
    let seen = usize::from(height.saturating_sub(2));
    let last = page.lines.len().saturating_sub(seen);
    let mut block = popup_frame(&page.title);
    if last > 0 {
        let (scroll, last) = (page.scroll.min(last), page.lines.len());
        let text = format!(" {}–{} of {last} ", scroll + 1, (scroll + seen).min(last));
        block = block.title_bottom(Line::styled(text, theme::FAINT).right_aligned());
    }
    let area = centred(ground, page.width.min(ground.width.saturating_sub(4)), height);
    let lines: Vec<_> = page.lines.into_iter().skip(page.scroll.min(last)).take(seen).collect();
    open(frame, area, Paragraph::new(lines).block(block));
}

/// Draws a popup on cleared ground.
pub(super) fn open(frame: &mut Frame<'_>, area: Rect, content: Paragraph<'_>) {
    frame.render_widget(Clear, area);
    frame.render_widget(content, area);
}

/// The table of keys, by place; what holds on all three panels comes first.
fn help(scroll: usize, columns: u16) -> Page {
    let width = columns.saturating_sub(4).min(100);
    let panels = [Scope::Routes, Scope::Reasons, Scope::Chart];
    let everywhere = |scopes: &[Scope]| panels.iter().all(|panel| scopes.contains(panel));
    let mut lines = vec![Line::styled(" Everywhere", theme::TITLE)];
    let bindings = BINDINGS.iter();
    let explain = |binding: &Binding| help_lines(binding, usize::from(width));
    lines.extend(bindings.clone().filter(|b| everywhere(b.scopes)).flat_map(explain));
    for (scope, title) in Scope::ALL {
        let here = bindings
            .clone()
            .filter(|binding| binding.scopes.contains(&scope) && !everywhere(binding.scopes));
        lines.push(Line::default());
        lines.push(Line::styled(format!(" {title}"), theme::TITLE));
        lines.extend(here.flat_map(explain));
    }
    Page { title: "Keys".into(), lines, width, scroll }
}

fn help_lines(binding: &Binding, width: usize) -> Vec<Line<'static>> {
    let mut names = binding.keys.iter().map(|key| key.name()).collect::<Vec<_>>().join(" ");
    let mut lines = Vec::new();
    for mut text in detail::wrapped(binding.help, width.saturating_sub(23)) {
        text.spans.insert(0, Span::styled(format!("  {names:<17}"), theme::KEY));
        lines.push(text);
        names.clear();
    }
    lines
}

/// What was done here, newest first.
fn log(model: &Model, scroll: usize) -> Page {
    let width = model.size.0.saturating_sub(4).min(120);
    let room = usize::from(width).saturating_sub(16);
    let mut lines = Vec::new();
    for note in model.log.iter().rev() {
        let (sign, style) = footer::sign(note.level);
        let mut head = format!(" {} {sign}", format::time_of_day(note.at));
        for line in detail::wrapped(&note.text, room) {
            lines.push(hanging(&mut head, line.style(style)));
        }
        if let Some(command) = &note.command {
            for line in detail::wrapped(&format!("$ {command}"), room) {
                lines.push(hanging(&mut head, line.style(theme::FAINT)));
            }
        }
    }
    if lines.is_empty() {
        lines.push(Line::styled(" Nothing has been done from this console yet.", theme::FAINT));
    }
    Page { title: "Log (times are UTC)".into(), lines, width, scroll }
}

/// A line behind a head, which is used up by it: further lines hang below the first.
fn hanging(head: &mut String, mut line: Line<'static>) -> Line<'static> {
    line.spans.insert(0, Span::styled(format!("{head:<11}"), theme::FAINT));
    head.clear();
    line
}
