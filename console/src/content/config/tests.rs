//! What a config means, and what a person reads who has made a mistake in one.

use zeroserve_shared::bypass::hash_of;

use super::*;

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, Path::new("/srv"))
}

fn error(text: &str) -> String {
    parse(text).expect_err(text)
}

fn sent(config: &Config, path: &str) -> Vec<String> {
    let options = config.options_for(&path.parse().expect("a path"));
    options.fields.iter().map(|field| format!("{}: {}", field.name(), field.value())).collect()
}

#[test]
fn the_example_is_read_and_means_what_it_says() {
    let config = parse(EXAMPLE).expect("the example");
    assert_eq!(config.root.as_deref(), Some(Path::new("/srv/public")));
    assert_eq!(config.not_found.as_deref(), Some(Path::new("/srv/404.html")));
    assert_eq!(config.hosts, [("blog.example.org".into(), "/srv/blog".into())]);
    let redirects: Vec<_> = config
        .redirects
        .iter()
        .map(|(from, to)| (from.as_str(), to.location(), to.status()))
        .collect();
    assert_eq!(
        redirects,
        [("/old.html", "/new.html", 301), ("//www.example.org/", "https://example.org/", 308)]
    );
    let replies: Vec<_> = config
        .replies
        .iter()
        .map(|(path, reply)| (path.as_str(), reply.status(), reply.content_type(), reply.body()))
        .collect();
    assert_eq!(
        replies,
        [
            ("/healthz", 200, "text/plain; charset=utf-8", &b"ok\n"[..]),
            ("/status.json", 503, "application/json", b"{\"up\": false}")
        ]
    );
    let nosniff = "X-Content-Type-Options: nosniff";
    assert_eq!(sent(&config, "/a"), ["Cache-Control: max-age=60", nosniff]);
    assert_eq!(
        sent(&config, "/assets/x/y.js"),
        [nosniff, "Cache-Control: max-age=31536000, immutable"]
    );
    assert_eq!(
        sent(&config, "/a.html"),
        ["Cache-Control: max-age=60", nosniff, "Referrer-Policy: no-referrer"]
    );
    let compress = |path: &str| config.options_for(&path.parse().expect("a path")).compress;
    assert!(compress("/a.css") && !compress("/deep/in/a.json"));
}

#[test]
fn what_bypasses_is_named_and_its_paths_are_left_out() {
    let config = parse(EXAMPLE).expect("the example");
    let names = config.bypass.names;
    assert_eq!(names.headers, [hash_of(b"authorization"), 0, 0, 0]);
    assert_eq!(names.cookies, [hash_of(b"session"), 0, 0, 0]);
    let leaves = |path: &str| config.bypass.leaves(&path.parse().expect("a path"));
    assert!(leaves("/api/v1/x") && leaves("//a.example/api/x") && !leaves("/apis/x"));
    for (text, complaint) in [
        (
            "[bypass]\nheaders = ['a', 'b', 'c', 'd', 'e']",
            "[bypass]: headers: there can be 4 names",
        ),
        ("[bypass]\ncookies = ['a b']", "[bypass]: cookies: \"a b\" is no name"),
        ("[bypass]\npaths = ['api']", "[bypass]: api: the pattern must begin with '/'"),
        ("[bypass]\nheader = ['a']", "did you mean `headers`?"),
    ] {
        assert!(error(text).contains(complaint), "{}", error(text));
    }
}

#[test]
fn every_key_is_in_the_example() {
    // serde names all keys that it knows when it meets one that it does not.
    for table in
        ["", "[[rules]]\n", "[[redirects]]\n", "[[replies]]\n", "[hosts.a]\n", "[bypass]\n"]
    {
        let message = error(&format!("{table}nonsense = 1"));
        let known = message.split('`').skip(3).step_by(2);
        let mut count = 0;
        for key in known {
            let documented =
                EXAMPLE.lines().any(|line| line.trim_matches(['[', ']']).starts_with(key));
            assert!(documented, "{key} is not in the example");
            count += 1;
        }
        assert!(count > 0, "{message}");
    }
}

#[test]
fn a_key_that_does_not_exist_is_named_with_its_line_and_the_one_that_was_meant() {
    let message = error("root = \"x\"\ncache_contol = \"no-store\"\n");
    for part in ["line 2", "cache_contol", "did you mean `cache_control`?"] {
        assert!(message.contains(part), "no {part:?} in {message}");
    }
    let message = error("[[redirects]]\nfrom = \"/a\"\ntarget = \"/b\"");
    assert!(message.contains("line 3") && message.contains("`target`"), "{message}");
    assert!(!error("frobnicate = 1").contains("did you mean"));
}

#[test]
fn mistakes_are_told_in_words_and_where_they_are() {
    for (text, parts) in [
        ("root = 1", &["line 1", "string"][..]),
        ("root = ", &["line 1"]),
        ("index = [\"a/b\"]", &["index: \"a/b\" is no name of a file"]),
        ("[headers]\nDate = \"x\"", &["headers: Date cannot be set: the server writes it"]),
        ("[headers]\n\"X Y\" = \"x\"", &["\"X Y\" is no name of a header field"]),
        ("[headers]\nX = \"a\\nb\"", &["the value of X contains '\\n'"]),
        (
            "cache_control = \"a\"\n[headers]\ncache-control = \"b\"",
            &["cache-control is given twice"],
        ),
        (
            "[[rules]]\nmatch = \"/a\"\n[[rules]]\nmatch = \"*.js\"",
            &["[[rules]] number 2 (*.js): the pattern must begin with '/', as in /**/*.js"],
        ),
        ("[[rules]]\nmatch = \"/[a\"", &["[[rules]] number 1 (/[a): ", "]"]),
        ("[[rules]]\ncompress = true", &["missing field `match`"]),
        ("[[redirects]]\nfrom = \"a\"\nto = \"/b\"", &["(a): the path \"a\" must begin with '/'"]),
        ("[[redirects]]\nfrom = \"/a\"\nto = \"b\"", &["(/a): \"b\" is no target"]),
        ("[[redirects]]\nfrom = \"/a\"\nto = \"/a\"", &["/a would be sent to itself"]),
        (
            "[[redirects]]\nfrom = \"/a\"\nto = \"/b\"\nstatus = 200",
            &["200 is no status of a redirect"],
        ),
        ("[[replies]]\npath = \"/a\"\nstatus = 304", &["304 is no status of a fixed reply"]),
        ("[[replies]]\npath = \"/a\"\nstatus = 70000", &["70000", "u16"]),
        (
            "[[replies]]\npath = \"/a\"\n[[redirects]]\nfrom = \"/%61\"\nto = \"/b\"",
            &["/a has two answers"],
        ),
        ("[hosts.\"a:80\"]\nroot = \"x\"", &["[hosts]: \"a:80\" is no host", "without a port"]),
        ("[hosts.a]\nroot = \"x\"\n[hosts.A]\nroot = \"y\"", &["[hosts]: a is there twice"]),
    ] {
        let message = error(text);
        for part in parts {
            assert!(message.contains(part), "{text:?}: no {part:?} in {message}");
        }
    }
}

#[test]
fn a_rule_may_hold_for_one_host_only() {
    let config = parse("[[rules]]\nmatch = \"//A.example/**\"\ncache_control = \"no-store\"");
    let config = config.expect("a config");
    assert_eq!(sent(&config, "//a.example/x/y"), ["Cache-Control: no-store"]);
    assert_eq!(sent(&config, "//b.example/x/y"), [""; 0]);
    assert_eq!(sent(&config, "/x/y"), [""; 0]);
}

#[test]
fn patterns_are_compared_with_the_whole_decoded_path() {
    for (pattern, matching, others) in [
        ("/*.css", &["/a.css", "/ü b.css"][..], &["/x/a.css", "/a.css/"][..]),
        ("/**/*.css", &["/a.css", "/x/y/a.css"], &["/a.csss"]),
        ("/x/**", &["/x/a", "/x/y/z"], &["/x", "/y/x/a"]),
        ("/{a,b}/?", &["/a/1", "/b/2"], &["/c/1", "/a/12"]),
        ("/", &["/"], &["/a"]),
    ] {
        let config = parse(&format!("[[rules]]\nmatch = \"{pattern}\"\nheaders = {{ X = \"y\" }}"));
        let config = config.expect(pattern);
        let matches = |path: &str| {
            let path = RoutePath::from_decoded(path.to_owned()).expect("a path");
            config.options_for(&path).fields.iter().count() == 1
        };
        assert!(matching.iter().all(|path| matches(path)), "{pattern}");
        assert!(!others.iter().any(|path| matches(path)), "{pattern}");
    }
}

#[test]
fn options_of_the_command_line_take_the_place_of_what_holds_everywhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("site.toml");
    let text = "root = \"a\"\ncache_control = \"max-age=1\"\n[[rules]]\nmatch = \"/x\"\n\
                cache_control = \"max-age=2\"\n";
    fs::write(&file, text).expect("a file");
    let arguments = SiteArguments {
        root: Some("elsewhere".into()),
        not_found: Some("404.html".into()),
        response: ResponseArguments {
            config: Some(file.clone()),
            cache_control: Some("no-store".into()),
            headers: vec!["X-A: b".parse().expect("a field")],
            no_compress: true,
        },
    };
    let config = arguments.config().expect("a config").expect("something to serve");
    assert_eq!(config.root.as_deref(), Some(Path::new("elsewhere")));
    assert_eq!(config.not_found.as_deref(), Some(Path::new("404.html")));
    assert_eq!(sent(&config, "/y"), ["Cache-Control: no-store", "X-A: b"]);
    assert_eq!(sent(&config, "/x"), ["X-A: b", "Cache-Control: max-age=2"]);
    assert!(!config.options_for(&"/y".parse().expect("a path")).compress);
    assert!(SiteArguments::default().config().expect("nothing").is_none());

    fs::write(&file, "cache_control = \"no-store\"").expect("a file");
    let response = ResponseArguments { config: Some(file), ..ResponseArguments::default() };
    let arguments = SiteArguments { response, ..SiteArguments::default() };
    assert!(matches!(arguments.config(), Err(ConfigError::Nothing(_))));
}
