//! How often paths are asked for, whether they are served here or not.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::content::RoutePath;

/// How long requests count for [`Demand::lasting`]: after this time a request has `1 / e` of its weight.
const MEMORY: Duration = Duration::from_secs(30);

/// How much more something has to be asked for than what gives way to it. Otherwise two paths that are
/// asked for equally often would take turns.
const ADVANTAGE: f64 = 2.0;

/// How often paths are asked for.
#[derive(Default)]
pub(super) struct Demand {
    counted: Option<Counted>,
    lasting: HashMap<RoutePath, f64>,
}

/// What had been counted at some moment.
struct Counted {
    at: Instant,
    misses: HashMap<RoutePath, u64>,
    hits: HashMap<RoutePath, u64>,
}

/// A copy that could give way.
#[derive(Debug)]
pub(super) struct Candidate {
    pub path: RoutePath,
    /// What it takes.
    pub bytes: u64,
}

impl Demand {
    /// When it was counted last.
    pub(super) fn counted_at(&self) -> Option<Instant> {
        self.counted.as_ref().map(|counted| counted.at)
    }

    /// Takes note of the misses and of the hits of copies, counted since whenever, and returns how many
    /// misses there were in a second since the last time; nothing at the first.
    pub(super) fn count(
        &mut self,
        at: Instant,
        misses: HashMap<RoutePath, u64>,
        hits: HashMap<RoutePath, u64>,
    ) -> Vec<(RoutePath, f64)> {
        let Some(before) = self.counted.replace(Counted { at, misses, hits }) else {
            return Vec::new();
        };
        let counted = self.counted.as_ref().expect("it was put there just now");
        let seconds = (at - before.at).as_secs_f64();
        let weight = MEMORY.as_secs_f64().recip();
        let fading = (-seconds * weight).exp();
        for lasting in self.lasting.values_mut() {
            *lasting *= fading;
        }
        let mut rates = Vec::new();
        for (path, count) in &counted.misses {
            let more = since(&before.misses, path, *count);
            *self.lasting.entry(path.clone()).or_default() += more * weight;
            rates.push((path.clone(), more / seconds));
        }
        for (path, count) in &counted.hits {
            *self.lasting.entry(path.clone()).or_default() +=
                since(&before.hits, path, *count) * weight;
        }
        self.lasting
            .retain(|path, _| counted.misses.contains_key(path) || counted.hits.contains_key(path));
        rates
    }

    /// How often a path has been asked for in a second of late, hits and misses, over [`MEMORY`].
    pub(super) fn lasting(&self, path: &RoutePath) -> f64 {
        self.lasting.get(path).copied().unwrap_or_default()
    }

    /// Which copies have to go so that a path gets so many bytes of room, the least wanted first; none if
    /// there is not so much among those that are clearly wanted less.
    pub(super) fn giving_way(
        &self,
        path: &RoutePath,
        bytes: u64,
        mut candidates: Vec<Candidate>,
    ) -> Option<Vec<RoutePath>> {
        let most = self.lasting(path) / ADVANTAGE;
        candidates.retain(|one| self.lasting(&one.path) < most);
        candidates
            .sort_by(|one, other| self.lasting(&one.path).total_cmp(&self.lasting(&other.path)));
        let mut freed = 0;
        let mut going = Vec::new();
        for candidate in candidates {
            freed += candidate.bytes;
            going.push(candidate.path);
            if freed >= bytes {
                return Some(going);
            }
        }
        None
    }
}

/// How much a count has risen. One that fell was evicted meanwhile, or another route's, and begins anew.
fn since(before: &HashMap<RoutePath, u64>, path: &RoutePath, count: u64) -> f64 {
    let known = before.get(path).copied().unwrap_or(0);
    count.checked_sub(known).unwrap_or(count) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(path: &str) -> RoutePath {
        path.parse().expect("a path")
    }

    fn counts(counts: &[(&str, u64)]) -> HashMap<RoutePath, u64> {
        counts.iter().map(|(name, count)| (path(name), *count)).collect()
    }

    type Counts<'a> = &'a [(&'a str, u64)];

    /// A second by second account: misses and hits as they are counted then.
    fn demand(seconds: &[(Counts<'_>, Counts<'_>)]) -> Demand {
        let start = Instant::now();
        let mut demand = Demand::default();
        for (second, (misses, hits)) in seconds.iter().enumerate() {
            let at = start + Duration::from_secs(second as u64);
            demand.count(at, counts(misses), counts(hits));
        }
        demand
    }

    #[test]
    fn what_was_counted_before_is_not_asked_for_now() {
        let mut demand = Demand::default();
        let start = Instant::now();
        let first = demand.count(start, counts(&[("/a", 500)]), counts(&[("/b", 900)]));
        assert!(first.is_empty());
        let later = start + Duration::from_secs(2);
        let rates = demand.count(later, counts(&[("/a", 510)]), counts(&[("/b", 930)]));
        assert_eq!(rates, [(path("/a"), 5.0)]);
        assert!((demand.lasting(&path("/a")) - 10.0 / 30.0).abs() < 1e-9);
        assert!((demand.lasting(&path("/b")) - 30.0 / 30.0).abs() < 1e-9);
    }

    #[test]
    fn a_steady_rate_is_reached_and_forgotten_within_minutes() {
        let start = Instant::now();
        let mut demand = Demand::default();
        let at = |second: u64| start + Duration::from_secs(second);
        for second in 0..=180 {
            demand.count(at(second), HashMap::new(), counts(&[("/a", second * 7)]));
        }
        assert!((demand.lasting(&path("/a")) - 7.0).abs() < 0.2);
        for second in 181..=360 {
            demand.count(at(second), HashMap::new(), counts(&[("/a", 180 * 7)]));
        }
        assert!(demand.lasting(&path("/a")) < 0.1);
        demand.count(at(361), HashMap::new(), HashMap::new());
        assert!(demand.lasting.is_empty());
    }

    #[test]
    fn a_count_that_fell_begins_anew() {
        let demand = demand(&[(&[("/a", 9)], &[]), (&[("/a", 3)], &[])]);
        assert!((demand.lasting(&path("/a")) - 3.0 / 30.0).abs() < 1e-9);
    }

    #[test]
    fn the_least_wanted_give_way_and_only_to_what_is_clearly_wanted_more() {
        let demand = demand(&[
            (&[("/new", 0)], &[("/1", 0), ("/2", 0), ("/3", 0), ("/4", 0)]),
            (&[("/new", 40)], &[("/1", 10), ("/2", 2), ("/3", 30), ("/4", 5)]),
        ]);
        let candidates = || {
            let all = ["/1", "/2", "/3", "/4"];
            all.map(|name| Candidate { path: path(name), bytes: 100 }).into()
        };
        let going = |bytes| demand.giving_way(&path("/new"), bytes, candidates());
        assert_eq!(going(100), Some(vec![path("/2")]));
        assert_eq!(going(101), Some(vec![path("/2"), path("/4")]));
        assert_eq!(going(300), Some(vec![path("/2"), path("/4"), path("/1")]));
        // The fourth is wanted more than half as much.
        assert_eq!(going(301), None);
    }
}
