//! Everything about one route.

use ratatui::text::Line;

use super::{
    detail::{self, line, pieces, styled},
    popup::Page,
};
use crate::{
    promote::shown,
    server::{RouteInfo, RouteName},
    tui::{
        drift::Drift,
        format,
        model::{Inside, Model},
        rates::{MEANS_S, RouteTrend, Trend},
        theme,
        tree::fixed_name,
    },
};

/// Everything about the route of that index.
pub(super) fn page(model: &Model, index: u32, inside: &Inside, scroll: usize) -> Page {
    let Some(info) = model.route(index) else {
        let lines = vec![Line::raw(" This route has been removed.")];
        return Page { title: "Route".into(), lines, width: 40, scroll };
    };
    let title = match &info.name {
        RouteName::Path(path) => format::shortened(path.as_str(), 68),
        RouteName::Fixed(answer) => format!("{} {}", answer.status(), fixed_name(*answer)),
    };
    let reading = model.shown.routes.get(&index).copied().unwrap_or_default();
    let mut lines = vec![
        styled("hits", format::exact(reading.hits), theme::STRONG),
        line("delivered", format!("{} bytes", format::exact(reading.bytes))),
        Line::default(),
    ];
    lines.extend(rates(model, index));
    lines.push(Line::default());
    lines.extend(origin(model, info, inside));
    lines.push(Line::default());
    lines.extend(response(info));
    lines.extend(head(info, inside));
    Page { title, lines, width: 76, scroll }
}

fn response(info: &RouteInfo) -> Vec<Line<'static>> {
    let hash = format::hex(&info.body_sha256, 32);
    let head_bytes = info.response_bytes - info.body_bytes;
    let bytes = |bytes: u32| format::exact(bytes.into());
    let encodings: Vec<_> = info
        .encodings
        .iter()
        .map(|one| format!("{} {}", one.encoding.name(), bytes(one.body_bytes)))
        .collect();
    let encodings = (!encodings.is_empty()).then(|| line("also as", encodings.join(", ")));
    let mut lines = vec![
        line("status", info.status.to_string()),
        line("type", &*info.content_type),
        line("body", format!("{} bytes", bytes(info.body_bytes))),
    ];
    lines.extend(encodings);
    lines.extend([
        line(
            "response",
            format!("{} bytes, {} of them head", bytes(info.response_bytes), bytes(head_bytes)),
        ),
        line("SHA-256", hash[..32].to_owned()),
        line("", hash[32..].to_owned()),
    ]);
    lines
}

fn origin(model: &Model, info: &RouteInfo, inside: &Inside) -> Vec<Line<'static>> {
    let source = info.source.as_ref().map_or("none".into(), |source| source.display().to_string());
    let mut lines: Vec<_> = pieces(&source, 58)
        .into_iter()
        .enumerate()
        .map(|(piece, text)| line(if piece == 0 { "source" } else { "" }, text))
        .collect();
    lines.extend(drift(info, inside));
    lines.extend(info.modified.map(|modified| line("modified", format::date(modified))));
    let age = model.now.duration_since(info.added).unwrap_or_default();
    lines.push(line(
        "published",
        format!("{}, {} ago", format::date(info.added), format::duration(age)),
    ));
    if let Some(copy) = info.copy {
        let text = format!(
            "of what the server answered at {}; served for {}",
            format::time_of_day(copy.born),
            shown(copy.lifetime)
        );
        lines.push(line("copy", text));
    }
    lines.push(line("version", info.version.to_string()));
    lines.push(line("index", info.index.to_string()));
    lines
}

/// How often a route is asked for, now and over longer times.
fn rates(model: &Model, index: u32) -> [Line<'static>; 4] {
    let reading = model.shown.routes.get(&index).copied().unwrap_or_default();
    let trend = model.shown.trends.get(&index).copied().unwrap_or_else(RouteTrend::new);
    let cells = |texts: [String; 5]| {
        let texts = texts.map(|text| super::right(&text, 10));
        texts.concat()
    };
    let row = |now, trend: &Trend, text: fn(Option<f64>) -> String| {
        let [a, b, c] = trend.means();
        cells([now, a, b, c, trend.peak()].map(text))
    };
    let [a, b, c] = MEANS_S.map(|window_s| format!("{window_s} s"));
    [
        styled("", cells(["now".into(), a, b, c, "peak".into()]), theme::FAINT),
        line("hits/s", row(reading.hits_per_s, &trend.hits, format::rate)),
        line("bytes/s", row(reading.bytes_per_s, &trend.bytes, format::byte_rate)),
        styled("last 30 s", format!("  {}", format::spark(&trend.spark)), theme::REQUESTS),
    ]
}

/// Whether the file on disk is still what is served.
fn drift(info: &RouteInfo, inside: &Inside) -> Option<Line<'static>> {
    info.source.as_ref()?;
    let (text, style) = match inside.drift.as_ref()? {
        Drift::Same => ("✓ the file has the same bytes".into(), theme::GOOD),
        Drift::Changed { bytes, modified } => {
            let when = modified.map_or_else(String::new, |at| format!(", {}", format::date(at)));
            let bytes = format::exact(*bytes);
            (format!("◆ the file has changed: {bytes} bytes{when}"), theme::WARNING)
        }
        Drift::Gone => ("◆ the file is gone; what it was is still served".into(), theme::WARNING),
        Drift::Unreadable(why) => (format!("◆ the file cannot be read: {why}"), theme::WARNING),
    };
    Some(styled("on disk", text, style))
}

/// The status line and the header fields, as they are sent.
fn head(info: &RouteInfo, inside: &Inside) -> Vec<Line<'static>> {
    if info.status == 0 {
        return Vec::new();
    }
    let mut lines = vec![Line::default()];
    match &inside.head {
        None => {}
        Some(Err(why)) => lines.extend(detail::long("head", why)),
        Some(Ok(head)) => {
            for (row, field) in head.iter().enumerate() {
                lines.extend(detail::long(if row == 0 { "head" } else { "" }, field));
            }
        }
    }
    lines
}
