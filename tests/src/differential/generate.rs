//! Requests that nobody has thought of: from a grammar, then damaged.

use fastrand::Rng;

/// A request to be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its bytes, with [`TAG`] where the entity tag of the file belongs.
    pub bytes: Vec<u8>,
    /// The path of the file that it was made for.
    pub path: &'static str,
}

/// Stands for the entity tag that a server gives the file, so that both are asked alike.
pub const TAG: &str = "\"@@TAG@@\"";

/// Paths that both servers have, a folder without its slash, and one that neither has.
pub const PATHS: [&str; 9] = [
    "/",
    "/small.txt",
    "/ruler.txt",
    "/noise.bin",
    "/docs",
    "/docs/",
    "/docs/index.html",
    "/a%20b.txt",
    "/nowhere.txt",
];

/// Makes one request.
pub fn request(random: &mut Rng) -> Request {
    let path = one(random, &PATHS);
    let mut text = format!("{} {} {}\r\n", method(random), target(random, path), version(random));
    let mut fields = vec![host(random)];
    for _ in 0..random.usize(0..4) {
        fields.push(field(random));
    }
    random.shuffle(&mut fields);
    for field in fields {
        text.push_str(&field);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    match random.u8(..) {
        0..50 => damage(random, &mut bytes),
        50..53 => bytes.truncate(random.usize(1..bytes.len())),
        _ => {}
    }
    Request { bytes, path }
}

fn one<T: Copy>(random: &mut Rng, choices: &[T]) -> T {
    choices[random.usize(..choices.len())]
}

/// The first of the choices most of the time.
fn mostly<T: Copy>(random: &mut Rng, usual: T, choices: &[T]) -> T {
    if random.u8(..) < 220 { usual } else { one(random, choices) }
}

fn method(random: &mut Rng) -> &'static str {
    let usual = if random.u8(..) < 50 { "HEAD" } else { "GET" };
    mostly(random, usual, &["OPTIONS", "POST", "PUT", "DELETE", "TRACE", "BREW", "get", "GETS"])
}

fn version(random: &mut Rng) -> &'static str {
    let others =
        ["HTTP/1.0", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "HTTP/1.10", "http/1.1", "HTTP/1"];
    mostly(random, "HTTP/1.1", &others)
}

fn host(random: &mut Rng) -> String {
    let others = [
        "Host:",
        "Host: lab:80",
        "Host: [fd00::1]",
        "Host: a b",
        "Host:\tlab",
        "Host: .lab",
        "Host: la,b",
        "X-Host: lab",
        "host:LAB",
    ];
    mostly(random, "Host: lab", &others).to_owned()
}

/// The path, perhaps written in another way.
fn target(random: &mut Rng, path: &str) -> String {
    let mut target = path.to_owned();
    for _ in 0..random.usize(0..3) {
        target = match random.u8(0..14) {
            0 => format!("{target}?{}", one(random, &["", "x=1", "/../", "%zz", "a?b", "%00"])),
            1 => format!("/.{target}"),
            2 => format!("/{target}"),
            3 => format!("/x/y/../..{target}"),
            4 => format!("/docs/..{target}"),
            5 => format!("/..{target}"),
            6 => format!("http://{}{target}", mostly(random, "lab", &["l,ab", "l;ab", "lab:80"])),
            7 => target.replacen('.', "%2e", 1),
            8 => target.replacen("/docs", "/docs%2F", 1),
            9 => target.strip_suffix('/').unwrap_or(&target).to_owned(),
            10 => target.replacen('t', "%74", 1),
            11 => target.replacen('/', "/%2e%2E/", 1),
            12 => format!("{target}/"),
            _ => target,
        };
    }
    if target.is_empty() { "/".into() } else { target }
}

fn field(random: &mut Rng) -> String {
    match random.u8(0..12) {
        0 => {
            format!("Connection: {}", one(random, &["close", "keep-alive", "Close, x", "enclosed"]))
        }
        1 => format!("If-None-Match: {}", tags(random)),
        2 => format!("If-Match: {}", tags(random)),
        3 => format!("If-Modified-Since: {}", date(random)),
        4 => format!("If-Unmodified-Since: {}", date(random)),
        5 | 6 => format!("Range: {}", range(random)),
        7 => match random.bool() {
            true => format!("If-Range: {}", one(random, &[TAG, "\"x\"", "W/\"x\""])),
            false => format!("If-Range: {}", date(random)),
        },
        8 | 9 => format!("Accept-Encoding: {}", codings(random)),
        10 => one(
            random,
            &[
                "Content-Length: 0",
                "Content-Length: x",
                "Content-Length: 0\r\nContent-Length: 1",
                "Transfer-Encoding: chunked\r\nContent-Length: 0",
                "Transfer-Encoding: x",
                "Transfer-Encoding: chunked",
                "Transfer-Encoding: gzip,, chunked",
                "Expect: 100-continue",
            ],
        )
        .to_owned(),
        _ => format!("X-Other: {}", "x".repeat(random.usize(0..300))),
    }
}

fn tags(random: &mut Rng) -> String {
    let mut tags = Vec::new();
    for _ in 0..random.usize(1..4) {
        tags.push(one(random, &[TAG, "\"x\"", "W/\"x\"", "\"a,b\"", "\"\""]));
    }
    let weak = format!("W/{TAG}");
    match random.u8(0..8) {
        0 => "*".to_owned(),
        1 => weak,
        2 => format!("{}, {TAG}", one(random, &["W\"x\"", "\\\"x\"", "x", ",*"])),
        _ => tags.join(one(random, &[",", ", ", " ,\t"])),
    }
}

fn date(random: &mut Rng) -> &'static str {
    let dates = [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:36 GMT",
        "Sun, 06 Nov 1994 08:49:38 GMT",
        "Sat, 29 Oct 1994 19:43:31 GMT",
        "Tue, 15 Nov 2022 12:45:26 GMT",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "never",
        "",
    ];
    one(random, &dates)
}

fn range(random: &mut Rng) -> String {
    let number = |random: &mut Rng| match random.u8(0..5) {
        0 => String::new(),
        1 => random.u64(0..10).to_string(),
        2 => random.u64(0..20_000).to_string(),
        3 => random.u64(9_990..10_010).to_string(),
        _ => "99999999999999999999999".to_owned(),
    };
    let unit = mostly(random, "bytes=", &["bytes = ", "Bytes=", "lines=", "bytes", ""]);
    let (first, last) = (number(random), number(random));
    let more = mostly(random, "", &[",", ",0-0", ", -1", "x"]);
    format!("{unit}{first}-{last}{more}")
}

fn codings(random: &mut Rng) -> String {
    let mut codings = Vec::new();
    for _ in 0..random.usize(1..4) {
        let coding =
            one(random, &["gzip", "identity", "deflate", "*", "compress", "x-gzip", "GZIP"]);
        let weight = one(random, &["", "", ";q=1", ";q=0", "; q=0.5", ";q=0.001", ";q=0.0"]);
        codings.push(format!("{coding}{weight}"));
    }
    codings.join(", ")
}

/// Changes a few bytes.
fn damage(random: &mut Rng, bytes: &mut Vec<u8>) {
    const ODD: [u8; 20] = *b"\0\x01\t\n\r \"#%/:;?\\\x7f\x80\xffa.,";
    for _ in 0..random.usize(1..3) {
        let at = random.usize(..bytes.len());
        match random.u8(0..4) {
            0 => bytes[at] = one(random, &ODD),
            1 => bytes.insert(at, one(random, &ODD)),
            2 => drop(bytes.remove(at)),
            _ => {
                let end = (at + random.usize(1..20)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
}
