//! Typing a command.

use super::{answers, on_action as on_key_action, panels, pen};
use crate::tui::{
    commands::{self, Command, Run, completions},
    field::Field,
    keys::Action,
    message::Effect,
    model::{Level, Model, Palette, Panel, Popup},
    theme::Theme,
    tree::{NodeKey, Sort},
};

/// Commands that are remembered.
const REMEMBERED: usize = 50;

/// Typed or pasted text.
pub(super) fn on_text(palette: &mut Palette, text: &str) {
    palette.field.insert(text);
    forget(palette);
}

/// A key on the command line.
pub(super) fn on_action(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    match action {
        Action::Cancel => model.popup = None,
        Action::Enter => return run(model, effects),
        Action::Complete => return complete(model),
        Action::Up => return recall(model, 1),
        Action::Down => return recall(model, -1),
        _ => {}
    }
    let Some(Popup::Palette(palette)) = &mut model.popup else { return };
    match action {
        Action::Left => palette.field.left(),
        Action::Right => palette.field.right(),
        Action::First => palette.field.home(),
        Action::Last => palette.field.end(),
        Action::Erase => {
            // With nothing left to erase, somebody wants to leave.
            if !palette.field.backspace() {
                model.popup = None;
                return;
            }
            forget(palette);
        }
        Action::EraseAll => {
            palette.field.clear();
            forget(palette);
        }
        _ => {}
    }
}

/// Something new is being typed.
fn forget(palette: &mut Palette) {
    (palette.error, palette.back, palette.completing) = (None, None, None);
}

/// Puts the next completion of what was typed into the line.
fn complete(model: &mut Model) {
    let Some(Popup::Palette(palette)) = &model.popup else { return };
    let (typed, tried) = match &palette.completing {
        Some((typed, tried)) => (typed.clone(), *tried),
        None => (palette.field.text().to_owned(), 0),
    };
    let lines = completions(model, &typed);
    let Some(line) = lines.get(tried % lines.len().max(1)) else { return };
    // The only one is finished: what belongs behind it can be typed at once.
    let text = if lines.len() == 1 { format!("{} ", line.line) } else { line.line.clone() };
    let Some(Popup::Palette(palette)) = &mut model.popup else { return };
    palette.field = Field::new(text);
    palette.error = None;
    palette.completing = (lines.len() > 1).then_some((typed, tried + 1));
}

/// Goes back in the history, or forth.
fn recall(model: &mut Model, by: isize) {
    let count = model.commands.len();
    let Some(Popup::Palette(palette)) = &mut model.popup else { return };
    let at = palette.back.map_or(0, |back| back + 1).saturating_add_signed(by).min(count);
    palette.back = at.checked_sub(1);
    let line = palette.back.and_then(|back| model.commands.get(count - 1 - back));
    palette.field = Field::new(line.cloned().unwrap_or_default());
    (palette.error, palette.completing) = (None, None);
}

fn run(model: &mut Model, effects: &mut Vec<Effect>) {
    let Some(Popup::Palette(palette)) = &mut model.popup else { return };
    let line = palette.field.text().trim().to_owned();
    if line.is_empty() {
        model.popup = None;
        return;
    }
    match commands::parse(&line) {
        Err(error) => palette.error = Some(error),
        Ok((command, argument)) => {
            let argument = argument.to_owned();
            model.popup = None;
            model.commands.retain(|known| *known != line);
            model.commands.push_back(line);
            if model.commands.len() > REMEMBERED {
                model.commands.pop_front();
            }
            carry_out(model, command, &argument, effects);
        }
    }
}

fn carry_out(model: &mut Model, command: Command, argument: &str, effects: &mut Vec<Effect>) {
    match command.run {
        Run::Key(panel, action) => {
            if let Some(panel) = panel {
                panels::show(model, panel, effects);
            }
            on_key_action(model, model.scope(), action, effects);
        }
        Run::Filter => {
            panels::show(model, Panel::Routes, effects);
            model.routes.filter = Field::new(argument);
            model.routes.refilter();
        }
        Run::Sort => match Sort::ALL.into_iter().find(|sort| sort.column() == argument) {
            Some(sort) => {
                panels::show(model, Panel::Routes, effects);
                model.routes.sort(sort);
            }
            None => model.note(Level::Failed, format!("there is no column {argument}")),
        },
        Run::Answer(kind) if !pen::forbids(model) => {
            answers::on_command(model, kind, argument, effects);
        }
        Run::Answer(_) => {}
        Run::Goto => go_to(model, argument, effects),
        Run::Theme => match Theme::ALL.into_iter().find(|theme| theme.name() == argument) {
            Some(theme) => model.theme = theme,
            None => model.note(Level::Failed, format!("there is no theme {argument}")),
        },
    }
}

fn go_to(model: &mut Model, path: &str, effects: &mut Vec<Effect>) {
    let Some(index) = model.route_at(path).map(|info| info.index) else {
        return model.note(Level::Failed, format!("nothing is served at {path}"));
    };
    panels::show(model, Panel::Routes, effects);
    model.routes.filter.clear();
    model.routes.refilter();
    model.routes.reveal(&NodeKey::Route(index));
}
