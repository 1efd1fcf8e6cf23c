//! Puts versions behind routes, takes them away, frees what nobody needs.
//!
//! The order of the steps is what keeps readers safe, which run at any time on any CPU:
//!
//! 1. A new version's description and bytes, and those of its variants, are written before any
//!    route names it.
//! 2. The route's element is written, and only then, if the route is new, its path.
//! 3. A path is removed after its route serves nothing any more.
//! 4. A version that no route serves is freed once all programs that might have read the route
//!    before have ended, and no flow names it.
//!
//! The steps of many routes are made together, because the kernel waits for running programs at
//! each change of a map of maps: milliseconds that would add up to minutes.

use std::{
    collections::HashSet,
    time::{Duration, SystemTime},
};

use anyhow::Context;
use aya::{maps::PerCpuValues, util::nr_cpus};
use zeroserve_shared::{
    config::HOSTS,
    counters::RouteHits,
    flow::Flow,
    path::PathHash,
    response::StorageClass,
    route::{Detail, MAX_VARIANTS, Route, Variant, VersionId, VersionInfo},
    validator::TagHasher,
};

use super::{
    clock, detail,
    ledger::{Ledger, Retired},
    maps::{Maps, Raw, Storage},
};
use crate::{
    content::{RenderError, Rendered, RoutePath},
    server::{ChangeError, RouteName},
};

/// Versions staged together at most: each keeps a file descriptor open until then.
const STAGED_VERSIONS: usize = 256;
/// Response bytes staged together, at which the routes staged so far are changed.
const STAGED_BYTES: usize = 16 << 20;
/// A flow that no packet has come for in so long is dead: its client has given up or gone away.
const DEAD_AFTER: Duration = Duration::from_secs(300);

/// What became of many files published together.
#[derive(Debug, Default)]
pub struct Published {
    /// Routes that are new.
    pub added: usize,
    /// Routes that serve another version now.
    pub replaced: usize,
    /// Routes that served just that already.
    pub unchanged: usize,
    /// Bytes of all responses, headers and variants included.
    pub response_bytes: u64,
    /// Files that cannot be served, with the reason.
    pub failed: Vec<(RoutePath, RenderError)>,
}

/// Changes routes. Whoever makes one holds the lock, and forgets the ledger after an error.
pub(super) struct Publisher<'a> {
    maps: &'a mut Maps,
    ledger: &'a mut Ledger,
    path_key: [u64; 2],
    staged: Vec<Staged>,
    staged_bytes: usize,
    staged_versions: usize,
}

/// What a route is about to serve.
struct Staged {
    route: Route,
    index: u32,
    /// The version that the route serves so far.
    replaces: VersionId,
    /// The variants, and last the version that the route will name.
    versions: Vec<StagedVersion>,
}

/// A version whose bytes are in the kernel, for which a slot is set aside.
struct StagedVersion {
    id: VersionId,
    info: VersionInfo,
    class: StorageClass,
    storage: Storage,
    detail: Box<Detail>,
}

impl<'a> Publisher<'a> {
    pub(super) fn new(maps: &'a mut Maps, ledger: &'a mut Ledger, path_key: [u64; 2]) -> Self {
        Self { maps, ledger, path_key, staged: Vec::new(), staged_bytes: 0, staged_versions: 0 }
    }

    /// The version behind a path.
    pub(super) fn find(&self, path: &RoutePath) -> Option<VersionId> {
        let index = *self.ledger.paths.get(&path.hash(self.path_key))?;
        Some(self.ledger.routes[index as usize].version)
    }

    /// Whether a route serves just that.
    pub(super) fn serves(&self, name: &RouteName, rendered: &Rendered) -> anyhow::Result<bool> {
        let version = match name {
            RouteName::Path(path) => self.find(path),
            RouteName::Fixed(fixed) => {
                self.ledger.routes.get(*fixed as usize).map(|route| route.version)
            }
        };
        let version = version.filter(|version| !version.is_none());
        let served = version.map(|version| self.detail(version)).transpose()?;
        Ok(served.is_some_and(|detail| detail.fingerprint == rendered.fingerprint()))
    }

    /// What is remembered of a version.
    pub(super) fn detail(&self, version: VersionId) -> anyhow::Result<Detail> {
        Ok(self.maps.details.get(&version.slot(), 0).context("cannot read a version's details")?.0)
    }

    /// Serves something at a route from the next [`Publisher::commit`] on, which may be made here.
    pub(super) fn put(&mut self, name: &RouteName, rendered: &Rendered) -> Result<(), ChangeError> {
        let hash = match name {
            RouteName::Path(path) => path.hash(self.path_key),
            RouteName::Fixed(_) => PathHash::default(),
        };
        let is_path = matches!(name, RouteName::Path(_));
        if is_path && self.staged.iter().any(|staged| staged.route.path == hash) {
            self.commit()?;
        }
        let index = match name {
            RouteName::Fixed(fixed) => *fixed as u32,
            RouteName::Path(_) => match self.ledger.paths.get(&hash) {
                Some(index) => *index,
                None => self.free_route()?,
            },
        };
        if matches!(name, RouteName::Path(path) if path.host().is_some()) {
            self.look_at_hosts()?;
        }
        let replaces = self.ledger.routes[index as usize].version;
        let ordinal = match replaces.is_none() {
            true => 0,
            false => self.detail(replaces)?.ordinal + 1,
        };
        let mut versions = Vec::with_capacity(rendered.variants.len() + 1);
        let mut variants = [Variant::default(); MAX_VARIANTS];
        for (variant, named) in rendered.variants.iter().zip(&mut variants) {
            let version = self.stage(name, index, ordinal, variant)?;
            let encoding = variant.encoding as u32;
            *named = Variant { version: version.id, encoding, reserved: 0 };
            versions.push(version);
        }
        let mut version = self.stage(name, index, ordinal, rendered)?;
        version.info.variants = variants;
        let mut route = Route { path: hash, version: version.id, ..Route::default() };
        if let Some(copy) = &rendered.copy {
            // Never zero, which is no end at all.
            route.expires_ns = (copy.expires.as_nanos() as u64).max(1);
            route.born_unix_s = clock::unix_s(copy.born) as u32;
        }
        versions.push(version);
        self.staged_versions += versions.len();
        self.staged_bytes += rendered.stored_bytes();
        self.staged.push(Staged { route, index, replaces, versions });
        if self.staged_versions >= STAGED_VERSIONS || self.staged_bytes >= STAGED_BYTES {
            self.commit()?;
        }
        Ok(())
    }

    /// Brings a version's bytes into the kernel, where nobody looks yet.
    fn stage(
        &mut self,
        name: &RouteName,
        route: u32,
        ordinal: u32,
        rendered: &Rendered,
    ) -> Result<StagedVersion, ChangeError> {
        let slot = self.free_slot()?;
        let generation = self.ledger.versions[slot as usize].generation.wrapping_add(1).max(1);
        let id = VersionId::new(slot, generation);
        let class = StorageClass::of(rendered.bytes.len() as u32);
        let info = VersionInfo {
            generation,
            class: class as u32,
            route,
            head_bytes: rendered.head_bytes,
            forms: rendered.forms,
            etag: rendered.etag.as_deref().map_or(0, tag_hash),
            modified_unix_s: rendered.last_modified.map_or(0, clock::unix_s),
            variants: [Variant::default(); MAX_VARIANTS],
        };
        let mut detail = detail::write(name, rendered);
        (detail.version, detail.route, detail.ordinal) = (id, route, ordinal);
        let storage = Storage::of(&rendered.bytes)?;
        Ok(StagedVersion { id, info, class, storage, detail })
    }

    /// Has the programs look at the host of requests, which they need not as long as every route is
    /// every host's. Written before the first route that is not.
    fn look_at_hosts(&mut self) -> anyhow::Result<()> {
        let mut config = self.maps.config()?;
        if config.flags & HOSTS == 0 {
            config.flags |= HOSTS;
            self.maps.config.set(0, Raw(config), 0).context("cannot write the map CONFIG")?;
        }
        Ok(())
    }

    /// Serves nothing at a route any more.
    pub(super) fn remove(&mut self, path: &RoutePath) -> Result<(), ChangeError> {
        self.commit()?;
        let hash = path.hash(self.path_key);
        let Some(index) = self.ledger.paths.get(&hash).copied() else {
            return Err(ChangeError::NoSuchRoute(path.clone()));
        };
        self.raise_revision()?;
        let replaces = self.ledger.routes[index as usize].version;
        let route = Route { path: hash, ..Route::default() };
        self.maps.routes.set(index, Raw(route), 0).context("cannot remove a route")?;
        self.maps.paths.remove(&Raw(hash)).context("cannot remove a path")?;
        self.ledger.routes[index as usize] = route;
        self.ledger.paths.remove(&hash);
        self.retire(replaces, index)?;
        self.raise_revision()?;
        Ok(())
    }

    /// Makes the staged changes.
    pub(super) fn commit(&mut self) -> anyhow::Result<()> {
        if self.staged.is_empty() {
            return Ok(());
        }
        self.raise_revision()?;
        let staged = std::mem::take(&mut self.staged);
        (self.staged_bytes, self.staged_versions) = (0, 0);
        let versions = || staged.iter().flat_map(|new| &new.versions);
        for new in versions() {
            let slot = new.id.slot();
            // From here on the slot counts as used, so that it is found and freed if this process
            // is killed before a route names the version.
            self.maps.versions.set(slot, Raw(new.info), 0).context("cannot describe a version")?;
            self.maps.details.insert(slot, Raw(*new.detail), 0).context("cannot write details")?;
            self.ledger.versions[slot as usize] = new.info;
        }
        let responses = versions().map(|new| (new.class, new.id.slot(), &new.storage));
        self.maps.store(&responses.collect::<Vec<_>>())?;
        for new in &staged {
            self.serve(new)?;
        }
        self.raise_revision()
    }

    /// Makes a route serve a version that is in place.
    fn serve(&mut self, new: &Staged) -> anyhow::Result<()> {
        let Staged { route, index, replaces, .. } = new;
        if replaces.is_none() {
            let cpus = nr_cpus().map_err(|(file, error)| anyhow::anyhow!("{file}: {error}"))?;
            let zero = PerCpuValues::try_from(vec![Raw(RouteHits::default()); cpus])?;
            self.maps.hits.set(*index, zero, 0).context("cannot reset a route's counters")?;
        }
        let before = self.ledger.routes[*index as usize];
        if ends_before(route, &before) {
            // The kernel copies an element word by word, the version before its end: in between a
            // program must not find the new version with the old one's end.
            let shortened = Route { expires_ns: route.expires_ns, ..before };
            self.maps.routes.set(*index, Raw(shortened), 0).context("cannot change a route")?;
        }
        self.maps.routes.set(*index, Raw(*route), 0).context("cannot change a route")?;
        self.ledger.routes[*index as usize] = *route;
        if !replaces.is_none() {
            return self.retire(*replaces, *index);
        }
        if route.path != PathHash::default() {
            self.maps.paths.insert(Raw(route.path), index, 0).context("cannot add a path")?;
            self.ledger.paths.insert(route.path, *index);
        }
        Ok(())
    }

    /// Notes that no route serves a version any more, nor its variants.
    fn retire(&mut self, version: VersionId, route: u32) -> anyhow::Result<()> {
        let variants = self.ledger.versions[version.slot() as usize].variants;
        let variants = variants.iter().map(|variant| variant.version);
        for version in variants.filter(|version| !version.is_none()).chain([version]) {
            let mut detail = self.detail(version)?;
            detail.retired_unix_s = clock::unix_s(SystemTime::now());
            let slot = version.slot();
            self.maps.details.insert(slot, Raw(detail), 0).context("cannot write details")?;
            self.ledger.retired.push(Retired { version, route });
        }
        Ok(())
    }

    /// Frees the versions that no route serves and no flow names.
    pub(super) fn reclaim(&mut self) -> anyhow::Result<()> {
        if self.ledger.retired.is_empty() {
            return Ok(());
        }
        self.maps.wait_for_programs()?;
        let in_flight = self.versions_in_flight();
        let (kept, freed): (Vec<_>, Vec<_>) =
            self.ledger.retired.iter().partition(|retired| in_flight.contains(&retired.version));
        self.ledger.retired = kept;
        for class in [StorageClass::Small, StorageClass::Medium, StorageClass::Large] {
            let slots = freed.iter().map(|retired| retired.version.slot());
            let of_class =
                slots.filter(|slot| self.ledger.versions[*slot as usize].class == class as u32);
            let slots: Vec<u32> = of_class.collect();
            self.maps.clear(class, &slots)?;
        }
        for Retired { version, route } in freed {
            let slot = version.slot();
            // A version that was staged by a process that was killed may have none.
            let _ = self.maps.details.remove(&slot);
            let info = VersionInfo { generation: version.generation(), ..VersionInfo::default() };
            self.maps.versions.set(slot, Raw(info), 0).context("cannot free a version")?;
            self.ledger.versions[slot as usize] = info;
            self.ledger.free_slots.push(slot);
            self.free_route_if_unused(route);
        }
        Ok(())
    }

    /// Lists a route as free once nothing is served there and none of its versions is left.
    fn free_route_if_unused(&mut self, index: u32) {
        let ledger = &mut *self.ledger;
        let served = ledger.routes.get(index as usize).is_none_or(|route| !route.version.is_none());
        let is_free = !served
            && !ledger.retired.iter().any(|retired| retired.route == index)
            && !ledger.free_routes.contains(&index);
        if is_free {
            ledger.free_routes.push(index);
        }
    }

    /// The versions that live flows name. Dead flows are removed.
    fn versions_in_flight(&mut self) -> HashSet<VersionId> {
        let now_ms = clock::monotonic().as_millis() as u32;
        let mut in_flight = HashSet::new();
        for (place, entry) in self.maps.flows.read(usize::MAX) {
            let version = entry.flow.version;
            if is_dead(&entry.flow, now_ms) {
                self.maps.flows.remove(place, &entry);
            } else if !version.is_none() {
                in_flight.insert(version);
            }
        }
        in_flight
    }

    fn free_route(&mut self) -> Result<u32, ChangeError> {
        if self.ledger.free_routes.is_empty() {
            self.commit()?;
            self.reclaim()?;
        }
        let full = ChangeError::RoutesFull(self.ledger.capacity());
        self.ledger.free_routes.pop().ok_or(full)
    }

    fn free_slot(&mut self) -> Result<u32, ChangeError> {
        if self.ledger.free_slots.is_empty() {
            self.commit()?;
            self.reclaim()?;
        }
        self.ledger.free_slots.pop().ok_or(ChangeError::VersionsFull)
    }

    /// Tells every console that the routes have changed, or are about to: raised before and after,
    /// so that one that reads in between reads again.
    fn raise_revision(&mut self) -> anyhow::Result<()> {
        self.ledger.revision += 1;
        let revision = self.ledger.revision;
        self.maps.revision.set(0, revision, 0).context("cannot write the revision")
    }
}

/// The hash of a tag, as the kernel side has those of requests: without the `W/` of a weak one.
fn tag_hash(etag: &str) -> u64 {
    TagHasher::hash(etag.strip_prefix("W/").unwrap_or(etag).as_bytes())
}

/// Whether a route ends, and before another does.
fn ends_before(route: &Route, other: &Route) -> bool {
    route.expires_ns != 0 && (other.expires_ns == 0 || route.expires_ns < other.expires_ns)
}

fn is_dead(flow: &Flow, now_ms: u32) -> bool {
    // The clock wraps after seven weeks, and another CPU may have touched the flow since it was
    // read: a flow from the future is one from a moment ago.
    let idle_ms = now_ms.wrapping_sub(flow.touched_ms).cast_signed();
    i128::from(idle_ms) > DEAD_AFTER.as_millis() as i128
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_is_dead_after_five_minutes_of_silence_and_not_before() {
        for touched_ms in [1000, u32::MAX - 100] {
            let flow = Flow { touched_ms, ..Flow::default() };
            assert!(!is_dead(&flow, touched_ms.wrapping_add(300_000)));
            assert!(is_dead(&flow, touched_ms.wrapping_add(300_001)));
            assert!(!is_dead(&flow, touched_ms - 1));
        }
    }
}
