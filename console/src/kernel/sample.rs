//! What the counters and routes say.

use std::{collections::HashMap, sync::Arc};

use anyhow::{Context, ensure};
use zeroserve_shared::{
    counters::{Counters, RouteHits},
    route::{Encoding, VersionId, WHOLE},
};

use super::{clock, detail, ledger::Ledger, maps::Maps};
use crate::{
    content::{Rendered, RoutePath},
    server::{EncodingInfo, RouteInfo, RouteName, Sample},
};

/// The routes as last read, read again only when somebody has changed them.
#[derive(Default)]
pub(super) struct View {
    revision: Option<u64>,
    routes: Arc<[RouteInfo]>,
    indices: Vec<u32>,
    by_version: HashMap<VersionId, RouteInfo>,
    versions: usize,
    last: Option<Last>,
}

/// What the last sample read.
struct Last {
    revision: u64,
    cpus: Vec<Counters>,
    hits: Vec<(u32, RouteHits)>,
    /// Whether the hits were read when the counters had not moved for a whole sample, so that no
    /// program can have been between counting its packet and counting its hit.
    settled: bool,
}

impl View {
    /// All routes, the fixed ones first, then by path.
    pub(super) fn routes(&mut self, maps: &Maps) -> anyhow::Result<Arc<[RouteInfo]>> {
        self.refresh(maps)?;
        Ok(Arc::clone(&self.routes))
    }

    /// How many versions are served: of each route one, fixed ones included, and its variants.
    pub(super) fn served(&self) -> usize {
        self.versions
    }

    /// The response behind a path, as it is stored.
    pub(super) fn response(&mut self, maps: &Maps, route: &RouteName) -> anyhow::Result<Vec<u8>> {
        self.refresh(maps)?;
        let mut served = self.by_version.iter();
        let (version, _) = served
            .find(|(_, info)| info.name == *route)
            .with_context(|| format!("nothing is served at {route}"))?;
        let described = || Ok::<_, anyhow::Error>(maps.versions.get(&version.slot(), 0)?.0);
        let info = described()?;
        let bytes = maps.stored(info.class, version.slot(), info.forms[WHOLE].bytes)?;
        // Replaced and freed while it was read: what was read may be another's.
        ensure!(described()?.generation == version.generation(), "{route} was replaced just now");
        Ok(bytes)
    }

    /// What is served at a route, just as it was published, variants included.
    pub(super) fn rendered(&mut self, maps: &Maps, route: &RouteName) -> anyhow::Result<Rendered> {
        self.refresh(maps)?;
        let mut served = self.by_version.iter();
        let (version, _) = served
            .find(|(_, info)| info.name == *route)
            .with_context(|| format!("nothing is served at {route}"))?;
        let variants = maps.versions.get(&version.slot(), 0)?.0.variants;
        let mut rendered = read_back(maps, *version)?;
        for variant in variants.iter().filter(|variant| !variant.version.is_none()) {
            rendered.variants.push(read_back(maps, variant.version)?);
        }
        Ok(rendered)
    }

    /// Every counter.
    pub(super) fn sample(&mut self, maps: &Maps) -> anyhow::Result<Sample> {
        let routes_revision = self.refresh(maps)?;
        let taken = clock::monotonic();
        let cpus: Vec<Counters> = {
            let counters = maps.counters.get(&0, 0).context("cannot read the counters")?;
            counters.iter().map(|cpu| cpu.0).collect()
        };
        // With ten thousand routes, reading the hits is nearly all that a sample costs. No hit is
        // counted without a packet, so an idle server is not asked again.
        let last = self.last.take();
        let last = last.filter(|last| last.revision == routes_revision && last.cpus == cpus);
        let settled = last.is_some();
        let hits = match last {
            Some(last) if last.settled => last.hits,
            _ => self.hits(maps)?,
        };
        let (kept_cpus, kept_hits) = (cpus.clone(), hits.clone());
        let last = Last { revision: routes_revision, cpus: kept_cpus, hits: kept_hits, settled };
        self.last = Some(last);
        Ok(Sample { taken, cpus, hits, routes_revision })
    }

    /// The counters of each route, summed over the CPUs.
    fn hits(&self, maps: &Maps) -> anyhow::Result<Vec<(u32, RouteHits)>> {
        let wanted = self.indices.last().map_or(0, |last| *last as usize + 1);
        let (keys, values) = maps.hit_table.read(wanted).context("cannot read the hits")?;
        let cpus = values.len() / keys.len().max(1);
        let sum = |index: &u32| {
            let start = *index as usize * cpus;
            let mut sum = RouteHits::default();
            for cpu in values.get(start..start + cpus)? {
                sum.requests += cpu.requests;
                sum.delivered_bytes += cpu.delivered_bytes;
            }
            Some((*index, sum))
        };
        Ok(self.indices.iter().filter_map(sum).collect())
    }

    /// Brings the routes up to date, and returns the revision they have.
    fn refresh(&mut self, maps: &Maps) -> anyhow::Result<u64> {
        // Read first: whatever changes from now on raises it again, and is read again.
        let revision = maps.revision.get(&0, 0).context("cannot read the revision")?;
        if self.revision == Some(revision) {
            return Ok(revision);
        }
        let (_, routes) = maps.route_table.read(usize::MAX).context("cannot read the routes")?;
        let mut by_version = HashMap::new();
        for (index, version) in Ledger::served(&routes) {
            let info = match self.by_version.remove(&version) {
                Some(info) => Some(info),
                None => describe(maps, index, version)?,
            };
            if let Some(info) = info {
                by_version.insert(version, info);
            }
        }
        let mut routes: Vec<RouteInfo> = by_version.values().cloned().collect();
        routes.sort_by(|a, b| order(a).cmp(&order(b)));
        self.indices = routes.iter().map(|route| route.index).collect();
        self.indices.sort_unstable();
        self.routes = routes.into();
        self.versions = routes_and_variants(&by_version);
        self.by_version = by_version;
        self.revision = Some(revision);
        Ok(revision)
    }
}

/// What a version was published as, without its variants.
fn read_back(maps: &Maps, version: VersionId) -> anyhow::Result<Rendered> {
    let described = || Ok::<_, anyhow::Error>(maps.versions.get(&version.slot(), 0)?.0);
    let info = described()?;
    let detail = maps.details.get(&version.slot(), 0).context("cannot read details")?.0;
    let bytes = maps.stored(info.class, version.slot(), info.stored_bytes())?;
    // Replaced and freed while it was read: what was read may be another's.
    let is_same = described()?.generation == version.generation() && detail.version == version;
    ensure!(is_same, "it was replaced just now");
    Ok(detail::read(&info, &detail, bytes))
}

fn routes_and_variants(routes: &HashMap<VersionId, RouteInfo>) -> usize {
    routes.values().map(|route| 1 + route.encodings.len()).sum()
}

fn order(route: &RouteInfo) -> (Option<&RoutePath>, u32) {
    match &route.name {
        RouteName::Fixed(_) => (None, route.index),
        RouteName::Path(path) => (Some(path), route.index),
    }
}

/// What a person sees of a version. None if it is another's by now: then it changed a moment ago,
/// and so did the revision.
fn describe(maps: &Maps, index: u32, version: VersionId) -> anyhow::Result<Option<RouteInfo>> {
    let detail = maps.details.get(&version.slot(), 0).ok();
    let Some(detail) = detail.filter(|detail| detail.0.version == version) else {
        return Ok(None);
    };
    let info = maps.versions.get(&version.slot(), 0)?.0;
    let mut encodings = Vec::new();
    for variant in info.variants.iter().filter(|variant| !variant.version.is_none()) {
        let body_bytes = maps.versions.get(&variant.version.slot(), 0)?.0.body_bytes();
        let encoding = Encoding::ALL.get(variant.encoding as usize);
        encodings.extend(encoding.map(|encoding| EncodingInfo { encoding: *encoding, body_bytes }));
    }
    Ok(detail::describe(index, &detail.0, info.forms[WHOLE].bytes, encodings))
}
