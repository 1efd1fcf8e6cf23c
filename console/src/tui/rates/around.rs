//! What follows from two looks around: what a packet costs, and how fast the kernel's counters rise.

use std::time::Duration;

use crate::server::{KernelCounter, Surroundings};

/// The last two looks around.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Around {
    pub(crate) now: Surroundings,
    before: Option<Surroundings>,
}

impl Around {
    /// Takes a newer look.
    pub(crate) fn push(&mut self, newer: Surroundings) {
        let older = std::mem::replace(&mut self.now, newer);
        self.before =
            (older.taken > Duration::ZERO && older.taken < self.now.taken).then_some(older);
    }

    /// Nanoseconds that the XDP program took for a packet, lately or else ever; none where the
    /// kernel does not measure it.
    pub(crate) fn ns_per_packet(&self) -> Option<u64> {
        let now = self.now.run_time?;
        let lately = self.before.as_ref().and_then(|before| {
            let before = before.run_time?;
            Some((now.total.checked_sub(before.total)?, now.runs.checked_sub(before.runs)?))
        });
        let (time, runs) = lately.filter(|(_, runs)| *runs > 0).unwrap_or((now.total, now.runs));
        u64::try_from(time.as_nanos()).ok()?.checked_div(runs)
    }

    /// How fast a counter rises, per second; none before two looks, or where it has fallen.
    pub(crate) fn per_s(&self, counter: &KernelCounter) -> Option<f64> {
        let before = self.before.as_ref()?;
        let mut all = before.nic.iter().chain(&before.stack);
        let older = all.find(|older| older.name == counter.name)?;
        let over = self.now.taken.checked_sub(before.taken).filter(|over| !over.is_zero())?;
        Some(counter.value.checked_sub(older.value)? as f64 / over.as_secs_f64())
    }

    /// Whether there is anything new to see.
    pub(crate) fn shows_as(&self, other: &Self) -> bool {
        let texts = |around: &Self| {
            let rates: Vec<_> =
                around.now.nic.iter().chain(&around.now.stack).map(|c| around.per_s(c)).collect();
            (around.ns_per_packet(), rates)
        };
        let timeless = |around: &Self| Surroundings {
            taken: Duration::ZERO,
            run_time: None,
            ..around.now.clone()
        };
        texts(self) == texts(other) && timeless(self) == timeless(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::RunTime;

    fn look(taken_s: u64, total_ns: u64, runs: u64, dropped: u64) -> Surroundings {
        let run_time = Some(RunTime { total: Duration::from_nanos(total_ns), runs });
        let nic = vec![KernelCounter { name: "rx_dropped".into(), value: dropped, is_loss: true }];
        Surroundings { taken: Duration::from_secs(taken_s), run_time, nic, ..Default::default() }
    }

    #[test]
    fn a_packet_costs_what_the_last_ones_did_and_counters_rise_as_they_rose_lately() {
        let mut around = Around::default();
        assert_eq!(around.ns_per_packet(), None);
        around.push(look(1, 3_000, 10, 100));
        assert_eq!(around.ns_per_packet(), Some(300));
        assert_eq!(around.per_s(&around.now.nic[0]), None);
        around.push(look(3, 3_000 + 200 * 100, 110, 104));
        assert_eq!(around.ns_per_packet(), Some(200));
        assert_eq!(around.per_s(&around.now.nic[0]), Some(2.0));
        around.push(look(5, 23_000, 110, 104));
        assert_eq!(around.ns_per_packet(), Some(23_000 / 110), "an idle program has its mean");
    }

    #[test]
    fn a_program_that_was_replaced_and_a_counter_that_fell_give_no_nonsense() {
        let mut around = Around::default();
        around.push(look(1, 3_000_000, 1_000, 100));
        around.push(look(3, 1_000, 4, 1));
        assert_eq!(around.ns_per_packet(), Some(250));
        assert_eq!(around.per_s(&around.now.nic[0]), None);
    }
}
