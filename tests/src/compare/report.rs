//! The table and the JSON.

use serde_json::{Value, json};
use zeroserve_tui::load::Measured;

use super::{
    servers::Name,
    workloads::{self, Workload},
};

/// What was measured of one server under one workload, a round each.
#[derive(Clone, Debug)]
pub struct Results {
    /// The workload.
    pub workload: Workload,
    /// The server.
    pub server: Name,
    /// The rounds.
    pub rounds: Vec<Measured>,
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
            "repeats": self.spread(|one| one.tally.repeats as f64).json(),
            "gaps": self.spread(|one| one.tally.gaps as f64).json(),
            "misses": self.spread(|one| one.tally.misses as f64).json(),
            "floods_per_s": self.spread(floods_per_s).json(),
            "cpus_kept_awake": self.rounds.iter().all(|one| one.awake),
            "checked_to_the_last_byte": self.rounds.iter().map(|one| one.tally.samples).sum::<u64>(),
            "faults": self.faults(),
        })
    }

    /// What went wrong.
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
            self.print_kept(one);
        }
        self.results.extend(results);
    }

    /// How much of the load is left beside a flood.
    fn print_kept(&self, one: &Results) {
        if let Some(kept) = self.kept(one) {
            let per_request = one.spread(floods_per_s).median / one.rate().max(1.0);
            println!(
                "{:10} {:.0} % of the load kept beside a flood of {per_request:.1} SYNs a request",
                "",
                kept * 100.0
            );
        }
    }

    /// Requests answered beside a flood, over those without one.
    fn kept(&self, one: &Results) -> Option<f64> {
        let alone = self.results.iter().find(|other| {
            other.server == one.server && other.workload.name == workloads::WITHOUT_FLOOD
        })?;
        one.workload.is_flood().then(|| one.rate() / alone.rate().max(1.0))
    }

    /// Everything, for programs. `about` says what it was measured on and how.
    pub fn json(&self, about: Value) -> Value {
        json!({
            "about": about,
            "results": self.results.iter().map(|one| self.one_json(one)).collect::<Vec<_>>(),
        })
    }

    fn one_json(&self, one: &Results) -> Value {
        let mut json = one.json();
        if let Some(kept) = self.kept(one) {
            json["part_of_load_kept"] = kept.into();
        }
        json
    }

    /// Whether nothing went wrong.
    pub fn is_sound(&self) -> bool {
        self.results.iter().all(|one| one.faults().is_empty())
    }
}

impl Results {
    /// Requests answered in a second.
    fn rate(&self) -> f64 {
        self.spread(Measured::requests_per_s).median
    }

    /// A quantile of the latency, in microseconds.
    fn quantile_us(&self, part: f64) -> f64 {
        let of_round = |one: &Measured| one.latency.quantile(part);
        self.spread(|one| of_round(one).map_or(0.0, |latency| latency.as_secs_f64() * 1e6)).median
    }

    fn print(&self, reference: &Self) {
        let rate = self.spread(Measured::requests_per_s);
        let ns = self.spread(Measured::server_ns_per_request);
        let per_core = self.requests_per_core_s().median;
        println!(
            "{:10} {:12.0} {:6.0}% {:9.1} {:10.0} {:6.0}% {:12.0} {:9.1} {:9.1} {:9.1} {:6.1}x",
            self.server.text(),
            rate.median,
            rate.width() * 50.0,
            self.spread(bytes_per_s).median / 1e6,
            ns.median,
            ns.width() * 50.0,
            per_core,
            self.quantile_us(0.5),
            self.quantile_us(0.99),
            self.quantile_us(0.999),
            per_core / reference.requests_per_core_s().median,
        );
        if self.workload.needs_peaks() && reference.server != self.server {
            let ratio = reference.quantile_us(0.999) / self.quantile_us(0.999).max(0.001);
            println!("{:10} p99.9 of {} over this: {ratio:.1}", "", reference.server.text());
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
        let floods = self.spread(floods_per_s).median;
        if floods > 0.0 {
            println!("{:10} {floods:.0} SYNs of the flood answered in a second", "");
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
