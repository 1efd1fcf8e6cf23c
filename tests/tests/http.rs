//! A table of requests and answers: `tests/cases/*.txt`, explained in `zeroserve_tests::cases`.

use std::{
    collections::HashSet,
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, ensure};
use zeroserve_shared::refusal::Refusal;
use zeroserve_tests::{
    Host,
    cases::{Case, Known, load, run::Player},
    exchange::Peer,
    lab::check_books,
    numbered,
};
use zeroserve_tui::{kernel::Live, server::Server};

/// The folder of the cases.
const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cases");

/// Sun, 06 Nov 1994 08:49:37 GMT: the time of all files, and of the examples of RFC 9110.
const MODIFIED_UNIX_S: u64 = 784_111_777;

/// Most places at which the request of a case is cut, one after the other.
const MOST_CUTS: usize = 150;

/// Files, and what they hold.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        ("404.html", text("<!doctype html>\n<h1>Not here, sorry</h1>")),
        ("site/index.html", text("<!doctype html>\n<h1>Home</h1>\n\n\n")),
        ("site/docs/index.html", text("<!doctype html>\n<h1>Docs</h1>\n\n\n")),
        ("site/page.html", text("<!doctype html>\n<title>Page</title>\nText\n")),
        ("site/small.txt", text("small\n")),
        ("site/.well-known/small.txt", text("small\n")),
        ("site/.hidden", text("hidden\n")),
        ("site/ruler.txt", numbered(10_000)),
        ("site/long.txt", numbered(300_000)),
        ("site/raw/ruler.txt", numbered(2_000)),
        ("site/empty.txt", Vec::new()),
        ("site/assets/app.js", text("console.log('here')\n")),
        ("site/a b/c d.txt", text("spaces\n")),
        ("site/ü.txt", text("umlaut\n\n")),
        ("site/50%.txt", text("percent\n")),
        ("site/x../y.../b.txt", text("dots\n")),
        ("site/d/e/f/g/h/i.txt", text("deep\n")),
        ("blog/post.txt", text("post\n")),
        ("blog/small.txt", text("the blog's\n\n")),
        ("address/post.txt", text("address\n")),
    ]
}

/// Writes the site, and serves it.
fn serve(host: &Host) -> Result<()> {
    for (name, content) in files() {
        let file = fs::File::options().write(true).open(host.write(name, &content)?)?;
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(MODIFIED_UNIX_S))?;
    }
    host.write("site.toml", &fs::read(Path::new(CASES).join("site.toml"))?)?;
    host.json(&["serve", "IFACE", "--config", "DIR/site.toml"])?;
    Ok(())
}

/// Serves the site, and has something done with every case, in the client's namespace. Fails with
/// all that failed.
fn play_all(
    mut play: impl FnMut(&mut Player<'_>, &mut Live, &Case, usize) -> Result<()> + Send,
) -> Result<()> {
    let table = load(Path::new(CASES))?;
    let host = Host::new()?;
    serve(&host)?;
    let interface = host.interface().to_owned();
    let mut live = host.network.server.run(|| Live::open(&interface))??;
    let address = host.network.server_at(80);
    let failures = host.network.client.run(|| -> Result<Vec<String>> {
        let site = host.folder.path().join("site");
        let known = Known::ask(Peer::connect(address)?, site, &table.cases)?;
        let probe = table.named("small").context("no answer to the probe")?;
        let mut player = Player::new(address, &known, probe);
        let mut failures = Vec::new();
        for case in &table.cases {
            let bytes = known.fill(&case.sends)?.len();
            if let Err(error) = play(&mut player, &mut live, case, bytes) {
                failures.push(format!("{}: {}: {error:#}", case.place, case.name));
            }
        }
        Ok(failures)
    })??;
    let of = table.cases.len();
    ensure!(failures.is_empty(), "{} of {of} fail:\n{}", failures.len(), failures.join("\n"));
    check_books(&live.sample()?.totals());
    Ok(())
}

#[test]
fn every_case_gets_the_answer_that_the_table_says() -> Result<()> {
    play_all(|player, live, case, _| {
        let before = live.sample()?.totals();
        player.whole(case)?;
        let after = live.sample()?.totals();
        for refusal in Refusal::ALL {
            let index = *refusal as usize;
            let counted = after.refusals[index] - before.refusals[index];
            let must = u64::from(case.counts.as_deref() == Some(refusal.name()));
            ensure!(counted == must, "{} is counted {counted} times, not {must}", refusal.name());
        }
        Ok(())
    })
}

#[test]
fn every_case_gets_the_same_answer_in_two_pieces() -> Result<()> {
    let mut random = fastrand::Rng::with_seed(9112);
    play_all(|player, _, case, bytes| {
        let mut cuts: Vec<_> = (1..bytes).collect();
        if cuts.len() > MOST_CUTS {
            random.shuffle(&mut cuts);
            cuts.truncate(MOST_CUTS);
        }
        cuts.iter().try_for_each(|cut| {
            player.play(case, &[*cut]).with_context(|| format!("cut before byte {cut}"))
        })
    })
}

#[test]
fn every_case_gets_the_same_answer_in_many_pieces() -> Result<()> {
    let mut random = fastrand::Rng::with_seed(9110);
    play_all(|player, _, case, bytes| {
        // Two thousand segments say no less about a request of 16 KiB than one for each byte.
        let step = bytes.div_ceil(2000);
        let single: Vec<_> = (1..bytes).step_by(step).collect();
        player.play(case, &single).with_context(|| format!("cut every {step} bytes"))?;
        for round in 0..5 {
            let mut cuts: Vec<_> = (0..6).map(|_| random.usize(..bytes.max(1))).collect();
            cuts.sort_unstable();
            player.play(case, &cuts).with_context(|| format!("round {round}: {cuts:?}"))?;
        }
        Ok(())
    })
}

#[test]
fn the_table_is_as_large_as_promised_and_names_every_case_once() -> Result<()> {
    let table = load(Path::new(CASES))?;
    assert!(table.cases.len() >= 200, "{} cases", table.cases.len());
    let names: HashSet<_> = table.cases.iter().map(|case| &case.name).collect();
    assert_eq!(names.len(), table.cases.len(), "two cases have one name");
    for case in &table.cases {
        assert!(case.name.contains("(RFC "), "{}: no source of the rule", case.place);
    }
    let counted: HashSet<_> =
        table.cases.iter().filter_map(|case| case.counts.as_deref()).collect();
    // These need time to pass, or a server behind: see `flows.rs`, `server_behind.rs`, `promote.rs`.
    let elsewhere = [Refusal::TooSlow, Refusal::NobodyListens, Refusal::CopyGone];
    for refusal in Refusal::ALL.iter().filter(|refusal| !elsewhere.contains(refusal)) {
        assert!(counted.contains(refusal.name()), "no case is refused as {}", refusal.name());
    }
    Ok(())
}
