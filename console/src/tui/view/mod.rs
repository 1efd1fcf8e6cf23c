//! Draws the model, and changes nothing but the scroll position of the tree.

pub(crate) mod areas;
mod changes;
mod chart;
mod cpus;
mod detail;
mod figures;
mod flows;
mod footer;
mod header;
mod log;
mod misses;
mod outside;
mod popup;
mod questions;
mod reasons;
mod requests;
mod route;
mod routes;

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    symbols::border,
    text::{Line, Span},
    widgets::{Block, BorderType},
};
use tui_tree_widget::TreeState;

use self::areas::Areas;
pub(crate) use self::{header::tab_at, popup::scrolling as popup_scrolling};
use super::{
    model::{Model, Panel},
    theme,
};

/// The smallest terminal anything sensible fits on.
const SMALLEST: (u16, u16) = (60, 16);

/// Draws everything.
pub(crate) fn view(model: &mut Model, frame: &mut Frame<'_>) {
    // The widget decides at drawing how far it scrolls, and remembers it in its state.
    let mut tree = std::mem::take(&mut model.routes.state);
    draw(model, &mut tree, frame);
    model.routes.state = tree;
}

fn draw(model: &Model, tree: &mut TreeState<usize>, frame: &mut Frame<'_>) {
    let screen = frame.area();
    if (screen.width, screen.height) != model.size {
        // The terminal has another size since a moment ago; the message that says so is on its way,
        // and what was laid out for the old size may lie outside the new one.
        return;
    }
    if screen.width < SMALLEST.0 || screen.height < SMALLEST.1 {
        let (columns, rows) = SMALLEST;
        let text = format!("The console needs {columns} columns and {rows} rows.");
        frame.render_widget(Line::styled(text, theme::STRONG), screen);
    } else {
        let areas = Areas::of(model);
        header::draw(model, &areas, frame);
        if let Some(area) = areas.routes {
            routes::draw(model, tree, frame, area);
        }
        if let Some(area) = areas.reasons {
            reasons::draw(model, frame, area);
        }
        if let Some(area) = areas.rates {
            chart::draw(model, frame, area);
        }
        if let Some(area) = areas.cpus {
            cpus::draw(model, frame, area);
        }
        if let Some(area) = areas.flows {
            flows::draw(model, frame, area);
        }
        if let Some(area) = areas.requests {
            requests::draw(model, frame, area);
        }
        footer::draw(model, &areas, frame);
        popup::draw(model, frame, areas.popups);
    }
    theme::finish(frame.buffer_mut(), model.ascii, model.colour, model.theme);
}

/// The frame of a panel, which shows whether it has the focus.
fn panel<'a>(model: &Model, panel: Panel, title: Line<'a>) -> Block<'a> {
    let focused = model.focus == panel;
    let style = if focused { theme::ACCENT } else { theme::FAINT };
    Block::bordered().border_type(BorderType::Rounded).border_style(style).title(title)
}

/// The frame of a popup.
fn popup_frame(title: &str) -> Block<'_> {
    Block::bordered()
        .border_set(border::ROUNDED)
        .border_style(theme::ACCENT)
        .title(Line::styled(format!(" {title} "), theme::TITLE))
}

/// A rectangle in the middle, no larger than what is there.
fn centred(within: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(within.width), height.min(within.height));
    Rect {
        x: within.x + (within.width - width) / 2,
        y: within.y + (within.height - height) / 2,
        width,
        height,
    }
}

/// Text flush right in so many columns, cut if it is longer.
fn right(text: &str, width: usize) -> String {
    format!("{text:>width$.width$}")
}

/// A name and its value.
fn pair(name: &str, value: impl Into<String>, style: Style) -> [Span<'static>; 3] {
    [
        Span::styled(format!("{name} "), theme::FAINT),
        Span::styled(value.into(), style),
        Span::raw("   "),
    ]
}
