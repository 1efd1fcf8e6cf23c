//! Zeroserve in front of an ordinary server.

use std::{
    fs,
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    process::{Child, Stdio},
    thread::{self, JoinHandle},
};

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use tempfile::TempDir;
use zeroserve_tui::{
    demo::client::Connection,
    kernel::{AttachOptions, Live, MissChoice},
    net::{PrivateNetwork, undo::Undo, veth::SERVER_ADDRESS},
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
    nginx: Option<Child>,
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
    /// Where it does not start.
    ///
    /// # Panics
    ///
    /// Where it is not installed.
    pub fn start_nginx(&mut self) -> Result<()> {
        require_program("nginx");
        let folder = self.folder.path();
        // Workers of nginx run as another user.
        for folder in [folder, &folder.join("site")] {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
        }
        let file = folder.join("nginx.conf");
        let settings = include_str!("../front.conf");
        fs::write(&file, settings.replace("FOLDER", &folder.display().to_string()))?;
        let mut nginx = self.network.server.command("nginx");
        nginx.arg("-c").arg(&file).arg("-e").arg(folder.join("error.log"));
        let mut nginx = nginx.stdin(Stdio::null()).spawn().context("nginx did not start")?;
        // From its own side, so that nothing passes through what is tested.
        let address = SocketAddr::new(SERVER_ADDRESS.into(), PORT);
        binary::wait_until("nginx listens", || {
            if let Some(status) = nginx.try_wait()? {
                bail!("nginx ended at once: {status}");
            }
            Ok(self.network.server.run(|| TcpStream::connect(address))?.is_ok())
        })?;
        self.nginx = Some(nginx);
        Ok(())
    }

    /// Stops nginx.
    ///
    /// # Errors
    ///
    /// Where it cannot be told to.
    pub fn stop_nginx(&mut self) -> Result<()> {
        if let Some(mut nginx) = self.nginx.take() {
            // The master ends its workers; killed outright it would leave them behind.
            binary::send(&nginx, Signal::SIGTERM)?;
            nginx.wait()?;
        }
        Ok(())
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

    /// Waits until nginx has logged so many requests, and returns the log: client, method, path and
    /// status of each.
    ///
    /// # Errors
    ///
    /// Where it does not, or logs more.
    pub fn log(&self, lines: usize) -> Result<Vec<String>> {
        let file = self.folder.path().join("access.log");
        let read = || Ok::<_, anyhow::Error>(fs::read_to_string(&file)?);
        binary::wait_until("nginx logs", || Ok(read()?.lines().count() >= lines))
            .with_context(|| format!("the log has {:?}", read().map(|log| log.lines().count())))?;
        Ok(read()?.lines().map(str::to_owned).collect())
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

impl Drop for Front {
    fn drop(&mut self) {
        let _ = self.stop_nginx();
    }
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
