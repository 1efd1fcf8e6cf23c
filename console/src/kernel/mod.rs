//! The only door to aya: loads the programs, pins them, publishes versions, reads the counters.
