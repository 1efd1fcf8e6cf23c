//! The mouse: a click selects what a key could select as well, the wheel scrolls. Nothing is changed
//! by it but what is on the screen.

use ratatui::layout::{Position, Rect};

use super::on_action;
use crate::tui::{
    keys::{Action, Scope},
    message::{Effect, Mouse},
    model::{Model, Panel},
    view::{areas::Areas, tab_at},
};

/// Rows that one notch of the wheel scrolls.
const NOTCH: usize = 3;

pub(super) fn on_mouse(
    model: &mut Model,
    mouse: Mouse,
    column: u16,
    row: u16,
    effects: &mut Vec<Effect>,
) {
    let at = Position::new(column, row);
    let areas = Areas::of(model);
    model.changed = true;
    match (mouse, model.popup.is_some()) {
        (Mouse::Click, true) => {}
        (Mouse::Click, false) => click(model, &areas, at, effects),
        (Mouse::Up | Mouse::Down, is_popup) => {
            let under = areas.panels().find(|(_, area)| area.contains(at));
            if let Some((panel, _)) = under.filter(|_| !is_popup) {
                focus(model, panel, effects);
            }
            let action = if mouse == Mouse::Up { Action::Up } else { Action::Down };
            let scope = model.scope();
            // On the command line these keys go through its history.
            if scope != Scope::Palette {
                (0..NOTCH).for_each(|_| on_action(model, scope, action, effects));
            }
        }
    }
}

fn focus(model: &mut Model, panel: Panel, effects: &mut Vec<Effect>) {
    (model.routes.typing, model.sights.requests.typing) = (false, false);
    if model.focus != panel {
        super::panels::show(model, panel, effects);
    }
}

fn click(model: &mut Model, areas: &Areas, at: Position, effects: &mut Vec<Effect>) {
    if areas.tabs.contains(at) {
        if let Some(panel) = tab_at(at.x) {
            focus(model, panel, effects);
        }
        return;
    }
    let Some((panel, area)) = areas.panels().find(|(_, area)| area.contains(at)) else { return };
    focus(model, panel, effects);
    let Some(line) = row_of(area, at) else { return };
    let before = selected(model, panel);
    let (row, rows) = match panel {
        Panel::Routes => (model.routes.state.get_offset() + line, model.routes.rows.len()),
        Panel::Reasons => (model.reasons.offset + line, model.reasons.rows.len()),
        Panel::Flows => (model.flows.offset + line, model.flows.clients.len()),
        Panel::Requests => (model.sights.requests.offset + line, model.sights.requests.rows.len()),
        Panel::Rates | Panel::Cpus => return,
    };
    // Below the last row, or over the sum of the verdicts.
    if row >= rows || panel == Panel::Reasons && line >= areas.reason_rows() {
        return;
    }
    if row == before {
        let scope = model.scope();
        return on_action(model, scope, Action::Enter, effects);
    }
    let by = row as isize - before as isize;
    match panel {
        Panel::Routes => model.routes.step(by),
        Panel::Reasons => model.reasons.step(by),
        Panel::Flows => model.flows.step(by),
        _ => model.sights.requests.step(by),
    }
}

fn selected(model: &Model, panel: Panel) -> usize {
    match panel {
        Panel::Routes => model.routes.selected,
        Panel::Reasons => model.reasons.selected,
        Panel::Flows => model.flows.selected,
        _ => model.sights.requests.selected,
    }
}

/// Which line of a list it is: below the frame and the heading, above the frame.
fn row_of(area: Rect, at: Position) -> Option<usize> {
    let line = at.y.checked_sub(area.y + 2)?;
    (at.y + 1 < area.bottom()).then_some(line.into())
}
