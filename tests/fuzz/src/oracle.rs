//! What an independent parser makes of a request that was accepted.
//!
//! The parser is `httparse`, which accepts more; the rest is written as plainly as it can be, on
//! whole strings.

/// Most fields of a request.
const MOST_FIELDS: usize = 4200;

/// What was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Understood {
    /// How many bytes the request has.
    pub bytes: usize,
    /// The method.
    pub method: String,
    /// The path, decoded and normalised; none if the target has none.
    pub path: Option<Vec<u8>>,
    /// The host, in lower case, without its port; empty if there is none.
    pub host: String,
    /// Whether the connection ends with the answer.
    pub closes: bool,
}

/// Reads a request.
///
/// # Errors
///
/// Where the request is malformed.
pub fn understand(request: &[u8]) -> Result<Understood, String> {
    // A minor version above 1 is 1 to us, and unknown to the parser.
    let mut request = request.to_vec();
    let version = request.windows(7).position(|window| window == b" HTTP/1");
    let minor = version.ok_or("no version")? + 8;
    if request.get(minor).is_some_and(|digit| *digit > b'1') {
        request[minor] = b'1';
    }
    let mut fields = vec![httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    let status = parsed.parse(&request).map_err(|error| error.to_string())?;
    let httparse::Status::Complete(bytes) = status else { return Err("incomplete".into()) };
    let values = |name: &str| -> Vec<String> {
        let named = parsed.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
        named.map(|field| String::from_utf8_lossy(field.value).into_owned()).collect()
    };
    let target = parsed.path.ok_or("no target")?;
    let hosts = values("Host");
    if hosts.len() > 1 || hosts.is_empty() && parsed.version == Some(1) {
        return Err(format!("{} of Host", hosts.len()));
    }
    let (authority, path) = split_target(target);
    let authority = authority.or(hosts.first().map(String::as_str)).unwrap_or_default();
    let path = match path {
        Some(path) => Some(normalise(path.as_bytes()).ok_or("no path of this server")?),
        None => None,
    };
    let options = values("Connection").join(",").to_ascii_lowercase();
    let has = |wanted: &str| options.split(',').any(|option| trim(option) == wanted);
    let has_body = values("Content-Length").iter().any(|value| value.contains(|c| c > '0'))
        || !values("Transfer-Encoding").is_empty();
    Ok(Understood {
        bytes,
        method: parsed.method.unwrap_or_default().to_owned(),
        path,
        host: host_name(authority),
        closes: has_body || has("close") || parsed.version == Some(0) && !has("keep-alive"),
    })
}

/// Optional blanks (RFC 9110 section 5.6.3).
fn trim(value: &str) -> &str {
    value.trim_matches([' ', '\t'])
}

/// Authority and path of a target (RFC 9112 section 3.2).
fn split_target(target: &str) -> (Option<&str>, Option<&str>) {
    if target == "*" {
        return (None, None);
    }
    let without_query = target.split('?').next().unwrap_or_default();
    if target.starts_with('/') {
        return (None, Some(without_query));
    }
    let behind_scheme = without_query.get("http://".len()..).unwrap_or_default();
    let slash = behind_scheme.find('/').unwrap_or(behind_scheme.len());
    let (authority, path) = behind_scheme.split_at(slash);
    (Some(authority), Some(if path.is_empty() { "/" } else { path }))
}

/// The name without the port and the dot at its end.
fn host_name(authority: &str) -> String {
    let authority = trim(authority).to_ascii_lowercase();
    let name = match authority.find(']') {
        Some(bracket) => &authority[..=bracket],
        None => authority.split(':').next().unwrap_or_default(),
    };
    name.strip_suffix('.').unwrap_or(name).to_owned()
}

/// Decodes a path once and follows its dots (RFC 3986 sections 2.1 and 5.2.4); none if that is not
/// possible.
fn normalise(path: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::new();
    let mut rest = path;
    while let [first, behind @ ..] = rest {
        rest = behind;
        if *first == b'%' {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            decoded.push(u8::from_str_radix(digits, 16).ok().filter(|byte| *byte != 0)?);
            rest = &rest[2..];
        } else {
            decoded.push(*first);
        }
    }
    let mut names: Vec<&[u8]> = Vec::new();
    let mut is_folder = true;
    for segment in decoded.split(|byte| *byte == b'/') {
        is_folder = true;
        match segment {
            b"" | b"." => {}
            b".." => drop(names.pop()?),
            name => {
                names.push(name);
                is_folder = false;
            }
        }
    }
    let mut normalised = vec![b'/'];
    normalised.extend(names.join(&b'/'));
    if is_folder && !names.is_empty() {
        normalised.push(b'/');
    }
    Some(normalised)
}
