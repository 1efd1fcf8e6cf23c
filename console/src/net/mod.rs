//! Interfaces, addresses, network namespaces and veth pairs.
//!
//! | module | what it is for |
//! |---|---|
//! | [`driver`] | what the driver of an interface counts by itself |
//! | [`interfaces`] | which interfaces there are, and what is known of them |
//! | [`listeners`] | who listens on a port |
//! | [`namespace`] | private network namespaces, and threads and commands inside them |
//! | [`neighbours`] | addresses behind the client's end of a private network |
//! | `private` | two namespaces and what connects them |
//! | [`raw`] | sending IP packets that have all their headers |
//! | [`undo`] | leaving no trace, also when a signal ends the process |
//! | [`veth`] | a pair of interfaces that connects two namespaces |
//! | [`watch`] | how one interface is doing |

pub mod driver;
pub mod interfaces;
pub mod listeners;
pub mod namespace;
pub mod neighbours;
mod private;
pub mod raw;
pub mod undo;
pub mod veth;
pub mod watch;

pub use namespace::Namespace;
pub use private::PrivateNetwork;
pub use veth::VethPair;
