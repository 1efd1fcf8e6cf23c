//! What is asked for and not served here: looking at it, and promoting it.

use super::{changes, panels::steps, pen};
use crate::{
    content::RoutePath,
    promote::{Examined, Miss, Origin, Wish},
    server::Change,
    tui::{
        format,
        keys::Action,
        message::{Effect, FilesJob, Planned, ServerJob},
        model::{Level, Model, Popup, Working},
    },
};

/// Ticks from one reading of the misses to the next.
const TICKS: u64 = 4;

/// How many rows a page is.
const PAGE: isize = 10;

/// Opens the list.
pub(super) fn open(model: &mut Model, effects: &mut Vec<Effect>) {
    model.popup = Some(Popup::Misses);
    ask(model, effects);
}

/// Asks for the misses, as long as somebody looks.
pub(super) fn ask_now_and_then(model: &mut Model, effects: &mut Vec<Effect>) {
    if matches!(model.popup, Some(Popup::Misses)) && model.ticks.is_multiple_of(TICKS) {
        ask(model, effects);
    }
}

fn ask(model: &mut Model, effects: &mut Vec<Effect>) {
    if !model.misses.asked && !model.paused && model.replay.is_none() {
        model.misses.asked = true;
        effects.push(Effect::Server(ServerJob::Misses));
    }
}

/// The misses were read.
pub(super) fn on_misses(model: &mut Model, read: Result<Vec<Miss>, String>) {
    model.misses.asked = false;
    model.misses.take(read, &model.routes.infos, model.now, model.frozen);
    model.changed = true;
}

/// A key on the list.
pub(super) fn on_list(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    match action {
        Action::Cancel => model.popup = None,
        Action::Enter => {
            let path = model.misses.selected_path().cloned();
            if let Some(path) = path
                && !pen::forbids(model)
            {
                examine(model, path, effects);
            }
        }
        _ => model.misses.step(steps(action, PAGE)),
    }
}

/// Asks the server behind for a path.
fn examine(model: &mut Model, path: RoutePath, effects: &mut Vec<Effect>) {
    model.job += 1;
    let job = model.job;
    let wish = Wish { path: path.clone(), ttl: None };
    effects.push(Effect::Server(ServerJob::Origin { job, wish }));
    let source = format!("what the server behind answers to {path}").into();
    model.popup = Some(Popup::Working(Working { job, source, path, replaces: false }));
}

/// The server behind was found, or cannot be asked.
pub(super) fn on_origin(
    model: &mut Model,
    job: u64,
    wish: Wish,
    origin: Result<Box<dyn Origin>, String>,
    effects: &mut Vec<Effect>,
) {
    match origin {
        Ok(origin) => effects.push(Effect::Files(FilesJob::Examine { job, wish, origin })),
        Err(why) => on_examined(model, job, Err(why), effects),
    }
}

/// What the server answers is known: now somebody has to say yes.
pub(super) fn on_examined(
    model: &mut Model,
    job: u64,
    outcome: Result<Examined, String>,
    effects: &mut Vec<Effect>,
) {
    // Somebody may have cancelled it, or wants something else by now.
    let Some(Popup::Working(working)) = &model.popup else { return };
    if working.job != job {
        return;
    }
    let path = working.path.clone();
    model.changed = true;
    let word = format::shell_word(&format::typed_path(path.as_str()));
    let command = model.command("promote", &[word]);
    match outcome {
        Err(why) => {
            model.misses.found.insert(path, Err(why.clone()));
            model.log(Level::Failed, why, Some(command));
            open(model, effects);
        }
        Ok(examined) => {
            model.misses.found.insert(path.clone(), Ok(examined.summary()));
            let change = Change::Add(path, examined.rendered);
            changes::ask(model, Planned::new(change, None, command), effects);
        }
    }
}
