//! Promoting: what the server behind answers is copied, and served here for as long as a cache may.
//!
//! | module | what it is for |
//! |---|---|
//! | `miss` | what is asked for and not served here |
//! | `fetch` | one exchange with the server behind |
//! | `policy` | whether a shared cache may keep an answer, and for how long (RFC 9111) |
//! | `examine` | a path with all its encodings: what can be promoted, or why not |
//! | `refresh` | asking again before a copy's lifetime ends |
//! | `demand` | how often paths are asked for, and which copies give way to others |
//! | `rules` | the rule file: what is to be promoted without being asked |
//! | `watch` | refreshing and promoting, as long as somebody runs |

mod demand;
mod examine;
mod fetch;
mod miss;
mod policy;
mod refresh;
mod rules;
mod watch;

use std::{fmt, time::Duration};

use crate::content::Copied;

pub use self::{
    examine::{Examined, PromoteError, Wish, examine, find_copy},
    fetch::{Exchange, FetchError, LocalServer, Origin, Query},
    miss::Miss,
    policy::Unfit,
    refresh::{Refreshed, is_due, refresh},
    rules::{EXAMPLE as RULES_EXAMPLE, Rules, RulesError},
    watch::{Event, Watcher},
};

/// A time that people wait for, in the unit that suits it.
struct Shown(Duration);

impl fmt::Display for Shown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        if seconds == 0 {
            write!(formatter, "{} ms", self.0.as_millis())
        } else {
            humantime::format_duration(Duration::from_secs(seconds)).fmt(formatter)
        }
    }
}

/// How long a copy is still served, in words.
pub fn left(copy: &Copied) -> String {
    match copy.left() {
        Duration::ZERO => "past its lifetime: the server behind answers".into(),
        left => format!("served for {} more", Shown(left)),
    }
}

/// A lifetime, as people read it.
pub fn shown(time: Duration) -> String {
    Shown(time).to_string()
}
