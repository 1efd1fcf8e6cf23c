//! What is asked of the servers.

use anyhow::{Context as _, Result};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use zeroserve_shared::load::CHOICES_COUNT;
use zeroserve_tui::load::{Expected, Plan, Request};

use super::{
    servers::{Name, Server},
    site::{COLD, HEALTH, HEALTH_BODY, MANY, REDIRECT, SMALL, Site, many},
};

/// One workload.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Its name on the command line and in the table.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// How many connections ask at the same time.
    pub connections: u32,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// One path, with the status of the answer.
    Path(&'static str, u16),
    /// One path, with a new connection for each request.
    Connections(&'static str),
    /// The first file, which the client has already.
    NotModified,
    /// Many paths.
    Many,
    /// One path, at half of a server's peak: of nginx, or of each its own.
    Half { own: bool },
    /// One path, with client and server on one CPU.
    OneCore,
    /// One path beside a flood of SYNs.
    Flood,
    /// One path beside idle connections.
    Idle,
    /// Two paths, the second for one request in ten, with a new connection for each.
    Mix,
}

/// As many connections as keep both CPUs busy, half of what a veth pair can queue a segment of. With fewer
/// they wait for each other, and what is measured is how often a thread is woken.
const BUSY: u32 = 128;

/// Connections that wait to be told when to ask. Should all be busy, the requests that are not
/// sent are counted.
const WAITING: u32 = 160;
/// Orders to ask that one CPU can give in a second beside the client that it runs.
const MOST_ORDERS_PER_S: f64 = 100_000.0;

// Not more connections than a veth pair can queue segments for, which is 256: what it drops would
// be repeated after 200 ms, and that would be all to be seen of any server.
/// All there are.
pub const WORKLOADS: [Workload; 18] = [
    Workload {
        name: "small",
        about: "272 bytes, one segment, keep-alive",
        connections: BUSY,
        what: What::Path(SMALL, 200),
    },
    Workload {
        name: "one-core",
        about: "the same, client and server on one CPU",
        connections: BUSY,
        what: What::OneCore,
    },
    Workload {
        name: "connections",
        about: "272 bytes, a new connection for each request",
        connections: BUSY,
        what: What::Connections(SMALL),
    },
    Workload { name: "redirect", about: "301", connections: BUSY, what: What::Path(REDIRECT, 301) },
    Workload {
        name: "healthz",
        about: "a few bytes that are no file",
        connections: BUSY,
        what: What::Path(HEALTH, 200),
    },
    Workload {
        name: "not-modified",
        about: "304 by entity tag",
        connections: BUSY,
        what: What::NotModified,
    },
    Workload {
        name: "window",
        about: "14 KB, one initial window",
        connections: 16,
        what: What::Path("/window", 200),
    },
    Workload { name: "library", about: "90 KB", connections: 4, what: What::Path("/library", 200) },
    Workload { name: "picture", about: "1 MB", connections: 4, what: What::Path("/picture", 200) },
    Workload { name: "video", about: "10 MB", connections: 4, what: What::Path("/video", 200) },
    Workload {
        name: "mixed",
        about: "10,000 paths by Zipf's law",
        connections: 16,
        what: What::Many,
    },
    Workload {
        name: "half-of-nginx",
        about: "272 bytes, at half of nginx's peak",
        connections: WAITING,
        what: What::Half { own: false },
    },
    Workload {
        name: "half-of-own",
        about: "272 bytes, at half of the server's own peak, or at 100,000 requests/s",
        connections: WAITING,
        what: What::Half { own: true },
    },
    Workload {
        name: "flood",
        about: "272 bytes, beside as many connections that only send SYNs",
        connections: 64,
        what: What::Flood,
    },
    Workload {
        name: "idle",
        about: "272 bytes, beside 100,000 idle connections, or as many as the server's process may have",
        connections: 64,
        what: What::Idle,
    },
    Workload {
        name: "cold",
        about: "272 bytes that Zeroserve does not have, keep-alive",
        connections: BUSY,
        what: What::Path(COLD, 200),
    },
    Workload {
        name: "cold-connections",
        about: "272 bytes that Zeroserve does not have, a new connection for each request",
        connections: BUSY,
        what: What::Connections(COLD),
    },
    Workload {
        name: "one-in-ten-cold",
        about: "a new connection for each request, nine in ten for what Zeroserve has",
        connections: BUSY,
        what: What::Mix,
    },
];

/// What a plan depends on beside the workload.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The CPU of the client.
    pub client_cpu: usize,
    /// The CPU of the server.
    pub server_cpu: usize,
    /// How many idle connections a process can have, see [`idle_connections`].
    pub idle: u32,
    /// Requests in a second at the server's peak.
    pub peaks: Vec<(Name, f64)>,
}

impl Workload {
    /// Whether it says something about a server: those that ask for what is left to a server behind are
    /// for such a server alone and behind Zeroserve, all others for servers that answer themselves.
    pub fn is_for(&self, server: Name) -> bool {
        match self.what {
            What::Path(COLD, _) | What::Connections(COLD) | What::Mix => {
                matches!(server, Name::Behind | Name::Nginx)
            }
            _ => server != Name::Behind,
        }
    }

    /// Whether the peak of every server must be known.
    pub fn needs_peaks(&self) -> bool {
        matches!(self.what, What::Half { .. })
    }

    /// The same without the flood, if there is one.
    pub fn without_flood(&self) -> Option<Self> {
        (self.what == What::Flood).then_some(Self { what: What::Path(SMALL, 200), ..*self })
    }

    /// Whether responses are so long that what counts is bytes.
    pub fn is_bulk(&self) -> bool {
        matches!(self.name, "library" | "picture" | "video")
    }

    /// What the load generator is to do.
    ///
    /// # Errors
    ///
    /// Where the server does not tell what has to be known of it.
    pub fn plan(&self, server: &Server, site: &Site, context: &Context) -> Result<Plan> {
        let mut plan = Plan {
            port: server.port,
            requests: self.requests(server, site)?,
            choices: vec![0],
            connections: self.connections,
            rate: None,
            flood: 0,
            idle: 0,
            closes: matches!(self.what, What::Connections(_) | What::Mix),
            checked_every: 64,
            // Where there are few, all are timed.
            timed_every: if self.connections < 64 || self.needs_peaks() { 1 } else { 8 },
            client_cpu: context.client_cpu,
            server_cpu: context.server_cpu,
        };
        match self.what {
            What::Many => plan.choices = zipf(MANY, CHOICES_COUNT as usize),
            What::Half { own } => {
                plan.rate = Some(context.half(server.name, own)? as u32);
                // What another CPU writes takes longer to get here than an answer to be made, and so does
                // waking a thread there: no difference would be left between servers.
                plan.client_cpu = context.server_cpu;
            }
            What::OneCore => plan.client_cpu = context.server_cpu,
            What::Flood => plan.flood = self.connections,
            What::Idle => {
                plan.idle = if server.name.has_descriptors() { context.idle } else { IDLE }
            }
            What::Mix => plan.choices = one_in_ten(CHOICES_COUNT as usize),
            What::Path(..) | What::Connections(_) | What::NotModified => {}
        }
        Ok(plan)
    }

    fn requests(&self, server: &Server, site: &Site) -> Result<Vec<Request>> {
        let request = |path: &str, fields: String, status, body| Request {
            path: path.to_owned(),
            fields,
            expected: Expected { status, body },
        };
        let file = |path: &str| -> Result<Request> {
            Ok(request(path, String::new(), 200, Some(site.body(path)?)))
        };
        Ok(match self.what {
            What::Path(HEALTH, _) => {
                vec![request(HEALTH, String::new(), 200, Some(HEALTH_BODY.into()))]
            }
            // What nginx has to say there is not what others have.
            What::Path(path, 301) => vec![request(path, String::new(), 301, None)],
            What::Path(path, _) | What::Connections(path) => vec![file(path)?],
            What::NotModified => {
                let condition = format!("If-None-Match: {}\r\n", server.entity_tag);
                vec![request(SMALL, condition, 304, Some(Vec::new()))]
            }
            What::Many => (0..MANY)
                .map(|number| file(&format!("/{}", many(number))))
                .collect::<Result<_>>()?,
            What::Mix => vec![file(SMALL)?, file(COLD)?],
            What::OneCore | What::Half { .. } | What::Flood | What::Idle => vec![file(SMALL)?],
        })
    }
}

impl Context {
    fn half(&self, server: Name, own: bool) -> Result<f64> {
        let wanted = if own { server } else { Name::Nginx };
        let peak = |wanted: &dyn Fn(Name) -> bool| {
            let peaks = self.peaks.iter().filter(|(name, _)| wanted(*name));
            peaks.map(|(_, peak)| *peak).min_by(f64::total_cmp)
        };
        // Without an nginx, of the slowest.
        let peak = peak(&|name| name == wanted).or_else(|| peak(&|_| true));
        Ok((peak.context("the peak is not known")? / 2.0).min(MOST_ORDERS_PER_S))
    }
}

/// Idle connections, wherever possible.
pub const IDLE: u32 = 100_000;

/// Idle connections of a server that has a descriptor for each: [`IDLE`], unless a process may not have
/// so many files open. Only root with `CAP_SYS_RESOURCE` could raise that limit.
///
/// # Errors
///
/// Where the limit cannot be read.
pub fn idle_connections() -> Result<u32> {
    const WANTED: u64 = IDLE as u64;
    // Files that are served, and connections of the load before that a server has not closed yet.
    const OTHER_FILES: u64 = 5_000;
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let raised = setrlimit(Resource::RLIMIT_NOFILE, most.max(2 * WANTED), most.max(2 * WANTED));
    let most = if raised.is_ok() { most.max(2 * WANTED) } else { most };
    Ok(most.saturating_sub(OTHER_FILES).min(WANTED) as u32)
}

/// Zeros, and a one in about ten places, at random.
fn one_in_ten(wanted: usize) -> Vec<u32> {
    let mut random = fastrand::Rng::with_seed(3);
    (0..wanted).map(|_| u32::from(random.u32(..10) == 0)).collect()
}

/// Indices below `count`, the first twice as often as the second, three times as often as the
/// third and so on, in random order.
fn zipf(count: usize, wanted: usize) -> Vec<u32> {
    let weights: Vec<f64> = (1..=count).map(|rank| 1.0 / rank as f64).collect();
    let mut cumulated = Vec::with_capacity(count);
    let mut sum = 0.0;
    for weight in weights {
        sum += weight;
        cumulated.push(sum);
    }
    let mut random = fastrand::Rng::with_seed(2);
    (0..wanted)
        .map(|_| {
            let at = random.f64() * sum;
            cumulated.partition_point(|weight| *weight < at).min(count - 1) as u32
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_chosen_twice_as_often_as_the_second_and_hundreds_are_chosen_at_all() {
        let choices = zipf(MANY, 1 << 16);
        let times = |index| choices.iter().filter(|choice| **choice == index).count() as f64;
        let ratio = times(0) / times(1);
        assert!((1.8..2.2).contains(&ratio), "{ratio}");
        let mut different = choices.clone();
        different.sort_unstable();
        different.dedup();
        assert!(different.len() > MANY / 2, "{}", different.len());
        assert!(choices.iter().all(|choice| (*choice as usize) < MANY));
    }

    #[test]
    fn every_workload_has_a_name_of_its_own() {
        let mut names: Vec<_> = WORKLOADS.iter().map(|workload| workload.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), WORKLOADS.len());
    }
}
