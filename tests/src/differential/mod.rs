//! The same requests to two servers, and what their answers have in common.
//!
//! | module | what it is for |
//! |---|---|
//! | [`generate`] | makes requests |
//! | [`explained`] | the differences there may be, each with its reason |
//! | [`strict`] | whether a request is malformed, by the letter |

use std::net::SocketAddr;

use anyhow::Result;

use crate::{
    cases::expect::decode,
    exchange::{Answer, Peer},
};

pub mod explained;
pub mod generate;
pub mod strict;

/// A request and both answers.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The request, as it was sent to us.
    pub request: Vec<u8>,
    /// Our answer; none if there was none.
    pub ours: Option<Answer>,
    /// The other's answer.
    pub theirs: Option<Answer>,
}

/// Something that two answers do not have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// One answers, the other does not.
    Silence,
    /// The statuses.
    Status(u16, u16),
    /// The values of a header field.
    Field(&'static str),
    /// Whether the connection ends.
    Connection,
    /// The bodies, decoded.
    Body,
}

/// The fields that are compared, where both answers are 200, 206, 301, 304 or 416.
const FIELDS: [&str; 7] = [
    "Content-Type",
    "Content-Length",
    "Content-Range",
    "Content-Encoding",
    "Last-Modified",
    "Location",
    "Accept-Ranges",
];

impl Exchange {
    /// The first line of the request, and its header fields, as far as they can be read.
    pub fn lines(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.request);
        text.split('\n').map(|line| line.trim_end_matches('\r').to_owned()).collect()
    }

    /// The values of a field of the request, whatever its case.
    pub fn values(&self, name: &str) -> Vec<String> {
        let lines = self.lines();
        let fields = lines.iter().skip(1).filter_map(|line| line.split_once(':'));
        let named = fields.filter(|(other, _)| other.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim().to_owned()).collect()
    }

    /// The quality of a coding in thousandths (RFC 9110 section 12.5.3), where the request mentions
    /// it by name; of several mentions the last.
    pub fn mentioned_quality(&self, coding: &str) -> Option<u32> {
        let values = self.values("Accept-Encoding").join(",").to_ascii_lowercase();
        let mut quality = None;
        for member in values.split(',') {
            let (name, weight) = member.split_once(';').unwrap_or((member, "q=1"));
            let name = name.trim().strip_prefix("x-").unwrap_or(name.trim());
            let weight = weight.trim().strip_prefix("q=").and_then(|text| text.parse::<f32>().ok());
            if let (true, Some(weight)) = (name == coding, weight) {
                quality = Some((weight * 1000.0) as u32);
            }
        }
        quality
    }

    /// The quality of a coding, by name or by the asterisk; zero if neither is there.
    pub fn quality(&self, coding: &str) -> u32 {
        self.mentioned_quality(coding).or_else(|| self.mentioned_quality("*")).unwrap_or(0)
    }

    /// What the answers do not have in common.
    pub fn differences(&self) -> Vec<Difference> {
        let (ours, theirs) = match (&self.ours, &self.theirs) {
            (Some(ours), Some(theirs)) => (ours, theirs),
            (None, None) => return Vec::new(),
            _ => return vec![Difference::Silence],
        };
        let mut differences = Vec::new();
        if ours.status != theirs.status {
            differences.push(Difference::Status(ours.status, theirs.status));
        }
        if ours.closes() != theirs.closes() {
            differences.push(Difference::Connection);
        }
        let comparable =
            ours.status == theirs.status && matches!(ours.status, 200 | 206 | 301 | 304 | 416);
        if !comparable {
            return differences;
        }
        // A compressed variant is as long as its encoder makes it.
        let is_coded = ours.field("Content-Encoding").is_some();
        // The words below a redirect and a 416 are everybody's own.
        let is_file = matches!(ours.status, 200 | 206);
        for name in FIELDS {
            let of_body = matches!(name, "Content-Length" | "Content-Range");
            let own = matches!(name, "Content-Length" | "Content-Type" | "Accept-Ranges");
            let skipped = of_body && is_coded
                || own && !is_file
                || name == "Accept-Ranges" && ours.status == 206;
            if !skipped && ours.field(name) != theirs.field(name) {
                differences.push(Difference::Field(name));
            }
        }
        let is_part_of_coded = is_coded && ours.status == 206;
        if is_file && !is_part_of_coded && plain(ours) != plain(theirs) {
            differences.push(Difference::Body);
        }
        differences
    }
}

/// The body without its coding; none if it is not in the coding that it says.
fn plain(answer: &Answer) -> Option<Vec<u8>> {
    let coding = answer.field("Content-Encoding").unwrap_or("identity");
    if answer.body.is_empty() {
        return Some(Vec::new());
    }
    decode(coding, &answer.body).ok()
}

/// Sends a request and nothing more, and returns the answer; none if the server ends the
/// connection without one.
///
/// # Errors
///
/// Where what comes is no HTTP, or nothing comes and the connection stays open.
pub fn ask(address: SocketAddr, request: &[u8]) -> Result<Option<Answer>> {
    let mut peer = Peer::connect(address)?;
    // What is incomplete must not be waited for; the server may have refused it already.
    let _ = peer.send([request]).and_then(|()| peer.finish());
    let skipped = request.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let has_body = !request[skipped..].starts_with(b"HEAD ");
    loop {
        match peer.answer_if_any(has_body)? {
            // RFC 9110 section 15.2: another one follows.
            Some(Answer { status: 100..200, .. }) => {}
            answer => return Ok(answer),
        }
    }
}
