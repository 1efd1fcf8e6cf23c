//! A server that is attached in a private network.

use std::net::SocketAddr;

use anyhow::Result;

use crate::{
    kernel::{AttachOptions, Live, StopError},
    net::{PrivateNetwork, undo::Undo},
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

/// Removes the pins that a process of that id left behind, where it had one private server of that
/// name.
pub(super) fn sweep(name: &str, pid: u32) {
    remove_pins(&format!("{name}{pid}"));
}

fn remove_pins(interface: &str) {
    match Live::stop(interface) {
        Ok(()) | Err(StopError::NotAttached { .. }) => {}
        Err(error) => eprintln!("zeroserve-tui: cannot stop the server on {interface}: {error:#}"),
    }
}
