//! What is asked for and not served here, and whom else to ask.

use std::net::{IpAddr, Ipv6Addr};

use anyhow::{Context, ensure};
use zeroserve_shared::config::OnMiss;

use super::{addresses, live::Live};
use crate::{
    net::interfaces,
    promote::{LocalServer, Miss},
};

impl Live {
    /// What was asked for and not served, the most frequent first.
    pub(super) fn read_misses(&self) -> anyhow::Result<Vec<Miss>> {
        let (hashes, misses) =
            self.maps.miss_table.read(usize::MAX).context("cannot read the misses")?;
        let key = self.config.path_key;
        let known = hashes.iter().zip(&misses);
        let mut misses: Vec<Miss> =
            known.filter_map(|(hash, miss)| Miss::read(key, hash.0, miss)).collect();
        misses.sort_by(|a, b| b.requests.cmp(&a.requests).then_with(|| a.path.cmp(&b.path)));
        Ok(misses)
    }

    /// The server behind, at the addresses of the interface.
    pub(super) fn local_server(&self) -> anyhow::Result<LocalServer> {
        let interface = &self.identity.interface;
        ensure!(
            self.identity.on_miss == OnMiss::HandOff,
            "no server is behind zeroserve on {interface}: it answers everything itself \
             (--on-miss)"
        );
        // What is sent to these addresses from elsewhere would leave that machine.
        let index = self.identity.if_index;
        let is_here = interfaces::list()?
            .iter()
            .any(|own| own.index == index && own.name == *interface && own.xdp.is_some());
        ensure!(is_here, "{interface} is in another network namespace; run this in that one");
        let locals = addresses::read(&self.maps.addresses)?.into_iter();
        let mut addresses: Vec<IpAddr> = locals
            .map(|(local, _)| Ipv6Addr::from(local.address).to_canonical())
            .filter(|address| match address {
                IpAddr::V4(_) => true,
                // Without its scope it names nobody.
                IpAddr::V6(address) => !address.is_unicast_link_local(),
            })
            .collect();
        addresses.sort();
        addresses.dedup();
        Ok(LocalServer { addresses, port: self.identity.port })
    }
}
