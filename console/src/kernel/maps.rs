//! The maps, each with its types.

use std::{
    os::fd::{AsFd, AsRawFd},
    path::Path,
    thread,
};

use anyhow::{Context, anyhow, bail};
use aya::{
    Pod,
    maps::{Array, HashMap, Map, MapData, MapError, PerCpuArray},
};
use aya_obj::generated::bpf_map_type;
use zerocopy::{FromBytes, IntoBytes};
use zeroserve_shared::{
    config::Config,
    counters::{Counters, RouteHits},
    flow::{Entry, Flow, FlowKey},
    map,
    miss::Miss,
    observe::{Observe, Observed, Record},
    path::PathHash,
    response::{Block, LargeBlock, MediumBlock, SmallBlock, StorageClass},
    route::{Detail, Route, VersionInfo},
};

use super::{
    addresses::{self, Addresses},
    flows::FlowTable,
    sys::Table,
};

/// Name of the pin of a map that only consoles use: one number that rises with every change of
/// the routes, by which each console sees what another one did.
pub(super) const REVISION: &str = "REVISION";

/// `BPF_F_INNER_MAP`: the length of an array need not equal that of the others in its map of maps.
const INNER_MAP: u32 = 0x1000;

/// A type of the shared contract as a map's key or value.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(super) struct Raw<T>(pub(super) T);

// SAFETY: `Pod` asks that a value may be copied to and from bytes. `T` has no padding
// (`IntoBytes`), any bytes make a `T` (`FromBytes`), and `Raw` has the layout of `T`.
unsafe impl<T: FromBytes + IntoBytes + Copy + 'static> Pod for Raw<T> {}

/// A block as a map's value; `IntoBytes` cannot be derived for a type with constant parameters.
#[repr(transparent)]
#[derive(Clone, Copy)]
struct RawBlock<const BYTES: usize, const SUMS: usize>(Block<BYTES, SUMS>);

// SAFETY: `Pod` asks that a value may be copied to and from bytes. A block consists of two arrays
// of integers, for which any bytes are valid, and has no padding: `filled`, the only user, fails to
// compile if it had any.
unsafe impl<const BYTES: usize, const SUMS: usize> Pod for RawBlock<BYTES, SUMS> {}

/// All maps that user space reads or writes.
pub(super) struct Maps {
    pub(super) config: Array<MapData, Raw<Config>>,
    pub(super) addresses: Addresses,
    pub(super) counters: PerCpuArray<MapData, Raw<Counters>>,
    pub(super) flows: FlowTable,
    pub(super) paths: HashMap<MapData, Raw<PathHash>, u32>,
    pub(super) path_table: Table<PathHash, u32>,
    pub(super) routes: Array<MapData, Raw<Route>>,
    pub(super) route_table: Table<u32, Route>,
    pub(super) hits: PerCpuArray<MapData, Raw<RouteHits>>,
    pub(super) hit_table: Table<u32, RouteHits>,
    pub(super) versions: Array<MapData, Raw<VersionInfo>>,
    pub(super) version_table: Table<u32, VersionInfo>,
    pub(super) details: HashMap<MapData, u32, Raw<Detail>>,
    pub(super) miss_table: Table<PathHash, Miss>,
    storage: [Table<u32, u32>; 3],
    /// For each class an array that stands where no response is stored.
    empty: [Storage; 3],
    pub(super) revision: Array<MapData, u64>,
    pub(super) observe: Array<MapData, Raw<Observe>>,
    pub(super) observed: Array<MapData, Raw<Observed>>,
    pub(super) packets: Array<MapData, Raw<Record>>,
    pub(super) asked: Array<MapData, Raw<Record>>,
}

/// The array that holds a response.
pub(super) struct Storage(MapData);

impl Maps {
    /// Opens the maps pinned in a folder.
    pub(super) fn open(folder: &Path) -> anyhow::Result<Self> {
        let pin = |name: &str| folder.join(name);
        Ok(Self {
            config: typed(&pin(map::CONFIG))?,
            addresses: typed(&pin(map::ADDRESSES))?,
            counters: typed(&pin(map::COUNTERS))?,
            flows: FlowTable::open(folder)?,
            paths: typed(&pin(map::PATHS))?,
            path_table: Table::open(&pin(map::PATHS))?,
            routes: typed(&pin(map::ROUTES))?,
            route_table: Table::open(&pin(map::ROUTES))?,
            hits: typed(&pin(map::HITS))?,
            hit_table: Table::open_per_cpu(&pin(map::HITS))?,
            versions: typed(&pin(map::VERSIONS))?,
            version_table: Table::open(&pin(map::VERSIONS))?,
            details: typed(&pin(map::DETAILS))?,
            miss_table: Table::open(&pin(map::MISSES))?,
            storage: [
                Table::open(&pin(map::SMALL))?,
                Table::open(&pin(map::MEDIUM))?,
                Table::open(&pin(map::LARGE))?,
            ],
            empty: [
                filled(SmallBlock::EMPTY, StorageClass::Small, &[])?,
                filled(MediumBlock::EMPTY, StorageClass::Medium, &[])?,
                filled(LargeBlock::EMPTY, StorageClass::Large, &[])?,
            ],
            revision: typed(&pin(REVISION))?,
            observe: typed(&pin(map::OBSERVE))?,
            observed: typed(&pin(map::OBSERVED))?,
            packets: typed(&pin(map::PACKETS))?,
            asked: typed(&pin(map::ASKED))?,
        })
    }

    /// What the console told the programs when it attached them.
    pub(super) fn config(&self) -> anyhow::Result<Config> {
        Ok(self.config.get(&0, 0).context("cannot read the map CONFIG")?.0)
    }

    /// The first `limit` flows, and whose each is. Of one that is with an address that is not ours any
    /// more it is not known which that was.
    pub(super) fn read_flows(&self, limit: usize) -> anyhow::Result<Vec<(FlowKey, Flow)>> {
        let locals = addresses::read(&self.addresses)?;
        let local_port = self.config()?.port.to_be_bytes();
        let keyed = |Entry { peer, flow }| {
            let local = locals.iter().find(|(_, number)| *number == u16::from_le_bytes(peer.local));
            let (address, vlans) =
                local.map_or(([0; 16], [[0; 2]; 2]), |(local, _)| (local.address, local.vlans));
            let key = FlowKey {
                remote: peer.address,
                local: address,
                remote_port: peer.port,
                local_port,
                vlans,
            };
            (key, flow)
        };
        Ok(self.flows.read(limit).into_iter().map(|(_, entry)| keyed(entry)).collect())
    }

    /// Puts responses into slots. The kernel waits for running programs at each of the three maps;
    /// a thread for each waits for the same ones.
    pub(super) fn store(
        &mut self,
        responses: &[(StorageClass, u32, &Storage)],
    ) -> anyhow::Result<()> {
        let store = |table: &mut Table<u32, u32>, index| {
            let of_class = responses.iter().filter(|(class, ..)| *class as usize == index);
            let (slots, fds): (Vec<_>, Vec<_>) =
                of_class.map(|(_, slot, storage)| (*slot, storage.fd())).unzip();
            table.write(&slots, &fds)
        };
        let all = thread::scope(|scope| {
            let tables = self.storage.iter_mut().enumerate();
            let storing = tables.map(|(index, table)| scope.spawn(move || store(table, index)));
            let storing: Vec<_> = storing.collect();
            storing.into_iter().map(thread::ScopedJoinHandle::join).collect::<Result<Vec<_>, _>>()
        });
        let all = all.map_err(|_| anyhow!("storing responses panicked"))?;
        all.into_iter().collect::<Result<(), _>>().context("cannot store responses")
    }

    /// Reads back the first so many bytes of the response in a slot.
    pub(super) fn stored(&self, class: u32, slot: u32, bytes: u32) -> anyhow::Result<Vec<u8>> {
        let class = [StorageClass::Small, StorageClass::Medium, StorageClass::Large]
            .into_iter()
            .find(|known| *known as u32 == class);
        let class = class.context("a response is stored in a way this program does not know")?;
        let id = self.storage[class as usize].find(slot).context("cannot find a response")?;
        let map = Map::from_map_data(MapData::from_id(id).context("cannot open a response")?)?;
        match class {
            StorageClass::Small => unfilled(SmallBlock::EMPTY, map, class, bytes),
            StorageClass::Medium => unfilled(MediumBlock::EMPTY, map, class, bytes),
            StorageClass::Large => unfilled(LargeBlock::EMPTY, map, class, bytes),
        }
    }

    /// Frees the responses in slots, all of one class.
    pub(super) fn clear(&mut self, class: StorageClass, slots: &[u32]) -> anyhow::Result<()> {
        let fds = vec![self.empty[class as usize].fd(); slots.len()];
        self.storage[class as usize].write(slots, &fds).context("cannot free responses")
    }

    /// Returns once every program that was running has ended, so that none is left that read a
    /// route before it changed and has not yet written what it read into a flow.
    ///
    /// The kernel waits for just that after each change of a map of maps. `SMALL` has a slot
    /// beyond the last version for the purpose.
    pub(super) fn wait_for_programs(&mut self) -> anyhow::Result<()> {
        let spare = self.storage[StorageClass::Small as usize].capacity()? - 1;
        self.clear(StorageClass::Small, &[spare])
    }
}

impl Storage {
    /// Stores a response in an array of its own.
    pub(super) fn of(response: &[u8]) -> anyhow::Result<Self> {
        let class = StorageClass::of(response.len() as u32);
        match class {
            StorageClass::Small => filled(SmallBlock::EMPTY, class, response),
            StorageClass::Medium => filled(MediumBlock::EMPTY, class, response),
            StorageClass::Large => filled(LargeBlock::EMPTY, class, response),
        }
    }

    fn fd(&self) -> u32 {
        self.0.fd().as_fd().as_raw_fd() as u32
    }
}

/// An array with the blocks of a response, or with one empty block. `block` only says which type.
fn filled<const BYTES: usize, const SUMS: usize>(
    block: Block<BYTES, SUMS>,
    class: StorageClass,
    response: &[u8],
) -> anyhow::Result<Storage> {
    const { assert!(size_of::<Block<BYTES, SUMS>>() == BYTES + 2 * SUMS) };
    let blocks = class.blocks(response.len() as u32);
    let value_bytes = size_of_val(&block) as u32;
    let layout = aya_obj::Map::new_from_params(
        bpf_map_type::BPF_MAP_TYPE_ARRAY as u32,
        size_of::<u32>() as u32,
        value_bytes,
        blocks,
        INNER_MAP,
    );
    let no_memory = || format!("no memory for {blocks} blocks of {value_bytes} bytes");
    let data = MapData::create(layout, "response", None).with_context(no_memory)?;
    let mut map = Map::from_map_data(data)?;
    if !response.is_empty() {
        let mut array = Array::<_, RawBlock<BYTES, SUMS>>::try_from(&mut map)?;
        let mut block = Box::new(RawBlock(block));
        for index in 0..blocks {
            block.0.fill(response, index);
            array.set(index, block.as_ref(), 0).context("cannot write a block of a response")?;
        }
    }
    match map {
        Map::Array(data) => Ok(Storage(data)),
        _ => bail!("the kernel made another kind of map than an array"),
    }
}

/// The reverse of [`filled`]. `block` only says which type.
fn unfilled<const BYTES: usize, const SUMS: usize>(
    _block: Block<BYTES, SUMS>,
    map: Map,
    class: StorageClass,
    bytes: u32,
) -> anyhow::Result<Vec<u8>> {
    let array = Array::<_, RawBlock<BYTES, SUMS>>::try_from(map)?;
    let mut response = Vec::with_capacity(bytes as usize);
    for index in 0..class.blocks(bytes) {
        let block = array.get(&index, 0).context("cannot read a block of a response")?;
        let wanted = class.stride().min(bytes as usize - response.len());
        response.extend_from_slice(&block.0.bytes[..wanted]);
    }
    Ok(response)
}

/// Opens a pinned map as a map of the type wanted.
fn typed<M: TryFrom<Map, Error = MapError>>(path: &Path) -> anyhow::Result<M> {
    MapData::from_pin(path)
        .and_then(Map::from_map_data)
        .and_then(M::try_from)
        .with_context(|| format!("cannot open the map {}", path.display()))
}
