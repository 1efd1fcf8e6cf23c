//! The table of flows, as user space sees it: mapped into its memory, so that looking at it takes no
//! call. The programs write to it meanwhile. What a flow is read as may mix two moments, and where it
//! is may be another's a moment later.

use std::{
    os::fd::{AsFd as _, AsRawFd as _},
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use anyhow::{Context, ensure};
use aya::maps::MapData;
use memmap2::{MmapOptions, MmapRaw};
use zeroserve_shared::{
    flow::{Entry, Flow, FlowSet, WAYS},
    map,
};

/// The table of flows of a server.
pub struct FlowTable {
    sets: usize,
    tags: MmapRaw,
    flows: MmapRaw,
}

/// Where a flow is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place(usize);

/// A tag like those that the programs give, for a flow that is put in by hand.
const SOME_TAG: u8 = 0x80;

impl FlowTable {
    /// Opens the table pinned in a folder.
    ///
    /// # Errors
    ///
    /// Where it is not there, or not as this program knows it.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let (tags, sets) = mapped(&folder.join(map::TAGS), size_of::<u64>())?;
        let (flows, same_sets) = mapped(&folder.join(map::FLOWS), size_of::<FlowSet>())?;
        ensure!(sets == same_sets, "the table of flows has another size than this program knows");
        Ok(Self { sets, tags, flows })
    }

    /// How many flows there is room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.sets * WAYS
    }

    /// How many flows there are.
    #[must_use]
    pub fn used(&self) -> usize {
        (0..self.sets).map(|set| in_use(self.tags(set)).count()).sum()
    }

    /// The first `limit` flows: where each is, and what it is.
    #[must_use]
    pub fn read(&self, limit: usize) -> Vec<(Place, Entry)> {
        let places =
            (0..self.sets).flat_map(|set| in_use(self.tags(set)).map(move |way| place(set, way)));
        places.take(limit).map(|place| (place, self.entry(place))).collect()
    }

    /// Takes a flow out, if it is still there and has not been touched since it was read.
    pub fn remove(&mut self, place: Place, entry: &Entry) {
        let now = self.entry(place);
        if (now.peer, now.flow.touched_ms) == (entry.peer, entry.flow.touched_ms) {
            let others = !(0xff << (8 * (place.0 % WAYS)));
            self.word(place.0 / WAYS).fetch_and(others, Ordering::Relaxed);
        }
    }

    /// Writes over a flow.
    pub fn write(&mut self, place: Place, entry: Entry) {
        // SAFETY: as in `entry`.
        unsafe { self.pointer(place).cast_mut().write_volatile(entry) };
    }

    /// Puts a flow into the first place, where no program finds it by its name.
    pub fn insert(&mut self, flow: Flow) -> (Place, Entry) {
        let entry = Entry { flow, ..Entry::default() };
        self.write(Place(0), entry);
        self.word(0).fetch_or(SOME_TAG.into(), Ordering::Relaxed);
        (Place(0), entry)
    }

    fn entry(&self, place: Place) -> Entry {
        // SAFETY: the pointer is into the mapping, see there, and any bytes are an entry. It is read once, as
        // what others write at the same time has to be.
        unsafe { self.pointer(place).read_volatile() }
    }

    fn pointer(&self, place: Place) -> *const Entry {
        assert!(place.0 < self.capacity(), "a place outside of the table");
        // SAFETY: `open` mapped so many sets, each an array of `WAYS` entries without a gap, and a page is
        // aligned for any of them.
        unsafe { self.flows.as_ptr().cast::<Entry>().add(place.0) }
    }

    fn tags(&self, set: usize) -> u64 {
        self.word(set).load(Ordering::Relaxed)
    }

    fn word(&self, set: usize) -> &AtomicU64 {
        assert!(set < self.sets, "a set outside of the table");
        // SAFETY: `open` mapped so many words, from the beginning of a page on, and everybody changes them as
        // a whole.
        unsafe { AtomicU64::from_ptr(self.tags.as_mut_ptr().cast::<u64>().add(set)) }
    }
}

fn place(set: usize, way: usize) -> Place {
    Place(set * WAYS + way)
}

/// The ways of a set that are in use.
fn in_use(tags: u64) -> impl Iterator<Item = usize> {
    let tags = tags.to_le_bytes();
    (0..WAYS).filter(move |way| tags[*way] != 0)
}

/// An array as memory, and how many elements it has.
fn mapped(path: &Path, element_bytes: usize) -> anyhow::Result<(MmapRaw, usize)> {
    let map = MapData::from_pin(path)
        .with_context(|| format!("cannot open the map {}", path.display()))?;
    let info = map.info()?;
    ensure!(
        info.value_size() as usize == element_bytes,
        "the map {} has elements of another size than this program knows",
        path.display()
    );
    let elements = info.max_entries() as usize;
    let memory = MmapOptions::new()
        .len(elements * element_bytes)
        .map_raw(map.fd().as_fd().as_raw_fd())
        .with_context(|| format!("cannot read the map {} as memory", path.display()))?;
    Ok((memory, elements))
}
