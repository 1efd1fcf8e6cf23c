//! Single requests and packets are shown as they were.

use std::{process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use zeroserve_shared::{reason::Reason, refusal::Refusal};
use zeroserve_tests::{Lab, require_program};
use zeroserve_tui::{
    observe::{Seen, Wanted, pcapng::Capture},
    server::Server,
};

/// Everything, as often as can be.
fn everything() -> Wanted {
    Wanted { reasons: Reason::ALL.to_vec(), requests: true, gap: Duration::ZERO }
}

/// A lab in which a request was answered, one for nothing, and one that is malformed, and what
/// was seen of them.
fn seen() -> Result<Seen> {
    let mut lab = Lab::new()?;
    lab.publish("/a", b"hello")?;
    ensure!(lab.live.observe(&everything())?.requests.is_empty());
    let mut connection = lab.connect()?;
    assert_eq!(connection.get("/a?q=1")?.status, 200);
    assert_eq!(connection.get("/b")?.status, 404);
    assert_eq!(connection.request("BREW", "/a", "")?.status, 405);
    let seen = lab.live.observe(&everything())?;
    assert_eq!(seen.missed, 0);
    ensure!(lab.live.observe(&everything())?.requests.is_empty(), "requests were seen twice");
    Ok(seen)
}

#[test]
fn every_request_is_shown_with_its_line_its_status_and_its_client() -> Result<()> {
    let seen = seen()?;
    let lines: Vec<_> = seen.requests.iter().map(|one| (one.line.as_str(), one.status)).collect();
    let expected =
        [("GET /a?q=1 HTTP/1.1", 200), ("GET /b HTTP/1.1", 404), ("BREW /a HTTP/1.1", 405)];
    assert_eq!(lines, expected);
    let refusals: Vec<_> = seen.requests.iter().map(|request| request.refusal).collect();
    assert_eq!(refusals, [None, None, Some(Refusal::MethodUnknown)]);
    for request in &seen.requests {
        assert_eq!(request.client.ip().to_string(), "198.18.0.2");
        assert_eq!(request.server.to_string(), "198.18.0.1:80");
        assert!(request.time.elapsed()? < Duration::from_secs(60));
    }
    Ok(())
}

#[test]
fn packets_are_shown_with_their_reason_and_open_in_tshark() -> Result<()> {
    require_program("tshark");
    let seen = seen()?;
    let handshakes: Vec<_> =
        seen.packets.iter().filter(|packet| packet.reason == Reason::HandshakeComplete).collect();
    assert_eq!(handshakes.len(), 1);
    let text = handshakes[0].to_string();
    assert!(text.contains("> 198.18.0.1:80 ACK seq") && text.ends_with("len 0"), "{text}");

    let file = tempfile::NamedTempFile::new()?;
    let mut capture = Capture::new(file.reopen()?, "eth0")?;
    for packet in &seen.packets {
        capture.write(packet)?;
    }
    let output = Command::new("tshark")
        .args(["-T", "fields", "-e", "frame.comment", "-e", "ip.src", "-r"])
        .arg(file.path())
        .output()
        .context("tshark did not start")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    assert_eq!(text.lines().count(), seen.packets.len());
    let shown = text.lines().filter(|line| line.starts_with("handshake-complete: "));
    assert_eq!(shown.count(), 1, "{text}");
    Ok(())
}

#[test]
fn nothing_is_recorded_that_nobody_wants() -> Result<()> {
    let mut lab = Lab::new()?;
    lab.publish("/a", b"hello")?;
    let wanted = Wanted { reasons: vec![Reason::SequenceGap], ..everything() };
    let wanted = Wanted { requests: false, ..wanted };
    lab.live.observe(&wanted)?;
    assert_eq!(lab.connect()?.get("/a")?.status, 200);
    let seen = lab.live.observe(&wanted)?;
    assert!(seen.requests.is_empty() && seen.packets.is_empty(), "{seen:?}");
    Ok(())
}
