//! A browser without a window, asked through its developer tools.
//!
//! Printing the document when it has loaded would be simpler, but what a page's script does after
//! that is not waited for, and time that runs ahead of the network breaks pages that measure it.

use std::{
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpStream},
    os::unix::process::CommandExt,
    process::{Child, Stdio},
};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket, client};
use zeroserve_tui::{demo::client::Connection, net::Namespace};

use crate::{binary::wait_until, require_program};

/// A running Chromium that shows one page. It ends when this is dropped.
pub struct Browser {
    chromium: Child,
    page: WebSocket<TcpStream>,
    questions: u64,
    _profile: TempDir,
}

impl Browser {
    /// Starts Chromium in a network namespace and has it open an address.
    ///
    /// # Errors
    ///
    /// Where it does not start, or its developer tools cannot be reached.
    ///
    /// # Panics
    ///
    /// Where it is not installed.
    pub fn open(namespace: &Namespace, url: &str) -> Result<Self> {
        require_program("chromium");
        let profile = tempfile::tempdir()?;
        let mut command = namespace.command("chromium");
        command.args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--remote-debugging-port=0",
        ]);
        command.arg(format!("--user-data-dir={}", profile.path().display())).arg(url);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        // A group of its own, because Chromium is many processes.
        let mut chromium = command.process_group(0).spawn().context("chromium did not start")?;
        match attach(&mut chromium, namespace, url) {
            Ok(page) => Ok(Self { chromium, page, questions: 0, _profile: profile }),
            Err(error) => {
                end(&mut chromium);
                Err(error)
            }
        }
    }

    /// The value of a JavaScript expression in the page.
    ///
    /// # Errors
    ///
    /// Where the browser is gone or the expression throws.
    pub fn evaluate(&mut self, expression: &str) -> Result<Value> {
        self.questions += 1;
        let question = json!({
            "id": self.questions,
            "method": "Runtime.evaluate",
            "params": { "expression": expression, "returnByValue": true },
        });
        self.page.send(Message::text(question.to_string()))?;
        loop {
            let message: Value = serde_json::from_str(self.page.read()?.to_text()?)?;
            if message["id"] == self.questions {
                let result = message["result"].get("exceptionDetails");
                return match result {
                    Some(thrown) => bail!("{expression}: {thrown}"),
                    None => Ok(message["result"]["result"]["value"].clone()),
                };
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let close = json!({ "id": 0, "method": "Browser.close" });
        if self.page.send(Message::text(close.to_string())).is_ok() {
            let chromium = &mut self.chromium;
            let _ = wait_until("chromium ends", || Ok(chromium.try_wait()?.is_some()));
        }
        end(&mut self.chromium);
    }
}

/// Connects to the developer tools of the page that shows an address.
fn attach(chromium: &mut Child, namespace: &Namespace, url: &str) -> Result<WebSocket<TcpStream>> {
    let errors = chromium.stderr.take().context("no standard error")?;
    let mut lines = BufReader::new(errors).lines();
    let address = lines.by_ref().find_map(|line| {
        let line = line.ok()?;
        let (_, after) = line.split_once("DevTools listening on ws://")?;
        after.split('/').next()?.parse::<SocketAddr>().ok()
    });
    let address = address.context("chromium ended without opening its developer tools")?;
    // Somebody must go on reading, or chromium waits once the pipe is full.
    std::thread::spawn(move || lines.for_each(drop));
    let mut target = None;
    wait_until("chromium opens the page", || {
        let mut connection = namespace.run(|| Connection::open(address))??;
        let pages: Value = serde_json::from_slice(connection.get("/json/list")?.body)?;
        let pages = pages.as_array().map(Vec::as_slice).unwrap_or_default();
        let page = pages.iter().find(|page| page["url"].as_str() == Some(url));
        target = page.and_then(|page| page["webSocketDebuggerUrl"].as_str().map(str::to_owned));
        Ok(target.is_some())
    })?;
    let target = target.context("no page")?;
    let stream = namespace.run(|| TcpStream::connect(address))??;
    stream.set_read_timeout(Some(crate::binary::PATIENCE))?;
    let (page, _) = client(target, stream).context("no connection to the developer tools")?;
    Ok(page)
}

/// Ends whatever of it still runs.
fn end(chromium: &mut Child) {
    let _ = killpg(Pid::from_raw(chromium.id() as i32), Signal::SIGKILL);
    let _ = chromium.wait();
}
