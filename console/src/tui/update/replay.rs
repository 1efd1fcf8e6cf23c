//! A recording that plays in place of a server, and saving one of a server.

use std::{path::Path, sync::Arc};

use super::on_sample;
use crate::{
    record::{Action, Playing},
    tui::{
        format,
        message::{Effect, ServerJob},
        model::{Health, Level, Model, Note},
        rates::Meter,
    },
};

/// Time went on in the recording, or somebody jumped.
pub(super) fn on_played(model: &mut Model, mut playing: Playing, effects: &mut Vec<Effect>) {
    model.sampling = false;
    if playing.anew {
        model.meter = Meter::new();
        model.marks.clear();
        model.latest = Arc::default();
        model.health = Health::Waiting;
        model.routes_revision = None;
    }
    model.identity = playing.identity.clone();
    model.now = playing.at;
    for outcome in std::mem::take(&mut playing.samples) {
        on_sample(model, outcome, effects);
    }
    // What was noted while it was recorded, and not what is noted now.
    model.log = playing.actions.iter().map(note).collect();
    // The header shows seconds.
    let shown =
        |playing: &Playing| (playing.position.as_secs(), playing.speed, playing.paused, playing.at);
    model.changed |= model.replay.as_ref().is_none_or(|before| {
        playing.anew || before.position == before.length || shown(before) != shown(&playing)
    });
    model.replay = Some(Box::new(playing));
}

fn note(action: &Action) -> Note {
    let level = if action.done { Level::Done } else { Level::Failed };
    let text = match &action.user {
        Some(user) => format!("{} ({user})", action.text),
        None => action.text.clone(),
    };
    Note {
        level,
        at: action.at,
        text,
        before: action.before.clone(),
        command: action.command.clone(),
    }
}

/// Has the black box copied to a file in the folder that the console was started in.
pub(super) fn save(model: &mut Model, effects: &mut Vec<Effect>) {
    if model.replay.is_some() {
        return model.note(Level::Info, "this is a recording already");
    }
    let interface = model.identity.interface.replace(['.', '@'], "-");
    let name = format!("zeroserve-{interface}-{}.zsr", format::stamp(model.now));
    effects.push(Effect::Server(ServerJob::Save(model.start_folder.join(name))));
}

/// The black box was copied, or not.
pub(super) fn on_saved(model: &mut Model, file: &Path, outcome: Result<u64, String>) {
    let command = format!("zeroserve-tui replay {}", format::shell_path(file));
    match outcome {
        Ok(bytes) => {
            let text = format!("saved {} to {}", format::bytes(bytes), file.display());
            model.log(Level::Done, text, Some(command));
        }
        Err(why) => model.log(Level::Failed, format!("the recording was not saved: {why}"), None),
    }
    model.changed = true;
}
