//! h2o and varnish, servers to compare with beside nginx. Both are Debian's; where they are not
//! installed they are left out.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use zeroserve_tui::{
    load::threads::Thread,
    net::{PrivateNetwork, veth::SERVER_ADDRESS},
};

use super::site::{HEALTH_BODY, Site};
use crate::{Nginx, binary, nginx};

/// The port that they listen on, in the server's namespace.
pub const PORT: u16 = 8081;

/// h2o's settings.
const H2O: &str = include_str!("../../h2o.conf");
/// varnish's.
const VARNISH: &str = include_str!("../../varnish.vcl");

/// Those of varnish that are given on the command line: one pool of threads, all there from the start,
/// so that the time of each is taken; idle connections stay; nothing is logged.
const VARNISH_PARAMETERS: [&str; 7] = [
    "thread_pools=1",
    "thread_pool_min=500",
    "thread_pool_max=500",
    "timeout_idle=600",
    "listen_depth=4096",
    "default_grace=0",
    "vsl_mask=-Begin,-End,-Link,-ReqStart,-ReqMethod,-ReqURL,-ReqProtocol,-ReqHeader,-ReqUnset,-ReqAcct,\
     -RespProtocol,-RespStatus,-RespReason,-RespHeader,-RespUnset,-VCL_call,-VCL_return,-VCL_use,-Hit,\
     -Timestamp,-SessOpen,-SessClose,-Filters,-Length",
];

/// How many threads that pool has: those of the parameters.
const THREADS: usize = 500;

/// A running server, ended when dropped.
pub struct Process {
    child: Child,
    /// What ends it. varnish ends its child on a signal that it hears; h2o would wait for its clients, who
    /// are not going to leave.
    ending: Signal,
    /// What it gets its files from, if anything.
    _backend: Option<Nginx>,
}

impl Process {
    /// Starts h2o, on one CPU.
    ///
    /// # Errors
    ///
    /// Where it does not start.
    pub fn h2o(network: &PrivateNetwork, site: &Site, cpu: usize) -> Result<Self> {
        let folder = site.beside("h2o");
        fs::create_dir(&folder)?;
        std::os::unix::fs::symlink(site.root(), folder.join("site"))?;
        fs::write(folder.join("healthz.txt"), HEALTH_BODY)?;
        readable(&folder, site)?;
        let file = folder.join("h2o.conf");
        fs::write(&file, filled(H2O, &folder))?;
        let mut command = on_cpu(network, cpu);
        command.arg("h2o").arg("-c").arg(&file);
        Self::start(command, network, &folder, None, Signal::SIGKILL)
    }

    /// Starts varnish, on one CPU, in front of an nginx of which each file is asked for once.
    ///
    /// # Errors
    ///
    /// Where it does not start.
    pub fn varnish(network: &PrivateNetwork, site: &Site, cpu: usize) -> Result<Self> {
        // Its way to the nginx behind it.
        let mut ip = network.server.command("ip");
        ensure!(ip.args(["link", "set", "lo", "up"]).status()?.success(), "lo does not come up");
        let folder = site.beside("varnish");
        let server = &network.server;
        let behind = Nginx::start_workers("1", server, &site.beside("behind"), &site.root())?;
        fs::create_dir(&folder)?;
        let file = folder.join("varnish.vcl");
        fs::write(&file, filled(VARNISH, &folder))?;
        let mut command = on_cpu(network, cpu);
        command.args(["varnishd", "-F", "-j", "none", "-T", "none", "-s", "malloc,1g"]);
        command.arg("-n").arg(folder.join("work")).arg("-f").arg(&file);
        command.args(["-a", &format!(":{PORT}")]);
        VARNISH_PARAMETERS.iter().for_each(|one| {
            command.args(["-p", one]);
        });
        let running = Self::start(command, network, &folder, Some(behind), Signal::SIGTERM)?;
        // It starts one after the other.
        binary::wait_until("varnish has its threads", || Ok(running.threads()?.len() > THREADS))?;
        Ok(running)
    }

    fn start(
        mut command: Command,
        network: &PrivateNetwork,
        folder: &Path,
        backend: Option<Nginx>,
        ending: Signal,
    ) -> Result<Self> {
        let name = format!("{command:?}");
        let said = folder.join("said.log");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&said)?);
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let mut running = Self { child, ending, _backend: backend };
        let address = SocketAddr::new(SERVER_ADDRESS.into(), PORT);
        binary::wait_until("the server listens", || {
            if let Some(status) = running.child.try_wait()? {
                let said = fs::read_to_string(&said).unwrap_or_default();
                bail!("{name} ended at once: {status}\n{said}");
            }
            Ok(network.client.run(|| TcpStream::connect(address))?.is_ok())
        })?;
        Ok(running)
    }

    /// Its threads, and those of its children.
    ///
    /// # Errors
    ///
    /// Where it has ended.
    pub fn threads(&self) -> Result<Vec<Thread>> {
        let mut threads = Vec::new();
        let mut processes = vec![self.child.id()];
        while let Some(process) = processes.pop() {
            for task in fs::read_dir(format!("/proc/{process}/task"))? {
                let task = task?.path();
                let id = task.file_name().and_then(|name| name.to_str()?.parse().ok());
                threads.push(Thread::of(id.context("a thread without a number")?));
                let children = fs::read_to_string(task.join("children")).unwrap_or_default();
                processes
                    .extend(children.split_whitespace().filter_map(|one| one.parse::<u32>().ok()));
            }
        }
        Ok(threads)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = binary::send(&self.child, self.ending);
        let _ = self.child.wait();
    }
}

/// A command that runs on one CPU in the server's namespace, with all its threads.
fn on_cpu(network: &PrivateNetwork, cpu: usize) -> Command {
    let mut command = network.server.command("taskset");
    command.args(["--cpu-list", &cpu.to_string()]);
    command
}

fn filled(settings: &str, folder: &Path) -> String {
    settings
        .replace("FOLDER", &folder.display().to_string())
        .replace("PORT", &PORT.to_string())
        .replace("BACKEND", &SERVER_ADDRESS.to_string())
        .replace("BEHIND", &nginx::PORT.to_string())
}

/// h2o runs as another user.
fn readable(folder: &Path, site: &Site) -> Result<()> {
    for folder in [Some(folder), folder.parent(), Some(site.root().as_path())] {
        nginx::make_readable(folder.context("a folder in none")?)?;
    }
    Ok(())
}
