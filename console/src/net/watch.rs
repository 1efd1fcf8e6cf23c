//! How one interface is doing, as the kernel tells over netlink: its counters, its XDP program, and
//! the far end of a veth pair.
//!
//! Everything here looks at the network namespace of the calling thread, but for the far end, which
//! may lie in another that this one has a number for.

use anyhow::Context;
use futures::TryStreamExt;
use rtnetlink::{
    Handle,
    packet_route::link::{LinkAttribute, LinkMessage, Stats64},
};

use super::interfaces::{self, Interface};

/// An interface that is being watched.
#[derive(Clone, Debug)]
pub struct Watched {
    /// What it is.
    pub interface: Interface,
    /// What it counts.
    pub counters: Stats64,
    /// Whether an XDP program runs at the far end of a veth pair; none where it cannot be seen.
    pub peer_has_program: Option<bool>,
}

/// Looks at an interface of this network namespace; none if there is no such interface.
///
/// # Errors
///
/// Where the kernel does not answer over netlink.
pub fn look(index: u32) -> anyhow::Result<Option<Watched>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .context("cannot start an event loop")?;
    runtime.block_on(ask(index)).context("cannot ask the kernel for an interface over netlink")
}

async fn ask(index: u32) -> anyhow::Result<Option<Watched>> {
    let (connection, handle, _) = rtnetlink::new_connection()?;
    let connection = tokio::spawn(connection);
    let Some(link) = link(&handle, index, None).await else {
        connection.abort();
        return Ok(None);
    };
    let interface = interfaces::interface(&link);
    let peer_has_program = match peer(&link) {
        Some((peer, namespace)) if interface.driver.as_deref() == Some("veth") => {
            let peer = self::link(&handle, peer, namespace).await;
            peer.map(|peer| interfaces::interface(&peer).xdp.is_some())
        }
        _ => None,
    };
    connection.abort();
    let counters = link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Stats64(counters) => Some(*counters),
        _ => None,
    });
    let counters = counters.unwrap_or_default();
    Ok(Some(Watched { interface, counters, peer_has_program }))
}

/// The link of that index, here or in the namespace that has that number here. None if there is no
/// such link, or it may not be seen.
async fn link(handle: &Handle, index: u32, namespace: Option<i32>) -> Option<LinkMessage> {
    let mut request = handle.link().get().match_index(index);
    let attributes = &mut request.message_mut().attributes;
    attributes.extend(namespace.map(LinkAttribute::IfNetnsId));
    request.execute().try_next().await.ok().flatten()
}

/// The index of the far end, and the number of its namespace if it is another.
fn peer(link: &LinkMessage) -> Option<(u32, Option<i32>)> {
    let index = link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Link(index) => Some(*index),
        _ => None,
    })?;
    let namespace = link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::LinkNetNsId(number) => Some(*number),
        _ => None,
    });
    Some((index, namespace))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_is_seen_and_has_no_far_end() {
        let loopback = look(1).expect("netlink answers").expect("a loopback interface");
        assert_eq!(loopback.interface.index, 1);
        assert_eq!(loopback.peer_has_program, None);
        assert_eq!(loopback.counters.rx_packets, loopback.counters.tx_packets);
    }

    #[test]
    fn an_index_that_nothing_has_is_not_found() {
        assert!(look(0x7fff_fff0).expect("netlink answers").is_none());
    }
}
