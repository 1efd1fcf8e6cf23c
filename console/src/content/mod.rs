//! From files to rendered responses.
//!
//! | module | what it is for |
//! |---|---|
//! | [`path`] | which paths a route may have |
//! | [`render`] | status line, headers and body of a response, as they will be sent |

pub mod path;
pub mod render;

pub use path::{PathError, RoutePath};
pub use render::Rendered;
