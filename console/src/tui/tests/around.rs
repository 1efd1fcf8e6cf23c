//! What is wrong, who is connected, what each CPU does, over longer times.

use super::Run;
use crate::simulated::{Event, Simulated};

#[test]
fn what_is_odd_around_the_server_is_named_in_the_header_and_explained() {
    let server = Simulated::new(1).around(|around| {
        let interface = around.interface.as_mut().unwrap();
        interface.program_id = Some(99);
        interface.mtu_bytes = 1280;
    });
    let mut run = Run::on(server, 80, 24);
    run.ticks(4).assert_shows("▲ FAULT  foreign-program, mtu-too-small   (i explains)");
    run.press("i").assert_shows("What is wrong").press("Down Enter");
    run.assert_shows("carries packets of 1280 bytes").assert_shows("usual cause");
    run.press("Enter").assert_hides("usual cause");
}

#[test]
fn a_calm_server_has_no_alarm() {
    let mut run = Run::new(80, 24);
    run.ticks(12).press("i").assert_shows("Nothing is wrong");
    assert!(run.model.issues().is_empty());
}

#[test]
fn an_alarm_is_raised_also_while_the_screen_is_paused() {
    let fault = zeroserve_shared::reason::Reason::MapMissing;
    let mut run = Run::on(Simulated::new(1).with(20, Event::Leaving(fault, 9)), 80, 24);
    run.ticks(8).press("space").ticks(20).assert_shows("PAUSED").assert_shows("map-missing 8.00/s");
}

#[test]
fn flows_are_read_only_while_somebody_looks() {
    let mut run = Run::new(80, 24);
    run.ticks(20);
    assert!(run.model.flows.read.is_none());
    run.press("5");
    assert_eq!(run.model.flows.clients.len(), 40, "at once");
    run.ticks(4).press("1");
    let before = run.model.flows.read.clone();
    run.ticks(20);
    assert_eq!(run.model.flows.read, before);
}

#[test]
fn a_client_is_followed_while_the_list_is_sorted_anew() {
    let mut run = Run::new(120, 40);
    run.ticks(4).press("5 Down Down Down");
    let chosen = run.model.flows.clients[3].key;
    run.press("s").ticks(8);
    assert_eq!(run.model.flows.clients[run.model.flows.selected].key, chosen);
    run.press("Enter").assert_shows("Flows of 198.18.0.13 vlan 7");
}

#[test]
fn the_figures_stay_exact_over_a_reset_of_the_counters() {
    let mut run = Run::on(Simulated::new(1).with(200, Event::Reset), 200, 50);
    run.ticks(199);
    let before = run.model.shown.figures[0].means()[1].unwrap();
    run.ticks(1);
    assert_eq!(run.model.shown.figures[0].means(), [None; 3]);
    run.ticks(40);
    let after = run.model.shown.figures[0].means()[1].unwrap();
    assert!(after > before / 4.0 && after < before * 4.0, "{before} {after}");
}

#[test]
fn a_screen_with_128_cpus_shows_all_of_them_and_names_the_busiest() {
    let mut run = Run::on(Simulated::new(1).with_cpus(128), 80, 24);
    run.ticks(8).press("4").assert_shows("of 128 CPUs take packets; CPU 5 takes");
    let signs = |line: &str| line.chars().filter(|sign| "▁▂▃▄▅▆▇·".contains(*sign)).count();
    let strips = run.screen().lines().skip(8).take(2).map(signs).sum::<usize>();
    assert_eq!(strips, 128);
}
