//! The routes as they are told, and a closer look at one of them.

use std::sync::Arc;

use super::lose;
use crate::{
    content::RoutePath,
    server::{RouteInfo, RouteName},
    tui::{
        drift::Drift,
        message::{Effect, FilesJob, ServerJob},
        model::{Inside, Model, Popup},
    },
};

/// The routes were read, because they changed or at the beginning.
pub(super) fn on_routes(
    model: &mut Model,
    outcome: Result<Arc<[RouteInfo]>, String>,
    effects: &mut Vec<Effect>,
) {
    let infos = match outcome {
        Ok(infos) => infos,
        Err(why) => {
            // Asked for again with the next sample.
            model.routes_revision = None;
            return lose(model, why);
        }
    };
    let shown = Arc::clone(&model.shown);
    model.routes.replace(infos, &shown);
    model.changed = true;
    if let Some(Popup::Route { index, .. }) = model.popup {
        ask(model, index, effects);
    }
}

/// Opens the details of a route.
pub(super) fn open(model: &mut Model, index: u32, effects: &mut Vec<Effect>) {
    model.popup = Some(Popup::Route { index, scroll: 0, inside: Box::default() });
    ask(model, index, effects);
}

/// Asks for what is not known of a route without looking closer.
fn ask(model: &Model, index: u32, effects: &mut Vec<Effect>) {
    let Some(info) = model.route(index).filter(|_| model.replay.is_none()) else { return };
    if let RouteName::Path(path) = &info.name {
        effects.push(Effect::Server(ServerJob::Head(path.clone())));
    }
    if info.source.is_some() {
        effects.push(Effect::Files(FilesJob::Compare(Box::new(info.clone()))));
    }
}

/// The route whose details are open, if they are, and what is known of it.
fn inside(model: &mut Model) -> Option<(u32, &mut Inside)> {
    match &mut model.popup {
        Some(Popup::Route { index, inside, .. }) => Some((*index, inside)),
        _ => None,
    }
}

/// The head of a response was read, or could not be.
pub(super) fn on_head(model: &mut Model, path: &RoutePath, lines: &Result<Vec<String>, String>) {
    let asked = model.route_at(path.as_str()).map(|info| info.index);
    let Some((index, inside)) = inside(model) else { return };
    if asked == Some(index) {
        inside.head = Some(lines.clone());
        model.changed = true;
    }
}

/// A file was compared with what is served.
pub(super) fn on_compared(model: &mut Model, compared: u32, drift: Drift) {
    let Some((index, inside)) = inside(model) else { return };
    if compared == index {
        inside.drift = Some(drift);
        model.changed = true;
    }
}
