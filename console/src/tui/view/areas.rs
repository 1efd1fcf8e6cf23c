//! Where everything is, for a terminal of any size.
//!
//! Also asked by `update`, which must know how many rows a page has.

use ratatui::layout::{Constraint, Layout, Rect};

use super::figures::FigureRows;
use crate::tui::model::{Health, Model, Panel};

/// Rows of the file picker's list.
pub(crate) const PICKER_ROWS: usize = 12;

/// From these sizes on, several panels are shown at once.
const WIDE: (u16, u16) = (130, 34);

/// Columns of the panel beside the routes.
const SIDE_WIDTH: u16 = 72;

/// From so many rows on, the header has sums besides rates.
const SUMS_FROM_ROWS: u16 = 28;

/// The parts of the screen. A panel that is not shown has no area.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Areas {
    pub(crate) state: Rect,
    pub(crate) facts: Rect,
    pub(crate) alarm: Rect,
    pub(crate) figures: Rect,
    pub(crate) tabs: Rect,
    pub(crate) routes: Option<Rect>,
    pub(crate) reasons: Option<Rect>,
    pub(crate) rates: Option<Rect>,
    pub(crate) cpus: Option<Rect>,
    pub(crate) flows: Option<Rect>,
    pub(crate) requests: Option<Rect>,
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
        let alarmed = matches!(model.health, Health::Lost(_)) || !model.issues().is_empty();
        let figures = match (wide, screen.height >= SUMS_FROM_ROWS) {
            _ if model.focus == Panel::Rates => FigureRows::All,
            (true, _) => FigureRows::All,
            (false, true) => FigureRows::RateAndSum,
            (false, false) => FigureRows::Rate,
        };
        let [state, facts, alarm, figures, tabs, body, message, footer] =
            screen.layout(&Layout::vertical([
                Constraint::Length(1),
                Constraint::Length(1),
                Constraint::Length(u16::from(alarmed)),
                Constraint::Length(figures.height()),
                Constraint::Length(1),
                Constraint::Fill(1),
                Constraint::Length(1),
                Constraint::Length(1),
            ]));
        let mut areas = Self {
            popups: body,
            state,
            facts,
            alarm,
            figures,
            tabs,
            message,
            footer,
            ..Self::default()
        };
        if wide {
            let [top, rates] = body.layout(&Layout::vertical([
                Constraint::Fill(1),
                Constraint::Length((body.height / 3).clamp(10, 18)),
            ]));
            let [routes, side] = top
                .layout(&Layout::horizontal([Constraint::Fill(1), Constraint::Length(SIDE_WIDTH)]));
            areas.put(Panel::Routes, routes);
            areas.put(model.side, side);
            areas.put(model.below, rates);
        } else {
            areas.put(model.focus, body);
        }
        areas
    }

    /// The panels that are shown, and where.
    pub(crate) fn panels(&self) -> impl Iterator<Item = (Panel, Rect)> {
        let all = [
            (Panel::Routes, self.routes),
            (Panel::Reasons, self.reasons),
            (Panel::Rates, self.rates),
            (Panel::Cpus, self.cpus),
            (Panel::Flows, self.flows),
            (Panel::Requests, self.requests),
        ];
        all.into_iter().filter_map(|(panel, area)| Some((panel, area?)))
    }

    fn put(&mut self, panel: Panel, area: Rect) {
        match panel {
            Panel::Routes => self.routes = Some(area),
            Panel::Reasons => self.reasons = Some(area),
            Panel::Rates => self.rates = Some(area),
            Panel::Cpus => self.cpus = Some(area),
            Panel::Flows => self.flows = Some(area),
            Panel::Requests => self.requests = Some(area),
        }
    }

    /// How many clients fit: less a frame, a heading and the line below.
    pub(crate) fn flow_rows(&self) -> usize {
        self.flows.map_or(0, |area| area.height.saturating_sub(4).into())
    }

    /// How many requests fit: less a frame and a heading.
    pub(crate) fn request_rows(&self) -> usize {
        self.requests.map_or(0, |area| area.height.saturating_sub(3).into())
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
