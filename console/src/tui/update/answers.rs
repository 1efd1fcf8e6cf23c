//! Writing down a redirect or a fixed reply.

use std::sync::Arc;

use super::{changes, panels};
use crate::{
    server::Change,
    tui::{
        format,
        keys::Action,
        message::{Effect, Planned},
        model::{AnswerForm, AnswerKind, Level, Model, Panel, Popup},
    },
};

/// Opens the form for an answer in the folder of routes that is selected.
pub(super) fn open(model: &mut Model, kind: AnswerKind) {
    let prefix = format::typed_path(model.routes.selected_folder());
    model.popup = Some(Popup::Answer(AnswerForm::new(kind, &prefix, "")));
}

/// A key in the form.
pub(super) fn on_action(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    let Some(Popup::Answer(form)) = &mut model.popup else { return };
    match action {
        Action::Cancel => {
            model.popup = None;
            model.note(Level::Info, "cancelled; nothing has changed");
        }
        Action::Enter => match form.next_empty() {
            Some(at) => form.at = at,
            None => go_on(model, effects),
        },
        Action::Down => form.turn(true),
        Action::Up => form.turn(false),
        Action::Left => form.field().left(),
        Action::Right => form.field().right(),
        Action::First => form.field().home(),
        Action::Last => form.field().end(),
        Action::Erase => {
            form.field().backspace();
            form.error = None;
        }
        Action::EraseAll => form.field().clear(),
        _ => {}
    }
}

/// Asks whether what was written down shall be published, or says what is wrong with it.
fn go_on(model: &mut Model, effects: &mut Vec<Effect>) {
    let Some(Popup::Answer(form)) = &mut model.popup else { return };
    let kind = form.kind;
    let answer = match form.finish(&model.config) {
        Ok(answer) => answer,
        Err((at, why)) => {
            (form.at, form.error) = (at, Some(why));
            return;
        }
    };
    let (path, rendered) = (answer.path.clone(), Arc::new(answer.rendered.clone()));
    let old = model.route_at(path.as_str()).cloned();
    let mut more: Vec<_> = model.config_words.iter().map(|word| format::shell_word(word)).collect();
    let change = match old {
        Some(_) => {
            more.push("--replace".into());
            Change::Replace(path, rendered)
        }
        None => Change::Add(path, rendered),
    };
    let command = model.command(kind.verb(), &answer.words(more));
    changes::ask(model, Planned::new(change, old, command), effects);
}

/// An answer was written on the command line: its path, and what is answered; behind the target of a
/// redirect its status, if it is not the usual one. What is missing or wrong is asked for.
pub(super) fn on_command(
    model: &mut Model,
    kind: AnswerKind,
    argument: &str,
    effects: &mut Vec<Effect>,
) {
    panels::show(model, Panel::Routes, effects);
    if argument.is_empty() {
        return open(model, kind);
    }
    let (path, content) = argument.split_once(' ').unwrap_or((argument, ""));
    let (content, status) = match content.trim().rsplit_once(' ') {
        Some((to, status)) if kind == AnswerKind::Redirect && status.parse::<u16>().is_ok() => {
            (to.trim(), status.parse().ok())
        }
        _ => (content.trim(), None),
    };
    let mut form = AnswerForm::new(kind, path, content);
    status.into_iter().for_each(|status| form.set_status(status));
    form.at = usize::from(content.is_empty());
    model.popup = Some(Popup::Answer(form));
    if !content.is_empty() {
        go_on(model, effects);
    }
}
