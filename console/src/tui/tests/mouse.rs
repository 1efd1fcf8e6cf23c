//! The mouse selects and scrolls, and does nothing that a careless click could regret.

use super::{Run, event};
use crate::{
    simulated::Simulated,
    tui::{
        message::{Effect, Message, Mouse},
        model::{Panel, Popup},
        update::update,
    },
};

impl Run {
    fn mouse(&mut self, mouse: Mouse, column: u16, row: u16) -> &mut Self {
        // What is clicked on is what was drawn.
        self.buffer();
        self.send(Message::Mouse { mouse, column, row });
        self
    }

    fn click(&mut self, column: u16, row: u16) -> &mut Self {
        self.mouse(Mouse::Click, column, row)
    }

    /// Where a text begins on the screen.
    fn place(&mut self, text: &str) -> (u16, u16) {
        let screen = self.screen();
        let mut lines = screen.lines().enumerate();
        let found = lines.find_map(|(row, line)| Some((line.find(text)?, row, line)));
        let (byte, row, line) = found.unwrap_or_else(|| panic!("no {text:?} on\n{screen}"));
        // The text of the screen has a quotation mark before each line.
        (line[..byte].chars().count() as u16 - 1, row as u16)
    }
}

#[test]
fn a_click_on_a_tab_shows_its_panel() {
    let mut run = Run::new(80, 24);
    run.ticks(4);
    for (text, panel) in [("2 Reasons", Panel::Reasons), ("6 Requests", Panel::Requests)] {
        let (column, row) = run.place(text);
        run.click(column, row);
        assert_eq!(run.model.focus, panel);
    }
    let (_, row) = run.place("2 Reasons");
    run.click(79, row);
    assert_eq!(run.model.focus, Panel::Requests, "behind the last tab is none");
}

#[test]
fn a_click_selects_a_row_and_a_second_one_opens_it() {
    for (columns, rows) in [(80, 24), (200, 50)] {
        let mut run = Run::new(columns, rows);
        run.ticks(40);
        let (column, row) = run.place("favicon.ico");
        run.click(column, row);
        let selected = run.model.routes.selected_route().unwrap();
        assert_eq!(selected.source.as_deref(), Some("/srv/www/favicon.ico".as_ref()));
        assert!(run.model.popup.is_none());
        run.click(column, row);
        assert!(matches!(run.model.popup, Some(Popup::Route { .. })));
        run.click(column, row);
        assert!(
            matches!(run.model.popup, Some(Popup::Route { .. })),
            "a popup is not clicked away"
        );
    }
}

#[test]
fn a_click_on_another_panel_gives_it_the_focus() {
    let mut run = Run::new(200, 50);
    run.ticks(40);
    let (column, row) = run.place("other-port");
    run.click(column, row);
    assert_eq!(run.model.focus, Panel::Reasons);
    assert_eq!(run.model.reasons.rows[run.model.reasons.selected].name(), "other-port");
    let (column, row) = run.place("the verdicts add up");
    run.click(column, row);
    assert!(run.model.popup.is_none(), "no row");
}

#[test]
fn the_wheel_scrolls_lists_and_pages() {
    let mut run = Run::on(Simulated::new(1).with_more_routes(100), 80, 24);
    run.ticks(4).mouse(Mouse::Down, 10, 10);
    assert_eq!(run.model.routes.selected, 3);
    run.mouse(Mouse::Up, 10, 10).press("?").mouse(Mouse::Down, 10, 10).mouse(Mouse::Down, 10, 10);
    assert_eq!(run.model.routes.selected, 0);
    run.assert_shows(" 7–");
}

#[test]
fn no_click_answers_a_question() {
    let mut run = Run::new(80, 24);
    run.ticks(4).press("Down d");
    for row in 0..24 {
        for column in 0..80 {
            run.send(Message::Mouse { mouse: Mouse::Click, column, row });
        }
    }
    assert!(matches!(run.model.popup, Some(Popup::Confirm(_))));
    assert!(run.has_route("/app.js"));
}

#[test]
fn the_mouse_can_be_left_to_the_terminal() {
    let mut run = Run::new(80, 24);
    let effects = update(&mut run.model, Message::Key(event("M")));
    assert!(matches!(effects[..], [Effect::Mouse(false)]), "{effects:?}");
    run.assert_shows("the mouse is the terminal's now");
}

#[test]
fn a_copied_row_has_the_exact_values() {
    let mut run = Run::new(80, 24);
    run.ticks(40).press("Down y");
    let hits = run.model.shown.routes[&run.model.routes.selected_route().unwrap().index].hits;
    let copied = run.copied.take().unwrap();
    assert!(copied.starts_with(&format!("/app.js\thits {hits}\tdelivered_bytes ")), "{copied}");
    run.press("2 y");
    let copied = run.copied.take().unwrap();
    assert!(copied.starts_with("reset-by-peer\tcount "), "{copied}");
    run.press("3").press("y");
    assert_eq!(run.copied, None, "a chart has no rows");
}
