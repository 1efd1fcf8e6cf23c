//! Where files of this program are kept: the XDG folders
//! (<https://specifications.freedesktop.org/basedir-spec/latest/>).

use std::{
    env,
    ffi::OsString,
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

/// `$XDG_STATE_HOME/zeroserve`, or `~/.local/state/zeroserve`. None where neither can be told.
pub fn folder() -> Option<PathBuf> {
    choose(env::var_os("XDG_STATE_HOME"), env::home_dir(), ".local/state")
}

/// `$XDG_CONFIG_HOME/zeroserve`, or `~/.config/zeroserve`. None where neither can be told.
pub fn config_folder() -> Option<PathBuf> {
    choose(env::var_os("XDG_CONFIG_HOME"), env::home_dir(), ".config")
}

fn choose(variable: Option<OsString>, home: Option<PathBuf>, below: &str) -> Option<PathBuf> {
    // A relative path is to be ignored, says the specification.
    let absolute = |path: &PathBuf| path.is_absolute();
    let chosen = variable.map(PathBuf::from).filter(absolute);
    let chosen = chosen.or_else(|| Some(home.filter(absolute)?.join(below)))?;
    Some(chosen.join("zeroserve"))
}

/// Makes a folder for nobody else's eyes, unless it is there.
///
/// # Errors
///
/// Where the file system says no.
pub fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_wins_over_home_unless_it_is_empty_or_relative() {
        let home = || Some(PathBuf::from("/home/ada"));
        for (variable, folder) in [
            (Some("/var/state"), "/var/state/zeroserve"),
            (Some(""), "/home/ada/.local/state/zeroserve"),
            (Some("state"), "/home/ada/.local/state/zeroserve"),
            (None, "/home/ada/.local/state/zeroserve"),
        ] {
            let chosen = choose(variable.map(OsString::from), home(), ".local/state");
            assert_eq!(chosen, Some(PathBuf::from(folder)), "{variable:?}");
        }
        assert_eq!(choose(None, None, ".config"), None);
    }
}
