//! The console of Zeroserve: attaches the server, publishes files, shows and changes what it does.
//!
//! | module | what it is for |
//! |---|---|
//! | [`server`] | what anybody can know of a running server and ask of it; no aya, no terminal |
//! | [`content`] | from files to rendered responses; pure but for reading the files |
//! | [`guard`] | takes back what is on trial if the console is killed |
//! | [`kernel`] | the only door to aya: load, attach, pin, publish, sample |
//! | [`metrics`] | what a server counts, for Prometheus |
//! | [`net`] | interfaces, addresses, network namespaces and veth pairs |
//! | [`observe`] | single packets and requests, as a person or another program sees them |
//! | [`record`] | the black box of a server, and what plays it again |
//! | [`simulated`] | a server with made-up traffic, the same on every run, to show and test the console with |
//! | [`demo`] | a private network with a site and a load, made and removed |
//! | [`load`] | load from inside the kernel, for private networks only |
//! | [`tui`] | the only door to the terminal: model, update, views |
//! | [`cli`] | the command line and its commands |

pub mod cli;
pub mod content;
pub mod demo;
pub mod guard;
pub mod kernel;
pub mod load;
pub mod metrics;
pub mod net;
pub mod observe;
pub mod promote;
pub mod record;
pub mod server;
pub mod simulated;
pub mod tui;
