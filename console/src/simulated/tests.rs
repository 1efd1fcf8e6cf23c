//! The promises that a simulated server keeps.

use super::*;

fn busy(seed: u64) -> Simulated {
    let mut server = Simulated::new(seed).with(3, Event::Leaving(Reason::FlowTableFull, 40));
    for _ in 0..20 {
        server.sample().unwrap();
    }
    server
}

#[test]
fn the_same_seed_gives_the_same_traffic_and_another_seed_does_not() {
    let [a, b, c] = [7, 7, 8].map(|seed| busy(seed).sample().unwrap().totals());
    assert_eq!(a, b);
    assert_ne!(a, c);
}

#[test]
fn every_packet_has_one_verdict_and_every_one_that_left_a_reason() {
    let totals = busy(1).sample().unwrap().totals();
    assert!(totals.packets_in > 10_000);
    assert_eq!(totals.unaccounted_packets(), 0);
    assert_eq!(totals.unexplained_packets(), 0);
}

#[test]
fn hits_of_routes_add_up_to_requests() {
    let sample = busy(1).sample().unwrap();
    let hits: u64 = sample.hits.iter().map(|(_, hits)| hits.requests).sum();
    assert_eq!(hits, sample.totals().requests);
}

#[test]
fn a_removed_route_is_gone_and_cannot_be_removed_twice() {
    let mut server = busy(1);
    let path: RoutePath = "/app.js".parse().unwrap();
    let before = server.sample().unwrap().routes_revision;
    server.apply(Change::Remove(path.clone())).unwrap();
    assert_ne!(server.sample().unwrap().routes_revision, before);
    assert!(server.routes().unwrap().iter().all(|route| !is_at(route, &path)));
    assert!(matches!(server.apply(Change::Remove(path)), Err(ChangeError::NoSuchRoute(_))));
}
