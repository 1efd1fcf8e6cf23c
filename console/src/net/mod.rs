//! Interfaces, addresses, network namespaces and veth pairs.
