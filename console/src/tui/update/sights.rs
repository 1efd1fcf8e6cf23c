//! Single requests and packets: asked for only while somebody looks, and written to a file.

use std::path::Path;

use super::panels::steps;
use crate::{
    observe::{Seen, Wanted},
    tui::{
        format,
        keys::Action,
        message::{Effect, FilesJob, ServerJob},
        model::{Cause, GAP, Level, Model, Popup},
        view::areas::Areas,
    },
};

/// What the screen shows of single requests and packets; none if nobody looks.
fn wanted(model: &Model) -> Option<Wanted> {
    let cause = match &model.popup {
        Some(Popup::Cause { cause, .. }) => Some(*cause),
        _ => None,
    };
    let reasons: Vec<_> = match cause {
        Some(Cause::Reason(reason)) => vec![reason],
        _ => Vec::new(),
    };
    let log = Areas::of(model).requests.is_some() && !model.paused;
    let requests = log || matches!(cause, Some(Cause::Refusal(_)));
    let anything = requests || !reasons.is_empty();
    (anything && model.replay.is_none()).then_some(Wanted { reasons, requests, gap: GAP })
}

/// Asks for what was seen, if somebody looks.
pub(super) fn ask(model: &mut Model, effects: &mut Vec<Effect>) {
    if model.sights.asked {
        return;
    }
    if let Some(wanted) = wanted(model) {
        model.sights.asked = true;
        effects.push(Effect::Server(ServerJob::Observe(wanted)));
    }
}

/// Explains a cause, and asks at once for what can be seen of it.
pub(super) fn explain(model: &mut Model, cause: Cause, effects: &mut Vec<Effect>) {
    model.popup = Some(Popup::Cause { cause, scroll: 0 });
    ask(model, effects);
}

pub(super) fn on_observed(model: &mut Model, outcome: Result<Seen, String>) {
    model.sights.asked = false;
    match outcome {
        Ok(seen) => {
            model.changed |= !seen.packets.is_empty() || !seen.requests.is_empty();
            model.sights.take(seen);
        }
        Err(why) => {
            model.changed = true;
            model.sights.requests.trouble = Some(why);
        }
    }
}

/// A key on the requests.
pub(super) fn on_requests(model: &mut Model, action: Action) {
    let page = Areas::of(model).request_rows().max(1) as isize;
    let requests = &mut model.sights.requests;
    match action {
        Action::Filter => requests.typing = true,
        Action::Enter => {
            if let Some(request) = requests.at(requests.selected).cloned() {
                model.popup = Some(Popup::Request { request: Box::new(request), scroll: 0 });
            }
        }
        _ => requests.step(steps(action, page)),
    }
}

/// Has the packets that left for the explained reason written to a file for Wireshark.
pub(super) fn export(model: &mut Model, effects: &mut Vec<Effect>) {
    let Some(Popup::Cause { cause, .. }) = &model.popup else { return };
    let Cause::Reason(reason) = cause else {
        return model.note(Level::Info, "packets are kept of reasons only");
    };
    let packets: Vec<_> = model.sights.packets(*reason).rev().cloned().collect();
    if packets.is_empty() {
        return model.note(Level::Info, "no packet has been seen yet that could be written");
    }
    let interface = model.identity.interface.clone();
    let stamp = format::stamp(model.now);
    let name = format!("{}-{interface}-{stamp}.pcapng", reason.name());
    let file = model.start_folder.join(name.replace('@', "-"));
    effects.push(Effect::Files(FilesJob::Export { file, interface, packets }));
}

/// Packets were written to a file, or not.
pub(super) fn on_exported(model: &mut Model, file: &Path, outcome: Result<usize, String>) {
    match outcome {
        Ok(packets) => {
            let text = format!("wrote {packets} packets to {}", file.display());
            let command = format!("wireshark {}", format::shell_path(file));
            model.log(Level::Done, text, Some(command));
        }
        Err(why) => model.log(Level::Failed, format!("no packets were written: {why}"), None),
    }
    model.changed = true;
}
