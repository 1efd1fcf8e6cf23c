//! Status line, headers and body of a response, as they will be sent.

use std::{
    fmt,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    time::SystemTime,
};

use sha2::{Digest, Sha256};
use zeroserve_shared::{
    response::{MAX_BODY_BYTES, MOVING_BYTES, NO_MOVING_PART},
    route::{FORMS, FixedRoute, Form, WHOLE},
};

use super::media;

/// A response as it will be sent, and where it came from.
#[derive(Clone)]
pub struct Rendered {
    /// The bytes of all forms, one behind the other, first status line, headers, blank line and
    /// body. Parts that the kernel fills in are zero, see
    /// [`MOVING_BYTES`] and [`PART_BYTES`](zeroserve_shared::response::PART_BYTES).
    pub bytes: Vec<u8>,
    /// How many of them come before the body.
    pub head_bytes: u32,
    /// Where the forms lie.
    pub forms: [Form; FORMS],
    /// Its entity tag, quotes included.
    pub etag: Option<String>,
    /// Status code.
    pub status: u16,
    /// Media type of the body.
    pub content_type: String,
    /// SHA-256 of the body.
    pub body_sha256: [u8; 32],
    /// The file the body came from.
    pub source: Option<PathBuf>,
    /// Modification time of that file.
    pub modified: Option<SystemTime>,
}

/// Why a file cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// It is not there, or may not be read.
    #[error("cannot read {}: {error}; check that the file exists and may be read", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the kernel said.
        error: io::Error,
    },
    /// It is a folder, a device, a pipe or a socket.
    #[error("{} is not a regular file; name a file (serve publishes whole folders)", .0.display())]
    NotAFile(PathBuf),
    /// It has no bytes.
    #[error("{} is empty; put something into it first", .0.display())]
    Empty(PathBuf),
    /// It has more than [`MAX_BODY_BYTES`].
    #[error(
        "{} is larger than {} MiB, the most a response can carry; split it or serve it elsewhere",
        .0.display(), MAX_BODY_BYTES >> 20
    )]
    TooLarge(PathBuf),
}

impl Rendered {
    /// The answer that serves a file: 200, with the media type that its name suggests.
    ///
    /// # Errors
    ///
    /// See [`RenderError`].
    pub fn file(file: &Path) -> Result<Self, RenderError> {
        let unreadable = |error| RenderError::Unreadable { file: file.to_owned(), error };
        // Asked before the file is opened, because opening a pipe would wait for its writer.
        if !fs::metadata(file).map_err(unreadable)?.is_file() {
            return Err(RenderError::NotAFile(file.to_owned()));
        }
        let opened = File::open(file).map_err(unreadable)?;
        let modified = opened.metadata().and_then(|metadata| metadata.modified()).ok();
        let mut body = Vec::new();
        opened.take(MAX_BODY_BYTES + 1).read_to_end(&mut body).map_err(unreadable)?;
        if body.is_empty() {
            return Err(RenderError::Empty(file.to_owned()));
        }
        if body.len() as u64 > MAX_BODY_BYTES {
            return Err(RenderError::TooLarge(file.to_owned()));
        }
        let content_type = media::content_type(file, &body);
        let source = Some(fs::canonicalize(file).map_err(unreadable)?);
        Ok(Self { source, ..Self::ok(content_type, &body, modified) })
    }

    /// A 200 answer with a body that comes from no file.
    pub fn ok(content_type: String, body: &[u8], modified: Option<SystemTime>) -> Self {
        let body_sha256 = Sha256::digest(body).into();
        let etag = etag(&body_sha256);
        let mut fields = vec![("ETag", etag.clone())];
        // RFC 9110 section 8.8.2.1: a time in the future must not be sent.
        if let Some(modified) = modified.filter(|modified| *modified <= SystemTime::now()) {
            fields.push(("Last-Modified", httpdate::fmt_http_date(modified)));
        }
        let rendered = Self::assemble((200, "OK"), content_type, &fields, body, body_sha256);
        Self { modified, etag: Some(etag), ..rendered }
    }

    /// The answer to what is not a hit.
    pub fn fixed(route: FixedRoute) -> Self {
        match route {
            FixedRoute::Tls => return Self::raw(&TLS_ALERT),
            FixedRoute::Http2 => return Self::raw(&HTTP2_GOAWAY),
            FixedRoute::Options => return Self::options(),
            _ => {}
        }
        let (reason, sentence) = words(route);
        let body = format!("{} {reason}\n\n{sentence}\n", route.status());
        let mut fields = Vec::new();
        if route == FixedRoute::MethodNotAllowed {
            fields.push(("Allow", ALLOW.to_owned()));
        }
        let content_type = "text/plain; charset=utf-8".to_owned();
        let body_sha256 = Sha256::digest(&body).into();
        let status = (route.status(), reason);
        Self::assemble(status, content_type, &fields, body.as_bytes(), body_sha256)
    }

    fn assemble(
        (status, reason): (u16, &str),
        content_type: String,
        fields: &[(&str, String)],
        body: &[u8],
        body_sha256: [u8; 32],
    ) -> Self {
        let mut bytes = format!("HTTP/1.1 {status} {reason}\r\nDate: ").into_bytes();
        let moving_offset = bytes.len() as u32;
        bytes.extend([0; MOVING_BYTES]);
        bytes.extend(b"\r\nServer: zeroserve");
        bytes.extend(format!("\r\nContent-Type: {content_type}").as_bytes());
        bytes.extend(format!("\r\nContent-Length: {}", body.len()).as_bytes());
        for (name, value) in fields {
            bytes.extend(format!("\r\n{name}: {value}").as_bytes());
        }
        bytes.extend(b"\r\n\r\n");
        let head_bytes = bytes.len() as u32;
        bytes.extend(body);
        Self {
            forms: whole(bytes.len(), moving_offset),
            bytes,
            head_bytes,
            etag: None,
            status,
            content_type,
            body_sha256,
            source: None,
            modified: None,
        }
    }

    /// The answer to OPTIONS: a head without a body (RFC 9110 section 9.3.7).
    fn options() -> Self {
        let mut bytes = b"HTTP/1.1 204 No Content\r\nDate: ".to_vec();
        let moving_offset = bytes.len() as u32;
        bytes.extend([0; MOVING_BYTES]);
        bytes.extend(format!("\r\nServer: zeroserve\r\nAllow: {ALLOW}\r\n\r\n").as_bytes());
        let forms = whole(bytes.len(), moving_offset);
        Self { head_bytes: bytes.len() as u32, forms, status: 204, ..Self::raw(&bytes) }
    }

    /// Bytes that are no HTTP/1.1.
    fn raw(bytes: &[u8]) -> Self {
        Self {
            bytes: bytes.to_vec(),
            head_bytes: 0,
            forms: whole(bytes.len(), NO_MOVING_PART),
            etag: None,
            status: 0,
            content_type: String::new(),
            body_sha256: Sha256::digest(b"").into(),
            source: None,
            modified: None,
        }
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.head_bytes as usize..self.forms[WHOLE].bytes as usize]
    }

    /// Bytes of the body.
    pub fn body_bytes(&self) -> u32 {
        self.forms[WHOLE].bytes - self.head_bytes
    }
}

impl fmt::Debug for Rendered {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Rendered")
            .field("status", &self.status)
            .field("content_type", &self.content_type)
            .field("body_bytes", &self.body_bytes())
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// The methods that are answered.
const ALLOW: &str = "GET, HEAD, OPTIONS";

/// A fatal TLS alert, `handshake_failure` (RFC 8446 sections 5.1 and 6.2): `protocol_version` would
/// have clients try an older version in vain.
const TLS_ALERT: [u8; 7] = [21, 3, 1, 0, 2, 2, 40];

/// An empty SETTINGS frame, which a server has to begin with (RFC 9113 section 3.4), and a GOAWAY
/// frame (section 6.8) with the error HTTP_1_1_REQUIRED (section 7).
const HTTP2_GOAWAY: [u8; 26] = [
    0, 0, 0, 4, 0, 0, 0, 0, 0, //
    0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 13,
];

/// The forms of what has only one.
fn whole(bytes: usize, moving_offset: u32) -> [Form; FORMS] {
    let mut forms = [Form::default(); FORMS];
    forms[WHOLE] = Form { start: 0, bytes: bytes as u32, moving_offset };
    forms
}

/// A strong validator (RFC 9110 section 8.8.3): the first half of the body's SHA-256.
fn etag(body_sha256: &[u8; 32]) -> String {
    let digits: String = body_sha256[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digits}\"")
}

/// The reason phrase and what a person reads below it.
fn words(route: FixedRoute) -> (&'static str, &'static str) {
    match route {
        FixedRoute::BadRequest => ("Bad Request", "The request is not well-formed HTTP/1.1."),
        FixedRoute::NotFound => ("Not Found", "Nothing is served at this path."),
        FixedRoute::MethodNotAllowed => {
            ("Method Not Allowed", "Files are served here; GET, HEAD and OPTIONS are answered.")
        }
        FixedRoute::UriTooLong => ("URI Too Long", "The path is longer than any that is served."),
        FixedRoute::HeaderFieldsTooLarge => {
            ("Request Header Fields Too Large", "The request is longer than this server reads.")
        }
        FixedRoute::VersionNotSupported => {
            ("HTTP Version Not Supported", "Only HTTP/1.1 and HTTP/1.0 are answered.")
        }
        FixedRoute::RequestTimeout => {
            ("Request Timeout", "The request did not arrive within the time a connection is held.")
        }
        FixedRoute::PreconditionFailed => {
            ("Precondition Failed", "What is served here is not what the request expects.")
        }
        FixedRoute::Options => ("No Content", ""),
        FixedRoute::Tls => ("TLS alert", ""),
        FixedRoute::Http2 => ("HTTP/2 GOAWAY", ""),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use zeroserve_shared::response::MAX_RESPONSE_BYTES;

    use super::*;

    fn head(rendered: &Rendered) -> String {
        let head = rendered.bytes[..rendered.head_bytes as usize].to_vec();
        String::from_utf8(head).expect("a head of ASCII")
    }

    #[test]
    fn a_file_is_rendered_with_everything_a_client_needs_to_cache_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("page.html");
        fs::write(&file, "<h1>hé</h1>").expect("a file");
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        File::options()
            .write(true)
            .open(&file)
            .and_then(|f| f.set_modified(modified))
            .expect("time");

        let rendered = Rendered::file(&file).expect("rendered");
        let date = "\0".repeat(MOVING_BYTES);
        let sha: String = rendered.body_sha256[..16].iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(
            head(&rendered),
            format!(
                "HTTP/1.1 200 OK\r\nDate: {date}\r\nServer: zeroserve\r\n\
                 Content-Type: text/html; charset=utf-8\r\nContent-Length: 12\r\n\
                 ETag: \"{sha}\"\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n"
            )
        );
        assert_eq!(rendered.bytes[rendered.head_bytes as usize..], *"<h1>hé</h1>".as_bytes());
        assert_eq!(rendered.modified, Some(modified));
        assert_eq!(rendered.body_bytes(), 12);
    }

    #[test]
    fn the_date_is_where_the_offset_says_in_every_response() {
        let file = Rendered::ok("text/plain".into(), b"x", None);
        let fixed = FixedRoute::ALL.iter().map(|route| Rendered::fixed(*route));
        for rendered in fixed.chain([file]) {
            let start = rendered.forms[WHOLE].moving_offset as usize;
            assert!(head(&rendered)[..start].ends_with("\r\nDate: "));
            assert_eq!(rendered.bytes[start..start + MOVING_BYTES], [0; MOVING_BYTES]);
            assert!(rendered.bytes[start + MOVING_BYTES..].starts_with(b"\r\n"));
        }
    }

    #[test]
    fn fixed_answers_say_what_their_status_requires() {
        for route in FixedRoute::ALL {
            let rendered = Rendered::fixed(*route);
            let head = head(&rendered);
            assert!(head.starts_with(&format!("HTTP/1.1 {} ", route.status())), "{head}");
            assert_eq!(head.contains("\r\nConnection: close\r\n"), route.closes(), "{head}");
            let allows = *route == FixedRoute::MethodNotAllowed;
            assert_eq!(head.contains("\r\nAllow: GET, HEAD\r\n"), allows, "{head}");
            let length = format!("\r\nContent-Length: {}\r\n", rendered.body_bytes());
            assert!(head.contains(&length) && rendered.body_bytes() > 0, "{head}");
        }
    }

    #[test]
    fn a_modification_time_in_the_future_is_not_sent() {
        let tomorrow = SystemTime::now() + Duration::from_secs(86_400);
        let rendered = Rendered::ok("text/plain".into(), b"x", Some(tomorrow));
        assert!(!head(&rendered).contains("Last-Modified"));
    }

    #[test]
    fn the_etag_follows_the_body_and_nothing_else() {
        let tag = |body: &[u8], modified| {
            let head = head(&Rendered::ok("text/plain".into(), body, modified));
            head.lines().find(|line| line.starts_with("ETag")).map(str::to_owned)
        };
        assert_eq!(tag(b"a", None), tag(b"a", Some(SystemTime::UNIX_EPOCH)));
        assert_ne!(tag(b"a", None), tag(b"b", None));
    }

    #[test]
    fn what_cannot_be_served_is_refused_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let missing = folder.path().join("missing");
        let error = Rendered::file(&missing).expect_err("missing");
        assert!(matches!(error, RenderError::Unreadable { .. }));
        assert!(error.to_string().contains(&missing.display().to_string()));

        let error = Rendered::file(folder.path()).expect_err("a folder");
        assert!(matches!(error, RenderError::NotAFile(_)));

        let empty = folder.path().join("empty");
        fs::write(&empty, "").expect("a file");
        assert!(matches!(Rendered::file(&empty), Err(RenderError::Empty(_))));

        let large = folder.path().join("large");
        File::create(&large).and_then(|f| f.set_len(MAX_BODY_BYTES + 1)).expect("a sparse file");
        assert!(matches!(Rendered::file(&large), Err(RenderError::TooLarge(_))));
    }

    #[test]
    fn the_largest_file_fits_the_largest_response() {
        let folder = tempfile::tempdir().expect("a folder");
        let large = folder.path().join("large");
        File::create(&large).and_then(|f| f.set_len(MAX_BODY_BYTES)).expect("a sparse file");
        let rendered = Rendered::file(&large).expect("rendered");
        assert!(rendered.bytes.len() as u32 <= MAX_RESPONSE_BYTES);
    }
}
