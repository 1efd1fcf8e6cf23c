//! Changes that go live: for good, on trial, and back again; staged ones, and the log of them all.

use super::{panels::steps, pen};
use crate::{
    content::Rendered,
    record::history::describe_old,
    server::RouteName,
    tui::{
        format,
        keys::Action,
        message::{Commit, Committed, Effect, Intent, Kind, Planned, ServerJob},
        model::{Level, Listed, Model, Note, Popup, TRIAL, Trial, in_short},
    },
};

/// Responses whose heads are read for a list: looking must not cost more than it is worth.
const LISTED_HEADS: usize = 32;

/// Has changes made.
pub(super) fn commit(
    model: &mut Model,
    changes: Vec<Planned>,
    intent: Intent,
    effects: &mut Vec<Effect>,
) {
    if pen::forbids(model) {
        return;
    }
    // Only one trial at a time can be kept or taken back.
    if intent == Intent::Trial && model.changes.trial.is_some() {
        let text = "something is on trial already; K keeps it, u takes it back";
        return model.note(Level::Failed, text);
    }
    if !changes.is_empty() {
        effects.push(Effect::Server(ServerJob::Commit(Box::new(Commit { changes, intent }))));
    }
}

/// Opens the list of changes that wait, or of those that take the last commit back.
pub(super) fn list(model: &mut Model, listed: Listed, effects: &mut Vec<Effect>) {
    let (changes, text) = match listed {
        Listed::Staged => (&model.changes.staged[..], "no changes are staged"),
        Listed::Undo => (model.changes.last_undo(), "nothing was done here that can be undone"),
    };
    if changes.is_empty() {
        return model.note(Level::Info, text);
    }
    // What they replace may be another version by now.
    let replaced = changes.iter().filter(|planned| planned.kind() == Kind::Replace);
    let heads = replaced.take(LISTED_HEADS).map(|planned| planned.path().clone());
    effects.extend(heads.map(|path| Effect::Server(ServerJob::Head(RouteName::Path(path)))));
    model.popup = Some(Popup::Changes { listed, selected: 0 });
}

/// A key on one of the lists.
pub(super) fn on_list(
    model: &mut Model,
    listed: Listed,
    selected: usize,
    action: Action,
    effects: &mut Vec<Effect>,
) {
    match (listed, action) {
        (_, Action::Cancel) => model.popup = None,
        (Listed::Staged, Action::Yes | Action::OnTrial) => {
            let intent = if action == Action::Yes { Intent::Keep } else { Intent::Trial };
            model.popup = None;
            // Stays staged until it is known that all of it was made.
            commit(model, model.changes.staged.clone(), intent, effects);
        }
        (Listed::Undo, Action::Yes) => {
            model.popup = None;
            let changes = model.changes.take_undo();
            commit(model, changes, Intent::Undo, effects);
        }
        (Listed::Staged, Action::Unstage) => {
            if selected < model.changes.staged.len() {
                model.changes.staged.remove(selected);
            }
            if model.changes.staged.is_empty() {
                model.popup = None;
            }
        }
        _ => {
            let count = match listed {
                Listed::Staged => model.changes.staged.len(),
                Listed::Undo => model.changes.last_undo().len(),
            };
            let selected =
                selected.saturating_add_signed(steps(action, 5)).min(count.saturating_sub(1));
            model.popup = Some(Popup::Changes { listed, selected });
        }
    }
}

/// Somebody wants to go back: at once from a trial, else after having seen what that does.
pub(super) fn undo(model: &mut Model, effects: &mut Vec<Effect>) {
    match model.changes.trial.take() {
        Some(trial) => commit(model, trial.undo, Intent::Revert, effects),
        None => list(model, Listed::Undo, effects),
    }
}

/// Somebody keeps what is on trial.
pub(super) fn keep(model: &mut Model, effects: &mut Vec<Effect>) {
    if model.changes.trial.is_none() {
        return model.note(Level::Info, "nothing is on trial");
    }
    effects.push(Effect::Server(ServerJob::Keep));
}

/// What is on trial stays, unless its guard was faster.
pub(super) fn on_kept(model: &mut Model, too_late: bool, effects: &mut Vec<Effect>) {
    let Some(trial) = model.changes.trial.take() else { return };
    model.changed = true;
    if too_late {
        let text = format!("too late, it was taken back already: {}", trial.what);
        model.log(Level::Failed, text, None);
        effects.push(Effect::Server(ServerJob::Routes));
        return;
    }
    model.log(Level::Done, format!("kept: {}", trial.what), None);
    model.changes.remember(trial.undo);
}

/// Time has passed: a trial may be over.
pub(super) fn on_time(model: &mut Model, effects: &mut Vec<Effect>) {
    let now = model.now;
    if let Some(trial) = model.changes.trial.take_if(|trial| trial.ends <= now) {
        commit(model, trial.undo, Intent::Revert, effects);
    }
}

/// What is left to be asked of the server when the console is left.
pub(crate) fn leave(model: &mut Model) -> Option<ServerJob> {
    let trial = model.changes.trial.take()?;
    let commit = Commit { changes: trial.undo, intent: Intent::Revert };
    Some(ServerJob::Commit(Box::new(commit)))
}

/// Changes were made, or refused.
pub(super) fn on_committed(model: &mut Model, committed: Committed, effects: &mut Vec<Effect>) {
    let Committed { commit: Commit { changes, intent }, undo, failed, remains } = committed;
    model.changed = true;
    model.changes.own.extend(changes.iter().map(|planned| planned.path().clone()));
    effects.push(Effect::Server(ServerJob::Routes));
    if let Some((at, why)) = failed {
        return on_refused(model, &changes, at, &why, &remains);
    }
    for planned in &changes {
        let text = format!("{}{}", prefix(intent), done(model, planned));
        model.mark(text.clone());
        let before = planned.old.as_ref().map(describe_old);
        let command = Some(planned.command.clone());
        model.keep(Note { level: Level::Done, at: model.now, text, before, command });
    }
    // What was staged is live now; what was staged meanwhile still waits.
    model.changes.staged.retain(|staged| {
        !changes.iter().any(|made| made.command == staged.command && made.path() == staged.path())
    });
    let what = match &changes[..] {
        [planned] => done(model, planned),
        several => format!("{} changes", several.len()),
    };
    if changes.len() > 1 {
        model.note(Level::Done, format!("{}{what} were made", prefix(intent)));
    }
    for why in &remains {
        model.log(Level::Failed, format!("cannot be undone: {why}"), None);
    }
    match intent {
        Intent::Keep => model.changes.remember(undo),
        Intent::Trial => {
            model.changes.trial = Some(Trial { undo, ends: model.now + TRIAL, what });
        }
        Intent::Undo | Intent::Revert => {}
    }
}

fn on_refused(model: &mut Model, changes: &[Planned], at: usize, why: &str, remains: &[String]) {
    let Some(planned) = changes.get(at) else { return };
    let path = planned.path();
    let text = match planned.kind() {
        Kind::Add => format!("{path} was not added: {why}"),
        Kind::Replace => format!("{path} was not replaced: {why}"),
        Kind::Remove => format!("{path} was not removed: {why}"),
    };
    let text = match changes.len() {
        1 => text,
        count => format!("none of {count} changes was made: {text}"),
    };
    model.log(Level::Failed, text, Some(planned.command.clone()));
    for why in remains {
        model.log(Level::Failed, format!("could not be taken back: {why}"), None);
    }
}

fn prefix(intent: Intent) -> &'static str {
    match intent {
        Intent::Keep => "",
        Intent::Trial => "on trial: ",
        Intent::Undo => "undone: ",
        Intent::Revert => "taken back: ",
    }
}

/// What was done, in a few words.
fn done(model: &Model, planned: &Planned) -> String {
    let path = planned.path();
    let old = planned.old.as_ref().or_else(|| model.route_at(path.as_str()));
    let old_bytes = old.map(|old| format::bytes(u64::from(old.body_bytes)));
    let new_bytes = planned.rendered().map(in_short);
    let (old, new) = (old_bytes.unwrap_or_default(), new_bytes.unwrap_or_default());
    let is_copy = |rendered: &Rendered| rendered.copy.is_some();
    match planned.kind() {
        Kind::Add if planned.rendered().is_some_and(is_copy) => format!("promoted {path}, {new}"),
        Kind::Remove if planned.old.as_ref().is_some_and(|old| old.copy.is_some()) => {
            format!("demoted {path}")
        }
        Kind::Add => format!("added {path}, {new}"),
        Kind::Replace => format!("replaced {path}, {old} → {new}"),
        Kind::Remove => format!("removed {path}"),
    }
}
