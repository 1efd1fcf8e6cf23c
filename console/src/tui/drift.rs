//! Whether the file that a route came from is still what is served.

use std::{fs, io, path::Path, time::SystemTime};

use sha2::{Digest as _, Sha256};
use zeroserve_shared::response::MAX_BODY_BYTES;

use crate::server::RouteInfo;

/// How the file on disk compares with what is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Drift {
    /// It has the same bytes.
    Same,
    /// It has others: how many, and when it was changed.
    Changed { bytes: u64, modified: Option<SystemTime> },
    /// There is no such file any more.
    Gone,
    /// It cannot be read, and why.
    Unreadable(String),
}

/// Compares a file with the body that a route serves. It is read only if it has the same length,
/// so no more is read than a response can be long.
pub(crate) fn compare(file: &Path, info: &RouteInfo) -> Drift {
    let outcome = fs::metadata(file).and_then(|found| {
        let changed = Drift::Changed { bytes: found.len(), modified: found.modified().ok() };
        let same_length = found.is_file() && found.len() == u64::from(info.body_bytes);
        if !same_length || found.len() > MAX_BODY_BYTES {
            return Ok(changed);
        }
        let same = Sha256::digest(fs::read(file)?)[..] == info.body_sha256;
        Ok(if same { Drift::Same } else { changed })
    });
    outcome.unwrap_or_else(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Drift::Gone,
        _ => Drift::Unreadable(error.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        content::{Rendered, ResponseOptions},
        server::{Change, Server as _},
        simulated::Simulated,
    };

    #[test]
    fn a_file_is_the_same_changed_gone_or_unreadable() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.txt");
        fs::write(&file, "what is served").unwrap();
        let rendered = Rendered::file(&file, &ResponseOptions::default()).unwrap();
        let mut server = Simulated::new(1);
        server.apply(Change::Add("/a".parse().unwrap(), rendered.into())).unwrap();
        let routes = server.routes().unwrap();
        let info = routes.iter().find(|info| info.source.as_ref() == Some(&file)).unwrap();

        assert_eq!(compare(&file, info), Drift::Same);
        fs::write(&file, "what is SERVED").unwrap();
        assert!(matches!(compare(&file, info), Drift::Changed { bytes: 14, .. }));
        fs::write(&file, "longer than what is served").unwrap();
        assert!(matches!(compare(&file, info), Drift::Changed { bytes: 26, .. }));
        fs::remove_file(&file).unwrap();
        assert_eq!(compare(&file, info), Drift::Gone);
        assert_eq!(compare(&file.join("b"), info), Drift::Gone);
        fs::create_dir(&file).unwrap();
        assert!(matches!(compare(&file, info), Drift::Changed { .. }), "a folder is another thing");
        std::os::unix::fs::symlink("round", folder.path().join("round")).unwrap();
        assert!(matches!(compare(&folder.path().join("round"), info), Drift::Unreadable(_)));
    }
}
