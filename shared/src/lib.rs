//! What the kernel side and the console agree on.
//!
//! Everything here crosses the boundary between the eBPF programs and user space through a BPF
//! map, or decides something that both sides have to decide alike. Layouts are `repr(C)`, free of
//! padding (the `IntoBytes` derive refuses it) and checked for size at compile time. Nothing here
//! reads a packet, makes a system call or allocates.
//!
//! | module | what both sides agree on |
//! |---|---|
//! | [`bypass`] | which requests go to a server behind although their path is served |
//! | [`config`] | what the console tells the programs when it attaches them |
//! | [`counters`] | the counters every CPU keeps, and what they must add up to |
//! | [`flow`] | one TCP connection that the XDP program owns |
//! | [`load`] | what the load generator's program and its user space agree on |
//! | [`map`] | the names and sizes of the maps |
//! | [`observe`] | what is shown of single packets and requests while somebody looks |
//! | [`path`] | which request targets name the same route |
//! | [`reason`] | why a packet left the fast path, in words |
//! | [`refusal`] | why a request was refused, in words |
//! | [`response`] | where the bytes of a response and their checksums lie |
//! | [`route`] | what a path leads to, and what the console remembers of it |
//! | [`validator`] | entity tags, as they are compared |
#![cfg_attr(not(test), no_std)]

pub mod bypass;
pub mod config;
pub mod counters;
pub mod flow;
pub mod load;
pub mod map;
pub mod miss;
pub mod observe;
pub mod path;
pub mod reason;
pub mod refusal;
pub mod response;
pub mod route;
pub mod validator;

/// Fails the build when `T` is not `BYTES` bytes long.
///
/// Use it in a `const _: () = size_is::<T, N>();` beside each shared struct.
pub const fn size_is<T, const BYTES: usize>() {
    assert!(core::mem::size_of::<T>() == BYTES, "the layout of a shared struct has changed");
}
