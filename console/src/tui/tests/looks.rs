//! What holds for every screen: without colour, without Unicode, at any size.

use proptest::prelude::*;
use ratatui::style::Color;
use zeroserve_shared::reason::Reason;

use super::{Run, folder};
use crate::{
    simulated::{Event, Simulated},
    tui::Theme,
};

/// Ways to every popup and panel.
const WAYS: &[&str] = &[
    "2",
    "3",
    "Enter",
    "Down Enter",
    "2 Enter",
    "2 t",
    "s",
    "/",
    "/ i",
    "d",
    "Down d",
    "a",
    "a n Enter",
    "a n Enter Enter",
    "a n Enter Enter y",
    "r",
    "L",
    "?",
    "q",
    "space",
    "4",
    "5",
    "5 Enter",
    "6",
    "6 Enter",
    "6 / p",
    "2 n",
    "i",
    "i Enter",
    "Down d s c",
    "Down d t",
    "Down d y u",
    "Down d s q",
    ":",
    ": t h Tab",
    ": x Enter",
];

fn troubled() -> Simulated {
    Simulated::new(1)
        .with(3, Event::Leaving(Reason::MapMissing, 7))
        .with(30, Event::Lost("gone".into()))
}

#[test]
fn without_colour_no_cell_has_one() {
    let folder = folder();
    for way in WAYS {
        let mut run = Run::with(troubled(), 200, 50, |options| {
            options.colour = false;
            options.folder = folder.path().to_owned();
        });
        run.ticks(8).press(way);
        for cell in &run.buffer().content {
            assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset), "{way}");
        }
    }
}

#[test]
fn with_colour_there_is_some() {
    let mut run = Run::new(80, 24);
    assert!(run.ticks(8).buffer().content.iter().any(|cell| cell.fg != Color::Reset));
}

/// The light of a colour of the 256 (WCAG 2.2, relative luminance).
fn luminance(colour: Color) -> f64 {
    let Color::Indexed(number @ 16..) = colour else {
        panic!("{colour} looks different on every terminal")
    };
    let level = |part: u8| [0, 95, 135, 175, 215, 255][usize::from(part)];
    let rgb = match number {
        16..=231 => [(number - 16) / 36, (number - 16) / 6 % 6, (number - 16) % 6].map(level),
        _ => [8 + 10 * i32::from(number - 232); 3],
    };
    let [r, g, b] = rgb.map(|value| {
        let value = f64::from(value) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

#[test]
fn whatever_is_drawn_has_enough_contrast_in_both_themes() {
    let folder = folder();
    for theme in [Theme::Dark, Theme::Light] {
        for way in WAYS {
            let mut run = Run::with(troubled(), 200, 50, |options| {
                options.theme = theme;
                options.folder = folder.path().to_owned();
            });
            run.ticks(8).press(way);
            for cell in &run.buffer().content {
                let (a, b) = (luminance(cell.fg), luminance(cell.bg));
                let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                assert!(contrast >= 4.5, "{theme:?} {way}: {} on {}: {contrast}", cell.fg, cell.bg);
            }
        }
    }
}

#[test]
fn the_theme_can_be_changed_and_left_to_the_terminal() {
    let mut run = Run::new(80, 24);
    run.ticks(4).press(":").enter("theme terminal").press("Enter");
    let colours: Vec<_> = run.buffer().content.iter().map(|cell| (cell.fg, cell.bg)).collect();
    assert!(colours.iter().all(|(_, ground)| *ground == Color::Reset));
    assert!(colours.iter().any(|(text, _)| *text == Color::Green));
    run.press(":").enter("theme li").press("Tab Enter");
    assert_eq!(run.model.theme, Theme::Light);
}

#[test]
fn in_ascii_every_cell_is_ascii_and_nothing_is_unknown() {
    let folder = folder();
    for (columns, rows) in [(80, 24), (200, 50)] {
        for way in WAYS {
            let mut run = Run::with(troubled(), columns, rows, |options| {
                options.ascii = true;
                options.folder = folder.path().to_owned();
            });
            run.ticks(8).press(way);
            // A sign without a plain counterpart shows as a question mark; only the key of the
            // help and questions themselves may.
            let questions = |line: &str| line.matches('?').count();
            let plain = run.screen();
            run.model.ascii = false;
            let fancy = run.screen();
            assert!(plain.is_ascii(), "{way}");
            for (plain, fancy) in plain.lines().zip(fancy.lines()) {
                assert_eq!(questions(plain), questions(fancy), "{way}: {fancy}");
            }
        }
    }
}

#[test]
fn severities_differ_without_colour() {
    let mut run = Run::with(troubled(), 80, 24, |options| options.colour = false);
    run.ticks(8).press("2");
    run.assert_shows("▲ map-missing").assert_shows("fault").assert_shows("◆ reset-by-peer");
}

/// Where a text is on the screen: its first columns, top down.
fn columns_of(run: &mut Run, text: &str) -> Vec<usize> {
    let buffer = run.buffer();
    let signs: Vec<String> = text.chars().map(String::from).collect();
    let rows = buffer.content.chunks(buffer.area.width.into());
    rows.filter_map(|row| {
        row.windows(signs.len()).position(|cells| {
            cells.iter().zip(&signs).all(|(cell, sign)| cell.symbol() == sign.as_str())
        })
    })
    .collect()
}

#[test]
fn wide_characters_leave_columns_where_they_are() {
    let folder = folder();
    let odd =
        ["文字.txt", "한국어.md", "e\u{301}te\u{301}.txt", "two\nlines", &"長い名前".repeat(12)];
    for name in odd {
        std::fs::write(folder.path().join(name), "x").unwrap();
    }
    let mut run = Run::with(Simulated::new(1), 120, 30, |options| {
        options.folder = folder.path().to_owned();
    });
    run.ticks(4).press("a");
    let dates = columns_of(&mut run, "UTC");
    assert_eq!(dates.len(), 3 + odd.len());
    assert!(dates.iter().all(|column| *column == dates[0]), "{dates:?}");

    run.enter("文").press("Enter ctrl-u").enter("/wide").press("Enter y").select("wide");
    run.press("r ctrl-u").enter("notes").press("Enter");
    run.assert_shows("Replace this?");
    let then = columns_of(&mut run, "then")[0];
    let source = then + folder.path().to_str().unwrap().len();
    assert_eq!(columns_of(&mut run, "13 bytes"), [then]);
    assert!(columns_of(&mut run, "/notes.txt").contains(&source), "{}", run.screen());
}

#[test]
fn a_cursor_behind_wide_characters_stays_on_the_screen() {
    let folder = folder();
    let mut run = Run::with(Simulated::new(1), 80, 24, |options| {
        options.folder = folder.path().to_owned();
    });
    run.ticks(4).press("a").enter(&"文".repeat(80)).enter("xyz");
    assert_eq!(columns_of(&mut run, "xyz").len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_size_can_be_drawn(columns in 1u16..250, rows in 1u16..80, way in 0..WAYS.len()) {
        let folder = folder();
        let mut run = Run::with(troubled(), columns, rows, |options| {
            options.folder = folder.path().to_owned();
        });
        run.ticks(40).press(WAYS[way]);
        run.buffer();
    }
}
