//! What is asked for and not served, and the server behind: made up, and the same on every run.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue};
use zeroserve_shared::route::Encoding;

use crate::promote::{Exchange, FetchError, Miss, Origin, Query};

/// Paths, requests a second, and of a hundred requests those that a copy could not answer.
const MISSES: &[(&str, u64, u64)] = &[
    ("//example.org/api/prices.json", 380, 2),
    ("//example.org/account", 95, 0),
    ("//example.org/feed.xml", 44, 0),
    ("//www.example.org/search", 3, 98),
    ("//example.org/blog/2025/10/a-rather-long-title-of-an-article/", 1, 0),
];

/// The misses after so much time.
pub(super) fn after(taken: Duration) -> Vec<Miss> {
    let seconds = taken.as_secs_f64();
    let miss = |(path, per_s, particular): &(&str, u64, u64)| {
        let all = (*per_s as f64 * seconds) as u64;
        let particular = all * particular / 100;
        Miss {
            path: path.parse().expect("the simulated paths are valid"),
            requests: all - particular,
            particular,
            last: taken,
        }
    };
    let mut misses: Vec<_> = MISSES.iter().map(miss).collect();
    misses.sort_by_key(|miss| std::cmp::Reverse(miss.requests));
    misses
}

/// The server behind a simulated one.
#[derive(Debug)]
pub(super) struct Behind {
    pub(super) now: SystemTime,
}

impl Origin for Behind {
    fn ask(&self, query: &Query<'_>) -> Result<Exchange, FetchError> {
        let path = query.path.path();
        let (content_type, cache_control) = match path {
            "/account" => ("text/html", "private"),
            "/api/prices.json" => ("application/json", "public, max-age=60"),
            _ => ("text/html", "max-age=3600"),
        };
        let date = httpdate::fmt_http_date(self.now);
        let mut fields = HeaderMap::new();
        for (name, value) in [
            ("server", "nginx"),
            ("date", date.as_str()),
            ("content-type", content_type),
            ("cache-control", cache_control),
            ("etag", "\"5f3a-61b\""),
        ] {
            fields.insert(
                HeaderName::from_static(name),
                HeaderValue::from_str(value).expect("the simulated fields are valid"),
            );
        }
        let mut body = format!("what the server behind has at {path}\n").repeat(40).into_bytes();
        if query.encoding == Encoding::Gzip {
            fields.insert("content-encoding", HeaderValue::from_static("gzip"));
            body.truncate(300);
        }
        Ok(Exchange { asked: Duration::ZERO, answered: self.now, status: 200, fields, body })
    }
}
