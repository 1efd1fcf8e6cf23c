//! A socket that receives and sends whole frames on one interface (`packet(7)`).

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use anyhow::{Context, Result};
use nix::{
    errno::Errno,
    libc,
    net::if_::if_nametoindex,
    sys::socket::{
        AddressFamily, MsgFlags, SockFlag, SockType, recv, send, setsockopt, socket,
        sockopt::{RcvBufForce, SndBufForce},
    },
};

/// What the kernel may hold of what was not read yet: some ten thousand frames.
const BUFFER_BYTES: usize = 64 << 20;

/// A frame may have this many bytes: an MTU of 1500 and headers. More is no single segment.
pub(super) const MAX_FRAME_BYTES: usize = 1522;

/// The socket.
pub(super) struct PacketSocket(OwnedFd);

impl PacketSocket {
    /// Opens one on an interface of the calling thread's namespace. It receives what comes in at
    /// the interface, not what leaves by it.
    pub(super) fn open(interface: &str) -> Result<Self> {
        // Without a protocol nothing is received before the interface is known.
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Packet, SockType::Raw, flags, None)
            .context("no packet socket (needs CAP_NET_RAW)")?;
        setsockopt(&socket, RcvBufForce, &BUFFER_BYTES).context("no large receive buffer")?;
        setsockopt(&socket, SndBufForce, &BUFFER_BYTES).context("no large send buffer")?;
        let socket = Self(socket);
        for option in [libc::PACKET_IGNORE_OUTGOING, libc::PACKET_QDISC_BYPASS] {
            socket
                .set(option, 1)
                .with_context(|| format!("the packet socket's option {option}"))?;
        }
        socket.bind(if_nametoindex(interface)?).with_context(|| interface.to_owned())?;
        Ok(socket)
    }

    fn set(&self, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
        // SAFETY: the kernel reads one int, which is what is passed, and keeps no pointer.
        let result = unsafe {
            libc::setsockopt(
                self.0.as_raw_fd(),
                libc::SOL_PACKET,
                option,
                (&raw const value).cast(),
                size_of_val(&value) as libc::socklen_t,
            )
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    fn bind(&self, if_index: u32) -> io::Result<()> {
        // SAFETY: all bytes zero are a valid value of this struct of integers.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        address.sll_ifindex = if_index as i32;
        // SAFETY: the pointer and the length are those of a whole `sockaddr_ll`, which the kernel
        // only reads.
        let result = unsafe {
            libc::bind(
                self.0.as_raw_fd(),
                (&raw const address).cast(),
                size_of_val(&address) as libc::socklen_t,
            )
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Receives a frame if there is one, and returns its length, which is more than was received
    /// if it did not fit.
    pub(super) fn receive(&self, frame: &mut [u8]) -> Result<Option<usize>> {
        match recv(self.0.as_raw_fd(), frame, MsgFlags::MSG_TRUNC) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(None),
            // The interface went down; that is seen when the wire is taken away.
            Err(Errno::ENETDOWN) => Ok(None),
            Err(error) => Err(error).context("cannot receive from the wire"),
        }
    }

    /// Sends a frame, and says whether the interface took it.
    pub(super) fn send(&self, frame: &[u8]) -> Result<bool> {
        match send(self.0.as_raw_fd(), frame, MsgFlags::empty()) {
            Ok(_) => Ok(true),
            Err(Errno::ENOBUFS | Errno::EAGAIN | Errno::ENETDOWN) => Ok(false),
            Err(error) => Err(error).context("cannot send into the wire"),
        }
    }

    /// How many frames the kernel had no room for since it was last asked.
    pub(super) fn overruns(&self) -> io::Result<u64> {
        let mut statistics = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
        let mut bytes = size_of_val(&statistics) as libc::socklen_t;
        // SAFETY: the kernel writes at most `bytes` bytes, the size of what is passed.
        let result = unsafe {
            libc::getsockopt(
                self.0.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut statistics).cast(),
                &raw mut bytes,
            )
        };
        if result == 0 { Ok(statistics.tp_drops.into()) } else { Err(io::Error::last_os_error()) }
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
