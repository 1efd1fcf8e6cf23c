//! Adding, replacing and removing routes: from the wish to the confirmation.

use std::{path::PathBuf, sync::Arc};

use super::commit::commit;
use crate::{
    content::{Rendered, RoutePath},
    server::{Change, RouteName},
    tui::{
        format,
        keys::Action,
        message::{Effect, FilesJob, Intent, Kind, Planned, ServerJob},
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
        Some(Popup::Confirm(_)) => on_confirm(model, action, effects),
        _ => {}
    }
}

/// The choices of a confirmation, in their order.
const CHOICES: [Action; 4] = [Action::Cancel, Action::Yes, Action::OnTrial, Action::Stage];

fn on_confirm(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    let Some(Popup::Confirm(confirm)) = &mut model.popup else { return };
    match action {
        Action::Left => confirm.choice = confirm.choice.saturating_sub(1),
        Action::Right => confirm.choice = (confirm.choice + 1) % CHOICES.len(),
        Action::Yes | Action::OnTrial => {
            let Some(Popup::Confirm(confirm)) = model.popup.take() else { return };
            let intent = if action == Action::Yes { Intent::Keep } else { Intent::Trial };
            commit(model, vec![confirm.planned], intent, effects);
        }
        Action::Stage => {
            let Some(Popup::Confirm(confirm)) = model.popup.take() else { return };
            model.note(
                Level::Info,
                format!("staged {}; c shows what waits", confirm.planned.path()),
            );
            model.changes.stage(confirm.planned);
        }
        // Enter removes nothing: that takes a letter.
        Action::Enter => {
            let chosen = CHOICES[confirm.choice];
            let is_live = matches!(chosen, Action::Yes | Action::OnTrial);
            match chosen {
                Action::Cancel => cancel(model),
                _ if is_live && confirm.planned.kind() == Kind::Remove => {}
                _ => on_confirm(model, chosen, effects),
            }
        }
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
pub(super) fn on_rendered(
    model: &mut Model,
    job: u64,
    outcome: Result<Arc<Rendered>, String>,
    effects: &mut Vec<Effect>,
) {
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
            ask(model, Planned::new(change, old, command), effects);
        }
    }
}

/// Asks whether a change shall be made. What it would replace is read meanwhile.
pub(super) fn ask(model: &mut Model, planned: Planned, effects: &mut Vec<Effect>) {
    if planned.old.is_some() {
        effects.push(Effect::Server(ServerJob::Head(RouteName::Path(planned.path().clone()))));
    }
    model.popup = Some(Popup::Confirm(Box::new(Confirm { planned, choice: 0 })));
}

/// The head of what would be replaced was read.
pub(super) fn on_head(model: &mut Model, route: &RouteName, lines: Result<Vec<String>, String>) {
    let asked = match &mut model.popup {
        Some(Popup::Confirm(confirm)) => Some(&mut confirm.planned),
        _ => None,
    };
    let RouteName::Path(path) = route else { return };
    // Somebody may have staged it already.
    let waiting = asked.into_iter().chain(model.changes.all_mut());
    for planned in waiting.filter(|planned| planned.path() == path) {
        planned.old_head = Some(lines.clone());
        model.changed = true;
    }
}

/// Asks whether the selected route shall be removed.
pub(super) fn ask_to_remove(model: &mut Model, effects: &mut Vec<Effect>) {
    let Some(info) = model.routes.selected_route().cloned() else {
        return model.note(Level::Info, "select a route to remove; this is a folder");
    };
    let RouteName::Path(path) = info.name.clone() else {
        return model.note(Level::Info, "the answers to what is not a hit are built in");
    };
    let verb = if info.copy.is_some() { "demote" } else { "remove" };
    let command = model.command(verb, &[format::shell_word(&format::typed_path(path.as_str()))]);
    ask(model, Planned::new(Change::Remove(path), Some(info), command), effects);
}
