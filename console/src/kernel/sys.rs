//! The few calls of `bpf(2)` that aya does not offer: batches of map elements, links,
//! and how long a program has run.
//!
//! Batches matter in two places. Reading ten thousand counters an element at a time costs ten
//! thousand system calls a sample. And every change of a map of maps waits until all running
//! programs have ended (the kernel promises that to user space), once per call.

use std::{
    ffi::CString,
    io,
    marker::PhantomData,
    mem,
    os::{
        fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
    time::Duration,
};

use anyhow::{Context, ensure};
use aya::{maps::MapData, util::nr_cpus};
use aya_obj::generated::{bpf_attr, bpf_cmd, bpf_link_info, bpf_prog_info};
use zerocopy::{FromBytes, IntoBytes};

use crate::server::RunTime;

/// How many elements are asked for in one call.
const BATCH_ELEMENTS: usize = 4096;

/// A map read and written many elements at a time.
pub(super) struct Table<K, V> {
    map: MapData,
    /// Values behind each key: one, or one for each CPU.
    values_per_key: usize,
    types: PhantomData<(K, V)>,
}

impl<K, V> Table<K, V>
where
    K: FromBytes + IntoBytes + Copy,
    V: FromBytes + IntoBytes + Copy,
{
    /// Opens a pinned map whose keys and values have the sizes of `K` and `V`.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        Self::with(path, 1)
    }

    /// Opens a pinned map with a value for each CPU.
    pub(super) fn open_per_cpu(path: &Path) -> anyhow::Result<Self> {
        let cpus = nr_cpus().map_err(|(file, error)| io::Error::new(error.kind(), file))?;
        // The kernel rounds such values up to eight bytes; ours need no rounding.
        const { assert!(size_of::<V>().is_multiple_of(8)) };
        Self::with(path, cpus)
    }

    fn with(path: &Path, values_per_key: usize) -> anyhow::Result<Self> {
        let map = MapData::from_pin(path)
            .with_context(|| format!("cannot open the map {}", path.display()))?;
        Self::checked(map, values_per_key)
    }

    /// Takes a map whose keys and values have the sizes of `K` and `V`, with a value for each CPU
    /// or with one.
    pub(super) fn of(map: MapData, per_cpu: bool) -> anyhow::Result<Self> {
        let cpus = nr_cpus().map_err(|(file, error)| io::Error::new(error.kind(), file))?;
        Self::checked(map, if per_cpu { cpus } else { 1 })
    }

    fn checked(map: MapData, values_per_key: usize) -> anyhow::Result<Self> {
        let info = map.info()?;
        ensure!(
            info.key_size() as usize == size_of::<K>()
                && info.value_size() as usize == size_of::<V>(),
            "the map {} has elements of another size than this program knows",
            info.name_as_str().unwrap_or_default()
        );
        Ok(Self { map, values_per_key, types: PhantomData })
    }

    /// How many elements it can have.
    pub(super) fn capacity(&self) -> anyhow::Result<u32> {
        Ok(self.map.info()?.max_entries())
    }

    /// Reads one element of a map with one value behind each key.
    pub(super) fn find(&self, key: K) -> io::Result<V> {
        assert_eq!(self.values_per_key, 1, "one value behind each key");
        let mut value = V::new_zeroed();
        let mut attr = empty_attr();
        attr.__bindgen_anon_2.map_fd = self.map.fd().as_fd().as_raw_fd() as u32;
        attr.__bindgen_anon_2.key = address(&key);
        attr.__bindgen_anon_2.__bindgen_anon_1.value = address_mut(&mut value);
        // SAFETY: `key` and `value` are live and of exactly the sizes that `with` compared with the
        // map's; any bytes are valid for `V` (`FromBytes`).
        unsafe { bpf(bpf_cmd::BPF_MAP_LOOKUP_ELEM, &mut attr) }?;
        Ok(value)
    }

    /// Reads the first `limit` elements: keys, and for each key its value or values.
    pub(super) fn read(&self, limit: usize) -> io::Result<(Vec<K>, Vec<V>)> {
        self.read_after(None, limit)
    }

    /// Reads the next `limit` elements after that of a key, in an array whose keys are indices.
    pub(super) fn read_after(
        &self,
        index: Option<u32>,
        limit: usize,
    ) -> io::Result<(Vec<K>, Vec<V>)> {
        let (mut all_keys, mut all_values) = (Vec::new(), Vec::new());
        let mut batch = BATCH_ELEMENTS;
        // Arrays keep the last key here, hashes the number of a bucket: four bytes either way.
        let (mut from, mut to) = (index, 0u32);
        while all_keys.len() < limit {
            let wanted = batch.min(limit - all_keys.len());
            let mut keys = vec![K::new_zeroed(); wanted];
            let mut values = vec![V::new_zeroed(); wanted * self.values_per_key];
            let mut attr = empty_attr();
            attr.batch.map_fd = self.map.fd().as_fd().as_raw_fd() as u32;
            attr.batch.in_batch = from.as_ref().map_or(0, address);
            attr.batch.out_batch = address_mut(&mut to);
            attr.batch.keys = keys.as_mut_ptr() as u64;
            attr.batch.values = values.as_mut_ptr() as u64;
            attr.batch.count = wanted as u32;
            // SAFETY: `in_batch` and `out_batch` point to live words of the size that arrays and
            // hashes use; `keys` and `values` have room for `wanted` elements of exactly the sizes
            // that `with` compared with the map's, times the CPUs that may exist; and any bytes
            // are valid for `K` and `V` (`FromBytes`).
            let result = unsafe { bpf(bpf_cmd::BPF_MAP_LOOKUP_BATCH, &mut attr) };
            // SAFETY: `batch` is the member of the union set above, and the kernel writes only
            // its plain integer `count`.
            let count = unsafe { attr.batch.count } as usize;
            let (count, done) = match result {
                Ok(_) => (count, false),
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => (count, true),
                // A bucket of the hash has more elements than were asked for.
                Err(error) if error.raw_os_error() == Some(libc::ENOSPC) => {
                    batch = wanted * 2;
                    continue;
                }
                Err(error) => return Err(error),
            };
            all_keys.extend_from_slice(&keys[..count]);
            all_values.extend_from_slice(&values[..count * self.values_per_key]);
            if done {
                break;
            }
            from = Some(to);
        }
        Ok((all_keys, all_values))
    }

    /// Writes elements, waiting for running programs no more than once.
    pub(super) fn write(&mut self, keys: &[K], values: &[V]) -> io::Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        assert_eq!(keys.len() * self.values_per_key, values.len(), "a value for each key");
        let mut attr = empty_attr();
        attr.batch.map_fd = self.map.fd().as_fd().as_raw_fd() as u32;
        attr.batch.keys = keys.as_ptr() as u64;
        attr.batch.values = values.as_ptr() as u64;
        attr.batch.count = keys.len() as u32;
        // SAFETY: `keys` and `values` are live slices of `count` elements whose sizes `with`
        // compared with the map's, without padding (`IntoBytes`); the kernel only reads them.
        unsafe { bpf(bpf_cmd::BPF_MAP_UPDATE_BATCH, &mut attr) }.map(drop)
    }
}

/// A pinned link that attaches an XDP or tcx program to an interface.
pub(super) struct Link(OwnedFd);

/// What the kernel tells of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LinkState {
    /// Kernel id of the attached program.
    pub(super) program_id: u32,
    /// Index of the interface; none once the link is detached or the interface is gone.
    pub(super) if_index: Option<u32>,
}

impl Link {
    /// Opens a pinned link.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let path = CString::new(path.as_os_str().as_bytes())?;
        let mut attr = empty_attr();
        attr.__bindgen_anon_4.pathname = path.as_ptr() as u64;
        // SAFETY: `path` is a string that ends with NUL and outlives the call.
        let fd = unsafe { bpf(bpf_cmd::BPF_OBJ_GET, &mut attr) }?;
        // SAFETY: on success the call returns a new descriptor that nobody else owns.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd as i32) }))
    }

    /// What the link does now.
    pub(super) fn state(&self) -> io::Result<LinkState> {
        // SAFETY: the struct consists of integers and unions of them, for which zero is valid.
        let mut info: bpf_link_info = unsafe { mem::zeroed() };
        let mut attr = empty_attr();
        attr.info.bpf_fd = self.0.as_raw_fd() as u32;
        attr.info.info_len = size_of_val(&info) as u32;
        attr.info.info = address_mut(&mut info);
        // SAFETY: `info` is a live struct of `info_len` bytes, which the kernel fills.
        unsafe { bpf(bpf_cmd::BPF_OBJ_GET_INFO_BY_FD, &mut attr) }?;
        // SAFETY: every member of the union begins with bytes that were zeroed or filled by the
        // kernel, and this one is an integer. `open` is only used for XDP and tcx
        // links, whose members both begin with it.
        let if_index = unsafe { info.__bindgen_anon_1.xdp.ifindex };
        Ok(LinkState { program_id: info.prog_id, if_index: (if_index != 0).then_some(if_index) })
    }

    /// Takes the program off the interface, whoever else has the link open.
    pub(super) fn detach(&self) -> io::Result<()> {
        let mut attr = empty_attr();
        attr.link_detach.link_fd = self.0.as_raw_fd() as u32;
        // SAFETY: the call takes nothing but a descriptor, which is open while `self` lives.
        unsafe { bpf(bpf_cmd::BPF_LINK_DETACH, &mut attr) }.map(drop)
    }
}

/// A loaded program.
pub(super) struct Program(OwnedFd);

impl Program {
    /// Opens the program of that kernel id.
    pub(super) fn open(id: u32) -> io::Result<Self> {
        let mut attr = empty_attr();
        attr.__bindgen_anon_6.__bindgen_anon_1.prog_id = id;
        // SAFETY: the call takes nothing but a number.
        let fd = unsafe { bpf(bpf_cmd::BPF_PROG_GET_FD_BY_ID, &mut attr) }?;
        // SAFETY: on success the call returns a new descriptor that nobody else owns.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd as i32) }))
    }

    /// Runs it once with a frame, as if an interface had received that: its verdict, and the frame
    /// as it left it.
    pub(super) fn test_run(&self, frame: &[u8]) -> io::Result<(u32, Vec<u8>)> {
        let mut answer = vec![0; 4096];
        let mut attr = empty_attr();
        attr.test.prog_fd = self.0.as_raw_fd() as u32;
        attr.test.repeat = 1;
        attr.test.data_in = frame.as_ptr() as u64;
        attr.test.data_size_in = frame.len() as u32;
        attr.test.data_out = answer.as_mut_ptr() as u64;
        attr.test.data_size_out = answer.len() as u32;
        // SAFETY: both buffers are live and have as many bytes as the kernel is told.
        unsafe { bpf(bpf_cmd::BPF_PROG_TEST_RUN, &mut attr) }?;
        // SAFETY: `test` is the member of the union set above, and the kernel writes only integers.
        let (verdict, bytes) = unsafe { (attr.test.retval, attr.test.data_size_out) };
        answer.truncate(bytes as usize);
        Ok((verdict, answer))
    }

    /// How long it has run; none where the kernel does not measure that.
    pub(super) fn run_time(&self) -> io::Result<Option<RunTime>> {
        // SAFETY: the struct consists of integers and arrays of them, for which zero is valid.
        let mut info: bpf_prog_info = unsafe { mem::zeroed() };
        let mut attr = empty_attr();
        attr.info.bpf_fd = self.0.as_raw_fd() as u32;
        attr.info.info_len = size_of_val(&info) as u32;
        attr.info.info = address_mut(&mut info);
        // SAFETY: `info` is a live struct of `info_len` bytes, which the kernel fills. Its lengths
        // are zero, so that the kernel fills none of the arrays that its addresses could name.
        unsafe { bpf(bpf_cmd::BPF_OBJ_GET_INFO_BY_FD, &mut attr) }?;
        let run_time =
            RunTime { total: Duration::from_nanos(info.run_time_ns), runs: info.run_cnt };
        Ok((run_time.runs > 0).then_some(run_time))
    }
}

fn address<T>(value: &T) -> u64 {
    (&raw const *value) as u64
}

fn address_mut<T>(value: &mut T) -> u64 {
    (&raw mut *value) as u64
}

fn empty_attr() -> bpf_attr {
    // SAFETY: the union's members consist of integers and arrays of them, for which zero is valid.
    unsafe { mem::zeroed() }
}

/// Calls `bpf(2)`.
///
/// # Safety
///
/// The addresses that `command` reads from `attr` must point to live memory of the size that
/// the command reads or writes.
unsafe fn bpf(command: bpf_cmd, attr: &mut bpf_attr) -> io::Result<i64> {
    // SAFETY: `attr` is a live union of exactly the size given; the rest is the caller's promise.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, command as u32, &raw mut *attr, size_of::<bpf_attr>())
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
