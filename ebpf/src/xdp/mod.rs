//! The programs themselves: everything that touches a packet, a map or a helper.
//!
//! | module | what it does |
//! |---|---|
//! | [`maps`] | declares the maps |
//! | [`packet`] | reads, writes and resizes the frame: the only place that does |
//! | [`clock`] | the time |
//! | [`scratch`] | room for what does not fit the stack |
//! | [`stage`] | how the XDP program is cut into functions |
//! | [`ingress`] | the XDP program: whose packet is it, and what becomes of it |
//! | [`handshake`] | SYN cookies out and back |
//! | [`early`] | segments before the first request |
//! | [`path_mtu`] | routers that say that a segment is too large |
//! | [`flows`] | the table of flows: where each is |
//! | [`connection`] | segments of a flow |
//! | [`backlog`] | requests that wait for their turn |
//! | [`exchange`] | reading a request, and having it answered |
//! | [`memo`] | requests that this CPU has read before |
//! | [`answer`] | finding its answer |
//! | [`misses`] | counts what is asked for and not served here |
//! | [`burst`] | sending: in place, or by clones |
//! | [`reply`] | answers without payload, and what all answers say besides |
//! | [`slice`] | a piece of a response, from its blocks into the frame |
//! | [`observe`] | shows single packets and requests to whoever looks |
//! | [`front`] | in front of a server: what is its own |
//! | [`sockets`] | who in the kernel has a connection, or listens for it |
//! | [`handoff`] | the handoff program: the kernel is given a connection |
//! | [`egress`] | the egress program: a clone becomes a segment |
#![expect(
    clippy::needless_borrows_for_generic_args,
    reason = "a key passed by value would be copied to the stack first"
)]

mod answer;
mod backlog;
mod burst;
mod clock;
mod compose;
mod connection;
mod crowd;
mod early;
mod egress;
mod exchange;
mod flows;
mod front;
mod handoff;
mod handshake;
mod ingress;
mod maps;
mod memo;
mod misses;
mod observe;
mod packet;
mod path_mtu;
mod reply;
mod scratch;
mod slice;
mod sockets;
mod stage;
