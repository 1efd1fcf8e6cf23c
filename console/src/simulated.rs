//! A server with made-up traffic, to show and test the console with: no root, no kernel.
//!
//! It keeps the promises of a real one: every packet has one verdict, every packet that left the
//! fast path a reason, hits of routes add up to requests. The same seed gives the same numbers on
//! every run, one step of traffic for each sample, unless it is told to follow the clock.

mod around;
mod misses;
mod sights;
mod site;
#[cfg(test)]
mod tests;
mod traffic;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use zeroserve_shared::{
    counters::{Counters, RouteHits},
    reason::Reason,
    refusal::Refusal,
    route::FIRST_ROUTE,
};

use self::{
    site::{SITE, described, encodings, fixed_routes, identity},
    traffic::Random,
};
use crate::{
    content::{Rendered, RoutePath},
    observe::{Seen, Wanted},
    promote::{Miss, Origin},
    server::{
        Change, ChangeError, Flows, Holder, Identity, RouteInfo, RouteName, RunTime, Sample,
        Server, Surroundings,
    },
};

/// Traffic made between two samples, unless the clock is followed.
const STEP: Duration = Duration::from_millis(250);

/// When a simulated server was attached, seconds since the Unix epoch: 9 October 2025, 08:53:20.
const ATTACHED_UNIX_S: u64 = 1_760_000_000;

/// Requests a second that all routes get together, at the middle of the tide.
const REQUESTS_PER_S: f64 = 42_000.0;

/// Something that happens to a simulated server.
#[derive(Clone, Debug)]
pub enum Event {
    /// From now on nothing can be read, as when another console stopped the server.
    Lost(String),
    /// From now on it can be read again.
    Found,
    /// From now on so many packets a second leave for this reason.
    Leaving(Reason, u32),
    /// From now on so many requests a second are refused for this.
    Refusing(Refusal, u32),
    /// Every counter starts from zero, as when the server was stopped and attached again.
    Reset,
    /// From now on nobody asks for anything.
    Silence,
    /// From now on somebody else holds the pen, or nobody.
    Pen(Option<Holder>),
}

/// A simulated server. See the module's documentation.
#[derive(Debug)]
pub struct Simulated {
    identity: Identity,
    random: Random,
    /// Apart from that of the traffic, which does not change when somebody looks.
    glances: Random,
    clock: Option<Instant>,
    taken: Duration,
    samples: u64,
    cpus: Vec<Counters>,
    around: Surroundings,
    routes: Vec<SimulatedRoute>,
    revision: u64,
    events: BTreeMap<u64, Vec<Event>>,
    lost: Option<String>,
    leaving: Vec<(Reason, u32)>,
    refusing: Vec<(Refusal, u32)>,
    silent: bool,
}

#[derive(Debug)]
struct SimulatedRoute {
    info: RouteInfo,
    share: u32,
    hits: RouteHits,
    /// What is behind it, unless it was there from the beginning.
    rendered: Option<Arc<Rendered>>,
}

impl Simulated {
    /// A server with a small site, whose traffic follows from `seed`.
    pub fn new(seed: u64) -> Self {
        let attached = SystemTime::UNIX_EPOCH + Duration::from_secs(ATTACHED_UNIX_S);
        let mut server = Self {
            identity: identity(attached),
            random: Random::new(seed),
            glances: Random::new(seed),
            clock: None,
            taken: Duration::ZERO,
            samples: 0,
            cpus: vec![Counters::ZERO; 2],
            around: around::calm(),
            routes: fixed_routes(attached),
            revision: 1,
            events: BTreeMap::new(),
            lost: None,
            leaving: vec![
                (Reason::NotIp, 3),
                (Reason::OtherPort, 24),
                (Reason::ResetByPeer, 5),
                (Reason::UnknownConnection, 2),
            ],
            refusing: Vec::new(),
            silent: false,
        };
        for &(path, content_type, body_bytes, share) in SITE {
            server.publish(path, content_type, body_bytes, share);
        }
        server
    }

    /// With so many further routes, all alike.
    #[must_use]
    pub fn with_more_routes(mut self, count: u32) -> Self {
        for number in 0..count {
            let path = format!("/lib/{:02}/package-{number:05}/index.js", number % 100);
            self.publish(&path, "text/javascript", 1_000 + number, 1);
        }
        self
    }

    /// With traffic for the time that has passed, instead of one step for each sample.
    #[must_use]
    pub fn on_the_clock(mut self) -> Self {
        self.clock = Some(Instant::now());
        let attached = SystemTime::now();
        self.identity.attached = attached;
        for route in &mut self.routes {
            route.info.added = attached;
        }
        self
    }

    /// On a machine with so many CPUs, among which the packets are spread unevenly.
    #[must_use]
    pub fn with_cpus(mut self, count: usize) -> Self {
        self.cpus = vec![Counters::ZERO; count];
        self
    }

    /// With other surroundings.
    #[must_use]
    pub fn around(mut self, adjust: impl FnOnce(&mut Surroundings)) -> Self {
        adjust(&mut self.around);
        self
    }

    /// With an event just before the sample of that number, counted from one.
    #[must_use]
    pub fn with(mut self, sample: u64, event: Event) -> Self {
        self.events.entry(sample).or_default().push(event);
        self
    }

    fn publish(&mut self, path: &str, content_type: &str, body_bytes: u32, share: u32) {
        let path: RoutePath = path.parse().expect("the simulated paths are valid");
        let added = self.identity.attached;
        let index = self.free_index();
        let info = RouteInfo {
            index,
            source: Some(format!("/srv/www{path}").into()),
            name: RouteName::Path(path),
            status: 200,
            content_type: content_type.into(),
            body_bytes,
            response_bytes: body_bytes + 231,
            encodings: encodings(content_type, body_bytes),
            modified: Some(added - Duration::from_secs(86_400 + u64::from(body_bytes))),
            added,
            version: 1,
            body_sha256: std::array::from_fn(|byte| {
                (body_bytes >> (byte % 4 * 8)) as u8 ^ byte as u8
            }),
            copy: None,
        };
        let hits = RouteHits::default();
        self.routes.push(SimulatedRoute { info, share, hits, rendered: None });
    }

    fn free_index(&self) -> u32 {
        let highest = self.routes.iter().map(|route| route.info.index).max().unwrap_or(0);
        (highest + 1).max(FIRST_ROUTE)
    }

    fn position(&self, path: &RoutePath) -> Option<usize> {
        self.routes.iter().position(|route| is_at(&route.info, path))
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Lost(why) => self.lost = Some(why),
            Event::Found => self.lost = None,
            Event::Leaving(reason, per_s) => self.leaving.push((reason, per_s)),
            Event::Refusing(refusal, per_s) => self.refusing.push((refusal, per_s)),
            Event::Reset => {
                self.cpus.fill(Counters::ZERO);
                for route in &mut self.routes {
                    route.hits = RouteHits::default();
                }
            }
            Event::Silence => self.silent = true,
            Event::Pen(holder) => self.around.pen = holder,
        }
    }

    fn totals(&self) -> Counters {
        let mut totals = Counters::ZERO;
        self.cpus.iter().for_each(|cpu| totals.add(cpu));
        totals
    }

    /// Makes the traffic of one stretch of time.
    fn run(&mut self, stretch: Duration) {
        if self.silent {
            return;
        }
        let seconds = stretch.as_secs_f64();
        // A slow tide with ripples on it, so that a chart has something to show.
        let at = self.taken.as_secs_f64();
        let tide = 1.0 + 0.35 * (at / 19.0).sin() + 0.12 * (at / 3.1).sin();
        let shares: u32 = self.routes.iter().map(|route| route.share).sum();
        for position in 0..self.routes.len() {
            let share = f64::from(self.routes[position].share) / f64::from(shares);
            let expected =
                REQUESTS_PER_S * share * tide * self.random.between(0.92, 1.08) * seconds;
            let requests = self.random.round(expected);
            let route = &mut self.routes[position];
            let response_bytes = u64::from(route.info.response_bytes);
            route.hits.requests += requests;
            route.hits.delivered_bytes += requests * response_bytes;
            traffic::serve(&mut self.cpus, response_bytes, requests);
        }
        for (refusal, per_s) in self.refusing.clone() {
            let requests = self.random.round(f64::from(per_s) * seconds);
            let answer = refusal.route() as u32;
            for route in self.routes.iter_mut().filter(|route| route.info.index == answer) {
                let response_bytes = u64::from(route.info.response_bytes);
                route.hits.requests += requests;
                route.hits.delivered_bytes += requests * response_bytes;
                traffic::serve(&mut self.cpus, response_bytes, requests);
            }
            self.cpus[0].refusals[refusal as usize] += requests;
        }
        for (reason, per_s) in self.leaving.clone() {
            let packets = self.random.round(f64::from(per_s) * seconds);
            traffic::leave(&mut self.cpus[0], reason, packets);
        }
    }
}

impl Server for Simulated {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn sample(&mut self) -> anyhow::Result<Sample> {
        self.samples += 1;
        for event in self.events.remove(&self.samples).unwrap_or_default() {
            self.happen(event);
        }
        let taken = self.clock.map_or(self.taken + STEP, |start| start.elapsed());
        let stretch = taken - self.taken;
        self.taken = taken;
        if let Some(why) = &self.lost {
            anyhow::bail!("{why}");
        }
        self.run(stretch);
        Ok(Sample {
            taken,
            cpus: self.cpus.to_vec(),
            hits: self.routes.iter().map(|route| (route.info.index, route.hits)).collect(),
            routes_revision: self.revision,
        })
    }

    fn routes(&mut self) -> anyhow::Result<Arc<[RouteInfo]>> {
        if let Some(why) = &self.lost {
            anyhow::bail!("{why}");
        }
        let mut routes: Vec<_> = self.routes.iter().map(|route| route.info.clone()).collect();
        routes.sort_by(|a, b| match (&a.name, &b.name) {
            (RouteName::Path(a), RouteName::Path(b)) => a.cmp(b),
            (RouteName::Fixed(a), RouteName::Fixed(b)) => (*a as u32).cmp(&(*b as u32)),
            (RouteName::Fixed(_), RouteName::Path(_)) => std::cmp::Ordering::Less,
            (RouteName::Path(_), RouteName::Fixed(_)) => std::cmp::Ordering::Greater,
        });
        Ok(routes.into())
    }

    fn observe(&mut self, wanted: &Wanted) -> anyhow::Result<Seen> {
        if let Some(why) = &self.lost {
            anyhow::bail!("{why}");
        }
        let time = self.identity.attached + self.taken;
        let mut seen = Seen::default();
        if self.silent {
            return Ok(seen);
        }
        if wanted.requests {
            let (routes, refusing) = (&self.routes, &self.refusing);
            seen.requests = sights::requests(&mut self.glances, routes, refusing, time);
        }
        seen.packets = sights::packets(&mut self.glances, &self.leaving, &wanted.reasons, time);
        Ok(seen)
    }

    fn apply(&mut self, change: Change) -> Result<(), ChangeError> {
        if let Some(why) = &self.lost {
            return Err(ChangeError::Kernel(anyhow::anyhow!("{why}")));
        }
        match change {
            Change::Add(path, rendered) => {
                if let Some(position) = self.position(&path) {
                    let info = &self.routes[position].info;
                    let (bytes, file) = (info.body_bytes, info.source.clone());
                    return Err(ChangeError::PathTaken { path, bytes, file });
                }
                let added = self.identity.attached + self.taken;
                let info = described(self.free_index(), path, &rendered, added, 1);
                let (hits, rendered) = (RouteHits::default(), Some(rendered));
                self.routes.push(SimulatedRoute { info, share: 20, hits, rendered });
            }
            Change::Replace(path, rendered) => {
                let Some(position) = self.position(&path) else {
                    return Err(ChangeError::NoSuchRoute(path));
                };
                let added = self.identity.attached + self.taken;
                let route = &mut self.routes[position];
                let (index, version) = (route.info.index, route.info.version + 1);
                route.info = described(index, path, &rendered, added, version);
                route.rendered = Some(rendered);
            }
            Change::Remove(path) => {
                let Some(position) = self.position(&path) else {
                    return Err(ChangeError::NoSuchRoute(path));
                };
                self.routes.remove(position);
            }
        }
        self.revision += 1;
        Ok(())
    }

    fn surroundings(&mut self) -> anyhow::Result<Surroundings> {
        if let Some(why) = &self.lost {
            anyhow::bail!("{why}");
        }
        let totals = self.totals();
        Ok(around::now(&self.around, self.taken, &totals))
    }

    fn measure(&mut self, wanted: bool) -> anyhow::Result<()> {
        let zero = RunTime { total: Duration::ZERO, runs: 0 };
        self.around.run_time = wanted.then_some(zero);
        Ok(())
    }

    fn flows(&mut self, limit: usize) -> anyhow::Result<Flows> {
        if let Some(why) = &self.lost {
            anyhow::bail!("{why}");
        }
        let routes: Vec<_> = self.routes.iter().map(|route| &route.info).collect();
        Ok(around::flows(&routes, self.samples, self.taken, self.silent, limit))
    }

    fn misses(&mut self) -> anyhow::Result<Vec<Miss>> {
        Ok(if self.silent { Vec::new() } else { misses::after(self.taken) })
    }

    fn origin(&mut self) -> anyhow::Result<Box<dyn Origin>> {
        Ok(Box::new(misses::Behind { now: self.identity.attached + self.taken }))
    }

    fn rendered(&mut self, route: &RouteName) -> anyhow::Result<Rendered> {
        let found = self.routes.iter().find(|known| known.info.name == *route);
        let rendered = found.and_then(|known| known.rendered.as_deref());
        rendered.cloned().ok_or_else(|| anyhow::anyhow!("the bytes of {route} are made up"))
    }

    fn response(&mut self, route: &RouteName) -> anyhow::Result<Vec<u8>> {
        let path = match route {
            RouteName::Path(path) => path,
            RouteName::Fixed(answer) => return Ok(Rendered::fixed(*answer).bytes),
        };
        let position = self.position(path);
        let position = position.ok_or_else(|| anyhow::anyhow!("nothing is served at {path}"))?;
        let route = &self.routes[position];
        Ok(match &route.rendered {
            Some(rendered) => rendered.bytes[..route.info.response_bytes as usize].to_vec(),
            None => around::response(&route.info),
        })
    }
}

fn is_at(info: &RouteInfo, path: &RoutePath) -> bool {
    matches!(&info.name, RouteName::Path(taken) if taken == path)
}
