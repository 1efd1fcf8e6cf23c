//! The top of the screen: whose server this is, whether it serves, how fast, and what is wrong.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};
use unicode_width::UnicodeWidthStr as _;
use zeroserve_shared::reason::Severity;

use super::{areas::Areas, figures, pair};
use crate::{
    server::Usage,
    tui::{
        format,
        model::{Health, Issue, Model, Panel},
        theme,
        update::uptime,
    },
};

pub(super) fn draw(model: &Model, areas: &Areas, frame: &mut Frame<'_>) {
    state(model, frame, areas.state);
    facts(model, frame, areas.facts);
    if areas.alarm.height > 0 {
        alarm(model, frame, areas.alarm);
    }
    figures::draw(model, frame, areas.figures);
    tabs(model, frame, areas.tabs);
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
    let interface = model.shown_around.now.interface.as_ref();
    let mode = interface.and_then(|interface| interface.mode).unwrap_or(identity.mode);
    let mode = match &identity.driver {
        Some(driver) => format!("{mode} ({driver})"),
        None => mode.to_owned(),
    };
    let program = model.shown_around.now.program_id.unwrap_or(identity.program_id);
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
    spans.extend(pair("program", program.to_string(), theme::PLAIN));
    let port = format!(
        "{} → {}",
        identity.port,
        identity.misses(model.shown_around.now.listener.as_deref())
    );
    spans.extend(pair("port", port, theme::PLAIN));
    spans.extend(pair("up", uptime(model), theme::PLAIN));
    frame.render_widget(Line::from(spans), area);
}

/// What there is, what a packet costs, and what the console does. What is last is left out where
/// there is no room for it.
fn facts(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let around = &model.shown_around;
    let of = |used: u64, capacity: u64| {
        format!("{} of {}", format::exact(used), format::exact(capacity))
    };
    let flows = around
        .now
        .flows
        .map_or(format::NONE.into(), |usage: Usage| of(usage.used.into(), usage.capacity.into()));
    let cost = around.ns_per_packet().map_or_else(|| "not measured (m)".into(), format::exact);
    let routes = of(model.published().into(), model.identity.route_capacity.into());
    let pairs = [
        ("flows", flows),
        ("ns/packet", cost),
        ("console", format!("{} CPU", format::share(model.own_cost.share()))),
        ("routes", routes),
    ];
    let mut spans = vec![Span::raw(" ")];
    let mut room = usize::from(area.width).saturating_sub(1 + marks_width(model));
    for (name, value) in pairs {
        let Some(rest) = room.checked_sub(name.width() + value.width() + 4) else { break };
        room = rest;
        spans.extend(pair(name, value, theme::PLAIN));
    }
    frame.render_widget(Line::from(spans), area);
    let marks = marks(model).into_iter().map(|mark| Span::styled(mark, theme::SELECTED));
    frame.render_widget(Line::from_iter(marks).right_aligned(), area);
}

/// What somebody did to the screen and should not forget.
fn marks(model: &Model) -> Vec<String> {
    let staged = model.changes.staged.len();
    let staged = (staged > 0).then(|| format!(" {staged} STAGED "));
    let frozen = model.frozen.then(|| " ROWS FROZEN ".to_owned());
    let paused = model.paused.then(|| " PAUSED ".to_owned());
    let read_only = model.pen.as_ref().map(|holder| format!(" READ-ONLY: {} ", holder.user));
    [read_only, staged, frozen, paused].into_iter().flatten().collect()
}

fn marks_width(model: &Model) -> usize {
    marks(model).iter().map(|mark| mark.width()).sum()
}

/// What must not be overlooked: the server is lost, faults are being counted, or something around
/// the server is odd.
fn alarm(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let issues = model.issues();
    let worst = issues.first().map_or(Severity::Fault, Issue::severity);
    let (sign, _, style) = theme::severity(worst);
    let style = if worst == Severity::Fault { theme::ALARM } else { style };
    let text = if let Health::Lost(why) = &model.health {
        format!(" ✗ {why} (values are the last known)")
    } else {
        let word = match worst {
            Severity::Fault => "FAULT",
            Severity::Refused => "WARNING",
            Severity::Normal => "NOTE",
        };
        let names = issues.iter().map(|issue| match issue {
            Issue::Fault(cause, per_s) => {
                format!("{} {}", cause.name(), format::rate(Some(*per_s)))
            }
            Issue::Lint(lint) => lint.name().to_owned(),
        });
        let names: Vec<_> = names.collect();
        let names = format::cut(&names.join(", "), usize::from(area.width).saturating_sub(26));
        format!(" {sign} {word}  {names}   (i explains)")
    };
    let width = usize::from(area.width);
    frame.render_widget(Line::styled(format!("{text:<width$}"), style), area);
}

/// The text of a panel's tab.
fn tab(number: usize, panel: Panel) -> String {
    format!(" {} {} ", number + 1, panel.title())
}

/// Which panel's tab is in that column.
pub(crate) fn tab_at(column: u16) -> Option<Panel> {
    let mut end = 0;
    let mut tabs = Panel::ALL.into_iter().enumerate();
    tabs.find(|(number, panel)| {
        // A space before each.
        end += 1 + tab(*number, *panel).width();
        usize::from(column) < end
    })
    .map(|(_, panel)| panel)
}

fn tabs(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let mut spans = Vec::new();
    for (number, panel) in Panel::ALL.iter().enumerate() {
        let style = if *panel == model.focus { theme::SELECTED } else { theme::PLAIN };
        spans.push(Span::raw(" "));
        spans.push(Span::styled(tab(number, *panel), style));
    }
    frame.render_widget(Line::from(spans), area);
}
