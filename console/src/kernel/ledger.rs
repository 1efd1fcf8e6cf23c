//! Which routes and version slots are in use, as the maps say.
//!
//! Nothing else records it, so consoles and commands cannot disagree: whoever holds the lock reads
//! the ledger unless nobody has changed anything since he last did.

use std::collections::{HashMap, HashSet};

use anyhow::Context;
use zeroserve_shared::{
    path::PathHash,
    route::{FIRST_ROUTE, Route, VersionId, VersionInfo},
};

use super::maps::{Maps, Raw};

/// What is in use.
pub(super) struct Ledger {
    /// The revision of the routes that it describes.
    pub(super) revision: u64,
    /// The route of each path, by the path's hash.
    pub(super) paths: HashMap<PathHash, u32>,
    /// Every element of `ROUTES`.
    pub(super) routes: Vec<Route>,
    /// Every element of `VERSIONS`. A slot is free when its response has no bytes; its generation
    /// stays, so that no two versions ever have the same name.
    pub(super) versions: Vec<VersionInfo>,
    /// Free slots, the lowest last.
    pub(super) free_slots: Vec<u32>,
    /// Routes that no version names, the lowest last.
    pub(super) free_routes: Vec<u32>,
    /// Versions that no route serves any more and that have not been freed.
    pub(super) retired: Vec<Retired>,
}

/// A version that waits to be freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Retired {
    pub(super) version: VersionId,
    /// The route that it was published under, which must not be another path's route before:
    /// flows still count there what they deliver.
    pub(super) route: u32,
}

impl Ledger {
    /// Reads the maps, and mends what a change that was killed in the middle has left behind.
    pub(super) fn read(maps: &mut Maps) -> anyhow::Result<Self> {
        let revision = maps.revision.get(&0, 0).context("cannot read the revision")?;
        let (_, mut routes) =
            maps.route_table.read(usize::MAX).context("cannot read the routes")?;
        let (_, versions) = maps.version_table.read(usize::MAX).context("cannot read versions")?;
        let (hashes, indices) =
            maps.path_table.read(usize::MAX).context("cannot read the paths")?;
        let mut paths: HashMap<_, _> = hashes.into_iter().zip(indices).collect();

        for hash in paths_without_route(&paths, &routes) {
            paths.remove(&hash);
            maps.paths.remove(&Raw(hash)).context("cannot remove a path without a route")?;
        }
        for index in routes_without_path(&paths, &routes) {
            let route = Route { version: VersionId::NONE, ..routes[index as usize] };
            routes[index as usize] = route;
            maps.routes
                .set(index, Raw(route), 0)
                .context("cannot remove a route without a path")?;
        }

        let mut ledger = Self {
            revision,
            paths,
            free_slots: Vec::new(),
            free_routes: Vec::new(),
            retired: Vec::new(),
            routes,
            versions,
        };
        let details = &maps.details;
        ledger.sort_out(|slot| details.get(&slot, 0).map_or(u32::MAX, |detail| detail.0.route));
        Ok(ledger)
    }

    /// Works out what is free and what is retired. `route_of` tells the route of a version slot.
    fn sort_out(&mut self, route_of: impl Fn(u32) -> u32) {
        let mut serving = vec![false; self.versions.len()];
        for (_, version) in Self::served(&self.routes) {
            let Some(info) = self.versions.get(version.slot() as usize) else {
                continue;
            };
            let variants = info.variants.iter().map(|variant| variant.version);
            for version in variants.filter(|version| !version.is_none()).chain([version]) {
                if let Some(serves) = serving.get_mut(version.slot() as usize) {
                    *serves = true;
                }
            }
        }
        for (slot, info) in self.versions.iter().enumerate().rev() {
            let slot = slot as u32;
            if info.stored_bytes() == 0 {
                self.free_slots.push(slot);
            } else if !serving[slot as usize] {
                let version = VersionId::new(slot, info.generation);
                self.retired.push(Retired { version, route: route_of(slot) });
            }
        }
        let waiting: HashSet<u32> = self.retired.iter().map(|retired| retired.route).collect();
        self.free_routes = (FIRST_ROUTE..self.routes.len() as u32)
            .rev()
            .filter(|index| self.routes[*index as usize].version.is_none())
            .filter(|index| !waiting.contains(index))
            .collect();
    }

    /// How many routes with a path there can be.
    pub(super) fn capacity(&self) -> u32 {
        self.routes.len() as u32 - FIRST_ROUTE
    }

    /// The indices of all routes that serve something, in ascending order.
    pub(super) fn served(routes: &[Route]) -> impl Iterator<Item = (u32, VersionId)> {
        let served = |(index, route): (usize, &Route)| {
            (!route.version.is_none()).then_some((index as u32, route.version))
        };
        routes.iter().enumerate().filter_map(served)
    }
}

fn paths_without_route(paths: &HashMap<PathHash, u32>, routes: &[Route]) -> Vec<PathHash> {
    let leads_nowhere = |(hash, index): &(&PathHash, &u32)| {
        routes
            .get(**index as usize)
            .is_none_or(|route| route.path != **hash || route.version.is_none())
    };
    paths.iter().filter(leads_nowhere).map(|(hash, _)| *hash).collect()
}

fn routes_without_path(paths: &HashMap<PathHash, u32>, routes: &[Route]) -> Vec<u32> {
    Ledger::served(routes)
        .map(|(index, _)| index)
        .filter(|index| *index >= FIRST_ROUTE)
        .filter(|index| paths.get(&routes[*index as usize].path) != Some(index))
        .collect()
}

#[cfg(test)]
mod tests {
    use zeroserve_shared::route::WHOLE;

    use super::*;

    fn hash(n: u64) -> PathHash {
        PathHash([n, n])
    }

    fn route(path: u64, slot: u32) -> Route {
        Route { path: hash(path), version: VersionId::new(slot, 1), ..Route::default() }
    }

    fn used(generation: u32) -> VersionInfo {
        let mut info = VersionInfo { generation, ..VersionInfo::default() };
        info.forms[WHOLE].bytes = 100;
        info
    }

    /// Routes at the first two indices that have paths, and a third that is unused.
    fn routes(first: Route, second: Route) -> Vec<Route> {
        let mut routes = vec![Route::default(); FIRST_ROUTE as usize + 3];
        routes[FIRST_ROUTE as usize] = first;
        routes[FIRST_ROUTE as usize + 1] = second;
        routes
    }

    fn ledger(routes: Vec<Route>, versions: Vec<VersionInfo>) -> Ledger {
        Ledger {
            revision: 0,
            paths: HashMap::new(),
            routes,
            versions,
            free_slots: Vec::new(),
            free_routes: Vec::new(),
            retired: Vec::new(),
        }
    }

    #[test]
    fn a_version_that_no_route_serves_is_retired_and_keeps_its_route_from_being_used_again() {
        let removed = Route { path: hash(2), ..Route::default() };
        let mut ledger = ledger(
            routes(route(1, 0), removed),
            vec![used(1), used(3), VersionInfo { generation: 5, ..VersionInfo::default() }],
        );
        ledger.sort_out(|_slot| FIRST_ROUTE + 1);
        let version = VersionId::new(1, 3);
        assert_eq!(ledger.retired, [Retired { version, route: FIRST_ROUTE + 1 }]);
        assert_eq!(ledger.free_slots, [2]);
        assert_eq!(ledger.free_routes, [FIRST_ROUTE + 2]);
    }

    #[test]
    fn variants_are_in_use_while_a_route_serves_what_names_them_and_no_longer() {
        let mut named = used(1);
        named.variants[0].version = VersionId::new(1, 4);
        named.variants[1].version = VersionId::new(2, 2);
        let versions = vec![named, used(4), used(2)];
        let mut serving = ledger(routes(route(1, 0), Route::default()), versions.clone());
        serving.sort_out(|_slot| FIRST_ROUTE);
        assert_eq!((serving.retired, serving.free_slots), (vec![], vec![]));

        let removed = Route { path: hash(1), ..Route::default() };
        let mut after = ledger(routes(removed, Route::default()), versions);
        after.sort_out(|_slot| FIRST_ROUTE);
        let retired = |slot, generation| Retired {
            version: VersionId::new(slot, generation),
            route: FIRST_ROUTE,
        };
        assert_eq!(after.retired, [retired(2, 2), retired(1, 4), retired(0, 1)]);
        assert!(!after.free_routes.contains(&FIRST_ROUTE));
    }

    #[test]
    fn the_lowest_free_slot_and_route_are_taken_first() {
        let mut ledger =
            ledger(routes(Route::default(), Route::default()), vec![VersionInfo::default(); 4]);
        ledger.sort_out(|_slot| u32::MAX);
        assert_eq!(ledger.free_slots.last(), Some(&0));
        assert_eq!(ledger.free_routes.last(), Some(&FIRST_ROUTE));
    }

    #[test]
    fn a_path_whose_route_was_removed_or_given_away_leads_nowhere() {
        let removed = Route { path: hash(2), ..Route::default() };
        let routes = routes(route(1, 0), removed);
        let paths = HashMap::from([
            (hash(1), FIRST_ROUTE),
            (hash(2), FIRST_ROUTE + 1),
            (hash(3), FIRST_ROUTE),
            (hash(4), u32::MAX),
        ]);
        let mut nowhere = paths_without_route(&paths, &routes);
        nowhere.sort_by_key(|hash| hash.0);
        assert_eq!(nowhere, [hash(2), hash(3), hash(4)]);
    }

    #[test]
    fn a_route_that_no_path_leads_to_is_found_but_fixed_routes_need_none() {
        let mut routes = routes(route(1, 0), route(2, 1));
        routes[0] = route(0, 2);
        let paths = HashMap::from([(hash(1), FIRST_ROUTE)]);
        assert_eq!(routes_without_path(&paths, &routes), [FIRST_ROUTE + 1]);
    }
}
