//! From files to rendered responses.
//!
//! | module | what it is for |
//! |---|---|
//! | `compress` | the same body in fewer bytes |
//! | [`config`] | what is to be served, and how |
//! | [`fields`] | header fields that a person wants answers to have |
//! | `media` | which media type a file has |
//! | [`path`] | which paths a route may have |
//! | [`redirect`] | where an answer can send a client |
//! | [`render`] | status line, headers and body of a response, as they will be sent |
//! | [`reply`] | answers that are written down where they are asked for |
//! | [`site`] | which files of folders are served, and behind which paths |

mod compress;
pub mod config;
pub mod fields;
mod media;
pub mod path;
pub mod redirect;
pub mod render;
pub mod reply;
pub mod site;

pub use config::{BypassRules, Config, ConfigError, ResponseArguments, SiteArguments};
pub use fields::{Field, FieldError};
pub use path::{PathError, RoutePath};
pub use redirect::{Redirect, RedirectError};
pub use render::{Copied, CopyError, RenderError, Rendered, Representation, ResponseOptions};
pub use reply::{Reply, ReplyError};
pub use site::{Site, SiteError};
