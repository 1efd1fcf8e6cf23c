//! Who is recorded, which routes there are, and what the operator did: JSON, so that later
//! versions can say more and earlier ones pass over it.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use zeroserve_shared::{
    config::OnMiss,
    route::{Encoding, FixedRoute},
};

use super::sample::unix_ns;
use crate::{
    content::RoutePath,
    server::{EncodingInfo, Identity, RouteInfo, RouteName},
};

/// Whose recording it is. Everything that follows is told from nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Version of the program that wrote it.
    pub program: String,
    /// The names of the counters, in the order of the samples that follow.
    pub columns: Vec<String>,
    /// Name of the interface.
    pub interface: String,
    /// Index of the interface.
    pub if_index: u32,
    /// Driver behind the interface.
    pub driver: Option<String>,
    /// How the program was attached.
    pub mode: String,
    /// Kernel id of the XDP program.
    pub program_id: u32,
    /// TCP port answered.
    pub port: u16,
    /// Whether requests that were not served here went to a server behind.
    #[serde(default)]
    pub hands_off: bool,
    /// Largest TCP payload sent.
    pub mss_bytes: u16,
    /// Addresses answered for.
    pub addresses: Vec<String>,
    /// When the server was attached.
    #[serde(with = "nanoseconds")]
    pub attached: SystemTime,
    /// How many routes with a path there could be.
    pub route_capacity: u32,
    /// How many flows there could be.
    pub flow_capacity: u32,
}

impl Start {
    /// What a server says of itself.
    pub fn new(identity: &Identity) -> Self {
        let identity = identity.clone();
        Self {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            columns: super::sample::columns(),
            interface: identity.interface,
            if_index: identity.if_index,
            driver: identity.driver,
            mode: identity.mode.to_owned(),
            program_id: identity.program_id,
            port: identity.port,
            hands_off: identity.on_miss == OnMiss::HandOff,
            mss_bytes: identity.mss,
            addresses: identity.addresses,
            attached: identity.attached,
            route_capacity: identity.route_capacity,
            flow_capacity: identity.flow_capacity,
        }
    }

    /// What the server said of itself.
    pub fn identity(&self) -> Identity {
        let start = self.clone();
        Identity {
            interface: start.interface,
            if_index: start.if_index,
            driver: start.driver,
            mode: ["native", "generic", "offloaded"]
                .into_iter()
                .find(|mode| *mode == start.mode)
                .unwrap_or("unknown"),
            program_id: start.program_id,
            port: start.port,
            on_miss: if start.hands_off { OnMiss::HandOff } else { OnMiss::Refuse },
            mss: start.mss_bytes,
            addresses: start.addresses,
            attached: start.attached,
            route_capacity: start.route_capacity,
            flow_capacity: start.flow_capacity,
        }
    }
}

/// Something that the operator did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// When.
    #[serde(with = "nanoseconds")]
    pub at: SystemTime,
    /// Whether it was done; if not, the text says why.
    pub done: bool,
    /// What was done, or was not.
    pub text: String,
    /// What was there before, if something was replaced or removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The shell command that does the same.
    pub command: Option<String>,
    /// Who did it.
    pub user: Option<String>,
}

/// A sample that could not be taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// When.
    #[serde(with = "nanoseconds")]
    pub at: SystemTime,
    /// Why.
    pub why: String,
}

/// Which routes went, and which came or changed, since the document before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routes {
    /// Indices of routes that are no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<u32>,
    /// Routes that are new or have changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<Route>,
}

impl Routes {
    /// What has changed between two tables of routes. None if nothing has.
    pub fn between(old: &BTreeMap<u32, Route>, new: &BTreeMap<u32, Route>) -> Option<Self> {
        let gone: Vec<u32> = old.keys().filter(|index| !new.contains_key(index)).copied().collect();
        let changed =
            |(index, route): (&u32, &Route)| (old.get(index) != Some(route)).then(|| route.clone());
        let set: Vec<Route> = new.iter().filter_map(changed).collect();
        (!gone.is_empty() || !set.is_empty()).then_some(Self { gone, set })
    }

    /// Brings a table up to date.
    pub fn apply(self, table: &mut BTreeMap<u32, Route>) {
        for index in self.gone {
            table.remove(&index);
        }
        for route in self.set {
            table.insert(route.index, route);
        }
    }
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Its index.
    pub index: u32,
    /// The only host that has it, if it is not every host's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Its path, or none if it is one of the answers to what is not a hit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Status code of its response.
    pub status: u16,
    /// Media type of its body.
    pub content_type: String,
    /// Bytes of its body.
    pub body_bytes: u32,
    /// Bytes of its response.
    pub response_bytes: u32,
    /// The other encodings that it is prepared in, by name, with the bytes of the body in each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub encodings: Vec<(String, u32)>,
    /// The file it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<PathBuf>,
    /// Modification time that file had.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_nanoseconds")]
    pub modified: Option<SystemTime>,
    /// When this version was published.
    #[serde(with = "nanoseconds")]
    pub added: SystemTime,
    /// Which version it is.
    pub version: u32,
    /// SHA-256 of its body, in hexadecimal.
    pub sha256: String,
}

impl Route {
    /// What a server says of a route.
    pub fn new(info: &RouteInfo) -> Self {
        let (host, path) = match &info.name {
            RouteName::Path(path) => (path.host(), Some(path.path().to_owned())),
            RouteName::Fixed(_) => (None, None),
        };
        let host = host.map(str::to_owned);
        Self {
            index: info.index,
            host,
            path,
            status: info.status,
            content_type: info.content_type.clone(),
            body_bytes: info.body_bytes,
            response_bytes: info.response_bytes,
            encodings: info
                .encodings
                .iter()
                .map(|info| (info.encoding.name().to_owned(), info.body_bytes))
                .collect(),
            // A name that is not UTF-8 cannot be told in JSON; a person can still recognise it.
            source: info.source.as_ref().map(|source| source.to_string_lossy().into_owned().into()),
            modified: info.modified,
            added: info.added,
            version: info.version,
            sha256: info.body_sha256.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }

    /// What the server said. None if this version knows no such route.
    pub fn info(&self) -> Option<RouteInfo> {
        let name = match &self.path {
            Some(path) => {
                let path = RoutePath::from_decoded(path.clone()).ok()?;
                RouteName::Path(match &self.host {
                    Some(host) => path.at_host(host).ok()?,
                    None => path,
                })
            }
            None => RouteName::Fixed(*FixedRoute::ALL.get(self.index as usize)?),
        };
        let digit = |at: usize| u8::from_str_radix(self.sha256.get(at..at + 2)?, 16).ok();
        Some(RouteInfo {
            index: self.index,
            name,
            status: self.status,
            content_type: self.content_type.clone(),
            body_bytes: self.body_bytes,
            response_bytes: self.response_bytes,
            encodings: self.encodings.iter().filter_map(encoding).collect(),
            source: self.source.clone(),
            modified: self.modified,
            added: self.added,
            version: self.version,
            body_sha256: std::array::from_fn(|byte| digit(2 * byte).unwrap_or(0)),
            // Not recorded: it says nothing about the past.
            copy: None,
        })
    }
}

/// An encoding, if this version knows it.
fn encoding((name, body_bytes): &(String, u32)) -> Option<EncodingInfo> {
    let encoding = Encoding::ALL.into_iter().find(|encoding| encoding.name() == name)?;
    Some(EncodingInfo { encoding, body_bytes: *body_bytes })
}

/// A time as nanoseconds since the Unix epoch.
mod nanoseconds {
    use serde::{Deserializer, Serializer};

    use super::{Deserialize, Duration, SystemTime, unix_ns};

    pub(super) fn serialize<S: Serializer>(at: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(unix_ns(*at))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SystemTime, D::Error> {
        u64::deserialize(from).map(|ns| SystemTime::UNIX_EPOCH + Duration::from_nanos(ns))
    }
}

/// The same for a time that may not be known.
mod optional_nanoseconds {
    use serde::{Deserializer, Serializer};

    use super::{Deserialize, Duration, SystemTime, unix_ns};

    pub(super) fn serialize<S: Serializer>(
        at: &Option<SystemTime>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => to.serialize_some(&unix_ns(*at)),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<SystemTime>, D::Error> {
        let ns = Option::<u64>::deserialize(from)?;
        Ok(ns.map(|ns| SystemTime::UNIX_EPOCH + Duration::from_nanos(ns)))
    }
}
