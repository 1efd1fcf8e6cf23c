//! Load from inside the kernel: an HTTP client in XDP at the client's end of a private network.
//!
//! It only ever runs in a [`PrivateNetwork`](crate::net::PrivateNetwork), which leads nowhere.
//! User space opens the connections and has repeated what was not answered; all else the program
//! does, see `ebpf/src/generator/`.
//!
//! | module | what it is for |
//! |---|---|
//! | `arrivals` | when requests go out whose rate is given |
//! | `awake` | keeps the CPUs from sleeping while something is measured |
//! | [`background`] | a load that goes on until it is stopped |
//! | [`command`] | `zeroserve-tui load` |
//! | [`driver`] | a running load: begins, is measured, ends |
//! | [`latency`] | quantiles of a histogram |
//! | `orders` | the frames by which the program is told what to do |
//! | [`plan`] | what is to be done, and how the program is told |
//! | `priority` | keeps the rest of the machine out of what is measured |
//! | [`target`] | a request, and what the server answers to it |
//! | [`threads`] | on which CPUs packets are processed, and how long that takes |

mod arrivals;
mod awake;
pub mod background;
pub mod command;
pub mod driver;
pub mod latency;
mod orders;
pub mod plan;
mod priority;
pub mod target;
pub mod threads;

pub use background::Background;
pub use driver::{Driver, Measured};
pub use plan::Plan;
pub use target::{Expected, Request};
