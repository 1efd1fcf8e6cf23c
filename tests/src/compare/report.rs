//! The table and the JSON.

use std::time::Duration;

use serde_json::{Value, json};
use zeroserve_tui::load::Measured;

use super::{servers::Name, workloads::Workload};

/// What was measured of one server under one workload, a round each.
#[derive(Clone, Debug)]
pub struct Results {
    /// The workload.
    pub workload: Workload,
    /// The server.
    pub server: Name,
    /// The rounds.
    pub rounds: Vec<Measured>,
    /// The same without what the workload has beside the load, a flood, where it has that.
    pub alone: Vec<Measured>,
    /// How long the machine itself keeps one in 1000 waiting, before each round, where latency is what counts.
    pub waits: Vec<Duration>,
    /// Why there are no more rounds, if something failed.
    pub failure: Option<String>,
}

/// All that was measured.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Workload by workload, and there server by server.
    pub results: Vec<Results>,
}

/// Middle, least and most of some numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
}

impl Spread {
    /// That of some numbers; zero of none.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let (Some(least), Some(most)) = (values.first(), values.last()) else {
            return Self { median: 0.0, least: 0.0, most: 0.0 };
        };
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            (values[middle - 1] + values[middle]) / 2.0
        };
        Self { median, least: *least, most: *most }
    }

    /// How far the numbers lie apart, in parts of the median.
    pub fn width(&self) -> f64 {
        if self.median == 0.0 { 0.0 } else { (self.most - self.least) / self.median }
    }

    fn json(&self) -> Value {
        json!({ "median": self.median, "min": self.least, "max": self.most })
    }
}

impl Results {
    /// The spread of a figure over the rounds.
    pub fn spread(&self, figure: impl Fn(&Measured) -> f64) -> Spread {
        Spread::of(self.rounds.iter().map(figure).collect())
    }

    /// Requests that a core of the server's would answer in a second if it did nothing else.
    pub fn requests_per_core_s(&self) -> Spread {
        self.spread(|one| 1e9 / one.server_ns_per_request().max(1.0))
    }

    /// Requests per core over those of another server, round by round: what slows the machine down in a
    /// round slows both down. Nothing where one of them has no such round.
    fn over(&self, other: &Self) -> Spread {
        let ratio = |(one, other): (&Measured, &Measured)| {
            other.server_ns_per_request() / one.server_ns_per_request().max(1.0)
        };
        Spread::of(self.rounds.iter().zip(&other.rounds).map(ratio).collect())
    }

    /// How much of the load is left beside a flood, round by round.
    fn kept(&self) -> Option<f64> {
        let part = |(one, alone): (&Measured, &Measured)| {
            one.requests_per_s() / alone.requests_per_s().max(1.0)
        };
        let parts: Vec<f64> = self.rounds.iter().zip(&self.alone).map(part).collect();
        (!parts.is_empty()).then(|| Spread::of(parts).median)
    }

    fn json(&self) -> Value {
        let quantile_us = |part: f64| {
            self.spread(move |one| {
                one.latency.quantile(part).map_or(0.0, |q| q.as_secs_f64() * 1e6)
            })
            .json()
        };
        json!({
            "workload": self.workload.name,
            "about": self.workload.about,
            "connections": self.workload.connections,
            "server": self.server.text(),
            "rounds": self.rounds.len(),
            "requests_per_s": self.spread(Measured::requests_per_s).json(),
            "bytes_per_s": self.spread(bytes_per_s).json(),
            "server_cpu_ns_per_request": self.spread(Measured::server_ns_per_request).json(),
            "client_cpu_ns_per_request": self.spread(Measured::client_ns_per_request).json(),
            "server_cpu_load": self.spread(server_load).json(),
            "client_cpu_load": self.spread(client_load).json(),
            "requests_per_server_core_s": self.requests_per_core_s().json(),
            "latency_us": {
                "p50": quantile_us(0.5), "p90": quantile_us(0.9), "p99": quantile_us(0.99),
                "p99.9": quantile_us(0.999), "p99.99": quantile_us(0.9999),
            },
            "machine_p99.9_us": self.machine_p999_us().json(),
            "repeats": self.spread(|one| one.tally.repeats as f64).json(),
            "gaps": self.spread(|one| one.tally.gaps as f64).json(),
            "misses": self.spread(|one| one.tally.misses as f64).json(),
            "floods_per_s": self.spread(floods_per_s).json(),
            "cpus_kept_awake": self.rounds.iter().all(|one| one.awake),
            "checked_to_the_last_byte": self.rounds.iter().map(|one| one.tally.samples).sum::<u64>(),
            "faults": self.faults(),
        })
    }

    /// What failed, if something did.
    fn failed(&self) -> Option<String> {
        let failure = self.failure.as_ref()?;
        Some(format!("{}, {}: {failure}", self.workload.name, self.server.text()))
    }

    /// How long the machine itself keeps one in 1000 waiting, in microseconds.
    fn machine_p999_us(&self) -> Spread {
        Spread::of(self.waits.iter().map(|wait| wait.as_secs_f64() * 1e6).collect())
    }

    /// Which answers were wrong.
    pub fn faults(&self) -> Vec<String> {
        let all = self.rounds.iter().flat_map(Measured::faults);
        all.map(|(count, what)| format!("{count} {what}")).collect()
    }
}

/// Bytes of responses in a second.
fn bytes_per_s(one: &Measured) -> f64 {
    one.tally.response_bytes as f64 / one.duration.as_secs_f64()
}

/// SYNs of the flood answered in a second.
fn floods_per_s(one: &Measured) -> f64 {
    one.tally.floods as f64 / one.duration.as_secs_f64()
}

fn server_load(one: &Measured) -> f64 {
    one.server.as_secs_f64() / one.duration.as_secs_f64()
}

fn client_load(one: &Measured) -> f64 {
    one.client.as_secs_f64() / one.duration.as_secs_f64()
}

impl Report {
    /// Adds results and prints them.
    pub fn add(&mut self, results: Vec<Results>) {
        let Some(first) = results.first() else { return };
        let Workload { name, about, connections, .. } = first.workload;
        println!("\n{name}: {about}; {connections} connections");
        println!(
            "{:10} {:>12} {:>7} {:>9} {:>10} {:>7} {:>12} {:>9} {:>9} {:>9} {:>7}",
            "",
            "requests/s",
            "+-",
            "MB/s",
            "CPU ns",
            "+-",
            "/s per core",
            "p50 us",
            "p99 us",
            "p99.9 us",
            "ratio"
        );
        // What others are compared with: nginx, or the last.
        let is_nginx = |one: &&Results| one.server == Name::Nginx;
        let reference = results.iter().find(is_nginx).or(results.last());
        for one in &results {
            one.print(reference.unwrap_or(one));
        }
        self.results.extend(results);
    }

    /// Everything, for programs. `about` says what it was measured on and how.
    pub fn json(&self, about: Value) -> Value {
        let measured = self.results.iter().filter(|one| !one.rounds.is_empty());
        let failed = self.results.iter();
        json!({
            "about": about,
            "results": measured.map(|one| self.one_json(one)).collect::<Vec<_>>(),
            "failures": failed.filter_map(Results::failed).collect::<Vec<_>>(),
        })
    }

    fn one_json(&self, one: &Results) -> Value {
        let mut json = one.json();
        if let Some(kept) = one.kept() {
            json["part_of_load_kept"] = kept.into();
        }
        let is_reference = |other: &&Results| {
            other.server == Name::Nginx && other.workload.name == one.workload.name
        };
        if let Some(reference) = self.results.iter().find(is_reference) {
            json["requests_per_core_over_nginx"] = one.over(reference).json();
        }
        json
    }

    /// What went wrong: answers, of any server, and whatever else failed of those that are ours.
    pub fn faults(&self) -> Vec<String> {
        let is_ours = |one: &&Results| matches!(one.server, Name::Zeroserve | Name::Behind);
        let failures = self.results.iter().filter(is_ours).filter_map(Results::failed);
        let named = |one: &Results| {
            let name = format!("{}, {}", one.workload.name, one.server.text());
            one.faults().into_iter().map(move |fault| format!("{name}: {fault}"))
        };
        self.results.iter().flat_map(named).chain(failures).collect()
    }
}

impl Results {
    /// A quantile of the latency, in microseconds.
    fn quantile_us(&self, part: f64) -> f64 {
        let of_round = |one: &Measured| one.latency.quantile(part);
        self.spread(|one| of_round(one).map_or(0.0, |latency| latency.as_secs_f64() * 1e6)).median
    }

    fn print(&self, reference: &Self) {
        let rate = self.spread(Measured::requests_per_s);
        let ns = self.spread(Measured::server_ns_per_request);
        println!(
            "{:10} {:12.0} {:6.0}% {:9.1} {:10.0} {:6.0}% {:12.0} {:9.1} {:9.1} {:9.1} {:6.1}x",
            self.server.text(),
            rate.median,
            rate.width() * 50.0,
            self.spread(bytes_per_s).median / 1e6,
            ns.median,
            ns.width() * 50.0,
            self.requests_per_core_s().median,
            self.quantile_us(0.5),
            self.quantile_us(0.99),
            self.quantile_us(0.999),
            self.over(reference).median,
        );
        if self.workload.needs_peaks() && reference.server != self.server {
            let ratio = reference.quantile_us(0.999) / self.quantile_us(0.999).max(0.001);
            println!("{:10} p99.9 of {} over this: {ratio:.1}", "", reference.server.text());
        }
        if !self.waits.is_empty() {
            let wait = self.machine_p999_us().median;
            println!("{:10} p99.9 of the machine itself: {wait:.1}", "");
        }
        let sum = |figure: fn(&Measured) -> u64| self.rounds.iter().map(figure).sum::<u64>();
        let noted = [
            ("sent again by the client", sum(|one| one.tally.repeats)),
            ("segments beyond a gap", sum(|one| one.tally.gaps)),
            ("requests not sent because all connections were busy", sum(|one| one.tally.misses)),
        ];
        for (what, count) in noted.iter().filter(|(_, count)| *count > 0) {
            println!("{:10} {count} {what}", "");
        }
        if let Some(kept) = self.kept() {
            let floods = self.spread(floods_per_s).median;
            println!(
                "{:10} {:.0} % of the load kept beside {floods:.0} SYNs answered in a second",
                "",
                kept * 100.0
            );
        }
        if let Some(failure) = &self.failure {
            println!("{:10} FAILED: {failure}", "");
        }
        for fault in self.faults() {
            println!("{:10} WRONG: {fault}", "");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one_or_lies_between_the_two() {
        let odd = Spread::of(vec![5.0, 1.0, 2.0]);
        assert_eq!(odd, Spread { median: 2.0, least: 1.0, most: 5.0 });
        assert_eq!(odd.width(), 2.0);
        assert_eq!(Spread::of(vec![4.0, 1.0, 2.0, 8.0]).median, 3.0);
        assert_eq!(Spread::of(Vec::new()).median, 0.0);
    }
}
