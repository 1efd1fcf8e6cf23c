//! Reads the rings of records, see `zeroserve_shared::observe`.

use std::{
    ops::Range,
    time::{Duration, SystemTime},
};

use anyhow::Context;
use zeroserve_shared::{
    observe::{Observe, PACKET_RECORDS, REQUEST_RECORDS, Record},
    reason::Reason,
    refusal::Refusal,
    route::FixedRoute,
};

use super::{
    clock,
    maps::{Maps, Raw},
};
use crate::{
    observe::{Packet, Request, Seen, WATCH, Wanted, request},
    server::RouteInfo,
};

/// The least gap: what a whole ring holds should last for a while.
const LEAST_GAP: Duration = Duration::from_micros(10);

/// What a console has read of the rings: the numbers of the last records.
#[derive(Debug, Default)]
pub(super) struct Reader {
    packets: u64,
    requests: u64,
}

impl Reader {
    /// Says that somebody goes on looking, and reads what has been recorded since the last time.
    pub(super) fn read(
        &mut self,
        maps: &mut Maps,
        routes: &[RouteInfo],
        wanted: &Wanted,
    ) -> anyhow::Result<Seen> {
        watch(maps, wanted)?;
        let last = maps.observed.get(&0, 0).context("cannot read the map OBSERVED")?.0;
        let now = Clocks::now();
        let mut seen = Seen::default();
        for number in unread(&mut self.packets, last.packets, PACKET_RECORDS, &mut seen.missed) {
            let place = (number % u64::from(PACKET_RECORDS)) as u32;
            let record = maps.packets.get(&place, 0).context("cannot read the map PACKETS")?.0;
            let whole = record.number == number;
            match packet(&record, &now).filter(|_| whole) {
                Some(packet) => seen.packets.push(packet),
                None => seen.missed += 1,
            }
        }
        for number in unread(&mut self.requests, last.requests, REQUEST_RECORDS, &mut seen.missed) {
            let place = (number % u64::from(REQUEST_RECORDS)) as u32;
            let record = maps.asked.get(&place, 0).context("cannot read the map ASKED")?.0;
            if record.number == number {
                seen.requests.push(asked(&record, routes, &now));
            } else {
                seen.missed += 1;
            }
        }
        Ok(seen)
    }
}

/// The numbers of the records that are new and not yet overwritten.
fn unread(read: &mut u64, last: u64, room: u32, missed: &mut u64) -> Range<u64> {
    // The element after the last may be being written just now.
    let oldest = (last + 2).saturating_sub(u64::from(room)).max(1);
    let first = (*read + 1).max(oldest);
    if *read > 0 {
        *missed += first - (*read + 1).min(first);
    }
    *read = last;
    first..last + 1
}

/// Writes what is wanted into the map, beside what other consoles want.
fn watch(maps: &mut Maps, wanted: &Wanted) -> anyhow::Result<()> {
    let now_ns = clock::monotonic().as_nanos() as u64;
    let so_far = maps.observe.get(&0, 0).context("cannot read the map OBSERVE")?.0;
    // What nobody has asked for lately is over.
    let so_far = if so_far.until_ns > now_ns { so_far } else { Observe::default() };
    let gap_ns = wanted.gap.max(LEAST_GAP).as_nanos() as u64;
    let least = |so_far: u64, wanted: bool| match (so_far, wanted) {
        (so_far, false) => so_far,
        (0, true) => gap_ns,
        (so_far, true) => so_far.min(gap_ns),
    };
    let observe = Observe {
        until_ns: now_ns + WATCH.as_nanos() as u64,
        reasons: wanted
            .reasons
            .iter()
            .fold(so_far.reasons, |set, reason| set | 1 << *reason as u32),
        packet_gap_ns: least(so_far.packet_gap_ns, !wanted.reasons.is_empty()),
        request_gap_ns: least(so_far.request_gap_ns, wanted.requests),
    };
    maps.observe.set(0, Raw(observe), 0).context("cannot write the map OBSERVE")
}

/// One moment on both clocks.
struct Clocks {
    monotonic: Duration,
    time: SystemTime,
}

impl Clocks {
    fn now() -> Self {
        Self { monotonic: clock::monotonic(), time: SystemTime::now() }
    }

    fn time(&self, monotonic_ns: u64) -> SystemTime {
        self.time - self.monotonic.saturating_sub(Duration::from_nanos(monotonic_ns))
    }
}

fn captured(record: &Record) -> &[u8] {
    &record.captured[..(record.captured_bytes as usize).min(record.captured.len())]
}

fn packet(record: &Record, clocks: &Clocks) -> Option<Packet> {
    Some(Packet {
        time: clocks.time(record.time_ns),
        reason: *Reason::ALL.get(record.what as usize)?,
        bytes: record.bytes,
        captured: captured(record).to_vec(),
    })
}

fn asked(record: &Record, routes: &[RouteInfo], clocks: &Clocks) -> Request {
    let (client, server) = request::ends(&record.key);
    let route = routes.iter().find(|route| route.index == record.what);
    let fixed = FixedRoute::ALL.get(record.what as usize).map(|fixed| fixed.status());
    let whole = route.map(|route| route.status).or(fixed).unwrap_or(200);
    Request {
        time: clocks.time(record.time_ns),
        client,
        server,
        line: request::first_line(captured(record)),
        route: record.what,
        status: request::status(whole, record.form),
        bytes: record.response_bytes,
        refusal: record.refusal.checked_sub(1).and_then(|i| Refusal::ALL.get(i as usize)).copied(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(read: u64, last: u64) -> (Range<u64>, u64) {
        let (mut read, mut missed) = (read, 0);
        let range = unread(&mut read, last, 256, &mut missed);
        assert_eq!(read, last);
        (range, missed)
    }

    #[test]
    fn who_looks_for_the_first_time_sees_what_is_still_there_and_has_missed_nothing() {
        assert_eq!(numbers(0, 0), (1..1, 0));
        assert_eq!(numbers(0, 3), (1..4, 0));
        assert_eq!(numbers(0, 1000), (746..1001, 0));
    }

    #[test]
    fn who_looks_again_sees_what_is_new_and_is_told_what_was_overwritten() {
        assert_eq!(numbers(5, 5), (6..6, 0));
        assert_eq!(numbers(5, 7), (6..8, 0));
        assert_eq!(numbers(5, 1000), (746..1001, 740));
    }
}
