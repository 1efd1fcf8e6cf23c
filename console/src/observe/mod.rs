//! Single packets and requests, as a person or another program sees them.
//!
//! | module | what it is for |
//! |---|---|
//! | [`packet`] | a packet that left the fast path, decoded |
//! | [`request`] | a request that was answered, as a line of a log |
//! | [`pcapng`] | packets as a file for Wireshark |

pub mod packet;
pub mod pcapng;
pub mod request;

use std::time::Duration;

use zeroserve_shared::reason::Reason;

pub use packet::Packet;
pub use request::Request;

/// What somebody wants to see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Packets that leave for one of these reasons.
    pub reasons: Vec<Reason>,
    /// Requests, too.
    pub requests: bool,
    /// The least time between two packets, or two requests, that one CPU records. It bounds what
    /// observing costs: a record takes well under a microsecond.
    pub gap: Duration,
}

/// How often the console has to say that it still looks: the kernel side stops after this time.
pub const WATCH: Duration = Duration::from_secs(5);

/// What was seen since one last looked.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Packets, the oldest first.
    pub packets: Vec<Packet>,
    /// Requests, the oldest first.
    pub requests: Vec<Request>,
    /// Records that were overwritten before they could be read.
    pub missed: u64,
}
