//! Copies of what another server answered.
//!
//! A copy keeps the fields of the answer but for those about a connection (RFC 9110 section 7.6.1),
//! and says its age (RFC 9111 section 5.1) where other heads have the time: the `Date` that it has is
//! the other server's.

use std::time::{Duration, SystemTime};

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        AGE, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_TYPE, DATE, ETAG,
        EXPIRES, LAST_MODIFIED, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VARY,
    },
};
use nix::time::{ClockId, clock_gettime};
use sha2::{Digest, Sha256};
use zeroserve_shared::route::{Encoding, NOT_MODIFIED, PARTIAL, UNSATISFIABLE, WHOLE};

use super::{Rendered, forms::Writer};

/// The most that the fields of a copy may have, in bytes.
const MAX_COPIED_FIELD_BYTES: usize = 8 << 10;

/// How long a copy is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Until when, on `CLOCK_BOOTTIME`.
    pub expires: Duration,
    /// When it was new: its age counts from here.
    pub born: SystemTime,
    /// For how long it was to be served when it was made.
    pub lifetime: Duration,
    /// The lifetime that a person gave it, where the server behind gives none.
    pub ttl: Option<Duration>,
}

impl Copied {
    /// For how long it is still served.
    pub fn left(&self) -> Duration {
        // The clock has been there since Linux 2.6.39.
        let now = clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::MAX, Duration::from);
        self.expires.saturating_sub(now)
    }
}

/// What another server answered to one `Accept-Encoding`, with 200.
#[derive(Clone, Debug)]
pub struct Representation {
    /// The encoding of the body.
    pub encoding: Encoding,
    /// The fields of the answer.
    pub fields: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

/// Why no copy can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CopyError {
    /// Its fields are too long.
    #[error("its header fields have {0} bytes; a copy can have {MAX_COPIED_FIELD_BYTES} at most")]
    FieldsTooLong(usize),
}

impl Rendered {
    /// A copy of an answer, and of the same in other encodings where those are smaller.
    ///
    /// # Errors
    ///
    /// See [`CopyError`].
    pub fn copy(
        identity: &Representation,
        others: &[Representation],
        copied: Copied,
    ) -> Result<Self, CopyError> {
        let mut variants: Vec<Self> = others
            .iter()
            .filter(|other| other.body.len() < identity.body.len())
            .map(|other| one(other, copied))
            .collect::<Result<_, _>>()?;
        variants.sort_by_key(Self::body_bytes);
        Ok(Self { variants, ..one(identity, copied)? })
    }

    /// What a copy was made from: the reverse of [`Rendered::copy`], but for fields that were left
    /// out. None if it is no copy.
    pub fn representations(&self) -> Option<Vec<Representation>> {
        self.copy?;
        std::iter::once(self).chain(&self.variants).map(represented).collect()
    }
}

fn one(from: &Representation, copied: Copied) -> Result<Rendered, CopyError> {
    let Representation { encoding, fields, body } = from;
    let kept = kept(fields);
    let field_bytes = kept.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if field_bytes > MAX_COPIED_FIELD_BYTES {
        return Err(CopyError::FieldsTooLong(field_bytes));
    }
    let text = |name: &HeaderName| fields.get(name).and_then(|value| value.to_str().ok());
    let modified = text(&LAST_MODIFIED).and_then(|value| httpdate::parse_http_date(value).ok());
    let etag = text(&ETAG).map(str::to_owned);
    // A weak tag says nothing about bytes, so parts that it names cannot be put together (RFC 9110
    // section 8.8.1).
    let in_parts = !body.is_empty() && !etag.as_ref().is_some_and(|etag| etag.starts_with("W/"));
    let mut writer = Writer::default();
    writer.begin_copy(WHOLE, 200);
    write(&mut writer, &kept, |_| true);
    writer.field("Content-Length", &body.len().to_string());
    let head_bytes = writer.end_head();
    writer.bytes.extend(body);
    writer.end(WHOLE);
    if etag.is_some() || modified.is_some() {
        writer.begin_copy(NOT_MODIFIED, 304);
        // RFC 9110 section 15.4.5.
        let told = [CACHE_CONTROL, CONTENT_LOCATION, DATE, ETAG, EXPIRES, VARY];
        write(&mut writer, &kept, |name| {
            told.contains(name) || (etag.is_none() && *name == LAST_MODIFIED)
        });
        writer.end_head();
        writer.end(NOT_MODIFIED);
    }
    if in_parts {
        writer.begin_copy(PARTIAL, 206);
        writer.copy_part();
        write(&mut writer, &kept, |_| true);
        writer.end_head();
        writer.end(PARTIAL);
        writer.begin_copy(UNSATISFIABLE, 416);
        writer.field("Content-Range", &format!("bytes */{}", body.len()));
        writer.field("Content-Length", "0");
        write(&mut writer, &kept, |name| *name == DATE || *name == VARY);
        writer.end_head();
        writer.end(UNSATISFIABLE);
    }
    Ok(Rendered {
        bytes: writer.bytes,
        head_bytes,
        forms: writer.forms,
        etag,
        status: 200,
        content_type: text(&CONTENT_TYPE).unwrap_or_default().to_owned(),
        body_sha256: Sha256::digest(body).into(),
        source: None,
        modified,
        last_modified: modified,
        encoding: *encoding,
        variants: Vec::new(),
        copy: Some(copied),
    })
}

/// The fields that a copy has, in the order they came.
fn kept(fields: &HeaderMap) -> Vec<(&HeaderName, &HeaderValue)> {
    let named: Vec<String> = fields
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    // Content-Length is written where the body is known, Age by the kernel.
    let left_out = [AGE, CONNECTION, CONTENT_LENGTH, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];
    fields
        .iter()
        .filter(|(name, _)| {
            !left_out.contains(name)
                && !matches!(name.as_str(), "keep-alive" | "proxy-connection")
                && !named.iter().any(|other| other == name.as_str())
        })
        .collect()
}

fn write(
    writer: &mut Writer,
    fields: &[(&HeaderName, &HeaderValue)],
    wanted: impl Fn(&HeaderName) -> bool,
) {
    for (name, value) in fields.iter().filter(|(name, _)| wanted(name)) {
        writer.bytes.extend(b"\r\n");
        writer.bytes.extend(title_case(name.as_str()).as_bytes());
        writer.bytes.extend(b": ");
        writer.bytes.extend(value.as_bytes());
    }
}

/// A name as people write it: names are read in lower case, and compared in any.
fn title_case(name: &str) -> String {
    if name == "etag" {
        return "ETag".into();
    }
    let mut is_first = true;
    let raised = |c: char| {
        let raised = if is_first { c.to_ascii_uppercase() } else { c };
        is_first = c == '-';
        raised
    };
    name.chars().map(raised).collect()
}

fn represented(rendered: &Rendered) -> Option<Representation> {
    let mut head = rendered.bytes.get(..rendered.head_bytes as usize)?.to_vec();
    // What the kernel fills in is of no interest here, and no text.
    head.iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = b' ');
    let mut room = [httparse::EMPTY_HEADER; 128];
    let mut response = httparse::Response::new(&mut room);
    response.parse(&head).ok()?;
    let mut fields = HeaderMap::new();
    for field in response.headers.iter().filter(|field| field.name != "Age") {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        fields.append(name, HeaderValue::from_bytes(field.value).ok()?);
    }
    Some(Representation { encoding: rendered.encoding, fields, body: rendered.body().to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied() -> Copied {
        Copied {
            expires: Duration::from_secs(9),
            born: SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777),
            lifetime: Duration::from_secs(60),
            ttl: None,
        }
    }

    fn representation(fields: &[(&str, &str)], encoding: Encoding, body: &[u8]) -> Representation {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            map.append(name, value.parse().expect("a value"));
        }
        Representation { encoding, fields: map, body: body.to_vec() }
    }

    fn form(rendered: &Rendered, which: usize) -> String {
        let form = rendered.forms[which];
        let bytes = &rendered.bytes[form.start as usize..][..form.bytes as usize];
        String::from_utf8_lossy(bytes).replace('\0', "")
    }

    #[test]
    fn a_copy_has_the_servers_fields_but_for_those_of_the_connection() {
        let fields = [
            ("Date", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("Content-Type", "text/plain"),
            ("Connection", "keep-alive, X-Hop"),
            ("X-Hop", "1"),
            ("Transfer-Encoding", "chunked"),
            ("Age", "7"),
            ("ETag", "\"a\""),
            ("Cache-Control", "max-age=60"),
        ];
        let copy =
            Rendered::copy(&representation(&fields, Encoding::Identity, b"hello"), &[], copied());
        let copy = copy.expect("a copy");
        assert_eq!(
            form(&copy, WHOLE),
            "HTTP/1.1 200 OK\r\nAge: \r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
             Content-Type: text/plain\r\nETag: \"a\"\r\nCache-Control: max-age=60\r\n\
             Content-Length: 5\r\n\r\nhello"
        );
        assert_eq!(
            form(&copy, NOT_MODIFIED),
            "HTTP/1.1 304 Not Modified\r\nAge: \r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
             ETag: \"a\"\r\nCache-Control: max-age=60\r\n\r\n"
        );
        assert!(copy.forms[PARTIAL].bytes > 0);
        assert_eq!((copy.content_type.as_str(), copy.body()), ("text/plain", &b"hello"[..]));
    }

    #[test]
    fn what_has_a_weak_tag_is_not_served_in_parts_and_what_has_none_is_always_sent() {
        let weak = representation(&[("ETag", "W/\"a\"")], Encoding::Identity, b"hello");
        let copy = Rendered::copy(&weak, &[], copied()).expect("a copy");
        assert_eq!(copy.forms[PARTIAL].bytes, 0);
        assert_ne!(copy.forms[NOT_MODIFIED].bytes, 0);
        let none = representation(&[], Encoding::Identity, b"hello");
        let copy = Rendered::copy(&none, &[], copied()).expect("a copy");
        assert_eq!(copy.forms[NOT_MODIFIED].bytes, 0);
    }

    #[test]
    fn a_copy_tells_what_it_was_made_from() {
        let fields =
            [("Content-Type", "text/plain"), ("ETag", "\"a\""), ("X-A", "1"), ("X-A", "2")];
        let identity = representation(&fields, Encoding::Identity, b"hello hello");
        let gzip = representation(&[("Content-Encoding", "gzip")], Encoding::Gzip, b"hello");
        let larger = representation(&[("Content-Encoding", "br")], Encoding::Brotli, &[0; 99]);
        let copy = Rendered::copy(&identity, &[larger, gzip], copied()).expect("a copy");
        let from = copy.representations().expect("a copy");
        assert_eq!(from.len(), 2);
        assert_eq!(from[0].body, b"hello hello");
        assert_eq!(from[0].fields.get_all("x-a").iter().count(), 2);
        assert_eq!((from[1].encoding, &from[1].body[..]), (Encoding::Gzip, &b"hello"[..]));
    }

    #[test]
    fn a_head_that_is_too_long_is_refused() {
        let value = "x".repeat(MAX_COPIED_FIELD_BYTES);
        let long = representation(&[("X-A", &value)], Encoding::Identity, b"");
        assert!(matches!(Rendered::copy(&long, &[], copied()), Err(CopyError::FieldsTooLong(_))));
    }
}
