//! What is to be served, and how: read from a config file, from the command line, or both.
//!
//! | module | what it is for |
//! |---|---|
//! | `arguments` | the options of the command line that say the same |
//! | `bypass` | what goes to the server behind even if it could be served here |
//! | `file` | the keys of a config file, and what may stand behind them |

mod arguments;
mod bypass;
mod file;
#[cfg(test)]
mod tests;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use globset::GlobMatcher;

pub(crate) use self::file::pattern;
pub use self::{
    arguments::{ResponseArguments, SiteArguments},
    bypass::BypassRules,
};
use super::{
    FieldError, ResponseOptions, RoutePath, fields::Fields, redirect::Redirect, reply::Reply,
};

/// A config file with every key, each explained.
pub const EXAMPLE: &str = include_str!("example.toml");

/// The name of the file that is served at its folder's path too, if nothing else is said.
const INDEX: &str = "index.html";

/// How alike a key must be to one that exists for it to be named, from 0 to 1.
const ALIKE: f64 = 0.7;

/// What is to be served, and how.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder whose files every host has.
    pub root: Option<PathBuf>,
    /// Hosts, in lower case, and the folders whose files only they have.
    pub hosts: Vec<(String, PathBuf)>,
    /// Names of files that are served at their folder's path too; the first of them that is there.
    pub index: Vec<String>,
    /// The file that is the body of 404.
    pub not_found: Option<PathBuf>,
    /// Answers that send clients elsewhere.
    pub redirects: Vec<(RoutePath, Redirect)>,
    /// Answers that are written down.
    pub replies: Vec<(RoutePath, Reply)>,
    /// How answers are made where no rule says otherwise.
    pub everywhere: ResponseOptions,
    /// What holds for some paths.
    pub rules: Vec<Rule>,
    /// What goes to the server behind even if it could be served here.
    pub bypass: BypassRules,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            root: None,
            hosts: Vec::new(),
            index: vec![INDEX.to_owned()],
            not_found: None,
            redirects: Vec::new(),
            replies: Vec::new(),
            everywhere: ResponseOptions::default(),
            rules: Vec::new(),
            bypass: BypassRules::default(),
        }
    }
}

/// What holds for some paths.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The only host that it holds for.
    host: Option<String>,
    glob: GlobMatcher,
    compress: Option<bool>,
    fields: Fields,
}

/// Why a config is of no use.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there, or may not be read, or is no text.
    #[error("cannot read the config file {}: {error}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the kernel said.
        error: io::Error,
    },
    /// It says something that is not possible.
    #[error("the config file {} makes no sense: {message}", file.display())]
    Invalid {
        /// The file.
        file: PathBuf,
        /// Where, and what.
        message: String,
    },
    /// An option of the command line says something that is not possible.
    #[error("{0}")]
    Option(#[from] FieldError),
    /// There are options for what is published, and nothing to publish.
    #[error("the options say how files are published, and no files are named; use --root as well")]
    NoRoot,
    /// Nothing is named that could be served.
    #[error(
        "the config file {} names nothing to serve; give it a root, hosts, redirects or replies, \
         or use --root", .0.display()
    )]
    Nothing(PathBuf),
}

impl Config {
    /// Reads a config file.
    ///
    /// # Errors
    ///
    /// See [`ConfigError`].
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(file)
            .map_err(|error| ConfigError::Unreadable { file: file.to_owned(), error })?;
        let folder = file.parent().unwrap_or(Path::new(""));
        Self::parse(&text, folder)
            .map_err(|message| ConfigError::Invalid { file: file.to_owned(), message })
    }

    /// Reads the text of a config file whose paths are relative to `folder`.
    fn parse(text: &str, folder: &Path) -> Result<Self, String> {
        let document: file::Document =
            toml::from_str(text).map_err(|error| in_words(&error.to_string()))?;
        document.check(folder)
    }

    /// Only the files of a folder, without further wishes.
    pub fn of_folder(root: &Path) -> Self {
        Self { root: Some(root.to_owned()), ..Self::default() }
    }

    /// Whether it names anything that could be served.
    pub fn is_empty(&self) -> bool {
        let Self { root, hosts, redirects, replies, .. } = self;
        root.is_none() && hosts.is_empty() && redirects.is_empty() && replies.is_empty()
    }

    /// How the answer at a path is made.
    pub fn options_for(&self, path: &RoutePath) -> ResponseOptions {
        let mut options = self.everywhere.clone();
        for rule in self.rules.iter().filter(|rule| rule.holds_for(path)) {
            options.compress = rule.compress.unwrap_or(options.compress);
            options.fields.override_with(&rule.fields);
        }
        options
    }
}

impl Rule {
    /// A rule that says nothing but which paths it holds for.
    fn without_wishes(host: Option<String>, glob: GlobMatcher) -> Self {
        Self { host, glob, compress: None, fields: Fields::default() }
    }

    fn holds_for(&self, path: &RoutePath) -> bool {
        (self.host.is_none() || self.host.as_deref() == path.host())
            && self.glob.is_match(path.path())
    }
}

/// The parser's message, and of a key that does not exist the one that was probably meant.
pub(crate) fn in_words(message: &str) -> String {
    let mut words = message.split('`').skip(1).step_by(2);
    let unknown = message.contains("unknown field").then(|| words.next()).flatten();
    let meant = unknown.and_then(|unknown| {
        let likeness = |known: &&str| strsim::jaro_winkler(unknown, known);
        let meant = words.max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
        (likeness(&meant) >= ALIKE).then(|| format!("\ndid you mean `{meant}`?"))
    });
    format!("\n{}{}", message.trim_end(), meant.unwrap_or_default())
}
