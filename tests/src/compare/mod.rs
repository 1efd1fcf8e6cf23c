//! Servers side by side under the load generator.
//!
//! | module | what it is for |
//! |---|---|
//! | [`others`] | h2o and varnish |
//! | [`published`] | what README shows of it |
//! | [`report`] | the table and the JSON |
//! | [`servers`] | the servers, each in a network of its own, with the same site |
//! | [`site`] | what they serve |
//! | [`workloads`] | what is asked of them |

pub mod others;
pub mod published;
pub mod report;
pub mod servers;
pub mod site;
pub mod workloads;

pub use report::Report;
pub use servers::{Name, Server};
pub use workloads::{Context, Workload};
