//! Thousands of generated requests, to Zeroserve and to nginx with the same files: whatever differs
//! has an explanation in `zeroserve_tests::differential::explained`, or is a bug.
//!
//! `DIFFERENTIAL_REQUESTS` says how many, `DIFFERENTIAL_SEED` which.

use std::{
    fs,
    io::Write,
    net::SocketAddr,
    path::Path,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use zeroserve_tests::{
    Host, Nginx,
    differential::{
        Exchange, ask,
        explained::{EXPLAINED, explain},
        generate::{self, PATHS, TAG},
        strict::malformed,
    },
    exchange::Answer,
    lab::noise,
    nginx, numbered,
};

/// How many requests are compared if nothing else is said.
const REQUESTS: usize = 5000;

/// Which, if nothing else is said.
const SEED: u64 = 7;

/// Most unexplained differences that are shown.
const SHOWN: usize = 60;

/// The settings of nginx.
const SETTINGS: &str = include_str!("../nginx-differential.conf");

/// Writes the files, and beside them compressed ones for nginx alone.
fn write_site(host: &Host) -> Result<()> {
    let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    for (name, content) in [
        ("index.html", b"<!doctype html>\n<h1>Home</h1>\n".to_vec()),
        ("docs/index.html", b"<!doctype html>\n<h1>Docs</h1>\n".to_vec()),
        ("small.txt", b"small\n".to_vec()),
        ("a b.txt", b"spaces\n".to_vec()),
        ("ruler.txt", numbered(10_000)),
        ("noise.bin", noise(1, 20_000)),
    ] {
        for folder in ["ours", "theirs"] {
            let file = host.write(&format!("{folder}/{name}"), &content)?;
            fs::File::options().write(true).open(file)?.set_modified(modified)?;
        }
    }
    // Only of what Zeroserve compresses, too.
    let mut gzip = flate2::GzBuilder::new().write(Vec::new(), flate2::Compression::best());
    gzip.write_all(&numbered(10_000))?;
    let file = host.write("theirs/ruler.txt.gz", &gzip.finish()?)?;
    fs::File::options().write(true).open(file)?.set_modified(modified)?;
    Ok(())
}

/// The entity tag of each path.
fn tags(address: SocketAddr) -> Result<Vec<String>> {
    let tag = |path: &&str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n");
        let answer = ask(address, request.as_bytes())?.context("no answer")?;
        let tag = if answer.status != 200 { Some("\"none\"") } else { answer.field("ETag") };
        Ok(tag.with_context(|| format!("{path}: {answer:?}"))?.to_owned())
    };
    PATHS.iter().map(tag).collect()
}

/// The request with the tag of its path.
fn with_tag(request: &generate::Request, tags: &[String]) -> Vec<u8> {
    let index = PATHS.iter().position(|path| *path == request.path).unwrap_or(0);
    let mut bytes = request.bytes.clone();
    while let Some(at) = bytes.windows(TAG.len()).position(|window| window == TAG.as_bytes()) {
        bytes.splice(at..at + TAG.len(), tags[index].bytes());
    }
    bytes
}

/// Whether two answers are one but for the time.
fn same(one: Option<&Answer>, other: Option<&Answer>) -> bool {
    let without_date = |answer: &Answer| {
        let mut answer = answer.clone();
        answer.fields.retain(|(name, _)| !name.eq_ignore_ascii_case("Date"));
        answer
    };
    one.map(without_date) == other.map(without_date)
}

fn variable<T: std::str::FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

#[test]
fn whatever_differs_from_nginx_has_an_explanation() -> Result<()> {
    let host = Host::new()?;
    write_site(&host)?;
    host.json(&["serve", "IFACE", "--root", "DIR/ours"])?;
    let (server, client) = (&host.network.server, &host.network.client);
    let folder = host.folder.path();
    let theirs_site: &Path = &folder.join("theirs");
    let _nginx = Nginx::start_with(SETTINGS, server, &folder.join("nginx"), theirs_site)?;
    let (ours, theirs) = (host.network.server_at(80), host.network.server_at(nginx::PORT));
    let requests = variable("DIFFERENTIAL_REQUESTS", REQUESTS);
    let seed = variable("DIFFERENTIAL_SEED", SEED);
    let mut random = Rng::with_seed(seed);
    let mut explained = vec![0_usize; EXPLAINED.len()];
    let mut unexplained = Vec::new();
    let (mut alike, mut ignored) = (0, 0);
    client.run(|| -> Result<()> {
        let (our_tags, their_tags) = (tags(ours)?, tags(theirs)?);
        for _ in 0..requests {
            let request = generate::request(&mut random);
            let sent = with_tag(&request, &our_tags);
            let shown = || sent.escape_ascii().to_string();
            let exchange = Exchange {
                ours: ask(ours, &sent).with_context(|| format!("zeroserve, asked {}", shown()))?,
                theirs: ask(theirs, &with_tag(&request, &their_tags))
                    .with_context(|| format!("nginx, asked {}", shown()))?,
                request: sent.clone(),
            };
            if let (Some(mistake), Some(answer)) = (malformed(&sent), &exchange.ours) {
                ensure!(answer.status >= 400, "{mistake} was let pass: {}", shown());
            }
            if let Some(coding) =
                exchange.ours.as_ref().and_then(|ours| ours.field("Content-Encoding"))
            {
                let accepted = exchange.quality(coding);
                ensure!(accepted > 0, "{coding} was not asked for: {}", shown());
                let plain = exchange.mentioned_quality("identity").unwrap_or(0);
                ensure!(accepted >= plain, "identity is preferred to {coding}: {}", shown());
            }
            if let (None, Some(left)) = (malformed(&sent), exchange.without_ignored()) {
                let again = ask(ours, &left)?;
                let is_same = same(exchange.ours.as_ref(), again.as_ref());
                ensure!(is_same, "what must be ignored is not: {}, {again:?}", shown());
                ignored += 1;
            }
            let differences = exchange.differences();
            alike += usize::from(differences.is_empty());
            for difference in differences {
                match explain(&exchange, &difference) {
                    Some(index) => explained[index] += 1,
                    None => unexplained.push(format!("{difference:?}: {}", shown())),
                }
            }
        }
        Ok(())
    })??;
    println!("{requests} requests, {alike} answered alike, {ignored} with fields to be ignored");
    for (entry, count) in EXPLAINED.iter().zip(&explained) {
        println!("{count:6} {}: {}", entry.name, entry.why);
    }
    let count = unexplained.len();
    unexplained.truncate(SHOWN);
    assert!(count == 0, "{count} without an explanation:\n{}", unexplained.join("\n"));
    assert!(alike > requests / 2, "so few are alike that little was compared");
    // Of other requests, some entries may have none.
    for (entry, count) in EXPLAINED.iter().zip(explained) {
        let is_usual = seed == SEED && requests >= REQUESTS;
        assert!(count > 0 || !is_usual, "nothing is explained by: {}", entry.name);
    }
    Ok(())
}
