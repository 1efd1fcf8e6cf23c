//! How somebody likes the console: a file in the XDG config folder.

use std::{fs, io, path::Path};

use serde::Deserialize;

use super::Theme;
use crate::{
    content::{ConfigError, config::in_words},
    record::state,
};

/// The file with every key, each explained.
pub const EXAMPLE: &str = include_str!("preferences.toml");

/// Its name in the config folder.
const FILE: &str = "console.toml";

/// What the file says.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Preferences {
    pub(super) theme: Option<Theme>,
    pub(super) ascii: bool,
    pub(super) mouse: Option<bool>,
}

impl Preferences {
    /// Reads the file, if there is one.
    ///
    /// # Errors
    ///
    /// Where it cannot be read, or makes no sense.
    pub(super) fn read() -> Result<Self, ConfigError> {
        match state::config_folder() {
            Some(folder) => Self::read_from(&folder.join(FILE)),
            None => Ok(Self::default()),
        }
    }

    fn read_from(file: &Path) -> Result<Self, ConfigError> {
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(ConfigError::Unreadable { file: file.to_owned(), error }),
        };
        toml::from_str(&text).map_err(|error| {
            let message = in_words(&error.to_string());
            ConfigError::Invalid { file: file.to_owned(), message }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Preferences, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        fs::write(&file, text).unwrap();
        Preferences::read_from(&file).map_err(|error| error.to_string())
    }

    #[test]
    fn the_example_says_what_is_so_without_a_file() {
        let mouse = Some(true);
        assert_eq!(read(EXAMPLE), Ok(Preferences { mouse, ..Preferences::default() }));
        let all = EXAMPLE.replace("# theme", "theme");
        assert_eq!(read(&all).unwrap().theme, Some(Theme::Dark));
        assert_eq!(
            Preferences::read_from(Path::new("/nowhere/console.toml")).unwrap(),
            read("").unwrap()
        );
    }

    #[test]
    fn a_key_or_value_that_does_not_exist_is_refused_with_what_may_be_meant() {
        let error = read("them = \"dark\"").unwrap_err();
        assert!(error.contains("console.toml makes no sense"), "{error}");
        assert!(error.contains("did you mean `theme`?"), "{error}");
        let error = read("theme = \"pink\"").unwrap_err();
        assert!(error.contains("terminal"), "{error}");
    }
}
