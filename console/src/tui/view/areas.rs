//! Where everything is, for a terminal of any size.
//!
//! Also asked by `update`, which must know how many rows a page has.

use ratatui::layout::{Constraint, Layout, Rect};

use crate::tui::model::{Health, Model, Panel};

/// Rows of the file picker's list.
pub(crate) const PICKER_ROWS: usize = 12;

/// From these sizes on, all panels are shown at once.
const WIDE: (u16, u16) = (130, 34);

/// The parts of the screen. A panel that is not shown has no area.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Areas {
    pub(crate) state: Rect,
    pub(crate) alarm: Rect,
    pub(crate) tiles: Rect,
    pub(crate) tabs: Option<Rect>,
    pub(crate) routes: Option<Rect>,
    pub(crate) reasons: Option<Rect>,
    pub(crate) chart: Option<Rect>,
    pub(crate) message: Rect,
    pub(crate) footer: Rect,
    /// Where popups may be: over the panels, never over state, alarms, messages and keys.
    pub(crate) popups: Rect,
}

impl Areas {
    /// Divides the screen.
    pub(crate) fn of(model: &Model) -> Self {
        let screen = Rect::new(0, 0, model.size.0, model.size.1);
        let wide = screen.width >= WIDE.0 && screen.height >= WIDE.1;
        let alarmed = matches!(model.health, Health::Lost(_)) || !model.rising_faults().is_empty();
        let [state, alarm, tiles, tabs, body, message, footer] =
            screen.layout(&Layout::vertical([
                Constraint::Length(1),
                Constraint::Length(u16::from(alarmed)),
                Constraint::Length(if wide { 4 } else { 2 }),
                Constraint::Length(u16::from(!wide)),
                Constraint::Fill(1),
                Constraint::Length(1),
                Constraint::Length(1),
            ]));
        let popups = body;
        let areas = Self { popups, state, alarm, tiles, message, footer, ..Self::default() };
        if wide {
            let [top, chart] = body.layout(&Layout::vertical([
                Constraint::Fill(1),
                Constraint::Length((body.height / 3).clamp(10, 18)),
            ]));
            let [routes, reasons] =
                top.layout(&Layout::horizontal([Constraint::Fill(1), Constraint::Length(64)]));
            let [routes, reasons, chart] = [routes, reasons, chart].map(Some);
            return Self { routes, reasons, chart, ..areas };
        }
        let areas = Self { tabs: Some(tabs), ..areas };
        match model.focus {
            Panel::Routes => Self { routes: Some(body), ..areas },
            Panel::Reasons => Self { reasons: Some(body), ..areas },
            Panel::Chart => Self { chart: Some(body), ..areas },
        }
    }

    /// How many routes fit: less a frame and a heading.
    pub(crate) fn route_rows(&self) -> usize {
        self.routes.map_or(0, |area| area.height.saturating_sub(3).into())
    }

    /// How many reasons fit: less a frame, a heading, and the sum of the verdicts.
    pub(crate) fn reason_rows(&self) -> usize {
        self.reasons
            .map_or(0, |area| area.height.saturating_sub(3 + super::reasons::SUM_ROWS).into())
    }
}
