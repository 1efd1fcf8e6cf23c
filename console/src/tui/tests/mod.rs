//! Whole screens and whole runs.
