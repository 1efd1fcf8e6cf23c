//! A flow against a client that loses, checked byte by byte.
//!
//! Everything here happens on a virtual clock and from fixed seeds: the same on every run. The
//! server's side is the real [`Flow`](zeroserve_shared::flow::Flow) with [`acknowledge`] and
//! [`plan`]; around it are models.
//!
//! | module | what it models or tests |
//! |---|---|
//! | `client` | a TCP client like that of Linux |
//! | `link` | a path that delays, loses, reorders and doubles |
//! | `server` | what the XDP program does around the flow, and rules for all it sends |
//! | `world` | the events between them |
//! | `properties` | rules for any input whatever |
//! | `scenarios` | transfers under conditions named one by one |
//! | `stranger` | transfers to a client that is not Linux: `smoltcp` |
//! | `survey` | how fast, with how many repairs, at which loss |

use super::*;

mod client;
mod link;
mod properties;
mod scenarios;
mod server;
mod stranger;
mod survey;
mod world;

/// A segment from the server to the client.
#[derive(Clone, Debug)]
struct Down {
    sequence: u32,
    payload: Vec<u8>,
    acknowledgment: u32,
    fin: bool,
}

/// A segment from the client to the server.
#[derive(Clone, Debug)]
struct Up {
    sequence: u32,
    payload_bytes: u32,
    acknowledgment: u32,
    /// As in the header: not scaled.
    window: u16,
    blocks: Vec<SackBlock>,
}

/// Bytes of a request.
const REQUEST_BYTES: u32 = 120;

/// Payload of a full segment, in bytes.
const MSS: u16 = 1460;
