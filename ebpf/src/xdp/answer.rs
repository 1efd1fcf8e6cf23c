//! Finding the answer to a request: the route, the version, and what of it is sent.

use zeroserve_ebpf::{
    bounds::opaque,
    ownership::Decision,
    request::{self, Asked, RequestScan},
    select::{self, Selection},
    transport::{self, CLOSE, SAYS_CLOSE},
    words,
};
use zeroserve_shared::{
    config::HOSTS,
    flow::Flow,
    path::PathHash,
    refusal::Refusal,
    route::{FixedRoute, MAX_VARIANTS, Route, VersionId, VersionInfo},
};

use crate::xdp::{
    burst,
    maps::{HITS, PATHS, ROUTES, SCRATCH},
    misses,
    stage::Ingress,
};

/// Starts the answer; false if there is none, not even a refusal. What the path leads to has been
/// found before, if it leads anywhere.
#[inline(always)]
pub(super) fn choose(
    ingress: &mut Ingress<'_>,
    flow: &mut Flow,
    asked: Asked,
    is_found: bool,
    decision: Decision,
) -> bool {
    ingress.scratch.refusal = 0;
    if !is_found || decision == Decision::Unavailable || !prepare(ingress, flow) {
        misses::zeroserve_count_miss();
        let fixed = match asked {
            _ if decision == Decision::Unavailable => {
                if asked == Asked::Refused {
                    // Where the next request begins is uncertain.
                    flow.flags |= CLOSE;
                }
                refuse(ingress, Refusal::NobodyListens as u32)
            }
            Asked::Refused => refuse(ingress, request::refusal_number(&ingress.scratch.request)),
            Asked::Options => FixedRoute::Options as u32,
            Asked::Path if ingress.scratch.expired != 0 => {
                refuse(ingress, Refusal::CopyGone as u32)
            }
            _ => FixedRoute::NotFound as u32,
        };
        if !find_fixed(ingress, flow, fixed) {
            return false;
        }
    }
    let scratch = &mut *ingress.scratch;
    if request::wants_close(&scratch.request) || ingress.config.is_draining() {
        flow.flags |= CLOSE;
    }
    flow.flags &= !SAYS_CLOSE;
    if flow.flags & CLOSE != 0 {
        flow.flags |= SAYS_CLOSE;
    }
    flow.form = scratch.selection.form as u8;
    flow.body_start = scratch.selection.body_start;
    // A time less none, or an age. Should the wall clock have been set back, nothing is younger than new.
    flow.date_unix_s = scratch.tick.unix_s.saturating_sub(scratch.born_unix_s);
    transport::begin(flow, scratch.selection.response_bytes, scratch.tick.now_ms);
    scratch.work.arrival.now_ms = flow.progress_ms;
    scratch.work.arrival.block_count = 0;
    scratch.work.arrival.repeats = false;
    ingress.counters.requests += 1;
    if let Some(hits) = HITS.get_ptr_mut(flow.route) {
        // SAFETY: the element is this CPU's own, and nothing else refers to it now.
        unsafe { (*hits).requests += 1 };
    }
    true
}

/// Counts a refusal and says which fixed route answers it. Both are numbers, because no table is
/// needed to turn one into the other.
#[inline(always)]
fn refuse(ingress: &mut Ingress<'_>, refusal: u32) -> u32 {
    let index = opaque(u64::from(refusal));
    if index < Refusal::COUNT as u64 {
        ingress.counters.refusals[index as usize] += 1;
        ingress.scratch.refusal = refusal + 1;
    }
    request::route_of(refusal)
}

/// Selects an answer that does not depend on the path.
#[inline(always)]
fn find_fixed(ingress: &mut Ingress<'_>, flow: &mut Flow, fixed: u32) -> bool {
    const CLOSING: u32 = closing();
    if CLOSING >> (fixed & 31) & 1 != 0 {
        flow.flags |= CLOSE;
    }
    let Some(route) = ROUTES.get(fixed) else {
        return false;
    };
    flow.route = fixed;
    flow.version = version_of(route);
    let Some(info) = burst::version_info(flow.version) else {
        return false;
    };
    let scratch = &mut *ingress.scratch;
    scratch.born_unix_s = 0;
    select::whole(&scratch.request, info, &mut scratch.selection);
    info.route == fixed
}

/// The fixed routes that end the connection, a bit for each.
const fn closing() -> u32 {
    let mut set = 0;
    let mut index = 0;
    while index < FixedRoute::ALL.len() {
        let route = FixedRoute::ALL[index];
        set |= (route.closes() as u32) << route as u32;
        index += 1;
    }
    set
}

/// Finds what the path leads to, at this host or at any; false if there is nothing.
#[inline(always)]
pub(super) fn find(ingress: &mut Ingress<'_>, flow: &mut Flow) -> bool {
    let path = request::path(&ingress.scratch.request);
    let mut is_found = false;
    if ingress.config.flags & HOSTS != 0 {
        is_found = look_up(ingress, flow, path.at(request::host(&ingress.scratch.request)));
    } else if ingress.scratch.recalled_route != 0 {
        is_found = take_route(ingress, flow, ingress.scratch.recalled_route, path);
    }
    is_found = is_found || look_up(ingress, flow, path);
    if is_found && ingress.scratch.expires_ns != 0 {
        is_found = zeroserve_is_fresh() != 0;
    }
    ingress.scratch.is_found = u32::from(is_found);
    is_found
}

/// Selects what is sent of what has been found; false if it has gone.
#[inline(always)]
fn prepare(ingress: &mut Ingress<'_>, flow: &mut Flow) -> bool {
    let Some(info) = burst::version_info(flow.version) else {
        return false;
    };
    let scratch = &mut *ingress.scratch;
    if info.route != flow.route {
        return false;
    }
    let index = if select::may_vary(&scratch.request, info) {
        zeroserve_choose_variant(&scratch.request, info)
    } else {
        0
    };
    let mut info = info;
    let index = opaque(u64::from(index).wrapping_sub(1));
    if index < MAX_VARIANTS as u64 {
        let version = info.variants[index as usize].version;
        // A variant goes with the version that names it: should it have gone, so has that.
        info = match burst::version_info(version) {
            Some(info) if info.route == flow.route => info,
            _ => return false,
        };
        flow.version = version;
    }
    if select::is_plain(&scratch.request) {
        select::whole(&scratch.request, info, &mut scratch.selection);
    } else {
        zeroserve_select(&scratch.request, info, &mut scratch.selection);
    }
    if scratch.selection.precondition_false != 0 {
        let fixed = refuse(ingress, Refusal::PreconditionFalse as u32);
        return find_fixed(ingress, flow, fixed);
    }
    true
}

/// The version that a route serves now.
#[inline(always)]
fn version_of(route: &Route) -> VersionId {
    // SAFETY: a version is a word, which is written as one, so it must be read as one.
    VersionId(unsafe { words::load((&raw const route.version).cast()) })
}

/// Looks a path up.
#[inline(always)]
fn look_up(ingress: &mut Ingress<'_>, flow: &mut Flow, path: PathHash) -> bool {
    // SAFETY: the element may be reused for another path at any time. What is read is an index
    // that was a route's once, and the route itself says below whose it is.
    let Some(index) = (unsafe { PATHS.get(&path) }) else {
        return false;
    };
    take_route(ingress, flow, *index, path)
}

/// Takes note of a route and its version, if it is that of the path and has one.
#[inline(always)]
fn take_route(ingress: &mut Ingress<'_>, flow: &mut Flow, index: u32, path: PathHash) -> bool {
    flow.route = index;
    let Some(route) = ROUTES.get(flow.route) else {
        return false;
    };
    flow.version = version_of(route);
    ingress.scratch.born_unix_s = route.born_unix_s;
    ingress.scratch.expires_ns = route.expires_ns;
    route.path == path && !flow.version.is_none()
}

/// Whether a copy answers the request that has been read, one or zero: it is within its lifetime, and
/// the request not particular. Global, like a [`stage`](crate::xdp::stage), because its caller has no
/// stack left.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn zeroserve_is_fresh() -> u32 {
    let Some(scratch) = SCRATCH.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: the element is this CPU's own. The caller holds a reference to it, too, but the call is
    // opaque to the compiler: it keeps nothing across it.
    let scratch = unsafe { &mut *scratch };
    if request::is_particular(&scratch.request) {
        return 0;
    }
    scratch.expired = u32::from(scratch.tick.boot_ns >= scratch.expires_ns);
    1 - scratch.expired
}

/// Chooses a variant. Global, like a [`stage`](crate::xdp::stage).
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn zeroserve_choose_variant(
    request: *const RequestScan,
    info: *const VersionInfo,
) -> u32 {
    // SAFETY: the caller passes references; the verifier has both checked for null.
    match unsafe { (request.as_ref(), info.as_ref()) } {
        (Some(request), Some(info)) => select::variant(request, info),
        _ => 0,
    }
}

/// Selects what is sent of a version. Global, like a [`stage`](crate::xdp::stage).
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn zeroserve_select(
    request: *const RequestScan,
    info: *const VersionInfo,
    selection: *mut Selection,
) -> u32 {
    // SAFETY: the caller passes references; the verifier has all checked for null.
    let references = unsafe { (request.as_ref(), info.as_ref(), selection.as_mut()) };
    if let (Some(request), Some(info), Some(selection)) = references {
        select::select(request, info, selection);
    }
    0
}
