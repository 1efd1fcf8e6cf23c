//! House rules that a machine can check. What clippy checks is in the workspace's lints.

use std::{
    fs,
    path::{Path, PathBuf},
};

use walkdir::WalkDir;

/// A file fits in a head.
const FILE_LINES: usize = 420;

/// Folders that hold no sources of ours.
const SKIPPED_FOLDERS: &[&str] = &[".git", "target", "node_modules", "fonts", "snapshots"];
/// Endings of the text files that people write. Scripts have none.
const TEXT_ENDINGS: &[&str] = &["rs", "md", "toml", "html", "css", "js", "svg", "sh"];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every text file that people write: its path within the repository, and its text.
fn texts() -> Vec<(String, String)> {
    let texts: Vec<_> = WalkDir::new(repository())
        .into_iter()
        .filter_entry(|entry| {
            let name = entry.file_name().to_string_lossy();
            !(entry.file_type().is_dir() && SKIPPED_FOLDERS.contains(&&*name))
        })
        .map(|entry| entry.expect("the repository can be read"))
        .filter(|entry| entry.file_type().is_file())
        .filter_map(|entry| {
            let path = entry.path().strip_prefix(repository()).expect("it is below").to_owned();
            let text = String::from_utf8(fs::read(entry.path()).ok()?).ok()?;
            let wanted = match path.extension() {
                Some(ending) => TEXT_ENDINGS.iter().any(|one| ending == *one),
                None => text.starts_with("#!"),
            };
            wanted.then(|| (path.display().to_string(), text))
        })
        .collect();
    assert!(texts.len() > 20, "only {} files found, so this looks in the wrong place", texts.len());
    texts
}

/// Fails with every complaint there is, so that one run shows them all.
fn assert_none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn no_source_file_is_longer_than_a_head_can_hold() {
    let long = |(path, text): &(String, String)| {
        let lines = text.lines().count();
        (path.ends_with(".rs") && lines > FILE_LINES)
            .then(|| format!("{path}: {lines} lines; split it, {FILE_LINES} are the limit"))
    };
    assert_none(texts().iter().filter_map(long).collect());
}

#[test]
fn every_module_opens_with_what_it_is_for() {
    let silent = |(path, text): &(String, String)| {
        (path.ends_with(".rs") && !text.starts_with("//! "))
            .then(|| format!("{path}: begins without a //! sentence"))
    };
    assert_none(texts().iter().filter_map(silent).collect());
}

#[test]
fn nothing_is_left_for_later() {
    // Put together here, so that this file does not accuse itself.
    let words = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["XX", "X"].concat()];
    let mut complaints = Vec::new();
    for (path, text) in texts() {
        for (index, line) in text.lines().enumerate() {
            let mut parts = line.split(|c: char| !c.is_ascii_alphanumeric());
            if parts.any(|part| words.iter().any(|word| part == word)) {
                complaints.push(format!("{path}:{}: {}", index + 1, line.trim()));
            }
        }
    }
    assert_none(complaints);
}

#[test]
fn text_is_clean_at_its_edges() {
    let mut complaints = Vec::new();
    for (path, text) in texts() {
        if !text.ends_with('\n') || text.ends_with("\n\n") {
            complaints.push(format!("{path}: must end with one newline"));
        }
        for (index, line) in text.lines().enumerate() {
            if line.ends_with([' ', '\t']) || line.contains('\t') {
                complaints.push(format!("{path}:{}: tab, or space at the end", index + 1));
            }
        }
    }
    assert_none(complaints);
}

#[test]
fn every_link_between_the_documents_leads_somewhere() {
    let mut complaints = Vec::new();
    let mut links = 0;
    for (path, text) in texts().iter().filter(|(path, _)| path.ends_with(".md")) {
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().expect("a split has a first part");
            if file.is_empty() || file.contains("://") {
                continue;
            }
            links += 1;
            let folder = Path::new(path).parent().expect("a file is in a folder");
            if !repository().join(folder).join(file).exists() {
                complaints.push(format!("{path}: {target} leads nowhere"));
            }
        }
    }
    assert!(links > 0, "no document links to another, so this test reads them wrongly");
    assert_none(complaints);
}
