//! Promoting: what a server behind answers is served here, as long as it may be and no longer.

use std::{
    collections::HashMap,
    fs,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, Result, ensure};
use zeroserve_shared::{config::OnMiss, reason::Reason, refusal::Refusal, route::Encoding};
use zeroserve_tests::{
    binary::{self, Terminal},
    front::Front,
    lab::{check_books, noise},
    promotion::{Answer, Watch, front, get, run, write},
};
use zeroserve_tui::{
    content::{Copied, Rendered, Representation},
    kernel::{Live, MissChoice},
    server::{Change, Server},
};

/// The lifetime that the server gives what is below `/short/`.
const SHORT: Duration = Duration::from_secs(2);

/// A client's own requests, and those of the console, as the log has them.
const CLIENT: &str = "198.18.0.2 ";

/// How many of the client's requests nginx has logged by path, once it has logged a last one.
fn logged(front: &Front, mark: &str) -> Result<HashMap<String, usize>> {
    get(front, mark, "")?;
    let file = front.folder.path().join("access.log");
    let own = |line: &&str| line.starts_with(CLIENT);
    let is_mark = |line: &str| line.contains(&format!(" {mark} "));
    binary::wait_until("nginx logs", || Ok(fs::read_to_string(&file)?.lines().any(is_mark)))?;
    let mut counts = HashMap::new();
    for line in fs::read_to_string(&file)?.lines().filter(own) {
        let path = line.split(' ').nth(2).context("a path")?.to_owned();
        *counts.entry(path).or_default() += 1;
    }
    Ok(counts)
}

#[test]
fn a_promoted_path_is_answered_as_the_server_does_and_never_reaches_it() -> Result<()> {
    let script = "let hot = 1; // and again\n".repeat(400);
    let (front, mut live) = front(&[("app.js", script.as_bytes()), ("cold.js", b"cold")])?;
    let accepts_gzip = "Accept-Encoding: gzip\r\n";
    let plain = get(&front, "/app.js", "")?;
    let mut connection = front.connect()?;
    // nginx sends what it compresses in chunks; the console's own client reads those.
    drop(connection.get("/cold.js")?);
    let misses = live.misses()?;
    assert_eq!(misses[0].path, "//198.18.0.1/app.js".parse()?);
    assert_eq!(misses[0].requests, 1);

    let promoted = run(&front, &["promote", "IFACE", "/app.js"], 0)?;
    assert_eq!((&promoted["done"], &promoted["status"]), (&"promoted".into(), &200.into()));
    assert_eq!(promoted["path"], "//198.18.0.1/app.js");
    assert!(promoted["encodings"]["gzip"].as_u64().is_some(), "{promoted}");
    let before = live.sample()?.totals();
    for _ in 0..50 {
        let copy = get(&front, "/app.js", "")?;
        assert_eq!((copy.status, &copy.body), (200, &plain.body));
        for name in ["etag", "last-modified", "content-type", "cache-control", "server", "vary"] {
            assert_eq!(copy.field(name), plain.field(name), "{name}");
        }
        let age_s: u64 = copy.field("age").context("no Age")?.parse()?;
        assert!(age_s < 60, "{age_s}");
    }
    let zipped = get(&front, "/app.js", accepts_gzip)?;
    assert_eq!(zipped.field("content-encoding"), Some("gzip"));
    assert_eq!(unzipped(&zipped.body)?, plain.body);
    let tag = plain.field("etag").context("a tag")?;
    let unchanged = get(&front, "/app.js", &format!("If-None-Match: {tag}\r\n"))?;
    assert_eq!((unchanged.status, unchanged.field("etag")), (304, Some(tag)));
    assert_eq!(unchanged.field("cache-control"), plain.field("cache-control"));
    let part = get(&front, "/app.js", "Range: bytes=4-6\r\n")?;
    assert_eq!((part.status, &part.body[..]), (206, &b"hot"[..]));
    assert_eq!(part.field("content-range"), Some(&*format!("bytes 4-6/{}", plain.body.len())));
    let totals = live.sample()?.totals();
    assert_eq!(totals.requests - before.requests, 53);
    // Two from before.
    let counts = logged(&front, "/cold.js")?;
    assert_eq!(counts, HashMap::from([("/app.js".into(), 1), ("/cold.js".into(), 2)]));

    // What a copy is no answer to.
    for (path, fields) in [
        ("/app.js?v=2", ""),
        ("/app.js", "Authorization: Basic eDp5\r\n"),
        ("//app.js", ""),
        ("/%61pp.js", ""),
    ] {
        let answer = get(&front, path, fields)?.body;
        assert_eq!(answer, plain.body, "{path} {fields}");
    }
    let mut connection = front.connect()?;
    connection.send(b"GET /app.js HTTP/1.1\r\nHost: other.example\r\n\r\n")?;
    assert_eq!(connection.receive(true)?.body, plain.body);
    assert_eq!(live.sample()?.totals().requests, totals.requests);

    let demoted = run(&front, &["demote", "IFACE", "/app.js"], 0)?;
    assert_eq!(demoted["done"], "demoted");
    let again = get(&front, "/app.js", "")?;
    assert_eq!((again.field("age"), &again.body), (None, &plain.body));
    assert_eq!(run(&front, &["demote", "IFACE", "/app.js"], 4)?["error"]["kind"], "not-promoted");
    check_books(&live.sample()?.totals());
    Ok(())
}

fn unzipped(bytes: &[u8]) -> Result<Vec<u8>> {
    use std::io::Read as _;
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut text)?;
    Ok(text)
}

#[test]
fn what_is_not_for_every_client_is_refused_with_the_reason() -> Result<()> {
    let folders = ["no-store", "private", "cookie", "vary", "silent"];
    let files: Vec<_> = folders.iter().map(|folder| format!("{folder}/a.txt")).collect();
    let files: Vec<_> = files.iter().map(|name| (name.as_str(), &b"a"[..])).collect();
    let (mut front, mut live) = front(&files)?;
    for (path, word) in [
        ("/no-store/a.txt", "no-store"),
        ("/private/a.txt", "private"),
        ("/cookie/a.txt", "cookie"),
        ("/vary/a.txt", "Vary: cookie"),
        ("/silent/a.txt", "--ttl"),
        ("/missing", "404"),
    ] {
        let failure = run(&front, &["promote", "IFACE", path], 4)?;
        assert_eq!(failure["error"]["kind"], "not-promotable", "{failure}");
        let message = failure["error"]["message"].as_str().context("no message")?;
        assert!(message.contains(word) && message.contains(path), "{path}: {message}");
    }
    assert!(live.routes()?.iter().all(|route| route.copy.is_none()));
    let promoted = run(&front, &["promote", "IFACE", "/silent/a.txt", "--ttl", "30s"], 0)?;
    assert_eq!(promoted["done"], "promoted");
    live.apply(Change::Add("//198.18.0.1/own".parse()?, zeroserve_tests::lab::rendered(b"own")))?;
    let taken = run(&front, &["promote", "IFACE", "/own"], 4)?;
    // It has never been asked for, so the host is the interface's address.
    assert_eq!(taken["error"]["kind"], "path-taken", "{taken}");
    front.stop_nginx();
    let nobody = run(&front, &["promote", "IFACE", "/silent/a.txt"], 4)?;
    assert_eq!(nobody["error"]["kind"], "server-not-answering", "{nobody}");
    Ok(())
}

/// Asks for a path on new connections until `is_done`; fails if what was there before is served to a
/// request that was sent later than `until`.
fn ask_until(
    front: &Front,
    path: &str,
    old: &[u8],
    until: Instant,
    mut is_done: impl FnMut(&Answer) -> Result<bool>,
) -> Result<()> {
    binary::wait_until(path, || {
        let sent = Instant::now();
        let answer = get(front, path, "")?;
        ensure!(answer.status == 200, "{answer:?}");
        if let Some(age) = answer.field("age") {
            let age = Duration::from_secs(age.parse()?);
            ensure!(age < SHORT, "{age:?} old, and served");
        }
        let late = sent.saturating_duration_since(until);
        ensure!(answer.body != old || late.is_zero(), "served {late:?} after its lifetime");
        is_done(&answer)
    })
}

#[test]
fn with_nobody_running_the_kernel_stops_serving_a_copy_when_its_lifetime_ends() -> Result<()> {
    let (front, mut live) = front(&[("short/a.txt", b"old")])?;
    run(&front, &["promote", "IFACE", "/short/a.txt"], 0)?;
    let until = Instant::now() + SHORT;
    assert!(get(&front, "/short/a.txt", "")?.field("age").is_some());
    write(&front, "short/a.txt", b"newer")?;
    ask_until(&front, "/short/a.txt", b"old", until, |answer| Ok(answer.body == b"newer"))?;
    // It stays so, and the copy is where it was.
    assert_eq!(get(&front, "/short/a.txt", "")?.body, b"newer");
    let totals = live.sample()?.totals();
    assert!(totals.reasons[Reason::CopyExpired as usize] >= 2, "{totals:?}");
    assert!(live.routes()?.iter().any(|route| route.copy.is_some()));
    check_books(&totals);
    // Promoted again, it is served again.
    assert_eq!(run(&front, &["promote", "IFACE", "/short/a.txt"], 0)?["done"], "refreshed");
    let answer = get(&front, "/short/a.txt", "")?;
    assert_eq!((answer.field("age").is_some(), &answer.body[..]), (true, &b"newer"[..]));
    Ok(())
}

#[test]
fn a_watched_copy_is_refreshed_follows_the_server_and_ends_with_its_watcher() -> Result<()> {
    let (front, mut live) = front(&[("short/a.txt", b"old")])?;
    let watch = Watch::start(&front, &["promote", "IFACE", "/short/a.txt"])?;
    binary::wait_until("it is promoted", || Ok(watch.has_said("promoted", "/short/a.txt")))?;
    binary::wait_until("it is refreshed", || Ok(watch.has_said("refreshed", "/short/a.txt")))?;
    write(&front, "short/a.txt", b"newer")?;
    let until = Instant::now() + SHORT;
    ask_until(&front, "/short/a.txt", b"old", until, |answer| {
        Ok(answer.body == b"newer" && answer.field("age").is_some())
    })?;
    binary::wait_until("it says so", || Ok(watch.has_said("replaced", "/short/a.txt")))?;
    drop(watch);
    let until = Instant::now() + SHORT;
    write(&front, "short/a.txt", b"the last one")?;
    ask_until(&front, "/short/a.txt", b"newer", until, |answer| {
        Ok(answer.body == b"the last one" && answer.field("age").is_none())
    })?;
    // What was asked for with conditions was not sent again.
    let log = fs::read_to_string(front.folder.path().join("access.log"))?;
    assert!(log.lines().any(|line| line.ends_with("/short/a.txt 304")), "{log}");
    check_books(&live.sample()?.totals());
    Ok(())
}

#[test]
fn a_console_promotes_with_a_key_refreshes_copies_while_it_runs_and_no_longer() -> Result<()> {
    let (front, mut live) = front(&[("short/a.txt", b"old")])?;
    // A miss, so that the console has something to list.
    get(&front, "/short/a.txt", "")?;
    let mut command = front.console(&["IFACE"]);
    command.env("XDG_STATE_HOME", front.folder.path().join("state"));
    command.env("XDG_CONFIG_HOME", front.folder.path().join("config"));
    let mut console = Terminal::sized(command, 132, 42)?;
    console.wait_for("SERVING")?;
    console.keys("p")?;
    console.wait_for("//198.18.0.1/short/a.txt")?;
    console.keys("\r")?;
    console.wait_for("Promote this?")?;
    console.keys("y")?;
    console.wait_for("promoted //198.18.0.1/short/a.txt")?;
    let first = copy_of(&mut live)?;
    binary::wait_until("it is refreshed", || Ok(copy_of(&mut live)? != first))?;
    write(&front, "short/a.txt", b"newer")?;
    let until = Instant::now() + SHORT;
    ask_until(&front, "/short/a.txt", b"old", until, |answer| {
        Ok(answer.body == b"newer" && answer.field("age").is_some())
    })?;
    console.keys("q")?;
    console.wait_for("leave it serving")?;
    console.keys("l")?;
    console.wait_for_end()?;
    let until = Instant::now() + SHORT;
    write(&front, "short/a.txt", b"the last one")?;
    ask_until(&front, "/short/a.txt", b"newer", until, |answer| {
        Ok(answer.body == b"the last one" && answer.field("age").is_none())
    })?;
    check_books(&live.sample()?.totals());
    Ok(())
}

/// The lifetime of the only copy.
fn copy_of(live: &mut Live) -> Result<Copied> {
    let routes = live.routes()?;
    routes.iter().find_map(|route| route.copy).context("no copy")
}

#[test]
fn rules_promote_what_is_asked_for_often_enough_within_their_memory() -> Result<()> {
    let (small, large, other) = (noise(1, 2_000), noise(2, 200_000), noise(3, 18_000));
    let files = [
        ("a/small.bin", &small[..]),
        ("a/large.bin", &large),
        ("a/other.bin", &other),
        ("b/small.bin", &small),
    ];
    let (front, mut live) = front(&files)?;
    let rules = front.folder.path().join("rules.toml");
    let text = "memory_bytes = 20000\n[[promote]]\npath = \"/a/**\"\nrequests_per_s = 0.1\n\
                [[promote]]\npath = \"/b/**\"\nrequests_per_s = 1e9\n";
    fs::write(&rules, text)?;
    let file = rules.display().to_string();
    let watch = Watch::start(&front, &["promote", "IFACE", "--rules", &file])?;
    binary::wait_until("both are judged", || {
        for path in ["/a/small.bin", "/a/large.bin", "/b/small.bin"] {
            assert_eq!(get(&front, path, "")?.status, 200);
        }
        Ok(watch.has_said("promoted", "/a/small.bin") && watch.has_said("failed", "/a/large.bin"))
    })?;
    let routes = live.routes()?;
    let copies: Vec<_> = routes.iter().filter(|route| route.copy.is_some()).collect();
    assert_eq!(copies.len(), 1);
    assert_eq!(copies[0].name.to_string(), "//198.18.0.1/a/small.bin");
    assert!(get(&front, "/a/small.bin", "")?.field("age").is_some());
    binary::wait_until("what is asked for more often takes its place", || {
        assert_eq!(get(&front, "/a/other.bin", "")?.status, 200);
        Ok(watch.has_said("demoted", "/a/small.bin") && watch.has_said("promoted", "/a/other.bin"))
    })?;
    assert!(get(&front, "/a/other.bin", "")?.field("age").is_some());
    assert!(get(&front, "/a/small.bin", "")?.field("age").is_none());
    fs::write(&rules, "[[promote]]\npath = \"/a\"\nrate = 3\n")?;
    let failure = run(&front, &["promote", "IFACE", "--watch", "--rules", &file], 4)?;
    assert_eq!(failure["error"]["kind"], "rules-not-valid", "{failure}");
    Ok(())
}

#[test]
fn alone_a_copy_past_its_lifetime_is_not_there_and_its_misses_are_counted_by_name() -> Result<()> {
    let front = Front::new()?;
    let mut live = front.attach(MissChoice::Always(OnMiss::Refuse))?;
    let identity = Representation {
        encoding: Encoding::Identity,
        fields: http::HeaderMap::new(),
        body: b"old".to_vec(),
    };
    let copied = Copied {
        expires: Duration::from_millis(1),
        born: SystemTime::now(),
        lifetime: Duration::from_secs(1),
        ttl: None,
    };
    let copy = Rendered::copy(&identity, &[], copied)?;
    live.apply(Change::Add("//198.18.0.1/a".parse()?, Arc::new(copy)))?;
    assert_eq!(get(&front, "/a", "")?.status, 404);
    assert_eq!(get(&front, "/b?c", "")?.status, 404);
    let totals = live.sample()?.totals();
    assert_eq!(totals.refusals[Refusal::CopyGone as usize], 1);
    let misses = live.misses()?;
    let counted: Vec<_> =
        misses.iter().map(|miss| (miss.path.to_string(), miss.requests, miss.particular)).collect();
    let expected = [("//198.18.0.1/a".to_owned(), 1, 0), ("//198.18.0.1/b".to_owned(), 0, 1)];
    assert_eq!(counted, expected);
    check_books(&totals);
    Ok(())
}
