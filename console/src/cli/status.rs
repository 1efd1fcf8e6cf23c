//! One report on a server.

use std::{
    collections::HashMap,
    fmt::{self, Write},
    time::SystemTime,
};

use serde_json::{Map, Value, json};
use zeroserve_shared::{
    config::OnMiss,
    counters::{Counters, RouteHits},
    reason::{Egress, Reason, Verdict},
    refusal::Refusal,
};

use super::{Failure, arguments::InterfaceArguments, output, running, warnings::Warnings};
use crate::{
    content::RoutePath,
    kernel::OpenError,
    promote,
    server::{Identity, RouteInfo, RouteName, Server},
    tui,
};

/// Everything the report says, read at one moment.
struct Report {
    identity: Identity,
    listener: Option<String>,
    totals: Counters,
    warnings: Warnings,
    routes: Vec<(RouteInfo, RouteHits)>,
}

/// Reports on the server of an interface.
pub(super) fn run(arguments: &InterfaceArguments) -> Result<(), Failure> {
    print(&mut running::open(&arguments.interface)?, arguments.output.json)
}

/// Prints the report on a server.
pub(super) fn print(server: &mut dyn Server, json: bool) -> Result<(), Failure> {
    let report = Report::read(server)?;
    if json {
        output::json(&report.document())?;
    } else {
        output::text(&report.to_string())?;
    }
    Ok(())
}

/// Prints that there is no server, where that is an answer and no failure.
pub(super) fn print_unattached(error: &OpenError, json: bool) -> Result<(), Failure> {
    if json {
        output::json(&json!({ "attached": false, "message": error.to_string() }))?;
    } else {
        output::text(&format!("{error}\n"))?;
    }
    Ok(())
}

impl Report {
    fn read(server: &mut dyn Server) -> anyhow::Result<Self> {
        let sample = server.sample()?;
        let hits: HashMap<u32, RouteHits> = sample.hits.iter().copied().collect();
        let routes = server.routes()?;
        let warnings = Warnings::of(server, &routes);
        let routes = routes
            .iter()
            .map(|route| (route.clone(), hits.get(&route.index).copied().unwrap_or_default()))
            .collect();
        Ok(Self {
            identity: server.identity().clone(),
            listener: server.surroundings()?.listener,
            totals: sample.totals(),
            warnings,
            routes,
        })
    }

    fn uptime(&self) -> std::time::Duration {
        SystemTime::now().duration_since(self.identity.attached).unwrap_or_default()
    }

    fn document(&self) -> Value {
        let Self { identity, totals, warnings, routes, .. } = self;
        let by_name = |names: Vec<&'static str>, counts: &[u64]| -> Map<String, Value> {
            names.into_iter().map(String::from).zip(counts.iter().map(|n| json!(n))).collect()
        };
        json!({
            "attached": true,
            "interface": identity.interface,
            "if_index": identity.if_index,
            "driver": identity.driver,
            "mode": identity.mode,
            "program_id": identity.program_id,
            "port": identity.port,
            "mss_bytes": identity.mss,
            "addresses": identity.addresses,
            "on_miss": identity.on_miss.name(),
            "listener": self.listener,
            "attached_unix_s": unix_s(identity.attached),
            "uptime_s": self.uptime().as_secs(),
            "route_capacity": identity.route_capacity,
            "flow_capacity": identity.flow_capacity,
            "issues": warnings.document(),
            "totals": {
                "requests": totals.requests,
                "handshakes": totals.handshakes,
                "flows_created": totals.flows_created,
                "flows_removed": totals.flows_removed,
                "packets_in": totals.packets_in,
                "bytes_in": totals.bytes_in,
                "packets_out": totals.packets_out,
                "bytes_out": totals.bytes_out,
                "segments_repaired": totals.segments_repaired,
                "handed_off": totals.handed_off,
                "handoffs_failed": totals.handoffs_failed,
                "unaccounted_packets": totals.unaccounted_packets(),
                "unexplained_packets": totals.unexplained_packets(),
            },
            "verdicts": by_name(Verdict::ALL.iter().map(|v| v.name()).collect(), &totals.verdicts),
            "reasons": by_name(Reason::ALL.iter().map(|r| r.name()).collect(), &totals.reasons),
            "refusals": by_name(
                Refusal::ALL.iter().map(|r| r.name()).collect(), &totals.refusals
            ),
            "egress": by_name(Egress::ALL.iter().map(|e| e.name()).collect(), &totals.egress),
            "routes": routes.iter().map(route_document).collect::<Vec<_>>(),
        })
    }
}

fn unix_s(time: SystemTime) -> Option<u64> {
    time.duration_since(SystemTime::UNIX_EPOCH).ok().map(|since| since.as_secs())
}

fn route_document((route, hits): &(RouteInfo, RouteHits)) -> Value {
    let path = match &route.name {
        RouteName::Path(path) => Some(path),
        RouteName::Fixed(_) => None,
    };
    let encodings = route.encodings.iter().map(|one| (one.encoding.name(), one.body_bytes));
    let sha256: String = route.body_sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({
        "path": path.map(RoutePath::as_str),
        "host": path.and_then(RoutePath::host),
        "status": route.status,
        "requests": hits.requests,
        "delivered_bytes": hits.delivered_bytes,
        "content_type": route.content_type,
        "body_bytes": route.body_bytes,
        "response_bytes": route.response_bytes,
        "encodings": output::encodings(encodings),
        "body_sha256": sha256,
        "version": route.version,
        "source": route.source,
        "modified_unix_s": route.modified.and_then(unix_s),
        "added_unix_s": unix_s(route.added),
        "copy": route.copy.map(|copy| json!({
            "born_unix_s": unix_s(copy.born),
            "lifetime_s": copy.lifetime.as_secs_f64(),
            "left_s": copy.left().as_secs_f64(),
        })),
    })
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_identity(formatter)?;
        formatter.write_str(&self.warnings.text())?;
        self.write_totals(formatter)?;
        self.write_verdicts(formatter)?;
        self.write_routes(formatter)
    }
}

impl Report {
    fn write_identity(&self, out: &mut dyn Write) -> fmt::Result {
        let identity = &self.identity;
        let Identity { interface, mode, program_id, port, addresses, .. } = identity;
        let driver = self.identity.driver.as_deref().unwrap_or("unknown");
        let paths =
            self.routes.iter().filter(|(route, _)| matches!(route.name, RouteName::Path(_)));
        writeln!(out, "zeroserve on {interface}, port {port}")?;
        writeln!(out, "  mode        {mode} XDP, driver {driver}, program {program_id}")?;
        writeln!(out, "  addresses   {}", addresses.join(", "))?;
        let misses = match (identity.on_miss, &self.listener) {
            (OnMiss::Refuse, _) => "refused with 404",
            (OnMiss::HandOff, Some(listener)) => &format!("handed off to {listener}"),
            (OnMiss::HandOff, None) => "refused with 503, because nobody listens",
        };
        writeln!(out, "  misses      {misses}")?;
        let attached = httpdate::fmt_http_date(self.identity.attached);
        writeln!(out, "  uptime      {}, since {attached}", output::span(self.uptime()))?;
        let capacity = output::count(self.identity.route_capacity.into());
        writeln!(out, "  routes      {} of {capacity}", output::count(paths.count() as u64))
    }

    fn write_totals(&self, out: &mut dyn Write) -> fmt::Result {
        let totals = &self.totals;
        let count = output::count;
        writeln!(out, "\ntotals")?;
        writeln!(out, "  requests    {}", count(totals.requests))?;
        writeln!(out, "  handshakes  {}", count(totals.handshakes))?;
        let (created, removed) = (count(totals.flows_created), count(totals.flows_removed));
        writeln!(out, "  flows       {created} created, {removed} closed")?;
        writeln!(out, "  handed off  {} connections", count(totals.handed_off))?;
        let (packets, bytes) = (count(totals.packets_in), output::bytes(totals.bytes_in));
        writeln!(out, "  received    {packets} packets, {bytes}")?;
        let (packets, bytes) = (count(totals.packets_out), output::bytes(totals.bytes_out));
        writeln!(out, "  sent        {packets} packets, {bytes}")?;
        writeln!(out, "  repaired    {} segments sent again", count(totals.segments_repaired))
    }

    fn write_verdicts(&self, out: &mut dyn Write) -> fmt::Result {
        writeln!(out, "\nverdicts, in packets")?;
        for (verdict, packets) in Verdict::ALL.iter().zip(self.totals.verdicts) {
            writeln!(out, "  {:<10}{:>16}", verdict.name(), output::count(packets))?;
        }
        let unaccounted = self.totals.unaccounted_packets();
        if unaccounted != 0 {
            writeln!(
                out,
                "  {unaccounted} packets without a verdict: in flight just now, or a bug"
            )?;
        }
        let reasons = Reason::ALL.iter().zip(self.totals.reasons);
        let reasons = reasons.filter(|(_, packets)| *packets > 0);
        let rows = reasons.map(|(reason, n)| (reason.name(), n, reason.explanation()));
        write_explained(out, "reasons to leave the fast path, in packets", rows)?;
        let refusals = Refusal::ALL.iter().zip(self.totals.refusals);
        let refusals = refusals.filter(|(_, requests)| *requests > 0);
        let rows = refusals.map(|(refusal, n)| (refusal.name(), n, refusal.explanation()));
        write_explained(out, "requests refused", rows)?;
        let egress = Egress::ALL.iter().zip(self.totals.egress);
        let egress = egress.filter(|(_, clones)| *clones > 0);
        let rows = egress.map(|(outcome, n)| (outcome.name(), n, outcome.explanation()));
        write_explained(out, "outcomes of clones", rows)
    }

    fn write_routes(&self, out: &mut dyn Write) -> fmt::Result {
        writeln!(
            out,
            "\n{:>14} {:>11} {:>11} {:>6} {:>7} {:>13}  route",
            "requests", "delivered", "size", "status", "version", "also in"
        )?;
        for (route, hits) in &self.routes {
            let name = match &route.name {
                RouteName::Path(path) => match route.copy {
                    Some(copy) => format!("{path} (a copy, {})", promote::left(&copy)),
                    None => path.as_str().to_owned(),
                },
                RouteName::Fixed(answer) => format!("(built in: {})", tui::fixed_label(*answer)),
            };
            let encodings: Vec<_> = route.encodings.iter().map(|one| one.encoding.name()).collect();
            writeln!(
                out,
                "{:>14} {:>11} {:>11} {:>6} {:>7} {:>13}  {name}",
                output::count(hits.requests),
                output::bytes(hits.delivered_bytes),
                output::bytes(route.body_bytes.into()),
                route.status,
                route.version,
                encodings.join(" "),
            )?;
        }
        Ok(())
    }
}

fn write_explained(
    out: &mut dyn Write,
    title: &str,
    rows: impl Iterator<Item = (&'static str, u64, &'static str)>,
) -> fmt::Result {
    let mut rows = rows.peekable();
    if rows.peek().is_some() {
        writeln!(out, "\n{title}")?;
    }
    for (name, number, explanation) in rows {
        writeln!(out, "  {name:<24}{:>16}  {explanation}", output::count(number))?;
    }
    Ok(())
}
