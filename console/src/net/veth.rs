//! A pair of interfaces that connects two namespaces.
//!
//! Addresses are from 198.18.0.0/15, which RFC 2544 sets aside for benchmarks, and from fd00::/8,
//! which is for private use (RFC 4193): nobody routes them.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::AsRawFd,
    path::Path,
};

use anyhow::{Context, Result, ensure};
use nix::net::if_::if_nametoindex;
use rtnetlink::{
    Handle, LinkMessageBuilder, LinkUnspec, LinkVeth,
    packet_route::link::{InfoData, InfoVeth, LinkMessage},
};

use super::Namespace;
use crate::kernel::PassThrough;

/// Address of the server's end.
pub const SERVER_ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
/// Address of the client's end.
pub const CLIENT_ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 2);
/// IPv6 address of the server's end.
pub const SERVER_ADDRESS_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
/// IPv6 address of the client's end.
pub const CLIENT_ADDRESS_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);
/// Lengths of the prefixes that both share.
const PREFIX_BITS: [u8; 2] = [24, 64];

/// The longest name of an interface, in bytes (`IFNAMSIZ` less its terminator).
const MAX_NAME_BYTES: usize = 15;

/// A veth pair, one end in each of two namespaces, up and with addresses. The kernel removes it
/// with either namespace.
#[derive(Debug)]
pub struct VethPair {
    /// Name of the server's end, in the server's namespace.
    pub server: String,
    /// Index of the server's end.
    pub server_index: u32,
    /// Name of the client's end, in the client's namespace.
    pub client: String,
    /// Index of the client's end.
    pub client_index: u32,
    /// Keeps the client's end able to receive what the server's end sends from its XDP hook.
    pub pass_through: Option<PassThrough>,
}

impl VethPair {
    /// Makes the pair.
    ///
    /// What an XDP program sends out of one end of a veth pair is received by the other only if
    /// NAPI runs there, and is lost without a trace otherwise. An XDP program on the client's end
    /// that passes everything makes NAPI run.
    ///
    /// # Errors
    ///
    /// Where a name is too long or the kernel refuses.
    pub fn create(server: (&Namespace, &str), client: (&Namespace, &str)) -> Result<Self> {
        for name in [server.1, client.1] {
            ensure!(
                (1..=MAX_NAME_BYTES).contains(&name.len()),
                "{name:?} is no name of an interface: it must have 1 to {MAX_NAME_BYTES} bytes"
            );
        }
        let peer = LinkMessageBuilder::<LinkUnspec>::new()
            .name(client.1.into())
            .setns_by_fd(client.0.as_raw_fd())
            .build();
        let pair = LinkMessageBuilder::<LinkVeth>::new(server.1, client.1)
            .set_info_data(InfoData::Veth(InfoVeth::Peer(peer)))
            .build();
        let addresses = [SERVER_ADDRESS.into(), SERVER_ADDRESS_V6.into()];
        let server_index = server.0.run(|| set_up(server.1, Some(pair), addresses))??;
        let addresses = [CLIENT_ADDRESS.into(), CLIENT_ADDRESS_V6.into()];
        let (client_index, pass_through) = client.0.run(|| {
            let index = set_up(client.1, None, addresses)?;
            anyhow::Ok((index, PassThrough::attach(index)?))
        })??;
        Ok(Self {
            server: server.1.into(),
            server_index,
            client: client.1.into(),
            client_index,
            pass_through: Some(pass_through),
        })
    }
}

/// Adds a link where one is given, and gives the interface its addresses, that of IPv6 if the
/// kernel has it. Returns its index. Runs in the namespace that the calling thread is in.
fn set_up(name: &str, link: Option<LinkMessage>, addresses: [IpAddr; 2]) -> Result<u32> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let (connection, handle, _) = rtnetlink::new_connection().context("no netlink socket")?;
        tokio::spawn(connection);
        if let Some(link) = link {
            handle.link().add(link).execute().await.with_context(|| {
                format!("cannot make the veth pair {name} (needs CAP_NET_ADMIN)")
            })?;
        }
        let index = if_nametoindex(name).with_context(|| format!("{name} is not there"))?;
        let setting = format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6");
        let has_ipv6 = Path::new(&setting).exists();
        if has_ipv6 {
            fs::write(&setting, "0").with_context(|| format!("cannot turn IPv6 on for {name}"))?;
        }
        for (address, prefix_bits) in addresses.into_iter().zip(PREFIX_BITS) {
            if address.is_ipv4() || has_ipv6 {
                let adding = handle.address().add(index, address, prefix_bits).execute();
                adding
                    .await
                    .with_context(|| format!("cannot give {name} the address {address}"))?;
            }
        }
        bring_up(&handle, index).await?;
        // Always the first interface of a namespace.
        bring_up(&handle, 1).await?;
        Ok(index)
    })
}

async fn bring_up(handle: &Handle, index: u32) -> Result<()> {
    let up = LinkUnspec::new_with_index(index).up().build();
    handle.link().set(up).execute().await.with_context(|| format!("cannot bring up link {index}"))
}
