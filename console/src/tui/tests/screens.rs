//! Every screen, popup and error, at the smallest size that shows everything and at a large one.

use zeroserve_shared::{reason::Reason, refusal::Refusal};

use super::{Run, anonymous, folder};
use crate::{
    server::Usage,
    simulated::{Event, Simulated},
    tui::Leaving,
};

const SIZES: [(u16, u16); 2] = [(80, 24), (200, 50)];

/// Compares a screen at both sizes with the one that was agreed on.
fn look(name: &str, server: impl Fn() -> Simulated, play: impl Fn(&mut Run)) {
    let folder = folder();
    for (columns, rows) in SIZES {
        let mut run = Run::with(server(), columns, rows, |options| {
            options.folder = folder.path().to_owned();
        });
        play(&mut run);
        let screen = anonymous(&run.screen(), folder.path());
        insta::assert_snapshot!(format!("{name}_{columns}x{rows}"), screen);
    }
}

fn plain() -> Simulated {
    Simulated::new(1)
}

/// Much is wrong.
pub(super) fn troubled() -> Simulated {
    plain().with(30, Event::Leaving(Reason::FlowTableFull, 12)).around(|around| {
        around.flows = Some(Usage { used: 64_000, capacity: 65_536 });
        around.stale = vec!["eth7".into()];
        if let Some(interface) = &mut around.interface {
            interface.mode = Some("generic");
            interface.program_id = Some(7);
            interface.mtu_bytes = 1280;
            interface.peer_takes_frames = Some(false);
        }
    })
}

macro_rules! screens {
    ($($name:ident: $server:expr, $play:expr;)+) => {
        $(#[test]
        fn $name() {
            look(stringify!($name), || $server, $play);
        })+
    };
}

screens! {
    before_the_first_sample: plain(), |_| {};
    first_sample_has_no_rates_yet: plain(), |run| { run.ticks(1); };
    routes: plain(), |run| { run.ticks(40); };
    routes_with_a_folder_closed: plain(), |run| {
        run.ticks(40).press("Down Down Left Down");
    };
    routes_by_byte_rate: plain(), |run| { run.ticks(40).press("s s s"); };
    routes_filtered_while_typing: plain(), |run| { run.ticks(8).press("/").enter("img"); };
    no_route_matches: plain(), |run| { run.ticks(8).select("nowhere"); };
    many_routes_begin_closed: plain().with_more_routes(10_000), |run| { run.ticks(8); };
    route_detail: plain(), |run| { run.ticks(8).press("Down Enter"); };
    fixed_route_detail: plain(), |run| { run.ticks(8).select("404").press("Enter"); };
    reasons: plain(), |run| { run.ticks(40).press("2"); };
    reasons_with_uncounted: plain(), |run| { run.ticks(40).press("2 t"); };
    reason_explained: plain(), |run| { run.ticks(40).press("2 Down Enter"); };
    chart: plain(), |run| { run.ticks(600).press("3"); };
    chart_zoomed_in: plain(), |run| { run.ticks(600).press("3 +"); };
    faults_are_rising: plain().with(30, Event::Leaving(Reason::FlowTableFull, 12)),
        |run| { run.ticks(40).press("2"); };
    cpus: plain(), |run| { run.ticks(40).press("4"); };
    cpus_of_a_large_machine: plain().with_cpus(128), |run| { run.ticks(40).press("4"); };
    flows: plain(), |run| { run.ticks(8).press("5 s").ticks(8); };
    flows_of_a_client: plain(), |run| { run.ticks(8).press("5 Down Enter"); };
    consoles_that_cannot_be_told_apart: plain().around(|around| {
        let why = "cannot lock /run/zeroserve/eth0.pen: Permission denied (os error 13)";
        around.pen_trouble = Some(why.into());
    }), |run| { run.ticks(8).press("i Enter"); };
    read_only: plain().around(|around| around.pen = Some(super::pen::holder())), |run| {
        run.ticks(8).press("d");
    };
    requests: plain(), |run| { run.ticks(8).press("6").ticks(20); };
    requests_before_any: plain().with(1, Event::Silence), |run| { run.ticks(8).press("6"); };
    requests_filtered: plain(), |run| {
        run.ticks(8).press("6").ticks(40).press("/").enter("php 404").press("Enter Down");
    };
    request_in_detail: plain(), |run| { run.ticks(8).press("6 Enter"); };
    refused_requests_seen: plain().with(3, Event::Refusing(Refusal::HostMissing, 4)), |run| {
        run.ticks(12).press("2 Down Enter").ticks(12).press("End");
    };
    packets_seen_of_a_reason: plain(), |run| {
        run.ticks(40).press("2 Down Enter").ticks(8).press("End");
    };
    rates_of_drops: plain().with(30, Event::Leaving(Reason::SequenceGap, 200)), |run| {
        run.ticks(300).press("3 Left");
    };
    rates_with_what_was_done: plain(), |run| {
        run.ticks(200).press("Down d y").ticks(200).press("3");
    };
    whose_drop: plain(), |run| { run.ticks(40).press("2 n"); };
    cost_of_a_packet_measured: plain().around(|around| around.run_time = None), |run| {
        run.ticks(40).press("m").ticks(40);
    };
    issues: troubled(), |run| { run.ticks(40).press("i Down"); };
    issue_explained: troubled(), |run| { run.ticks(40).press("i Down Enter"); };
    palette: plain(), |run| { run.ticks(8).press(":").enter("re").press("Tab"); };
    palette_refuses: plain(), |run| { run.ticks(8).press(":").enter("log x").press("Enter"); };
    nothing_is_wrong: plain(), |run| { run.ticks(8).press("i"); };
    rows_frozen: plain(), |run| { run.ticks(8).press("s s f"); };
    lost: plain().with(10, Event::Lost("the pinned map COUNTERS is gone".into())),
        |run| { run.ticks(12); };
    requests_are_refused: Simulated::new(1)
        .with(3, Event::Refusing(Refusal::HostMissing, 4))
        .with(3, Event::Refusing(Refusal::TlsClientHello, 40)),
        |run| { run.ticks(12).press("2 End"); };
    refusal_explained: Simulated::new(1).with(3, Event::Refusing(Refusal::HostMissing, 4)),
        |run| { run.ticks(12).press("2 End Enter"); };
    paused: plain(), |run| { run.ticks(8).press("space").ticks(20); };
    picker: plain(), |run| { run.ticks(8).press("a"); };
    picker_filtered: plain(), |run| { run.ticks(8).press("a").enter("NOT"); };
    picker_cannot_read_the_folder: plain(), |run| { run.ticks(8).press("Down r"); };
    path_form: plain(), |run| { run.ticks(8).press("a").enter("notes").press("Enter"); };
    path_is_refused: plain(), |run| {
        run.ticks(8).press("a").enter("notes").press("Enter ctrl-u").enter("a//b").press("Enter");
    };
    confirm_adding: plain(), |run| {
        run.ticks(8).press("a").enter("notes").press("Enter Enter");
    };
    confirm_replacing: plain(), |run| {
        run.ticks(8).press("a").enter("app").press("Enter Enter");
    };
    confirm_removing: plain(), |run| { run.ticks(8).press("Down d"); };
    replaced: plain(), |run| {
        run.ticks(8).press("a").enter("app").press("Enter Enter y").ticks(8);
    };
    refused: plain(), |run| {
        run.ticks(8).press("Down d");
        run.send(super::Message::Routes(Ok(run.model.routes.infos.clone())));
        // Another console is faster.
        let path = "/app.js".parse().unwrap();
        run.server.apply(crate::server::Change::Remove(path)).unwrap();
        run.press("y").ticks(1);
    };
    redirect_form: plain(), |run| {
        run.ticks(8).press("R").enter("old.html").press("Enter").enter("https://example.org/new");
    };
    redirect_is_refused: plain(), |run| {
        run.ticks(8).press("R").enter("old").press("Enter").enter("new").press("Enter");
    };
    reply_form: plain(), |run| {
        run.ticks(8).press("A").enter("healthz").press("Enter").enter("ok");
    };
    confirm_a_redirect: plain(), |run| {
        run.ticks(8).press("R").enter("old.html").press("Enter").enter("/app.js").press("Enter");
    };
    confirm_a_reply_in_the_place_of_a_file: plain(), |run| {
        run.ticks(8).press("A").enter("app.js").press("Enter").enter("gone").press("Enter");
    };
    staged: plain(), |run| {
        run.ticks(8).press("a").enter("app").press("Enter Enter s Down Down Down d s c");
    };
    on_trial: plain(), |run| { run.ticks(8).press("Down d t").ticks(20); };
    undo: plain(), |run| {
        run.ticks(8).press("a").enter("app").press("Enter Enter y u");
    };
    exit_question_with_much_pending: plain(), |run| {
        run.ticks(8).press("Down d t Down Down Down d s q");
    };
    log: plain(), |run| {
        run.ticks(8).press("a").enter("app").press("Enter Enter y Down d y").press("L");
    };
    nothing_done_yet: plain(), |run| { run.ticks(8).press("L"); };
    help: plain(), |run| { run.ticks(8).press("?"); };
    help_scrolled_to_its_end: plain(), |run| { run.ticks(8).press("? End"); };
    exit_question: plain(), |run| { run.ticks(8).press("q"); };
    exit_question_with_the_second_choice: plain(), |run| { run.ticks(8).press("q Right"); };
}

#[test]
fn demo() {
    for (columns, rows) in SIZES {
        let mut run = Run::with(plain(), columns, rows, |options| {
            options.leaving = Leaving::StopsServing;
        });
        run.ticks(8);
        insta::assert_snapshot!(format!("demo_{columns}x{rows}"), run.screen());
    }
}

#[test]
fn ascii() {
    for (columns, rows) in SIZES {
        let mut run = Run::with(plain(), columns, rows, |options| options.ascii = true);
        run.ticks(200).press("3");
        insta::assert_snapshot!(format!("ascii_{columns}x{rows}"), run.screen());
    }
}

#[test]
fn a_terminal_that_is_too_small_says_what_is_needed() {
    insta::assert_snapshot!(Run::new(40, 8).ticks(8).screen());
}
