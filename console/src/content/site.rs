//! Which files of a folder are served, and behind which paths.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

use walkdir::{DirEntry, WalkDir};

use super::{RenderError, Rendered, RoutePath};

/// The name of the file that is served at its folder's path too.
const INDEX: &str = "index.html";

/// The only hidden name that is served: RFC 8615 makes it public by definition.
const WELL_KNOWN: &str = ".well-known";

/// The files of a folder that can be served, by path.
#[derive(Debug)]
pub struct Site {
    /// What is served where, sorted by path.
    pub files: Vec<(RoutePath, PathBuf)>,
    /// What lies in the folder and is not served, each with the reason, for a person to read.
    pub skipped: Vec<String>,
}

/// Why a folder cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// It is not there, or may not be read.
    #[error("cannot read the folder {}: {error}; check --root", root.display())]
    Unreadable {
        /// The folder.
        root: PathBuf,
        /// What the kernel said.
        error: io::Error,
    },
    /// It is no folder.
    #[error("{} is not a folder; use add to put a single file behind a path", .0.display())]
    NotAFolder(PathBuf),
}

impl Site {
    /// Looks through a folder. No file is opened yet.
    ///
    /// Hidden files are skipped, and so are symbolic links that lead out of the folder or to
    /// another folder.
    ///
    /// # Errors
    ///
    /// See [`SiteError`]. What goes wrong below the folder itself is skipped and says so.
    pub fn scan(root: &Path) -> Result<Self, SiteError> {
        let unreadable = |error| SiteError::Unreadable { root: root.to_owned(), error };
        let canonical = fs::canonicalize(root).map_err(unreadable)?;
        if !canonical.is_dir() {
            return Err(SiteError::NotAFolder(root.to_owned()));
        }
        fs::read_dir(&canonical).map_err(unreadable)?;
        let mut site = Self { files: Vec::new(), skipped: Vec::new() };
        let mut entries = WalkDir::new(&canonical).min_depth(1).into_iter();
        while let Some(entry) = entries.next() {
            match entry {
                Ok(entry) if is_hidden(entry.file_name()) => {
                    site.skip(entry.path(), "is hidden");
                    if entry.file_type().is_dir() {
                        entries.skip_current_dir();
                    }
                }
                Ok(entry) => site.consider(&canonical, &entry),
                Err(error) => site.skipped.push(error.to_string()),
            }
        }
        site.files.sort();
        site.skipped.sort();
        Ok(site)
    }

    /// Renders the files one by one, so that no more than one is in memory at a time.
    pub fn render(
        &self,
    ) -> impl ExactSizeIterator<Item = (RoutePath, Result<Rendered, RenderError>)> {
        self.files.iter().map(|(path, file)| (path.clone(), Rendered::file(file)))
    }

    fn consider(&mut self, root: &Path, entry: &DirEntry) {
        let file = entry.path();
        let kind = entry.file_type();
        if kind.is_dir() {
            return;
        }
        if kind.is_symlink() {
            if let Err(reason) = check_link(root, file) {
                return self.skip(file, reason);
            }
        } else if !kind.is_file() {
            return self.skip(file, "is not a regular file");
        }
        let relative = file.strip_prefix(root).unwrap_or(file);
        match RoutePath::from_file_names(relative) {
            Ok(path) => {
                if entry.file_name() == INDEX {
                    self.files.push((path.folder(), file.to_owned()));
                }
                self.files.push((path, file.to_owned()));
            }
            Err(error) => self.skip(file, &error.to_string()),
        }
    }

    fn skip(&mut self, file: &Path, reason: &str) {
        self.skipped.push(format!("{} {reason}", file.display()));
    }
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".") && name != WELL_KNOWN
}

/// Refuses a symbolic link that a visitor must not be able to follow.
fn check_link(root: &Path, link: &Path) -> Result<(), &'static str> {
    let target =
        fs::canonicalize(link).map_err(|_| "is a symbolic link to something that is not there")?;
    let inside = target.strip_prefix(root).map_err(|_| "is a symbolic link out of the folder")?;
    if inside.iter().any(is_hidden) {
        Err("is a symbolic link to a hidden file")
    } else if !target.is_file() {
        Err("is a symbolic link to something other than a file")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn write(root: &Path, name: &str, content: &str) {
        let file = root.join(name);
        fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
        fs::write(file, content).expect("a file");
    }

    fn paths(site: &Site) -> Vec<&str> {
        site.files.iter().map(|(path, _)| path.as_str()).collect()
    }

    #[test]
    fn an_index_is_served_at_its_folder_and_under_its_own_name() {
        let root = tempfile::tempdir().expect("a folder");
        write(root.path(), "index.html", "x");
        write(root.path(), "docs/index.html", "x");
        write(root.path(), "docs/a b.txt", "x");
        let site = Site::scan(root.path()).expect("scanned");
        assert_eq!(
            paths(&site),
            ["/", "/docs/", "/docs/a b.txt", "/docs/index.html", "/index.html"]
        );
        assert_eq!(site.skipped, Vec::<String>::new());
    }

    #[test]
    fn hidden_files_are_skipped_and_named_but_for_well_known() {
        let root = tempfile::tempdir().expect("a folder");
        write(root.path(), ".git/config", "x");
        write(root.path(), "a/.env", "x");
        write(root.path(), ".well-known/security.txt", "x");
        let site = Site::scan(root.path()).expect("scanned");
        assert_eq!(paths(&site), ["/.well-known/security.txt"]);
        assert_eq!(site.skipped.len(), 2);
        assert!(site.skipped[0].ends_with(".git is hidden"), "{:?}", site.skipped);
        assert!(site.skipped[1].ends_with("a/.env is hidden"), "{:?}", site.skipped);
    }

    #[test]
    fn links_are_followed_only_to_files_inside_the_folder() {
        let outside = tempfile::tempdir().expect("a folder");
        write(outside.path(), "secret", "x");
        let root = tempfile::tempdir().expect("a folder");
        write(root.path(), "real/a.txt", "x");
        symlink("real/a.txt", root.path().join("inside")).expect("a link");
        symlink(outside.path().join("secret"), root.path().join("outside")).expect("a link");
        symlink(outside.path(), root.path().join("folder")).expect("a link");
        symlink("real", root.path().join("alias")).expect("a link");
        symlink("nothing", root.path().join("dangling")).expect("a link");
        write(root.path(), ".env", "x");
        symlink(".env", root.path().join("env")).expect("a link");
        let site = Site::scan(root.path()).expect("scanned");
        assert_eq!(paths(&site), ["/inside", "/real/a.txt"]);
        assert_eq!(site.skipped.len(), 6, "{:?}", site.skipped);
    }

    #[test]
    fn what_cannot_be_rendered_says_so_when_its_turn_comes() {
        let root = tempfile::tempdir().expect("a folder");
        write(root.path(), "a.txt", "x");
        write(root.path(), "b.txt", "");
        let site = Site::scan(root.path()).expect("scanned");
        let rendered: Vec<_> = site.render().collect();
        assert!(rendered[0].1.is_ok());
        assert!(matches!(rendered[1].1, Err(RenderError::Empty(_))));
    }

    #[test]
    fn a_root_that_is_no_folder_is_refused() {
        let root = tempfile::tempdir().expect("a folder");
        write(root.path(), "a.txt", "x");
        let file = Site::scan(&root.path().join("a.txt"));
        assert!(matches!(file, Err(SiteError::NotAFolder(_))));
        let missing = Site::scan(&root.path().join("missing"));
        assert!(matches!(missing, Err(SiteError::Unreadable { .. })));
    }
}
