//! A server that is attached in a private network.

use std::{net::SocketAddr, path::Path};

use anyhow::Result;

use crate::{
    kernel::{AttachOptions, Live, StopError, served_interfaces},
    net::{PrivateNetwork, namespace, undo::Undo},
};

/// Where a server is attached in a private network. When dropped, its pins are removed, and with
/// the network the server is gone.
pub struct PrivateServer {
    // Fields are dropped in this order.
    _pins: Undo,
    /// The network.
    pub network: PrivateNetwork,
}

impl PrivateServer {
    /// Makes a private network and attaches a server to its server end. For `name` see
    /// [`PrivateNetwork::create`].
    ///
    /// # Errors
    ///
    /// Where the kernel refuses.
    pub fn start(name: &str) -> Result<(Live, Self)> {
        Self::start_with(name, |_| {})
    }

    /// As [`PrivateServer::start`], with other limits.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses.
    pub fn start_with(name: &str, adjust: impl FnOnce(&mut AttachOptions)) -> Result<(Live, Self)> {
        namespace::sweep(sweep);
        let network = PrivateNetwork::create(name)?;
        let interface = network.interface().to_owned();
        let pins = Undo::new({
            let interface = interface.clone();
            move || remove_pins(&interface)
        });
        let mut options = AttachOptions::new(interface);
        adjust(&mut options);
        let live = network.server.run(|| Live::attach(&options))??;
        Ok((live, Self { _pins: pins, network }))
    }

    /// Where clients in the network reach it.
    pub fn address(&self) -> SocketAddr {
        self.network.server_at(AttachOptions::DEFAULT_PORT)
    }
}

/// Removes the pins that a process of that id left behind when it was killed: those of its private servers.
pub(super) fn sweep(pid: u32) {
    for interface in served_interfaces().unwrap_or_default() {
        // Nothing that is here is in a private network.
        let is_here = Path::new("/sys/class/net").join(&interface).exists();
        if !is_here && maker(&interface) == Some(pid) {
            remove_pins(&interface);
        }
    }
}

/// The id of the process that made the private network with this interface: see [`PrivateNetwork::create`].
fn maker(interface: &str) -> Option<u32> {
    let number = interface.trim_start_matches(|letter: char| letter.is_ascii_lowercase());
    number.split('n').next()?.parse().ok()
}

fn remove_pins(interface: &str) {
    match Live::stop(interface) {
        Ok(()) | Err(StopError::NotAttached { .. }) => {}
        Err(error) => eprintln!("zeroserve-tui: cannot stop the server on {interface}: {error:#}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_of_a_private_network_tells_who_made_it() {
        for (interface, expected) in
            [("demo2119", Some(2119)), ("cmp7n12", Some(7)), ("wlan", None), ("br-lan1", None)]
        {
            assert_eq!(maker(interface), expected, "{interface}");
        }
    }
}
