//! Interfaces, addresses, network namespaces and veth pairs.

pub mod interfaces;
