//! Why there is no server to talk to, or none to stop.

use zeroserve_shared::config::ABI;

use super::{capabilities::NotPermitted, pins};

/// Why there is no server to talk to.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nothing serves on the interface.
    #[error("zeroserve is not attached to {interface}; {}", served_hint(interface, served))]
    NotAttached {
        /// The interface.
        interface: String,
        /// The interfaces that are being served.
        served: Vec<String>,
    },
    /// What a server has left behind.
    #[error(
        "the server on {0} no longer runs: its interface is gone or was made again, or its link \
         was detached; `zeroserve-tui stop {0}` clears away what is left"
    )]
    Stale(String),
    /// It was attached by another version of this program.
    #[error(
        "the server on {interface} was attached by another version of zeroserve-tui (its maps are \
         of version {found}, this program knows version {ABI}); use that version, or stop it with \
         `zeroserve-tui stop {interface}` and attach anew"
    )]
    OtherAbi {
        /// The interface.
        interface: String,
        /// The version of its maps.
        found: u32,
    },
    /// This process may not.
    #[error(transparent)]
    NotPermitted(#[from] NotPermitted),
    /// The kernel refused.
    #[error(transparent)]
    Kernel(#[from] anyhow::Error),
}

/// Why nothing was stopped.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// Nothing serves on the interface.
    #[error("zeroserve is not attached to {interface}; {}", served_hint(interface, served))]
    NotAttached {
        /// The interface.
        interface: String,
        /// The interfaces that are being served.
        served: Vec<String>,
    },
    /// This process may not.
    #[error(transparent)]
    NotPermitted(#[from] NotPermitted),
    /// The kernel refused.
    #[error(transparent)]
    Kernel(#[from] anyhow::Error),
}

fn served_hint(interface: &str, served: &[String]) -> String {
    if served.is_empty() && pins::are_out_of_sight() {
        format!("no BPF filesystem can be seen here; {}", pins::OUT_OF_SIGHT)
    } else if served.is_empty() {
        format!("nothing is being served; start with `zeroserve-tui serve {interface} --root DIR`")
    } else {
        format!("it serves on {}", served.join(", "))
    }
}
