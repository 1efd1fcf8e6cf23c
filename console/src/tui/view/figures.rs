//! The figures of the server: how fast now, over longer times, at most, and in all.

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use crate::tui::{
    format,
    model::Model,
    rates::{FIGURES, Figure, MEANS_S},
    theme,
};

/// Columns of the names of the rows.
const NAME_WIDTH: u16 = 8;

/// Columns of a figure.
const FIGURE_WIDTH: u16 = 14;

/// Which rows of the table there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FigureRows {
    Rate,
    RateAndSum,
    All,
}

impl FigureRows {
    /// Rows of the screen that it takes, heading included.
    pub(super) fn height(self) -> u16 {
        match self {
            Self::Rate => 2,
            Self::RateAndSum => 3,
            Self::All => ROWS,
        }
    }
}

/// Rows of the whole table.
pub(super) const ROWS: u16 = 4 + MEANS_S.len() as u16;

/// Draws the table with as many rows and figures as fit.
pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let count =
        FIGURES.len().min(usize::from(area.width.saturating_sub(NAME_WIDTH) / FIGURE_WIDTH));
    let figures = &FIGURES[..count.max(1)];
    for (row, line) in area.rows().zip(lines(model, figures, area.height)) {
        frame.render_widget(line, row);
    }
}

fn lines(model: &Model, figures: &[Figure], height: u16) -> Vec<Line<'static>> {
    let shown = &model.shown;
    let row = |name: String, style: Style, cell: &dyn Fn(usize, &Figure) -> String| {
        let cells = figures.iter().enumerate().map(|(index, figure)| {
            Span::styled(super::right(&cell(index, figure), FIGURE_WIDTH.into()), style)
        });
        let name = format!(" {name:<width$}", width = usize::from(NAME_WIDTH) - 1);
        Line::from_iter(std::iter::once(Span::styled(name, theme::FAINT)).chain(cells))
    };
    let rate = |figure: &Figure, rate| {
        if figure.is_bytes { format::byte_rate(rate) } else { format::rate(rate) }
    };
    let sum = |_: usize, figure: &Figure| match shown.total(figure.pick) {
        None => format::NONE.into(),
        Some(total) if figure.is_bytes => format::bytes(total),
        Some(total) => format::count(total),
    };
    let mut lines = vec![row(String::new(), theme::FAINT, &|_, figure| figure.name.into())];
    lines.push(row("now".into(), theme::STRONG, &|_, figure| {
        rate(figure, shown.per_s(figure.pick))
    }));
    if height >= ROWS {
        for (place, window_s) in MEANS_S.iter().enumerate() {
            lines.push(row(format!("{window_s} s"), theme::PLAIN, &|index, figure| {
                rate(figure, shown.figures[index].means()[place])
            }));
        }
        lines.push(row("peak".into(), theme::PLAIN, &|index, figure| {
            rate(figure, shown.figures[index].peak())
        }));
    }
    lines.push(row("in all".into(), theme::FAINT, &sum));
    lines
}
