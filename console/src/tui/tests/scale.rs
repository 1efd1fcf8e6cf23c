//! How long keys and samples take, with few routes and with many. No test but a measurement:
//!
//!     cargo test --release -p zeroserve-tui --lib scale -- --ignored --nocapture

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use super::Run;
use crate::simulated::{Event, Simulated};

/// Keys that are measured, each with what is drawn after it.
const KEYS: &[&str] = &[
    "Down", "PgDn", "End", "Home", "*", "s", "s", "f", "/", "i", "n", "d", "e", "x", "Esc", "Tab",
    "Tab", "Tab", "Tab", "Tab", ":", "g", "o", "t", "Esc", "?", "Esc", "space", "space",
];

/// CPU time of this thread: what others do on the machine at the same time is not measured.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

#[test]
#[ignore = "a measurement"]
fn keys_and_samples_with_few_routes_and_with_many() {
    for more in [0, 10_000] {
        // After the samples of the busy part.
        let server = Simulated::new(1).with_more_routes(more).with(81, Event::Silence);
        let mut run = Run::on(server, 200, 50);
        run.ticks(40).press("*");
        let mut slowest = (Duration::ZERO, "");
        let begun = cpu_time();
        for key in KEYS {
            let pressed = cpu_time();
            run.press(key).buffer();
            slowest = slowest.max((cpu_time() - pressed, key));
        }
        let mean = (cpu_time() - begun) / KEYS.len() as u32;
        let busy = tick(&mut run);
        run.ticks(20);
        let idle = tick(&mut run);
        println!(
            "{more:>6} more routes: a key {mean:?}, the slowest {:?} ({}); a tick {busy:?}, {:.2} % \
             of a core at four a second; idle {idle:?}, {:.2} %",
            slowest.0,
            slowest.1,
            busy.as_secs_f64() * 400.0,
            idle.as_secs_f64() * 400.0,
        );
    }
}

/// What a tick takes, drawing included.
fn tick(run: &mut Run) -> Duration {
    // The server is simulated on the same thread, so what it takes is taken off.
    let (mut server, begun) = (Duration::ZERO, cpu_time());
    let ticks = 40;
    for _ in 0..ticks {
        let now = run.model.now + Duration::from_millis(250);
        for effect in crate::tui::update::update(&mut run.model, super::Message::Tick(now)) {
            let super::Effect::Server(job) = effect else { continue };
            let asked = cpu_time();
            let answer = crate::tui::effects::ask(run.server.as_mut(), job);
            server += cpu_time() - asked;
            crate::tui::update::update(&mut run.model, answer);
        }
        if std::mem::take(&mut run.model.changed) {
            run.buffer();
        }
    }
    ((cpu_time() - begun) - server) / ticks
}
