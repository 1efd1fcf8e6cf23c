//! The routes as they are told, and a closer look at one of them.

use std::{collections::BTreeMap, sync::Arc, time::SystemTime};

use super::lose;
use crate::{
    content::RoutePath,
    server::{RouteInfo, RouteName},
    tui::{
        drift::Drift,
        message::{Effect, FilesJob, ServerJob},
        model::{Inside, Level, Model, Popup},
    },
};

/// So many changes by others are named each.
const TOLD_ONE_BY_ONE: usize = 3;

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
    tell_changes(model, &infos);
    let shown = Arc::clone(&model.shown);
    model.routes.replace(infos, &shown);
    model.changed = true;
    if let Some(Popup::Route { index, .. }) = model.popup {
        ask(model, index, effects);
    }
}

/// Logs what others have changed since the routes were read last.
fn tell_changes(model: &mut Model, infos: &[RouteInfo]) {
    let own = std::mem::take(&mut model.changes.own);
    // At the beginning nothing has changed, and a recording tells its actions itself.
    if model.routes.infos.is_empty() || model.replay.is_some() {
        return;
    }
    let changes = changes(&model.routes.infos, infos);
    let others: Vec<_> = changes.into_iter().filter(|(path, _)| !own.contains(path)).collect();
    let text = match &others[..] {
        [] => return,
        several if several.len() > TOLD_ONE_BY_ONE => {
            format!("changed elsewhere: {} routes", several.len())
        }
        few => {
            let few: Vec<_> = few.iter().map(|(path, what)| format!("{what} {path}")).collect();
            format!("changed elsewhere: {}", few.join(", "))
        }
    };
    model.mark(text.clone());
    model.log(Level::Info, text, None);
}

/// What was done to which path between two readings.
fn changes(old: &[RouteInfo], new: &[RouteInfo]) -> Vec<(RoutePath, &'static str)> {
    // A copy that was refreshed and has not changed is the same to whoever reads it.
    let version = |info: &RouteInfo| match info.copy {
        Some(_) => (0, SystemTime::UNIX_EPOCH, info.body_sha256),
        None => (info.version, info.added, [0; 32]),
    };
    let by_path = |infos: &[RouteInfo]| -> BTreeMap<RoutePath, _> {
        let paths = infos.iter().filter_map(|info| match &info.name {
            RouteName::Path(path) => Some((path.clone(), version(info))),
            RouteName::Fixed(_) => None,
        });
        paths.collect()
    };
    let (old, new) = (by_path(old), by_path(new));
    let removed = old.keys().filter(|path| !new.contains_key(*path));
    let removed = removed.map(|path| (path.clone(), "removed"));
    let others = new.iter().filter_map(|(path, version)| match old.get(path) {
        None => Some((path.clone(), "added")),
        Some(before) if before != version => Some((path.clone(), "replaced")),
        Some(_) => None,
    });
    removed.chain(others).collect()
}

/// Opens the details of a route.
pub(super) fn open(model: &mut Model, index: u32, effects: &mut Vec<Effect>) {
    model.popup = Some(Popup::Route { index, scroll: 0, inside: Box::default() });
    ask(model, index, effects);
}

/// Asks for what is not known of a route without looking closer.
fn ask(model: &Model, index: u32, effects: &mut Vec<Effect>) {
    let Some(info) = model.route(index).filter(|_| model.replay.is_none()) else { return };
    // Without a status it is no HTTP, and has no head.
    if info.status != 0 {
        effects.push(Effect::Server(ServerJob::Head(info.name.clone())));
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
pub(super) fn on_head(model: &mut Model, route: &RouteName, lines: &Result<Vec<String>, String>) {
    let asked = model.routes.infos.iter().find(|info| info.name == *route).map(|info| info.index);
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
