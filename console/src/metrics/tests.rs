//! What is written is what was counted, as a parser of somebody else's reads it.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, SystemTime},
};

use serde_json::Value;
use zerocopy::FromBytes as _;
use zeroserve_shared::{counters::Counters, reason::Reason};

use super::{Endpoint, Format, Reading};
use crate::{
    content::Rendered,
    record::{Recording, Replay, encoder::Encoder, frame, sample::columns},
    server::{Change, Sample, Server as _},
    simulated::{Event, Simulated},
};

/// Reads metrics with Debian's python3-prometheus-client and prints what it understood.
const PARSER: &str = r#"
import json, sys
text = sys.stdin.read()
if sys.argv[1] == "openmetrics":
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
else:
    from prometheus_client.parser import text_string_to_metric_families
families = {}
for family in text_string_to_metric_families(text):
    assert family.name not in families, family.name
    families[family.name] = {
        "type": family.type, "unit": family.unit, "help": family.documentation,
        "samples": [[s.name, s.labels, s.value] for s in family.samples],
    }
json.dump(families, sys.stdout)
"#;

fn parsed(format: &str, text: &str) -> Value {
    // Debian's own Python has Debian's packages, whichever other comes first on the path.
    let mut python = Command::new("/usr/bin/python3")
        .args(["-c", PARSER, format])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("/usr/bin/python3, which tests/run installs");
    python.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "the parser (of python3-prometheus-client, which tests/run installs) refused:\n{text}"
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A busy server, and its sample as the metrics see it.
fn busy(limit: usize) -> (Reading, Sample) {
    let server = || {
        let fault = Event::Leaving(Reason::FlowTableFull, 40);
        let mut server = Simulated::new(1).with_more_routes(30).with(3, fault);
        for _ in 0..20 {
            server.sample().unwrap();
        }
        server
    };
    (Reading::new(&mut server(), limit).unwrap(), server().sample().unwrap())
}

/// The sum of a family over the samples with a label.
fn sum(families: &Value, family: &str, label: &str) -> f64 {
    let samples = families[family]["samples"].as_array().unwrap();
    assert!(!samples.is_empty(), "{family} is empty");
    let has = |sample: &&Value| label.is_empty() || sample[1].get(label).is_some();
    samples.iter().filter(has).map(|sample| sample[2].as_f64().unwrap()).sum()
}

#[test]
fn a_parser_of_openmetrics_finds_every_counter_with_help_and_unit() {
    let (reading, sample) = busy(1000);
    let text = Format::OpenMetrics.write(reading);
    assert!(text.ends_with("\n# EOF\n"));
    let families = parsed("openmetrics", &text);
    let totals = sample.totals();
    for (family, unit, label, value) in [
        ("zeroserve_received_packets", "packets", "cpu", totals.packets_in),
        ("zeroserve_received_bytes", "bytes", "cpu", totals.bytes_in),
        ("zeroserve_sent_packets", "packets", "cpu", totals.packets_out),
        ("zeroserve_sent_bytes", "bytes", "cpu", totals.bytes_out),
        ("zeroserve_answered_requests", "requests", "cpu", totals.requests),
        ("zeroserve_verdict_packets", "packets", "verdict", totals.packets_in),
        ("zeroserve_reason_packets", "packets", "reason", totals.reasons.iter().sum()),
        ("zeroserve_egress_clones", "clones", "outcome", totals.egress.iter().sum()),
        ("zeroserve_refused_requests", "requests", "refusal", totals.refusals.iter().sum()),
        ("zeroserve_answered_handshakes", "handshakes", "", totals.handshakes),
        ("zeroserve_created_flows", "flows", "", totals.flows_created),
        ("zeroserve_removed_flows", "flows", "", totals.flows_removed),
        ("zeroserve_narrowed_flows", "flows", "", totals.flows_narrowed),
        ("zeroserve_handed_off_connections", "connections", "", totals.handed_off),
        ("zeroserve_handoffs_failed_connections", "connections", "", totals.handoffs_failed),
        ("zeroserve_repaired_segments", "segments", "", totals.segments_repaired),
    ] {
        assert_eq!(families[family]["type"], "counter", "{family}");
        assert_eq!(families[family]["unit"], unit, "{family}");
        assert_eq!(sum(&families, family, label), value as f64, "{family}");
    }
    for (name, family) in families.as_object().unwrap() {
        assert!(family["help"].as_str().unwrap().ends_with('.'), "{name} has no help");
        let samples = family["samples"].as_array().unwrap();
        assert!(samples.iter().all(|sample| sample[1]["interface"] == "eth0"), "{name}");
    }
    assert_eq!(sum(&families, "zeroserve_attach_time_seconds", ""), 1_760_000_000.0);
}

#[test]
fn no_counter_is_left_out() {
    let words = size_of::<Counters>() as u64 / 8;
    let bytes: Vec<u8> = (0..words).flat_map(|word| (700_001 + word).to_ne_bytes()).collect();
    let counters = Counters::read_from_bytes(&bytes).unwrap();
    let mut file = frame::header().to_vec();
    let mut encoder = Encoder::default();
    encoder.start(&mut file, Simulated::new(1).identity());
    let sample =
        Sample { taken: Duration::ZERO, cpus: vec![counters], hits: vec![], routes_revision: 1 };
    encoder.sample(&mut file, SystemTime::UNIX_EPOCH, &sample, None);
    let mut server = Replay::new(Recording::read(Path::new("a.zsr"), file).unwrap());
    let text = Format::OpenMetrics.write(Reading::new(&mut server, 1).unwrap());
    for (word, name) in columns().iter().enumerate() {
        let value = 700_001 + word as u64;
        assert!(text.contains(&format!(" {value}\n")), "{value}, about {name}, is not in\n{text}");
    }
}

#[test]
fn hits_of_paths_and_of_other_answers_add_up_to_requests() {
    let (reading, sample) = busy(1000);
    let families = parsed("openmetrics", &Format::OpenMetrics.write(reading));
    let answered = sum(&families, "zeroserve_route_requests", "path")
        + sum(&families, "zeroserve_fixed_answer_requests", "answer");
    assert_eq!(answered, sample.totals().requests as f64);
    let delivered = sum(&families, "zeroserve_route_delivered_bytes", "path")
        + sum(&families, "zeroserve_fixed_answer_delivered_bytes", "answer");
    let expected: u64 = sample.hits.iter().map(|(_, hits)| hits.delivered_bytes).sum();
    assert_eq!(delivered, expected as f64);
}

#[test]
fn routes_beyond_the_limit_have_no_series_and_are_counted() {
    let (reading, _) = busy(7);
    let families = parsed("openmetrics", &Format::OpenMetrics.write(reading));
    let routes = families["zeroserve_route_requests"]["samples"].as_array().unwrap();
    assert_eq!(routes.len(), 7);
    assert_eq!(sum(&families, "zeroserve_routes", ""), 50.0);
    assert_eq!(sum(&families, "zeroserve_routes_without_series", ""), 43.0);
}

#[test]
fn the_older_format_says_the_same() {
    let (reading, sample) = busy(1000);
    let text = Format::Prometheus.write(reading.clone());
    assert!(!text.contains("# EOF") && !text.contains("# UNIT"));
    let older = parsed("prometheus", &text);
    let newer = parsed("openmetrics", &Format::OpenMetrics.write(reading));
    // This parser, too, takes `_total` off the name of a counter.
    assert_eq!(older["zeroserve_received_packets"]["type"], "counter");
    let received = sum(&older, "zeroserve_received_packets", "cpu");
    assert_eq!(received, sample.totals().packets_in as f64);
    let count = |families: &Value| {
        let samples = |family: &Value| family["samples"].as_array().unwrap().len();
        families.as_object().unwrap().values().map(samples).sum::<usize>()
    };
    assert_eq!(count(&older), count(&newer));
}

#[test]
fn paths_with_every_odd_character_arrive_as_they_are() {
    let mut server = Simulated::new(1);
    let path = "/a \"quoted\" \\ path/\u{e9}\u{1F600}";
    let rendered = Rendered::ok("text/plain".into(), b"x", None);
    server.apply(Change::Add(path.parse().unwrap(), Arc::new(rendered))).unwrap();
    let reading = Reading::new(&mut server, 1000).unwrap();
    for (name, format) in [("openmetrics", Format::OpenMetrics), ("prometheus", Format::Prometheus)]
    {
        let families = parsed(name, &format.write(reading.clone()));
        let samples = families["zeroserve_route_requests"]["samples"].as_array().unwrap();
        assert!(samples.iter().any(|sample| sample[1]["path"] == path), "{name}");
    }
}

#[test]
fn a_path_of_one_host_only_has_that_host_beside_it() {
    let mut server = Simulated::new(1);
    let rendered = Arc::new(Rendered::ok("text/plain".into(), b"x", None));
    for path in ["//a.example/page", "//b.example/page", "/page"] {
        server.apply(Change::Add(path.parse().unwrap(), Arc::clone(&rendered))).unwrap();
    }
    let text = Format::OpenMetrics.write(Reading::new(&mut server, 1000).unwrap());
    let families = parsed("openmetrics", &text);
    let samples = families["zeroserve_route_requests"]["samples"].as_array().unwrap();
    let pages = samples.iter().filter(|sample| sample[1]["path"] == "/page");
    let hosts: Vec<_> = pages.map(|sample| sample[1]["host"].as_str()).collect();
    assert_eq!(hosts, [Some("a.example"), Some("b.example"), None]);
}

#[test]
fn the_reader_gets_the_format_it_asks_for() {
    let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,\
                      application/openmetrics-text;version=0.0.1;q=0.4,\
                      text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    for (accept, format) in [
        (prometheus, Format::OpenMetrics),
        ("application/openmetrics-text", Format::OpenMetrics),
        ("text/plain;q=0.9, application/openmetrics-text;q=0.1", Format::Prometheus),
        ("application/openmetrics-text;q=0", Format::Prometheus),
        ("text/plain", Format::Prometheus),
        ("*/*", Format::Prometheus),
        ("", Format::Prometheus),
    ] {
        assert_eq!(Format::negotiate(accept), format, "{accept}");
    }
}

/// Sends a request and returns head and body of the answer.
fn ask(address: SocketAddr, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_ascii_lowercase(), body.to_owned())
}

#[test]
fn over_http_each_scrape_is_read_anew_and_a_lost_server_is_no_success() {
    let endpoint = Endpoint::listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = endpoint.address().unwrap();
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let server = thread::spawn(move || {
        let mut server = Simulated::new(1).with(3, Event::Lost("it was stopped".into()));
        let source = move || Reading::new(&mut server, 1000);
        endpoint.serve(source, async { drop(ended.await) }).unwrap();
    });
    let get = |path: &str, accept: &str| {
        let head = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n");
        ask(address, &format!("{head}Accept: {accept}\r\n\r\n"))
    };
    let (head, body) = get("/metrics", "application/openmetrics-text");
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
    let first = sum(&parsed("openmetrics", &body), "zeroserve_answered_requests", "");
    let (head, body) = get("/metrics", "*/*");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    let second = sum(&parsed("prometheus", &body), "zeroserve_answered_requests", "");
    assert!(second > first);
    let (head, body) = get("/metrics", "*/*");
    assert!(head.starts_with("http/1.1 503") && body.contains("it was stopped"), "{head} {body}");
    assert!(get("/", "*/*").0.starts_with("http/1.1 200"));
    assert!(get("/else", "*/*").0.starts_with("http/1.1 404"));
    let post =
        "POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let (head, _) = ask(address, post);
    assert!(head.starts_with("http/1.1 405") && head.contains("allow: get, head"), "{head}");
    end.send(()).unwrap();
    server.join().unwrap();
}
