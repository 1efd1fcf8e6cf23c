//! Zeroserve in front of an ordinary server.

use std::{
    collections::HashMap,
    fs,
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    os::{fd::AsRawFd, unix::fs::PermissionsExt},
    path::Path,
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
};

use anyhow::{Context, Result, bail};
use nix::{
    libc,
    sys::{
        signal::Signal,
        socket::{self, AddressFamily, SockFlag, SockType, SockaddrStorage},
    },
};
use tempfile::TempDir;
use zeroserve_tui::{
    demo::client::Connection,
    kernel::{AttachOptions, Live, MissChoice},
    net::{Namespace, PrivateNetwork, listeners, undo::Undo},
    server::{Change, Server},
};

use crate::{
    binary,
    lab::{rendered, sha256},
    require_program, require_root,
};

/// The port that both serve.
pub const PORT: u16 = AttachOptions::DEFAULT_PORT;

/// A network with room for a server and a Zeroserve in front of it.
pub struct Front {
    // Fields are dropped in this order.
    _pins: Undo,
    nginx: Option<Plain>,
    /// The network.
    pub network: PrivateNetwork,
    /// What nginx serves is in `site`, and its log beside it.
    pub folder: TempDir,
}

impl Front {
    /// Makes the network. Nobody serves anything yet.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses.
    ///
    /// # Panics
    ///
    /// Where the test does not run as root.
    pub fn new() -> Result<Self> {
        require_root();
        let network = PrivateNetwork::create("frnt")?;
        let interface = network.interface().to_owned();
        let pins = Undo::new(move || drop(Live::stop(&interface)));
        let folder = tempfile::tempdir()?;
        fs::create_dir(folder.path().join("site"))?;
        Ok(Self { _pins: pins, nginx: None, network, folder })
    }

    /// Makes the network, starts nginx and attaches in front of it, with these files served.
    ///
    /// # Errors
    ///
    /// As for [`Front::new`], [`Front::start_nginx`] and [`Front::attach`].
    pub fn with_nginx(hot: &[(&str, &[u8])], cold: &[(&str, &[u8])]) -> Result<(Self, Live)> {
        let mut front = Self::new()?;
        for (name, body) in cold {
            fs::write(front.folder.path().join("site").join(name), body)?;
        }
        front.start_nginx()?;
        let mut live = front.attach(MissChoice::Auto)?;
        for (name, body) in hot {
            live.apply(Change::Add(format!("/{name}").parse()?, rendered(body)))?;
        }
        Ok((front, live))
    }

    /// Starts nginx, and waits until it listens.
    ///
    /// # Errors
    ///
    /// See [`Plain::start`].
    pub fn start_nginx(&mut self) -> Result<()> {
        self.nginx = Some(Plain::start(&self.network.server, self.folder.path())?);
        Ok(())
    }

    /// The same with other settings, see [`Plain::start_with`].
    ///
    /// # Errors
    ///
    /// As for [`Plain::start`].
    ///
    /// # Panics
    ///
    /// As for [`Plain::start`].
    pub fn start_nginx_with(&mut self, settings: &str) -> Result<()> {
        let (server, folder) = (&self.network.server, self.folder.path());
        self.nginx = Some(Plain::start_with(server, folder, settings)?);
        Ok(())
    }

    /// The console's binary with arguments, to be run on the server's end. `IFACE` stands for the
    /// interface.
    pub fn console(&self, arguments: &[&str]) -> Command {
        let mut command = self.network.server.command(binary::path());
        let interface = self.network.interface();
        command.args(arguments.iter().map(|argument| argument.replace("IFACE", interface)));
        command.stdin(Stdio::null());
        command
    }

    /// Stops nginx.
    pub fn stop_nginx(&mut self) {
        self.nginx = None;
    }

    /// What nginx has logged, see [`log`].
    ///
    /// # Errors
    ///
    /// As for [`log`].
    pub fn log(&self, lines: usize) -> Result<Vec<String>> {
        log(self.folder.path(), lines)
    }

    /// Attaches a Zeroserve to the server's interface.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses.
    pub fn attach(&self, on_miss: MissChoice) -> Result<Live> {
        let options = AttachOptions { on_miss, ..AttachOptions::new(self.network.interface()) };
        Ok(self.network.server.run(|| Live::attach(&options))??)
    }

    /// Where clients reach the server.
    pub fn address(&self) -> SocketAddr {
        self.network.server_at(PORT)
    }

    /// Opens a connection from where clients are.
    ///
    /// # Errors
    ///
    /// Where the server does not answer.
    pub fn connect(&self) -> Result<Connection> {
        self.connect_to(self.address())
    }

    /// The same, to another address of the server.
    ///
    /// # Errors
    ///
    /// As for [`Front::connect`].
    pub fn connect_to(&self, address: SocketAddr) -> Result<Connection> {
        let connection = self.network.client.run(|| Connection::open(address))?;
        connection.with_context(|| format!("cannot connect to {address}"))
    }

    /// Serves a body at `/` and the name.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses.
    pub fn publish(&self, live: &mut Live, name: &str, body: &[u8]) -> Result<()> {
        Ok(live.apply(Change::Add(format!("/{name}").parse()?, rendered(body)))?)
    }

    /// Listens on the server's end, on all addresses.
    ///
    /// # Errors
    ///
    /// Where the port is taken.
    pub fn listen(&self) -> Result<TcpListener> {
        let all: IpAddr = std::net::Ipv6Addr::UNSPECIFIED.into();
        Ok(self.network.server.run(|| TcpListener::bind((all, PORT)))??)
    }
}

/// An nginx as anybody might run it, stopped when dropped.
pub struct Plain {
    master: Child,
}

impl Plain {
    /// Starts it, and waits until it listens. It serves what is in `site` below the folder.
    ///
    /// # Errors
    ///
    /// Where it does not start.
    ///
    /// # Panics
    ///
    /// Where it is not installed.
    pub fn start(server: &Namespace, folder: &Path) -> Result<Self> {
        Self::start_with(server, folder, include_str!("../front.conf"))
    }

    /// The same with other settings, in which `FOLDER` stands for the folder.
    ///
    /// # Errors
    ///
    /// Where it does not start.
    ///
    /// # Panics
    ///
    /// Where it is not installed.
    pub fn start_with(server: &Namespace, folder: &Path, settings: &str) -> Result<Self> {
        require_program("nginx");
        // Workers of nginx run as another user.
        for folder in [folder, &folder.join("site")] {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
        }
        let file = folder.join("nginx.conf");
        fs::write(&file, settings.replace("FOLDER", &folder.display().to_string()))?;
        let mut nginx = server.command("nginx");
        nginx.arg("-c").arg(&file).arg("-e").arg(folder.join("error.log"));
        let master = nginx.stdin(Stdio::null()).spawn().context("nginx did not start")?;
        let mut running = Self { master };
        // No connection, so that nothing passes through what is tested.
        binary::wait_until("nginx listens", || {
            if let Some(status) = running.master.try_wait()? {
                bail!("nginx ended at once: {status}");
            }
            Ok(server.run(|| listeners::socket(PORT, &[]))??.is_some())
        })?;
        Ok(running)
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        // The master ends its workers; killed outright it would leave them behind.
        if binary::send(&self.master, Signal::SIGTERM).is_ok() {
            let _ = self.master.wait();
        }
    }
}

/// Waits until an nginx with that folder has logged so many requests, and returns the log: client,
/// method, path and status of each.
///
/// # Errors
///
/// Where it does not.
pub fn log(folder: &Path, lines: usize) -> Result<Vec<String>> {
    let file = folder.join("access.log");
    let read = || Ok::<_, anyhow::Error>(fs::read_to_string(&file)?);
    binary::wait_until("nginx logs", || Ok(read()?.lines().count() >= lines))
        .with_context(|| format!("the log has {:?}", read().map(|log| log.lines().count())))?;
    Ok(read()?.lines().map(str::to_owned).collect())
}

/// Waits until the other end has acknowledged everything that was sent.
///
/// # Errors
///
/// Where it does not.
pub fn wait_until_sent(stream: &TcpStream) -> Result<()> {
    binary::wait_until("all is acknowledged", || {
        let mut bytes: i32 = 0;
        // SAFETY: the call writes one integer, to a live one. For TCP it is what is in the queue
        // until it is acknowledged (`tcp(7)`, SIOCOUTQ).
        let result = unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
        anyhow::ensure!(result == 0, std::io::Error::last_os_error());
        Ok(bytes == 0)
    })
}

/// What the kernel knows of a connection.
///
/// # Errors
///
/// Where it does not tell.
pub fn tcp_info(stream: &TcpStream) -> Result<libc::tcp_info> {
    // SAFETY: the struct consists of integers, for which zero is valid.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut length = size_of_val(&info) as libc::socklen_t;
    // SAFETY: the kernel writes no more bytes than it is told that the struct has.
    let result = unsafe {
        let to = (&raw mut info).cast();
        let (level, name) = (libc::IPPROTO_TCP, libc::TCP_INFO);
        libc::getsockopt(stream.as_raw_fd(), level, name, to, &raw mut length)
    };
    anyhow::ensure!(result == 0, std::io::Error::last_os_error());
    Ok(info)
}

/// Opens a connection from a certain address and port, from the namespace of the calling thread.
///
/// # Errors
///
/// Where the kernel refuses, or the server does not answer.
pub fn connect_from(local: SocketAddr, server: SocketAddr) -> Result<TcpStream> {
    let kind = (AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC);
    let socket = socket::socket(kind.0, kind.1, kind.2, None)?;
    socket::bind(socket.as_raw_fd(), &SockaddrStorage::from(local))?;
    socket::connect(socket.as_raw_fd(), &SockaddrStorage::from(server))?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(binary::PATIENCE))?;
    Ok(stream)
}

/// Takes one connection at a listener and does something with it.
pub fn serve_one<T: Send + 'static>(
    listener: TcpListener,
    serve: impl FnOnce(TcpStream) -> Result<T> + Send + 'static,
) -> JoinHandle<Result<T>> {
    thread::spawn(move || {
        let (stream, _) = listener.accept()?;
        stream.set_read_timeout(Some(binary::PATIENCE))?;
        serve(stream)
    })
}

/// The SHA-256 of some bytes, as text.
pub fn digest(bytes: &[u8]) -> String {
    sha256(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A request as a client sends it.
pub fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: front\r\n\r\n")
}

/// How many requests each path has in a log.
///
/// # Panics
///
/// Where one is not of that client, or was not answered with 200.
pub fn logged(log: &[String], client: &str) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for line in log {
        let path =
            line.strip_prefix(&format!("{client} GET ")).and_then(|l| l.strip_suffix(" 200"));
        *counts.entry(path.expect(line).to_owned()).or_default() += 1;
    }
    counts
}
