//! Whether a shared cache may keep an answer, and for how long (RFC 9111 sections 3 and 4.2).
//!
//! The crate `http-cache-semantics` reads the fields. What is here is stricter where the RFC leaves a
//! cache free, because what is promoted is served to everybody: it says why not, and it takes no
//! lifetime from a heuristic.

use std::time::{Duration, SystemTime};

use http::{
    HeaderMap, Method, Request, Response,
    header::{AGE, CACHE_CONTROL, CONTENT_ENCODING, DATE, EXPIRES, SET_COOKIE, VARY},
};
use http_cache_semantics::{CacheOptions, CachePolicy};
use zeroserve_shared::route::Encoding;

use super::{Exchange, Shown};

/// What the kernel side knows the time to, a tick and some.
const TICK: Duration = Duration::from_millis(20);

/// How long an answer may be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Freshness {
    /// Until when, on `CLOCK_BOOTTIME`.
    pub(super) expires: Duration,
    /// When it was new.
    pub(super) born: SystemTime,
    /// For how long from now on.
    pub(super) lifetime: Duration,
}

/// Why an answer may not be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is no 200.
    #[error("the server answers {0}; only answers with 200 are promoted")]
    Status(u16),
    /// It may not be stored by a shared cache.
    #[error("the server says Cache-Control: {0}, so no shared cache may serve it on its own")]
    Forbidden(&'static str),
    /// It sets a cookie.
    #[error("the server sets a cookie, so the answer is meant for one client")]
    SetCookie,
    /// It depends on more than `Accept-Encoding`.
    #[error(
        "the server says Vary: {0}, so its answer depends on more than the path; only Accept-Encoding can be looked at here"
    )]
    Vary(String),
    /// Its body is in another encoding than was asked for.
    #[error("the server answers in the encoding {0:?}, which was not asked for")]
    Encoding(String),
    /// It says nothing of a lifetime.
    #[error(
        "the server does not say how long its answer may be served (Cache-Control: max-age or s-maxage, or Expires); --ttl says it in its place"
    )]
    NoLifetime,
    /// Its lifetime is over when it comes.
    #[error("the answer's lifetime is over already: it was {} old when it came", Shown(*.0))]
    Stale(Duration),
    /// RFC 9111 forbids it for another reason.
    #[error("a shared cache may not store the answer (RFC 9111 section 3)")]
    NotStorable,
}

/// Decides about an answer to a request that accepts one encoding. `ttl` is how long a person says
/// that it may be served, where the server says nothing; it can shorten what the server says.
pub(super) fn judge(
    exchange: &Exchange,
    encoding: Encoding,
    ttl: Option<Duration>,
) -> Result<Freshness, Unfit> {
    let Exchange { status, fields, .. } = exchange;
    if *status != 200 {
        return Err(Unfit::Status(*status));
    }
    for directive in ["no-store", "private", "no-cache"] {
        if has_directive(fields, directive) {
            return Err(Unfit::Forbidden(directive));
        }
    }
    if fields.contains_key(SET_COOKIE) {
        return Err(Unfit::SetCookie);
    }
    if let Some(name) = words(fields, VARY.as_str()).find(|name| name != "accept-encoding") {
        return Err(Unfit::Vary(name));
    }
    let coded = words(fields, CONTENT_ENCODING.as_str()).collect::<Vec<_>>().join(", ");
    if !coded.is_empty() && coded != encoding.name() {
        return Err(Unfit::Encoding(coded));
    }
    let age = age(exchange);
    let total = lifetime(exchange, ttl)?;
    let lifetime = total.saturating_sub(age).saturating_sub(TICK);
    if lifetime.is_zero() {
        return Err(Unfit::Stale(age));
    }
    let born = exchange.answered.checked_sub(age).unwrap_or(exchange.answered);
    // From the moment it was asked for, which is before it was made.
    Ok(Freshness { expires: exchange.asked + lifetime, born, lifetime })
}

/// RFC 9111 section 4.2.1, for a shared cache and without a heuristic.
fn lifetime(exchange: &Exchange, ttl: Option<Duration>) -> Result<Duration, Unfit> {
    let fields = &exchange.fields;
    let is_said = has_directive(fields, "max-age")
        || has_directive(fields, "s-maxage")
        || fields.contains_key(EXPIRES);
    let policy = policy(exchange);
    if !is_said {
        // Status 200 is heuristically cacheable (RFC 9110 section 15.1).
        return ttl.ok_or(Unfit::NoLifetime);
    }
    if !policy.is_storable() {
        return Err(Unfit::NotStorable);
    }
    // The age is taken off elsewhere, from what the fields say of it and from `Date`.
    let said = policy.time_to_live(exchange.answered) + age_said(fields);
    Ok(ttl.map_or(said, |ttl| ttl.min(said)))
}

fn policy(exchange: &Exchange) -> CachePolicy {
    let mut request = Request::new(());
    *request.method_mut() = Method::GET;
    let mut response = Response::new(());
    *response.headers_mut() = exchange.fields.clone();
    let options = CacheOptions {
        shared: true,
        cache_heuristic: 0.0,
        immutable_min_time_to_live: Duration::ZERO,
        ..CacheOptions::default()
    };
    CachePolicy::new_options(&request, &response, exchange.answered, options)
}

/// How old an answer was when it came (RFC 9111 section 4.2.3).
fn age(exchange: &Exchange) -> Duration {
    let date = exchange.fields.get(DATE).and_then(|value| value.to_str().ok());
    let date = date.and_then(|value| httpdate::parse_http_date(value).ok());
    let apparent = date.and_then(|date| exchange.answered.duration_since(date).ok());
    apparent.unwrap_or_default().max(age_said(&exchange.fields))
}

fn age_said(fields: &HeaderMap) -> Duration {
    let age = fields.get(AGE).and_then(|value| value.to_str().ok());
    Duration::from_secs(age.and_then(|age| age.trim().parse().ok()).unwrap_or(0))
}

fn has_directive(fields: &HeaderMap, name: &str) -> bool {
    words(fields, CACHE_CONTROL.as_str())
        .any(|word| word.split('=').next().is_some_and(|word| word.trim() == name))
}

/// The members of a list, in lower case.
fn words(fields: &HeaderMap, name: &str) -> impl Iterator<Item = String> {
    let values = fields.get_all(name).iter();
    let texts: Vec<_> = values
        .map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase())
        .collect();
    let words = texts.iter().flat_map(|text| text.split(',')).map(str::trim);
    let words: Vec<String> = words.filter(|word| !word.is_empty()).map(str::to_owned).collect();
    words.into_iter()
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    const DATE_UNIX_S: u64 = 784_111_777;

    fn exchange(status: u16, fields: &[&str]) -> Exchange {
        let mut map = HeaderMap::new();
        for field in fields {
            let (name, value) = field.split_once(": ").expect("a field");
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            map.append(name, HeaderValue::from_str(value).expect("a value"));
        }
        Exchange {
            asked: Duration::from_secs(1000),
            answered: SystemTime::UNIX_EPOCH + Duration::from_secs(DATE_UNIX_S),
            status,
            fields: map,
            body: Vec::new(),
        }
    }

    fn outcome(fields: &[&str], ttl: Option<u64>) -> Result<u64, Unfit> {
        let ttl = ttl.map(Duration::from_secs);
        let judged = judge(&exchange(200, fields), Encoding::Identity, ttl);
        // The tick that is taken off makes it a second less.
        judged.map(|fresh| fresh.lifetime.as_secs() + 1)
    }

    #[test]
    fn the_lifetime_is_what_a_shared_cache_is_told() {
        for (fields, lifetime_s) in [
            (&["Cache-Control: max-age=60"][..], 60),
            (&["Cache-Control: public, max-age=60, s-maxage=5"], 5),
            (&["Cache-Control: max-age=60, must-revalidate"], 60),
            (&["Cache-Control: max-age=60", "Expires: Thu, 01 Jan 1970 00:00:00 GMT"], 60),
            (
                &["Date: Sun, 06 Nov 1994 08:49:37 GMT", "Expires: Sun, 06 Nov 1994 08:50:37 GMT"],
                60,
            ),
            (&["Cache-Control: max-age=60", "Age: 20"], 40),
            (&["Cache-Control: max-age=60", "Date: Sun, 06 Nov 1994 08:49:17 GMT"], 40),
            (&["Cache-Control: max-age=60", "Vary: Accept-Encoding"], 60),
        ] {
            assert_eq!(outcome(fields, None), Ok(lifetime_s), "{fields:?}");
        }
    }

    #[test]
    fn a_person_can_give_a_lifetime_where_there_is_none_and_shorten_one_there_is() {
        assert_eq!(outcome(&[], None), Err(Unfit::NoLifetime));
        assert_eq!(
            outcome(&["Last-Modified: Sat, 05 Nov 1994 08:49:37 GMT"], None),
            Err(Unfit::NoLifetime)
        );
        assert_eq!(outcome(&[], Some(30)), Ok(30));
        assert_eq!(outcome(&["Cache-Control: max-age=60"], Some(30)), Ok(30));
        assert_eq!(outcome(&["Cache-Control: max-age=60"], Some(90)), Ok(60));
        assert_eq!(
            outcome(&["Cache-Control: no-store"], Some(90)),
            Err(Unfit::Forbidden("no-store"))
        );
    }

    #[test]
    fn what_is_not_for_everybody_is_refused_by_name() {
        let fresh = "Cache-Control: max-age=60";
        for (fields, why) in [
            (&["Cache-Control: no-store, max-age=60"][..], Unfit::Forbidden("no-store")),
            (&["Cache-Control: max-age=60, PRIVATE"], Unfit::Forbidden("private")),
            (&["Cache-Control: private=\"Set-Cookie\", max-age=60"], Unfit::Forbidden("private")),
            (&["Cache-Control: no-cache"], Unfit::Forbidden("no-cache")),
            (&[fresh, "Set-Cookie: a=b"], Unfit::SetCookie),
            (&[fresh, "Vary: Accept-Encoding, Cookie"], Unfit::Vary("cookie".into())),
            (&[fresh, "Vary: *"], Unfit::Vary("*".into())),
            (&[fresh, "Content-Encoding: gzip"], Unfit::Encoding("gzip".into())),
            (&["Cache-Control: max-age=0"], Unfit::Stale(Duration::ZERO)),
            (&[fresh, "Age: 60"], Unfit::Stale(Duration::from_secs(60))),
        ] {
            assert_eq!(outcome(fields, None), Err(why), "{fields:?}");
        }
        let missing = judge(&exchange(404, &[fresh]), Encoding::Identity, None);
        assert_eq!(missing, Err(Unfit::Status(404)));
        let gzip = exchange(200, &[fresh, "Content-Encoding: gzip"]);
        assert!(judge(&gzip, Encoding::Gzip, None).is_ok());
    }

    #[test]
    fn a_copy_ends_before_the_lifetime_does_counted_from_when_it_was_asked_for() {
        let judged = judge(
            &exchange(200, &["Cache-Control: max-age=60", "Age: 20"]),
            Encoding::Identity,
            None,
        );
        let fresh = judged.expect("fresh");
        assert!(fresh.expires < Duration::from_secs(1040));
        assert_eq!(fresh.born, SystemTime::UNIX_EPOCH + Duration::from_secs(DATE_UNIX_S - 20));
    }
}
