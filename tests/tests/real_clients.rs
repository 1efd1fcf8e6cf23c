//! Clients that people use, each doing what it does best: what they get is what is there.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use anyhow::{Context, Result, ensure};
use zeroserve_tests::{
    Lab,
    lab::{check_books, noise},
    numbered,
};

/// Debian's interpreter, for which Debian's packages are.
const PYTHON: &str = "/usr/bin/python3";

/// All that nmap asks a web server, a hundred scripts and more, less those that guess passwords, ask
/// third parties or wait for minutes. What slowloris does, tests/tests/slow_clients.rs does better.
const NMAP_SCRIPTS: &str =
    "http-* and not (brute or external or dos or fuzzer) and not http-slowloris-check";

/// A lab with a site in its folder, in `site`.
fn lab() -> Result<Lab> {
    let mut lab = Lab::new()?;
    let site = lab.folder.path().join("site");
    fs::create_dir_all(site.join("docs"))?;
    fs::write(
        site.join("index.html"),
        "<!doctype html>\n<title>The lab</title>\n<a href=docs/>Docs</a> <a href=ruler.txt>Ruler</a>\n",
    )?;
    fs::write(site.join("docs/index.html"), "<!doctype html>\n<title>Docs</title>\n")?;
    fs::write(site.join("ruler.txt"), numbered(50_000))?;
    fs::write(site.join("large.bin"), noise(1, 3_000_000))?;
    for number in 1..=10 {
        let digit = (number % 10).to_string();
        fs::write(site.join(format!("{number}.txt")), digit.repeat(number * 100))?;
    }
    lab.publish_folder(&site)?;
    Ok(lab)
}

/// Runs a command that must succeed, and returns what it printed to both outputs.
fn run(command: &mut Command) -> Result<String> {
    let Output { status, stdout, stderr } =
        command.output().with_context(|| format!("{command:?} did not start"))?;
    let printed = [stdout, stderr].concat();
    let printed = String::from_utf8_lossy(&printed).into_owned();
    ensure!(status.success(), "{command:?}: {status}\n{printed}");
    Ok(printed)
}

fn file(lab: &Lab, name: &str) -> Result<Vec<u8>> {
    let file = lab.folder.path().join(name);
    fs::read(&file).with_context(|| format!("cannot read {}", file.display()))
}

fn path(lab: &Lab, name: &str) -> String {
    lab.folder.path().join(name).display().to_string()
}

#[test]
fn curl_is_served_in_both_versions_of_http_1() -> Result<()> {
    let mut lab = lab()?;
    for version in ["--http1.0", "--http1.1"] {
        for name in ["ruler.txt", "large.bin"] {
            let got = path(&lab, "got");
            let url = lab.url(&format!("/{name}"));
            let mut curl = lab.command("curl");
            curl.args(["-fsS", "-m", "60", version, "-w", "%{http_code}", "-o", &got, &url]);
            assert_eq!(run(&mut curl)?, "200");
            assert!(file(&lab, "got")? == file(&lab, &format!("site/{name}"))?, "{version} {name}");
        }
    }
    check_books(&lab.totals()?);
    Ok(())
}

#[test]
fn curl_and_wget_resume_a_download_where_it_stopped() -> Result<()> {
    let mut lab = lab()?;
    let whole = file(&lab, "site/large.bin")?;
    let url = lab.url("/large.bin");
    let got = path(&lab, "large.bin");
    for client in [
        &["curl", "-fsS", "-m", "60", "-C", "-", "-o", &got, &url][..],
        &["wget", "-q", "-T", "30", "-t", "1", "-c", "-O", &got, &url],
    ] {
        for have in [1, 1460, 1_234_567, whole.len() - 1] {
            fs::write(&got, &whole[..have])?;
            run(lab.command(client[0]).args(&client[1..]))?;
            assert!(file(&lab, "large.bin")? == whole, "{} from {have}", client[0]);
        }
    }
    // Nothing of it was sent a second time.
    let delivered = lab.hits("/large.bin")?.delivered_bytes;
    let missing = 2 * (4 * whole.len() - 1 - 1460 - 1_234_567 - (whole.len() - 1));
    let heads = 8 * 1000;
    assert!(delivered as usize <= missing + heads, "{delivered} bytes for {missing} missing");
    // A file that is there already is left alone: 416 tells so.
    run(lab.command("wget").args(["-q", "-T", "30", "-t", "1", "-c", "-O", &got, &url]))?;
    assert!(file(&lab, "large.bin")? == whole);
    check_books(&lab.totals()?);
    Ok(())
}

#[test]
fn curl_decodes_every_coding_it_asks_for() -> Result<()> {
    let mut lab = lab()?;
    let url = lab.url("/ruler.txt");
    for coding in ["gzip", "br", "zstd"] {
        let field = format!("Accept-Encoding: {coding}");
        let mut curl = lab.command("curl");
        let print = "%{http_code} %{size_download} %header{content-encoding}";
        let got = path(&lab, "got");
        curl.args([
            "-fsS",
            "-m",
            "60",
            "--compressed",
            "-H",
            &field,
            "-w",
            print,
            "-o",
            &got,
            &url,
        ]);
        let printed = run(&mut curl)?;
        let words: Vec<_> = printed.split(' ').collect();
        assert_eq!((words[0], words[2]), ("200", coding), "{printed}");
        assert!(words[1].parse::<usize>()? < 50_000, "{coding} saves nothing: {printed}");
        assert!(file(&lab, "got")? == file(&lab, "site/ruler.txt")?, "{coding}");
    }
    check_books(&lab.totals()?);
    Ok(())
}

#[test]
fn curl_does_not_fetch_again_what_has_not_changed() -> Result<()> {
    let lab = lab()?;
    let (tag, got) = (path(&lab, "tag"), path(&lab, "got"));
    let url = lab.url("/large.bin");
    let by_tag = ["--etag-save", &tag, "--etag-compare", &tag];
    let fetch = |condition: &[&str]| {
        let mut curl = lab.command("curl");
        curl.args(["-fsS", "-m", "60", "-R", "-o", &got, "-w", "%{http_code} %{size_download}"]);
        run(curl.args(condition).arg(&url))
    };
    assert_eq!(fetch(&by_tag)?, "200 3000000");
    assert_eq!(fetch(&by_tag)?, "304 0");
    // By the time of the file that was fetched.
    assert_eq!(fetch(&["-z", &got])?, "304 0");
    assert!(file(&lab, "got")? == file(&lab, "site/large.bin")?);
    Ok(())
}

#[test]
fn curl_fetches_many_files_at_a_time() -> Result<()> {
    let mut lab = lab()?;
    let mut curl = lab.command("curl");
    curl.args(["-fsS", "-m", "60", "--parallel", "--parallel-immediate", "--parallel-max", "30"]);
    for number in 0..60 {
        let name = ["large.bin", "ruler.txt", "7.txt"][number % 3];
        curl.args(["-o", &path(&lab, &format!("{number}")), &lab.url(&format!("/{name}"))]);
    }
    run(&mut curl)?;
    for number in 0..60 {
        let name = ["large.bin", "ruler.txt", "7.txt"][number % 3];
        let is_whole = file(&lab, &format!("{number}"))? == file(&lab, &format!("site/{name}"))?;
        assert!(is_whole, "{number}: {name}");
    }
    assert!(lab.totals()?.handshakes >= 20, "they came one after the other");
    check_books(&lab.totals()?);
    Ok(())
}

#[test]
fn wget_mirrors_a_site_by_its_links() -> Result<()> {
    let mut lab = lab()?;
    let mirror = path(&lab, "mirror");
    let mut wget = lab.command("wget");
    run(wget.args(["-q", "-T", "30", "-t", "1", "-r", "-nH", "-P", &mirror, &lab.url("/")]))?;
    for name in ["index.html", "docs/index.html", "ruler.txt"] {
        let is_whole =
            file(&lab, &format!("mirror/{name}"))? == file(&lab, &format!("site/{name}"))?;
        assert!(is_whole, "{name}");
    }
    check_books(&lab.totals()?);
    Ok(())
}

#[test]
fn load_generators_count_no_failure() -> Result<()> {
    let mut lab = lab()?;
    let (small, large) = (lab.url("/7.txt"), lab.url("/large.bin"));
    for (url, requests) in [(&small, "20000"), (&large, "200")] {
        let report = run(lab.command("h2load").args(["--h1", "-n", requests, "-c", "20", url]))?;
        let all = format!("{requests} done, {requests} succeeded, 0 failed, 0 errored, 0 timeout");
        assert!(report.contains(&all), "{report}");

        let report = run(lab.command("ab").args(["-q", "-k", "-n", requests, "-c", "20", url]))?;
        let value = |label: &str| {
            let line = report.lines().find_map(|line| line.strip_prefix(label));
            line.map(str::trim).unwrap_or_default().to_owned()
        };
        assert_eq!(value("Complete requests:"), requests, "{report}");
        assert_eq!(value("Failed requests:"), "0", "{report}");
        assert_eq!(value("Keep-Alive requests:"), requests, "{report}");
        assert!(!report.contains("Non-2xx"), "{report}");
    }
    check_books(&lab.totals()?);
    Ok(())
}

#[test]
fn wrk_gets_a_whole_answer_to_each_of_its_pipelined_requests() -> Result<()> {
    let mut lab = lab()?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/pipeline.lua");
    let mut wrk = lab.command("wrk");
    wrk.args(["-t1", "-c20", "-d2s", "-s"]).arg(script).arg(lab.url("/"));
    let report = run(&mut wrk)?;
    let answers = report.lines().find_map(|line| line.strip_prefix("answers: "));
    let (answers, wrong) = answers.and_then(|line| line.split_once(", wrong: ")).context("wrk")?;
    assert!(answers.parse::<u64>()? > 1000, "{report}");
    assert_eq!(wrong, "0", "{report}");
    assert!(!report.contains("Socket errors") && !report.contains("Non-2xx"), "{report}");
    check_books(&lab.totals()?);
    Ok(())
}

#[test]
fn the_libraries_of_python_get_what_is_there() -> Result<()> {
    let mut lab = lab()?;
    let address = lab.server.address().ip().to_string();
    let mut python = lab.client().command(PYTHON);
    python.args(["-c", include_str!("../clients/libraries.py"), &address, &path(&lab, "site")]);
    let printed = run(&mut python)?;
    assert_eq!(printed.matches("all well").count(), 3, "{printed}");
    check_books(&lab.totals()?);
    Ok(())
}

#[test]
fn nmap_sees_an_open_port_and_an_ordinary_web_server() -> Result<()> {
    let mut lab = lab()?;
    let address = lab.server.address().ip().to_string();
    let mut nmap = lab.command("nmap");
    nmap.args(["-n", "-Pn", "-sS", "-sV", "-p", "80", "--script", NMAP_SCRIPTS]);
    let report = run(nmap.args(["--script-timeout", "60s", &address]))?;
    // nmap takes whoever answers a TLS client with an alert for one that speaks TLS.
    let port = report.lines().find(|line| line.starts_with("80/tcp open")).unwrap_or_default();
    assert!(port.contains("http") && port.contains("zeroserve"), "{report}");
    assert!(report.contains("http-title: The lab"), "{report}");
    assert!(report.contains("Supported Methods: GET HEAD OPTIONS"), "{report}");
    assert!(report.contains("Server: zeroserve"), "{report}");
    assert!(!report.contains("TRACE is enabled"), "{report}");
    assert!(!report.contains("VULNERABLE"), "{report}");
    // Other kinds of scan, which a strict server answers as RFC 9293 section 3.10.7 has it, or not.
    for scan in ["-sT", "-sA", "-sN", "-sF", "-sX", "-sW", "-sM"] {
        run(lab.command("nmap").args(["-n", "-Pn", scan, "-p", "80", &address]))?;
    }
    assert_eq!(lab.connect()?.get("/7.txt")?.status, 200);
    check_books(&lab.totals()?);
    Ok(())
}
