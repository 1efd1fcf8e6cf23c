//! Whose drop is it: what the network card, XDP and the kernel's own TCP/IP count, kept apart.

use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr as _;

use super::popup::Page;
use crate::{
    server::KernelCounter,
    tui::{
        format,
        model::Model,
        rates::{Around, drops},
        theme,
    },
};

/// Room kept for saying how many more there are.
const MORE_WIDTH: usize = 14;

/// One line for the reasons panel: what was lost outside XDP, or that nothing was.
pub(super) fn line(
    name: &str,
    counters: &[KernelCounter],
    around: &Around,
    width: u16,
) -> Line<'static> {
    let mut spans = vec![Span::styled(format!("{name:<6} "), theme::FAINT)];
    let rises = |counter: &KernelCounter| around.per_s(counter).is_some_and(|rate| rate > 0.0);
    let mut lost: Vec<_> =
        counters.iter().filter(|counter| counter.is_loss && counter.value > 0).collect();
    lost.sort_by_key(|counter| !rises(counter));
    if counters.is_empty() {
        spans.push(Span::styled("its counters cannot be read from here", theme::FAINT));
    } else if lost.is_empty() {
        spans.push(Span::styled("✓ ", theme::GOOD));
        spans.push(Span::raw("nothing lost"));
    }
    let mut room = usize::from(width).saturating_sub(7 + MORE_WIDTH);
    for (shown, counter) in lost.iter().enumerate() {
        let rising = rises(counter);
        let (sign, style) = if rising { ("◆ ", theme::WARNING) } else { ("· ", theme::FAINT) };
        let rate = around.per_s(counter).filter(|_| rising);
        let rate = rate.map_or_else(String::new, |rate| format!(" +{}", format::rate(Some(rate))));
        let text = format!("{sign}{} {}{rate}  ", counter.name, format::count(counter.value));
        let is_last = shown + 1 == lost.len();
        let here = if is_last { room + MORE_WIDTH } else { room };
        let Some(rest) = here.checked_sub(text.width()) else {
            let more = lost.len() - shown;
            spans.push(Span::styled(format!("… {more} more (n)"), theme::FAINT));
            break;
        };
        room = rest;
        spans.push(Span::styled(text, style));
    }
    Line::from(spans)
}

/// All of them, with their rates.
pub(super) fn page(model: &Model, scroll: usize) -> Page {
    let around = &model.shown_around;
    let mut lines = vec![
        Line::raw(" A packet meets the network card first, then XDP, then the kernel's TCP/IP."),
        Line::raw(" Each counts for itself; what is lost shows where it was lost."),
        Line::default(),
        title("network card and its driver (of the whole interface)"),
    ];
    lines.extend(around.now.nic.iter().map(|counter| row(counter, around)));
    lines.extend([Line::default(), title("XDP (this server)")]);
    let shown = &model.shown;
    for (name, value, rate, is_loss) in [
        ("packets in", shown.total(|c| c.packets_in), shown.per_s(|c| c.packets_in), false),
        ("lost or refused", shown.total(drops), shown.per_s(drops), true),
    ] {
        lines.push(values(name, value.unwrap_or(0), rate, is_loss));
    }
    lines.extend([Line::default(), title("TCP/IP (of the network namespace, all interfaces)")]);
    lines.extend(around.now.stack.iter().map(|counter| row(counter, around)));
    Page { title: "Whose drop is it?".into(), lines, width: 76, scroll }
}

fn title(text: &str) -> Line<'static> {
    Line::styled(format!(" {text}"), theme::TITLE)
}

fn row(counter: &KernelCounter, around: &Around) -> Line<'static> {
    values(&counter.name, counter.value, around.per_s(counter), counter.is_loss)
}

fn values(name: &str, value: u64, rate: Option<f64>, is_loss: bool) -> Line<'static> {
    let alarming = is_loss && rate.is_some_and(|rate| rate > 0.0);
    let (sign, style) = if alarming { ("◆", theme::WARNING) } else { (" ", theme::PLAIN) };
    let text = format!(" {sign} {name:<34}{:>20}{:>12}", format::exact(value), format::rate(rate));
    Line::styled(text, style)
}
