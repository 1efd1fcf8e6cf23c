//! Options that take effect when a server is attached, and cannot be changed later.

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
    value_parser,
};
use zeroserve_shared::config::OnMiss;

use crate::kernel::{AttachOptions, MissChoice};

/// What is fixed when a server is attached.
#[derive(Args, Debug)]
pub(super) struct LimitArguments {
    /// TCP port to answer [default: 80]
    #[arg(long, value_parser = value_parser!(u16).range(1..))]
    pub(super) port: Option<u16>,
    /// What becomes of requests for what is not served: hand their connections to the server that
    /// listens on the port, answer 404, or the former where somebody listens [default: auto]
    #[arg(long, value_name = "WHAT", value_parser = on_miss())]
    pub(super) on_miss: Option<MissChoice>,
    /// How many routes there can be [default: 16368]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=1 << 20))]
    pub(super) max_routes: Option<u32>,
    /// How many connections there can be at a time [default: 65536]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1024..=1 << 24))]
    pub(super) max_flows: Option<u32>,
}

impl LimitArguments {
    /// How to attach to an interface.
    pub(super) fn options(&self, interface: &str) -> AttachOptions {
        let defaults = AttachOptions::new(interface);
        AttachOptions {
            port: self.port.unwrap_or(defaults.port),
            max_routes: self.max_routes.unwrap_or(defaults.max_routes),
            max_flows: self.max_flows.unwrap_or(defaults.max_flows),
            on_miss: self.on_miss.unwrap_or(defaults.on_miss),
            ..defaults
        }
    }
}

/// Reads what becomes of requests that are not served.
fn on_miss() -> impl TypedValueParser<Value = MissChoice> {
    PossibleValuesParser::new(["handoff", "404", "auto"]).map(|word| match word.as_str() {
        "handoff" => MissChoice::Always(OnMiss::HandOff),
        "404" => MissChoice::Always(OnMiss::Refuse),
        _ => MissChoice::Auto,
    })
}
