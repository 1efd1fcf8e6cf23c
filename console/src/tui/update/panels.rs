//! Keys on the panels.

use super::{
    answers, ask_for_flows, changes, commit, misses, picker, popups, routes, show_latest, sights,
};
use crate::tui::{
    field::Field,
    keys::Action,
    message::Effect,
    model::{AnswerKind, CURVES, Level, Listed, Model, Palette, Panel, Popup},
    view::areas::Areas,
};

/// A key on whichever panel has the focus.
pub(super) fn on_action(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    match action {
        Action::NextPanel => turn(model, 1, effects),
        Action::PreviousPanel => turn(model, Panel::ALL.len() - 1, effects),
        Action::Show(panel) => show(model, panel, effects),
        Action::Pause => pause(model),
        Action::Freeze => freeze(model),
        Action::Issues => model.popup = Some(Popup::Issues { selected: 0 }),
        Action::Staged => commit::list(model, Listed::Staged, effects),
        Action::Undo => commit::undo(model, effects),
        Action::Keep => commit::keep(model, effects),
        Action::Palette => model.popup = Some(Popup::Palette(Palette::default())),
        Action::Help => model.popup = Some(Popup::Help { scroll: 0 }),
        Action::Log => popups::open_log(model, effects),
        Action::Cancel => clear(model),
        _ => match model.focus {
            Panel::Routes => on_routes(model, action, effects),
            Panel::Reasons => on_reasons(model, action, effects),
            Panel::Rates => on_chart(model, action),
            Panel::Cpus => {}
            Panel::Flows => on_flows(model, action),
            Panel::Requests => sights::on_requests(model, action),
        },
    }
}

fn turn(model: &mut Model, by: usize, effects: &mut Vec<Effect>) {
    let at = Panel::ALL.iter().position(|panel| *panel == model.focus).unwrap_or(0);
    show(model, Panel::ALL[(at + by) % Panel::ALL.len()], effects);
}

pub(super) fn show(model: &mut Model, panel: Panel, effects: &mut Vec<Effect>) {
    model.focus_on(panel);
    if !model.flows.asked && panel == Panel::Flows {
        ask_for_flows(model, effects);
    }
    sights::ask(model, effects);
}

fn freeze(model: &mut Model) {
    model.frozen = !model.frozen;
    let text = if model.frozen {
        "rows keep their order; f lets them go on"
    } else {
        "rows are ordered by what they show; f keeps them where they are"
    };
    model.note(Level::Info, text);
}

fn pause(model: &mut Model) {
    model.paused = !model.paused;
    if !model.paused {
        show_latest(model);
    }
}

fn clear(model: &mut Model) {
    let filter = match model.focus {
        Panel::Requests => &model.sights.requests.filter,
        _ => &model.routes.filter,
    };
    if filter.text().is_empty() {
        model.note = None;
    } else {
        edit_filter(model, Field::clear);
    }
}

/// Changes the filter of the panel that has the focus, and what it shows.
pub(super) fn edit_filter(model: &mut Model, edit: impl FnOnce(&mut Field)) {
    if model.focus == Panel::Requests {
        edit(&mut model.sights.requests.filter);
        model.sights.requests.lay_out();
    } else {
        edit(&mut model.routes.filter);
        model.routes.refilter();
    }
}

fn on_routes(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    let page = Areas::of(model).route_rows().max(1) as isize;
    let routes = &mut model.routes;
    match action {
        Action::Filter => routes.typing = true,
        Action::Sort => routes.sort(routes.sort.next()),
        Action::SortAgain => routes.sort(routes.sort),
        Action::FoldAll => routes.fold_all(),
        Action::Left => fold(model),
        Action::Right => unfold(model),
        Action::Enter => open(model, effects),
        Action::Add => picker::open_to_add(model, effects),
        Action::Replace => picker::open_to_replace(model, effects),
        Action::Redirect => answers::open(model, AnswerKind::Redirect),
        Action::Respond => answers::open(model, AnswerKind::Reply),
        Action::Remove => changes::ask_to_remove(model, effects),
        Action::Misses => misses::open(model, effects),
        _ => routes.step(steps(action, page)),
    }
}

/// By how many rows a key moves a selection.
pub(super) fn steps(action: Action, page: isize) -> isize {
    match action {
        Action::Up => -1,
        Action::Down => 1,
        Action::PageUp => -page,
        Action::PageDown => page,
        Action::First => isize::MIN,
        Action::Last => isize::MAX,
        _ => 0,
    }
}

fn fold(model: &mut Model) {
    let routes = &mut model.routes;
    let Some(node) = routes.selected_node() else { return };
    let key = routes.tree.at(node).key.clone();
    if routes.tree.at(node).is_folder() && routes.is_open(&key) {
        routes.open(&key, false);
    } else {
        let parent = routes.tree.parent(node).cloned();
        routes.select_key(parent.as_ref());
    }
}

fn unfold(model: &mut Model) {
    let routes = &mut model.routes;
    let Some(node) = routes.selected_node() else { return };
    let key = routes.tree.at(node).key.clone();
    if !routes.tree.at(node).is_folder() {
        return;
    }
    if routes.is_open(&key) {
        routes.step(1);
    } else {
        routes.open(&key, true);
    }
}

fn open(model: &mut Model, effects: &mut Vec<Effect>) {
    if let Some(index) = model.routes.selected_route().map(|info| info.index) {
        return routes::open(model, index, effects);
    }
    let routes = &mut model.routes;
    if let Some(node) = routes.selected_node() {
        let key = routes.tree.at(node).key.clone();
        let open = !routes.is_open(&key);
        routes.open(&key, open);
    } else {
        model.note(Level::Info, "nothing is selected; press a to publish a file");
    }
}

/// A key while a filter is typed.
pub(super) fn on_filter_action(model: &mut Model, action: Action) {
    if matches!(action, Action::Enter | Action::Cancel) {
        (model.routes.typing, model.sights.requests.typing) = (false, false);
    }
    match action {
        Action::Enter => {}
        Action::Cancel | Action::EraseAll => edit_filter(model, Field::clear),
        Action::Erase => edit_filter(model, |filter| {
            filter.backspace();
        }),
        _ if model.focus == Panel::Requests => model.sights.requests.step(steps(action, 1)),
        _ => model.routes.step(steps(action, 1)),
    }
}

fn on_reasons(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    let page = Areas::of(model).reason_rows().max(1) as isize;
    let (shown, frozen) = (std::sync::Arc::clone(&model.shown), model.frozen);
    let reasons = &mut model.reasons;
    match action {
        Action::AllReasons => {
            reasons.with_uncounted = !reasons.with_uncounted;
            reasons.lay_out(&shown, frozen);
        }
        Action::Enter => {
            if let Some(cause) = reasons.rows.get(reasons.selected).copied() {
                sights::explain(model, cause, effects);
            }
        }
        Action::Outside => model.popup = Some(Popup::Outside { scroll: 0 }),
        _ => reasons.step(steps(action, page)),
    }
}

fn on_flows(model: &mut Model, action: Action) {
    let page = Areas::of(model).flow_rows().max(1) as isize;
    let flows = &mut model.flows;
    match action {
        Action::Sort => flows.sort_next(),
        Action::Enter => {
            if let Some(client) = flows.clients.get(flows.selected) {
                model.popup = Some(Popup::Client { client: client.key, scroll: 0 });
            }
        }
        _ => flows.step(steps(action, page)),
    }
}

fn on_chart(model: &mut Model, action: Action) {
    match action {
        Action::ZoomIn => model.chart.zoom_in(),
        Action::ZoomOut => model.chart.zoom_out(),
        Action::Left => model.chart.turn(CURVES - 1),
        Action::Right => model.chart.turn(1),
        _ => {}
    }
}
