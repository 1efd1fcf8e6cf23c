//! Which metrics there are: names, units, help, labels.
//!
//! Every number of series is bounded: by the CPUs, by the shared tables of verdicts, reasons and
//! outcomes, and for routes by a limit that whoever asks chooses. Routes beyond it have no series
//! of their own, the ones with the lowest indices have: an index stays as long as its route, so a
//! series does not come and go while others are published. There is no sum of the others, because
//! it would fall whenever one of them got a series.

use std::{
    borrow::Cow,
    collections::HashMap,
    fmt,
    time::{Duration, SystemTime},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};
use zeroserve_shared::{
    counters::{Counters, RouteHits},
    reason::{Egress, Reason, Severity, Verdict},
    refusal::Refusal,
    route::FixedRoute,
};

use crate::{
    content::RoutePath,
    server::{Identity, RouteInfo, RouteName, Server},
};

/// How many routes have series of their own, unless somebody says otherwise.
pub const DEFAULT_ROUTE_SERIES: usize = 1000;

/// Everything the metrics say, read at one moment.
#[derive(Clone, Debug)]
pub struct Reading {
    identity: Identity,
    cpus: Vec<Counters>,
    totals: Counters,
    /// Paths with their hits, no more than were asked for.
    paths: Vec<(RoutePath, RouteHits)>,
    fixed: Vec<(FixedRoute, RouteHits)>,
    routes: usize,
}

impl Reading {
    /// Reads a server, with series of their own for so many routes.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub fn new(server: &mut dyn Server, route_series: usize) -> anyhow::Result<Self> {
        let sample = server.sample()?;
        let mut routes: Vec<RouteInfo> = server.routes()?.to_vec();
        routes.sort_by_key(|route| route.index);
        let hits: HashMap<u32, RouteHits> = sample.hits.iter().copied().collect();
        let (mut paths, mut fixed, mut count) = (Vec::new(), Vec::new(), 0);
        for route in routes {
            let hits = hits.get(&route.index).copied().unwrap_or_default();
            match route.name {
                RouteName::Fixed(answer) => fixed.push((answer, hits)),
                RouteName::Path(path) => {
                    count += 1;
                    if paths.len() < route_series {
                        paths.push((path, hits));
                    }
                }
            }
        }
        let (identity, totals) = (server.identity().clone(), sample.totals());
        Ok(Self { identity, cpus: sample.cpus, totals, paths, fixed, routes: count })
    }

    /// As something that can be written.
    pub(super) fn registry(self) -> Registry {
        let interface = ("interface".into(), Cow::from(self.identity.interface.clone()));
        let mut registry = Registry::with_prefix_and_labels("zeroserve", [interface].into_iter());
        registry.register_collector(Box::new(self));
        registry
    }
}

/// The labels of a series.
type Labels = Vec<(&'static str, String)>;

/// Writes one family after the other.
struct Families<'a>(DescriptorEncoder<'a>);

impl Families<'_> {
    /// A counter, one series for each set of labels. Its name ends with the unit and `_total`.
    fn counter(
        &mut self,
        name: &str,
        unit: Unit,
        help: &str,
        series: impl IntoIterator<Item = (Labels, u64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, Some(&unit), MetricType::Counter)?;
        for (labels, value) in series {
            ConstCounter::new(value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    /// The same without labels.
    fn single(&mut self, name: &str, unit: Unit, help: &str, value: u64) -> fmt::Result {
        let family = self.0.encode_descriptor(name, help, Some(&unit), MetricType::Counter)?;
        ConstCounter::new(value).encode(family)
    }

    fn gauge(&mut self, name: &str, unit: Option<Unit>, help: &str, value: f64) -> fmt::Result {
        let family = self.0.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
        ConstGauge::new(value).encode(family)
    }
}

fn unit(name: &str) -> Unit {
    Unit::Other(name.into())
}

impl Collector for Reading {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = Families(encoder);
        self.about_the_server(&mut families)?;
        self.by_cpu(&mut families)?;
        self.by_kind(&mut families)?;
        self.by_route(&mut families)
    }
}

impl Reading {
    fn about_the_server(&self, families: &mut Families<'_>) -> fmt::Result {
        let identity = &self.identity;
        let help = "What is attached, and the version of zeroserve-tui that reads it.";
        let labels: Labels = vec![
            ("mode", identity.mode.to_owned()),
            ("driver", identity.driver.clone().unwrap_or_else(|| "unknown".into())),
            ("port", identity.port.to_string()),
            ("program", identity.program_id.to_string()),
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ];
        let mut info = families.0.encode_descriptor("server", help, None, MetricType::Info)?;
        info.encode_info(&labels)?;
        let attached = identity.attached.duration_since(SystemTime::UNIX_EPOCH);
        let attached = attached.unwrap_or(Duration::ZERO).as_secs_f64();
        let help = "When the server was attached, since the Unix epoch.";
        families.gauge("attach_time", Some(Unit::Seconds), help, attached)?;
        let without = self.routes - self.paths.len();
        for (name, help, value) in [
            ("routes", "Paths that something is served at.", self.routes),
            ("route_capacity", "How many routes there can be.", identity.route_capacity as usize),
            ("flow_capacity", "How many flows there can be.", identity.flow_capacity as usize),
            ("routes_without_series", "Routes beyond the limit on series.", without),
        ] {
            families.gauge(name, None, help, value as f64)?;
        }
        Ok(())
    }

    fn by_cpu(&self, families: &mut Families<'_>) -> fmt::Result {
        type Pick = fn(&Counters) -> u64;
        let (packets, requests) = (|| unit("packets"), || unit("requests"));
        let rows: [(&str, Unit, &str, Pick); 5] = [
            ("received", packets(), "Packets that entered the XDP program.", |c| c.packets_in),
            ("received", Unit::Bytes, "Bytes of the packets that entered.", |c| c.bytes_in),
            ("sent", packets(), "Frames that left as answers.", |c| c.packets_out),
            ("sent", Unit::Bytes, "Bytes of the frames that left as answers.", |c| c.bytes_out),
            ("answered", requests(), "Requests answered, errors included.", |c| c.requests),
        ];
        for (name, unit, help, pick) in rows {
            let of_cpu = |(cpu, counters): (usize, &Counters)| {
                (vec![("cpu", cpu.to_string())], pick(counters))
            };
            families.counter(name, unit, help, self.cpus.iter().enumerate().map(of_cpu))?;
        }
        Ok(())
    }

    fn by_kind(&self, families: &mut Families<'_>) -> fmt::Result {
        let totals = &self.totals;
        let label = |name, value: &str| vec![(name, value.to_owned())];
        let verdicts = Verdict::ALL.iter().zip(totals.verdicts);
        let help = "Packets by what the XDP program told the kernel to do with them.";
        let series = verdicts.map(|(verdict, n)| (label("verdict", verdict.name()), n));
        families.counter("verdict", unit("packets"), help, series)?;

        let help = "Packets that left the fast path, by why.";
        let series = Reason::ALL.iter().zip(totals.reasons).map(|(reason, n)| {
            let mut labels = label("reason", reason.name());
            labels.push(("verdict", reason.verdict().name().to_owned()));
            labels.push(("severity", severity(reason.severity()).to_owned()));
            (labels, n)
        });
        families.counter("reason", unit("packets"), help, series)?;

        let help = "Requests that were refused, by what was wrong with them.";
        let refusals = Refusal::ALL.iter().zip(totals.refusals);
        let series = refusals.map(|(refusal, n)| (label("refusal", refusal.name()), n));
        families.counter("refused", unit("requests"), help, series)?;

        let help = "Clones that reached the egress program, by what became of them.";
        let series = Egress::ALL.iter().zip(totals.egress).map(|(outcome, n)| {
            let mut labels = label("outcome", outcome.name());
            labels.push(("severity", severity(outcome.severity()).to_owned()));
            (labels, n)
        });
        families.counter("egress", unit("clones"), help, series)?;

        let Counters { handshakes, segments_repaired, .. } = *totals;
        let Counters { flows_created, flows_removed, flows_narrowed, .. } = *totals;
        let Counters { handed_off, handoffs_failed, .. } = *totals;
        for (name, of, help, value) in [
            ("answered", "handshakes", "Handshakes answered with a SYN cookie.", handshakes),
            ("created", "flows", "Flows created.", flows_created),
            ("removed", "flows", "Flows removed because their connection ended.", flows_removed),
            ("narrowed", "flows", "Flows that a router made send smaller packets.", flows_narrowed),
            ("handed_off", "connections", "Connections given to the server behind.", handed_off),
            (
                "handoffs_failed",
                "connections",
                "Connections that the kernel would not take.",
                handoffs_failed,
            ),
            ("repaired", "segments", "Segments sent again as lost.", segments_repaired),
        ] {
            families.single(name, unit(of), help, value)?;
        }
        Ok(())
    }

    fn by_route(&self, families: &mut Families<'_>) -> fmt::Result {
        type Pick = fn(&RouteHits) -> u64;
        // All series of a family have to stand together, so paths and answers take turns.
        let rows: [(&str, &str, Unit, Pick, &str); 2] = [
            ("route", "fixed_answer", unit("requests"), |h| h.requests, "Requests answered, by"),
            (
                "route_delivered",
                "fixed_answer_delivered",
                Unit::Bytes,
                |h| h.delivered_bytes,
                "Response bytes, headers included, that clients have acknowledged, by",
            ),
        ];
        for (route, answer, unit, pick, what) in rows {
            let of_path = |(path, hits): &(RoutePath, RouteHits)| {
                let mut labels = vec![("path", path.path().to_owned())];
                labels.extend(path.host().map(|host| ("host", host.to_owned())));
                (labels, pick(hits))
            };
            let help = format!("{what} path.");
            families.counter(route, unit.clone(), &help, self.paths.iter().map(of_path))?;
            let of_answer = |(fixed, hits): &(FixedRoute, RouteHits)| {
                let status = ("status", fixed.status().to_string());
                (vec![("answer", kebab(&format!("{fixed:?}"))), status], pick(hits))
            };
            let help = format!("{what} which answer it was to what is no hit.");
            families.counter(answer, unit, &help, self.fixed.iter().map(of_answer))?;
        }
        Ok(())
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Normal => "normal",
        Severity::Refused => "refused",
        Severity::Fault => "fault",
    }
}

/// `NotFound` as `not-found`.
fn kebab(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    for character in name.chars() {
        if character.is_ascii_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.push(character.to_ascii_lowercase());
    }
    text
}
