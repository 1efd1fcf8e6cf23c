//! Keys on popups that are read, and on the exit question.

use super::{commit, misses, panels::steps, sights};
use crate::{
    record::history::Entry,
    tui::{
        Exit,
        keys::Action,
        message::{Effect, FilesJob},
        model::{Issue, Model, Popup},
        view,
    },
};

/// The choices of the exit question, in their order.
pub(crate) const EXIT_CHOICES: usize = 3;

pub(super) fn on_action(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    match model.popup {
        Some(Popup::Exit { choice }) => on_exit(model, choice, action, effects),
        Some(Popup::Changes { listed, selected }) => {
            commit::on_list(model, listed, selected, action, effects);
        }
        Some(Popup::Misses) => misses::on_list(model, action, effects),
        Some(Popup::Issues { selected }) => on_issues(model, selected, action, effects),
        Some(Popup::Cause { .. }) if action == Action::Export => sights::export(model, effects),
        _ => on_reading(model, action),
    }
}

/// Opens the log. What others did, and what was done before, is read for it.
pub(super) fn open_log(model: &mut Model, effects: &mut Vec<Effect>) {
    model.popup = Some(Popup::Log { scroll: 0 });
    if let Some(folder) = model.state_folder.clone() {
        let interface = model.identity.interface.clone();
        effects.push(Effect::Files(FilesJob::History { folder, interface }));
    }
}

/// What others did was read. What this console did it knows better.
pub(super) fn on_history(model: &mut Model, entries: Vec<Entry>) {
    let own = |entry: &Entry| entry.pid == std::process::id() && entry.action.at >= model.opened;
    model.history = entries.into_iter().filter(|entry| !own(entry)).collect();
    model.changed = true;
}

fn on_exit(model: &mut Model, choice: usize, action: Action, effects: &mut Vec<Effect>) {
    match action {
        Action::LeaveServing => effects.push(Effect::Exit(Exit::Leave)),
        Action::Stop => effects.push(Effect::Exit(Exit::Stop)),
        Action::Cancel => model.popup = None,
        Action::Left => model.popup = Some(Popup::Exit { choice: choice.saturating_sub(1) }),
        Action::Right => model.popup = Some(Popup::Exit { choice: (choice + 1) % EXIT_CHOICES }),
        // Enter stops nothing: that takes its letter.
        Action::Enter => match choice {
            0 => model.popup = None,
            1 => effects.push(Effect::Exit(Exit::Leave)),
            _ => {}
        },
        _ => {}
    }
}

fn on_issues(model: &mut Model, selected: usize, action: Action, effects: &mut Vec<Effect>) {
    let issues = model.issues();
    let last = issues.len().saturating_sub(1);
    match (action, issues.get(selected.min(last))) {
        (Action::Cancel, _) => model.popup = None,
        (Action::Enter, Some(Issue::Fault(cause, _))) => {
            sights::explain(model, *cause, effects);
        }
        (Action::Enter, Some(Issue::Lint(lint))) => {
            model.popup = Some(Popup::Lint { lint: lint.clone(), scroll: 0 });
        }
        _ => {
            let selected = selected.saturating_add_signed(steps(action, 10)).min(last);
            model.popup = Some(Popup::Issues { selected });
        }
    }
}

fn on_reading(model: &mut Model, action: Action) {
    if action == Action::Cancel {
        model.popup = None;
        return;
    }
    let (page, last) = view::popup_scrolling(model);
    if let Some(scroll) = model.popup.as_mut().and_then(Popup::scroll_mut) {
        *scroll = scroll.saturating_add_signed(steps(action, page as isize)).min(last);
    }
}
