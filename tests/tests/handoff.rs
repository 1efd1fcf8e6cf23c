//! In front of an ordinary server: what is served here never reaches it, everything else does.

use anyhow::Result;
use zeroserve_tests::{
    front::Front,
    lab::{check_books, noise},
};
use zeroserve_tui::server::Server;

#[test]
fn hot_and_cold_requests_take_turns_on_one_connection() -> Result<()> {
    let (hot, cold) = (noise(1, 700), noise(2, 900));
    let (front, mut live) = Front::with_nginx(&[("hot", &hot)], &[("cold", &cold)])?;
    let mut connection = front.connect()?;
    // As many as there may be before anything is cold, then turns.
    for _ in 0..10 {
        assert_eq!(connection.get("/hot")?.body, hot);
    }
    let answer = connection.get("/cold")?;
    assert_eq!((answer.status, answer.body), (200, &cold[..]));
    let totals = live.sample()?.totals();
    assert_eq!((totals.requests, totals.handed_off, totals.handoffs_failed), (10, 1, 0));
    let log = front.log(1)?;
    assert_eq!(log, ["198.18.0.2 GET /cold 200"]);
    check_books(&totals);
    Ok(())
}
