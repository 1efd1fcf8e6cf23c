//! What a server counts, for Prometheus and whatever else reads its formats.
//!
//! | module | what it is for |
//! |---|---|
//! | [`families`] | which metrics there are: names, units, help, labels |
//! | [`exposition`] | OpenMetrics or Prometheus text, as the reader asks |
//! | [`endpoint`] | the same over HTTP |

pub mod endpoint;
pub mod exposition;
pub mod families;

#[cfg(test)]
mod tests;

pub use self::{
    endpoint::Endpoint,
    exposition::Format,
    families::{DEFAULT_ROUTE_SERIES, Reading},
};
