//! The frames by which the program is told what to do.
//!
//! They are sent from the server's end, so that they arrive where the program is.

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

use anyhow::{Context, Result};
use zerocopy::IntoBytes;
use zeroserve_shared::load::{ORDER_ETHER_TYPE, Order};

/// Bytes of an order's frame: the longest that an MTU of 1500 has.
const FRAME_BYTES: usize = 1514;
/// Bytes of the Ethernet header.
const ETHERNET_BYTES: usize = 14;

/// Sends orders into an interface.
pub(super) struct Orders {
    socket: OwnedFd,
    frame: [u8; FRAME_BYTES],
}

impl Orders {
    /// Opens the way. `link` is the Ethernet header's addresses: the client's, the server's. Runs
    /// in the network namespace that the calling thread is in.
    pub(super) fn open(if_index: u32, link: [[u8; 6]; 2]) -> Result<Self> {
        // SAFETY: the call takes numbers only. Without a protocol nothing is received.
        let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        if fd < 0 {
            return Err(io::Error::last_os_error()).context("no packet socket (CAP_NET_RAW)");
        }
        // SAFETY: the descriptor is new and nobody else's.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        // SAFETY: all bytes zero are a valid value of this struct of integers.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_ifindex = if_index as i32;
        // SAFETY: the pointer and the length are those of a whole `sockaddr_ll`, which the kernel
        // only reads.
        let result = unsafe {
            libc::bind(
                socket.as_raw_fd(),
                (&raw const address).cast(),
                size_of_val(&address) as libc::socklen_t,
            )
        };
        if result != 0 {
            return Err(io::Error::last_os_error()).context("cannot bind a packet socket");
        }
        let mut frame = [0; FRAME_BYTES];
        frame[..12].copy_from_slice(link.as_flattened());
        frame[12..ETHERNET_BYTES].copy_from_slice(&ORDER_ETHER_TYPE.to_be_bytes());
        Ok(Self { socket, frame })
    }

    /// Sends an order. Like any frame it may get lost where a queue is full.
    pub(super) fn send(&mut self, what: u32, slot: u32) -> Result<()> {
        let order = Order { what, slot };
        let place = ETHERNET_BYTES..ETHERNET_BYTES + size_of::<Order>();
        self.frame[place].copy_from_slice(order.as_bytes());
        // SAFETY: the kernel reads exactly the frame.
        let sent = unsafe {
            libc::send(self.socket.as_raw_fd(), self.frame.as_ptr().cast(), FRAME_BYTES, 0)
        };
        let error = io::Error::last_os_error();
        match (sent, error.raw_os_error()) {
            (0.., _) | (_, Some(libc::ENOBUFS | libc::EAGAIN)) => Ok(()),
            _ => Err(error).context("cannot send an order"),
        }
    }
}
