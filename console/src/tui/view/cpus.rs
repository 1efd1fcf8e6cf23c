//! What each CPU does: a strip that shows all of them at a glance, and the busiest by name.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::{Line, Span},
    widgets::{Row, Table},
};

use super::panel;
use crate::tui::{
    format,
    model::{Model, Panel},
    rates::{CpuReading, Spread},
    theme,
};

/// Columns in front of the strip, for the number of its first CPU.
const NUMBER_WIDTH: u16 = 5;

/// From this skew on, it is pointed out: one CPU does twice its share.
const SKEWED: f64 = 2.0;

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let cpus = &model.shown.cpus;
    let title = Line::from(vec![
        Span::styled(" CPUs ", theme::TITLE),
        Span::styled(format!(" {} ", cpus.len()), theme::FAINT),
    ]);
    let block = panel(model, Panel::Cpus, title);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    // Whole tens, so that the number of a CPU can be counted off.
    let per_row = (inner.width.saturating_sub(NUMBER_WIDTH) / 10 * 10).max(10);
    let strips = cpus.len().div_ceil(per_row.into()) as u16;
    let [spread, strip, _, table] = inner.layout(&Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(strips),
        Constraint::Length(1),
        Constraint::Fill(1),
    ]));
    draw_spread(cpus, frame, spread);
    draw_strip(cpus, per_row.into(), frame, strip);
    draw_busiest(cpus, frame, table);
}

fn rate(cpu: &CpuReading) -> f64 {
    cpu.packets_per_s.unwrap_or(0.0)
}

fn draw_spread(cpus: &[CpuReading], frame: &mut Frame<'_>, area: Rect) {
    let Some(spread) = Spread::of(cpus) else {
        return frame.render_widget(Line::styled(" no packets are coming", theme::FAINT), area);
    };
    let busy = format!(
        " {} of {} CPUs take packets; CPU {} takes {}",
        spread.taking_part,
        cpus.len(),
        spread.busiest,
        format::share(Some(spread.share)),
    );
    let even = format!(", {:.1} times its share", spread.skew);
    let mut first = Line::from(busy);
    if spread.taking_part > 1 {
        first.push_span(Span::raw(even));
    }
    let second = if spread.skew >= SKEWED {
        Line::styled(
            " ◆ uneven: see RSS (ethtool -x) and which CPUs the queues interrupt",
            theme::WARNING,
        )
    } else if spread.taking_part == 1 && cpus.len() > 1 {
        Line::styled(" one queue, or one client: a connection stays with one CPU", theme::FAINT)
    } else {
        Line::styled(" packets are spread evenly enough", theme::FAINT)
    };
    for (row, line) in area.rows().zip([first, second]) {
        frame.render_widget(line, row);
    }
}

/// A sign for each CPU, as high as its packets per second.
fn draw_strip(cpus: &[CpuReading], per_row: usize, frame: &mut Frame<'_>, area: Rect) {
    let most = cpus.iter().map(rate).fold(0.0, f64::max);
    for (row, (number, some)) in area.rows().zip(cpus.chunks(per_row).enumerate()) {
        let mut spans = vec![Span::styled(format!("{:>4} ", number * per_row), theme::FAINT)];
        spans.extend(some.iter().map(|cpu| {
            let level = if most > 0.0 { rate(cpu) / most } else { 0.0 };
            let sign = format::level(level as f32).unwrap_or('·');
            let style = match level {
                0.0 => theme::FAINT,
                0.0..0.5 => theme::BYTES,
                0.5..0.9 => theme::REQUESTS,
                _ => theme::WARNING,
            };
            Span::styled(sign.to_string(), style)
        }));
        frame.render_widget(Line::from(spans), row);
    }
}

/// As many of the busiest as fit.
fn draw_busiest(cpus: &[CpuReading], frame: &mut Frame<'_>, area: Rect) {
    let sum: f64 = cpus.iter().map(rate).sum();
    let mut order: Vec<usize> = (0..cpus.len()).collect();
    order.sort_by(|a, b| {
        let by_sum = cpus[*b].packets.cmp(&cpus[*a].packets);
        rate(&cpus[*b]).total_cmp(&rate(&cpus[*a])).then(by_sum).then(a.cmp(b))
    });
    let flush_right = |text: String| Line::from(text).right_aligned();
    let rows = order.into_iter().take(area.height.saturating_sub(1).into()).map(|number| {
        let cpu = &cpus[number];
        let share = (sum > 0.0).then(|| rate(cpu) / sum);
        let bar = "▇".repeat((share.unwrap_or(0.0) * 20.0).round() as usize);
        Row::new([
            flush_right(number.to_string()),
            flush_right(format::rate(cpu.packets_per_s)),
            flush_right(format::share(share)),
            Line::styled(bar, theme::BYTES),
            flush_right(format::rate(cpu.requests_per_s)),
            flush_right(format::count(cpu.packets)),
        ])
    });
    let heading = ["CPU", "packets/s", "share", "", "requests/s", "packets"];
    let heading = heading.map(|title| Line::from(title).right_aligned());
    let widths = [4, 9, 6, 20, 10, 7].map(Constraint::Length);
    let table = Table::new(rows, widths).column_spacing(2);
    frame.render_widget(table.header(Row::new(heading).style(theme::FAINT)), area);
}
