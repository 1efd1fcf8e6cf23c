//! The demo site: its manifest tells the truth, and it needs nothing from elsewhere.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use walkdir::WalkDir;

fn site() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/site")
}

/// The files that are there: path, bytes and CRC-32, as the manifest should list them.
fn files_there() -> BTreeMap<String, (u64, String)> {
    WalkDir::new(site())
        .into_iter()
        .map(|entry| entry.expect("the site can be read"))
        .filter(|entry| entry.file_type().is_file() && entry.file_name() != "manifest.json")
        .map(|entry| {
            let name = entry.path().strip_prefix(site()).expect("it is below the site").to_owned();
            let name = name.to_str().expect("names are ASCII");
            let path = format!("/{}", name.strip_suffix("index.html").unwrap_or(name));
            let body = fs::read(entry.path()).expect("the file can be read");
            (path, (body.len() as u64, format!("{:08x}", crc32fast::hash(&body))))
        })
        .collect()
}

fn files_listed() -> BTreeMap<String, (u64, String)> {
    let text = fs::read_to_string(site().join("manifest.json")).expect("there is a manifest");
    let manifest: Value = serde_json::from_str(&text).expect("the manifest is JSON");
    let files = manifest["files"].as_array().expect("it lists files");
    files
        .iter()
        .map(|file| {
            let text = |key: &str| file[key].as_str().expect("the field is a string").to_owned();
            (text("path"), (file["bytes"].as_u64().expect("a number"), text("crc32")))
        })
        .collect()
}

/// What the page, its styles and its script refer to in `src`, `href`, `url(…)` and `fetch(…)`.
fn references(text: &str) -> Vec<&str> {
    ["src=\"", "href=\"", "url(\"", "fetch(\""]
        .iter()
        .flat_map(|opening| text.split(opening).skip(1))
        .map(|rest| rest.split('"').next().expect("a split has a first part"))
        .collect()
}

#[test]
fn the_manifest_lists_every_file_as_it_is() {
    assert_eq!(files_listed(), files_there(), "run assets/make-manifest and commit the result");
}

#[test]
fn everything_the_site_refers_to_is_in_it() {
    let there = files_there();
    for name in ["index.html", "about/index.html", "style.css", "app.js"] {
        let text = fs::read_to_string(site().join(name)).expect("the file can be read");
        let references = references(&text);
        assert!(!references.is_empty(), "{name} refers to nothing, so this test reads it wrongly");
        for reference in references {
            assert!(
                there.contains_key(reference) || reference == "/manifest.json",
                "{name} refers to {reference}, which the site does not have"
            );
        }
    }
}

#[test]
fn the_site_has_files_of_every_size_and_kind_worth_showing() {
    let there = files_there();
    for ending in [".css", ".js", ".svg", ".png", ".jpg", ".webp", ".ico", ".woff2", ".txt"] {
        assert!(there.keys().any(|path| path.ends_with(ending)), "there is no {ending}");
    }
    let largest = there.values().map(|(bytes, _)| *bytes).max();
    assert!(largest > Some(3_000_000), "the largest file has {largest:?} bytes");
    assert!(there.values().any(|(bytes, _)| *bytes < 100), "there is no tiny file");
}
