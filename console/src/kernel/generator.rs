//! The load generator's program and its maps.

use std::ops::Range;

use anyhow::{Context, Result};
use aya::{
    EbpfLoader,
    maps::{Map, MapData},
    programs::{Xdp, XdpMode},
};
use zerocopy::{FromBytes, IntoBytes};
use zeroserve_shared::load::{
    BUCKETS, CHOICES, CHOICES_COUNT, CONNECTIONS, Connection, Histogram, LATENCY, LOAD_PROGRAM,
    SETTINGS, Settings, TALLY, TARGETS, Tally, Target,
};

use super::sys::Table;

/// The object that `ebpf/` builds to.
static OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("CARGO_MANIFEST_DIR"), "/../ebpf/load.o"));

/// The program, attached natively to an interface until dropped.
pub struct Generator {
    // Dropping it detaches the program.
    _ebpf: aya::Ebpf,
    connections: Table<u32, Connection>,
    tally: Table<u32, Tally>,
    latency: Table<u32, Histogram>,
}

impl Generator {
    /// Attaches it to an interface of the network namespace that the calling thread is in. It does
    /// nothing until it is sent orders. Choices are indices of targets; there must be
    /// [`CHOICES_COUNT`] of them.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses: without `CAP_BPF` and `CAP_NET_ADMIN`, or because the interface
    /// has another XDP program.
    pub fn attach(
        if_index: u32,
        settings: Settings,
        targets: &[Target],
        choices: &[u32],
    ) -> Result<Self> {
        assert_eq!(choices.len(), CHOICES_COUNT as usize, "every choice is given");
        let mut loader = EbpfLoader::new();
        loader.map_max_entries(TARGETS, targets.len() as u32);
        loader.map_max_entries(CONNECTIONS, settings.slot_mask + 1);
        let mut ebpf = loader.load(OBJECT).context("the kernel refused the generator's maps")?;
        // While all maps are open that it names.
        program(&mut ebpf)?.load().context("the kernel refused the generator's program")?;
        let mut take = |name: &str| -> Result<MapData> {
            match ebpf.take_map(name).with_context(|| format!("the object has no map {name}"))? {
                Map::Array(data) | Map::PerCpuArray(data) => Ok(data),
                _ => anyhow::bail!("the map {name} is of another kind"),
            }
        };
        fill(Table::of(take(SETTINGS)?, false)?, &[settings])?;
        fill(Table::of(take(TARGETS)?, false)?, targets)?;
        fill(Table::of(take(CHOICES)?, false)?, choices)?;
        let connections = Table::of(take(CONNECTIONS)?, false)?;
        let tally = Table::of(take(TALLY)?, true)?;
        let latency = Table::of(take(LATENCY)?, true)?;
        program(&mut ebpf)?
            .attach_to_if_index(if_index, XdpMode::Driver)
            .context("the kernel would not attach the generator")?;
        Ok(Self { _ebpf: ebpf, connections, tally, latency })
    }

    /// The connections of some slots.
    ///
    /// # Errors
    ///
    /// Where the map cannot be read.
    pub fn connections(&self, slots: Range<u32>) -> Result<Vec<Connection>> {
        let read = self.connections.read_after(slots.start.checked_sub(1), slots.len());
        Ok(read.context("cannot read the connections")?.1)
    }

    /// What was counted, summed over the CPUs.
    ///
    /// # Errors
    ///
    /// Where the map cannot be read.
    pub fn tally(&self) -> Result<Tally> {
        let mut sum = Tally::default();
        for tally in self.tally.read(1).context("cannot read the tally")?.1 {
            sum.add(&tally);
        }
        Ok(sum)
    }

    /// How many latencies fell into each step, summed over the CPUs.
    ///
    /// # Errors
    ///
    /// Where the map cannot be read.
    pub fn latency(&self) -> Result<Vec<u64>> {
        let mut sum = vec![0; BUCKETS];
        for histogram in self.latency.read(1).context("cannot read the latencies")?.1 {
            for (sum, count) in sum.iter_mut().zip(histogram) {
                *sum += count;
            }
        }
        Ok(sum)
    }
}

fn program(ebpf: &mut aya::Ebpf) -> Result<&mut Xdp> {
    let program = ebpf.program_mut(LOAD_PROGRAM);
    Ok(program.context("the object has no program of that name")?.try_into()?)
}

fn fill<V: FromBytes + IntoBytes + Copy>(mut table: Table<u32, V>, values: &[V]) -> Result<()> {
    let keys: Vec<u32> = (0..values.len() as u32).collect();
    table.write(&keys, values).context("cannot fill a map of the generator")
}
