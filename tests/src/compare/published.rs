//! What README shows of a benchmark: tables and a chart, made from the JSON that it wrote.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use serde_json::Value;

use super::report::Spread;

/// Around README's tables.
const MARKS: [&str; 2] = [
    "<!-- Made by tests/benchmark from assets/benchmark.json. -->\n",
    "<!-- End of what tests/benchmark made. -->\n",
];

/// The server that others are compared with.
const REFERENCE: &str = "nginx";
/// This one.
const OURS: &str = "zeroserve";
/// The reference behind this one.
const BEHIND: &str = "behind";

/// The workload in which client and server share a CPU.
const ONE_CORE: &str = "one-core";
/// Those at half of a peak, of which latency is what counts.
const HALVES: [&str; 2] = ["half-of-nginx", "half-of-own"];

/// What was measured, workload by workload in their order.
struct Benchmark<'a> {
    all: &'a Value,
    servers: Vec<&'a str>,
    /// Name and description.
    workloads: Vec<(&'a str, &'a str)>,
}

impl<'a> Benchmark<'a> {
    fn of(all: &'a Value) -> Result<Self> {
        let (mut servers, mut workloads) = (Vec::new(), Vec::new());
        for one in all["results"].as_array().context("there are no results")? {
            let text = |key: &str| one[key].as_str().with_context(|| format!("no {key}: {one}"));
            let (server, workload) = (text("server")?, (text("workload")?, text("about")?));
            if server != BEHIND && !servers.contains(&server) {
                servers.push(server);
            }
            if !workloads.contains(&workload) {
                workloads.push(workload);
            }
        }
        Ok(Self { all, servers, workloads })
    }

    /// The median of a figure, which `pointer` leads to.
    fn median(&self, workload: &str, server: &str, pointer: &str) -> Option<f64> {
        let results = self.all["results"].as_array()?;
        let one =
            results.iter().find(|one| one["workload"] == workload && one["server"] == server)?;
        one.pointer(pointer)?["median"].as_f64()
    }

    fn per_core(&self, workload: &str, server: &str) -> Option<f64> {
        self.median(workload, server, "/requests_per_server_core_s")
    }

    /// Requests per core, over those of the reference.
    fn over_reference(&self, workload: &str, server: &str) -> Option<f64> {
        self.median(workload, server, "/requests_per_core_over_nginx")
    }

    /// Workloads of which throughput counts.
    fn throughputs(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let is_one =
            |name: &str| name != ONE_CORE && !HALVES.contains(&name) && !self.is_behind(name);
        self.workloads.iter().copied().filter(move |(name, _)| is_one(name))
    }

    /// Whether a workload compares a server with the same behind this one.
    fn is_behind(&self, workload: &str) -> bool {
        self.per_core(workload, BEHIND).is_some()
    }

    fn about(&self, key: &str) -> String {
        self.all["about"][key].as_str().unwrap_or("unknown").to_owned()
    }
}

/// README's tables, in Markdown.
///
/// # Errors
///
/// Where the JSON is not that of a benchmark.
pub fn tables(all: &Value) -> Result<String> {
    let benchmark = Benchmark::of(all)?;
    let mut text = String::new();
    throughput_table(&benchmark, &mut text)?;
    behind_table(&benchmark, &mut text)?;
    for half in HALVES {
        latency_table(&benchmark, half, &mut text)?;
    }
    sentences(&benchmark, &mut text)?;
    Ok(text)
}

fn behind_table(benchmark: &Benchmark<'_>, text: &mut String) -> Result<()> {
    let mut workloads = benchmark.workloads.iter().filter(|(name, _)| benchmark.is_behind(name));
    let Some(first) = workloads.next() else { return Ok(()) };
    writeln!(
        text,
        "The same where {REFERENCE} answers what is asked for, alone or behind {OURS}:\n"
    )?;
    writeln!(text, "| | {REFERENCE} alone | {REFERENCE} behind {OURS} | behind over alone |")?;
    writeln!(text, "|---|---|---|---|")?;
    for (workload, about) in [first].into_iter().chain(workloads) {
        let [alone, behind] = [REFERENCE, BEHIND].map(|one| benchmark.per_core(workload, one));
        let ratio = benchmark.over_reference(workload, BEHIND);
        let ratio = ratio.map_or_else(|| "-".into(), |ratio| format!("{ratio:.2}x"));
        writeln!(text, "| {about} | {} | {} | {ratio} |", shown(alone), shown(behind))?;
    }
    Ok(writeln!(text)?)
}

fn throughput_table(benchmark: &Benchmark<'_>, text: &mut String) -> Result<()> {
    let servers = &benchmark.servers;
    writeln!(text, "Requests in a second for each core of the server:\n")?;
    writeln!(text, "| | {} | {OURS} over {REFERENCE} |", servers.join(" | "))?;
    writeln!(text, "|---|{}---|", "---|".repeat(servers.len()))?;
    for (workload, about) in benchmark.throughputs() {
        write!(text, "| {about} |")?;
        for server in servers {
            write!(text, " {} |", shown(benchmark.per_core(workload, server)))?;
        }
        writeln!(text, " {} |", times(benchmark.over_reference(workload, OURS)))?;
    }
    Ok(writeln!(text)?)
}

fn latency_table(benchmark: &Benchmark<'_>, workload: &str, text: &mut String) -> Result<()> {
    let named = benchmark.workloads.iter().find(|(name, _)| *name == workload);
    let Some((_, about)) = named else { return Ok(()) };
    let longest = |server: &str| benchmark.median(workload, server, "/latency_us/p99.9");
    writeln!(text, "Latency in microseconds, {about}:\n")?;
    writeln!(text, "| | requests/s | p50 | p99 | p99.9 | p99.9 over that of {OURS} |")?;
    writeln!(text, "|---|---|---|---|---|---|")?;
    for server in &benchmark.servers {
        let shown = |pointer: &str| shown(benchmark.median(workload, server, pointer));
        writeln!(
            text,
            "| {server} | {} | {} | {} | {} | {} |",
            shown("/requests_per_s"),
            shown("/latency_us/p50"),
            shown("/latency_us/p99"),
            shown("/latency_us/p99.9"),
            times(longest(server).zip(longest(OURS)).map(|(one, other)| one / other))
        )?;
    }
    // Before the rounds of each server; this machine's affair, whichever it was.
    let waits: Vec<f64> = benchmark
        .servers
        .iter()
        .filter_map(|server| benchmark.median(workload, server, "/machine_p99.9_us"))
        .collect();
    if !waits.is_empty() {
        let wait = Spread::of(waits).median;
        let ratio = times(longest(OURS).map(|ours| wait / ours));
        writeln!(text, "| the machine itself | | | | {} | {ratio} |", rounded(wait))?;
    }
    Ok(writeln!(text)?)
}

fn sentences(benchmark: &Benchmark<'_>, text: &mut String) -> Result<()> {
    let rates = |workload: &str| -> Vec<String> {
        let rate = |server: &&str| {
            let rate = benchmark.median(workload, server, "/requests_per_s")?;
            Some(format!("{server} {}", rounded(rate)))
        };
        benchmark.servers.iter().filter_map(rate).collect()
    };
    let one_core = rates(ONE_CORE);
    if !one_core.is_empty() {
        let all = one_core.join(", ");
        writeln!(text, "Requests in a second of client and server together on one CPU: {all}.\n")?;
    }
    let results = benchmark.all["results"].as_array().into_iter().flatten();
    let kept = results.filter_map(|one| {
        let part = one["part_of_load_kept"].as_f64()? * 100.0;
        Some(format!("{} {part:.0} %", one["server"].as_str()?))
    });
    let kept = kept.collect::<Vec<_>>().join(", ");
    if !kept.is_empty() {
        writeln!(text, "Part of the load that is left beside a flood of SYNs: {kept}.\n")?;
    }
    writeln!(
        text,
        "{}; {}, a {} build. Medians of {} rounds of {} s.",
        benchmark.about("machine"),
        benchmark.about("date"),
        benchmark.about("build"),
        benchmark.all["about"]["rounds"],
        benchmark.all["about"]["seconds"],
    )?;
    Ok(())
}

/// README with these tables.
///
/// # Errors
///
/// Where it has no place for them.
pub fn with_tables(readme: &str, tables: &str) -> Result<String> {
    let place = "README.md has no place for the tables";
    let (before, rest) = readme.split_once(MARKS[0]).context(place)?;
    let (_, after) = rest.split_once(MARKS[1]).context(place)?;
    Ok(format!("{before}{}\n{tables}\n{}{after}", MARKS[0], MARKS[1]))
}

/// A figure with three digits that count, and commas.
fn rounded(figure: f64) -> String {
    if figure < 100.0 {
        return if figure < 10.0 { format!("{figure:.1}") } else { format!("{figure:.0}") };
    }
    let step = 10f64.powf(figure.log10().floor() - 2.0);
    let digits = format!("{:.0}", (figure / step).round() * step);
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn shown(figure: Option<f64>) -> String {
    figure.map_or_else(|| "-".into(), rounded)
}

fn times(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "-".into(), |ratio| format!("{ratio:.1}x"))
}

/// Sizes of the chart, in user units.
const LEFT: f64 = 400.0;
const RIGHT: f64 = 40.0;
const TOP: f64 = 64.0;
const ROW: f64 = 26.0;
const WIDTH: f64 = 960.0;
const BOTTOM: f64 = 40.0;

/// A colour for each server, in their order; they differ in lightness, too.
const COLOURS: [&str; 4] = ["#c2410c", "#15803d", "#1d4ed8", "#7e22ce"];

/// The chart: a row for each workload, a dot for each server, on a logarithmic scale.
///
/// # Errors
///
/// Where the JSON is not that of a benchmark.
pub fn chart(all: &Value) -> Result<String> {
    let benchmark = Benchmark::of(all)?;
    let rows: Vec<_> = benchmark.throughputs().collect();
    let figures = rows.iter().flat_map(|(workload, _)| {
        let figure = |server: &&str| benchmark.per_core(workload, server);
        benchmark.servers.iter().filter_map(figure).collect::<Vec<_>>()
    });
    let figures: Vec<f64> = figures.filter(|figure| *figure > 0.0).collect();
    let least = figures.iter().copied().min_by(f64::total_cmp).context("there are no figures")?;
    let most = figures.iter().copied().max_by(f64::total_cmp).unwrap_or(least);
    // Whole powers of ten.
    let (first, last) =
        (least.log10().floor(), most.log10().ceil().max(least.log10().floor() + 1.0));
    let x = |figure: f64| LEFT + (figure.log10() - first) / (last - first) * (WIDTH - LEFT - RIGHT);
    let height = TOP + rows.len() as f64 * ROW + BOTTOM;
    let mut svg = String::new();
    let title = "Requests in a second for each core of the server, by workload";
    writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         font-family=\"system-ui,sans-serif\" font-size=\"13\" fill=\"#1f2937\">\n\
         <title>{title}</title>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" rx=\"6\" fill=\"#ffffff\"/>\n\
         <text x=\"20\" y=\"26\" font-size=\"15\" font-weight=\"bold\">{title}</text>"
    )?;
    for (index, server) in benchmark.servers.iter().enumerate() {
        let (x, colour) = (20.0 + 110.0 * index as f64, COLOURS[index % COLOURS.len()]);
        writeln!(svg, "<circle cx=\"{}\" cy=\"44\" r=\"5\" fill=\"{colour}\"/>", x + 5.0)?;
        writeln!(svg, "<text x=\"{}\" y=\"48\">{server}</text>", x + 16.0)?;
    }
    let bottom = height - BOTTOM;
    for power in first as i32..=last as i32 {
        let (x, label) = (x(10f64.powi(power)), rounded(10f64.powi(power)));
        writeln!(svg, "<path d=\"M{x:.1} {TOP}V{bottom}\" stroke=\"#d1d5db\"/>")?;
        writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{label}</text>",
            bottom + 20.0
        )?;
    }
    for (index, (workload, about)) in rows.iter().enumerate() {
        let y = TOP + (index as f64 + 0.5) * ROW;
        let about = about.replace('&', "&amp;").replace('<', "&lt;");
        writeln!(svg, "<text x=\"20\" y=\"{:.1}\" font-size=\"11\">{about}</text>", y + 4.0)?;
        // Ours comes last, so that it is on top.
        for (index, server) in benchmark.servers.iter().enumerate().rev() {
            if let Some(figure) = benchmark.per_core(workload, server) {
                let (x, colour) = (x(figure), COLOURS[index % COLOURS.len()]);
                writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"{colour}\"/>")?;
            }
        }
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn benchmark() -> Value {
        let one = |server: &str, workload: &str, per_core: f64, over: f64, longest: f64| {
            json!({
                "requests_per_core_over_nginx": { "median": over },
                "server": server, "workload": workload, "about": format!("about {workload}"),
                "requests_per_s": { "median": per_core / 2.0 },
                "requests_per_server_core_s": { "median": per_core },
                "latency_us": {
                    "p50": { "median": 1.0 }, "p99": { "median": 2.0 }, "p99.9": { "median": longest },
                },
            })
        };
        json!({
            "about": { "machine": "a machine", "rounds": 3, "seconds": 1.0 },
            "results": [
                // Of rounds, not of their medians.
                one("zeroserve", "small", 2_000_000.0, 39.0, 10.0),
                one("nginx", "small", 50_000.0, 1.0, 500.0),
                one("zeroserve", "half-of-nginx", 0.0, 0.0, 10.0),
                one("nginx", "half-of-nginx", 0.0, 0.0, 500.0),
            ],
        })
    }

    #[test]
    fn tables_show_figures_and_ratios() {
        let text = tables(&benchmark()).expect("it is a benchmark");
        assert!(text.contains("| about small | 2,000,000 | 50,000 | 39.0x |"), "{text}");
        assert!(text.contains("| nginx | 0.0 | 1.0 | 2.0 | 500 | 50.0x |"), "{text}");
        assert!(text.contains("a machine"), "{text}");
    }

    #[test]
    fn tables_replace_those_that_were_there() {
        let readme = format!("before\n{}old\n{}after\n", MARKS[0], MARKS[1]);
        let new = with_tables(&readme, "new\n").expect("there is a place");
        assert!(new.contains("\nnew\n") && !new.contains("old"), "{new}");
        assert!(new.starts_with("before\n") && new.ends_with("after\n"), "{new}");
        assert_eq!(with_tables(&new, "new\n").expect("there still is"), new);
    }

    #[test]
    fn figures_have_three_digits_that_count() {
        assert_eq!(
            [0.34, 12.3, 123.4, 1_234.0, 65_432.0, 1_234_567.0].map(rounded),
            ["0.3", "12", "123", "1,230", "65,400", "1,230,000"]
        );
    }

    #[test]
    fn the_chart_has_a_dot_for_each_figure_and_for_each_server_in_the_key() {
        let svg = chart(&benchmark()).expect("it is a benchmark");
        assert_eq!(svg.matches("<circle").count(), 4, "{svg}");
    }
}
