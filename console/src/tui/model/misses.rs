//! What is asked for and not served here, and what the server behind was found to answer to it.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use crate::{content::RoutePath, promote::Miss, server::RouteInfo, server::RouteName};

/// Over how long a rate is taken, at least.
const SPAN: Duration = Duration::from_secs(1);

/// A path that is asked for and not served.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MissRow {
    pub(crate) miss: Miss,
    /// Requests a second that a copy could have answered.
    pub(crate) per_s: Option<f64>,
}

/// What is asked for and not served here.
#[derive(Debug, Default)]
pub(crate) struct Misses {
    /// The most frequent first.
    pub(crate) rows: Vec<MissRow>,
    /// Why they cannot be read, if they cannot; none before they were.
    pub(crate) read: Option<Result<(), String>>,
    /// What the server behind was found to answer, or why that is not for a cache.
    pub(crate) found: HashMap<RoutePath, Result<String, String>>,
    /// Whether they were asked for and have not come.
    pub(crate) asked: bool,
    /// The path that somebody selected.
    chosen: Option<RoutePath>,
    /// What was counted when, to take rates from.
    counted: Option<(SystemTime, HashMap<RoutePath, u64>)>,
    rates: HashMap<RoutePath, f64>,
}

impl Misses {
    /// Takes what was read at a time. What is served by now is none any more.
    pub(crate) fn take(
        &mut self,
        read: Result<Vec<Miss>, String>,
        routes: &[RouteInfo],
        now: SystemTime,
        keep_order: bool,
    ) {
        let misses = match read {
            Ok(misses) => misses,
            Err(why) => {
                self.read = Some(Err(why));
                return;
            }
        };
        self.read = Some(Ok(()));
        self.take_rates(&misses, now);
        let is_served = |miss: &Miss| {
            routes.iter().any(|r| matches!(&r.name, RouteName::Path(path) if *path == miss.path))
        };
        let row = |miss: Miss| MissRow { per_s: self.rates.get(&miss.path).copied(), miss };
        let mut rows: Vec<_> =
            misses.into_iter().filter(|miss| !is_served(miss)).map(row).collect();
        // Equals stay as they came, the most frequent first.
        rows.sort_by(|a, b| b.per_s.unwrap_or(0.0).total_cmp(&a.per_s.unwrap_or(0.0)));
        if keep_order {
            let known =
                |row: &MissRow| self.rows.iter().position(|old| old.miss.path == row.miss.path);
            rows.sort_by_key(|row| known(row).unwrap_or(usize::MAX));
        }
        self.rows = rows;
    }

    fn take_rates(&mut self, misses: &[Miss], now: SystemTime) {
        let counts = || misses.iter().map(|miss| (miss.path.clone(), miss.requests)).collect();
        let Some((then, before)) = &self.counted else {
            self.counted = Some((now, counts()));
            return;
        };
        let over = now.duration_since(*then).unwrap_or_default();
        if over < SPAN {
            return;
        }
        let rate = |miss: &Miss| {
            let known = before.get(&miss.path).copied().unwrap_or(0);
            // What the kernel had forgotten meanwhile begins anew.
            let rise = miss.requests.checked_sub(known).unwrap_or(miss.requests);
            (miss.path.clone(), rise as f64 / over.as_secs_f64())
        };
        self.rates = misses.iter().map(rate).collect();
        self.counted = Some((now, counts()));
    }

    /// Which row is selected: that of the chosen path, or the first.
    pub(crate) fn selected(&self) -> usize {
        let chosen = self.chosen.as_ref();
        chosen.and_then(|path| self.rows.iter().position(|r| r.miss.path == *path)).unwrap_or(0)
    }

    /// The path of the selected row.
    pub(crate) fn selected_path(&self) -> Option<&RoutePath> {
        self.rows.get(self.selected()).map(|row| &row.miss.path)
    }

    /// Moves the selection by so many rows.
    pub(crate) fn step(&mut self, rows: isize) {
        let last = self.rows.len().saturating_sub(1);
        let selected = self.selected().saturating_add_signed(rows).min(last);
        self.chosen = self.rows.get(selected).map(|row| row.miss.path.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn miss(path: &str, requests: u64) -> Miss {
        let path = path.parse().expect("a path");
        Miss { path, requests, particular: 0, last: Duration::ZERO }
    }

    #[test]
    fn rates_order_the_rows_and_the_selection_stays_on_its_path() {
        let mut misses = Misses::default();
        let at = |s| SystemTime::UNIX_EPOCH + Duration::from_secs(s);
        misses.take(Ok(vec![miss("//h/a", 90), miss("//h/b", 10)]), &[], at(1), false);
        assert_eq!(misses.rows[0].per_s, None);
        misses.step(1);
        misses.take(Ok(vec![miss("//h/a", 92), miss("//h/b", 50)]), &[], at(3), false);
        let rates: Vec<_> = misses.rows.iter().map(|row| row.per_s).collect();
        assert_eq!(rates, [Some(20.0), Some(1.0)]);
        assert_eq!(misses.selected_path(), Some(&"//h/b".parse().expect("a path")));
        assert_eq!(misses.selected(), 0);
        misses.take(Err("gone".into()), &[], at(4), false);
        assert_eq!((misses.rows.len(), misses.read), (2, Some(Err("gone".into()))));
    }
}
