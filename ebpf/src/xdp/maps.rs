//! The maps. What they hold, and why, is in `zeroserve_shared::map`.

use aya_ebpf::{
    bindings::{BPF_F_INNER_MAP, BPF_F_MMAPABLE, BPF_F_NO_PREALLOC},
    btf_maps::{Array, ArrayOfMaps, DevMap, HashMap, LruHashMap, PerCpuArray},
    macros::btf_map,
};
use zeroserve_shared::{
    config::{Config, Local},
    counters::{Counters, RouteHits},
    flow::{FlowKey, FlowSet, WAYS},
    map::{
        DEFAULT_FLOWS, DEFAULT_ROUTES, LOSSY_FLOWS, MAX_ADDRESSES, MEMO_COUNT, MISSED_PATHS,
        READING_FLOWS, VERSIONS_PER_ROUTE, WAITING_FLOWS,
    },
    miss::Miss,
    observe::{Observe, Observed, PACKET_RECORDS, REQUEST_RECORDS, Record},
    path::PathHash,
    response::{LargeBlock, MediumBlock, SmallBlock},
    route::{Detail, Route, VersionInfo},
};

use zeroserve_ebpf::{
    request::{RequestScan, memo::Memo},
    transport::Board,
};

use crate::xdp::{
    backlog::Backlog,
    crowd::{Crowd, QUEUES},
    egress::Position,
    scratch::Scratch,
};

const ROUTE_COUNT: usize = DEFAULT_ROUTES as usize;
const SET_COUNT: usize = DEFAULT_FLOWS as usize / WAYS;
const VERSION_COUNT: usize = (DEFAULT_ROUTES * VERSIONS_PER_ROUTE) as usize;

/// Inner arrays of one map-in-map may differ in length only with this flag (Linux 5.10).
const INNER: usize = BPF_F_INNER_MAP as usize;

/// User space reads these from its memory (Linux 5.5).
const MAPPED: usize = BPF_F_MMAPABLE as usize;

/// A block as the map's definition has it: plain words. Linux 6.1 takes an inner map that was
/// created without type information for unlike one whose elements are a struct.
pub(super) type Words<const COUNT: usize> = [u64; COUNT];

type SmallWords = Words<{ size_of::<SmallBlock>() / 8 }>;
type MediumWords = Words<{ size_of::<MediumBlock>() / 8 }>;
type LargeWords = Words<{ size_of::<LargeBlock>() / 8 }>;

#[btf_map]
pub(super) static CONFIG: Array<Config, 1> = Array::new();

#[btf_map]
pub(super) static ADDRESSES: HashMap<Local, u16, { MAX_ADDRESSES as usize }> = HashMap::new();

#[btf_map]
pub(super) static COUNTERS: PerCpuArray<Counters, 1> = PerCpuArray::new();

#[btf_map]
pub(super) static FLOWS: Array<FlowSet, SET_COUNT, MAPPED> = Array::new();

#[btf_map]
pub(super) static TAGS: Array<u64, SET_COUNT, MAPPED> = Array::new();

/// Requests of which only a part has come.
#[btf_map]
pub(super) static REQUESTS: LruHashMap<FlowKey, RequestScan, { READING_FLOWS as usize }> =
    LruHashMap::new();

/// Requests that wait for their turn.
#[btf_map]
pub(super) static BACKLOGS: LruHashMap<FlowKey, Backlog, { WAITING_FLOWS as usize }> =
    LruHashMap::new();

/// The scoreboards of flows that repair losses.
#[btf_map]
pub(super) static BOARDS: LruHashMap<FlowKey, Board, { LOSSY_FLOWS as usize }> = LruHashMap::new();

#[btf_map]
pub(super) static PATHS: HashMap<PathHash, u32, ROUTE_COUNT, { BPF_F_NO_PREALLOC as usize }> =
    HashMap::new();

#[btf_map]
pub(super) static ROUTES: Array<Route, ROUTE_COUNT> = Array::new();

#[btf_map]
pub(super) static HITS: PerCpuArray<RouteHits, ROUTE_COUNT> = PerCpuArray::new();

#[btf_map]
pub(super) static VERSIONS: Array<VersionInfo, VERSION_COUNT> = Array::new();

// The programs never look into it: it is the console's memory, kept with the rest.
#[btf_map]
pub(super) static DETAILS: HashMap<u32, Detail, VERSION_COUNT, { BPF_F_NO_PREALLOC as usize }> =
    HashMap::new();

#[btf_map]
pub(super) static SMALL: ArrayOfMaps<Array<SmallWords, 1, INNER>, VERSION_COUNT> =
    ArrayOfMaps::new();

#[btf_map]
pub(super) static MEDIUM: ArrayOfMaps<Array<MediumWords, 1, INNER>, VERSION_COUNT> =
    ArrayOfMaps::new();

#[btf_map]
pub(super) static LARGE: ArrayOfMaps<Array<LargeWords, 1, INNER>, VERSION_COUNT> =
    ArrayOfMaps::new();

#[btf_map]
pub(super) static OBSERVE: Array<Observe, 1> = Array::new();

#[btf_map]
pub(super) static OBSERVED: Array<Observed, 1> = Array::new();

#[btf_map]
pub(super) static PACKETS: Array<Record, { PACKET_RECORDS as usize }> = Array::new();

#[btf_map]
pub(super) static ASKED: Array<Record, { REQUEST_RECORDS as usize }> = Array::new();

#[btf_map]
pub(super) static MISSES: LruHashMap<PathHash, Miss, { MISSED_PATHS as usize }> = LruHashMap::new();

#[btf_map]
pub(super) static SCRATCH: PerCpuArray<Scratch, 1> = PerCpuArray::new();

/// Requests that come often.
#[btf_map]
pub(super) static MEMOS: PerCpuArray<Memo, { MEMO_COUNT as usize }> = PerCpuArray::new();

/// Where the egress program of this CPU stands.
#[btf_map]
pub(super) static POSITION: PerCpuArray<Position, 1> = PerCpuArray::new();

/// How many flows share each queue.
#[btf_map]
pub(super) static CROWDS: Array<Crowd, QUEUES> = Array::new();

#[btf_map]
pub(super) static FANOUT_2: DevMap<2> = DevMap::new();
#[btf_map]
pub(super) static FANOUT_4: DevMap<4> = DevMap::new();
#[btf_map]
pub(super) static FANOUT_8: DevMap<8> = DevMap::new();
#[btf_map]
pub(super) static FANOUT_16: DevMap<16> = DevMap::new();
#[btf_map]
pub(super) static FANOUT_32: DevMap<32> = DevMap::new();
