//! The config file: its keys, and what may stand behind them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use globset::{GlobBuilder, GlobMatcher};
use serde::Deserialize;

use super::{Config, Rule, bypass::BypassTable};
use crate::content::{
    fields::{Field, Fields},
    path::{RoutePath, parse_host},
    redirect::Redirect,
    reply::Reply,
};

/// The file as it is written. Names of keys are documented in `example.toml`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Document {
    root: Option<PathBuf>,
    index: Option<Vec<String>>,
    not_found: Option<PathBuf>,
    compress: Option<bool>,
    cache_control: Option<String>,
    headers: BTreeMap<String, String>,
    rules: Vec<RuleTable>,
    redirects: Vec<RedirectTable>,
    replies: Vec<ReplyTable>,
    hosts: BTreeMap<String, HostTable>,
    bypass: BypassTable,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleTable {
    r#match: String,
    compress: Option<bool>,
    cache_control: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RedirectTable {
    from: String,
    to: String,
    status: Option<u16>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplyTable {
    path: String,
    status: Option<u16>,
    content_type: Option<String>,
    #[serde(default)]
    body: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HostTable {
    root: PathBuf,
}

impl Document {
    /// Checks everything. Files are relative to `folder`. An error says where and what, in words.
    pub(super) fn check(self, folder: &Path) -> Result<Config, String> {
        let mut config = Config {
            root: self.root.map(|root| folder.join(root)),
            not_found: self.not_found.map(|file| folder.join(file)),
            ..Config::default()
        };
        if let Some(index) = self.index {
            config.index = index;
        }
        if let Some(odd) = config.index.iter().find(|name| name.is_empty() || name.contains('/')) {
            return Err(format!("index: {odd:?} is no name of a file"));
        }
        config.everywhere.compress = self.compress.unwrap_or(true);
        config.everywhere.fields = fields(self.cache_control, &self.headers)?;
        for (number, table) in (1..).zip(self.rules) {
            let at = format!("[[rules]] number {number} ({})", table.r#match);
            config.rules.push(rule(table).map_err(|error| format!("{at}: {error}"))?);
        }
        for (number, table) in (1..).zip(self.redirects) {
            let at = format!("[[redirects]] number {number} ({})", table.from);
            let redirect = redirect(&table).map_err(|error| format!("{at}: {error}"))?;
            config.redirects.push(redirect);
        }
        for (number, table) in (1..).zip(self.replies) {
            let at = format!("[[replies]] number {number} ({})", table.path);
            config.replies.push(reply(table).map_err(|error| format!("{at}: {error}"))?);
        }
        for (host, HostTable { root }) in self.hosts {
            let host = parse_host(&host).map_err(|error| format!("[hosts]: {error}"))?;
            if config.hosts.iter().any(|(other, _)| *other == host) {
                return Err(format!("[hosts]: {host} is there twice"));
            }
            config.hosts.push((host, folder.join(root)));
        }
        config.bypass = self.bypass.check().map_err(|error| format!("[bypass]: {error}"))?;
        check_paths(&config)?;
        Ok(config)
    }
}

fn fields(
    cache_control: Option<String>,
    headers: &BTreeMap<String, String>,
) -> Result<Fields, String> {
    let mut fields = Fields::default();
    let all = cache_control.as_ref().map(|value| ("Cache-Control", value));
    for (name, value) in all.into_iter().chain(headers.iter().map(|(name, value)| (&**name, value)))
    {
        Field::new(name, value)
            .and_then(|field| fields.add(field))
            .map_err(|error| format!("headers: {error}"))?;
    }
    fields.check_length().map_err(|error| format!("headers: {error}"))?;
    Ok(fields)
}

fn rule(table: RuleTable) -> Result<Rule, String> {
    let (host, glob) = pattern(&table.r#match)?;
    Ok(Rule {
        compress: table.compress,
        fields: fields(table.cache_control, &table.headers)?,
        ..Rule::without_wishes(host, glob)
    })
}

/// Reads a pattern for paths, perhaps of one host only.
pub(crate) fn pattern(text: &str) -> Result<(Option<String>, GlobMatcher), String> {
    let (host, glob) = match text.strip_prefix("//") {
        Some(rest) => {
            let slash =
                rest.find('/').ok_or("a host is followed by a path, as in //a.example/**")?;
            let (host, glob) = rest.split_at(slash);
            (Some(parse_host(host).map_err(|error| error.to_string())?), glob)
        }
        None => (None, text),
    };
    if !glob.starts_with('/') {
        return Err(format!("the pattern must begin with '/', as in /**/{glob}"));
    }
    let glob = GlobBuilder::new(glob)
        .literal_separator(true)
        .build()
        .map_err(|error| error.kind().to_string())?;
    Ok((host, glob.compile_matcher()))
}

fn redirect(table: &RedirectTable) -> Result<(RoutePath, Redirect), String> {
    let from: RoutePath = table.from.parse().map_err(|error| format!("{error}"))?;
    let status = table.status.unwrap_or(Redirect::DEFAULT_STATUS);
    let redirect = Redirect::new(&table.to, status).map_err(|error| error.to_string())?;
    redirect.check_from(&from).map_err(|error| error.to_string())?;
    Ok((from, redirect))
}

fn reply(table: ReplyTable) -> Result<(RoutePath, Reply), String> {
    let path: RoutePath = table.path.parse().map_err(|error| format!("{error}"))?;
    let content_type = table.content_type.as_deref().unwrap_or(Reply::DEFAULT_CONTENT_TYPE);
    let status = table.status.unwrap_or(Reply::DEFAULT_STATUS);
    let reply = Reply::new(status, content_type, table.body.into_bytes());
    Ok((path, reply.map_err(|error| error.to_string())?))
}

/// Refuses a path that has two answers.
fn check_paths(config: &Config) -> Result<(), String> {
    let redirects = config.redirects.iter().map(|(path, _)| path);
    let mut paths: Vec<_> = redirects.chain(config.replies.iter().map(|(path, _)| path)).collect();
    paths.sort();
    match paths.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("{} has two answers; leave one away", pair[0])),
        None => Ok(()),
    }
}
