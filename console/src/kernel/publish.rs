//! Puts versions behind routes, takes them away, frees what nobody needs.
//!
//! The order of the steps is what keeps readers safe, which run at any time on any CPU:
//!
//! 1. A new version's description and bytes are written before any route names it.
//! 2. The route's element is written, and only then, if the route is new, its path.
//! 3. A path is removed after its route serves nothing any more.
//! 4. A version that no route serves is freed once all programs that might have read the route
//!    before have ended, and no flow names it.
//!
//! The steps of many routes are made together, because the kernel waits for running programs at
//! each change of a map of maps: milliseconds that would add up to minutes.

use std::{
    collections::HashSet,
    os::unix::ffi::OsStrExt,
    time::{Duration, SystemTime},
};

use anyhow::Context;
use aya::{maps::PerCpuValues, util::nr_cpus};
use zerocopy::FromZeros;
use zeroserve_shared::{
    counters::RouteHits,
    flow::Flow,
    path::PathHash,
    response::StorageClass,
    route::{Detail, Route, VersionId, VersionInfo},
    validator::TagHasher,
};

use super::{
    clock,
    ledger::{Ledger, Retired},
    maps::{Maps, Raw, Storage},
};
use crate::{
    content::{RenderError, Rendered, RoutePath},
    server::{ChangeError, RouteName},
};

/// Routes changed together at most: each keeps a file descriptor open until then.
const STAGED_ROUTES: usize = 256;
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
    /// Bytes of all responses, headers included.
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
}

/// A version whose bytes are in the kernel, for which a slot and a route are set aside.
struct Staged {
    route: Route,
    index: u32,
    /// The version that the route serves so far.
    replaces: VersionId,
    info: VersionInfo,
    class: StorageClass,
    storage: Storage,
    detail: Box<Detail>,
}

impl<'a> Publisher<'a> {
    pub(super) fn new(maps: &'a mut Maps, ledger: &'a mut Ledger, path_key: [u64; 2]) -> Self {
        Self { maps, ledger, path_key, staged: Vec::new(), staged_bytes: 0 }
    }

    /// The version behind a path.
    pub(super) fn find(&self, path: &RoutePath) -> Option<VersionId> {
        let index = *self.ledger.paths.get(&path.hash(self.path_key))?;
        Some(self.ledger.routes[index as usize].version)
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
        let slot = self.free_slot()?;
        let generation = self.ledger.versions[slot as usize].generation.wrapping_add(1).max(1);
        let version = VersionId::new(slot, generation);
        let replaces = self.ledger.routes[index as usize].version;
        let class = StorageClass::of(rendered.bytes.len() as u32);
        let info = VersionInfo {
            generation,
            class: class as u32,
            route: index,
            head_bytes: rendered.head_bytes,
            forms: rendered.forms,
            etag: rendered.etag.as_ref().map_or(0, |etag| TagHasher::hash(etag.as_bytes())),
            modified_unix_s: rendered.modified.map_or(0, clock::unix_s),
            ..VersionInfo::default()
        };
        let mut detail = detail(name, rendered);
        (detail.version, detail.route) = (version, index);
        if !replaces.is_none() {
            detail.ordinal = self.detail(replaces)?.ordinal + 1;
        }
        let storage = Storage::of(&rendered.bytes)?;
        let route = Route { path: hash, version };
        self.staged.push(Staged { route, index, replaces, info, class, storage, detail });
        self.staged_bytes += rendered.bytes.len();
        if self.staged.len() >= STAGED_ROUTES || self.staged_bytes >= STAGED_BYTES {
            self.commit()?;
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
        let route = Route { path: hash, version: VersionId::NONE };
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
        self.staged_bytes = 0;
        for new in &staged {
            let slot = new.route.version.slot();
            // From here on the slot counts as used, so that it is found and freed if this process
            // is killed before a route names the version.
            self.maps.versions.set(slot, Raw(new.info), 0).context("cannot describe a version")?;
            self.maps.details.insert(slot, Raw(*new.detail), 0).context("cannot write details")?;
            self.ledger.versions[slot as usize] = new.info;
        }
        for class in [StorageClass::Small, StorageClass::Medium, StorageClass::Large] {
            let of_class = staged.iter().filter(|new| new.class == class);
            let responses: Vec<_> =
                of_class.map(|new| (new.route.version.slot(), &new.storage)).collect();
            self.maps.store(class, &responses)?;
        }
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

    /// Notes that no route serves a version any more.
    fn retire(&mut self, version: VersionId, route: u32) -> anyhow::Result<()> {
        let mut detail = self.detail(version)?;
        detail.retired_unix_s = clock::unix_s(SystemTime::now());
        self.maps.details.insert(version.slot(), Raw(detail), 0).context("cannot write details")?;
        self.ledger.retired.push(Retired { version, route });
        Ok(())
    }

    /// Frees the versions that no route serves and no flow names.
    pub(super) fn reclaim(&mut self) -> anyhow::Result<()> {
        if self.ledger.retired.is_empty() {
            return Ok(());
        }
        self.maps.wait_for_programs()?;
        let in_flight = self.versions_in_flight()?;
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
    fn versions_in_flight(&mut self) -> anyhow::Result<HashSet<VersionId>> {
        let now_ms = clock::monotonic().as_millis() as u32;
        let (keys, flows) =
            self.maps.flow_table.read(usize::MAX).context("cannot read the flows")?;
        let mut in_flight = HashSet::new();
        for (key, flow) in keys.iter().zip(flows) {
            if is_dead(&flow, now_ms) {
                // The kernel side may have removed it first.
                let _ = self.maps.flows.remove(&Raw(*key));
            } else if !flow.version.is_none() {
                in_flight.insert(flow.version);
            }
        }
        Ok(in_flight)
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

fn is_dead(flow: &Flow, now_ms: u32) -> bool {
    // The clock wraps after seven weeks, and another CPU may have touched the flow since it was
    // read: a flow from the future is one from a moment ago.
    let idle_ms = now_ms.wrapping_sub(flow.touched_ms).cast_signed();
    i128::from(idle_ms) > DEAD_AFTER.as_millis() as i128
}

fn detail(name: &RouteName, rendered: &Rendered) -> Box<Detail> {
    let mut detail = Box::new(Detail::new_zeroed());
    detail.added_unix_s = clock::unix_s(SystemTime::now());
    detail.modified_unix_s = rendered.modified.map_or(0, clock::unix_s);
    detail.body_sha256 = rendered.body_sha256;
    detail.body_bytes = rendered.body_bytes();
    detail.status = rendered.status;
    if let RouteName::Path(path) = name {
        detail.path_bytes = keep_end(&mut detail.path, path.as_str().as_bytes());
    }
    if let Some(source) = &rendered.source {
        detail.source_bytes = keep_end(&mut detail.source, source.as_os_str().as_bytes());
    }
    detail.content_type_bytes =
        keep_end(&mut detail.content_type, rendered.content_type.as_bytes());
    detail
}

/// Copies as much as there is room for, of the end, and says how many bytes that are.
fn keep_end(room: &mut [u8], bytes: &[u8]) -> u16 {
    let kept = &bytes[bytes.len().saturating_sub(room.len())..];
    room[..kept.len()].copy_from_slice(kept);
    kept.len() as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_name_the_end_is_kept() {
        let mut room = [0; 4];
        assert_eq!(keep_end(&mut room, b"a/long/name"), 4);
        assert_eq!(&room, b"name");
        assert_eq!(keep_end(&mut room, b"x"), 1);
        assert_eq!(room[0], b'x');
    }

    #[test]
    fn a_flow_is_dead_after_five_minutes_of_silence_and_not_before() {
        for touched_ms in [1000, u32::MAX - 100] {
            let flow = Flow { touched_ms, ..Flow::default() };
            assert!(!is_dead(&flow, touched_ms.wrapping_add(300_000)));
            assert!(is_dead(&flow, touched_ms.wrapping_add(300_001)));
            assert!(!is_dead(&flow, touched_ms - 1));
        }
    }

    #[test]
    fn a_detail_remembers_what_was_rendered() {
        let rendered = Rendered::ok("text/plain".into(), b"hello", Some(clock::from_unix_s(99)));
        let path: RoutePath = "/a".parse().expect("a path");
        let detail = detail(&RouteName::Path(path), &rendered);
        assert_eq!(&detail.path[..usize::from(detail.path_bytes)], b"/a");
        assert_eq!(&detail.content_type[..usize::from(detail.content_type_bytes)], b"text/plain");
        assert_eq!((detail.body_bytes, detail.status), (5, 200));
        assert_eq!((detail.modified_unix_s, detail.source_bytes), (99, 0));
        assert_eq!(detail.body_sha256, rendered.body_sha256);
    }
}
