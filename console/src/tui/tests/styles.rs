//! Where colour carries meaning: what is green, yellow, red or turned round on a screen, and what
//! it says there.

use ratatui::{
    buffer::Cell,
    style::{Color, Modifier},
};
use zeroserve_shared::{reason::Reason, refusal::Refusal};

use super::{Run, screens::troubled};
use crate::{
    simulated::{Event, Simulated},
    tui::Theme,
};

/// What a cell means by its style, if anything.
fn meaning(cell: &Cell) -> Option<String> {
    let colour = match cell.fg {
        Color::Green => "good",
        Color::Yellow => "warning",
        Color::Red => "bad",
        _ => "",
    };
    let reversed = cell.modifier.contains(Modifier::REVERSED);
    let words = [colour, if reversed { "turned round" } else { "" }];
    let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// Every stretch of the screen that means something by its style, top down.
fn meanings(run: &mut Run) -> String {
    let buffer = run.buffer();
    let mut text = String::new();
    for (row, cells) in buffer.content.chunks(buffer.area.width.into()).enumerate() {
        for stretch in cells.chunk_by(|a, b| meaning(a) == meaning(b)) {
            let Some(meaning) = meaning(&stretch[0]) else { continue };
            let said: String = stretch.iter().map(Cell::symbol).collect();
            if !said.trim().is_empty() {
                text += &format!("{row:2} {meaning:<22} {}\n", said.trim_end());
            }
        }
    }
    text
}

fn look(name: &str, server: impl Fn() -> Simulated, play: impl Fn(&mut Run)) {
    for (columns, rows) in [(80, 24), (200, 50)] {
        let mut run = Run::with(server(), columns, rows, |options| options.theme = Theme::Terminal);
        play(&mut run);
        insta::assert_snapshot!(format!("{name}_{columns}x{rows}"), meanings(&mut run));
    }
}

fn plain() -> Simulated {
    Simulated::new(1)
}

macro_rules! styles {
    ($($name:ident: $server:expr, $play:expr;)+) => {
        $(#[test]
        fn $name() {
            look(stringify!($name), || $server, $play);
        })+
    };
}

styles! {
    serving: plain(), |run| { run.ticks(40); };
    waiting: plain(), |_| {};
    lost: plain().with(10, Event::Lost("gone".into())), |run| { run.ticks(12); };
    faults: plain().with(30, Event::Leaving(Reason::FlowTableFull, 12)),
        |run| { run.ticks(40).press("2"); };
    warnings_only: plain().around(|around| {
        around.interface.as_mut().unwrap().mtu_bytes = 1280;
    }), |run| { run.ticks(40); };
    list_of_issues: troubled(), |run| { run.ticks(40).press("i Down"); };
    whose_drop: plain(), |run| { run.ticks(40).press("2 n"); };
    flows: plain(), |run| { run.ticks(8).press("5"); };
    flows_of_a_client: plain(), |run| { run.ticks(8).press("5 Enter"); };
    requests: plain().with(1, Event::Refusing(Refusal::HostMissing, 4)),
        |run| { run.ticks(8).press("6").ticks(20); };
    on_trial: plain(), |run| { run.ticks(8).press("Down d t").ticks(20); };
    question_before_a_removal: plain(), |run| { run.ticks(8).press("Down d"); };
    question_before_leaving: plain(), |run| { run.ticks(8).press("Down d t q"); };
    paused_and_frozen: plain(), |run| { run.ticks(8).press("f space"); };
    read_only: plain().around(|around| around.pen = Some(super::pen::holder())),
        |run| { run.ticks(8).press("d"); };
    log: plain(), |run| {
        run.ticks(8).press("Down d y");
        let path = "/style.css".parse().unwrap();
        run.server.apply(crate::server::Change::Remove(path)).unwrap();
        run.select("style").press("d y").ticks(4).press("L");
    };
    details_with_a_file_that_is_gone: plain(), |run| { run.ticks(8).press("Down Enter"); };
}

#[test]
fn what_means_something_by_its_colour_says_so_by_a_sign_or_a_word_as_well() {
    let mut run = Run::with(troubled(), 80, 24, |options| options.theme = Theme::Terminal);
    run.ticks(40).press("2 End");
    for line in meanings(&mut run).lines().filter(|line| !line[..25].contains("turned round")) {
        let has_sign = line.contains(['●', '▲', '◆', '✓', '✗', '≠']);
        let is_word = ["fault", "refused"].iter().any(|word| line.ends_with(word));
        assert!(has_sign || is_word, "{line}");
    }
}
