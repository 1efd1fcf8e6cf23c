//! Addresses behind the client's end of a private network, which no interface has.
//!
//! A program there may speak for them; the server's kernel has to know where they are, because
//! nobody answers when it asks.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use nix::ifaddrs::getifaddrs;
use rtnetlink::{RouteMessageBuilder, packet_route::neighbour::NeighbourState};

use super::{PrivateNetwork, veth::CLIENT_ADDRESS};

/// Tells the server's kernel that a network lies behind the client's end, and the client's
/// hardware address, for good. Returns the hardware addresses of both ends, the server's first.
///
/// # Errors
///
/// Where the kernel refuses.
pub fn introduce(
    network: &PrivateNetwork,
    prefix: Ipv4Addr,
    prefix_bits: u8,
) -> Result<[[u8; 6]; 2]> {
    let server = network.server.run(|| hardware_address(&network.veth.server))??;
    let client = network.client.run(|| hardware_address(&network.veth.client))??;
    let if_index = network.veth.server_index;
    network.server.run(|| add_route(if_index, client, prefix, prefix_bits))??;
    Ok([server, client])
}

fn hardware_address(interface: &str) -> Result<[u8; 6]> {
    let mut own = getifaddrs()?.filter(|one| one.interface_name == interface);
    let address = own.find_map(|one| one.address?.as_link_addr()?.addr());
    address.with_context(|| format!("{interface} has no hardware address"))
}

fn add_route(if_index: u32, client: [u8; 6], prefix: Ipv4Addr, prefix_bits: u8) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let (connection, handle, _) = rtnetlink::new_connection().context("no netlink socket")?;
        tokio::spawn(connection);
        let neighbours = handle.neighbours();
        let known = neighbours.add(if_index, CLIENT_ADDRESS.into()).link_local_address(&client);
        let adding = known.state(NeighbourState::Permanent).replace().execute();
        adding.await.context("cannot tell the client's hardware address")?;
        let route = RouteMessageBuilder::<Ipv4Addr>::new()
            .destination_prefix(prefix, prefix_bits)
            .gateway(CLIENT_ADDRESS)
            .output_interface(if_index)
            .build();
        let adding = handle.route().add(route).replace().execute();
        adding.await.with_context(|| format!("no route to {prefix}/{prefix_bits}"))
    })
}
