//! A table of requests and answers, written as text.
//!
//! `tests/cases/*.txt` hold the cases, one after the other:
//!
//! ```text
//! == A suffix range is the last bytes (RFC 9110 section 14.1.2)
//! > GET /ruler.txt HTTP/1.1
//! > Host: lab
//! > Range: bytes=-10
//! >
//! < 206 ruler
//! <   Content-Length: 10
//! <   Content-Range: bytes 990-999/1000
//! <   body: text 000000990|
//! kept
//! ```
//!
//! Lines with `>` are sent, each with CR LF behind it; with `>-` there is none. Lines with `<` begin
//! an answer, by its status and its name in `answers.txt`, where the whole set of its fields is; lines
//! below it say what differs, and a field without a value is one that must not be there. A case
//! ends with `kept` or `closed`: what must become of the connection. `fin` in front of it half-closes
//! the connection behind the request, `counts NAME` says which refusal must be counted.
//!
//! In what is sent and expected, `\r \n \t \0 \\ \{ \xHH` are single bytes, `{a*600}` is repeated
//! text, and `{etag /path br}` and `{length /path br}` are what the server says itself of a path in
//! a coding; [`Known`] makes sure that it makes sense.
//!
//! | module | what it is for |
//! |---|---|
//! | [`text`] | reads the files |
//! | [`expect`] | what an answer must be, and whether one is |
//! | [`run`] | plays a case against a server |

pub mod expect;
pub mod run;
pub mod text;

pub use expect::{Body, Expected, Known};
pub use text::{Table, load};

/// A request, or several, and what must come of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// A sentence about behaviour.
    pub name: String,
    /// The file and line it is written in.
    pub place: String,
    /// What is sent, placeholders in it.
    pub sends: Vec<u8>,
    /// Whether the connection is half-closed behind it.
    pub fin: bool,
    /// What must come back, in that order.
    pub answers: Vec<Expected>,
    /// Whether the connection must be usable afterwards; if not, it must be closed.
    pub kept: bool,
    /// The refusal that must be counted, once, and no other.
    pub counts: Option<String>,
}
