//! What an answer must be, and whether one is.

use std::{
    collections::HashMap, fs, io::Read, ops::RangeInclusive, path::PathBuf, time::SystemTime,
};

use anyhow::{Context, Result, bail, ensure};

use super::{Case, text::unescape};
use crate::exchange::{Answer, Peer};

/// What an answer must be.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// Status code.
    pub status: u16,
    /// All fields but those that every answer has: `Date`, `Server` and `Connection`.
    pub fields: Vec<(String, String)>,
    /// The body.
    pub body: Body,
    /// The whole answer, where it is no HTTP/1.1.
    pub raw: Option<Vec<u8>>,
}

/// What a body must be.
#[derive(Clone, Debug, Default)]
pub enum Body {
    /// There is none: the request was HEAD, or the status allows none.
    #[default]
    None,
    /// These bytes.
    Text(Vec<u8>),
    /// A file of the site.
    File(String),
    /// Part of a file of the site.
    FilePart(String, RangeInclusive<usize>),
    /// A file of the site once it is decoded.
    Coded(String, String),
    /// Part of what a path gives in a coding.
    CodedPart(String, String, RangeInclusive<usize>),
}

/// What the server says of the paths that cases have placeholders for, checked once.
pub struct Known {
    site: PathBuf,
    started: SystemTime,
    /// Entity tag and body, by path and coding.
    coded: HashMap<(String, String), (String, Vec<u8>)>,
}

impl Known {
    /// Asks for whatever the cases have placeholders for. `site` is the folder that is served.
    ///
    /// # Errors
    ///
    /// Where an answer has no entity tag, or another coding than asked for.
    pub fn ask(mut peer: Peer, site: PathBuf, cases: &[Case]) -> Result<Self> {
        let mut known = Self { site, started: SystemTime::now(), coded: HashMap::new() };
        for case in cases {
            let fields = case.answers.iter().flat_map(|answer| &answer.fields);
            let values = fields.map(|(_, value)| value.as_bytes());
            for text in values.chain([&case.sends[..]]) {
                placeholders(text, |words| {
                    let [_, path, coding] = words[..] else { return Ok(Vec::new()) };
                    known.learn(&mut peer, path, coding).map(|()| Vec::new())
                })?;
            }
            for answer in &case.answers {
                if let Body::CodedPart(path, coding, _) = &answer.body {
                    known.learn(&mut peer, path, coding)?;
                }
            }
        }
        Ok(known)
    }

    fn learn(&mut self, peer: &mut Peer, path: &str, coding: &str) -> Result<()> {
        let key = (path.to_owned(), coding.to_owned());
        if self.coded.contains_key(&key) {
            return Ok(());
        }
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: lab\r\nAccept-Encoding: {coding}\r\n\r\n");
        peer.send([request.as_bytes()])?;
        let answer = peer.answer(true)?;
        ensure!(answer.status == 200, "{path}: {}", answer.status);
        let named = answer.field("Content-Encoding").unwrap_or("identity");
        ensure!(named == coding, "{path} in {coding} comes in {named}");
        let tag = answer.field("ETag").with_context(|| format!("{path} has no entity tag"))?;
        // RFC 9110 section 8.8.3: strong, so that ranges can be asked for by it.
        ensure!(tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"'), "{path}: {tag}");
        // RFC 9110 section 8.8.3.3: one in each coding.
        let others = self.coded.iter().filter(|((other, _), _)| other == path);
        for ((_, other), (other_tag, _)) in others {
            ensure!(other_tag != tag, "{path} has the tag {tag} in {coding} and in {other}");
        }
        let tag = tag.to_owned();
        self.coded.insert(key, (tag, answer.body));
        Ok(())
    }

    /// Puts the values in for placeholders.
    ///
    /// # Errors
    ///
    /// Where one means nothing.
    pub fn fill(&self, text: &[u8]) -> Result<Vec<u8>> {
        placeholders(text, |words| {
            let [what, path, coding] = words[..] else { bail!("{words:?} means nothing") };
            let key = (path.to_owned(), coding.to_owned());
            let (tag, body) = self.coded.get(&key).with_context(|| format!("{key:?}"))?;
            match what {
                "etag" => Ok(tag.clone().into_bytes()),
                "length" => Ok(body.len().to_string().into_bytes()),
                other => bail!("{other} means nothing"),
            }
        })
    }

    /// Compares an answer with what it must be, in every part. `closes` is whether it must say that
    /// the connection ends; where it is none, it may.
    ///
    /// # Errors
    ///
    /// Where it is another; the message says in what.
    pub fn compare(
        &self,
        expected: &Expected,
        answer: &Answer,
        closes: Option<bool>,
    ) -> Result<()> {
        let status = (answer.version.as_str(), answer.status, answer.phrase.as_str());
        let must = ("HTTP/1.1", expected.status, phrase(expected.status)?);
        ensure!(status == must, "{status:?} came, not {must:?}");
        let connection =
            if closes.unwrap_or_else(|| answer.closes()) { "close" } else { "keep-alive" };
        let mut fields = vec![
            ("server".to_owned(), "zeroserve".to_owned()),
            ("connection".to_owned(), connection.to_owned()),
        ];
        for (name, value) in &expected.fields {
            let value = String::from_utf8(self.fill(&unescape(value)?)?)?;
            fields.push((name.to_ascii_lowercase(), value));
        }
        let mut came = answer.fields.clone();
        came.iter_mut().for_each(|(name, _)| name.make_ascii_lowercase());
        self.check_date(answer)?;
        came.retain(|(name, _)| name != "date");
        fields.sort();
        came.sort();
        let differ = |a: &[(String, String)], b: &[(String, String)]| {
            let all = a.iter().filter(|field| !b.contains(field));
            all.map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join("; ")
        };
        ensure!(
            came == fields,
            "fields differ: came [{}], must be [{}]",
            differ(&came, &fields),
            differ(&fields, &came)
        );
        self.compare_body(&expected.body, &answer.body)
    }

    /// RFC 9110 section 6.6.1: a date in the preferred format, between the beginning and now.
    fn check_date(&self, answer: &Answer) -> Result<()> {
        let text = answer.field("Date").context("not exactly one Date")?;
        let date = httpdate::parse_http_date(text).with_context(|| format!("date {text:?}"))?;
        ensure!(httpdate::fmt_http_date(date) == text, "{text:?} is no IMF-fixdate");
        // Dates are whole seconds.
        let started = self.started - std::time::Duration::from_secs(1);
        ensure!((started..=SystemTime::now()).contains(&date), "{text:?} is not now");
        Ok(())
    }

    fn compare_body(&self, body: &Body, came: &[u8]) -> Result<()> {
        let file = |name: &str| {
            let file = self.site.join(name);
            fs::read(&file).with_context(|| format!("cannot read {}", file.display()))
        };
        let decoded;
        let (came, must) = match body {
            Body::None => (came, Vec::new()),
            Body::Text(text) => (came, text.clone()),
            Body::File(name) => (came, file(name)?),
            Body::FilePart(name, part) => (came, file(name)?[part.clone()].to_vec()),
            Body::Coded(name, coding) => {
                let whole = file(name)?;
                ensure!(came.len() < whole.len(), "{coding} saves nothing");
                decoded = decode(coding, came)?;
                (&decoded[..], whole)
            }
            Body::CodedPart(path, coding, part) => {
                let key = (path.clone(), coding.clone());
                let (_, whole) = self.coded.get(&key).context("not asked for")?;
                (came, whole.get(part.clone()).context("beyond the end")?.to_vec())
            }
        };
        let shown = |bytes: &[u8]| bytes[..bytes.len().min(80)].escape_ascii().to_string();
        ensure!(
            came == must,
            "another body: {} bytes {:?}, must be {} bytes {:?}",
            came.len(),
            shown(came),
            must.len(),
            shown(&must)
        );
        Ok(())
    }
}

/// Undoes a content coding.
///
/// # Errors
///
/// Where the bytes are not in that coding.
pub fn decode(coding: &str, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut decoded = Vec::new();
    match coding {
        "identity" => decoded.extend(bytes),
        "gzip" => {
            flate2::read::GzDecoder::new(bytes).read_to_end(&mut decoded)?;
        }
        "br" => brotli::BrotliDecompress(&mut &*bytes, &mut decoded)?,
        "zstd" => decoded = zstd::decode_all(bytes)?,
        other => bail!("no coding is named {other}"),
    }
    Ok(decoded)
}

/// Replaces every `{words like these}` by what `value` makes of the words.
fn placeholders(
    text: &[u8],
    mut value: impl FnMut(Vec<&str>) -> Result<Vec<u8>>,
) -> Result<Vec<u8>> {
    const KNOWN: [&str; 2] = ["etag ", "length "];
    let mut filled = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.iter().position(|byte| *byte == b'{') {
        filled.extend(&rest[..start]);
        let inside = &rest[start + 1..];
        let end = inside.iter().position(|byte| *byte == b'}');
        match end.and_then(|end| std::str::from_utf8(&inside[..end]).ok()) {
            Some(words) if KNOWN.iter().any(|known| words.starts_with(known)) => {
                filled.extend(value(words.split(' ').collect())?);
                rest = &inside[words.len() + 1..];
            }
            _ => {
                filled.push(b'{');
                rest = inside;
            }
        }
    }
    filled.extend(rest);
    Ok(filled)
}

/// The words that RFC 9110 section 15 has for a status, which nothing depends on, but people read.
fn phrase(status: u16) -> Result<&'static str> {
    Ok(match status {
        200 => "OK",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        410 => "Gone",
        412 => "Precondition Failed",
        414 => "URI Too Long",
        416 => "Range Not Satisfiable",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        other => bail!("no case has expected the status {other} before; add its words"),
    })
}
