//! Adding, replacing and removing routes: from the wish to the confirmation to the outcome.

use std::{path::PathBuf, sync::Arc};

use crate::{
    content::{Rendered, RoutePath},
    server::{Change, RouteName},
    tui::{
        format,
        keys::Action,
        message::{Effect, FilesJob, Kind, Planned, ServerJob},
        model::{Confirm, Level, Model, Popup, Working},
    },
};

/// A key in the path form, the confirmation, or while a file is read.
pub(super) fn on_action(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    if action == Action::Cancel {
        return cancel(model);
    }
    match &mut model.popup {
        Some(Popup::Path(form)) => match action {
            Action::Enter => go_on(model, effects),
            Action::Left => form.field.left(),
            Action::Right => form.field.right(),
            Action::First => form.field.home(),
            Action::Last => form.field.end(),
            Action::Erase => {
                form.field.backspace();
                form.error = None;
            }
            Action::EraseAll => form.field.clear(),
            _ => {}
        },
        Some(Popup::Confirm(confirm)) => match action {
            Action::Left => confirm.yes = false,
            Action::Right => confirm.yes = !confirm.yes,
            Action::Yes => carry_out(model, effects),
            Action::Enter if !confirm.yes => cancel(model),
            // Enter removes nothing: that takes the letter.
            Action::Enter if confirm.planned.kind() != Kind::Remove => carry_out(model, effects),
            _ => {}
        },
        _ => {}
    }
}

fn cancel(model: &mut Model) {
    model.popup = None;
    model.note(Level::Info, "cancelled; nothing has changed");
}

/// Takes the path that was typed, and has the file rendered for it.
fn go_on(model: &mut Model, effects: &mut Vec<Effect>) {
    let Some(Popup::Path(form)) = &mut model.popup else { return };
    match form.field.text().parse::<RoutePath>() {
        Err(error) => form.error = Some(error.to_string()),
        Ok(path) => {
            let source = form.source.clone();
            // What is taken is offered as a replacement: the confirmation shows both.
            let replaces = model.route_at(path.as_str()).is_some();
            render(model, source, path, replaces, effects);
        }
    }
}

/// Has a file rendered, to show what would change.
pub(super) fn render(
    model: &mut Model,
    source: PathBuf,
    path: RoutePath,
    replaces: bool,
    effects: &mut Vec<Effect>,
) {
    model.job += 1;
    let job = model.job;
    let options = model.config.options_for(&path);
    effects.push(Effect::Files(FilesJob::Render { job, source: source.clone(), options }));
    model.popup = Some(Popup::Working(Working { job, source, path, replaces }));
}

/// A file was rendered: now somebody has to say yes.
pub(super) fn on_rendered(model: &mut Model, job: u64, outcome: Result<Arc<Rendered>, String>) {
    let Some(Popup::Working(working)) = &model.popup else { return };
    if working.job != job {
        return;
    }
    let (path, source, replaces) = (working.path.clone(), working.source.clone(), working.replaces);
    model.popup = None;
    model.changed = true;
    let mut words =
        vec![format::shell_word(&format::typed_path(path.as_str())), format::shell_path(&source)];
    words.extend(model.config_words.iter().map(|word| format::shell_word(word)));
    let command = model.command(if replaces { "replace" } else { "add" }, &words);
    match outcome {
        Err(why) => model.log(Level::Failed, why, Some(command)),
        Ok(rendered) => {
            let old = model.route_at(path.as_str()).cloned();
            let change = if replaces {
                Change::Replace(path, rendered)
            } else {
                Change::Add(path, rendered)
            };
            let planned = Planned { change, old, command };
            model.popup = Some(Popup::Confirm(Confirm { planned, yes: false }));
        }
    }
}

/// Asks whether the selected route shall be removed.
pub(super) fn ask_to_remove(model: &mut Model) {
    let Some(info) = model.routes.selected_route().cloned() else {
        return model.note(Level::Info, "select a route to remove; this is a folder");
    };
    let RouteName::Path(path) = info.name.clone() else {
        return model.note(Level::Info, "the answers to what is not a hit are built in");
    };
    let command =
        model.command("remove", &[format::shell_word(&format::typed_path(path.as_str()))]);
    let planned = Planned { change: Change::Remove(path), old: Some(info), command };
    model.popup = Some(Popup::Confirm(Confirm { planned, yes: false }));
}

fn carry_out(model: &mut Model, effects: &mut Vec<Effect>) {
    let Some(Popup::Confirm(confirm)) = model.popup.take() else { return };
    effects.push(Effect::Server(ServerJob::Apply(Box::new(confirm.planned))));
}

/// A change was made, or refused.
pub(super) fn on_applied(
    model: &mut Model,
    planned: &Planned,
    outcome: Result<(), String>,
    effects: &mut Vec<Effect>,
) {
    let path = planned.path();
    let old_bytes = planned.old.as_ref().map(|old| format::bytes(u64::from(old.body_bytes)));
    let new_bytes = planned.rendered().map(|new| format::bytes(u64::from(new.body_bytes())));
    let (level, text) = match (outcome, planned.kind()) {
        (Err(why), Kind::Add) => (Level::Failed, format!("{path} was not added: {why}")),
        (Err(why), Kind::Replace) => (Level::Failed, format!("{path} was not replaced: {why}")),
        (Err(why), Kind::Remove) => (Level::Failed, format!("{path} was not removed: {why}")),
        (Ok(()), Kind::Add) => {
            (Level::Done, format!("added {path}, {}", new_bytes.unwrap_or_default()))
        }
        (Ok(()), Kind::Replace) => {
            let (old, new) = (old_bytes.unwrap_or_default(), new_bytes.unwrap_or_default());
            (Level::Done, format!("replaced {path}, {old} → {new}"))
        }
        (Ok(()), Kind::Remove) => (Level::Done, format!("removed {path}")),
    };
    model.log(level, text, Some(planned.command.clone()));
    model.changed = true;
    effects.push(Effect::Server(ServerJob::Routes));
}
