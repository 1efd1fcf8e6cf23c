//! Picking a file.

use std::path::{Path, PathBuf};

use super::changes;
use crate::{
    server::RouteName,
    tui::{
        field::Field,
        format,
        keys::Action,
        message::{Effect, Entry, FilesJob},
        model::{Level, Model, PathForm, Picker, Popup, Purpose},
        update::panels::steps,
        view::areas::PICKER_ROWS,
    },
};

/// Opens the picker for a new route, in the folder of routes that is selected.
pub(super) fn open_to_add(model: &mut Model, effects: &mut Vec<Effect>) {
    let prefix = model.routes.selected_folder().to_owned();
    let folder = model.folder.clone();
    open(model, Picker::new(Purpose::Add { prefix }, folder, None), effects);
}

/// Opens the picker for the selected route, on the file it came from.
pub(super) fn open_to_replace(model: &mut Model, effects: &mut Vec<Effect>) {
    let Some(info) = model.routes.selected_route() else {
        return model.note(Level::Info, "select a route to replace; this is a folder");
    };
    let RouteName::Path(path) = &info.name else {
        return model.note(Level::Info, "the answers to what is not a hit are built in");
    };
    let purpose = Purpose::Replace { path: path.clone() };
    let source = info.source.as_deref().filter(|source| source.is_absolute());
    let folder = source.and_then(Path::parent).map_or_else(|| model.folder.clone(), Path::to_owned);
    let wanted = source.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    open(model, Picker::new(purpose, folder, wanted), effects);
}

fn open(model: &mut Model, picker: Picker, effects: &mut Vec<Effect>) {
    effects.push(Effect::Files(FilesJob::List(picker.folder.clone())));
    model.popup = Some(Popup::Picker(picker));
}

/// A folder was read.
pub(super) fn on_listed(
    model: &mut Model,
    folder: &Path,
    entries: Result<Vec<Entry>, String>,
    effects: &mut Vec<Effect>,
) {
    let Some(Popup::Picker(picker)) = &mut model.popup else { return };
    // Somebody may have gone on to another folder in the meantime.
    if picker.folder == folder {
        picker.entries = Some(entries);
        picker.lay_out();
        model.changed = true;
        if std::mem::take(&mut picker.entered) {
            take(model, Action::Enter, effects);
        }
    }
}

/// Typed or pasted text. With a slash in it, it leads to another folder.
pub(super) fn on_text(picker: &mut Picker, text: &str, effects: &mut Vec<Effect>) {
    picker.field.insert(text);
    picker.wanted = None;
    picker.selected = 0;
    let typed = picker.field.text().to_owned();
    if let Some((folder, name)) = typed.rsplit_once('/') {
        let target = if folder.is_empty() { "/".into() } else { expanded(folder) };
        picker.field = Field::new(name);
        let target = picker.folder.join(target);
        go(picker, target, None, effects);
    }
    picker.lay_out();
}

fn expanded(folder: &str) -> PathBuf {
    match folder.strip_prefix('~').and_then(|rest| Some((rest, std::env::home_dir()?))) {
        Some((rest, home)) => home.join(rest.trim_start_matches('/')),
        None => folder.into(),
    }
}

fn go(picker: &mut Picker, folder: PathBuf, wanted: Option<String>, effects: &mut Vec<Effect>) {
    effects.push(Effect::Files(FilesJob::List(folder.clone())));
    picker.go(folder, wanted);
}

fn go_up(picker: &mut Picker, effects: &mut Vec<Effect>) {
    let name = picker.folder.file_name().map(|name| name.to_string_lossy().into_owned());
    if let Some(parent) = picker.folder.parent().map(Path::to_owned) {
        picker.field.clear();
        go(picker, parent, name, effects);
    }
}

/// A key in the picker.
pub(super) fn on_action(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    let Some(Popup::Picker(picker)) = &mut model.popup else { return };
    match action {
        Action::Cancel => model.popup = None,
        Action::Left => go_up(picker, effects),
        Action::Erase if picker.field.text().is_empty() => go_up(picker, effects),
        Action::Erase | Action::EraseAll => {
            if action == Action::Erase {
                picker.field.backspace();
            } else {
                picker.field.clear();
            }
            picker.wanted = None;
            picker.lay_out();
        }
        Action::Enter | Action::Right => take(model, action, effects),
        _ => {
            picker.wanted = None;
            let last = picker.rows.len().saturating_sub(1);
            let by = steps(action, PICKER_ROWS as isize);
            picker.selected = picker.selected.saturating_add_signed(by).min(last);
        }
    }
}

/// Goes into the selected folder, or takes the selected file.
fn take(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    let Some(Popup::Picker(picker)) = &mut model.popup else { return };
    let Some(entry) = picker.entry(picker.selected) else {
        picker.entered = action == Action::Enter && picker.entries.is_none();
        return;
    };
    let (name, is_folder) = (entry.name.clone(), entry.is_folder);
    let target = picker.folder.join(&name);
    if is_folder {
        picker.field.clear();
        return go(picker, target, None, effects);
    }
    if action == Action::Right {
        return;
    }
    let purpose = picker.purpose.clone();
    model.folder.clone_from(&picker.folder);
    match purpose {
        Purpose::Replace { path } => changes::render(model, target, path, true, effects),
        Purpose::Add { prefix } => {
            // A folder's index is what its path alone leads to.
            let name = if name == "index.html" { "" } else { &name };
            let field = Field::new(format::typed_path(&format!("{prefix}{name}")));
            model.popup = Some(Popup::Path(PathForm { source: target, field, error: None }));
        }
    }
}
