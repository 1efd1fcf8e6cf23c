//! A socket that receives and sends whole frames on one interface (`packet(7)`).

use std::{
    io, mem,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use anyhow::{Context, Result};
use nix::{
    errno::Errno,
    libc,
    net::if_::if_nametoindex,
    sys::socket::{
        AddressFamily, MsgFlags, SockFlag, SockType, send, setsockopt, socket,
        sockopt::{RcvBufForce, SndBufForce},
    },
};

use crate::frames::Tag;

/// Bytes of the addresses that a frame begins with, and of a tag, which follows them.
const ADDRESSES_BYTES: usize = 12;
const TAG_BYTES: usize = 4;

/// What the kernel may hold of what was not read yet: some ten thousand frames.
const BUFFER_BYTES: usize = 64 << 20;

/// A frame may have this many bytes: an MTU of 1500, the header and two tags. More is no single
/// segment.
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
        for option in
            [libc::PACKET_IGNORE_OUTGOING, libc::PACKET_QDISC_BYPASS, libc::PACKET_AUXDATA]
        {
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

    /// Receives a frame if there is one, as it was on the wire: the kernel takes the outer tag out
    /// before anybody sees the frame, and here it is put back. Returns its length, which is more
    /// than was received if it did not fit.
    pub(super) fn receive(&self, frame: &mut [u8]) -> Result<Option<usize>> {
        let (bytes, tag) = match self.receive_with_tag(frame) {
            Ok(received) => received,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(None),
            // The interface went down; that is seen when the wire is taken away.
            Err(Errno::ENETDOWN) => return Ok(None),
            Err(error) => return Err(error).context("cannot receive from the wire"),
        };
        let Some([kind, tag]) = tag else { return Ok(Some(bytes)) };
        if bytes + TAG_BYTES <= frame.len() {
            frame.copy_within(ADDRESSES_BYTES..bytes, ADDRESSES_BYTES + TAG_BYTES);
            frame[12..14].copy_from_slice(&kind.to_be_bytes());
            frame[14..16].copy_from_slice(&tag.to_be_bytes());
        }
        Ok(Some(bytes + TAG_BYTES))
    }

    /// Receives a frame, and the tag that the kernel took out of it.
    fn receive_with_tag(&self, frame: &mut [u8]) -> nix::Result<(usize, Option<Tag>)> {
        let mut control = [0u64; 16];
        let mut part = libc::iovec { iov_base: frame.as_mut_ptr().cast(), iov_len: frame.len() };
        // SAFETY: all bytes zero are a valid value of this struct of integers and pointers.
        let mut message: libc::msghdr = unsafe { mem::zeroed() };
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&control);
        // SAFETY: the kernel writes into `frame` and `control` only, no more than their lengths,
        // and keeps no pointer.
        let bytes = unsafe { libc::recvmsg(self.0.as_raw_fd(), &raw mut message, libc::MSG_TRUNC) };
        let bytes = Errno::result(bytes)?;
        // SAFETY: the message is as the kernel left it, so what is in `control` are whole headers,
        // each with as many bytes behind it as its type has.
        let auxiliary = unsafe {
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            if header.is_null() || (*header).cmsg_type != libc::PACKET_AUXDATA {
                return Ok((bytes as usize, None));
            }
            libc::CMSG_DATA(header).cast::<libc::tpacket_auxdata>().read_unaligned()
        };
        let has_tag = auxiliary.tp_status & libc::TP_STATUS_VLAN_VALID != 0;
        let tag = [auxiliary.tp_vlan_tpid, auxiliary.tp_vlan_tci];
        Ok((bytes as usize, has_tag.then_some(tag)))
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
