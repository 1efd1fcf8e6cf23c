//! Makes the picture of the console and the recorded session that README shows: a server in a
//! private network, clients that do right and wrong, and somebody at the console, all real.
//!
//!     cargo run -p zeroserve-tests --bin picture
//!
//! writes `assets/console.svg` and `assets/session.zsr`. It takes a minute; sleeps are part of the
//! story, and nothing is measured.

use std::{fs, io::Write as _, net::TcpStream, path::Path, sync::Arc, thread, time::Duration};

use anyhow::{Context, Result, ensure};
use nix::sys::socket::{setsockopt, sockopt::Linger};
use zeroserve_tests::{
    Host,
    binary::{Terminal, wait_until},
    lab::DEMO_SITE,
    svg,
};
use zeroserve_tui::{
    content::Site,
    demo::load::{Load, Target},
    kernel::AttachOptions,
};

/// Where the results go.
const ASSETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../assets");

/// Columns and rows: the smallest at which several panels are shown, with some room for routes.
const SIZE: (u16, u16) = (132, 42);

/// How long each part of the story is.
const PART: Duration = Duration::from_secs(8);

/// No picture or session is larger, in bytes: both are checked in.
const MAX_BYTES: u64 = 200_000;

fn main() -> Result<()> {
    let host = Host::new()?;
    let site = host.folder.path().join("site");
    copy(Path::new(DEMO_SITE), &site)?;
    host.json(&["serve", "IFACE", "--root", "DIR/site"])?;
    let mut command = host.console(&["IFACE", "--theme", "dark"]);
    command.current_dir(host.folder.path()).env("SUDO_USER", "ada").env_remove("NO_COLOR");
    let mut terminal = Terminal::sized(command, SIZE.0, SIZE.1)?;
    terminal.wait_for("SERVING")?;

    let few = load(&host, &site, 1)?;
    thread::sleep(PART);
    replace(&host, &mut terminal)?;
    thread::sleep(PART);
    let more = load(&host, &site, 3)?;
    mistakes(&host)?;
    // A closer look at the charts, and back to the routes.
    terminal.keys("3+1")?;
    thread::sleep(PART);
    mistakes(&host)?;
    thread::sleep(Duration::from_secs(2));
    let title = format!("The console of Zeroserve, {} by {} characters", SIZE.0, SIZE.1);
    let picture = terminal.look(|screen| svg::picture(screen, &title));
    for load in [more, few] {
        let outcome = load.stop()?;
        ensure!(outcome.errors == 0, "wrong answers: {:?}", outcome.first_error);
    }
    thread::sleep(PART / 2);

    terminal.keys("W")?;
    terminal.wait_for("saved")?;
    terminal.keys("qs")?;
    terminal.wait_for_end()?;
    fs::write(Path::new(ASSETS).join("console.svg"), &picture)?;
    let saved = fs::read_dir(host.folder.path())?.flatten().map(|entry| entry.path());
    let saved = saved.into_iter().find(|path| path.extension().is_some_and(|e| e == "zsr"));
    fs::copy(saved.context("no recording was saved")?, Path::new(ASSETS).join("session.zsr"))?;
    for name in ["console.svg", "session.zsr"] {
        let bytes = fs::metadata(Path::new(ASSETS).join(name))?.len();
        ensure!(bytes <= MAX_BYTES, "{name} has {bytes} bytes, which is too much to check in");
        println!("assets/{name}: {bytes} bytes");
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Clients that ask for everything but the file that is replaced, and check what they get.
fn load(host: &Host, site: &Path, connections: usize) -> Result<Load> {
    let site = Site::scan(site)?;
    let targets = site
        .render()
        .filter(|(path, _)| path.as_str() != "/health.txt")
        .map(|(path, rendered)| Ok(Target::new(&path, Arc::new(rendered?))))
        .collect::<Result<Vec<_>>>()?;
    let address = host.network.server_at(AttachOptions::DEFAULT_PORT);
    Load::start(&host.network.client, address, &targets, connections)
}

/// Somebody replaces a file, and is asked before.
fn replace(host: &Host, terminal: &mut Terminal) -> Result<()> {
    host.write("site/health.txt", b"better than ever\n")?;
    terminal.keys("/health\rr")?;
    terminal.wait_for("Replace /health.txt by")?;
    terminal.keys("\r")?;
    terminal.wait_for("Replace this?")?;
    terminal.keys("y")?;
    terminal.wait_for("replaced /health.txt")?;
    // Everything again.
    terminal.keys("/\x1b")?;
    wait_until("all routes again", || Ok(terminal.contents().contains("index.html")))
}

/// What is not as it should be, a few times each: pages that are not there, TLS on this port, a
/// client that hangs up, a port that is not served.
fn mistakes(host: &Host) -> Result<()> {
    let mut connection = host.connect()?;
    for path in ["/favicon.png", "/wp-login.php", "/old/index.html"] {
        ensure!(connection.get(path)?.status == 404, "{path} is not there");
    }
    let address = host.network.server_at(AttachOptions::DEFAULT_PORT);
    for _ in 0..4 {
        let mut stream = host.network.client.run(|| TcpStream::connect(address))??;
        // The beginning of a ClientHello (RFC 8446 section 5.1).
        stream.write_all(b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03")?;
        let mut other = host.connect()?;
        ensure!(other.get("/")?.status == 200);
        let now = nix::libc::linger { l_onoff: 1, l_linger: 0 };
        setsockopt(other.stream(), Linger, &now)?;
        let closed = host.network.server_at(AttachOptions::DEFAULT_PORT + 1);
        // Refused, as it should be.
        let _ = host.network.client.run(|| TcpStream::connect(closed))?;
    }
    Ok(())
}
