//! Refreshing copies before they end, and promoting what rules name, as long as somebody runs.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::{
    Examined, PromoteError, Refreshed, Rules, Wish,
    demand::{Candidate, Demand},
    examine, is_due, refresh,
    refresh::due_in,
};
use crate::{
    content::RoutePath,
    record::history,
    server::{Change, ChangeError, RouteInfo, RouteName, Server},
};

/// How often misses are counted again, and the longest that the watcher sleeps.
const ROUND: Duration = Duration::from_secs(1);
/// How soon what could not be refreshed or promoted is tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// The shortest that the watcher sleeps, so that lifetimes of next to nothing do not keep it busy.
const LEAST_REST: Duration = Duration::from_millis(100);

/// What a watcher did.
#[derive(Debug)]
pub enum Event {
    /// A copy has a new lifetime.
    Refreshed(RoutePath, Refreshed),
    /// A rule had a path promoted.
    Promoted(RoutePath, Examined),
    /// A copy gave way to another path, which is asked for more often.
    Demoted(RoutePath, RoutePath),
    /// A copy cannot be refreshed, or a path not be promoted.
    Failed(RoutePath, String),
}

/// Refreshes copies, and promotes what rules name.
#[derive(Default)]
pub struct Watcher {
    rules: Option<Rules>,
    demand: Demand,
    /// What is not to be tried before then.
    later: HashMap<RoutePath, Instant>,
}

impl Watcher {
    /// One that promotes by itself what rules name.
    pub fn new(rules: Option<Rules>) -> Self {
        Self { rules, ..Self::default() }
    }

    /// Does what is due, and says what that was and how long it has time until the next.
    ///
    /// # Errors
    ///
    /// Where the server that is watched has gone.
    pub fn round(&mut self, server: &mut dyn Server) -> anyhow::Result<(Vec<Event>, Duration)> {
        let now = Instant::now();
        self.later.retain(|_, until| *until > now);
        let mut events = Vec::new();
        for (path, ttl) in due(&server.routes()?) {
            if self.later.contains_key(&path) {
                continue;
            }
            let outcome = refresh_one(server, &Wish { path: path.clone(), ttl });
            events.extend(self.note(path, outcome.map(Vec::from_iter))?);
        }
        if self.rules.is_some() {
            for wish in self.wanted(server)? {
                let path = wish.path.clone();
                let outcome = self.promote_one(server, &wish);
                events.extend(self.note(path, outcome)?);
            }
        }
        let routes = server.routes()?;
        let next = routes
            .iter()
            .filter(|route| path_of(route).is_some_and(|path| !self.later.contains_key(path)))
            .filter_map(|route| route.copy.as_ref().map(due_in))
            .min();
        Ok((events, next.unwrap_or(ROUND).clamp(LEAST_REST, ROUND)))
    }

    fn note(
        &mut self,
        path: RoutePath,
        outcome: anyhow::Result<Vec<Event>>,
    ) -> anyhow::Result<Vec<Event>> {
        match outcome {
            Ok(events) => Ok(events),
            Err(error) if error.downcast_ref::<PromoteError>().is_some() => {
                self.later.insert(path.clone(), Instant::now() + AGAIN);
                Ok(vec![Event::Failed(path, format!("{error:#}"))])
            }
            Err(error) => Err(error),
        }
    }

    /// What rules want promoted, the most frequent first.
    fn wanted(&mut self, server: &mut dyn Server) -> anyhow::Result<Vec<Wish>> {
        let Some(rules) = &self.rules else { return Ok(Vec::new()) };
        let now = Instant::now();
        if self.demand.counted_at().is_some_and(|at| now - at < ROUND) {
            return Ok(Vec::new());
        }
        let misses = server.misses()?.into_iter().map(|miss| (miss.path, miss.requests)).collect();
        let rates = self.demand.count(now, misses, hits_of_copies(server)?);
        let mut wanted: Vec<(f64, Wish)> = Vec::new();
        for (path, rate) in rates {
            if let Some(ttl) = rules.wants(&path, rate) {
                wanted.push((rate, Wish { path, ttl }));
            }
        }
        wanted.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        let wishes = wanted.into_iter().map(|(_, wish)| wish);
        Ok(wishes.filter(|wish| !self.later.contains_key(&wish.path)).collect())
    }

    fn promote_one(&self, server: &mut dyn Server, wish: &Wish) -> anyhow::Result<Vec<Event>> {
        let routes = server.routes()?;
        if routes.iter().any(|route| path_of(route) == Some(&wish.path)) {
            // It is one already, and due by itself.
            return Ok(Vec::new());
        }
        let examined = examine(server.origin()?.as_ref(), wish)?;
        let mut events = Vec::new();
        for path in self.giving_way(&routes, wish, examined.rendered.stored_bytes() as u64)? {
            history::apply(server, Change::Remove(path.clone()))?;
            events.push(Event::Demoted(path, wish.path.clone()));
        }
        history::apply(server, Change::Add(wish.path.clone(), examined.rendered.clone()))?;
        events.push(Event::Promoted(wish.path.clone(), examined));
        Ok(events)
    }

    /// Which copies have to go so that another has room within what rules allow. What no rule is about,
    /// somebody wanted, and it stays.
    fn giving_way(
        &self,
        routes: &[RouteInfo],
        wish: &Wish,
        wanted: u64,
    ) -> Result<Vec<RoutePath>, PromoteError> {
        let Some(rules) = &self.rules else { return Ok(Vec::new()) };
        let most = rules.memory_bytes;
        let copies = || routes.iter().filter(|route| route.copy.is_some());
        let used: u64 = copies().map(bytes_of).sum();
        let Some(missing) = (used + wanted).checked_sub(most).filter(|missing| *missing > 0) else {
            return Ok(Vec::new());
        };
        let candidates = copies().filter_map(|route| {
            let path = path_of(route).filter(|path| rules.is_about(path))?.clone();
            Some(Candidate { path, bytes: bytes_of(route) })
        });
        let going = self.demand.giving_way(&wish.path, missing, candidates.collect());
        going.ok_or_else(|| PromoteError::Full { path: wish.path.clone(), wanted, used, most })
    }
}

/// How many requests each copy has answered.
fn hits_of_copies(server: &mut dyn Server) -> anyhow::Result<HashMap<RoutePath, u64>> {
    let routes = server.routes()?;
    let hits: HashMap<u32, u64> =
        server.sample()?.hits.into_iter().map(|(index, hits)| (index, hits.requests)).collect();
    let copies = routes.iter().filter(|route| route.copy.is_some());
    let of = |route: &RouteInfo| hits.get(&route.index).copied().unwrap_or(0);
    Ok(copies.filter_map(|route| Some((path_of(route)?.clone(), of(route)))).collect())
}

/// Copies that are to be refreshed by now, the first to end first.
fn due(routes: &[RouteInfo]) -> Vec<(RoutePath, Option<Duration>)> {
    let copies = routes.iter().filter_map(|route| Some((path_of(route)?, route.copy?)));
    let mut due: Vec<_> = copies.filter(|(_, copy)| is_due(copy)).collect();
    due.sort_by_key(|(_, copy)| copy.expires);
    due.into_iter().map(|(path, copy)| (path.clone(), copy.ttl)).collect()
}

/// Refreshes a copy, unless it has been taken away meanwhile.
fn refresh_one(server: &mut dyn Server, wish: &Wish) -> anyhow::Result<Option<Event>> {
    let served = server.rendered(&RouteName::Path(wish.path.clone()))?;
    let found = refresh(server.origin()?.as_ref(), wish, &served)?;
    // Nobody shall lose what he put there while the server was asked.
    let routes = server.routes()?;
    let is_same =
        |route: &RouteInfo| path_of(route) == Some(&wish.path) && route.copy == served.copy;
    if !routes.iter().any(is_same) {
        return Ok(None);
    }
    let change = Change::Replace(wish.path.clone(), found.examined().rendered.clone());
    match server.apply(change) {
        Err(ChangeError::NoSuchRoute(_)) => Ok(None),
        outcome => {
            outcome?;
            Ok(Some(Event::Refreshed(wish.path.clone(), found)))
        }
    }
}

/// Bytes of a route's response and of its other encodings, headers of those not counted.
fn bytes_of(route: &RouteInfo) -> u64 {
    let encodings = route.encodings.iter().map(|one| u64::from(one.body_bytes));
    u64::from(route.response_bytes) + encodings.sum::<u64>()
}

fn path_of(route: &RouteInfo) -> Option<&RoutePath> {
    match &route.name {
        RouteName::Path(path) => Some(path),
        RouteName::Fixed(_) => None,
    }
}
