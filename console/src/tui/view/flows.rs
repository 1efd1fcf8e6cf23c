//! Who is connected: clients by flows, and what is on its way to them.

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
        Span::styled(" by client ", theme::FAINT),
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
        line(client).style(match (row == panel_of.selected, focused) {
            (true, true) => theme::SELECTED,
            (true, false) => theme::MARKED,
            _ => theme::PLAIN,
        })
    });
    let titles = ["flows", "sending", "recovering", "in flight", "to go"];
    let titles = titles.map(|title| Line::from(title).right_aligned());
    let heading = Row::new(std::iter::once(Line::from(" client")).chain(titles));
    let widths =
        std::iter::once(Constraint::Fill(1)).chain([6, 7, 10, 9, 7].map(Constraint::Length));
    let table = Table::new(rows, widths).column_spacing(1);
    frame.render_widget(table.header(heading.style(theme::FAINT)), list);
    frame.render_widget(summary(model), below);
}

fn line(client: &Client) -> Row<'static> {
    let flush_right = |text: String| Line::from(text).right_aligned();
    let recovering = match client.recovering {
        0 => Line::styled("0", theme::FAINT).right_aligned(),
        some => Line::styled(format!("◆ {}", format::count(some)), theme::WARNING).right_aligned(),
    };
    Row::new([
        Line::from(format!(" {}", client.name())),
        flush_right(format::count(client.flows)),
        flush_right(format::count(client.sending)),
        recovering,
        flush_right(format::bytes(client.in_flight_bytes)),
        flush_right(format::bytes(client.to_go_bytes)),
    ])
}

/// How much of it all has been seen.
fn summary(model: &Model) -> Line<'static> {
    let clients = model.flows.clients.len() as u64;
    match &model.flows.read {
        None => Line::styled(" reading the flows …", theme::FAINT),
        Some(Err(why)) => Line::styled(format!(" ✗ {why}"), theme::BAD),
        Some(Ok(read)) if read.is_cut => Line::styled(
            format!(" ◆ only the first {} flows were read", format::exact(FLOWS_READ as u64)),
            theme::WARNING,
        ),
        Some(Ok(read)) => Line::styled(
            format!(
                " {} flows of {} clients; idle ones wait for the next request",
                format::exact(read.flows.len() as u64),
                format::exact(clients)
            ),
            theme::FAINT,
        ),
    }
}

/// The flows of a client, each with what it is doing.
pub(super) fn page(model: &Model, client: ClientKey, scroll: usize) -> Page {
    let width = model.size.0.saturating_sub(4).min(110);
    let name = model.flows.clients.iter().find(|known| known.key == client).map(Client::name);
    let heading = format!(
        " {:>5}  {:<10}  {:>9}  {:>9}  {:>6}  route",
        "port", "state", "in flight", "to go", "quiet"
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
        Span::styled(format!("{sign} {:<8}", shortened_state(flow.state)), style),
        Span::raw(format!(
            "  {:>9}  {:>9}  {:>6}  {}",
            bytes(flow.in_flight_bytes),
            bytes(flow.response_bytes - flow.delivered_bytes),
            format!("{} s", flow.quiet.as_secs()),
            format::shortened(&route, width.saturating_sub(56)),
        )),
    ])
}

fn shortened_state(state: FlowState) -> &'static str {
    match state {
        FlowState::Recovering => "repairs",
        other => other.name(),
    }
}
