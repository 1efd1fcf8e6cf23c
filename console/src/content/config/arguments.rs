//! The options of the command line that say what is to be served, and how.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Config, ConfigError};
use crate::content::fields::{Field, Fields};

/// How an answer is made.
#[derive(Args, Clone, Debug, Default)]
pub struct ResponseArguments {
    /// Read header fields, redirects, hosts and more from this file; `config print` explains it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Send this Cache-Control, as in 'max-age=3600'
    #[arg(long, value_name = "VALUE")]
    pub cache_control: Option<String>,
    /// Send this header field too, as in 'X-Frame-Options: DENY'; may be repeated
    #[arg(long = "header", value_name = "FIELD")]
    pub headers: Vec<Field>,
    /// Prepare no compressed variants
    #[arg(long)]
    pub no_compress: bool,
}

/// What is to be served, and how.
#[derive(Args, Clone, Debug, Default)]
pub struct SiteArguments {
    /// Publish the files of this folder; index.html is served at its folder's path too
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Answer with this file, and 404, what is not there
    #[arg(long, value_name = "FILE")]
    pub not_found: Option<PathBuf>,
    /// How the answers are made.
    #[command(flatten)]
    pub response: ResponseArguments,
}

impl ResponseArguments {
    /// The same as words of a command line.
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let config = self.config.as_ref().map(|file| file.display().to_string());
        let headers = self.headers.iter().map(|one| format!("{}: {}", one.name(), one.value()));
        let cache_control = self.cache_control.clone();
        let options = config
            .map(|file| ("--config", file))
            .into_iter()
            .chain(cache_control.map(|value| ("--cache-control", value)))
            .chain(headers.map(|field| ("--header", field)));
        words.extend(options.flat_map(|(option, value)| [option.to_owned(), value]));
        words.extend(self.no_compress.then(|| "--no-compress".to_owned()));
        words
    }

    fn is_empty(&self) -> bool {
        self.words().is_empty()
    }

    /// The config file, if one is named, with the options in the place of what it says at its top.
    ///
    /// # Errors
    ///
    /// See [`ConfigError`].
    pub fn config(&self) -> Result<Config, ConfigError> {
        let mut config = match &self.config {
            Some(file) => Config::read(file)?,
            None => Config::default(),
        };
        let mut fields = Fields::default();
        if let Some(value) = &self.cache_control {
            fields.add(Field::new("Cache-Control", value)?)?;
        }
        for field in &self.headers {
            fields.add(field.clone())?;
        }
        config.everywhere.fields.override_with(&fields);
        config.everywhere.fields.check_length()?;
        config.everywhere.compress &= !self.no_compress;
        Ok(config)
    }
}

impl SiteArguments {
    /// What is to be served; none if nothing is named at all.
    ///
    /// # Errors
    ///
    /// See [`ConfigError`].
    pub fn config(&self) -> Result<Option<Config>, ConfigError> {
        if self.root.is_none() && self.response.config.is_none() {
            let is_empty = self.response.is_empty() && self.not_found.is_none();
            return if is_empty { Ok(None) } else { Err(ConfigError::NoRoot) };
        }
        let config = self.with_root(None)?;
        match &self.response.config {
            Some(file) if config.is_empty() => Err(ConfigError::Nothing(file.clone())),
            _ => Ok(Some(config)),
        }
    }

    /// What is to be served, a folder of that name where nothing else is named.
    ///
    /// # Errors
    ///
    /// See [`ConfigError`].
    pub fn config_or(&self, root: &Path) -> Result<Config, ConfigError> {
        let config = self.with_root(None)?;
        if config.is_empty() { self.with_root(Some(root)) } else { Ok(config) }
    }

    fn with_root(&self, root: Option<&Path>) -> Result<Config, ConfigError> {
        let mut config = self.response.config()?;
        let root = root.map(Path::to_owned);
        config.root = self.root.clone().or(config.root).or(root);
        config.not_found = self.not_found.clone().or(config.not_found);
        Ok(config)
    }
}
