//! A path with all its encodings: what can be promoted, or why not.

use std::{sync::Arc, time::Duration};

use http::{
    HeaderValue,
    header::{CONTENT_ENCODING, DATE},
};
use zeroserve_shared::route::Encoding;

use super::{
    Exchange, FetchError, Miss, Origin, Query, Shown, Unfit,
    policy::{self, Freshness},
};
use crate::{
    content::{Copied, CopyError, PathError, Rendered, Representation, RoutePath},
    server::{Identity, RouteInfo, RouteName},
};

/// What is to be promoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The path, at the host that is asked for it.
    pub path: RoutePath,
    /// How long it may be served where the server says nothing; it can shorten what the server says.
    pub ttl: Option<Duration>,
}

/// What was found, fit to be promoted.
#[derive(Clone, Debug)]
pub struct Examined {
    /// The copy.
    pub rendered: Arc<Rendered>,
    /// How long it is served.
    pub copied: Copied,
}

/// Why a path is not promoted.
#[derive(Debug, thiserror::Error)]
pub enum PromoteError {
    /// The server did not answer.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The answer is not for a cache.
    #[error("{path} cannot be promoted: {why}")]
    Unfit {
        /// The path.
        path: RoutePath,
        /// Why.
        why: Unfit,
    },
    /// The answer cannot be stored.
    #[error("{path} cannot be promoted: {why}")]
    NotStored {
        /// The path.
        path: RoutePath,
        /// Why.
        why: CopyError,
    },
    /// Copies may not take as much.
    #[error(
        "{path} has {wanted} bytes, and copies have {used} of the {most} that rules allow; too few of them are asked for less"
    )]
    Full {
        /// The path.
        path: RoutePath,
        /// What it would take.
        wanted: u64,
        /// What all others take.
        used: u64,
        /// The most that all may take.
        most: u64,
    },
    /// Something that is no copy is served there.
    #[error("{0} is served here already, and not as a copy; remove it first")]
    Taken(RoutePath),
    /// No copy is served there.
    #[error("{0} is not promoted{hint}", hint = hint(.1))]
    NotPromoted(RoutePath, Vec<RoutePath>),
    /// There is no host to promote it at.
    #[error(transparent)]
    Host(#[from] PathError),
}

fn hint(others: &[RoutePath]) -> String {
    match others {
        [] => String::new(),
        others => {
            let names: Vec<_> = others.iter().map(RoutePath::as_str).collect();
            format!("; there are copies at {}", names.join(", "))
        }
    }
}

impl Wish {
    /// A path as somebody names it. Without a host it is that which most misses of the path name, or
    /// else the address of the interface.
    ///
    /// # Errors
    ///
    /// [`PromoteError::Host`].
    pub fn new(
        path: &RoutePath,
        ttl: Option<Duration>,
        misses: &[Miss],
        identity: &Identity,
    ) -> Result<Self, PromoteError> {
        if path.host().is_some() {
            return Ok(Self { path: path.clone(), ttl });
        }
        let known = misses.iter().filter(|miss| miss.path.path() == path.path());
        let path = match known.max_by_key(|miss| miss.requests + miss.particular) {
            Some(miss) => miss.path.clone(),
            None => {
                let address = identity.addresses.first().map(String::as_str).unwrap_or_default();
                let is_ipv6 = address.contains(':');
                path.at_host(&if is_ipv6 { format!("[{address}]") } else { address.into() })?
            }
        };
        Ok(Self { path, ttl })
    }
}

/// The copy that a path means: with its host, or at the only host that has one.
///
/// # Errors
///
/// [`PromoteError::NotPromoted`].
pub fn find_copy(path: &RoutePath, routes: &[RouteInfo]) -> Result<RoutePath, PromoteError> {
    let copies = routes.iter().filter(|route| route.copy.is_some());
    let mut named: Vec<RoutePath> = copies
        .filter_map(|route| match &route.name {
            RouteName::Path(copy) => Some(copy.clone()),
            RouteName::Fixed(_) => None,
        })
        .filter(|copy| copy.path() == path.path())
        .collect();
    if named.contains(path) {
        return Ok(path.clone());
    }
    if named.len() == 1 && path.host().is_none() {
        return Ok(named.remove(0));
    }
    Err(PromoteError::NotPromoted(path.clone(), named))
}

/// Asks the server for a path in each encoding, and decides whether that can be promoted.
///
/// # Errors
///
/// See [`PromoteError`].
pub fn examine(origin: &dyn Origin, wish: &Wish) -> Result<Examined, PromoteError> {
    let identity = origin.ask(&Query::new(&wish.path, Encoding::Identity))?;
    examine_rest(origin, wish, identity)
}

/// The same, where the answer without encoding is known.
pub(super) fn examine_rest(
    origin: &dyn Origin,
    wish: &Wish,
    identity: Exchange,
) -> Result<Examined, PromoteError> {
    let mut all = vec![accept(wish, Encoding::Identity, identity)?];
    for encoding in [Encoding::Brotli, Encoding::Zstd, Encoding::Gzip] {
        let exchange = origin.ask(&Query::new(&wish.path, encoding))?;
        // Servers that do not know an encoding send the body as it is.
        if exchange.status == 200 && !exchange.fields.contains_key(CONTENT_ENCODING) {
            continue;
        }
        all.push(accept(wish, encoding, exchange)?);
    }
    assemble(wish, all)
}

/// Decides about one answer.
pub(super) fn accept(
    wish: &Wish,
    encoding: Encoding,
    exchange: Exchange,
) -> Result<(Representation, Freshness), PromoteError> {
    let unfit = |why| PromoteError::Unfit { path: wish.path.clone(), why };
    let fresh = policy::judge(&exchange, encoding, wish.ttl).map_err(unfit)?;
    let Exchange { mut fields, body, answered, .. } = exchange;
    if !fields.contains_key(DATE) {
        // RFC 9110 section 6.6.1: whoever receives it without one adds one.
        let date = httpdate::fmt_http_date(answered);
        fields.extend(HeaderValue::from_str(&date).ok().map(|date| (DATE, date)));
    }
    Ok((Representation { encoding, fields, body }, fresh))
}

/// Makes one copy of all encodings, which is served as long as all of them may be.
pub(super) fn assemble(
    wish: &Wish,
    all: Vec<(Representation, Freshness)>,
) -> Result<Examined, PromoteError> {
    let (representations, times): (Vec<_>, Vec<_>) = all.into_iter().unzip();
    // There is one at least: that without an encoding comes first.
    let (first, rest) = (&times[0], &times[1..]);
    let copied = rest.iter().fold(
        Copied {
            expires: first.expires,
            born: first.born,
            lifetime: first.lifetime,
            ttl: wish.ttl,
        },
        |copied, fresh| Copied {
            expires: copied.expires.min(fresh.expires),
            born: copied.born.min(fresh.born),
            lifetime: copied.lifetime.min(fresh.lifetime),
            ..copied
        },
    );
    let rendered = Rendered::copy(&representations[0], &representations[1..], copied);
    let not_stored = |why| PromoteError::NotStored { path: wish.path.clone(), why };
    Ok(Examined { rendered: Arc::new(rendered.map_err(not_stored)?), copied })
}

impl Examined {
    /// What was found, in a line.
    pub fn summary(&self) -> String {
        let Self { rendered, copied } = self;
        let mut text = format!("{}, {} bytes", rendered.status, rendered.body_bytes());
        if !rendered.content_type.is_empty() {
            text += &format!(", {}", rendered.content_type);
        }
        for variant in &rendered.variants {
            text += &format!(", {} in {}", variant.body_bytes(), variant.encoding.name());
        }
        text + &format!(", to be served for {}", Shown(copied.lifetime))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::{collections::HashMap, sync::Mutex, time::SystemTime};

    use http::{HeaderMap, HeaderName};

    use super::*;

    /// Status, fields and body.
    type Answer = (u16, Vec<(&'static str, String)>, Vec<u8>);

    /// Answers by encoding. Remembers what it was asked.
    #[derive(Debug)]
    pub(in crate::promote) struct Script {
        pub(in crate::promote) answers: Mutex<HashMap<Encoding, Answer>>,
        pub(in crate::promote) asked: Mutex<Vec<(Encoding, Option<String>)>>,
    }

    impl Script {
        pub(in crate::promote) fn new() -> Self {
            Self { answers: Mutex::default(), asked: Mutex::default() }
        }

        pub(in crate::promote) fn answer(
            &self,
            encoding: Encoding,
            status: u16,
            fields: &str,
            body: &[u8],
        ) {
            let fields = fields.split('|').filter(|field| !field.is_empty());
            let fields = fields.map(|field| {
                let (name, value) = field.split_once(": ").expect("a field");
                (&*String::leak(name.to_owned()), value.to_owned())
            });
            let answer = (status, fields.collect(), body.to_vec());
            self.answers.lock().expect("a lock").insert(encoding, answer);
        }
    }

    impl Origin for Script {
        fn ask(&self, query: &Query<'_>) -> Result<Exchange, FetchError> {
            let etag = query.etag.as_ref().map(|etag| etag.to_str().expect("text").to_owned());
            self.asked.lock().expect("a lock").push((query.encoding, etag));
            let answers = self.answers.lock().expect("a lock");
            let known = answers.get(&query.encoding).or_else(|| answers.get(&Encoding::Identity));
            let (status, fields, body) = known.expect("an answer").clone();
            let mut map = HeaderMap::new();
            for (name, value) in fields {
                map.append(HeaderName::from_static(name), value.parse().expect("a value"));
            }
            let asked = super::super::fetch::since_boot();
            Ok(Exchange { asked, answered: SystemTime::now(), status, fields: map, body })
        }
    }

    pub(in crate::promote) fn wish() -> Wish {
        Wish { path: "//h/a".parse().expect("a path"), ttl: None }
    }

    #[test]
    fn every_encoding_that_the_server_has_becomes_a_variant() {
        let script = Script::new();
        let fields = "cache-control: max-age=60|vary: Accept-Encoding|etag: \"a\"";
        script.answer(Encoding::Identity, 200, fields, b"hello hello hello");
        let fields = "cache-control: max-age=30|content-encoding: gzip|etag: \"a-gz\"";
        script.answer(Encoding::Gzip, 200, fields, b"hello");
        let found = examine(&script, &wish()).expect("a copy");
        assert_eq!(found.rendered.variants.len(), 1);
        assert_eq!(found.rendered.variants[0].etag.as_deref(), Some("\"a-gz\""));
        // As long as all may be served.
        assert_eq!(found.copied.lifetime.as_secs(), 29);
        assert_eq!(script.asked.lock().expect("a lock").len(), 4);
        let summary = found.summary();
        assert_eq!(summary, "200, 17 bytes, 5 in gzip, to be served for 29s");
    }

    #[test]
    fn one_encoding_that_may_not_be_kept_keeps_the_path_from_being_promoted() {
        let script = Script::new();
        script.answer(Encoding::Identity, 200, "cache-control: max-age=60", b"hello");
        script.answer(Encoding::Brotli, 200, "cache-control: no-store|content-encoding: br", b"x");
        let error = examine(&script, &wish()).expect_err("not for a cache");
        assert!(error.to_string().contains("//h/a cannot be promoted"), "{error}");
        assert!(error.to_string().contains("no-store"), "{error}");
    }
}
