//! A private network with a site and a load, made and removed.
pub mod client;
pub mod load;
pub mod report;
