//! Single requests and packets of the made-up traffic.

use std::time::SystemTime;

use etherparse::PacketBuilder;
use zeroserve_shared::{reason::Reason, refusal::Refusal, route::FixedRoute};

use super::{SimulatedRoute, traffic::Random};
use crate::{
    observe::{Packet, Request},
    server::RouteName,
};

/// Requests shown each time somebody looks.
const REQUESTS: usize = 4;

/// Some of the requests of the last moment.
pub(super) fn requests(
    random: &mut Random,
    routes: &[SimulatedRoute],
    refusing: &[(Refusal, u32)],
    time: SystemTime,
) -> Vec<Request> {
    let shares: u32 = routes.iter().map(|route| route.share).sum();
    let ask = |_| {
        let mut left = random.below(shares);
        let route = routes.iter().find(|route| {
            let found = left < route.share;
            left = left.saturating_sub(route.share);
            found
        })?;
        let line = match &route.info.name {
            RouteName::Path(path) => format!("GET {path} HTTP/1.1"),
            RouteName::Fixed(FixedRoute::NotFound) => "GET /wp-login.php HTTP/1.1".to_owned(),
            RouteName::Fixed(_) => "POST / HTTP/1.1".to_owned(),
        };
        Some(Request {
            time,
            client: (
                [203, 0, 113, random.below(250) as u8 + 1],
                40_000 + random.below(9_999) as u16,
            )
                .into(),
            server: ([192, 0, 2, 10], 80).into(),
            line,
            route: route.info.index,
            status: route.info.status,
            bytes: route.info.response_bytes,
            refusal: None,
        })
    };
    let mut requests: Vec<Request> = (0..REQUESTS).filter_map(ask).collect();
    for (refusal, _) in refusing {
        let answer = routes.iter().find(|route| route.info.index == refusal.route() as u32);
        let answer = answer.map(|route| &route.info);
        requests.push(Request {
            time,
            client: ([203, 0, 113, 66], 40_000 + random.below(9_999) as u16).into(),
            server: ([192, 0, 2, 10], 80).into(),
            line: "GET / HTTP/1.1".into(),
            route: refusal.route() as u32,
            status: answer.map_or(0, |info| info.status),
            bytes: answer.map_or(0, |info| info.response_bytes),
            refusal: Some(*refusal),
        });
    }
    requests
}

/// A packet for each reason that is looked for and occurs.
pub(super) fn packets(
    random: &mut Random,
    leaving: &[(Reason, u32)],
    wanted: &[Reason],
    time: SystemTime,
) -> Vec<Packet> {
    let seen = leaving.iter().filter(|(reason, _)| wanted.contains(reason));
    let packet = |(reason, _): &(Reason, u32)| {
        let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 2], [2, 0, 0, 0, 0, 1])
            .ipv4([203, 0, 113, random.below(250) as u8 + 1], [192, 0, 2, 10], 64)
            .tcp(40_000 + random.below(9_999) as u16, 80, random.below(u32::MAX), 502);
        let mut captured = Vec::new();
        builder.write(&mut captured, &[]).ok()?;
        Some(Packet { time, reason: *reason, bytes: captured.len() as u32, captured })
    };
    seen.filter_map(packet).collect()
}
