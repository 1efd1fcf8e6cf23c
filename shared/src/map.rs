//! The names and sizes of the maps.
//!
//! The names are those of the statics in the kernel side's `maps` module and of the files under
//! `/sys/fs/bpf/zeroserve/<interface>/`. Sizes are those built into the object; the console may
//! ask for others when it loads it.

/// The folder on the BPF filesystem that holds a folder for each interface.
pub const PIN_ROOT: &str = "/sys/fs/bpf/zeroserve";

/// File name of the pinned link, beside the maps.
pub const LINK: &str = "link";

/// Array of one [`Config`](crate::config::Config).
pub const CONFIG: &str = "CONFIG";
/// Hash from [`Local`](crate::config::Local) to a number for it, a `u16` in the order of its bytes.
pub const ADDRESSES: &str = "ADDRESSES";
/// Per-CPU array of one [`Counters`](crate::counters::Counters).
pub const COUNTERS: &str = "COUNTERS";
/// Array of [`FlowSet`](crate::flow::FlowSet), which user space can map into its memory.
pub const FLOWS: &str = "FLOWS";
/// Array of words that say what is in use of each [`FlowSet`](crate::flow::FlowSet). Likewise.
pub const TAGS: &str = "TAGS";
/// LRU hash from [`FlowKey`](crate::flow::FlowKey) to a request that has come in part. Only the
/// kernel side uses it.
pub const REQUESTS: &str = "REQUESTS";
/// LRU hash from [`FlowKey`](crate::flow::FlowKey) to request bytes that wait for their turn. Only
/// the kernel side uses it.
pub const BACKLOGS: &str = "BACKLOGS";
/// LRU hash from [`FlowKey`](crate::flow::FlowKey) to what a client holds beyond a gap. Only the
/// kernel side uses it.
pub const BOARDS: &str = "BOARDS";
/// Hash from [`PathHash`](crate::path::PathHash) to a route's index, a `u32`.
pub const PATHS: &str = "PATHS";
/// Array of [`Route`](crate::route::Route).
pub const ROUTES: &str = "ROUTES";
/// Per-CPU array of [`RouteHits`](crate::counters::RouteHits), by route index.
pub const HITS: &str = "HITS";
/// Array of [`VersionInfo`](crate::route::VersionInfo), by version slot.
pub const VERSIONS: &str = "VERSIONS";
/// Hash from version slot, a `u32`, to [`Detail`](crate::route::Detail). Only the console uses it.
pub const DETAILS: &str = "DETAILS";
/// Array of array maps of [`SmallBlock`](crate::response::SmallBlock), by version slot.
pub const SMALL: &str = "SMALL";
/// Array of array maps of [`MediumBlock`](crate::response::MediumBlock), by version slot.
pub const MEDIUM: &str = "MEDIUM";
/// Array of array maps of [`LargeBlock`](crate::response::LargeBlock), by version slot.
pub const LARGE: &str = "LARGE";
/// Array of one [`Observe`](crate::observe::Observe).
pub const OBSERVE: &str = "OBSERVE";
/// Array of one [`Observed`](crate::observe::Observed).
pub const OBSERVED: &str = "OBSERVED";
/// Array of [`Record`](crate::observe::Record): the last packets observed.
pub const PACKETS: &str = "PACKETS";
/// Array of [`Record`](crate::observe::Record): the last requests observed.
pub const ASKED: &str = "ASKED";
/// LRU hash from the hash of a path and its host to [`Miss`](crate::miss::Miss).
pub const MISSES: &str = "MISSES";
/// Per-CPU array of requests that come often. Only the kernel side uses it.
pub const MEMOS: &str = "MEMOS";
/// Per-CPU scratch space for requests. Only the kernel side uses it.
pub const SCRATCH: &str = "SCRATCH";

/// Device maps by which a carrier is cloned, with how many slots each has. Every slot names the
/// interface itself. A burst uses the smallest with more slots than it has segments: the last
/// copy is the carrier itself, which has no room to grow, so it is dropped.
pub const FANOUTS: [(&str, u32); 5] =
    [("FANOUT_2", 2), ("FANOUT_4", 4), ("FANOUT_8", 8), ("FANOUT_16", 16), ("FANOUT_32", 32)];

/// Segments that one received packet can send at most: the largest fan-out less the carrier.
pub const MAX_BURST_SEGMENTS: u32 = 31;

/// Name of the XDP program in the object.
pub const XDP_PROGRAM: &str = "zeroserve";
/// Name of the handoff program in the object.
pub const HANDOFF_PROGRAM: &str = "zeroserve_handoff";
/// File name of the handoff program's pinned link.
pub const HANDOFF_LINK: &str = "handoff";
/// The kernel's function that the handoff program calls (Linux 6.9).
pub const HANDOFF_FUNCTION: &str = "bpf_sk_assign_tcp_reqsk";
/// What the call has in the object in place of the function's number, which differs from kernel to
/// kernel: the loader puts that in before it loads the object.
pub const HANDOFF_PLACEHOLDER: u32 = 0x5eed_0001;

/// Name of the egress program in the object.
pub const EGRESS_PROGRAM: &str = "zeroserve_egress";

/// Flows kept by default, in sets of [`WAYS`](crate::flow::WAYS).
pub const DEFAULT_FLOWS: u32 = 1 << 16;
/// Flows of which a request can have come in part only, all at the same time.
pub const READING_FLOWS: u32 = 1 << 12;
/// Flows for which further requests can be kept, all at the same time.
pub const WAITING_FLOWS: u32 = 1 << 10;
/// Flows that can be repairing losses, all at the same time.
pub const LOSSY_FLOWS: u32 = 1 << 13;
/// Paths of which misses are counted, see [`miss`](crate::miss).
pub const MISSED_PATHS: u32 = 1 << 12;
/// Requests that each CPU can remember, a power of two.
pub const MEMO_COUNT: u32 = 256;
/// Routes by default, fixed ones included.
pub const DEFAULT_ROUTES: u32 = 1 << 14;
/// Version slots for each route: one served in four encodings, and one that transfers in flight still
/// use. All routes share them, and most have fewer variants; a slot takes 152 bytes in the maps.
pub const VERSIONS_PER_ROUTE: u32 = 5;
/// Addresses that one interface can have, those in its VLANs included.
pub const MAX_ADDRESSES: u32 = 256;
