//! Whether a request is malformed, by the letter of RFC 9112 and RFC 9110.
//!
//! Written as plainly as it can be, on whole strings, and independent of the parser that serves: what
//! is malformed here must be refused there, and may be let pass by the server that is compared.

/// What is wrong with a request, if anything is. Nothing is known of one that is incomplete.
pub fn malformed(request: &[u8]) -> Option<&'static str> {
    let mut request = request;
    while let Some(rest) = request.strip_prefix(b"\r\n") {
        request = rest;
    }
    let end = request.windows(4).position(|window| window == b"\r\n\r\n");
    let head = end.map_or(request, |end| &request[..end]);
    if has_bare_line_end(head) {
        return Some("a CR or LF alone (RFC 9112 section 2.2)");
    }
    let head: String = head.iter().map(|byte| char::from(*byte)).collect();
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap_or_default();
    let fields: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    request_line(line).or_else(|| fields_wrong(line, &fields))
}

fn has_bare_line_end(head: &[u8]) -> bool {
    (0..head.len()).any(|at| match head[at] {
        b'\r' => head.get(at + 1).is_some_and(|next| *next != b'\n'),
        b'\n' => at == 0 || head[at - 1] != b'\r',
        _ => false,
    })
}

/// RFC 9110 section 5.6.2.
fn is_token(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !text.is_empty() && text.chars().all(allowed)
}

fn request_line(line: &str) -> Option<&'static str> {
    let words: Vec<_> = line.split(' ').collect();
    let [method, target, version] = words[..] else {
        return Some("not three words (RFC 9112 section 3)");
    };
    if !is_token(method) {
        return Some("a method that is no token (RFC 9110 section 9.1)");
    }
    let digits: Vec<_> = version.strip_prefix("HTTP/").unwrap_or_default().chars().collect();
    if !matches!(digits[..], [major, '.', minor] if major.is_ascii_digit() && minor.is_ascii_digit())
    {
        return Some("no version (RFC 9112 section 2.3)");
    }
    // What else a target may be depends on the method, and decides about no answer.
    let answered = matches!(method, "GET" | "HEAD" | "OPTIONS");
    if !target.chars().all(|c| ('!'..='~').contains(&c) && c != '#') {
        return Some("a target with characters of no URI (RFC 3986 section 2)");
    }
    if answered { target_wrong(method, target) } else { None }
}

fn target_wrong(method: &str, target: &str) -> Option<&'static str> {
    let without_query = target.split('?').next().unwrap_or_default();
    let is_absolute = target.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("http://"));
    let path = if target.starts_with('/') {
        without_query
    } else if is_absolute {
        let rest = &without_query[7..];
        let slash = rest.find('/').unwrap_or(rest.len());
        if slash == 0 || !is_host(&rest[..slash]) {
            return Some("no authority (RFC 9110 section 4.2.1)");
        }
        &rest[slash..]
    } else if target == "*" && method == "OPTIONS" {
        ""
    } else {
        return Some("a target of no form (RFC 9112 section 3.2)");
    };
    let Some(decoded) = decode(path) else {
        return Some("a percent sign without digits, or NUL (RFC 3986 section 2.1)");
    };
    let mut depth = 0;
    for segment in decoded.split(|byte| *byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." if depth == 0 => return Some("a path above the root (RFC 3986 section 5.2.4)"),
            b".." => depth -= 1,
            _ => depth += 1,
        }
    }
    None
}

fn decode(path: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::new();
    let mut rest = path;
    while let Some(character) = rest.chars().next() {
        rest = &rest[1..];
        if character == '%' {
            let digits = rest.get(..2).filter(|digits| !digits.starts_with('+'))?;
            decoded.push(u8::from_str_radix(digits, 16).ok().filter(|byte| *byte != 0)?);
            rest = &rest[2..];
        } else {
            decoded.push(character as u8);
        }
    }
    Some(decoded)
}

/// RFC 9110 section 7.2, less what no name in use has.
fn is_host(value: &str) -> bool {
    let (name, port) = match value.find(']') {
        Some(bracket) => value.split_at(bracket + 1),
        None => value.split_at(value.find(':').unwrap_or(value.len())),
    };
    let inner = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let of_address = |c: char| c.is_ascii_hexdigit() || ":.".contains(c);
    // No address has fewer colons, and what else is wrong with one changes nothing here.
    let is_address =
        inner.is_some_and(|inner| inner.matches(':').count() > 1 && inner.chars().all(of_address));
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=%".contains(c);
    let is_encoded = name.split('%').skip(1).all(|rest| {
        rest.get(..2).is_some_and(|digits| digits.chars().all(|c| c.is_ascii_hexdigit()))
    });
    let is_name = name.chars().all(allowed) && is_encoded;
    let port_digits = port.strip_prefix(':').unwrap_or(port);
    (is_address || is_name) && port_digits.chars().all(|c| c.is_ascii_digit())
}

fn fields_wrong(line: &str, fields: &[&str]) -> Option<&'static str> {
    let mut values: Vec<(String, &str)> = Vec::new();
    for field in fields {
        if field.starts_with([' ', '\t']) {
            return Some("a folded line (RFC 9112 section 5.2)");
        }
        let Some((name, value)) = field.split_once(':') else {
            return Some("a field without a colon (RFC 9112 section 5)");
        };
        if !is_token(name) {
            return Some("a name that is no token (RFC 9112 section 5.1)");
        }
        if value.chars().any(|c| (c < ' ' && c != '\t') || c == '\u{7f}') {
            return Some("a control character (RFC 9110 section 5.5)");
        }
        values.push((name.to_ascii_lowercase(), value.trim_matches([' ', '\t'])));
    }
    let named = |name: &str| -> Vec<&str> {
        values.iter().filter(|(other, _)| other == name).map(|(_, value)| *value).collect()
    };
    let hosts = named("host");
    let is_1_0 = line.ends_with("HTTP/1.0");
    if hosts.len() > 1 || hosts.is_empty() && !is_1_0 {
        return Some("not one Host (RFC 9112 section 3.2)");
    }
    if hosts.first().is_some_and(|host| !is_host(host)) {
        return Some("a Host that is none (RFC 9110 section 7.2)");
    }
    let lengths: Vec<_> =
        named("content-length").iter().flat_map(|value| value.split(',')).collect();
    let differ = lengths.windows(2).any(|pair| pair[0].trim() != pair[1].trim());
    let is_number = |text: &&str| text.trim().parse::<u64>().is_ok() && !text.contains('+');
    if differ || !lengths.iter().all(is_number) {
        return Some("no single Content-Length (RFC 9112 section 6.3)");
    }
    let codings = named("transfer-encoding");
    let last = codings.join(",").rsplit(',').next().unwrap_or_default().trim().to_ascii_lowercase();
    let wrong = last != "chunked" || !lengths.is_empty() || is_1_0;
    (!codings.is_empty() && wrong).then_some("Transfer-Encoding (RFC 9112 section 6.1)")
}
