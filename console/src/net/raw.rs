//! Sends IP packets that have all their headers already, through one interface (`raw(7)`). The kernel
//! finds the way to the neighbour; nothing else of it has to be known.

use std::{
    ffi::OsString,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6},
    os::fd::{AsRawFd, OwnedFd},
};

use nix::{
    errno::Errno,
    sys::socket::{
        AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrLike, SockaddrStorage,
        sendto, setsockopt, socket, sockopt::BindToDevice,
    },
};

/// Where the destination stands in an IPv4 header, and in one of IPv6.
const IPV4_DESTINATION: std::ops::Range<usize> = 16..20;
const IPV6_DESTINATION: std::ops::Range<usize> = 24..40;

/// Sockets that send through one interface.
pub struct RawSender {
    ipv4: OwnedFd,
    /// None where the kernel has no IPv6.
    ipv6: Option<OwnedFd>,
}

impl RawSender {
    /// Opens them, in the network namespace of the calling thread.
    ///
    /// # Errors
    ///
    /// Where there is no such interface, or this process may not (`CAP_NET_RAW`).
    pub fn open(interface: &str) -> io::Result<Self> {
        let ipv4 = open(AddressFamily::Inet, interface)?;
        let ipv6 = match open(AddressFamily::Inet6, interface) {
            Err(Errno::EAFNOSUPPORT) => None,
            ipv6 => Some(ipv6?),
        };
        Ok(Self { ipv4, ipv6 })
    }

    /// Sends a packet.
    ///
    /// # Errors
    ///
    /// Where it is none, or the kernel does not send it.
    pub fn send(&self, packet: &[u8]) -> io::Result<()> {
        let destination = |range| packet.get(range).ok_or(io::ErrorKind::InvalidInput);
        let (socket, to) = match (packet.first().map(|byte| byte >> 4), &self.ipv6) {
            (Some(4), _) => {
                let bytes: [u8; 4] = destination(IPV4_DESTINATION)?.try_into().expect("four bytes");
                let to = SocketAddrV4::new(Ipv4Addr::from(bytes), 0);
                (&self.ipv4, SockaddrStorage::from(to))
            }
            (Some(6), Some(ipv6)) => {
                let bytes: [u8; 16] = destination(IPV6_DESTINATION)?.try_into().expect("sixteen");
                let to = SocketAddrV6::new(Ipv6Addr::from(bytes), 0, 0, 0);
                (ipv6, SockaddrStorage::from(to))
            }
            _ => return Err(io::ErrorKind::InvalidInput.into()),
        };
        send_to(socket, packet, &to)
    }
}

fn open(family: AddressFamily, interface: &str) -> Result<OwnedFd, Errno> {
    // This protocol means that packets come with their headers.
    let protocol = SockProtocol::Raw;
    let socket = socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
    setsockopt(&socket, BindToDevice, &OsString::from(interface))?;
    Ok(socket)
}

fn send_to(socket: &OwnedFd, packet: &[u8], to: &impl SockaddrLike) -> io::Result<()> {
    sendto(socket.as_raw_fd(), packet, to, MsgFlags::MSG_DONTWAIT)?;
    Ok(())
}
