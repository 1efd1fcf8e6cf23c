//! The pure logic of the kernel side: no packet pointers, no maps, no helpers.
//!
//! It is compiled for the eBPF programs in `main.rs` and, unchanged, for the host, where it is
//! tested. Whatever can be decided from values alone is decided here.
//!
//! | module | what it decides |
//! |---|---|
//! | [`bounds`] | nothing: it keeps bounds where the verifier sees them |
//! | [`checksum`] | Internet checksums, from fields and stored sums |
//! | [`cookie`] | SYN cookies |
//! | [`date`] | the value of `Date` |
//! | [`descriptor`] | what a carrier tells the egress program, and which segment a clone is |
//! | [`handoff`] | what the kernel is told of a connection that it is given |
//! | [`load`] | what the load generator sends next |
//! | [`moving`] | the parts of a head that are written when it is sent |
//! | [`ownership`] | who answers: this program, or the server behind it |
//! | [`request`] | what a request asks for |
//! | [`select`] | which answer it gets |
//! | [`siphash`] | the keyed hash under the cookies |
//! | [`table`] | where a flow is kept |
//! | [`transport`] | what a flow sends next |
//! | [`wire`] | the headers on the wire |
//! | [`words`] | eight bytes at a time |
#![cfg_attr(target_arch = "bpf", no_std, feature(asm_experimental_arch))]

pub mod bounds;
pub mod checksum;
pub mod cookie;
pub mod date;
pub mod descriptor;
pub mod handoff;
pub mod load;
pub mod moving;
pub mod ownership;
pub mod request;
pub mod select;
pub mod siphash;
pub mod table;
pub mod transport;
pub mod wire;
pub mod words;
