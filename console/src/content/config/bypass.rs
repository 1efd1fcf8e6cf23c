//! What goes to the server behind even if it could be served here.

use serde::Deserialize;
use zeroserve_shared::bypass::{BYPASS_NAMES, Bypass, Names, hash_of};

use super::{Rule, file};
use crate::content::RoutePath;

/// What goes to the server behind even if it could be served here.
#[derive(Clone, Debug, Default)]
pub struct BypassRules {
    /// What a request must not have to be answered here.
    pub names: Bypass,
    /// Paths that are not published.
    paths: Vec<Rule>,
}

impl BypassRules {
    /// Whether a path is left to the server behind.
    pub fn leaves(&self, path: &RoutePath) -> bool {
        self.paths.iter().any(|rule| rule.holds_for(path))
    }
}

/// The table of the config file.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct BypassTable {
    headers: Vec<String>,
    cookies: Vec<String>,
    paths: Vec<String>,
}

impl BypassTable {
    /// Checks everything. An error says what is wrong, in words.
    pub(super) fn check(self) -> Result<BypassRules, String> {
        let headers: Vec<_> = self.headers.iter().map(|name| name.to_ascii_lowercase()).collect();
        let mut rules = BypassRules::default();
        rules.names.headers = names(&headers).map_err(|error| format!("headers: {error}"))?;
        rules.names.cookies = names(&self.cookies).map_err(|error| format!("cookies: {error}"))?;
        for path in &self.paths {
            let (host, glob) = file::pattern(path).map_err(|error| format!("{path}: {error}"))?;
            rules.paths.push(Rule::without_wishes(host, glob));
        }
        Ok(rules)
    }
}

fn names(all: &[String]) -> Result<Names, String> {
    if all.len() > BYPASS_NAMES {
        return Err(format!("there can be {BYPASS_NAMES} names, not {}", all.len()));
    }
    let mut hashes = Names::default();
    for (hash, name) in hashes.iter_mut().zip(all) {
        // A token, as both kinds of names are (RFC 9110 section 5.6.2, RFC 6265 section 4.1.1).
        let is_token =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(format!("{name:?} is no name"));
        }
        *hash = hash_of(name.as_bytes());
    }
    Ok(hashes)
}
