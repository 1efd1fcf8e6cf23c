//! Answers that are written down where they are asked for, such as `ok` behind `/healthz`.

use zeroserve_shared::response::MAX_BODY_BYTES;

/// The longest media type that is remembered, in bytes.
const MAX_CONTENT_TYPE_BYTES: usize = 128;

/// Why a reply cannot be given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// The status means something that a fixed reply cannot be.
    #[error("{status} is no status of a fixed reply: {reason}")]
    Status {
        /// The status.
        status: u16,
        /// Why.
        reason: &'static str,
    },
    /// 204 with a body.
    #[error("an answer with status 204 has no body; leave the body away, or use 200")]
    BodyOfNoContent,
    /// The media type is none.
    #[error("{0:?} is no media type, as in text/plain or application/json")]
    ContentType(String),
    /// The body has more than [`MAX_BODY_BYTES`].
    #[error("the body is larger than {} MiB, the most a response can carry", MAX_BODY_BYTES >> 20)]
    TooLarge,
}

/// A fixed reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    status: u16,
    content_type: String,
    body: Vec<u8>,
}

impl Reply {
    /// What is meant where no status is given.
    pub const DEFAULT_STATUS: u16 = 200;
    /// What is meant where no media type is given.
    pub const DEFAULT_CONTENT_TYPE: &str = "text/plain; charset=utf-8";

    /// A reply with that status, media type and body.
    ///
    /// # Errors
    ///
    /// See [`ReplyError`].
    pub fn new(status: u16, content_type: &str, body: Vec<u8>) -> Result<Self, ReplyError> {
        let reason = match status {
            206 | 304 | 416 => {
                Some("it answers a condition in the request, which the server checks")
            }
            205 => Some("nothing here has a form to reset"),
            301 | 302 | 303 | 307 | 308 => Some("it needs a target; make it a redirect"),
            200..=599 => None,
            _ => Some("those of answers are 200 to 599"),
        };
        if let Some(reason) = reason {
            return Err(ReplyError::Status { status, reason });
        }
        if status == 204 && !body.is_empty() {
            return Err(ReplyError::BodyOfNoContent);
        }
        let is_type = content_type.split_once('/').is_some_and(|(kind, rest)| {
            !kind.is_empty() && !rest.is_empty() && !kind.contains(char::is_whitespace)
        });
        let printable = content_type.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if !is_type || !printable || content_type.len() > MAX_CONTENT_TYPE_BYTES {
            return Err(ReplyError::ContentType(content_type.to_owned()));
        }
        if body.len() as u64 > MAX_BODY_BYTES {
            return Err(ReplyError::TooLarge);
        }
        Ok(Self { status, content_type: content_type.to_owned(), body })
    }

    /// Its status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The media type of its body.
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// Its body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_that_only_the_server_can_mean_is_refused_with_the_reason() {
        let new = |status| Reply::new(status, "text/plain", Vec::new());
        for status in [200, 204, 404, 410, 418, 503, 599] {
            assert!(new(status).is_ok(), "{status}");
        }
        for (status, says) in [
            (100, "200 to 599"),
            (600, "200 to 599"),
            (206, "condition"),
            (304, "condition"),
            (302, "redirect"),
        ] {
            let error = new(status).expect_err("refused").to_string();
            assert!(error.contains(says), "{error}");
        }
        let with_body = Reply::new(204, "text/plain", b"x".to_vec());
        assert_eq!(with_body, Err(ReplyError::BodyOfNoContent));
    }

    #[test]
    fn what_is_no_media_type_is_refused() {
        for content_type in ["", "text", "/", "text/", "text/plain\r\nX: y", "text/ü", "a b/c"] {
            let reply = Reply::new(200, content_type, Vec::new());
            assert_eq!(reply, Err(ReplyError::ContentType(content_type.into())));
        }
    }
}
