//! The rule file: what is to be promoted without being asked.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use globset::GlobMatcher;
use serde::Deserialize;

use crate::content::{RoutePath, config};

/// A rule file with every key, each explained.
pub const EXAMPLE: &str = include_str!("rules.toml");

/// The most that copies take by default, in bytes.
const DEFAULT_MEMORY_BYTES: u64 = 64 << 20;

/// What is to be promoted without being asked.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The most that all copies together may take, in bytes of responses.
    pub memory_bytes: u64,
    rules: Vec<Rule>,
    except: Vec<Pattern>,
}

#[derive(Clone, Debug)]
struct Rule {
    paths: Pattern,
    requests_per_s: f64,
    ttl: Option<Duration>,
}

/// Paths, of every host or of one.
#[derive(Clone, Debug)]
struct Pattern {
    host: Option<String>,
    path: GlobMatcher,
}

impl Pattern {
    fn parse(pattern: &str) -> Result<Self, String> {
        let parsed = config::pattern(pattern).map(|(host, path)| Self { host, path });
        parsed.map_err(|why| format!("{pattern}: {why}"))
    }

    fn fits(&self, path: &RoutePath) -> bool {
        self.path.is_match(path.path())
            && self.host.as_deref().is_none_or(|host| path.host() == Some(host))
    }
}

/// Why a rule file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// It cannot be read.
    #[error("cannot read {}: {error}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the kernel said.
        error: io::Error,
    },
    /// It says something that makes no sense.
    #[error("{}: {why}", file.display())]
    Invalid {
        /// The file.
        file: PathBuf,
        /// What, in words.
        why: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default = "default_memory_bytes")]
    memory_bytes: u64,
    #[serde(default)]
    except: Vec<String>,
    #[serde(default)]
    promote: Vec<Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    path: String,
    requests_per_s: f64,
    ttl: Option<String>,
}

fn default_memory_bytes() -> u64 {
    DEFAULT_MEMORY_BYTES
}

impl Rules {
    /// Reads a rule file.
    ///
    /// # Errors
    ///
    /// See [`RulesError`].
    pub fn read(file: &Path) -> Result<Self, RulesError> {
        let unreadable = |error| RulesError::Unreadable { file: file.to_owned(), error };
        let text = fs::read_to_string(file).map_err(unreadable)?;
        Self::parse(&text).map_err(|why| RulesError::Invalid { file: file.to_owned(), why })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let File { memory_bytes, except, promote } =
            toml::from_str(text).map_err(|error| error.to_string())?;
        if promote.is_empty() {
            return Err("it has no [[promote]], so nothing would be promoted".into());
        }
        let rule = |table: Table| {
            let Table { path, requests_per_s, ttl } = table;
            let about = |why: String| format!("{path}: {why}");
            if !requests_per_s.is_finite() || requests_per_s <= 0.0 {
                return Err(about(format!("requests_per_s cannot be {requests_per_s}")));
            }
            let ttl = ttl.map(|ttl| humantime::parse_duration(&ttl)).transpose();
            let ttl = ttl.map_err(|error| about(format!("ttl: {error}")))?;
            Ok(Rule { paths: Pattern::parse(&path)?, requests_per_s, ttl })
        };
        let rules = promote.into_iter().map(rule).collect::<Result<_, String>>()?;
        let except = except.iter().map(|pattern| Pattern::parse(pattern));
        let except = except.collect::<Result<_, _>>().map_err(|why| format!("except: {why}"))?;
        Ok(Self { memory_bytes, rules, except })
    }

    /// The lifetime to promote a path with that is asked for so often, or none if no rule says so. The
    /// first rule whose pattern fits decides.
    pub(super) fn wants(&self, path: &RoutePath, requests_per_s: f64) -> Option<Option<Duration>> {
        let rule = self.rule(path)?;
        (requests_per_s >= rule.requests_per_s).then_some(rule.ttl)
    }

    /// Whether a rule's pattern fits a path.
    pub(super) fn is_about(&self, path: &RoutePath) -> bool {
        self.rule(path).is_some()
    }

    fn rule(&self, path: &RoutePath) -> Option<&Rule> {
        if self.except.iter().any(|pattern| pattern.fits(path)) {
            return None;
        }
        self.rules.iter().find(|rule| rule.paths.fits(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(path: &str) -> RoutePath {
        path.parse().expect("a path")
    }

    #[test]
    fn the_first_rule_that_fits_decides_from_its_rate_on() {
        let rules = Rules::parse(
            "[[promote]]\npath = \"/a/**\"\nrequests_per_s = 5\nttl = \"1m\"\n\
             [[promote]]\npath = \"//h/**\"\nrequests_per_s = 0.5\n",
        );
        let rules = rules.expect("rules");
        assert_eq!(rules.memory_bytes, DEFAULT_MEMORY_BYTES);
        assert_eq!(rules.wants(&path("//x/a/b"), 5.0), Some(Some(Duration::from_secs(60))));
        assert_eq!(rules.wants(&path("//h/a/b"), 4.9), None);
        assert_eq!(rules.wants(&path("//h/b"), 0.5), Some(None));
        assert_eq!(rules.wants(&path("//x/b"), 99.0), None);
    }

    #[test]
    fn what_is_excepted_is_left_to_the_server() {
        let rules = Rules::parse(
            "except = [\"/a/api/**\", \"//h/**\"]\n\
             [[promote]]\npath = \"/a/**\"\nrequests_per_s = 5\n",
        );
        let rules = rules.expect("rules");
        for (name, is_wanted) in [("//x/a/b", true), ("//x/a/api/b", false), ("//h/a/b", false)] {
            assert_eq!(rules.wants(&path(name), 9.0), is_wanted.then_some(None), "{name}");
            assert_eq!(rules.is_about(&path(name)), is_wanted, "{name}");
        }
    }

    #[test]
    fn the_example_says_the_defaults_and_is_understood() {
        let rules = Rules::parse(EXAMPLE).expect("rules");
        assert_eq!(rules.memory_bytes, DEFAULT_MEMORY_BYTES);
        let minute = Some(Duration::from_secs(60));
        assert_eq!(rules.wants(&path("//h/assets/a/b.js"), 5.0), Some(minute));
        assert_eq!(rules.wants(&path("//example.org/a.css"), 0.5), Some(None));
        assert_eq!(rules.wants(&path("//h/assets/live/a.js"), 5.0), None);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_place() {
        for (text, word) in [
            ("", "[[promote]]"),
            ("except = [\"a\"]\n[[promote]]\npath = \"/\"\nrequests_per_s = 1", "except: a"),
            ("budget = 1\n[[promote]]\npath = \"/\"\nrequests_per_s = 1", "budget"),
            ("[[promote]]\npath = \"/\"\nrate = 1", "rate"),
            ("[[promote]]\npath = \"/\"\nrequests_per_s = 0", "requests_per_s"),
            ("[[promote]]\npath = \"/\"\nrequests_per_s = 1\nttl = \"x\"", "ttl"),
            ("[[promote]]\npath = \"a\"\nrequests_per_s = 1", "a"),
        ] {
            let error = Rules::parse(text).expect_err(text);
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
