//! The command line: every command, and every way in which one can fail.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;
use zeroserve_tests::{Host, binary, host::without_capabilities, lab::run};

/// A host that serves a folder with `/a.txt` in it.
fn serving() -> Result<Host> {
    let host = Host::new()?;
    host.write("a.txt", b"first")?;
    host.json(&["serve", "IFACE", "--root", "DIR"])?;
    Ok(host)
}

/// Runs a command that must fail, and checks the exit code, the kind, and that the message, as
/// JSON and as text, contains each of `says`.
fn fails(host: &Host, arguments: &[&str], code: i32, kind: &str, says: &[&str]) -> Result<()> {
    let output = host.console(arguments).arg("--json").output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    let failure: Value =
        serde_json::from_slice(&output.stdout).with_context(|| text.to_string())?;
    assert_eq!(failure["error"]["kind"], kind, "{arguments:?}: {text}");
    assert_eq!(failure["error"]["exit_code"], code, "{arguments:?}");
    let message = failure["error"]["message"].as_str().context("no message")?;
    let output = host.run(arguments)?;
    assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    assert!(output.stdout.is_empty(), "{arguments:?} failed and printed to standard output");
    let errors = String::from_utf8(output.stderr)?;
    for part in says {
        let part = part.replace("IFACE", host.interface());
        assert!(message.contains(&part), "{arguments:?}: no {part:?} in {message:?}");
        assert!(errors.contains(&part), "{arguments:?}: no {part:?} in {errors:?}");
    }
    Ok(())
}

#[test]
fn a_file_is_added_replaced_and_removed_from_the_shell() -> Result<()> {
    let host = serving()?;
    host.write("b.txt", b"second")?;
    let get = |path| -> Result<(u16, Vec<u8>)> {
        let mut connection = host.connect()?;
        let response = connection.get(path)?;
        Ok((response.status, response.body.to_vec()))
    };
    assert_eq!(get("/a.txt")?, (200, b"first".to_vec()));
    let added = host.json(&["add", "IFACE", "/new", "DIR/b.txt"])?;
    assert_eq!((&added["done"], &added["body_bytes"]), (&"added".into(), &6.into()));
    assert_eq!(get("/new")?, (200, b"second".to_vec()));
    host.json(&["replace", "IFACE", "/new", "DIR/a.txt"])?;
    assert_eq!(get("/new")?, (200, b"first".to_vec()));
    host.json(&["remove", "IFACE", "/new"])?;
    assert_eq!(get("/new")?.0, 404);
    assert_eq!(get("/a.txt")?, (200, b"first".to_vec()));
    Ok(())
}

#[test]
fn every_command_says_in_words_what_it_did() -> Result<()> {
    let host = Host::new()?;
    host.write("site/a.txt", b"first")?;
    for (arguments, says) in [
        (&["serve", "IFACE", "--root", "DIR/site"][..], "serving on IFACE, port 80, at 198.18.0.1"),
        (&["add", "IFACE", "/b", "DIR/site/a.txt"], "added /b: 5 B, text/plain"),
        (&["replace", "IFACE", "/b", "DIR/site/a.txt"], "replaced /b: 5 B, text/plain"),
        (&["redirect", "IFACE", "/c", "/b"], "added /c: 301 to /b"),
        (&["respond", "IFACE", "/d", "ok"], "added /d: 2 B, text/plain"),
        (&["status", "IFACE"], "zeroserve on IFACE, port 80"),
        (&["remove", "IFACE", "/b"], "removed /b"),
        (&["stop", "IFACE"], "stopped serving on IFACE"),
    ] {
        let output = host.run(arguments)?;
        let text = String::from_utf8(output.stdout)?;
        assert!(output.status.success(), "{arguments:?}: {:?}", output.stderr);
        let says = says.replace("IFACE", host.interface());
        assert!(text.contains(&says), "{arguments:?}: no {says:?} in {text:?}");
    }
    Ok(())
}

#[test]
fn the_report_names_routes_totals_and_verdicts() -> Result<()> {
    let host = serving()?;
    host.connect()?.get("/a.txt")?;
    let output = host.run(&["status", "IFACE"])?;
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout)?;
    for part in ["native XDP", "driver veth", "198.18.0.1", "/a.txt", "requests", "verdicts"] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    Ok(())
}

/// What a report calls odd about this server, and how bad it is. `stale-pin` is always about other
/// interfaces, whose servers a run that was killed may have left behind.
fn odd_here(report: &Value) -> Result<Vec<(&str, &str)>> {
    let issues = report["issues"].as_array().context("the report has no issues")?;
    let pairs = issues.iter().map(|issue| {
        issue["name"].as_str().zip(issue["severity"].as_str()).context("an issue without a name")
    });
    let mut pairs = pairs.collect::<Result<Vec<_>>>()?;
    pairs.retain(|(name, _)| *name != "stale-pin");
    Ok(pairs)
}

#[test]
fn what_is_odd_about_the_interface_is_said_when_serving_begins_and_in_reports() -> Result<()> {
    let mut host = serving()?;
    let status = host.json(&["status", "IFACE"])?;
    assert_eq!(odd_here(&status)?, []);
    // From now on the far end takes no frames.
    host.network.veth.pass_through = None;
    let output = host.run(&["serve", "IFACE", "--root", "DIR"])?;
    assert!(output.status.success());
    let notes = String::from_utf8(output.stderr)?;
    assert!(notes.contains("fault: peer-without-napi: The far end of"), "{notes}");
    for command in [&["status", "IFACE"][..], &["serve", "IFACE", "--root", "DIR"]] {
        let document = host.json(command)?;
        assert_eq!(odd_here(&document)?, [("peer-without-napi", "fault")]);
    }
    let report = String::from_utf8(host.run(&["status", "IFACE"])?.stdout)?;
    assert!(report.contains("peer-without-napi (fault)"), "{report}");
    Ok(())
}

#[test]
fn without_a_terminal_the_console_is_one_report() -> Result<()> {
    let host = serving()?;
    let output = host.run(&["IFACE"])?;
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8(output.stdout)?.contains("/a.txt"));
    host.json(&["stop", "IFACE"])?;
    let output = host.run(&["IFACE"])?;
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8(output.stdout)?.contains("not attached"));
    Ok(())
}

#[test]
fn another_port_is_served_and_the_usual_one_is_left_to_the_kernel() -> Result<()> {
    let host = Host::new()?;
    host.write("a.txt", b"first")?;
    host.json(&["serve", "IFACE", "--root", "DIR", "--port", "8080"])?;
    assert!(host.connect().is_err());
    let address = host.network.server_at(8080);
    let open = || zeroserve_tui::demo::client::Connection::open(address);
    assert_eq!(host.network.client.run(open)??.get("/a.txt")?.body, b"first");
    let again = ["serve", "IFACE", "--root", "DIR", "--port", "80"];
    fails(&host, &again, 4, "attached-differently", &["--port 8080", "stop IFACE"])
}

#[test]
fn changes_that_do_not_fit_are_refused_and_say_what_would() -> Result<()> {
    let host = serving()?;
    let file = "DIR/a.txt";
    fails(&host, &["add", "IFACE", "/a.txt", file], 4, "path-taken", &["5 bytes", "use replace"])?;
    fails(&host, &["replace", "IFACE", "/no", file], 4, "no-such-route", &["/no", "use add"])?;
    fails(&host, &["remove", "IFACE", "/no"], 4, "no-such-route", &["/no"])
}

#[test]
fn files_and_folders_that_cannot_be_served_are_named() -> Result<()> {
    let host = serving()?;
    let add = |file| ["add", "IFACE", "/x", file];
    let kind = "file-not-servable";
    fails(&host, &add("DIR/missing"), 4, kind, &["missing", "No such file"])?;
    fails(&host, &add("DIR"), 4, kind, &["not a regular file"])?;
    let huge = std::fs::File::create(host.folder.path().join("huge"))?;
    huge.set_len((64 << 20) + 1)?;
    fails(&host, &add("DIR/huge"), 4, kind, &["64 MiB"])?;
    let serve = |root| ["serve", "IFACE", "--root", root];
    fails(
        &host,
        &serve("DIR/no"),
        4,
        "folder-not-servable",
        &["DIR/no".trim_start_matches("DIR")],
    )?;
    fails(&host, &serve("DIR/a.txt"), 4, "folder-not-servable", &["not a folder"])
}

#[test]
fn where_nothing_is_served_every_command_says_so() -> Result<()> {
    let host = Host::new()?;
    host.write("a.txt", b"first")?;
    for arguments in [
        &["status", "IFACE"][..],
        &["add", "IFACE", "/x", "DIR/a.txt"],
        &["replace", "IFACE", "/x", "DIR/a.txt"],
        &["redirect", "IFACE", "/x", "/y"],
        &["respond", "IFACE", "/x", "ok"],
        &["remove", "IFACE", "/x"],
        &["stop", "IFACE"],
    ] {
        fails(&host, arguments, 3, "not-attached", &["not attached to IFACE"])?;
    }
    Ok(())
}

#[test]
fn interfaces_that_cannot_be_served_are_refused_with_what_to_do() -> Result<()> {
    let host = Host::new()?;
    host.write("a.txt", b"first")?;
    let serve = |interface| ["serve", interface, "--root", "DIR"];
    fails(&host, &serve("nosuch0"), 4, "no-such-interface", &["nosuch0", "IFACE", "lo"])?;
    fails(&host, &serve("lo"), 4, "no-native-mode", &["native XDP"])?;
    // What the other end may send is what the driver must be able to receive.
    let peer = host.network.veth.client.clone();
    let set_mtu = |mtu| run(&host.network.client, "ip", &["link", "set", &peer, "mtu", mtu]);
    set_mtu("9000")?;
    let mend = "ip link set dev IFACE mtu 1500";
    fails(&host, &serve("IFACE"), 4, "mtu-too-large", &["too large for XDP", mend])?;
    set_mtu("1500")?;
    host.ip(&["address", "flush", "dev", host.interface()])?;
    fails(&host, &serve("IFACE"), 4, "no-address", &["has an address", "ip address add"])
}

#[test]
fn an_interface_of_the_same_name_elsewhere_is_told_apart() -> Result<()> {
    let host = serving()?;
    let elsewhere = zeroserve_tui::net::Namespace::create("else")?;
    let run = |arguments: &[&str]| elsewhere.command("ip").args(arguments).status();
    let name = host.interface();
    assert!(run(&["link", "add", name, "type", "veth", "peer", "name", "other"])?.success());
    assert!(run(&["address", "add", "198.18.0.3/24", "dev", name])?.success());
    let mut serve = elsewhere.command(binary::path());
    serve.args(["attach", name, "--json", "--root"]).arg(host.folder.path());
    let output = serve.stdin(Stdio::null()).output()?;
    // Nobody must believe that the other one is served, nor may the first be touched.
    let mut connection = host.connect()?;
    assert_eq!(connection.get("/a.txt")?.status, 200);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!text.contains("198.18.0.3"), "{text}");
    Ok(())
}

#[test]
fn what_a_lost_interface_leaves_behind_is_reported_and_can_be_cleared_away() -> Result<()> {
    let host = serving()?;
    host.ip(&["link", "delete", host.interface()])?;
    fails(&host, &["status", "IFACE"], 3, "stale-pins", &["no longer runs", "stop IFACE"])?;
    host.json(&["stop", "IFACE"])?;
    fails(&host, &["status", "IFACE"], 3, "not-attached", &["not attached"])
}

#[test]
fn without_the_capabilities_it_names_them_and_the_remedy() -> Result<()> {
    let host = serving()?;
    // CAP_NET_ADMIN, CAP_SYS_ADMIN, CAP_PERFMON and CAP_BPF, from the kernel's capability.h.
    let needed = &[12, 21, 38, 39];
    for arguments in
        [&["status", "IFACE"][..], &["stop", "IFACE"], &["serve", "IFACE", "--root", "DIR"]]
    {
        let mut command = host.console(arguments);
        without_capabilities(&mut command, needed);
        let output = command.output()?;
        let errors = String::from_utf8(output.stderr)?;
        assert_eq!(output.status.code(), Some(77), "{arguments:?}: {errors}");
        for part in ["CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON", "sudo", "setcap"] {
            assert!(errors.contains(part), "{arguments:?}: no {part} in {errors}");
        }
    }
    assert_eq!(host.connect()?.get("/a.txt")?.status, 200);
    Ok(())
}

#[test]
fn a_command_line_that_makes_no_sense_is_refused_before_anything_happens() -> Result<()> {
    for arguments in [
        &[][..],
        &["status"],
        &["serve", "eth0"],
        &["add", "eth0", "no-slash", "file"],
        &["status", "eth0", "--frobnicate"],
        &["serve", "eth0", "--root", ".", "--port", "0"],
    ] {
        let output = Command::new(binary::path()).args(arguments).output()?;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
    let output = Command::new(binary::path()).arg("--help").output()?;
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout)?;
    for command in [
        "serve", "status", "add", "replace", "redirect", "respond", "remove", "stop", "config",
        "demo",
    ] {
        assert!(help.contains(command), "the help does not mention {command}");
    }
    Ok(())
}
