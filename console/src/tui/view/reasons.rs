//! Why packets left the fast path, and whether all packets are accounted for.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::{Line, Span},
    widgets::{Row, Table},
};
use zeroserve_shared::reason::Verdict;

use super::{outside, panel};
use crate::tui::{
    format,
    model::{Cause, Model, Panel},
    theme,
};

/// Rows below the list: a rule, the verdicts with their rates, the check, and what was lost before
/// and behind XDP.
pub(crate) const SUM_ROWS: u16 = 7;

/// From this width on, severities have a word besides their sign.
const WITH_WORDS: u16 = 76;

/// Points of the curve beside a reason.
const SPARK_WIDTH: u16 = 10;

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let reasons = &model.reasons;
    let which = if reasons.with_uncounted { " all " } else { " counted " };
    let title = Line::from(vec![
        Span::styled(" Reasons ", theme::TITLE),
        Span::styled(which, theme::FAINT),
    ]);
    let block = panel(model, Panel::Reasons, title);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let [list, sum] =
        inner.layout(&Layout::vertical([Constraint::Fill(1), Constraint::Length(SUM_ROWS)]));

    let words = inner.width >= WITH_WORDS;
    let focused = model.focus == Panel::Reasons;
    let height = list.height.saturating_sub(1).into();
    let rows = reasons.rows.iter().enumerate().skip(reasons.offset).take(height);
    let rows = rows.map(|(row, cause)| {
        let style = match (row == reasons.selected, focused) {
            (true, true) => theme::SELECTED,
            (true, false) => theme::MARKED,
            _ => theme::PLAIN,
        };
        line(model, *cause, words).style(style)
    });
    let heading = Row::new(with_or_without(
        words,
        [
            Line::from("  reason"),
            Line::from("severity"),
            Line::from("verdict"),
            Line::from("last 10 s"),
            Line::from("count").right_aligned(),
            Line::from("rate").right_aligned(),
        ],
    ));
    let widths = with_or_without(
        words,
        [
            Constraint::Fill(1),
            Constraint::Length(8),
            Constraint::Length(7),
            Constraint::Length(SPARK_WIDTH),
            Constraint::Length(6),
            Constraint::Length(8),
        ],
    );
    let table = Table::new(rows, widths).column_spacing(2).header(heading.style(theme::FAINT));
    frame.render_widget(table, list);
    if reasons.rows.is_empty() {
        let row = Rect { y: list.y + list.height / 2, height: 1, ..list };
        let text = "no packet has left the fast path";
        frame.render_widget(Line::styled(text, theme::FAINT).centered(), row);
    }
    draw_sum(model, frame, sum);
}

/// Leaves the second of the columns out where there is no room for it.
fn with_or_without<T>(words: bool, columns: [T; 6]) -> impl Iterator<Item = T> {
    columns
        .into_iter()
        .enumerate()
        .filter(move |(at, _)| words || *at != 1)
        .map(|(_, column)| column)
}

fn line(model: &Model, cause: Cause, words: bool) -> Row<'static> {
    let (sign, severity, style) = theme::severity(cause.severity());
    let (count, per_s) = cause.counted(&model.shown);
    let rate_style = if per_s.unwrap_or(0.0) > 0.0 { theme::PLAIN } else { theme::FAINT };
    let spark = cause.spark(&model.shown);
    let spark = format::spark(&spark[spark.len() - usize::from(SPARK_WIDTH)..]);
    Row::new(with_or_without(
        words,
        [
            Line::from(vec![Span::styled(format!("{sign} "), style), Span::raw(cause.name())]),
            Line::styled(severity, style),
            Line::styled(cause.verdict(), theme::FAINT),
            Line::styled(spark, theme::FAINT),
            Line::from(format::count(count)).right_aligned(),
            Line::styled(format::rate(per_s), rate_style).right_aligned(),
        ],
    ))
}

/// The verdicts, what they add up to, and whether that is all that came in.
fn draw_sum(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let rule = "─".repeat(area.width.into());
    let columns = [
        Constraint::Length(7),
        Constraint::Fill(1),
        Constraint::Fill(1),
        Constraint::Fill(1),
        Constraint::Fill(1),
        Constraint::Fill(1),
    ];
    let order = [Verdict::Tx, Verdict::Redirect, Verdict::Drop, Verdict::Pass, Verdict::Aborted];
    let cells = |head: &'static str, text: &dyn Fn(Verdict) -> String| {
        let values = order.map(|verdict| Line::from(text(verdict)).right_aligned());
        Row::new(std::iter::once(Line::from(head)).chain(values))
    };
    let shown = &model.shown;
    let rows = [
        cells("verdict", &|verdict| verdict.name().into()).style(theme::FAINT),
        cells("packets", &|verdict| format::count(shown.verdict(verdict).0)),
        cells("rate", &|verdict| format::rate(shown.verdict(verdict).1)),
    ];
    let [rule_row, table_rows, check_row, nic_row, stack_row] =
        area.layout(&Layout::vertical([1, 3, 1, 1, 1].map(Constraint::Length)));
    let around = &model.shown_around;
    frame.render_widget(outside::line("NIC", &around.now.nic, around, area.width), nic_row);
    frame.render_widget(outside::line("stack", &around.now.stack, around, area.width), stack_row);
    frame.render_widget(Line::styled(rule, theme::FAINT), rule_row);
    frame.render_widget(Table::new(rows, columns), table_rows);
    frame.render_widget(check(model), check_row);
}

/// Packets in = sum of the verdicts.
fn check(model: &Model) -> Line<'static> {
    let Some(totals) = &model.shown.totals else {
        return Line::styled("nothing has been counted yet", theme::FAINT);
    };
    let packets = format::exact(totals.packets_in);
    match totals.unaccounted_packets() {
        0 => Line::from(vec![
            Span::styled("✓ ", theme::GOOD),
            Span::raw(format!("the verdicts add up to {packets} packets in")),
        ]),
        missing => Line::from(vec![
            Span::styled("≠ ", theme::WARNING),
            Span::raw(format!(
                "{packets} packets in; {} {}",
                format::exact(missing.unsigned_abs()),
                if missing > 0 { "still under way" } else { "counted on the way out only" },
            )),
        ]),
    }
}
