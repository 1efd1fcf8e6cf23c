//! What a server is, and which interface carries it.

use std::net::Ipv6Addr;

use zeroserve_shared::{
    config::{Config, OnMiss},
    route::FIRST_ROUTE,
};

use super::{addresses, clock, maps::Maps};
use crate::{
    net::interfaces::{self, Interface},
    server::Identity,
};

/// The interface that carries the program, and all there are beside it; nothing if it lies in
/// another network namespace than this process.
pub(super) fn surroundings(
    interface: &str,
    program_id: u32,
) -> Option<(Interface, Vec<Interface>)> {
    let all = interfaces::list().ok()?;
    let own = all.iter().find(|found| {
        found.name == interface && found.xdp.is_some_and(|xdp| xdp.program_id == program_id)
    })?;
    Some((own.clone(), all))
}

/// What does not change while the server is attached.
pub(super) fn identify(
    interface: &str,
    if_index: u32,
    program_id: u32,
    own: Option<Interface>,
    config: &Config,
    maps: &Maps,
) -> anyhow::Result<Identity> {
    let flow_capacity = maps.flows.capacity() as u32;
    let mut addresses: Vec<_> = addresses::read(&maps.addresses)?
        .into_iter()
        .map(|(local, _)| Ipv6Addr::from(local.address).to_canonical())
        .collect();
    addresses.sort();
    addresses.dedup();
    Ok(Identity {
        interface: interface.to_owned(),
        if_index,
        driver: own.and_then(|interface| interface.driver),
        mode: "native",
        program_id,
        port: config.port,
        on_miss: if config.hands_off() { OnMiss::HandOff } else { OnMiss::Refuse },
        mss: config.mss(20),
        addresses: addresses.iter().map(ToString::to_string).collect(),
        attached: clock::from_unix_s(config.attached_unix_s),
        route_capacity: config.max_routes.saturating_sub(FIRST_ROUTE),
        flow_capacity,
    })
}
