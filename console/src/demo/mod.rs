//! A private network with a site and a load, made and removed.
