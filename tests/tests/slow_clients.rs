//! Clients that are slow on purpose: they get what they deserve, and others are served meanwhile.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use zeroserve_tests::{
    Lab,
    lab::{check_books, noise},
};

/// How long each kind of attack lasts.
const ATTACK: Duration = Duration::from_secs(12);

/// The kinds, by the option of slowhttptest, with what else each needs.
const MODES: [(&str, &str, &[&str]); 4] = [
    ("slow headers", "-H", &["-i", "1", "-x", "24"]),
    ("slow body", "-B", &["-i", "1", "-s", "8192", "-x", "10"]),
    ("ranges", "-R", &["-t", "HEAD", "-a", "10", "-b", "3000"]),
    ("slow read", "-X", &["-k", "3", "-n", "1", "-w", "10", "-y", "512", "-z", "32"]),
];

/// Slow connections of each kind.
const CONNECTIONS: &str = "300";

fn attack(lab: &Lab, mode: &str, options: &[&str], url: &str) -> Command {
    let mut attack = lab.command("slowhttptest");
    attack.args([mode, "-c", CONNECTIONS, "-r", "150", "-p", "5", "-u", url]);
    attack.args(["-l", &ATTACK.as_secs().to_string()]).args(options);
    attack.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    attack
}

#[test]
fn others_are_served_without_an_error_while_slow_clients_do_their_worst() -> Result<()> {
    let mut lab = Lab::new()?;
    let (small, large) = (noise(1, 500), noise(2, 200_000));
    lab.publish("/small", &small)?;
    lab.publish("/large", &large)?;
    let url = lab.url("/large");
    let mut attacks = Vec::new();
    for (name, mode, options) in MODES {
        let attack = attack(&lab, mode, options, &url).spawn();
        attacks.push((name, attack.context("slowhttptest did not start")?));
    }
    let (mut served, mut connections) = (0_u64, 0_u64);
    // For as long as any of the attacks goes on.
    while attacks.iter_mut().any(|(_, attack)| matches!(attack.try_wait(), Ok(None))) {
        let mut connection = lab.connect().context("a connection besides the slow ones")?;
        connections += 1;
        for _ in 0..50 {
            ensure!(connection.get("/small")?.body == small, "another body");
            ensure!(connection.get("/large")?.body == large, "another body");
            served += 2;
        }
    }
    for (name, attack) in attacks {
        let output = attack.wait_with_output()?;
        let report = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "{name}: {}\n{report}", output.status);
        // In its last words, between escapes for colours.
        let last = report.rsplit("service available").next().unwrap_or_default();
        ensure!(last.contains("YES"), "{name} says that the server was away:\n{report}");
    }
    println!("{served} requests on {connections} connections, without an error, meanwhile");
    ensure!(served > 1000, "only {served} requests were served");
    let totals = lab.totals()?;
    ensure!(totals.flows_created > 1200, "{} flows: there was no attack", totals.flows_created);
    check_books(&totals);
    Ok(())
}
