//! Requests as they are answered, those that were seen.

use ratatui::{
    Frame,
    layout::{Constraint, Rect},
    text::{Line, Span},
    widgets::{Row, Table},
};

use super::{detail, panel, popup::Page};
use crate::{
    observe::Request,
    server::RouteName,
    tui::{
        format,
        model::{Model, Panel},
        theme,
        tree::fixed_name,
    },
};

/// From this width on, times have milliseconds and clients their ports.
const ROOMY: u16 = 110;

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let requests = &model.sights.requests;
    let mut title = vec![
        Span::styled(" Requests ", theme::TITLE),
        Span::styled(" a sample, newest first ", theme::FAINT),
    ];
    if requests.typing || !requests.filter.text().is_empty() {
        let cursor = if requests.typing { "█" } else { "" };
        let filter = format!(" filter: {}{cursor} ", requests.filter.text());
        title.push(Span::styled(filter, theme::WARNING));
    }
    let mut block = panel(model, Panel::Requests, Line::from(title));
    if !requests.rows.is_empty() {
        let (row, rows) = (requests.selected as u64 + 1, requests.rows.len() as u64);
        let text = format!(" {} of {} ", format::exact(row), format::exact(rows));
        block = block.title_bottom(Line::styled(text, theme::FAINT).right_aligned());
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);

    let roomy = inner.width >= ROOMY;
    // The path takes what is left.
    let columns = if roomy { [13, 45, 7, 0, 4, 7, 24] } else { [9, 15, 6, 0, 4, 7, 14] };
    let path_width = inner.width.saturating_sub(columns.iter().sum::<u16>() + 6).into();
    let focused = model.focus == Panel::Requests;
    let height = usize::from(inner.height.saturating_sub(1));
    let seen = (requests.offset..requests.rows.len()).take(height);
    let rows = seen.filter_map(|row| {
        let style = match (row == requests.selected, focused) {
            (true, true) => theme::SELECTED,
            (true, false) => theme::MARKED,
            _ => theme::PLAIN,
        };
        Some(line(model, requests.at(row)?, roomy, path_width).style(style))
    });
    let heading = Row::new([
        Line::from(" time"),
        Line::from("client"),
        Line::from("method"),
        Line::from("path"),
        Line::from("code").right_aligned(),
        Line::from("bytes").right_aligned(),
        Line::from("outcome"),
    ]);
    let table = Table::new(
        rows,
        columns.map(|width| match width {
            0 => Constraint::Fill(1),
            width => Constraint::Length(width),
        }),
    );
    let table = table.column_spacing(1);
    frame.render_widget(table.header(heading.style(theme::FAINT)), inner);
    if requests.rows.is_empty() {
        let row = Rect { y: inner.y + inner.height / 2, height: 1, ..inner };
        frame.render_widget(empty(model).centered(), row);
    }
}

fn empty(model: &Model) -> Line<'static> {
    let requests = &model.sights.requests;
    let text = if model.replay.is_some() {
        "single requests are not recorded"
    } else if let Some(why) = &requests.trouble {
        return Line::styled(format!("✗ {why}"), theme::BAD);
    } else if requests.len() > 0 {
        "no request seen lately contains this; Esc clears the filter"
    } else {
        "no request has been seen yet"
    };
    Line::styled(text, theme::FAINT)
}

fn line(model: &Model, request: &Request, roomy: bool, path_width: usize) -> Row<'static> {
    let (method, path) = parts(request);
    let (outcome, is_well) = outcome(model, request);
    let (sign, style) = if is_well { ("✓", theme::PLAIN) } else { ("◆", theme::WARNING) };
    let (time, client) = if roomy {
        (format::time_of_day_ms(request.time), request.client.to_string())
    } else {
        (format::time_of_day(request.time), request.client.ip().to_string())
    };
    Row::new([
        Line::styled(format!(" {time}"), theme::FAINT),
        Line::raw(client),
        Line::raw(method.to_owned()),
        Line::raw(format::shortened(path, path_width)),
        Line::styled(status(request), style).right_aligned(),
        Line::raw(format::bytes(request.bytes.into())).right_aligned(),
        Line::styled(format!("{sign} {outcome}"), style),
    ])
}

/// Method and path of the request line, as far as it is one.
fn parts(request: &Request) -> (&str, &str) {
    let mut words = request.line.split(' ');
    match (words.next(), words.next()) {
        (Some(method), Some(path)) if method.len() <= 7 => (method, path),
        _ => ("", &request.line),
    }
}

/// Of what is no HTTP the answer has no status.
fn status(request: &Request) -> String {
    match request.status {
        0 => format::NONE.to_owned(),
        status => status.to_string(),
    }
}

/// What came of it, and whether that is well.
fn outcome(model: &Model, request: &Request) -> (String, bool) {
    if let Some(refusal) = request.refusal {
        return (refusal.name().into(), false);
    }
    let fixed = model.route(request.route).and_then(|info| match info.name {
        RouteName::Fixed(answer) => Some(answer),
        RouteName::Path(_) => None,
    });
    match (request.status, fixed) {
        (status, Some(answer)) => (fixed_name(answer).to_lowercase(), status < 400),
        (304, None) => ("not modified".into(), true),
        (206, None) => ("in part".into(), true),
        (416, None) => ("no such part".into(), false),
        (300..400, None) => ("redirected".into(), true),
        (status, None) => ("served".into(), status < 400),
    }
}

/// Everything about one request.
pub(super) fn page(model: &Model, request: &Request, scroll: usize) -> Page {
    let (outcome, is_well) = outcome(model, request);
    let (sign, style) = if is_well { ("✓", theme::GOOD) } else { ("◆", theme::WARNING) };
    let route =
        model.route(request.route).map_or("removed since".into(), |info| match &info.name {
            RouteName::Path(path) => path.as_str().to_owned(),
            RouteName::Fixed(answer) => format!("{} {}", answer.status(), fixed_name(*answer)),
        });
    let mut lines = vec![
        detail::styled("outcome", format!("{sign} {outcome}"), style),
        detail::line("status", status(request)),
        detail::line("answer", format!("{} bytes", format::exact(request.bytes.into()))),
        detail::line("day", format::date(request.time)[..11].to_owned()),
        detail::line("time", format::time_of_day_ms(request.time)),
        detail::line("client", request.client.to_string()),
        detail::line("server", request.server.to_string()),
    ];
    lines.extend(detail::long("request line", &request.line));
    lines.extend(detail::long("answered by", &route));
    if let Some(refusal) = request.refusal {
        lines.push(Line::default());
        lines.extend(detail::long("why", refusal.explanation()));
    }
    Page { title: "Request (times are UTC)".into(), lines, width: 76, scroll }
}
