//! Requests and bytes over the last minutes.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::Style,
    symbols::Marker,
    text::{Line, Span},
    widgets::{Axis, Chart, Dataset, GraphType},
};

use super::panel;
use crate::tui::{
    format,
    model::{Model, Panel},
    rates::Point,
    theme,
};

/// From this width on, the two curves are side by side.
const SIDE_BY_SIDE: u16 = 120;

/// A point is drawn as a step when it covers more time than this: the console had been stopped.
const LONG_S: f64 = 3.0;

/// One of the two curves.
struct Curve {
    title: &'static str,
    style: Style,
    pick: fn(&Point) -> u64,
    label: fn(Option<f64>) -> String,
}

const CURVES: [Curve; 2] = [
    Curve {
        title: "Requests/s",
        style: theme::REQUESTS,
        pick: |point| point.requests,
        label: format::rate,
    },
    Curve {
        title: "Bytes out/s",
        style: theme::BYTES,
        pick: |point| point.bytes,
        label: format::byte_rate,
    },
];

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let halves = [Constraint::Fill(1), Constraint::Fill(1)];
    let layout = if area.width >= SIDE_BY_SIDE {
        Layout::horizontal(halves)
    } else {
        Layout::vertical(halves)
    };
    for (curve, area) in CURVES.iter().zip(area.layout::<2>(&layout)) {
        draw_curve(model, curve, frame, area);
    }
}

fn draw_curve(model: &Model, curve: &Curve, frame: &mut Frame<'_>, area: Rect) {
    let span_s = model.chart.span_s() as f64;
    let points = points(model, curve, span_s);
    let peak = points.iter().map(|(_, rate)| *rate).fold(0.0, f64::max);
    let latest = points.last().map(|(_, rate)| *rate);
    let title = Line::from(vec![
        Span::styled(format!(" {} ", curve.title), theme::TITLE),
        Span::styled((curve.label)(latest), curve.style.patch(theme::STRONG)),
        Span::styled(format!("  peak {} ", (curve.label)(latest.map(|_| peak))), theme::FAINT),
    ]);
    let top = rounded_up(peak);
    let dataset = Dataset::default()
        .marker(Marker::Braille)
        .graph_type(GraphType::Area)
        .style(curve.style)
        .data(&points);
    let since = format!("−{} min", model.chart.span_s() / 60);
    let half = (curve.label)(Some(top / 2.0));
    let x_axis =
        Axis::default().style(theme::FAINT).bounds([-span_s, 0.0]).labels([since, "now".into()]);
    let y_axis = Axis::default().style(theme::FAINT).bounds([0.0, top]).labels([
        right9("0"),
        right9(&half),
        right9(&(curve.label)(Some(top))),
    ]);
    let chart = Chart::new(vec![dataset])
        .x_axis(x_axis)
        .y_axis(y_axis)
        .legend_position(None)
        .block(panel(model, Panel::Chart, title));
    frame.render_widget(chart, area);
}

/// Labels of one width, so that both curves begin in the same column.
fn right9(label: &str) -> String {
    super::right(label, 9)
}

/// When, in seconds before now, and how many per second.
fn points(model: &Model, curve: &Curve, span_s: f64) -> Vec<(f64, f64)> {
    let history = &model.shown.history;
    let Some(now) = history.back().map(|point| point.end.as_secs_f64()) else { return Vec::new() };
    let mut points = Vec::new();
    for point in history.iter() {
        let (at, over_s) = (point.end.as_secs_f64() - now, point.over.as_secs_f64());
        if at < -span_s {
            continue;
        }
        let rate = (curve.pick)(point) as f64 / over_s;
        if over_s > LONG_S {
            points.push(((at - over_s).max(-span_s), rate));
        }
        points.push((at, rate));
    }
    points
}

/// The next round number: a scale that can be read, and that seldom changes.
fn rounded_up(peak: f64) -> f64 {
    let decade = 10_f64.powf(peak.max(1.0).log10().floor());
    let tops = [1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0].map(|step| step * decade);
    tops.into_iter().find(|top| *top >= peak).unwrap_or(peak)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_ends_on_a_round_number_at_or_above_the_peak() {
        for (peak, top) in [(0.0, 1.0), (1.0, 1.0), (1.1, 2.0), (3_999.0, 4e3), (80_001.0, 1e5)] {
            assert_eq!(rounded_up(peak), top, "{peak}");
        }
    }
}
