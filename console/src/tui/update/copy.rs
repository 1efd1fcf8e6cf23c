//! Copying the selected row, with its exact values, to the clipboard of whoever sits in front.

use crate::server::RouteName;
use crate::tui::{
    format,
    message::Effect,
    model::{Level, Model, Panel, Popup},
    tree::fixed_label,
};

/// Has the selected row copied, in words that a shell or a spreadsheet can use: name and value,
/// separated by tabs.
pub(super) fn copy(model: &mut Model, effects: &mut Vec<Effect>) {
    match row(model) {
        Some(text) => {
            let shown = format::cut(&text.replace('\t', "  "), 50);
            model.note(Level::Info, format!("copied, if the terminal allows it: {shown}"));
            effects.push(Effect::Copy(text));
        }
        None => model.note(Level::Info, "nothing is selected that could be copied"),
    }
}

fn row(model: &Model) -> Option<String> {
    match (&model.popup, model.focus) {
        (Some(Popup::Request { request, .. }), _) => Some(request.to_string()),
        (Some(Popup::Cause { cause, .. }), _) => Some(counted(model, *cause)),
        (Some(Popup::Route { index, .. }), _) => route(model, *index),
        (Some(_), _) => None,
        (None, Panel::Routes) => route(model, model.routes.selected_route()?.index),
        (None, Panel::Reasons) => {
            model.reasons.rows.get(model.reasons.selected).map(|cause| counted(model, *cause))
        }
        (None, Panel::Flows) => {
            let client = model.flows.clients.get(model.flows.selected)?;
            Some(format!(
                "{}\tflows {}\tsending {}\trecovering {}\trequests {}\trepairs {}\t\
                 in_flight_bytes {}\tto_go_bytes {}",
                client.name(),
                client.flows,
                client.sending,
                client.recovering,
                client.requests,
                client.repairs,
                client.in_flight_bytes,
                client.to_go_bytes,
            ))
        }
        (None, Panel::Requests) => {
            let requests = &model.sights.requests;
            requests.at(requests.selected).map(ToString::to_string)
        }
        (None, Panel::Rates | Panel::Cpus) => None,
    }
}

fn counted(model: &Model, cause: crate::tui::model::Cause) -> String {
    format!("{}\tcount {}", cause.name(), cause.counted(&model.shown).0)
}

fn route(model: &Model, index: u32) -> Option<String> {
    let info = model.route(index)?;
    let name = match &info.name {
        RouteName::Path(path) => path.as_str().to_owned(),
        RouteName::Fixed(answer) => fixed_label(*answer),
    };
    let reading = model.shown.routes.get(&index).copied().unwrap_or_default();
    Some(format!(
        "{name}\thits {}\tdelivered_bytes {}\tbody_bytes {}\tstatus {}\tversion {}\tsha256 {}",
        reading.hits,
        reading.bytes,
        info.body_bytes,
        info.status,
        info.version,
        format::hex(&info.body_sha256, 32),
    ))
}
