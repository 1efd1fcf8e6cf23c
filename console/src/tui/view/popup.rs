//! Popups: which one is drawn, and those that are only read.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::{Clear, Paragraph},
};

use super::{
    areas::Areas, centred, changes, detail, flows, log, misses, outside, popup_frame, questions,
    requests, route,
};
use crate::tui::{
    format,
    keys::{self, Binding},
    model::{Health, Model, Popup},
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
        Some(Popup::Answer(form)) => questions::answer(form, frame, ground),
        Some(Popup::Palette(palette)) => questions::palette(model, palette, frame, ground),
        Some(Popup::Working(working)) => questions::working(working, frame, ground),
        Some(Popup::Confirm(confirm)) => changes::confirm(confirm, frame, ground),
        Some(Popup::Changes { listed, selected }) => {
            changes::list(model, *listed, *selected, frame, ground);
        }
        Some(Popup::Exit { choice }) => questions::exit(model, *choice, frame, ground),
        Some(Popup::Misses) => draw_page(misses::page(model, ground.height.into()), frame, ground),
        Some(Popup::Issues { selected }) => issues(model, *selected, frame, ground),
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
        Popup::Log { scroll } => Some(log::page(model, *scroll)),
        Popup::Route { index, scroll, inside } => Some(route::page(model, *index, inside, *scroll)),
        Popup::Cause { cause, scroll } => Some(detail::cause(model, *cause, *scroll)),
        Popup::Request { request, scroll } => Some(requests::page(model, request, *scroll)),
        Popup::Lint { lint, scroll } => Some(detail::lint(model, lint, *scroll)),
        Popup::Client { client, scroll } => Some(flows::page(model, *client, *scroll)),
        Popup::Outside { scroll } => Some(outside::page(model, *scroll)),
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

/// What is wrong, one of it selected.
fn issues(model: &Model, selected: usize, frame: &mut Frame<'_>, ground: Rect) {
    let issues = model.issues();
    let selected = selected.min(issues.len().saturating_sub(1));
    let mut lines: Vec<_> = issues
        .iter()
        .enumerate()
        .map(|(row, issue)| {
            let (sign, _, style) = theme::severity(issue.severity());
            let text = format::padded(&format::cut(&issue.advice(model).meaning, 48), 48);
            let line = Line::from(vec![
                Span::styled(format!(" {sign} {:<22}", issue.name()), style),
                Span::raw(text),
            ]);
            if row == selected { line.style(theme::SELECTED) } else { line }
        })
        .collect();
    if lines.is_empty() {
        let text = match &model.health {
            Health::Lost(why) => format!(" The server cannot be read: {why}"),
            _ => " Nothing is wrong that the console knows of.".into(),
        };
        lines.push(Line::raw(text));
    }
    // Keeps the selected one on view, should there ever be so many.
    let scroll = (selected + 1).saturating_sub(usize::from(ground.height.saturating_sub(2)));
    draw_page(Page { title: "What is wrong".into(), lines, width: 76, scroll }, frame, ground);
}

/// The table of keys, by place.
fn help(scroll: usize, columns: u16) -> Page {
    let width = columns.saturating_sub(4).min(100);
    let mut lines = Vec::new();
    for (title, bindings) in keys::by_place() {
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        lines.push(Line::styled(format!(" {title}"), theme::TITLE));
        lines.extend(bindings.into_iter().flat_map(|one| help_lines(one, width.into())));
    }
    Page { title: "Keys".into(), lines, width, scroll }
}

fn help_lines(binding: &Binding, width: usize) -> Vec<Line<'static>> {
    let mut names = binding.names();
    let mut lines = Vec::new();
    for mut text in detail::wrapped(binding.help, width.saturating_sub(23)) {
        text.spans.insert(0, Span::styled(format!("  {names:<17}"), theme::KEY));
        lines.push(text);
        names.clear();
    }
    lines
}
