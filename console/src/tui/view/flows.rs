//! Who is connected: clients by flows, and what is on its way to them.

use std::time::Duration;

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::{Line, Span},
    widgets::{Row, Table},
};

use super::{panel, popup::Page};
use crate::{
    server::{FlowInfo, FlowState, RouteName},
    tui::{
        format,
        model::{Client, ClientKey, FLOWS_READ, Model, Panel},
        theme,
    },
};

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let panel_of = &model.flows;
    let title = Line::from(vec![
        Span::styled(" Flows ", theme::TITLE),
        Span::styled(" open connections per client ", theme::FAINT),
        Span::styled(format!(" by {} ", panel_of.sort.column()), theme::ACCENT),
    ]);
    let block = panel(model, Panel::Flows, title);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let [list, below] =
        inner.layout(&Layout::vertical([Constraint::Fill(1), Constraint::Length(1)]));
    let focused = model.focus == Panel::Flows;
    let height = list.height.saturating_sub(1).into();
    let seen = panel_of.clients.iter().enumerate().skip(panel_of.offset).take(height);
    let rows = seen.map(|(row, client)| {
        line(client, panel_of.span).style(match (row == panel_of.selected, focused) {
            (true, true) => theme::SELECTED,
            (true, false) => theme::MARKED,
            _ => theme::PLAIN,
        })
    });
    let titles = ["flows", "requests", "bytes/s", "repairs", "in flight"];
    let titles = titles.map(|title| Line::from(title).right_aligned());
    let heading = Row::new(std::iter::once(Line::from(" client")).chain(titles));
    let widths =
        std::iter::once(Constraint::Fill(1)).chain([6, 8, 9, 8, 9].map(Constraint::Length));
    let table = Table::new(rows, widths).column_spacing(1);
    frame.render_widget(table.header(heading.style(theme::FAINT)), list);
    frame.render_widget(summary(model), below);
}

fn line(client: &Client, span: Duration) -> Row<'static> {
    let flush_right = |text: String| Line::from(text).right_aligned();
    let repairs = match (client.repairs, client.recovering) {
        (0, 0) => Line::styled("0", theme::FAINT),
        (sum, 0) => Line::from(format::count(sum)),
        (sum, _) => Line::styled(format!("◆ {}", format::count(sum)), theme::WARNING),
    };
    let per_s = (!span.is_zero()).then(|| client.delivered_bytes as f64 / span.as_secs_f64());
    Row::new([
        Line::from(format!(" {}", client.name())),
        flush_right(format::count(client.flows)),
        flush_right(format::count(client.requests)),
        flush_right(format::byte_rate(per_s)),
        repairs.right_aligned(),
        flush_right(format::bytes(client.in_flight_bytes)),
    ])
}

/// How much of it all has been seen.
fn summary(model: &Model) -> Line<'static> {
    let clients = model.flows.clients.len() as u64;
    let sum = |pick: fn(&Client) -> u64| model.flows.clients.iter().map(pick).sum();
    match &model.flows.read {
        None => Line::styled(" reading the flows …", theme::FAINT),
        Some(Err(why)) => Line::styled(format!(" ✗ {why}"), theme::BAD),
        Some(Ok(read)) if read.is_cut => Line::styled(
            format!(" ◆ only the first {} flows were read", format::exact(FLOWS_READ as u64)),
            theme::WARNING,
        ),
        Some(Ok(read)) => Line::styled(
            format!(
                " {} of {}: {} sending, {} recovering",
                counted(read.flows.len() as u64, "flow"),
                counted(clients, "client"),
                format::exact(sum(|client| client.sending)),
                format::exact(sum(|client| client.recovering)),
            ),
            theme::FAINT,
        ),
    }
}

fn counted(count: u64, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {what}{ending}", format::exact(count))
}

/// The flows of a client, each with what it is doing.
pub(super) fn page(model: &Model, client: ClientKey, scroll: usize) -> Page {
    let width = model.size.0.saturating_sub(4).min(110);
    let name = model.flows.clients.iter().find(|known| known.key == client).map(Client::name);
    let heading = format!(
        " {:>5}  {:<9} {:>8} {:>7} {:>9} {:>7} {:>5}  route",
        "port", "state", "requests", "repairs", "in flight", "to go", "quiet"
    );
    let mut lines = vec![Line::styled(heading, theme::FAINT)];
    lines.extend(
        model.flows.flows_of(client).iter().map(|flow| flow_line(model, flow, width.into())),
    );
    if lines.len() == 1 {
        lines.push(Line::styled(" This client has no flows any more.", theme::FAINT));
    }
    let title = format!("Flows of {}", name.unwrap_or_else(|| client.0.to_string()));
    Page { title, lines, width, scroll }
}

fn flow_line(model: &Model, flow: &FlowInfo, width: usize) -> Line<'static> {
    let (sign, style) = match flow.state {
        FlowState::Recovering => ("◆", theme::WARNING),
        FlowState::Sending => ("●", theme::GOOD),
        FlowState::Idle | FlowState::HandedOff => ("·", theme::FAINT),
    };
    let route = model.route(flow.route).map_or(String::new(), |info| match &info.name {
        RouteName::Path(path) => path.as_str().to_owned(),
        RouteName::Fixed(answer) => answer.status().to_string(),
    });
    let bytes = |bytes: u32| match flow.state {
        FlowState::Idle | FlowState::HandedOff => format::NONE.to_owned(),
        _ => format::bytes(bytes.into()),
    };
    Line::from(vec![
        Span::raw(format!(" {:>5}  ", flow.client.port())),
        Span::styled(format!("{sign} {:<7}", shortened_state(flow.state)), style),
        Span::raw(format!(
            " {:>8} {:>7} {:>9} {:>7} {:>5}  {}",
            format::count(flow.requests.into()),
            format::count(flow.repairs.into()),
            bytes(flow.in_flight_bytes),
            bytes(flow.response_bytes - flow.delivered_bytes),
            format!("{} s", flow.quiet.as_secs()),
            format::shortened(&route, width.saturating_sub(62)),
        )),
    ])
}

fn shortened_state(state: FlowState) -> &'static str {
    match state {
        FlowState::Recovering => "repairs",
        other => other.name(),
    }
}
