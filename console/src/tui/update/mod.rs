//! The only place where the model changes: a message comes in, wishes go out.

mod answers;
mod changes;
mod commit;
mod copy;
mod misses;
mod mouse;
mod palette;
mod panels;
mod pen;
mod picker;
mod popups;
mod replay;
mod routes;
mod sights;

pub(crate) use self::commit::leave;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::{
    Exit, Leaving, format,
    keys::{self, Action, Scope},
    message::{Effect, Message, ServerJob},
    model::{FLOWS_READ, Health, Level, Model, Popup, scrolled},
    rates::Trend,
    view::areas::Areas,
};
use crate::server::{Flows, Sample, Surroundings};

/// Ticks from one look around to the next.
const LOOK_AROUND_TICKS: u64 = 8;

/// Ticks from one reading of the flows to the next.
const FLOWS_TICKS: u64 = 4;

/// Changes the model by what happened, and tells what is to be done about it.
pub(crate) fn update(model: &mut Model, message: Message) -> Vec<Effect> {
    let mut effects = Vec::new();
    match message {
        Message::Key(key) if key.kind == KeyEventKind::Release => return effects,
        Message::Key(key) => on_key(model, key, &mut effects),
        Message::Paste(text) => on_text(model, &text, &mut effects),
        Message::Mouse { mouse, column, row } => {
            mouse::on_mouse(model, mouse, column, row, &mut effects);
        }
        Message::Resize(columns, rows) => {
            model.size = (columns, rows);
            model.changed = true;
        }
        Message::Tick(now) => on_tick(model, now, &mut effects),
        Message::Spent { at, cpu } => on_spent(model, at, cpu),
        Message::Sampled(outcome) => on_sample(model, outcome, &mut effects),
        Message::LookedAround(outcome) => on_looked_around(model, outcome, &mut effects),
        Message::Settled(outcome) => pen::on_settled(model, outcome, &mut effects),
        Message::Flows(outcome) => on_flows(model, outcome),
        Message::Observed(outcome) => sights::on_observed(model, outcome),
        Message::Exported { file, outcome } => sights::on_exported(model, &file, outcome),
        Message::Routes(outcome) => routes::on_routes(model, outcome, &mut effects),
        Message::Head { route, lines } => {
            routes::on_head(model, &route, &lines);
            changes::on_head(model, &route, lines);
        }
        Message::Compared { index, drift } => routes::on_compared(model, index, drift),
        Message::Committed(committed) => commit::on_committed(model, *committed, &mut effects),
        Message::Measured(outcome) => on_measured(model, outcome, &mut effects),
        Message::Kept { too_late } => commit::on_kept(model, too_late, &mut effects),
        Message::Played(playing) => replay::on_played(model, *playing, &mut effects),
        Message::Saved { file, outcome } => replay::on_saved(model, &file, outcome),
        Message::Misses(read) => misses::on_misses(model, read),
        Message::Origin { job, wish, origin } => {
            misses::on_origin(model, job, wish, origin, &mut effects);
        }
        Message::Examined { job, outcome } => {
            misses::on_examined(model, job, outcome, &mut effects);
        }
        Message::Listed { folder, entries } => {
            picker::on_listed(model, &folder, entries, &mut effects)
        }
        Message::History(entries) => popups::on_history(model, entries),
        Message::Rendered { job, outcome } => {
            changes::on_rendered(model, job, outcome, &mut effects);
        }
    }
    if model.changed {
        let areas = Areas::of(model);
        model.routes.scroll(areas.route_rows());
        model.reasons.scroll(areas.reason_rows());
        let requests = &mut model.sights.requests;
        let height = areas.request_rows();
        requests.offset = scrolled(requests.offset, requests.selected, requests.rows.len(), height);
        let flows = &mut model.flows;
        let height = areas.flow_rows();
        flows.offset = scrolled(flows.offset, flows.selected, flows.clients.len(), height);
    }
    effects
}

fn on_key(model: &mut Model, key: KeyEvent, effects: &mut Vec<Effect>) {
    let scope = model.scope();
    let replaying = scope.is_panel() && model.leaving == Leaving::Replay;
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
        (Scope::Filter, _) => panels::edit_filter(model, |filter| filter.insert(text)),
        (Scope::Picker, Some(Popup::Picker(open))) => picker::on_text(open, text, effects),
        (Scope::Palette, Some(Popup::Palette(open))) => palette::on_text(open, text),
        (Scope::Answer, Some(Popup::Answer(form))) => {
            form.field().insert(text);
            form.error = None;
        }
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
        Action::Measure => {
            effects.push(Effect::Server(ServerJob::Measure(!model.measuring)));
        }
        Action::Copy => copy::copy(model, effects),
        Action::Mouse => {
            model.mouse = !model.mouse;
            let whose = if model.mouse { "the console's" } else { "the terminal's" };
            model.note(Level::Info, format!("the mouse is {whose} now"));
            effects.push(Effect::Mouse(model.mouse));
        }
        Action::Save => replay::save(model, effects),
        _ if pen::refuses(model, action) => {}
        _ => match scope {
            Scope::Routes
            | Scope::Reasons
            | Scope::Rates
            | Scope::Cpus
            | Scope::Flows
            | Scope::Requests
            | Scope::Replay => {
                panels::on_action(model, action, effects);
            }
            Scope::Filter => panels::on_filter_action(model, action),
            Scope::Palette => palette::on_action(model, action, effects),
            Scope::Picker => picker::on_action(model, action, effects),
            Scope::Path | Scope::Confirm | Scope::Working => {
                changes::on_action(model, action, effects);
            }
            Scope::Answer => answers::on_action(model, action, effects),
            Scope::Exit
            | Scope::Reading
            | Scope::Cause
            | Scope::Issues
            | Scope::Misses
            | Scope::Staged
            | Scope::Undo => popups::on_action(model, action, effects),
        },
    }
}

fn quit(model: &mut Model, effects: &mut Vec<Effect>) {
    match model.leaving {
        // What becomes of the server is not up to who only reads.
        Leaving::Ask if model.pen.is_some() => effects.push(Effect::Exit(Exit::Leave)),
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
        // A countdown goes on while a screen is paused.
        model.changed |= model.changes.trial.is_some();
        commit::on_time(model, effects);
    }
    // A sample that takes longer than a tick is waited for, not asked for again.
    if !model.sampling {
        model.sampling = true;
        let job = if replaying { ServerJob::Play(None) } else { ServerJob::Sample };
        effects.push(Effect::Server(job));
    }
    if !model.looking_around && model.ticks.is_multiple_of(LOOK_AROUND_TICKS) {
        model.looking_around = true;
        effects.push(Effect::Server(ServerJob::LookAround));
    }
    if !model.flows.asked && model.ticks.is_multiple_of(FLOWS_TICKS) {
        ask_for_flows(model, effects);
    }
    sights::ask(model, effects);
    misses::ask_now_and_then(model, effects);
    model.ticks += 1;
}

/// Flows cost more to read than counters, so they are read only while somebody looks.
fn ask_for_flows(model: &mut Model, effects: &mut Vec<Effect>) {
    let looks =
        Areas::of(model).flows.is_some() || matches!(model.popup, Some(Popup::Client { .. }));
    if looks && !model.paused {
        model.flows.asked = true;
        effects.push(Effect::Server(ServerJob::Flows(FLOWS_READ)));
    }
}

fn on_spent(model: &mut Model, at: Duration, cpu: Duration) {
    let before = model.own_cost.share();
    model.own_cost.push(at, cpu);
    model.changed |= format::share(before) != format::share(model.own_cost.share());
}

fn on_looked_around(
    model: &mut Model,
    outcome: Result<Box<Surroundings>, String>,
    effects: &mut Vec<Effect>,
) {
    model.looking_around = false;
    // Whoever cannot look around cannot sample either, and that is said.
    let Ok(around) = outcome else { return };
    pen::on_told(model, around.pen.clone(), effects);
    model.around.push(*around);
    // An alarm is raised also while the screen is paused.
    model.changed |= model.paused || !model.shown_around.shows_as(&model.around);
    if !model.paused {
        model.shown_around = model.around.clone();
    }
}

/// The kernel measures what a packet costs, or no longer.
fn on_measured(model: &mut Model, outcome: Result<bool, String>, effects: &mut Vec<Effect>) {
    model.changed = true;
    match outcome {
        Ok(measuring) => {
            model.measuring = measuring;
            let text = if measuring {
                "the kernel measures what a packet costs until the console is left; m ends it"
            } else {
                "the kernel measures for this console no longer"
            };
            model.note(Level::Info, text);
            effects.push(Effect::Server(ServerJob::LookAround));
        }
        Err(why) => model.note(Level::Failed, why),
    }
}

fn on_flows(model: &mut Model, outcome: Result<Flows, String>) {
    model.flows.asked = false;
    if !model.paused {
        let keep_order = model.frozen;
        model.flows.take(outcome, keep_order);
        model.changed = true;
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
    let issues = model.issues();
    let moved = differs(&readings, &model.latest);
    model.latest = Arc::clone(&readings);
    model.changed |= model.issues() != issues;
    if !model.paused {
        show_latest(model);
        model.changed |= moved;
    }
}

/// Whether anything but the time of reading is new.
fn differs(a: &super::rates::Readings, b: &super::rates::Readings) -> bool {
    a.totals != b.totals
        || (!Arc::ptr_eq(&a.routes, &b.routes) && a.routes != b.routes)
        // A chart without a curve looks the same wherever it is scrolled to.
        || (!Arc::ptr_eq(&a.history, &b.history)
            && a.history.iter().any(|point| point.requests > 0 || point.bytes > 0))
        || a.increase.map(|rise| rise.by) != b.increase.map(|rise| rise.by)
        // Means go on falling long after the last request; once a second is often enough.
        || (!Arc::ptr_eq(&a.trends, &b.trends)
            && a.figures.map(shown_trend) != b.figures.map(shown_trend))
}

/// A trend as it is shown, which stands still once nothing moves.
fn shown_trend(trend: Trend) -> [String; 4] {
    let [a, b, c] = trend.means();
    [a, b, c, trend.peak()].map(format::rate)
}

/// Puts the latest readings on the screen.
fn show_latest(model: &mut Model) {
    let before = std::mem::replace(&mut model.shown, Arc::clone(&model.latest));
    model.shown_around = model.around.clone();
    model.routes.tree.read(&model.shown);
    model.reasons.lay_out(&model.shown, model.frozen);
    // Once a second is often enough for rows to move.
    if !model.frozen && !Arc::ptr_eq(&before.trends, &model.shown.trends) {
        model.routes.sort_again();
    }
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
