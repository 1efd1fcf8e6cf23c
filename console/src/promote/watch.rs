//! Refreshing copies before they end, and promoting what rules name, as long as somebody runs.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::{
    Examined, Miss, PromoteError, Refreshed, Rules, Wish, examine, is_due, refresh, refresh::due_in,
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
    /// A copy cannot be refreshed, or a path not be promoted.
    Failed(RoutePath, String),
}

/// Refreshes copies, and promotes what rules name.
#[derive(Default)]
pub struct Watcher {
    rules: Option<Rules>,
    /// What misses were counted last, and when.
    counted: Option<(Instant, HashMap<RoutePath, u64>)>,
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
            events.extend(self.note(path, outcome)?);
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
        outcome: anyhow::Result<Option<Event>>,
    ) -> anyhow::Result<Option<Event>> {
        match outcome {
            Ok(event) => Ok(event),
            Err(error) if error.downcast_ref::<PromoteError>().is_some() => {
                self.later.insert(path.clone(), Instant::now() + AGAIN);
                Ok(Some(Event::Failed(path, format!("{error:#}"))))
            }
            Err(error) => Err(error),
        }
    }

    /// What rules want promoted, the most frequent first.
    fn wanted(&mut self, server: &mut dyn Server) -> anyhow::Result<Vec<Wish>> {
        let Some(rules) = &self.rules else { return Ok(Vec::new()) };
        let now = Instant::now();
        if self.counted.as_ref().is_some_and(|(at, _)| now - *at < ROUND) {
            return Ok(Vec::new());
        }
        let misses = server.misses()?;
        let before = self.counted.replace((now, counts(&misses)));
        let Some((at, before)) = before else { return Ok(Vec::new()) };
        let seconds = (now - at).as_secs_f64();
        let mut wanted: Vec<(f64, Wish)> = Vec::new();
        for miss in &misses {
            let known = before.get(&miss.path).copied().unwrap_or(0);
            // An element that was evicted meanwhile begins anew.
            let rate = miss.requests.checked_sub(known).unwrap_or(miss.requests) as f64 / seconds;
            if let Some(ttl) = rules.wants(&miss.path, rate) {
                wanted.push((rate, Wish { path: miss.path.clone(), ttl }));
            }
        }
        wanted.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        let wishes = wanted.into_iter().map(|(_, wish)| wish);
        Ok(wishes.filter(|wish| !self.later.contains_key(&wish.path)).collect())
    }

    fn promote_one(&self, server: &mut dyn Server, wish: &Wish) -> anyhow::Result<Option<Event>> {
        let routes = server.routes()?;
        if routes.iter().any(|route| path_of(route) == Some(&wish.path)) {
            // It is one already, and due by itself.
            return Ok(None);
        }
        let examined = examine(server.origin()?.as_ref(), wish)?;
        let used: u64 = routes.iter().filter(|route| route.copy.is_some()).map(bytes_of).sum();
        let wanted = examined.rendered.stored_bytes() as u64;
        let most = self.rules.as_ref().map_or(u64::MAX, |rules| rules.memory_bytes);
        if used + wanted > most {
            return Err(PromoteError::Full { path: wish.path.clone(), wanted, used, most }.into());
        }
        history::apply(server, Change::Add(wish.path.clone(), examined.rendered.clone()))?;
        Ok(Some(Event::Promoted(wish.path.clone(), examined)))
    }
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

fn counts(misses: &[Miss]) -> HashMap<RoutePath, u64> {
    misses.iter().map(|miss| (miss.path.clone(), miss.requests)).collect()
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
