//! Status line, headers and body of a response, as they will be sent.
//!
//! | module | what it is for |
//! |---|---|
//! | `copy` | copies of what another server answered |
//! | `fixed` | the answers to what is no hit |
//! | `forms` | one form behind the other: the whole, 304, 206, 416 |

mod copy;
mod fixed;
mod forms;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    time::SystemTime,
};

use sha2::{Digest, Sha256};
use zeroserve_shared::{
    response::MAX_BODY_BYTES,
    route::{Encoding, FORMS, Form, WHOLE},
};

pub use self::copy::{Copied, CopyError, Representation};
use self::forms::Forms;
use super::{
    compress,
    fields::{FieldError, Fields},
    media,
    redirect::Redirect,
    reply::Reply,
};

/// A response as it will be sent, and where it came from.
#[derive(Clone, Default)]
pub struct Rendered {
    /// The bytes of all forms, one behind the other, first status line, headers, blank line and
    /// body. Parts that the kernel fills in are zero, see
    /// [`MOVING_BYTES`](zeroserve_shared::response::MOVING_BYTES) and
    /// [`PART_BYTES`](zeroserve_shared::response::PART_BYTES).
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
    /// What `Last-Modified` says.
    pub last_modified: Option<SystemTime>,
    /// The encoding of the body.
    pub encoding: Encoding,
    /// The same body in other encodings, the smallest first.
    pub variants: Vec<Rendered>,
    /// How long it is served, if it is a copy of what another server answered.
    pub copy: Option<Copied>,
}

/// How a response is made, as far as a person can say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseOptions {
    /// Header fields beside those the server sends itself.
    pub fields: Fields,
    /// Whether to prepare compressed variants, where they save something.
    pub compress: bool,
}

impl Default for ResponseOptions {
    fn default() -> Self {
        Self { fields: Fields::default(), compress: true }
    }
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
    /// It has more than [`MAX_BODY_BYTES`].
    #[error(
        "{} is larger than {} MiB, the most a response can carry; split it or serve it elsewhere",
        .0.display(), MAX_BODY_BYTES >> 20
    )]
    TooLarge(PathBuf),
    /// It shall have header fields that it cannot have.
    #[error(transparent)]
    Fields(#[from] FieldError),
}

/// A file, read.
struct FileRead {
    body: Vec<u8>,
    content_type: String,
    source: PathBuf,
    modified: Option<SystemTime>,
}

impl Rendered {
    /// The answer that serves a file: 200, with the media type that its name suggests.
    ///
    /// # Errors
    ///
    /// See [`RenderError`].
    pub fn file(file: &Path, options: &ResponseOptions) -> Result<Self, RenderError> {
        options.fields.check_length()?;
        let FileRead { body, content_type, source, modified } = read(file)?;
        let rendered = Self::represent(&content_type, &body, modified, options);
        Ok(Self { source: Some(source), ..rendered })
    }

    /// A 200 answer with a body that comes from no file.
    pub fn ok(content_type: String, body: &[u8], modified: Option<SystemTime>) -> Self {
        Self::represent(&content_type, body, modified, &ResponseOptions::default())
    }

    /// A 200 answer with a body that was served before.
    pub fn again(
        content_type: &str,
        body: &[u8],
        modified: Option<SystemTime>,
        source: Option<PathBuf>,
        options: &ResponseOptions,
    ) -> Self {
        Self { source, ..Self::represent(content_type, body, modified, options) }
    }

    /// An answer that sends the client elsewhere.
    ///
    /// # Errors
    ///
    /// [`RenderError::Fields`].
    pub fn redirect(redirect: &Redirect, options: &ResponseOptions) -> Result<Self, RenderError> {
        options.fields.check_length()?;
        let body = redirect.body();
        let fields = [("Location", redirect.location())];
        let body = Some((forms::HTML, body.as_bytes()));
        Ok(Self::whole(redirect.status(), &fields, body, options))
    }

    /// A fixed reply.
    ///
    /// # Errors
    ///
    /// [`RenderError::Fields`].
    pub fn reply(reply: &Reply, options: &ResponseOptions) -> Result<Self, RenderError> {
        options.fields.check_length()?;
        let (content_type, body) = (reply.content_type(), reply.body());
        Ok(match reply.status() {
            200 => Self::represent(content_type, body, None, options),
            // RFC 9110 section 15.3.5: it has no content, and section 8.6 forbids the length.
            204 => Self::whole(204, &[], None, options),
            status => Self::whole(status, &[], Some((content_type, body)), options),
        })
    }

    /// The answer to what is not there, with the body of a file.
    ///
    /// # Errors
    ///
    /// See [`RenderError`].
    pub fn not_found(file: &Path) -> Result<Self, RenderError> {
        let FileRead { body, content_type, source, modified } = read(file)?;
        let rendered =
            Self::whole(404, &[], Some((&content_type, &body)), &ResponseOptions::default());
        Ok(Self { source: Some(source), modified, ..rendered })
    }

    /// A 200 answer in all its forms, and its variants.
    fn represent(
        content_type: &str,
        body: &[u8],
        modified: Option<SystemTime>,
        options: &ResponseOptions,
    ) -> Self {
        let variants =
            if options.compress { compress::variants(content_type, body) } else { Vec::new() };
        // RFC 9110 section 8.8.2.1: a time in the future must not be sent. One before the epoch
        // has no HTTP date.
        let sendable = SystemTime::UNIX_EPOCH..=SystemTime::now();
        let last_modified = modified.filter(|modified| sendable.contains(modified));
        let varies = !variants.is_empty();
        let one = |encoding, body: &[u8]| {
            let body_sha256: [u8; 32] = Sha256::digest(body).into();
            let etag = etag(encoding, &body_sha256);
            let forms = Forms {
                content_type,
                encoding,
                varies,
                etag: &etag,
                last_modified,
                fields: &options.fields,
            };
            let (bytes, head_bytes, forms) = forms.render(body);
            Self {
                bytes,
                head_bytes,
                forms,
                etag: Some(etag),
                status: 200,
                content_type: content_type.to_owned(),
                body_sha256,
                source: None,
                modified,
                last_modified,
                encoding,
                variants: Vec::new(),
                copy: None,
            }
        };
        let variants = variants.iter().map(|(encoding, body)| one(*encoding, body)).collect();
        Self { variants, ..one(Encoding::Identity, body) }
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.head_bytes as usize..self.forms[WHOLE].bytes as usize]
    }

    /// Bytes of the body.
    pub fn body_bytes(&self) -> u32 {
        self.forms[WHOLE].bytes - self.head_bytes
    }

    /// Equal for two responses if and only if nothing would change by putting one in the place of
    /// the other, variants and what is remembered of the file included.
    pub fn fingerprint(&self) -> [u8; 16] {
        let mut digest = Sha256::new();
        for one in std::iter::once(self).chain(&self.variants) {
            digest.update((one.bytes.len() as u64).to_le_bytes());
            digest.update(&one.bytes);
        }
        digest.update(format!("{:?} {:?} {:?}", self.source, self.modified, self.copy));
        let digest = digest.finalize();
        std::array::from_fn(|byte| digest[byte])
    }

    /// Bytes of the response and of those that carry its variants.
    pub fn stored_bytes(&self) -> usize {
        self.bytes.len() + self.variants.iter().map(Self::stored_bytes).sum::<usize>()
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
            .field("variants", &self.variants)
            .finish_non_exhaustive()
    }
}

fn read(file: &Path) -> Result<FileRead, RenderError> {
    let unreadable = |error| RenderError::Unreadable { file: file.to_owned(), error };
    // Asked before the file is opened, because opening a pipe would wait for its writer.
    if !fs::metadata(file).map_err(unreadable)?.is_file() {
        return Err(RenderError::NotAFile(file.to_owned()));
    }
    let opened = File::open(file).map_err(unreadable)?;
    let modified = opened.metadata().and_then(|metadata| metadata.modified()).ok();
    let mut body = Vec::new();
    opened.take(MAX_BODY_BYTES + 1).read_to_end(&mut body).map_err(unreadable)?;
    if body.len() as u64 > MAX_BODY_BYTES {
        return Err(RenderError::TooLarge(file.to_owned()));
    }
    let content_type = media::content_type(file, &body);
    let source = fs::canonicalize(file).map_err(unreadable)?;
    Ok(FileRead { body, content_type, source, modified })
}

/// A strong validator (RFC 9110 section 8.8.3): the first half of the SHA-256 of the body as it is
/// sent, and which encoding that is in.
fn etag(encoding: Encoding, body_sha256: &[u8; 32]) -> String {
    let digits: String = body_sha256[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    match encoding {
        Encoding::Identity => format!("\"{digits}\""),
        encoding => format!("\"{digits}-{}\"", encoding.name()),
    }
}
