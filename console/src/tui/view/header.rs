//! The top of the screen: whose server this is, whether it serves, and how fast.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::Style,
    text::{Line, Span},
};
use zeroserve_shared::counters::Counters;

use super::{areas::Areas, pair};
use crate::tui::{
    format,
    model::{Health, Model, Panel},
    theme,
    update::uptime,
};

pub(super) fn draw(model: &Model, areas: &Areas, frame: &mut Frame<'_>) {
    state(model, frame, areas.state);
    if areas.alarm.height > 0 {
        alarm(model, frame, areas.alarm);
    }
    tiles(model, frame, areas.tiles);
    if let Some(area) = areas.tabs {
        tabs(model, frame, area);
    }
}

fn state(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let (sign, style) = match model.health {
        Health::Waiting => (" ○ WAITING ", theme::WARNING),
        Health::Serving => (" ● SERVING ", theme::GOOD),
        Health::Lost(_) => (" ✗ LOST ", theme::BAD),
    };
    let (sign, style) = match &model.replay {
        Some(playing) if playing.paused => (" ‖ REPLAY ", theme::WARNING),
        Some(_) => (" ▸ REPLAY ", theme::WARNING),
        None => (sign, style),
    };
    let identity = &model.identity;
    let mode = match &identity.driver {
        Some(driver) => format!("{} ({driver})", identity.mode),
        None => identity.mode.to_owned(),
    };
    let mut spans = vec![
        Span::styled(sign, style),
        Span::styled(format!(" {} ", identity.interface), theme::STRONG),
        Span::raw(" "),
    ];
    if let Some(playing) = &model.replay {
        spans.push(Span::styled(format::date(playing.at), theme::STRONG));
        let (position, length) =
            (format::duration(playing.position), format::duration(playing.length));
        spans.push(Span::raw(format!("   {position} of {length}   ×{}   ", playing.speed)));
    }
    spans.extend(pair("mode", mode, theme::PLAIN));
    spans.extend(pair("program", identity.program_id.to_string(), theme::PLAIN));
    spans.extend(pair("port", identity.port.to_string(), theme::PLAIN));
    spans.extend(pair("up", uptime(model), theme::PLAIN));
    if area.width >= 120 {
        let routes = model.routes.infos.len() as u64;
        let routes = format!(
            "{} of {}",
            format::exact(routes),
            format::exact(identity.route_capacity.into())
        );
        spans.extend(pair("routes", routes, theme::PLAIN));
    }
    frame.render_widget(Line::from(spans), area);
    if model.paused {
        frame.render_widget(Line::styled(" PAUSED ", theme::SELECTED).right_aligned(), area);
    }
}

/// What must not be overlooked: the server is lost, or faults are being counted.
fn alarm(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let text = if let Health::Lost(why) = &model.health {
        format!(" ✗ {why} (values are the last known)")
    } else {
        let faults: Vec<_> = model
            .rising_faults()
            .into_iter()
            .map(|(cause, per_s)| format!("{} {}", cause.name(), format::rate(Some(per_s))))
            .collect();
        format!(" ▲ FAULT  {}", faults.join(", "))
    };
    let text = format!("{text:<width$}", width = area.width.into());
    frame.render_widget(Line::styled(text, theme::ALARM), area);
}

/// One figure of the header.
struct Tile {
    name: &'static str,
    /// The figure, from the counters.
    pick: fn(&Counters) -> u64,
    is_bytes: bool,
    style: Style,
}

const TILES: [Tile; 6] = [
    Tile { name: "requests", pick: |c| c.requests, is_bytes: false, style: theme::REQUESTS },
    Tile { name: "bytes out", pick: |c| c.bytes_out, is_bytes: true, style: theme::BYTES },
    Tile { name: "packets in", pick: |c| c.packets_in, is_bytes: false, style: theme::PLAIN },
    Tile { name: "packets out", pick: |c| c.packets_out, is_bytes: false, style: theme::PLAIN },
    Tile { name: "new flows", pick: |c| c.flows_created, is_bytes: false, style: theme::PLAIN },
    Tile { name: "ended flows", pick: |c| c.flows_removed, is_bytes: false, style: theme::PLAIN },
];

fn tiles(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    // On a high screen a blank line sets the figures apart.
    let area = if area.height >= 4 { Rect { y: area.y + 1, height: 3, ..area } } else { area };
    let columns = area.layout::<6>(&Layout::horizontal([Constraint::Fill(1); 6]));
    for (tile, column) in TILES.iter().zip(columns) {
        let rate = model.shown.per_s(tile.pick);
        let rate = if tile.is_bytes { format::byte_rate(rate) } else { format::rate(rate) };
        let total = model.shown.total(tile.pick).map_or_else(
            || format::NONE.into(),
            |total| if tile.is_bytes { format::bytes(total) } else { format::count(total) },
        );
        let bold = tile.style.patch(theme::STRONG);
        let lines = [
            Line::styled(format!(" {}", tile.name), theme::FAINT),
            Line::styled(format!(" {rate}"), bold),
            Line::styled(format!(" {total} in all"), theme::FAINT),
        ];
        for (line, row) in lines.into_iter().zip(column.rows()) {
            frame.render_widget(line, row);
        }
    }
}

fn tabs(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let mut spans = Vec::new();
    for (number, panel) in Panel::ALL.iter().enumerate() {
        let style = if *panel == model.focus { theme::SELECTED } else { theme::PLAIN };
        spans.push(Span::raw(" "));
        spans.push(Span::styled(format!(" {} {} ", number + 1, panel.title()), style));
    }
    frame.render_widget(Line::from(spans), area);
}
