//! Who may change what is served: nobody in a recording, and one console at a time.

use crate::{
    server::Holder,
    tui::{
        format,
        keys::Action,
        message::{Effect, ServerJob},
        model::{Level, Model},
    },
};

/// Says no to keys that would change what is served, if that is not up to this console.
pub(super) fn refuses(model: &mut Model, key: Action) -> bool {
    let changes = matches!(
        key,
        Action::Add
            | Action::Replace
            | Action::Remove
            | Action::Redirect
            | Action::Respond
            | Action::Staged
            | Action::Undo
            | Action::Keep
    );
    changes && forbids(model)
}

/// Says no if changes are not up to this console.
pub(super) fn forbids(model: &mut Model) -> bool {
    if model.replay.is_some() {
        model.note(Level::Info, "this is a recording: nothing can be changed in it");
    } else if let Some(holder) = &model.pen {
        let text = format!("read-only: {} holds the pen", described(holder));
        model.note(Level::Failed, text);
    }
    model.replay.is_some() || model.pen.is_some()
}

/// Somebody else has the pen, or nobody any more.
pub(super) fn on_told(model: &mut Model, pen: Option<Holder>, effects: &mut Vec<Effect>) {
    if model.pen == pen {
        return;
    }
    let text = match (&model.pen, &pen) {
        (Some(before), None) => {
            // It may have been killed together with the guard of its trial.
            effects.push(Effect::Server(ServerJob::Settle));
            format!("{} has let go of the pen; this console may change things now", before.user)
        }
        (_, Some(holder)) => format!("read-only: {} holds the pen", described(holder)),
        (None, None) => return,
    };
    model.pen = pen;
    model.log(Level::Info, text, None);
    model.changed = true;
}

/// What another console had left on trial has been put back, if it had.
pub(super) fn on_settled(
    model: &mut Model,
    outcome: Result<Option<String>, String>,
    effects: &mut Vec<Effect>,
) {
    model.changed = true;
    match outcome {
        Ok(None) => {}
        Ok(Some(paths)) => {
            let text = format!(
                "taken back: what the other console had on trial at {paths}; it was killed"
            );
            model.log(Level::Done, text, None);
            effects.push(Effect::Server(ServerJob::Routes));
        }
        Err(why) => {
            let text = format!("what the other console had on trial cannot be taken back: {why}");
            model.log(Level::Failed, text, None);
        }
    }
}

/// Who it is, as far as that is known.
fn described(holder: &Holder) -> String {
    let mut details = Vec::new();
    details.extend(holder.pid.map(|pid| format!("process {pid}")));
    details.extend(holder.terminal.clone());
    details.extend(holder.since.map(|since| format!("since {} UTC", format::time_of_day(since))));
    match &details[..] {
        [] => holder.user.clone(),
        details => format!("{} ({})", holder.user, details.join(", ")),
    }
}
