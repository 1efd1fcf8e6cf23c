//! The table of flows: where each is, see [`zeroserve_ebpf::table`].
//!
//! CPUs share it. Who puts a flow in claims a way of a set first, by an atomic exchange of the word of its
//! tags, and writes the entry then; who finds a tag compares the entry's name. Segments of one connection
//! arrive on one CPU, so nobody looks for a flow while it is being written.

use core::{arch::asm, mem::offset_of};

use zeroserve_ebpf::{
    bounds::opaque,
    table::{self, Name, Ways},
    words,
};
use zeroserve_shared::{
    config::{Address, Config},
    flow::{Entry, Flow, FlowSet, WAYS},
};

use crate::xdp::{
    maps::{ADDRESSES, CONFIG, FLOWS, SCRATCH, TAGS},
    scratch::{Locals, Scratch, Segment},
};

/// Nowhere: the place of a flow that is not there.
const NOWHERE: u32 = u32::MAX;

/// How often a way is claimed, should other CPUs claim others at the same time.
const ATTEMPTS: u32 = 4;

const ENTRY_BYTES: u32 = size_of::<Entry>() as u32;
const PORT: usize = offset_of!(Entry, peer.port);

const _: () = assert!(PORT == 16 && offset_of!(Entry, peer.local) == 18);

/// The flow of the packet, once it has been looked for.
#[inline(always)]
pub(super) fn found(segment: &Segment) -> Option<*mut Flow> {
    at(segment.place)
}

/// Looks for the flow of the packet, and notes what it is found by and where it is. Global, like a
/// [`stage`](crate::xdp::stage), because its caller has no stack left.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn zeroserve_find_flow() -> u32 {
    let (Some(config), Some(scratch)) = (CONFIG.get(0), SCRATCH.get_ptr_mut(0)) else {
        return NOWHERE;
    };
    // SAFETY: the element is this CPU's own. The caller holds a reference to it, too, but the call is
    // opaque to the compiler: it keeps nothing across it.
    let Scratch { segment, locals, .. } = unsafe { &mut *scratch };
    let local = local(locals, segment);
    segment.rest = u32::from(u16::from_le_bytes(segment.key.remote_port)) | local << 16;
    segment.place = NOWHERE;
    if local != 0 {
        segment.hash = table::hash(&name(segment), config.flow_key);
        segment.place = search(segment, config.flow_sets);
    }
    segment.place
}

/// Looks for the flow of the packet in both sets that it may be in.
#[inline(always)]
fn search(segment: &Segment, sets: u32) -> u32 {
    let tag = table::tag(segment.hash);
    let one = search_in(table::set(segment.hash, sets), tag, segment);
    if one != NOWHERE {
        return one;
    }
    search_in(table::set(table::other(segment.hash), sets), tag, segment)
}

#[inline(always)]
fn search_in(set: u32, tag: u8, segment: &Segment) -> u32 {
    let (Some(tags), Some(entries)) = (tags(set), FLOWS.get_ptr_mut(set)) else {
        return NOWHERE;
    };
    let mut ways = Ways::tagged(tags, tag);
    let mut tried = 0;
    while opaque(tried) < WAYS as u64 && !ways.is_empty() {
        if is_of(entry(entries, ways.first()), segment) {
            return place(set, ways.first());
        }
        ways = ways.others();
        tried += 1;
    }
    NOWHERE
}

/// The flow at a place.
#[inline(always)]
fn at(place: u32) -> Option<*mut Flow> {
    if place == NOWHERE {
        return None;
    }
    Some(flow_of(entry(FLOWS.get_ptr_mut(place / WAYS as u32)?, place)))
}

#[inline(always)]
const fn place(set: u32, way: u32) -> u32 {
    set * WAYS as u32 + way
}

/// What a packet's flow is found by.
#[inline(always)]
fn name(segment: &Segment) -> Name {
    Name { address: words_of(&segment.key.remote), rest: segment.rest }
}

/// The tags of a set, read once: another CPU may write them.
#[inline(always)]
fn tags(set: u32) -> Option<u64> {
    // SAFETY: the word is an element of the map, and aligned.
    Some(unsafe { TAGS.get_ptr(set)?.read_volatile() })
}

/// An entry of a set.
#[inline(always)]
fn entry(set: *mut FlowSet, way: u32) -> *mut Entry {
    let way = opaque(way.into()) as usize & (WAYS - 1);
    // SAFETY: a set has so many entries.
    unsafe { set.cast::<u8>().add(way * ENTRY_BYTES as usize).cast() }
}

#[inline(always)]
fn flow_of(entry: *mut Entry) -> *mut Flow {
    // SAFETY: the callers pass an entry.
    unsafe { &raw mut (*entry).flow }
}

/// Whether an entry is the flow of the packet. What that is found by is read from memory each time: the
/// program has no stack to keep it on.
#[inline(always)]
fn is_of(entry: *mut Entry, segment: &Segment) -> bool {
    let peer = entry.cast::<u8>();
    let [first, second] = words_of(&segment.key.remote);
    // SAFETY: an entry begins with the address, behind which are the port and the number of our address. It
    // is aligned to four bytes.
    unsafe {
        words::load(peer) == first
            && words::load(peer.add(8)) == second
            && *peer.add(PORT).cast::<u32>() == segment.rest
    }
}

/// Puts the flow in `scratch.flow` in, in the place of one that the packet was found to have.
#[inline(always)]
pub(super) fn insert() -> Option<*mut Flow> {
    at(zeroserve_insert_flow())
}

/// The same, and says where it is. Global, like [`zeroserve_find_flow`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn zeroserve_insert_flow() -> u32 {
    let (Some(config), Some(scratch)) = (CONFIG.get(0), SCRATCH.get_ptr_mut(0)) else {
        return NOWHERE;
    };
    // SAFETY: as above.
    let scratch = unsafe { &mut *scratch };
    match put(config, scratch) {
        Some(()) => scratch.segment.place,
        None => NOWHERE,
    }
}

#[inline(always)]
fn put(config: &Config, scratch: &mut Scratch) -> Option<()> {
    if scratch.segment.is_elsewhere() {
        return None;
    }
    if scratch.segment.place == NOWHERE {
        scratch.segment.place = claim(config, scratch.segment.hash)?;
    }
    let name = name(&scratch.segment);
    let place = scratch.segment.place;
    let entry = entry(FLOWS.get_ptr_mut(place / WAYS as u32)?, place);
    let peer = entry.cast::<u8>();
    // SAFETY: as in `is_of`.
    unsafe {
        words::store(peer, name.address[0]);
        words::store(peer.add(8), name.address[1]);
        *peer.add(PORT).cast::<u32>() = name.rest;
        words::copy_value(&scratch.flow, &mut *flow_of(entry));
    }
    Some(())
}

/// Claims a way of one of the two sets that a flow may be in.
#[inline(always)]
fn claim(config: &Config, hash: u64) -> Option<u32> {
    let one = table::set(hash, config.flow_sets);
    let other = table::set(table::other(hash), config.flow_sets);
    let mut attempt = 0;
    while attempt < ATTEMPTS {
        let (tags_of_one, tags_of_other) = (tags(one)?, tags(other)?);
        let (set, before) = if Ways::free(tags_of_one).count() >= Ways::free(tags_of_other).count()
        {
            (one, tags_of_one)
        } else {
            (other, tags_of_other)
        };
        let free = Ways::free(before);
        let way = if free.is_empty() { quietest(set)? } else { free.first() };
        if exchange(set, before, table::with_tag(before, way, table::tag(hash))) {
            return Some(place(set, way));
        }
        attempt += 1;
    }
    None
}

/// The way of a set whose flow has been quiet for longest.
#[inline(always)]
fn quietest(set: u32) -> Option<u32> {
    let entries = FLOWS.get_ptr_mut(set)?;
    let scratch = SCRATCH.get_ptr_mut(0)?;
    // SAFETY: the element is this CPU's own.
    let now_ms = unsafe { (*scratch).tick.now_ms };
    let (mut quietest, mut longest_ms) = (0, 0);
    let mut way = 0;
    while way < WAYS as u32 {
        // SAFETY: another CPU may write to it, but a word is written as a whole.
        let touched_ms = unsafe { (*flow_of(entry(entries, way))).touched_ms };
        let quiet_ms = now_ms.wrapping_sub(touched_ms);
        // Another CPU's clock may be ahead by a tick.
        if quiet_ms >= longest_ms && quiet_ms < u32::MAX / 2 {
            (quietest, longest_ms) = (way, quiet_ms);
        }
        way += 1;
    }
    Some(quietest)
}

/// Writes the word of a set, if it is still the one that was read.
#[inline(always)]
fn exchange(set: u32, before: u64, after: u64) -> bool {
    let Some(word) = TAGS.get_ptr_mut(set) else {
        return false;
    };
    let found: u64;
    // SAFETY: the word is an element of the map, and aligned (Linux 5.12).
    unsafe {
        asm!(
            "r0 = cmpxchg_64({word} + 0, r0, {after})",
            word = in(reg) word,
            after = in(reg) after,
            inlateout("r0") before => found,
            options(nostack),
        );
    }
    found == before
}

/// Takes out the flow that the packet was found to have, or that was put in for it; false if there is none.
#[inline(always)]
pub(super) fn remove(segment: &mut Segment) -> bool {
    let place = segment.place;
    if place == NOWHERE {
        return false;
    }
    segment.place = NOWHERE;
    let Some(word) = TAGS.get_ptr_mut(place / WAYS as u32) else {
        return false;
    };
    let others = !(0xffu64 << (8 * (place & (WAYS as u32 - 1))));
    // SAFETY: as above. It is one instruction, so no other CPU's tag is lost.
    unsafe {
        asm!(
            "lock *(u64 *)({word} + 0) &= {others}",
            word = in(reg) word,
            others = in(reg) others,
            options(nostack),
        );
    }
    true
}

/// The number of our address, and the VLANs, that the packet is for; zero if it is not ours. What was asked
/// for last is remembered until the kernel's next tick, one for each version of IP.
#[inline(always)]
fn local(locals: &mut Locals, segment: &Segment) -> u32 {
    let address = words_of(&segment.key.local);
    let vlans = vlans(&segment.key.vlans);
    let is_ipv4 = address[0] == 0 && address[1] as u32 == 0xffff_0000;
    let known = if is_ipv4 { &mut locals.ipv4 } else { &mut locals.ipv6 };
    let [first, second] = words_of(&known.local.address);
    let different = (first ^ address[0]) | (second ^ address[1]);
    if known.number != 0 && different | u64::from(self::vlans(&known.local.vlans) ^ vlans) == 0 {
        return known.number;
    }
    let to = known.local.address.as_mut_ptr();
    // SAFETY: an address has sixteen bytes.
    unsafe {
        words::store(to, address[0]);
        words::store(to.add(8), address[1]);
    }
    known.local.vlans = segment.key.vlans;
    // SAFETY: the number may be that of another address by the time it is read, should that have taken the
    // element: then there is no such flow, and with the next tick the number is read again.
    known.number = unsafe { ADDRESSES.get(&known.local) }.map_or(0, |number| u32::from(*number));
    known.number
}

#[inline(always)]
fn words_of(address: &Address) -> [u64; 2] {
    let address = address.as_ptr();
    // SAFETY: an address has sixteen bytes.
    unsafe { [words::load(address), words::load(address.add(8))] }
}

#[inline(always)]
const fn vlans(vlans: &[[u8; 2]; 2]) -> u32 {
    let [[a, b], [c, d]] = *vlans;
    u32::from_le_bytes([a, b, c, d])
}
