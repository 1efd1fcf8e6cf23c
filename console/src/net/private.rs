//! A private network: two namespaces and what connects them.

use std::{
    net::SocketAddr,
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::Result;

use super::{
    Namespace, VethPair,
    veth::{SERVER_ADDRESS, SERVER_ADDRESS_V6},
};

/// Two network namespaces connected by a veth pair, and by nothing else to anywhere.
pub struct PrivateNetwork {
    // Fields are dropped in this order: the pair goes while both namespaces still exist.
    /// The pair.
    pub veth: VethPair,
    /// Where the server's end is.
    pub server: Namespace,
    /// Where the client's end is.
    pub client: Namespace,
}

impl PrivateNetwork {
    /// Makes one. Interfaces are named after the process, because maps are pinned by the name of
    /// the interface and several private networks may exist at a time: `<name><pid>`, and for
    /// further ones of the same process `<name><pid>n<count>`.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses; mostly for want of privileges. `name` may have four bytes.
    pub fn create(name: &str) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let suffix = match COUNT.fetch_add(1, Ordering::Relaxed) {
            0 => process::id().to_string(),
            count => format!("{}n{count}", process::id()),
        };
        let server = Namespace::create(&format!("{name}-server"))?;
        let client = Namespace::create(&format!("{name}-client"))?;
        let veth = VethPair::create(
            (&server, &format!("{name}{suffix}")),
            (&client, &format!("peer{suffix}")),
        )?;
        Ok(Self { veth, server, client })
    }

    /// Name of the interface on the server's end.
    pub fn interface(&self) -> &str {
        &self.veth.server
    }

    /// Where a server on the server's end is reached, by its port.
    pub fn server_at(&self, port: u16) -> SocketAddr {
        SocketAddr::new(SERVER_ADDRESS.into(), port)
    }

    /// The same over IPv6.
    pub fn server_at_v6(&self, port: u16) -> SocketAddr {
        SocketAddr::new(SERVER_ADDRESS_V6.into(), port)
    }
}
