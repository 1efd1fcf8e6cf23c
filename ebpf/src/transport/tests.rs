//! A flow against a client that loses, checked byte by byte.
