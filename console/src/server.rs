//! What anybody can know of a running server, and ask of it.
//!
//! [`Server`] has three implementations: the live one in [`kernel`](crate::kernel), which reads
//! pinned maps; a [recording](crate::record) that is played; and a simulated one, with which every
//! screen is tested without root. Whatever shows or changes a server knows it by this trait only.

mod around;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use zeroserve_shared::{
    config::OnMiss,
    counters::{Counters, RouteHits},
    route::{Encoding, FixedRoute},
};

pub use self::around::{
    FlowInfo, FlowState, Flows, Holder, InterfaceState, KernelCounter, RunTime, SOMEBODY,
    Surroundings, Usage,
};
use crate::{
    content::{Copied, Rendered, RoutePath},
    observe::{Seen, Wanted},
    promote::{Miss, Origin},
    record::Replay,
};

/// What does not change while a server is attached.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Name of the interface, such as `eth0`.
    pub interface: String,
    /// Index of the interface.
    pub if_index: u32,
    /// Driver behind the interface, such as `veth`, where it can be known.
    pub driver: Option<String>,
    /// How the program is attached: `native`, as of today always.
    pub mode: &'static str,
    /// Kernel id of the XDP program.
    pub program_id: u32,
    /// TCP port answered.
    pub port: u16,
    /// Largest TCP payload sent, in bytes.
    pub mss: u16,
    /// What becomes of requests that are not served here.
    pub on_miss: OnMiss,
    /// Addresses answered for, as text.
    pub addresses: Vec<String>,
    /// When the server was attached.
    pub attached: SystemTime,
    /// How many routes with a path the maps can hold.
    pub route_capacity: u32,
    /// How many flows the maps can hold.
    pub flow_capacity: u32,
}

impl Identity {
    /// What becomes of requests that are not served here, in a word, where `listener` is who listens
    /// behind the server: its name, or the status of their answer.
    pub fn misses(&self, listener: Option<&str>) -> String {
        match (self.on_miss, listener) {
            (OnMiss::Refuse, _) => "404".into(),
            (OnMiss::HandOff, Some(listener)) => listener.into(),
            (OnMiss::HandOff, None) => "503".into(),
        }
    }
}

/// Everything that moves, read at one moment.
#[derive(Clone, Debug)]
pub struct Sample {
    /// When it was read, on a clock that never steps, since an arbitrary origin.
    pub taken: Duration,
    /// The counters of each CPU that the machine may have.
    pub cpus: Vec<Counters>,
    /// The counters of each route that exists, by route index, summed over the CPUs.
    pub hits: Vec<(u32, RouteHits)>,
    /// Rises whenever [`Server::routes`] would answer differently from before.
    pub routes_revision: u64,
}

impl Sample {
    /// The counters summed over the CPUs.
    pub fn totals(&self) -> Counters {
        let mut totals = Counters::ZERO;
        for cpu in &self.cpus {
            totals.add(cpu);
        }
        totals
    }
}

/// What a route leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteName {
    /// A path that somebody published.
    Path(RoutePath),
    /// An answer to what is not a hit.
    Fixed(FixedRoute),
}

impl fmt::Display for RouteName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(formatter, "{path}"),
            Self::Fixed(answer) => write!(formatter, "the built-in answer {}", answer.status()),
        }
    }
}

/// A body in another encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodingInfo {
    /// The encoding.
    pub encoding: Encoding,
    /// Bytes of the body in it.
    pub body_bytes: u32,
}

/// A route, as a person sees it.
#[derive(Clone, Debug)]
pub struct RouteInfo {
    /// Its index, which stays while the route exists.
    pub index: u32,
    /// Its path, or which fixed answer it is.
    pub name: RouteName,
    /// Status code of its response.
    pub status: u16,
    /// Media type of its body.
    pub content_type: String,
    /// Bytes of its body.
    pub body_bytes: u32,
    /// Bytes of its response: status line, headers and body.
    pub response_bytes: u32,
    /// The other encodings that it is prepared in, the smallest first.
    pub encodings: Vec<EncodingInfo>,
    /// The file it came from, if it came from one.
    pub source: Option<PathBuf>,
    /// Modification time that file had.
    pub modified: Option<SystemTime>,
    /// When this version was published.
    pub added: SystemTime,
    /// Which version this is, counted from 1.
    pub version: u32,
    /// SHA-256 of its body.
    pub body_sha256: [u8; 32],
    /// How long it is served, if it is a copy of what the server behind answered.
    pub copy: Option<Copied>,
}

/// A change to what is served.
#[derive(Clone, Debug)]
pub enum Change {
    /// Serve something behind a path that has nothing yet.
    Add(RoutePath, Arc<Rendered>),
    /// Serve something else behind a path.
    Replace(RoutePath, Arc<Rendered>),
    /// Serve nothing behind a path any more.
    Remove(RoutePath),
}

/// Why a change was refused. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// `Add`, and there is a route already.
    #[error("{path} is taken ({bytes} bytes from {from}); use replace, or redirect and respond with --replace, to put something else there",
        from = file.as_ref().map_or_else(|| "no file".into(), |file| file.display().to_string()))]
    PathTaken {
        /// The path.
        path: RoutePath,
        /// Bytes of the body behind it.
        bytes: u32,
        /// The file behind it.
        file: Option<PathBuf>,
    },
    /// `Replace` or `Remove`, and there is no such route.
    #[error("nothing is served at {0}; use add to put something there")]
    NoSuchRoute(RoutePath),
    /// No room for another route.
    #[error(
        "all {0} routes are in use; remove some, or stop the server and start it with a larger --max-routes"
    )]
    RoutesFull(u32),
    /// No room for another version, because transfers in flight still use the old ones.
    #[error(
        "every version slot is in use by routes or by transfers in flight; try again when some have ended"
    )]
    VersionsFull,
    /// It is a recording, and what happened has happened.
    #[error("this is a recording: nothing can be changed in it")]
    Recording,
    /// The kernel refused.
    #[error(transparent)]
    Kernel(#[from] anyhow::Error),
}

/// A running server.
pub trait Server: Send {
    /// What does not change while it is attached.
    fn identity(&self) -> &Identity;

    /// Reads every counter.
    ///
    /// # Errors
    ///
    /// Where the maps cannot be read, for instance because another console stopped the server.
    fn sample(&mut self) -> anyhow::Result<Sample>;

    /// All routes, the fixed ones first, then by path.
    ///
    /// # Errors
    ///
    /// As for [`Server::sample`].
    fn routes(&mut self) -> anyhow::Result<Arc<[RouteInfo]>>;

    /// Goes on observing single packets and requests for [`WATCH`](crate::observe::WATCH), and
    /// returns what was seen since the last call; at the first what is still known from before.
    ///
    /// # Errors
    ///
    /// As for [`Server::sample`].
    fn observe(&mut self, wanted: &Wanted) -> anyhow::Result<Seen>;

    /// Changes what is served. Transfers in flight keep the version they began with.
    ///
    /// # Errors
    ///
    /// See [`ChangeError`].
    fn apply(&mut self, change: Change) -> Result<(), ChangeError>;

    /// What is around it. A recording, which has none of that, says so by leaving it empty.
    ///
    /// # Errors
    ///
    /// As for [`Server::sample`].
    fn surroundings(&mut self) -> anyhow::Result<Surroundings> {
        Ok(Surroundings::default())
    }

    /// Measures how long its programs run, see [`Surroundings::run_time`], or no longer. It ends with
    /// whoever asked for it.
    ///
    /// # Errors
    ///
    /// Where it cannot be measured.
    fn measure(&mut self, wanted: bool) -> anyhow::Result<()> {
        let _ = wanted;
        anyhow::bail!("run time is measured of a running server only")
    }

    /// The flows there are, but no more than `limit` of them.
    ///
    /// # Errors
    ///
    /// As for [`Server::sample`], and where flows cannot be known.
    fn flows(&mut self, limit: usize) -> anyhow::Result<Flows> {
        let _ = limit;
        anyhow::bail!("flows are known of a running server only")
    }

    /// The response of a route as it is stored: status line, headers (the value of `Date` is zero),
    /// body.
    ///
    /// # Errors
    ///
    /// As for [`Server::sample`], and where responses cannot be known.
    fn response(&mut self, route: &RouteName) -> anyhow::Result<Vec<u8>> {
        anyhow::bail!("the bytes of {route} are known of a running server only")
    }

    /// What is served at a route, just as it was published, variants included.
    ///
    /// # Errors
    ///
    /// As for [`Server::response`].
    fn rendered(&mut self, route: &RouteName) -> anyhow::Result<Rendered> {
        anyhow::bail!("the bytes of {route} are known of a running server only")
    }

    /// What was asked for and not served, by path and host, the most frequent first.
    ///
    /// # Errors
    ///
    /// As for [`Server::sample`], and where misses cannot be known.
    fn misses(&mut self) -> anyhow::Result<Vec<Miss>> {
        Ok(Vec::new())
    }

    /// The server behind, to ask it what it answers.
    ///
    /// # Errors
    ///
    /// Where it cannot be asked.
    fn origin(&mut self) -> anyhow::Result<Box<dyn Origin>> {
        anyhow::bail!("only a running server has another behind it")
    }

    /// Copies what was recorded of it into a new file, and returns how many bytes that were.
    ///
    /// # Errors
    ///
    /// Where nothing is recorded, or the file cannot be written or is there already.
    fn save_recording(&mut self, to: &Path) -> anyhow::Result<u64> {
        anyhow::bail!("nothing is recorded here that could be saved to {}", to.display())
    }

    /// The recording that it plays, if it is one.
    fn replay(&mut self) -> Option<&mut Replay> {
        None
    }
}
