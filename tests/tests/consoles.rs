//! Consoles on terminals: two of one server, of which the second only reads until it is its turn; and
//! one that looks as somebody likes it.

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use zeroserve_tests::{
    Host,
    binary::{self, Terminal, wait_until},
};

#[test]
fn a_second_console_only_reads_until_the_first_is_gone() -> Result<()> {
    let host = Host::new()?;
    host.write("site/a.txt", b"a few words")?;
    host.json(&["serve", "IFACE", "--root", "DIR/site"])?;
    let open = |user: &str| {
        let mut command = host.console(&["IFACE"]);
        command.env("SUDO_USER", user);
        Terminal::start(command)
    };
    let mut first = open("anna")?;
    first.wait_for("a.txt")?;
    let mut second = open("boris")?;
    second.wait_for("READ-ONLY: anna")?;
    second.keys("d")?;
    second.wait_for("read-only: anna (process")?;
    ensure!(!first.contents().contains("READ-ONLY"));

    // Each hears what the other does.
    first.keys("d")?;
    first.wait_for("Remove this?")?;
    first.keys("y")?;
    first.wait_for("removed /a.txt")?;
    second.wait_for("changed elsewhere: removed /a.txt")?;
    ensure!(host.connect()?.get("/a.txt")?.status == 404);

    // Killed, so that nothing but the kernel gives its pen back.
    binary::send(&first.child, Signal::SIGKILL)?;
    first.child.wait()?;
    second.wait_for("anna has let go of the pen")?;
    wait_until("the second may write", || Ok(!second.contents().contains("READ-ONLY")))?;
    // Of what was done by whom everybody reads the same, commands included.
    let file = host.write("other.txt", b"other words")?;
    host.json(&["add", "IFACE", "/by-command", "DIR/other.txt"])?;
    second.wait_for("changed elsewhere: added /by-command")?;
    second.keys("L")?;
    second.wait_for("11 bytes, text/plain; charset=utf-8")?;
    ensure!(second.contents().contains("by anna"), "{}", second.contents());
    second.wait_for("✓ added /by-command, 11 B")?;
    second.keys("q")?;
    second.keys("a")?;
    second.wait_for("Publish a file")?;
    second.keys(&format!("\x1b[200~{}\x1b[201~", file.display()))?;
    second.wait_for("11 B")?;
    second.keys("\r")?;
    second.wait_for("Publish under which path?")?;
    second.keys("\r")?;
    second.wait_for("Publish this?")?;
    second.keys("y")?;
    second.wait_for("added /other.txt")?;
    ensure!(host.connect()?.get("/other.txt")?.body == b"other words");
    second.keys("qs")?;
    second.wait_for_end()?;
    Ok(())
}

#[test]
fn a_console_looks_as_its_file_says_and_refuses_one_that_makes_no_sense() -> Result<()> {
    let host = Host::new()?;
    host.write("site/a.txt", b"a few words")?;
    host.write("zeroserve/console.toml", b"ascii = true\nmouse = false\n")?;
    let open = || Terminal::start(host.console(&["IFACE", "--root", "DIR/site"]));
    let mut terminal = open()?;
    terminal.wait_for("SERVING")?;
    ensure!(terminal.contents().is_ascii(), "{}", terminal.contents());
    let mouse = terminal.look(|screen| screen.mouse_protocol_mode());
    ensure!(mouse == vt100::MouseProtocolMode::None);
    terminal.keys("qs")?;
    terminal.wait_for_end()?;

    host.write("zeroserve/console.toml", b"asci = true\n")?;
    let mut terminal = open()?;
    wait_until("the console has ended", || Ok(terminal.child.try_wait()?.is_some()))?;
    ensure!(terminal.child.wait()?.code() == Some(4));
    wait_until("it says why", || Ok(terminal.contents().contains("did you mean `ascii`?")))?;
    // And nothing was attached before.
    ensure!(host.run(&["status", "IFACE"])?.status.code() == Some(3));
    Ok(())
}
