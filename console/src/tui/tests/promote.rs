//! Misses, and promoting them.

use super::{Message, Run};
use crate::{
    server::{Change, RouteName},
    simulated::Simulated,
};

const PRICES: &str = "//example.org/api/prices.json";

fn copies(run: &Run) -> usize {
    run.model.routes.infos.iter().filter(|info| info.copy.is_some()).count()
}

#[test]
fn misses_are_listed_by_rate_and_what_was_found_stands_beside_them() {
    for (columns, rows) in [(80, 24), (200, 50)] {
        let mut run = Run::new(columns, rows);
        run.ticks(40).press("p").ticks(12);
        insta::assert_snapshot!(format!("misses_{columns}x{rows}"), run.screen());
        run.press("Down Enter");
        insta::assert_snapshot!(format!("misses_refused_{columns}x{rows}"), run.screen());
        run.press("Home Enter");
        insta::assert_snapshot!(format!("promote_{columns}x{rows}"), run.screen());
        run.press("y p").ticks(4);
        insta::assert_snapshot!(format!("promoted_{columns}x{rows}"), run.screen());
    }
}

#[test]
fn one_key_on_a_miss_promotes_it_and_undo_and_demote_give_it_back() {
    let mut run = Run::new(120, 40);
    run.ticks(8).press("p").ticks(8).press("p");
    run.assert_shows("Promote this?").assert_shows("lifetime").assert_shows("max-age=60");
    assert!(!run.has_route(PRICES));
    run.press("y").assert_shows("promoted //example.org/api/prices.json");
    assert!(run.has_route(PRICES) && copies(&run) == 1);
    run.press("L").assert_shows("$ zeroserve-tui promote eth0 //example.org/api/prices.json");
    run.press("Esc u y");
    assert!(!run.has_route(PRICES));

    run.press("p p t").assert_shows("taken back in 60 s: promoted").press("K");
    run.select("prices").press("d");
    run.assert_shows("Give this back to the server behind?").assert_shows("demote eth0");
    let before = run.model.route_at(PRICES).cloned();
    run.press("y").assert_shows("demoted //example.org/api/prices.json");
    assert!(!run.has_route(PRICES));
    // Back as it was, its lifetime not a moment longer.
    run.press("u y");
    let after = run.model.route_at(PRICES).cloned();
    assert_eq!(after.map(|info| info.copy), before.map(|info| info.copy));
}

#[test]
fn what_is_not_for_a_cache_is_refused_with_the_reason_and_the_list_stays() {
    let mut run = Run::new(120, 40);
    run.ticks(8).press("p").ticks(8).press("Down Enter");
    run.assert_shows("Misses").assert_shows("Cache-Control: private");
    assert_eq!(copies(&run), 0);
    run.press("Esc").assert_shows("//example.org/account cannot be promoted");
}

#[test]
fn a_refreshed_copy_is_no_news_and_a_changed_one_is() {
    let mut run = Run::new(120, 40);
    run.ticks(8).press("p").ticks(8).press("p y");
    let path = || PRICES.parse().unwrap();
    let mut again = run.server.rendered(&RouteName::Path(path())).unwrap();
    let logged = run.model.log.len();
    again.copy.as_mut().unwrap().expires += std::time::Duration::from_secs(60);
    run.server.apply(Change::Replace(path(), std::sync::Arc::new(again.clone()))).unwrap();
    run.ticks(4);
    assert_eq!(run.model.log.len(), logged);
    again.body_sha256[0] ^= 1;
    run.server.apply(Change::Replace(path(), std::sync::Arc::new(again))).unwrap();
    run.ticks(4)
        .press("L")
        .assert_shows("changed elsewhere: replaced //example.org/api/prices.json");
}

#[test]
fn whoever_cancels_gets_no_question_later() {
    let mut run = Run::on(Simulated::new(1), 120, 40);
    run.ticks(8).press("p").ticks(4);
    run.held = Some(Vec::new());
    run.press("Enter").press("Esc");
    run.held = None;
    run.send(Message::Examined { job: run.model.job, outcome: Err("too late".into()) });
    run.assert_hides("too late");
    assert!(run.model.popup.is_none() && run.model.changes.trial.is_none());
}
