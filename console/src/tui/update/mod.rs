//! The only place where the model changes: a message comes in, wishes go out.

mod changes;
mod panels;
mod picker;
mod popups;
mod replay;

use std::{sync::Arc, time::SystemTime};

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::{
    Exit, Leaving, format,
    keys::{self, Action, Scope},
    message::{Effect, Message, ServerJob},
    model::{Health, Level, Model, Popup},
    view::areas::Areas,
};
use crate::server::{RouteInfo, Sample};

/// Changes the model by what happened, and tells what is to be done about it.
pub(crate) fn update(model: &mut Model, message: Message) -> Vec<Effect> {
    let mut effects = Vec::new();
    match message {
        Message::Key(key) if key.kind == KeyEventKind::Release => return effects,
        Message::Key(key) => on_key(model, key, &mut effects),
        Message::Paste(text) => on_text(model, &text, &mut effects),
        Message::Resize(columns, rows) => {
            model.size = (columns, rows);
            model.changed = true;
        }
        Message::Tick(now) => on_tick(model, now, &mut effects),
        Message::Sampled(outcome) => on_sample(model, outcome, &mut effects),
        Message::Routes(outcome) => on_routes(model, outcome),
        Message::Applied { planned, outcome } => {
            changes::on_applied(model, &planned, outcome, &mut effects);
        }
        Message::Played(playing) => replay::on_played(model, *playing, &mut effects),
        Message::Saved { file, outcome } => replay::on_saved(model, &file, outcome),
        Message::Listed { folder, entries } => picker::on_listed(model, &folder, entries),
        Message::Rendered { job, outcome } => changes::on_rendered(model, job, outcome),
    }
    if model.changed {
        let areas = Areas::of(model);
        model.routes.scroll(areas.route_rows());
        model.reasons.scroll(areas.reason_rows());
    }
    effects
}

fn on_key(model: &mut Model, key: KeyEvent, effects: &mut Vec<Effect>) {
    let scope = model.scope();
    let on_panel = matches!(scope, Scope::Routes | Scope::Reasons | Scope::Chart);
    let replaying = on_panel && model.leaving == Leaving::Replay;
    let played = replaying.then(|| keys::lookup(Scope::Replay, &key)).flatten();
    if let Some(action) = played.or_else(|| keys::lookup(scope, &key)) {
        model.changed = true;
        on_action(model, scope, action, effects);
    } else if scope.takes_text()
        && let KeyCode::Char(character) = key.code
        && !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT)
    {
        on_text(model, character.encode_utf8(&mut [0; 4]), effects);
    }
}

/// Typed or pasted text. Where no text is wanted, pasted text does nothing: it is no command.
fn on_text(model: &mut Model, text: &str, effects: &mut Vec<Effect>) {
    match (model.scope(), &mut model.popup) {
        (Scope::Filter, _) => {
            model.routes.filter.insert(text);
            model.routes.refilter();
        }
        (Scope::Picker, Some(Popup::Picker(open))) => picker::on_text(open, text, effects),
        (Scope::Path, Some(Popup::Path(form))) => {
            form.field.insert(text);
            form.error = None;
        }
        _ => return,
    }
    model.changed = true;
}

fn on_action(model: &mut Model, scope: Scope, action: Action, effects: &mut Vec<Effect>) {
    match action {
        Action::Quit => quit(model, effects),
        Action::Suspend => effects.push(Effect::Suspend),
        Action::Redraw => effects.push(Effect::Redraw),
        Action::Play(order) => effects.push(Effect::Server(ServerJob::Play(Some(order)))),
        Action::Save => replay::save(model, effects),
        _ if replay::refuses(model, action) => {}
        _ => match scope {
            Scope::Routes | Scope::Reasons | Scope::Chart | Scope::Replay => {
                panels::on_action(model, action, effects);
            }
            Scope::Filter => panels::on_filter_action(model, action),
            Scope::Picker => picker::on_action(model, action, effects),
            Scope::Path | Scope::Confirm | Scope::Working => {
                changes::on_action(model, action, effects);
            }
            Scope::Exit | Scope::Reading => popups::on_action(model, action, effects),
        },
    }
}

fn quit(model: &mut Model, effects: &mut Vec<Effect>) {
    match model.leaving {
        Leaving::Ask => model.popup = Some(Popup::Exit { choice: 0 }),
        Leaving::StopsServing => effects.push(Effect::Exit(Exit::Stop)),
        Leaving::Replay => effects.push(Effect::Exit(Exit::Leave)),
    }
}

fn on_tick(model: &mut Model, now: SystemTime, effects: &mut Vec<Effect>) {
    let replaying = model.leaving == Leaving::Replay;
    if !replaying {
        let before = uptime(model);
        model.now = now;
        model.changed |= uptime(model) != before;
    }
    // A sample that takes longer than a tick is waited for, not asked for again.
    if !model.sampling {
        model.sampling = true;
        let job = if replaying { ServerJob::Play(None) } else { ServerJob::Sample };
        effects.push(Effect::Server(job));
    }
}

/// How long the server has been attached, as it is shown.
pub(crate) fn uptime(model: &Model) -> String {
    format::duration(model.now.duration_since(model.identity.attached).unwrap_or_default())
}

fn on_sample(model: &mut Model, outcome: Result<Sample, String>, effects: &mut Vec<Effect>) {
    model.sampling = false;
    let sample = match outcome {
        Ok(sample) => sample,
        Err(why) => return lose(model, why),
    };
    if matches!(model.health, Health::Lost(_)) {
        model.log(Level::Info, "the server can be read again".into(), None);
    }
    model.changed |= model.health != Health::Serving;
    model.health = Health::Serving;

    if model.routes_revision != Some(sample.routes_revision) {
        model.routes_revision = Some(sample.routes_revision);
        effects.push(Effect::Server(ServerJob::Routes));
    }
    let readings = Arc::new(model.meter.read(&sample));
    let moved = differs(&readings, &model.latest);
    model.latest = Arc::clone(&readings);
    if !model.paused {
        show_latest(model);
        model.changed |= moved;
    }
}

/// Whether anything but the time of reading is new.
fn differs(a: &super::rates::Readings, b: &super::rates::Readings) -> bool {
    a.totals != b.totals
        || a.routes != b.routes
        // A chart without a curve looks the same wherever it is scrolled to.
        || (!Arc::ptr_eq(&a.history, &b.history)
            && a.history.iter().any(|point| point.requests > 0 || point.bytes > 0))
        || a.increase.map(|rise| rise.by) != b.increase.map(|rise| rise.by)
}

/// Puts the latest readings on the screen. Rows keep their order.
fn show_latest(model: &mut Model) {
    model.shown = Arc::clone(&model.latest);
    model.routes.tree.read(&model.shown);
    model.reasons.lay_out(&model.shown);
}

fn lose(model: &mut Model, why: String) {
    let health = Health::Lost(why.clone());
    if model.health != health {
        model.log(Level::Failed, format!("the server cannot be read: {why}"), None);
        model.health = health;
        model.changed = true;
        // Whatever comes back may have other routes under the same revision.
        model.routes_revision = None;
    }
}

fn on_routes(model: &mut Model, outcome: Result<Arc<[RouteInfo]>, String>) {
    match outcome {
        Ok(infos) => {
            let shown = Arc::clone(&model.shown);
            model.routes.replace(infos, &shown);
            model.changed = true;
        }
        Err(why) => {
            // Asked for again with the next sample.
            model.routes_revision = None;
            lose(model, why);
        }
    }
}
