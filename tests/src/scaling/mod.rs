//! What more of something costs: routes, flows, bytes, files, consoles.
//!
//! | module | what it measures |
//! |---|---|
//! | [`costs`] | a hit among many routes, among many flows, and while a console looks |
//! | [`flows`] | a server that has a million flows |
//! | [`memory`] | bytes that a flow takes, and a byte that is served |
//! | [`start`] | how soon after `serve` the first file is there |

pub mod costs;
pub mod flows;
pub mod memory;
pub mod start;
