//! Which files of folders are served, and behind which paths, beside redirects and fixed replies.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

use walkdir::{DirEntry, WalkDir};

use super::{
    Config, RenderError, Rendered, ResponseOptions, RoutePath, redirect::Redirect, reply::Reply,
};

/// The only hidden name that is served: RFC 8615 makes it public by definition.
const WELL_KNOWN: &str = ".well-known";

/// Everything that can be served, by path.
#[derive(Debug)]
pub struct Site {
    /// What is served where, sorted by path.
    pub routes: Vec<SiteRoute>,
    /// What lies in the folders and is not served, each with the reason, for a person to read.
    pub skipped: Vec<String>,
    /// The file that is the body of 404.
    pub not_found: Option<PathBuf>,
}

/// What is served behind a path.
#[derive(Clone, Debug)]
pub struct SiteRoute {
    /// The path.
    pub path: RoutePath,
    /// What is served.
    pub source: Source,
    /// How its answer is made.
    pub options: ResponseOptions,
}

/// Something to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// An answer that sends the client elsewhere.
    Redirect(Redirect),
    /// An answer that is written down.
    Reply(Reply),
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
    /// Looks through a folder, without further wishes.
    ///
    /// # Errors
    ///
    /// As for [`Site::of`].
    pub fn scan(root: &Path) -> Result<Self, SiteError> {
        Self::of(&Config::of_folder(root))
    }

    /// Looks through the folders that a config names. No file is opened yet.
    ///
    /// Hidden files are skipped, and so are symbolic links that lead out of their folder or to
    /// another folder.
    ///
    /// # Errors
    ///
    /// See [`SiteError`]. What goes wrong below a folder itself is skipped and says so.
    pub fn of(config: &Config) -> Result<Self, SiteError> {
        let mut skipped = Vec::new();
        let mut sources = BTreeMap::new();
        let mut add = |root: &Path, host: Option<&str>| -> Result<(), SiteError> {
            let folder = Folder::scan(root, &config.index)?;
            for (path, source) in folder.sources {
                match host.map_or(Ok(path.clone()), |host| path.at_host(host)) {
                    Ok(path) => drop(sources.insert(path, source)),
                    Err(error) => skipped.push(error.to_string()),
                }
            }
            skipped.extend(folder.skipped);
            Ok(())
        };
        config.root.iter().try_for_each(|root| add(root, None))?;
        config.hosts.iter().try_for_each(|(host, root)| add(root, Some(host)))?;
        let redirects = config.redirects.iter().cloned();
        let redirects = redirects.map(|(path, redirect)| (path, Source::Redirect(redirect)));
        let replies = config.replies.iter().cloned();
        let replies = replies.map(|(path, reply)| (path, Source::Reply(reply)));
        for (path, source) in redirects.chain(replies) {
            if let Some(Source::File(file)) = sources.insert(path.clone(), source) {
                let file = file.display();
                skipped.push(format!("{file} is hidden by what the config has at {path}"));
            }
        }
        sources.retain(|path, _| !config.bypass.leaves(path));
        let route = |(path, source)| {
            let options = config.options_for(&path);
            SiteRoute { path, source, options }
        };
        let routes = sources.into_iter().map(route).collect();
        skipped.sort();
        Ok(Self { routes, skipped, not_found: config.not_found.clone() })
    }

    /// Renders everything, one route after the other, so that no more than one large file is in
    /// memory at a time.
    pub fn render(
        &self,
    ) -> impl ExactSizeIterator<Item = (RoutePath, Result<Rendered, RenderError>)> {
        let mut indices = HashMap::new();
        for route in &self.routes {
            if let Source::File(file) = &route.source {
                *indices.entry(file).or_insert(0) += 1;
            }
        }
        indices.retain(|_, paths| *paths > 1);
        // An index is served at two paths, and is compressed once.
        let mut kept: HashMap<&Path, (&ResponseOptions, Rendered)> = HashMap::new();
        self.routes.iter().map(move |SiteRoute { path, source, options }| {
            let rendered = match source {
                Source::Redirect(redirect) => Rendered::redirect(redirect, options),
                Source::Reply(reply) => Rendered::reply(reply, options),
                Source::File(file) => match kept.remove(&**file) {
                    Some((same, rendered)) if same == options => Ok(rendered),
                    _ => Rendered::file(file, options).inspect(|rendered| {
                        if indices.remove(file).is_some() {
                            kept.insert(file, (options, rendered.clone()));
                        }
                    }),
                },
            };
            (path.clone(), rendered)
        })
    }
}

/// What one folder has to serve.
struct Folder<'a> {
    root: PathBuf,
    index: &'a [String],
    sources: BTreeMap<RoutePath, Source>,
    /// The index of each folder, and its place among the names for one.
    indices: BTreeMap<RoutePath, (usize, PathBuf)>,
    skipped: Vec<String>,
}

impl<'a> Folder<'a> {
    fn scan(root: &Path, index: &'a [String]) -> Result<Self, SiteError> {
        let unreadable = |error| SiteError::Unreadable { root: root.to_owned(), error };
        let canonical = fs::canonicalize(root).map_err(unreadable)?;
        if !canonical.is_dir() {
            return Err(SiteError::NotAFolder(root.to_owned()));
        }
        fs::read_dir(&canonical).map_err(unreadable)?;
        let mut entries = WalkDir::new(&canonical).min_depth(1).into_iter();
        let mut folder = Self {
            root: canonical,
            index,
            sources: BTreeMap::new(),
            indices: BTreeMap::new(),
            skipped: Vec::new(),
        };
        while let Some(entry) = entries.next() {
            match entry {
                Ok(entry) if is_hidden(entry.file_name()) => {
                    folder.skip(entry.path(), "is hidden");
                    if entry.file_type().is_dir() {
                        entries.skip_current_dir();
                    }
                }
                Ok(entry) => folder.consider(&entry),
                Err(error) => folder.skipped.push(error.to_string()),
            }
        }
        for (path, (_, file)) in std::mem::take(&mut folder.indices) {
            if let Some(typed) = path.without_slash() {
                let redirect = Source::Redirect(Redirect::to_folder(&path));
                folder.sources.entry(typed).or_insert(redirect);
            }
            folder.sources.insert(path, Source::File(file));
        }
        Ok(folder)
    }

    fn consider(&mut self, entry: &DirEntry) {
        let file = entry.path();
        let kind = entry.file_type();
        if kind.is_dir() {
            return;
        }
        if kind.is_symlink() {
            if let Err(reason) = check_link(&self.root, file) {
                return self.skip(file, reason);
            }
        } else if !kind.is_file() {
            return self.skip(file, "is not a regular file");
        }
        let relative = file.strip_prefix(&self.root).unwrap_or(file);
        match RoutePath::from_file_names(relative) {
            Ok(path) => {
                if let Some(place) = self.index.iter().position(|name| entry.file_name() == &**name)
                {
                    let best = self.indices.entry(path.folder());
                    let found = (place, file.to_owned());
                    best.and_modify(|best| *best = found.clone().min(best.clone()))
                        .or_insert(found);
                }
                self.sources.insert(path, Source::File(file.to_owned()));
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
        site.routes.iter().map(|route| route.path.as_str()).collect()
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
            ["/", "/docs", "/docs/", "/docs/a b.txt", "/docs/index.html", "/index.html"]
        );
        let redirect = Redirect::new("/docs/", 301).expect("a redirect");
        assert_eq!(site.routes[1].source, Source::Redirect(redirect));
        let rendered: Vec<_> = site.render().map(|(_, one)| one.expect("rendered")).collect();
        assert_eq!(rendered[2].bytes, rendered[4].bytes);
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
        write(root.path(), "b.txt", "x");
        let site = Site::scan(root.path()).expect("scanned");
        fs::remove_file(root.path().join("b.txt")).expect("removed");
        let rendered: Vec<_> = site.render().collect();
        assert!(rendered[0].1.is_ok());
        assert!(matches!(rendered[1].1, Err(RenderError::Unreadable { .. })));
    }

    #[test]
    fn the_first_name_for_an_index_that_a_folder_has_is_its_index() {
        let root = tempfile::tempdir().expect("a folder");
        for name in ["a/index.htm", "a/index.html", "b/index.htm", "c/other.html"] {
            write(root.path(), name, name);
        }
        let index = ["index.html", "index.htm"].map(str::to_owned).to_vec();
        let config = Config { index, ..Config::of_folder(root.path()) };
        let site = Site::of(&config).expect("scanned");
        let at = |path: &str| {
            let route = site.routes.iter().find(|route| route.path.as_str() == path);
            match &route.expect(path).source {
                Source::File(file) => fs::read_to_string(file).expect("a file"),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!((at("/a/"), at("/b/")), ("a/index.html".into(), "b/index.htm".into()));
        assert!(!paths(&site).contains(&"/c/"));
        let site = Site::of(&Config { index: Vec::new(), ..config }).expect("scanned");
        assert!(!paths(&site).contains(&"/a/"));
    }

    #[test]
    fn what_the_config_has_at_a_path_hides_a_file_there_and_says_so() {
        let root = tempfile::tempdir().expect("a folder");
        write(root.path(), "a.txt", "x");
        write(root.path(), "docs/index.html", "x");
        let reply = Reply::new(200, "text/plain", b"y".to_vec()).expect("a reply");
        let at = |path: &str| (path.parse().expect("a path"), reply.clone());
        let config =
            Config { replies: vec![at("/a.txt"), at("/docs")], ..Config::of_folder(root.path()) };
        let site = Site::of(&config).expect("scanned");
        assert_eq!(site.routes[0].source, Source::Reply(reply.clone()));
        assert_eq!(site.routes[1].source, Source::Reply(reply.clone()));
        assert_eq!(site.skipped.len(), 1, "{:?}", site.skipped);
        assert!(site.skipped[0].ends_with("a.txt is hidden by what the config has at /a.txt"));
    }

    #[test]
    fn a_host_has_the_files_of_its_folder_behind_paths_of_its_own() {
        let root = tempfile::tempdir().expect("a folder");
        write(root.path(), "all/index.html", "x");
        write(root.path(), "one/index.html", "y");
        let config = Config {
            hosts: vec![("one.example".into(), root.path().join("one"))],
            ..Config::of_folder(&root.path().join("all"))
        };
        let site = Site::of(&config).expect("scanned");
        assert_eq!(
            paths(&site),
            ["/", "//one.example/", "//one.example/index.html", "/index.html"]
        );
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
