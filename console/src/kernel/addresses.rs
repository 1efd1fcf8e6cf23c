//! What the programs answer for: the addresses of the interface, and those of its VLANs.

use std::net::IpAddr;

use anyhow::{Context, anyhow};
use aya::maps::{HashMap, MapData};
use zeroserve_shared::{
    config::{Local, mapped},
    map::MAX_ADDRESSES,
};

use super::maps::Raw;
use crate::net::interfaces::Interface;

/// The map of addresses.
pub(super) type Addresses = HashMap<MapData, Raw<Local>, u16>;

/// The addresses of an interface and of the VLANs on it, with up to two tags.
pub(super) fn locals(all: &[Interface], index: u32) -> Vec<Local> {
    let mut locals = Vec::new();
    for interface in all {
        let Some(vlans) = vlans(all, interface, index) else { continue };
        for address in &interface.addresses {
            let address = match address {
                IpAddr::V4(address) => mapped(address.octets()),
                IpAddr::V6(address) => address.octets(),
            };
            locals.push(Local { address, vlans });
        }
    }
    locals.truncate(MAX_ADDRESSES as usize);
    locals
}

/// The tags of packets that reach an interface by way of the one of that index, if any do.
fn vlans(all: &[Interface], interface: &Interface, index: u32) -> Option<[[u8; 2]; 2]> {
    if interface.index == index {
        return Some([[0; 2]; 2]);
    }
    let inner = interface.vlan?;
    if inner.parent_index == index {
        return Some([inner.id.to_be_bytes(), [0; 2]]);
    }
    let parent = all.iter().find(|parent| parent.index == inner.parent_index)?;
    let outer = parent.vlan.filter(|outer| outer.parent_index == index)?;
    Some([outer.id.to_be_bytes(), inner.id.to_be_bytes()])
}

/// Makes the map say what it should, if it does not, without a moment in which an address is
/// missing that is in both.
pub(super) fn write(map: &mut Addresses, wanted: &[Local]) -> anyhow::Result<()> {
    let known = read(map)?;
    for (local, _) in known.iter().filter(|(local, _)| !wanted.contains(local)) {
        map.remove(&Raw(*local)).context("cannot remove from the map ADDRESSES")?;
    }
    let mut numbers: Vec<_> = known.iter().map(|(_, number)| *number).collect();
    for local in wanted.iter().filter(|local| !known.iter().any(|(known, _)| known == *local)) {
        let number = unused(&numbers)?;
        map.insert(Raw(*local), number, 0).context("cannot write the map ADDRESSES")?;
        numbers.push(number);
    }
    Ok(())
}

/// A number that no address has. It is taken at random, so that hardly ever a flow is left of an address that
/// had it before.
fn unused(numbers: &[u16]) -> anyhow::Result<u16> {
    loop {
        let number =
            getrandom::u32().map_err(|error| anyhow!("no random numbers: {error}"))? as u16;
        if number != 0 && !numbers.contains(&number) {
            return Ok(number);
        }
    }
}

/// What the map says: addresses, and the number of each.
pub(super) fn read(map: &Addresses) -> anyhow::Result<Vec<(Local, u16)>> {
    let all = map.iter().map(|entry| entry.map(|(Raw(local), number)| (local, number)));
    all.collect::<Result<_, _>>().context("cannot read the map ADDRESSES")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::interfaces::Vlan;

    fn interface(index: u32, address: &str, vlan: Option<(u32, u16)>) -> Interface {
        Interface {
            name: format!("test{index}"),
            index,
            mtu_bytes: 1500,
            driver: None,
            xdp: None,
            addresses: vec![address.parse().expect("an address")],
            vlan: vlan.map(|(parent_index, id)| Vlan { parent_index, id }),
        }
    }

    #[test]
    fn addresses_are_known_in_the_vlan_that_they_belong_to() {
        let all = [
            interface(2, "198.18.0.1", None),
            interface(3, "198.18.3.1", Some((2, 10))),
            interface(4, "fd00:4::1", Some((3, 20))),
            // With a third tag, on another interface, and the interface of another.
            interface(5, "198.18.5.1", Some((4, 30))),
            interface(6, "198.18.6.1", None),
            interface(7, "198.18.7.1", Some((6, 10))),
        ];
        let v4 = |last| mapped([198, 18, last, 1]);
        let v6 = "fd00:4::1".parse::<std::net::Ipv6Addr>().expect("an address").octets();
        assert_eq!(
            locals(&all, 2),
            [
                Local { address: v4(0), vlans: [[0, 0], [0, 0]] },
                Local { address: v4(3), vlans: [[0, 10], [0, 0]] },
                Local { address: v6, vlans: [[0, 10], [0, 20]] },
            ]
        );
        assert_eq!(locals(&all, 7), [Local { address: v4(7), vlans: [[0; 2]; 2] }]);
    }
}
