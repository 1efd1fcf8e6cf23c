//! Requests, bytes and drops over the last minutes.

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
    model::{CURVES, Mark, Model, Panel},
    rates::Point,
    theme,
};

/// From this width on, all curves are side by side.
const SIDE_BY_SIDE: u16 = 120;

/// A point is drawn as a step when it covers more time than this: the console had been stopped.
const LONG_S: f64 = 3.0;

/// Points drawn at most: more than that no screen can tell apart.
const DRAWN_POINTS: usize = 400;

/// One of the curves.
struct Curve {
    title: &'static str,
    style: Style,
    pick: fn(&Point) -> u64,
    label: fn(Option<f64>) -> String,
}

const SHOWN: [Curve; CURVES] = [
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
    Curve { title: "Drops/s", style: theme::DROPS, pick: |point| point.drops, label: format::rate },
];

/// Draws the panel: all curves where there is room for them, or else the one that was chosen.
pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    if area.width < SIDE_BY_SIDE {
        return draw_curve(model, &SHOWN[model.chart.curve], frame, area);
    }
    let parts = area.layout::<CURVES>(&Layout::horizontal([Constraint::Fill(1); CURVES]));
    for (curve, area) in SHOWN.iter().zip(parts) {
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
    let marks = marks(model, span_s);
    let lines: Vec<_> = marks.iter().map(|(at, _)| [(*at, 0.0), (*at, top)]).collect();
    let line = |line| {
        let set = Dataset::default().marker(Marker::Braille).graph_type(GraphType::Line);
        set.style(theme::MARK).data(line)
    };
    let mut datasets = vec![
        Dataset::default()
            .marker(Marker::Braille)
            .graph_type(GraphType::Area)
            .style(curve.style)
            .data(&points),
    ];
    datasets.extend(lines.iter().map(|ends| line(&ends[..])));
    let since = format!("−{} min", model.chart.span_s() / 60);
    let half = (curve.label)(Some(top / 2.0));
    let x_axis =
        Axis::default().style(theme::FAINT).bounds([-span_s, 0.0]).labels([since, "now".into()]);
    let y_axis = Axis::default().style(theme::FAINT).bounds([0.0, top]).labels([
        right9("0"),
        right9(&half),
        right9(&(curve.label)(Some(top))),
    ]);
    let chart = Chart::new(datasets)
        .x_axis(x_axis)
        .y_axis(y_axis)
        .legend_position(None)
        .block(panel(model, Panel::Rates, title).title_bottom(caption(&marks, area.width)));
    frame.render_widget(chart, area);
}

/// What was done in the time that is shown: when, in seconds before now.
fn marks(model: &Model, span_s: f64) -> Vec<(f64, &Mark)> {
    let Some(now) = model.shown.taken else { return Vec::new() };
    let at = |mark: &Mark| mark.at.as_secs_f64() - now.as_secs_f64();
    let marks = model.marks.iter().map(|mark| (at(mark), mark));
    marks.filter(|(at, _)| (-span_s..=0.0).contains(at)).collect()
}

/// Names the last mark: a line alone would not say what it stands for.
fn caption(marks: &[(f64, &Mark)], width: u16) -> Line<'static> {
    let Some((_, last)) = marks.last() else { return Line::default() };
    let more =
        if marks.len() > 1 { format!(" (and {} before)", marks.len() - 1) } else { "".into() };
    let room = usize::from(width).saturating_sub(6 + more.len());
    let text = format!(" │ {}{more} ", format::shortened(&last.text, room));
    Line::styled(text, theme::MARK).right_aligned()
}

/// Labels of one width, so that all curves begin in the same column.
fn right9(label: &str) -> String {
    super::right(label, 9)
}

/// When, in seconds before now, and how many per second. Of a long time several points are drawn as
/// one, with their mean.
fn points(model: &Model, curve: &Curve, span_s: f64) -> Vec<(f64, f64)> {
    let history = &model.shown.history;
    let Some(now) = history.back().map(|point| point.end.as_secs_f64()) else { return Vec::new() };
    let first = history.partition_point(|point| point.end.as_secs_f64() - now < -span_s);
    let together = (history.len() - first).div_ceil(DRAWN_POINTS).max(1);
    let mut points = Vec::new();
    let shown: Vec<&Point> = history.iter().skip(first).collect();
    for some in shown.chunks(together) {
        let over_s: f64 = some.iter().map(|point| point.over.as_secs_f64()).sum();
        let count: u64 = some.iter().map(|point| (curve.pick)(point)).sum();
        let at = some[some.len() - 1].end.as_secs_f64() - now;
        let rate = count as f64 / over_s;
        if over_s > LONG_S * together as f64 {
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
