//! The only door to aya: loads the programs, pins them, publishes versions, reads the counters.
//!
//! | module | what it is for |
//! |---|---|
//! | `absence` | why there is no server to talk to, or none to stop |
//! | `around` | the interface, the kernel's own counters, the flows there are |
//! | `attach` | check an interface, load the programs and put them on it |
//! | `capabilities` | what this process may do |
//! | `clock` | the clocks that the kernel side reads too |
//! | `detail` | what is remembered of a version for people |
//! | `flows` | the table of flows, as memory |
//! | `generator` | the load generator's program and its maps |
//! | `handoff` | the handoff program: whether this kernel can have it, and attaching it |
//! | `identity` | what a server is, and which interface carries it |
//! | `ledger` | which routes and version slots are in use |
//! | `live` | a running server, opened from its pins |
//! | `maps` | the maps, each with its types |
//! | `misses` | what is asked for and not served here, and whom else to ask |
//! | `observe` | the rings of packets and requests that were observed |
//! | `object` | the compiled programs |
//! | `pass_through` | a program for the far end of a veth pair, which passes everything |
//! | `pins` | the folder on the BPF filesystem that keeps a server alive |
//! | `publish` | put versions behind routes, take them away, free what nobody needs |
//! | `sample` | what the counters and routes say |
//! | `stop` | stopping a server: letting connections end, then detaching its programs |
//! | `sys` | the few calls of `bpf(2)` that aya does not offer |

mod absence;
mod addresses;
mod around;
mod attach;
mod capabilities;
mod clock;
mod detail;
mod flows;
mod generator;
mod handoff;
mod identity;
mod ledger;
mod live;
mod maps;
mod misses;
mod object;
mod observe;
mod pass_through;
mod pen;
mod pins;
mod publish;
mod sample;
mod stop;
mod sys;

pub use absence::{OpenError, StopError};
pub use attach::{AttachError, AttachOptions};
pub use capabilities::NotPermitted;
pub use flows::{FlowTable, Place};
pub use generator::Generator;
pub use handoff::{MissChoice, Missing};
pub use live::Live;
pub use pass_through::PassThrough;
pub use pins::served_interfaces;
pub use publish::Published;
