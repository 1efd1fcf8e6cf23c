//! From files to rendered responses.
//!
//! | module | what it is for |
//! |---|---|
//! | [`path`] | which paths a route may have |
//! | [`render`] | status line, headers and body of a response, as they will be sent |
//! | [`site`] | which files of a folder are served, and behind which paths |

mod media;
pub mod path;
pub mod render;
pub mod site;

pub use path::{PathError, RoutePath};
pub use render::{RenderError, Rendered};
pub use site::{Site, SiteError};
