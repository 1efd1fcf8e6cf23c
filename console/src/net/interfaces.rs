//! Which network interfaces there are, as the kernel tells over netlink.
//!
//! Everything here looks at the network namespace of the calling thread.

use std::{collections::BTreeMap, fs, net::IpAddr, path::Path};

use anyhow::Context;
use futures::TryStreamExt;
use rtnetlink::packet_route::{
    address::AddressAttribute,
    link::{InfoData, InfoVlan, LinkAttribute, LinkInfo, LinkMessage, LinkXdp, XdpAttached},
};

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name, such as `eth0`.
    pub name: String,
    /// Its index.
    pub index: u32,
    /// The largest packet it carries, in bytes, link-layer header not included.
    pub mtu_bytes: u32,
    /// The driver or the kind of a virtual device, where it can be known.
    pub driver: Option<String>,
    /// The XDP program attached to it.
    pub xdp: Option<Xdp>,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// What it is part of, if it is one of the VLANs of another interface.
    pub vlan: Option<Vlan>,
}

impl Interface {
    /// The largest packet it carries, as the programs are told. Loopback's is larger than that.
    pub fn mtu_u16(&self) -> u16 {
        u16::try_from(self.mtu_bytes).unwrap_or(u16::MAX)
    }
}

/// A VLAN of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vlan {
    /// Index of the interface that carries its packets, with a tag.
    pub parent_index: u32,
    /// What the tag says: 0 to 4095.
    pub id: u16,
}

/// An XDP program attached to an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Xdp {
    /// Kernel id of the program, zero where several are attached in different modes.
    pub program_id: u32,
    /// Where it runs.
    pub mode: Mode,
}

/// Where an XDP program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In the driver.
    Native,
    /// In the network stack, after the driver has made an skb.
    Generic,
    /// In the hardware.
    Offloaded,
    /// In several of these places.
    Several,
}

impl Mode {
    /// The word people use for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Generic => "generic",
            Self::Offloaded => "offloaded",
            Self::Several => "several",
        }
    }
}

/// All interfaces of this network namespace, by index.
///
/// # Errors
///
/// Where the kernel does not answer over netlink.
pub fn list() -> anyhow::Result<Vec<Interface>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .context("cannot start an event loop")?;
    runtime.block_on(ask()).context("cannot ask the kernel for its interfaces over netlink")
}

/// The interface of that name in this network namespace, if there is one.
///
/// # Errors
///
/// As for [`list`].
pub fn find(name: &str) -> anyhow::Result<Option<Interface>> {
    Ok(list()?.into_iter().find(|interface| interface.name == name))
}

async fn ask() -> anyhow::Result<Vec<Interface>> {
    let (connection, handle, _) = rtnetlink::new_connection()?;
    let connection = tokio::spawn(connection);
    let mut interfaces = BTreeMap::new();
    let mut links = handle.link().get().execute();
    while let Some(link) = links.try_next().await? {
        let interface = interface(&link);
        interfaces.insert(interface.index, interface);
    }
    let mut addresses = handle.address().get().execute();
    while let Some(message) = addresses.try_next().await? {
        let interface = interfaces.get_mut(&message.header.index);
        if let (Some(interface), Some(address)) = (interface, address(&message.attributes)) {
            interface.addresses.push(address);
        }
    }
    connection.abort();
    Ok(interfaces.into_values().collect())
}

pub(super) fn interface(link: &LinkMessage) -> Interface {
    let mut interface = Interface {
        name: String::new(),
        index: link.header.index,
        mtu_bytes: 0,
        driver: None,
        xdp: None,
        addresses: Vec::new(),
        vlan: vlan(&link.attributes),
    };
    for attribute in &link.attributes {
        match attribute {
            LinkAttribute::IfName(name) => interface.name = name.clone(),
            LinkAttribute::Mtu(mtu_bytes) => interface.mtu_bytes = *mtu_bytes,
            LinkAttribute::Xdp(attributes) => interface.xdp = xdp(attributes),
            LinkAttribute::LinkInfo(infos) => {
                interface.driver = infos.iter().find_map(|info| match info {
                    LinkInfo::Kind(kind) => Some(kind.to_string()),
                    _ => None,
                });
            }
            _ => {}
        }
    }
    if interface.driver.is_none() {
        interface.driver = hardware_driver(&interface.name);
    }
    interface
}

/// The VLAN that a link is.
fn vlan(attributes: &[LinkAttribute]) -> Option<Vlan> {
    let parent_index = attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Link(index) => Some(*index),
        _ => None,
    })?;
    let id = attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::LinkInfo(infos) => infos.iter().find_map(vlan_id),
        _ => None,
    })?;
    Some(Vlan { parent_index, id })
}

fn vlan_id(info: &LinkInfo) -> Option<u16> {
    let LinkInfo::Data(InfoData::Vlan(properties)) = info else { return None };
    properties.iter().find_map(|property| match property {
        InfoVlan::Id(id) => Some(*id),
        _ => None,
    })
}

/// The driver of a physical device; virtual ones have none in sysfs.
fn hardware_driver(interface: &str) -> Option<String> {
    let link = Path::new("/sys/class/net").join(interface).join("device/driver");
    Some(fs::read_link(link).ok()?.file_name()?.to_string_lossy().into_owned())
}

fn xdp(attributes: &[LinkXdp]) -> Option<Xdp> {
    let mode = attributes.iter().find_map(|attribute| match attribute {
        LinkXdp::Attached(XdpAttached::Driver) => Some(Mode::Native),
        LinkXdp::Attached(XdpAttached::SocketBuffer) => Some(Mode::Generic),
        LinkXdp::Attached(XdpAttached::Hardware) => Some(Mode::Offloaded),
        LinkXdp::Attached(XdpAttached::Multiple) => Some(Mode::Several),
        _ => None,
    })?;
    let program_id = attributes.iter().find_map(|attribute| match attribute {
        LinkXdp::ProgId(id) => Some(*id),
        _ => None,
    });
    Some(Xdp { program_id: program_id.unwrap_or(0), mode })
}

/// The interface's own address: on point-to-point links `Address` is the other end's.
fn address(attributes: &[AddressAttribute]) -> Option<IpAddr> {
    let own = attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    own.or_else(|| {
        attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::Address(address) => Some(*address),
            _ => None,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_is_found_with_index_one_and_no_xdp_program() {
        let loopback = find("lo").expect("netlink answers").expect("a loopback interface");
        assert_eq!(loopback.index, 1);
        assert_eq!(loopback.xdp, None);
        assert!(loopback.mtu_bytes > 0);
    }

    #[test]
    fn an_interface_that_is_not_there_is_not_found() {
        assert_eq!(find("no-such-if").expect("netlink answers"), None);
    }

    #[test]
    fn a_native_program_is_told_from_a_generic_one() {
        let attached = |mode| xdp(&[LinkXdp::Attached(mode), LinkXdp::ProgId(7)]);
        assert_eq!(attached(XdpAttached::Driver), Some(Xdp { program_id: 7, mode: Mode::Native }));
        assert_eq!(
            attached(XdpAttached::SocketBuffer),
            Some(Xdp { program_id: 7, mode: Mode::Generic })
        );
        assert_eq!(attached(XdpAttached::None), None);
    }

    #[test]
    fn on_a_point_to_point_link_the_local_end_counts() {
        let (ours, theirs) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let both = [AddressAttribute::Address(theirs), AddressAttribute::Local(ours)];
        assert_eq!(address(&both), Some(ours));
        assert_eq!(address(&both[..1]), Some(theirs));
    }
}
