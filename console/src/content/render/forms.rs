//! One form behind the other: the whole, 304, 206, 416.

use std::time::SystemTime;

use http::StatusCode;
use sha2::{Digest, Sha256};
use zeroserve_shared::{
    response::{MOVING_BYTES, NO_MOVING_PART, PART_BYTES, PART_GAP_BYTES, SAYS_AGE},
    route::{Encoding, FORMS, Form, NOT_MODIFIED, PARTIAL, UNSATISFIABLE, WHOLE},
};

use super::{Rendered, ResponseOptions};
use crate::content::fields::Fields;

/// The media type of the few words below a redirect.
pub(super) const HTML: &str = "text/html; charset=utf-8";

/// What the heads of one representation say.
pub(super) struct Forms<'a> {
    pub(super) content_type: &'a str,
    pub(super) encoding: Encoding,
    /// Whether there are variants, so that every answer depends on `Accept-Encoding`.
    pub(super) varies: bool,
    pub(super) etag: &'a str,
    pub(super) last_modified: Option<SystemTime>,
    pub(super) fields: &'a Fields,
}

impl Forms<'_> {
    /// All forms, how many bytes come before the body, and where each form lies.
    pub(super) fn render(&self, body: &[u8]) -> (Vec<u8>, u32, [Form; FORMS]) {
        let mut writer = Writer::default();
        let ranges = !body.is_empty();

        writer.begin(WHOLE, 200);
        self.describe(&mut writer);
        writer.field("Content-Length", &body.len().to_string());
        self.validate(&mut writer, ranges);
        let head_bytes = writer.end_head();
        writer.bytes.extend(body);
        writer.end(WHOLE);

        // RFC 9110 section 15.4.5: what the 200 would have said for caches, and nothing else of
        // the representation.
        writer.begin(NOT_MODIFIED, 304);
        writer.field("ETag", self.etag);
        self.vary(&mut writer);
        for field in self.fields.iter().filter(|field| !field.describes_body()) {
            writer.field(field.name(), field.value());
        }
        writer.end_head();
        writer.end(NOT_MODIFIED);

        // Nothing of no bytes can be asked for (RFC 9110 section 14.1.2): such a request gets all.
        if ranges {
            writer.begin(PARTIAL, 206);
            writer.part();
            self.describe(&mut writer);
            self.validate(&mut writer, false);
            writer.end_head();
            writer.end(PARTIAL);

            // RFC 9110 section 14.4 has it say how much there is. A 416 must not be taken for the
            // file by a cache, so it carries no Cache-Control.
            writer.begin(UNSATISFIABLE, 416);
            writer.field("Content-Range", &format!("bytes */{}", body.len()));
            writer.field("Content-Length", "0");
            self.vary(&mut writer);
            writer.end_head();
            writer.end(UNSATISFIABLE);
        }
        (writer.bytes, head_bytes, writer.forms)
    }

    /// What the body is.
    fn describe(&self, writer: &mut Writer) {
        writer.field("Content-Type", self.content_type);
        if self.encoding != Encoding::Identity {
            writer.field("Content-Encoding", self.encoding.name());
        }
    }

    /// How long the answer may be kept and how it can be asked for again.
    fn validate(&self, writer: &mut Writer, ranges: bool) {
        writer.field("ETag", self.etag);
        if let Some(modified) = self.last_modified {
            writer.field("Last-Modified", &httpdate::fmt_http_date(modified));
        }
        if ranges {
            writer.field("Accept-Ranges", "bytes");
        }
        self.vary(writer);
        writer.fields(self.fields);
    }

    fn vary(&self, writer: &mut Writer) {
        if self.varies {
            writer.field("Vary", "Accept-Encoding");
        }
    }
}

impl Rendered {
    /// An answer in one form, whose body, if any, has that media type.
    pub(super) fn whole(
        status: u16,
        fields: &[(&str, &str)],
        body: Option<(&str, &[u8])>,
        options: &ResponseOptions,
    ) -> Self {
        let mut writer = Writer::default();
        writer.begin(WHOLE, status);
        for (name, value) in fields {
            writer.field(name, value);
        }
        let (content_type, content) = body.unwrap_or_default();
        if body.is_some() {
            writer.field("Content-Type", content_type);
            writer.field("Content-Length", &content.len().to_string());
        }
        writer.fields(&options.fields);
        let head_bytes = writer.end_head();
        writer.bytes.extend(content);
        writer.end(WHOLE);
        Self {
            bytes: writer.bytes,
            head_bytes,
            forms: writer.forms,
            status,
            content_type: content_type.to_owned(),
            body_sha256: Sha256::digest(content).into(),
            ..Self::default()
        }
    }

    /// Bytes that are no HTTP/1.1.
    pub(super) fn raw(bytes: &[u8]) -> Self {
        let mut forms = [Form::default(); FORMS];
        forms[WHOLE].bytes = bytes.len() as u32;
        forms[WHOLE].moving_offset = NO_MOVING_PART;
        let body_sha256 = Sha256::digest(bytes).into();
        Self { bytes: bytes.to_vec(), forms, body_sha256, ..Self::default() }
    }
}

/// Writes forms one behind the other.
#[derive(Default)]
pub(super) struct Writer {
    pub(super) bytes: Vec<u8>,
    pub(super) forms: [Form; FORMS],
}

impl Writer {
    /// Status line, the part that the kernel fills in, and who sends it.
    fn begin(&mut self, form: usize, status: u16) {
        self.begin_with(form, status, "Date");
        if form != PARTIAL {
            self.field("Server", "zeroserve");
        }
    }

    /// Status line, and the part that the kernel fills in: an age.
    pub(super) fn begin_copy(&mut self, form: usize, status: u16) {
        self.begin_with(form, status, "Age");
        self.forms[form].moving_offset |= SAYS_AGE;
    }

    /// Status line, and the part that the kernel fills in, which begins with the value of a field.
    fn begin_with(&mut self, form: usize, status: u16, field: &str) {
        let start = self.bytes.len();
        let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        // RFC 9112 section 4: the blank is there even if the reason is not.
        let line = format!("HTTP/1.1 {status} {}\r\n{field}: ", reason.unwrap_or_default());
        self.bytes.extend(line.as_bytes());
        self.forms[form].start = start as u32;
        self.forms[form].moving_offset = (self.bytes.len() - start) as u32;
        self.bytes.extend([0; MOVING_BYTES]);
    }

    /// The place where the kernel says which part of the body it sends.
    fn part(&mut self) {
        self.copy_part();
        self.field("Server", "zeroserve");
    }

    /// The same of a copy.
    pub(super) fn copy_part(&mut self) {
        const LINE_END: &[u8; PART_GAP_BYTES] = b"\r\n";
        self.bytes.extend(LINE_END);
        self.bytes.extend([0; PART_BYTES]);
    }

    /// A field, behind the line end of the one before.
    pub(super) fn field(&mut self, name: &str, value: &str) {
        self.bytes.extend(format!("\r\n{name}: {value}").as_bytes());
    }

    fn fields(&mut self, fields: &Fields) {
        for field in fields.iter() {
            self.field(field.name(), field.value());
        }
    }

    /// The end of the head; how many bytes there are now.
    pub(super) fn end_head(&mut self) -> u32 {
        self.bytes.extend(b"\r\n\r\n");
        self.bytes.len() as u32
    }

    pub(super) fn end(&mut self, form: usize) {
        let form = &mut self.forms[form];
        form.bytes = self.bytes.len() as u32 - form.start;
    }
}
