//! What a config and the commands beside it make a server answer, and what they refuse.

use anyhow::{Context, Result};
use serde_json::Value;
use zeroserve_tests::Host;

/// What a client sees of an answer.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

fn get(host: &Host, path: &str) -> Result<Answer> {
    let mut connection = host.connect()?;
    let response = connection.get(path)?;
    Ok(Answer {
        status: response.status,
        head: String::from_utf8(response.head.to_vec())?,
        body: String::from_utf8(response.body.to_vec())?,
    })
}

impl Answer {
    #[track_caller]
    fn has(&self, field: &str) -> &Self {
        assert!(self.head.contains(&format!("\r\n{field}\r\n")), "no {field:?} in {}", self.head);
        self
    }

    #[track_caller]
    fn lacks(&self, name: &str) -> &Self {
        assert!(!self.head.contains(&format!("\r\n{name}: ")), "{name} in {}", self.head);
        self
    }
}

/// The failure of a command, with `--json`: its exit code, its kind and its message.
fn failure(host: &Host, arguments: &[&str]) -> Result<(Option<i32>, String, String)> {
    let output = host.console(arguments).arg("--json").output()?;
    let document: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{arguments:?}: {:?}", String::from_utf8_lossy(&output.stdout)))?;
    let text = |key| document["error"][key].as_str().unwrap_or_default().to_owned();
    Ok((output.status.code(), text("kind"), text("message")))
}

fn route<'a>(status: &'a Value, path: &str) -> Result<&'a Value> {
    let routes = status["routes"].as_array().context("no routes")?;
    routes.iter().find(|route| route["path"] == path).with_context(|| format!("no route {path}"))
}

const CONFIG: &str = r#"
root = "public"
not_found = "missing.html"
cache_control = "max-age=60"

[headers]
X-Everywhere = "yes"

[[rules]]
match = "/assets/**"
cache_control = "max-age=31536000, immutable"
compress = false

[[redirects]]
from = "/old"
to = "https://example.org/new?a=b"
status = 307

[[replies]]
path = "/healthz"
body = "fine\n"

[hosts."blog.example"]
root = "blog"
"#;

/// A host with a folder and a config, which nobody has published yet.
fn configured() -> Result<Host> {
    let host = Host::new()?;
    host.write("public/index.html", b"home")?;
    host.write("public/docs/index.html", "documents ".repeat(200).as_bytes())?;
    host.write("public/assets/a.css", "a { color: red } ".repeat(200).as_bytes())?;
    host.write("public/empty.txt", b"")?;
    host.write("missing.html", b"<p>lost?")?;
    host.write("blog/post.html", b"a post")?;
    host.write("site.toml", CONFIG.as_bytes())?;
    Ok(host)
}

#[test]
fn a_config_decides_what_is_served_and_how() -> Result<()> {
    let host = configured()?;
    let published = host.json(&["serve", "IFACE", "--config", "DIR/site.toml"])?;
    assert_eq!(published["added"], 10, "{published}");

    let home = get(&host, "/")?;
    assert_eq!((home.status, &*home.body), (200, "home"));
    home.has("Cache-Control: max-age=60").has("X-Everywhere: yes").lacks("Vary");
    let documents = get(&host, "/docs/")?;
    documents.has("Vary: Accept-Encoding").has("Accept-Ranges: bytes").lacks("Content-Encoding");
    let asset = get(&host, "/assets/a.css")?;
    asset.has("Cache-Control: max-age=31536000, immutable").has("X-Everywhere: yes");
    asset.lacks("Vary");

    let folder = get(&host, "/docs")?;
    assert_eq!(folder.status, 301);
    folder.has("Location: /docs/");
    let old = get(&host, "/old")?;
    assert_eq!(old.status, 307);
    old.has("Location: https://example.org/new?a=b").has("X-Everywhere: yes");
    assert_eq!(get(&host, "/healthz")?.body, "fine\n");
    let empty = get(&host, "/empty.txt")?;
    assert_eq!((empty.status, &*empty.body), (200, ""));
    empty.has("Content-Length: 0");

    let missing = get(&host, "/nowhere")?;
    assert_eq!((missing.status, &*missing.body), (404, "<p>lost?"));
    missing.has("Content-Type: text/html; charset=utf-8").lacks("X-Everywhere");
    assert_eq!(get(&host, "/post.html")?.status, 404, "only one host has it");

    let status = host.json(&["status", "IFACE"])?;
    let post = route(&status, "//blog.example/post.html")?;
    assert_eq!(post["host"], "blog.example");
    let documents = route(&status, "/docs/")?;
    assert_eq!(documents["host"], Value::Null);
    for encoding in ["br", "gzip", "zstd"] {
        let bytes = documents["encodings"][encoding].as_u64().context("no encoding")?;
        assert!(bytes > 0 && bytes < 1000, "{documents}");
    }
    assert_eq!(status["refusals"]["host-missing"], 0);
    let text = String::from_utf8(host.run(&["status", "IFACE"])?.stdout)?;
    assert!(text.contains("//blog.example/post.html"), "{text}");
    assert!(text.contains("gzip"), "{text}");
    Ok(())
}

#[test]
fn publishing_again_changes_only_what_has_changed() -> Result<()> {
    let host = configured()?;
    let serve = ["serve", "IFACE", "--config", "DIR/site.toml"];
    host.json(&serve)?;
    let before = host.json(&["status", "IFACE"])?;
    let again = host.json(&serve)?;
    assert_eq!((&again["added"], &again["replaced"]), (&0.into(), &0.into()));
    assert_eq!(again["unchanged"], 10);
    let after = host.json(&["status", "IFACE"])?;
    assert_eq!(route(&before, "/docs/")?["version"], route(&after, "/docs/")?["version"]);

    let other =
        CONFIG.replace("X-Everywhere = \"yes\"", "").replace("missing.html", "blog/post.html");
    host.write("site.toml", other.replace("fine", "better").as_bytes())?;
    let changed = host.json(&serve)?;
    assert_eq!(changed["replaced"], 10, "every head has changed: {changed}");
    get(&host, "/")?.lacks("X-Everywhere");
    assert_eq!(get(&host, "/healthz")?.body, "better\n");
    assert_eq!(get(&host, "/nowhere")?.body, "a post");
    host.json(&["serve", "IFACE", "--root", "DIR/public"])?;
    assert!(get(&host, "/nowhere")?.body.contains("Nothing is served at this path."));
    Ok(())
}

#[test]
fn options_say_the_simple_things_without_a_file() -> Result<()> {
    let host = configured()?;
    let not_found = ["--not-found", "DIR/missing.html"];
    let fields = ["--cache-control", "no-store", "--header", "X-A: b"];
    let serve = ["serve", "IFACE", "--root", "DIR/public"];
    host.json(&[&serve[..], &not_found, &fields, &["--no-compress"]].concat())?;
    get(&host, "/docs/")?.has("Cache-Control: no-store").has("X-A: b").lacks("Vary");
    assert_eq!(get(&host, "/nowhere")?.body, "<p>lost?");
    host.json(&["add", "IFACE", "/b", "DIR/missing.html", "--header", "X-C: d"])?;
    get(&host, "/b")?.has("X-C: d").lacks("X-A");
    host.json(&["replace", "IFACE", "/b", "DIR/missing.html", "--config", "DIR/site.toml"])?;
    get(&host, "/b")?.has("X-Everywhere: yes");
    Ok(())
}

#[test]
fn redirects_and_replies_come_and_go_like_files() -> Result<()> {
    let host = configured()?;
    host.json(&["serve", "IFACE", "--root", "DIR/blog"])?;
    let added = host.json(&["redirect", "IFACE", "/old", "/ü", "--status", "308"])?;
    assert_eq!((&added["done"], &added["location"]), (&"added".into(), &"/%C3%BC".into()));
    let old = get(&host, "/old")?;
    assert_eq!(old.status, 308);
    old.has("Location: /%C3%BC");
    assert!(old.body.contains("<a href='/%C3%BC'>"), "{}", old.body);

    host.json(&["respond", "IFACE", "/healthz", "ok"])?;
    let health = get(&host, "/healthz")?;
    assert_eq!((health.status, &*health.body), (200, "ok"));
    health.has("Content-Type: text/plain; charset=utf-8");
    let status = ["--status", "503", "--content-type", "application/json"];
    let replaced = [&["respond", "IFACE", "/healthz", "{}", "--replace"][..], &status].concat();
    assert_eq!(host.json(&replaced)?["done"], "replaced");
    let health = get(&host, "/healthz")?;
    assert_eq!((health.status, &*health.body), (503, "{}"));
    health.has("Content-Type: application/json");
    host.json(&["respond", "IFACE", "/gone", "--status", "204"])?;
    let gone = get(&host, "/gone")?;
    assert_eq!((gone.status, &*gone.body), (204, ""));
    gone.lacks("Content-Length");

    host.json(&["replace", "IFACE", "/old", "DIR/missing.html"])?;
    assert_eq!(get(&host, "/old")?.body, "<p>lost?");
    host.json(&["remove", "IFACE", "/healthz"])?;
    assert_eq!(get(&host, "/healthz")?.status, 404);
    host.json(&["add", "IFACE", "//a.example/x", "DIR/missing.html"])?;
    let status = host.json(&["status", "IFACE"])?;
    assert_eq!(route(&status, "//a.example/x")?["host"], "a.example");
    host.json(&["remove", "IFACE", "//a.example/x"])?;
    Ok(())
}

#[test]
fn what_makes_no_sense_is_refused_and_says_why() -> Result<()> {
    let host = configured()?;
    host.json(&["serve", "IFACE", "--root", "DIR/blog"])?;
    host.write("bad.toml", b"cache_contol = \"no-store\"\n")?;
    host.write("date.toml", b"root = \"blog\"\n[headers]\nDate = \"now\"\n")?;
    host.write("nothing.toml", b"compress = false\n")?;
    host.write("folder.toml", b"root = \"nowhere\"\n")?;
    let serve = |file| ["serve", "IFACE", "--config", file];
    let redirect = |to| ["redirect", "IFACE", "/r", to];
    let respond = |status| ["respond", "IFACE", "/s", "x", "--status", status];
    for (arguments, kind, says) in [
        (&serve("DIR/bad.toml")[..], "config-not-valid", "did you mean `cache_control`?"),
        (&serve("DIR/bad.toml"), "config-not-valid", "bad.toml makes no sense"),
        (&serve("DIR/date.toml"), "config-not-valid", "Date cannot be set"),
        (&serve("DIR/nothing.toml"), "config-not-valid", "names nothing to serve"),
        (&serve("DIR/none.toml"), "config-not-valid", "cannot read the config file"),
        (&serve("DIR/folder.toml"), "folder-not-servable", "nowhere"),
        (&["config", "check", "DIR/bad.toml"], "config-not-valid", "line 1"),
        (&["IFACE", "--cache-control", "no-store"], "config-not-valid", "use --root"),
        (&redirect("new"), "redirect-not-possible", "must begin with '/'"),
        (&redirect("/r"), "redirect-not-possible", "to itself"),
        (&respond("304"), "reply-not-possible", "304"),
        (&["redirect", "IFACE", "/post.html", "/r"], "path-taken", "--replace"),
        (&["respond", "IFACE", "/post.html", "x"], "path-taken", "6 bytes"),
    ] {
        let (code, found, message) = failure(&host, arguments)?;
        assert_eq!((code, &*found), (Some(4), kind), "{arguments:?}: {message}");
        assert!(message.contains(says), "{arguments:?}: no {says:?} in {message:?}");
    }
    assert_eq!(get(&host, "/post.html")?.body, "a post");
    Ok(())
}

#[test]
fn a_config_can_be_checked_before_it_is_used() -> Result<()> {
    let host = configured()?;
    let checked = host.json(&["config", "check", "DIR/site.toml"])?;
    let routes = checked["routes"].as_array().context("no routes")?;
    assert_eq!(routes.len(), 10, "{checked}");
    let text = String::from_utf8(host.run(&["config", "check", "DIR/site.toml"])?.stdout)?;
    assert!(text.contains("307 /old"), "{text}");
    let example = host.run(&["config", "print"])?.stdout;
    host.write("elsewhere/example.toml", &example)?;
    // It names folders that are not there, and nothing else is wrong with it.
    let (_, kind, _) = failure(&host, &["config", "check", "DIR/elsewhere/example.toml"])?;
    assert_eq!(kind, "folder-not-servable");
    Ok(())
}
