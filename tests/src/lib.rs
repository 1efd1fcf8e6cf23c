//! The harness of the tests: namespaces, clients, packets.
