//! A bad wire between a client and a server, each in a namespace of its own.
//!
//! Between the two lies a third namespace with one end of each veth pair and no address. What comes
//! out of one pair is read there by a [`Relay`], which loses, delays, reorders and duplicates
//! frames before it puts them into the other. Nothing else forwards, so without a relay the wire
//! is cut.
//!
//! Segmentation offload and checksum offload are off at both hosts: each frame on the wire is one
//! segment with its checksum, as behind a real network card, and a loss loses one segment.

mod packet_socket;
mod relay;

use std::{
    net::{Ipv4Addr, SocketAddr},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context, Result, ensure};
use nix::net::if_::if_nametoindex;
use zeroserve_tui::{
    kernel::{AttachOptions, Live, PassThrough},
    net::{
        Namespace,
        undo::Undo,
        veth::{CLIENT_ADDRESS, SERVER_ADDRESS},
    },
};

pub use self::relay::{Counts, Impairment, Relay};
use crate::{frames::Tag, require_program, require_root, sysctl};

/// Hardware addresses, locally administered. Hosts know each other's, so that no ARP disturbs.
const SERVER_HARDWARE: &str = "02:00:00:00:00:01";
const CLIENT_HARDWARE: &str = "02:00:00:00:00:02";

/// Three namespaces in a row: client, wire, server.
pub struct Wire {
    // Fields are dropped in this order: a server is stopped while its interface exists.
    _server_pins: Undo,
    /// Where the server is.
    pub server: Namespace,
    /// Where clients are.
    pub client: Namespace,
    /// Name of the server's interface.
    pub interface: String,
    /// Name of the client's interface.
    pub client_interface: String,
    middle: Namespace,
    /// What the server's XDP program sends vanishes unless an XDP program is here.
    pass_through: Option<PassThrough>,
}

impl Wire {
    /// Lays a wire. `for_xdp` says whether the server's end is to carry an XDP program.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses.
    ///
    /// # Panics
    ///
    /// Where the process does not run as root, or a program that this takes is missing.
    pub fn create(for_xdp: bool) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        require_root();
        require_program("ip");
        require_program("ethtool");
        let suffix = format!("{}n{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let interface = format!("wire{suffix}");
        let client_interface = format!("peer{suffix}");
        let server_pins = Undo::new({
            let interface = interface.clone();
            move || {
                // Where nothing was attached there is nothing to stop.
                let _ = Live::stop(&interface);
            }
        });
        let server = Namespace::create("wire-server")?;
        let client = Namespace::create("wire-client")?;
        let middle = Namespace::create("wire-middle")?;
        let hosts = [
            (&server, &interface, SERVER_HARDWARE, SERVER_ADDRESS, "to-server"),
            (&client, &client_interface, CLIENT_HARDWARE, CLIENT_ADDRESS, "to-client"),
        ];
        for (host, name, hardware, address, other_end) in hosts {
            let middle_name = middle.name();
            let link = format!(
                "link add {name} address {hardware} type veth peer {other_end} netns {middle_name}"
            );
            run(host, "ip", &link)?;
            run(host, "ip", &format!("address add {address}/24 dev {name}"))?;
            run(host, "ip", &format!("link set {name} up"))?;
            run(&middle, "ip", &format!("link set {other_end} up"))?;
            run(host, "ethtool", &format!("-K {name} tx off tso off gso off gro off"))?;
        }
        let pass_through = for_xdp
            .then(|| middle.run(|| PassThrough::attach(if_nametoindex("to-server")?)))
            .transpose()?
            .transpose()?;
        // An XDP program turns GRO on, which would merge what the wire is to carry one by one.
        run(&middle, "ethtool", "-K to-server gro off")?;
        let wire = Self {
            _server_pins: server_pins,
            server,
            client,
            interface,
            client_interface,
            middle,
            pass_through,
        };
        wire.introduce(SERVER_ADDRESS, CLIENT_ADDRESS)?;
        Ok(wire)
    }

    /// Tells both hosts the other's hardware address, and to keep nothing in mind from one
    /// connection to the next, so that each transfer stands for itself.
    fn introduce(&self, server_address: Ipv4Addr, client_address: Ipv4Addr) -> Result<()> {
        let known = [
            (&self.server, &self.interface, client_address, CLIENT_HARDWARE),
            (&self.client, &self.client_interface, server_address, SERVER_HARDWARE),
        ];
        for (host, interface, address, hardware) in known {
            let neighbour = format!("{address} lladdr {hardware} dev {interface} nud permanent");
            run(host, "ip", &format!("neighbour replace {neighbour}"))?;
            sysctl::set(host, "net/ipv4/tcp_no_metrics_save", "1")?;
        }
        Ok(())
    }

    /// Attaches a Zeroserve to the server's end. It ends with the wire.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses, or the wire was not laid for XDP.
    pub fn attach(&self) -> Result<Live> {
        ensure!(self.pass_through.is_some(), "this wire was laid for a server without XDP");
        let options = AttachOptions::new(&self.interface);
        Ok(self.server.run(|| Live::attach(&options))??)
    }

    /// Where clients reach the server, by its port.
    pub fn server_at(&self, port: u16) -> SocketAddr {
        SocketAddr::new(SERVER_ADDRESS.into(), port)
    }

    /// Joins the two ends until the relay is dropped or stopped. What happens to the n-th frame of
    /// a direction depends on the seed and n alone.
    ///
    /// # Errors
    ///
    /// Where the kernel gives no packet sockets.
    pub fn join(&self, seed: u64, to_server: Impairment, to_client: Impairment) -> Result<Relay> {
        self.start(seed, [to_server, to_client], &[])
    }

    /// Joins the two ends without losses, as a switch does whose port to the server is in VLANs:
    /// what goes there gets tags. The relay fails if anything comes back without the same tags.
    ///
    /// # Errors
    ///
    /// As for [`Wire::join`].
    pub fn join_tagged(&self, tags: &[Tag]) -> Result<Relay> {
        self.start(0, [Impairment::default(); 2], tags)
    }

    fn start(&self, seed: u64, impairments: [Impairment; 2], tags: &[Tag]) -> Result<Relay> {
        let ends = ["to-server", "to-client"];
        Relay::start(&self.middle, ends, seed, impairments, tags.to_vec())
    }

    /// Lets both hosts use another congestion control.
    ///
    /// # Errors
    ///
    /// Where the kernel does not have it, or does not allow it in namespaces.
    pub fn set_congestion_control(&self, name: &str) -> Result<()> {
        for host in [&self.server, &self.client] {
            sysctl::set(host, "net/ipv4/tcp_congestion_control", name).with_context(|| {
                let allowed = "net.ipv4.tcp_allowed_congestion_control";
                format!("{name} is none of those that `sysctl {allowed}` lists")
            })?;
        }
        Ok(())
    }

    /// The congestion control that both hosts use.
    ///
    /// # Errors
    ///
    /// Where the kernel does not tell.
    pub fn congestion_control(&self) -> Result<String> {
        let path = "/proc/sys/net/ipv4/tcp_congestion_control";
        let name = self.server.run(|| std::fs::read_to_string(path))??;
        Ok(name.trim().to_owned())
    }
}

/// Runs a program in a namespace, which must succeed.
fn run(host: &Namespace, program: &str, arguments: &str) -> Result<()> {
    let output = host.command(program).args(arguments.split(' ')).output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} {arguments}: {errors}");
    Ok(())
}
