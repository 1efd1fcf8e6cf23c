//! The books: every packet, every request and every byte is accounted for.

use anyhow::Result;
use zeroserve_shared::{counters::RouteHits, route::FixedRoute};
use zeroserve_tests::{
    Lab,
    binary::wait_until,
    lab::{check_books, noise, packets_sent, packets_sent_before},
};
use zeroserve_tui::server::Server;

/// Waits until so much has been counted for a path: clients delay their last acknowledgments.
/// Fails if more is counted, or if it never is so much.
fn wait_for_hits(lab: &mut Lab, path: &str, expected: RouteHits) -> Result<()> {
    wait_until("every byte is counted as delivered", || {
        let hits = lab.hits(path)?;
        let more =
            hits.requests > expected.requests || hits.delivered_bytes > expected.delivered_bytes;
        assert!(!more, "{path}: {hits:?} was counted, not {expected:?}");
        Ok(hits == expected)
    })
}

#[test]
fn hits_and_delivered_bytes_are_those_that_clients_saw() -> Result<()> {
    let mut lab = Lab::new()?;
    let files = [("/small", 200, 40), ("/medium", 20_000, 20), ("/large", 2_000_000, 5)];
    for (path, bytes, _) in files {
        lab.publish(path, &noise(1, bytes))?;
    }
    let mut expected = Vec::new();
    for (path, _, requests) in files {
        let mut connection = lab.connect()?;
        let mut delivered_bytes = 0;
        for _ in 0..requests {
            let response = connection.get(path)?;
            assert_eq!(response.status, 200, "{path}");
            delivered_bytes += (response.head.len() + response.body.len()) as u64;
        }
        let head = connection.request("HEAD", path, "")?;
        delivered_bytes += head.head.len() as u64;
        expected.push((path, RouteHits { requests: requests + 1, delivered_bytes }));
    }
    for (path, hits) in expected {
        wait_for_hits(&mut lab, path, hits)?;
    }
    let requests = files.iter().map(|(_, _, requests)| requests + 1).sum::<u64>();
    assert_eq!(lab.totals()?.requests, requests);
    check_books(&lab.totals()?);
    Ok(())
}

#[test]
fn misses_are_counted_for_the_fixed_route_that_answers_them() -> Result<()> {
    let mut lab = Lab::new()?;
    let mut connection = lab.connect()?;
    for _ in 0..5 {
        assert_eq!(connection.get("/nothing")?.status, 404);
    }
    let sample = lab.live.sample()?;
    let index = FixedRoute::NotFound as u32;
    let hits = sample.hits.iter().find(|(other, _)| *other == index);
    assert_eq!(hits.map(|(_, hits)| hits.requests), Some(5));
    Ok(())
}

#[test]
fn every_packet_that_clients_send_is_counted_in_and_out() -> Result<()> {
    let mut lab = Lab::new()?;
    lab.publish("/file", &noise(1, 300_000))?;
    let before =
        packets_sent_before(&lab.server.network, || Ok(lab.live.sample()?.totals().packets_in))?;
    for _ in 0..10 {
        let mut connection = lab.connect()?;
        for _ in 0..5 {
            connection.get("/file")?;
        }
    }
    // Closing goes on for a moment after the last connection was dropped.
    wait_until("every packet is counted", || {
        let received = packets_sent(&lab.server.network)? - before;
        let counted = lab.totals()?.packets_in;
        assert!(counted <= received, "{counted} packets were counted, {received} received");
        Ok(counted == received && received > 100)
    })?;
    check_books(&lab.totals()?);
    Ok(())
}
