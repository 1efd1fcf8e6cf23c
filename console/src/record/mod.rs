//! The black box of a server, and what plays it again.
//!
//! While a console runs, [`Recorded`] writes what passes through it (samples, routes that change,
//! what the operator did) to a bounded file under the XDG state folder. [`Replay`] opens such a
//! file as a [`Server`](crate::server::Server), so that the console shows it on the same screens,
//! without root, on any machine. The format is described in [`frame`] (bytes), [`sample`] (counters)
//! and [`document`] (everything else).
//!
//! | module | what it is for |
//! |---|---|
//! | [`frame`] | records that are found to be whole, or are not there |
//! | [`sample`] | samples as differences, in few bytes |
//! | [`document`] | who is recorded, routes and actions, as JSON |
//! | [`encoder`] | from what happens to records |
//! | [`reading`] | from records to what happened, and what was lost |
//! | [`black_box`] | the files: bounded, continued after a crash, saved |
//! | [`recorded`] | a server that is recorded while it is used |
//! | [`replay`] | a recording as a server: seek, speed, pause |
//! | [`summary`] | one report on a recording |
//! | [`history`] | what was done to servers, and by whom |
//! | [`journal`] | the log file |
//! | [`state`] | where files of this program are kept |

pub mod black_box;
pub mod document;
pub mod encoder;
pub mod frame;
pub mod history;
pub mod journal;
pub mod reading;
pub mod recorded;
pub mod replay;
pub mod sample;
pub mod state;
pub mod summary;

#[cfg(test)]
mod tests;

pub use self::{
    black_box::{BlackBox, RecordingFile},
    document::Action,
    reading::{ReadError, Recording},
    recorded::Recorded,
    replay::{Play, Playing, Replay},
    summary::Summary,
};
