//! In front of servers that are not nginx, as packaged: Caddy, and an application in Python. And a
//! browser that gets half of a page from either.

use std::{
    collections::HashMap,
    fmt::Write as _,
    fs,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use zeroserve_tests::{
    binary::wait_until,
    browser::Browser,
    front::{Front, PORT, digest, logged, request},
    lab::{check_books, noise},
    require_program,
};
use zeroserve_tui::{
    content::Site,
    kernel::{Live, MissChoice},
    net::listeners,
    server::{Change, RouteName, Server},
};

/// The client's address, as the servers have to log it.
const CLIENT: &str = "198.18.0.2";

/// How long a poll is left without an answer.
const POLL: Duration = Duration::from_secs(3);

/// A server behind, of one process. It ends when this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.kill().is_ok() {
            let _ = self.0.wait();
        }
    }
}

/// Starts a server, waits until it listens, and attaches in front of it.
fn start(front: &Front, mut server: Command) -> Result<(Running, Live)> {
    let errors = fs::File::create(front.folder.path().join("errors"))?;
    let child = server.stdin(Stdio::null()).stderr(errors).spawn().context("no server")?;
    let mut running = Running(child);
    wait_until("the server listens", || {
        if let Some(status) = running.0.try_wait()? {
            let errors = fs::read_to_string(front.folder.path().join("errors"))?;
            bail!("the server ended at once, {status}: {errors}");
        }
        Ok(front.network.server.run(|| listeners::socket(PORT, &[]))??.is_some())
    })?;
    Ok((running, front.attach(MissChoice::Auto)?))
}

/// A network with Caddy, and a Zeroserve in front of it.
fn with_caddy() -> Result<(Front, Running, Live)> {
    require_program("caddy");
    let front = Front::new()?;
    let (folder, file) = (front.folder.path(), front.folder.path().join("Caddyfile"));
    let settings = include_str!("../servers/Caddyfile");
    fs::write(&file, settings.replace("FOLDER", &folder.display().to_string()))?;
    let mut caddy = front.network.server.command("caddy");
    caddy.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
    // It would keep things in the home otherwise.
    caddy.env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder);
    let (running, live) = start(&front, caddy)?;
    Ok((front, running, live))
}

/// A network with the application, and a Zeroserve in front of it.
fn with_python() -> Result<(Front, Running, Live)> {
    let front = Front::new()?;
    let folder = front.folder.path();
    let mut python = front.network.server.command("/usr/bin/python3");
    python.args(["-c", include_str!("../servers/application.py"), &PORT.to_string()]);
    python.arg(folder.join("site")).arg(folder.join("access.log"));
    let (running, live) = start(&front, python)?;
    Ok((front, running, live))
}

/// What Caddy has logged, in the words of the other servers.
fn log_of_caddy(front: &Front, lines: usize) -> Result<Vec<String>> {
    let log = front.log(lines)?;
    let in_words = log.iter().map(|line| {
        let entry: Value = serde_json::from_str(line)?;
        let request = &entry["request"];
        let of = |name| request[name].as_str().with_context(|| format!("no {name}: {line}"));
        Ok(format!("{} {} {} {}", of("remote_ip")?, of("method")?, of("uri")?, entry["status"]))
    });
    in_words.collect()
}

/// Hot and cold requests, one after the other and all at once: who has answered which, and what the
/// server must have logged.
fn take_turns(front: &Front, live: &mut Live) -> Result<HashMap<String, usize>> {
    let (hot, cold) = (noise(1, 700), noise(2, 90_000));
    let site = front.folder.path().join("site");
    fs::write(site.join("hot"), &hot)?;
    fs::write(site.join("cold"), &cold)?;
    front.publish(live, "hot", &hot)?;
    let mut connection = front.connect()?;
    for number in 0..1000 {
        for (path, body) in [("/hot", &hot), ("/cold", &cold)] {
            let answer = connection.get(path)?;
            ensure!(answer.status == 200 && answer.body == body, "{path}, {number}");
        }
    }
    for hits in 0..100 {
        let paths = [vec!["/hot"; hits % 4], vec!["/cold", "/hot", "/cold"]].concat();
        let mut connection = front.connect()?;
        let all: String = paths.iter().map(|path| request(path)).collect();
        connection.send(all.as_bytes())?;
        for path in paths {
            let body = if path == "/hot" { &hot } else { &cold };
            let answer = connection.receive(true)?;
            ensure!(answer.status == 200 && answer.body == body, "{path} behind {hits} hits");
        }
    }
    let totals = live.sample()?.totals();
    let hits = 1 + (0..100).map(|hits| hits % 4).sum::<u64>();
    assert_eq!((totals.requests, totals.handed_off), (hits, 101));
    check_books(&totals);
    Ok(HashMap::from([("/hot".into(), 999 + 100), ("/cold".into(), 1000 + 200)]))
}

#[test]
fn caddy_gets_what_is_not_hot_and_nothing_else() -> Result<()> {
    let (front, _caddy, mut live) = with_caddy()?;
    let expected = take_turns(&front, &mut live)?;
    let log = log_of_caddy(&front, expected.values().sum())?;
    assert_eq!(logged(&log, CLIENT), expected);
    Ok(())
}

#[test]
fn an_application_in_python_gets_what_is_not_hot_and_nothing_else() -> Result<()> {
    let (front, _python, mut live) = with_python()?;
    let expected = take_turns(&front, &mut live)?;
    assert_eq!(logged(&front.log(expected.values().sum())?, CLIENT), expected);
    Ok(())
}

#[test]
fn uploads_to_an_application_arrive_whole_behind_hot_requests() -> Result<()> {
    let (front, _python, mut live) = with_python()?;
    let hot = noise(1, 700);
    front.publish(&mut live, "hot", &hot)?;
    for (hits, bytes) in [(0, 10), (1, 1400), (2, 100_000), (3, 5 << 20)] {
        let mut connection = front.connect()?;
        for _ in 0..hits {
            assert_eq!(connection.get("/hot")?.body, hot);
        }
        for seed in 0..3 {
            let body = noise(seed, bytes);
            let head = format!("POST /digest HTTP/1.1\r\nContent-Length: {bytes}\r\n\r\n");
            connection.send(&[head.as_bytes(), &body].concat())?;
            assert_eq!(connection.receive(true)?.body, digest(&body).as_bytes(), "{bytes} bytes");
        }
    }
    let totals = live.sample()?.totals();
    assert_eq!((totals.requests, totals.handed_off), (6, 4));
    let log = front.log(12)?;
    assert!(log.iter().all(|line| *line == format!("{CLIENT} POST /digest 200")), "{log:?}");
    check_books(&totals);
    Ok(())
}

#[test]
fn polls_wait_for_seconds_while_others_are_answered() -> Result<()> {
    const POLLS: usize = 20;
    let (front, _python, mut live) = with_python()?;
    let hot = noise(1, 700);
    front.publish(&mut live, "hot", &hot)?;
    let mut polls = Vec::new();
    for hits in 0..POLLS {
        let mut connection = front.connect()?;
        for _ in 0..hits % 3 {
            assert_eq!(connection.get("/hot")?.body, hot);
        }
        connection.send(request("/poll").as_bytes())?;
        polls.push(connection);
    }
    wait_until("all polls are with the server", || {
        Ok(live.sample()?.totals().handed_off as usize == POLLS)
    })?;
    let (begun, mut others) = (Instant::now(), 0);
    let mut connection = front.connect()?;
    while begun.elapsed() < POLL {
        assert_eq!(connection.get("/hot")?.body, hot);
        others += 1;
    }
    for poll in &polls {
        poll.stream().set_nonblocking(true)?;
        let nothing = poll.stream().peek(&mut [0]).expect_err("an answer before the event").kind();
        assert_eq!(nothing, std::io::ErrorKind::WouldBlock);
        poll.stream().set_nonblocking(false)?;
    }
    connection.send(b"POST /event HTTP/1.1\r\nContent-Length: 5\r\n\r\nevent")?;
    assert_eq!(connection.receive(true)?.status, 200);
    for poll in &mut polls {
        let answer = poll.receive(true)?;
        assert_eq!((answer.status, answer.body), (200, &b"event"[..]));
    }
    let totals = live.sample()?.totals();
    assert_eq!(totals.requests, others + (0..POLLS as u64).map(|hits| hits % 3).sum::<u64>());
    check_books(&totals);
    Ok(())
}

/// Scripts of the page, and pictures as many.
const OF_EACH: usize = 20;

/// Puts into the page whether all of it is there.
const CHECK: &str = "addEventListener('load', () => {
  const wrong = [];
  for (let n = 0; n < 20; n++) {
    if (window['script' + n] !== 1000 * (n + 1)) wrong.push('script' + n);
    if (document.images[n].naturalWidth !== 10 * (n + 1)) wrong.push('picture' + n);
  }
  document.documentElement.dataset.ready = wrong.length ? 'no: ' + wrong : 'yes';
});";

/// Writes the page: all of it for the server behind, and what is even, and the page itself, into a
/// folder that is hot.
fn write_page(front: &Front) -> Result<std::path::PathBuf> {
    let (site, hot) = (front.folder.path().join("site"), front.folder.path().join("hot"));
    fs::create_dir(&hot)?;
    let mut files = HashMap::new();
    let mut page = String::from("<!doctype html>\n<link rel=icon href='data:,'>\n");
    for n in 0..OF_EACH {
        let (padding, side) = ("x".repeat(1000 * (n + 1)), 10 * (n + 1));
        files.insert(format!("script{n}.js"), format!("script{n} = '{padding}'.length;\n"));
        let picture = format!(
            "<svg xmlns='http://www.w3.org/2000/svg' width='{side}' height='{side}'>\
             <!-- {padding} --></svg>\n"
        );
        files.insert(format!("picture{n}.svg"), picture);
        writeln!(page, "<script src=script{n}.js></script><img src=picture{n}.svg>")?;
        if n % 2 == 0 {
            for name in [format!("script{n}.js"), format!("picture{n}.svg")] {
                fs::write(hot.join(&name), &files[&name])?;
            }
        }
    }
    writeln!(page, "<script>{CHECK}</script>")?;
    fs::write(hot.join("index.html"), page)?;
    for (name, content) in files {
        fs::write(site.join(name), content)?;
    }
    Ok(hot)
}

#[test]
fn chromium_gets_half_of_a_page_from_the_server_behind() -> Result<()> {
    let mut front = Front::new()?;
    let hot = write_page(&front)?;
    front.start_nginx()?;
    let mut live = front.attach(MissChoice::Auto)?;
    for (path, rendered) in Site::scan(&hot)?.render() {
        live.apply(Change::Add(path, rendered?.into()))?;
    }
    let mut browser = Browser::open(&front.network.client, "http://198.18.0.1/")?;
    let mut outcome = Value::Null;
    wait_until("the page is there", || {
        outcome = browser.evaluate("document.documentElement?.dataset.ready ?? null")?;
        Ok(!outcome.is_null())
    })?;
    assert_eq!(outcome, "yes");
    // What is hot is the server's nevertheless where a connection is; what is not always is.
    let names: HashMap<_, _> = live.routes()?.iter().map(|r| (r.index, r.name.clone())).collect();
    let sample = live.sample()?;
    let totals = sample.totals();
    let log = front.log(2 * OF_EACH + 1 - totals.requests as usize)?;
    let mut asked = logged(&log, CLIENT);
    for n in (1..OF_EACH).step_by(2) {
        assert_eq!(asked[&format!("/script{n}.js")], 1);
        assert_eq!(asked[&format!("/picture{n}.svg")], 1);
    }
    // The page is there by two paths, one of which nobody has asked for.
    for (index, hits) in sample.hits.iter().filter(|(_, hits)| hits.requests > 0) {
        if let Some(RouteName::Path(path)) = names.get(index) {
            *asked.entry(path.to_string()).or_default() += hits.requests as usize;
        }
    }
    assert_eq!(asked.len(), 2 * OF_EACH + 1, "{asked:?}");
    assert!(asked.values().all(|count| *count == 1), "{asked:?}");
    assert!(totals.requests > 0 && totals.handed_off > 0);
    check_books(&totals);
    Ok(())
}
