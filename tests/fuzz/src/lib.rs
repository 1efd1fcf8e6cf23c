//! What the targets share.

pub mod oracle;
