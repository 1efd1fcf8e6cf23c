//! What is asked for and not served here.

use std::time::Duration;

use zeroserve_shared::miss;

use crate::content::RoutePath;

/// A path that is asked for, at a host, and not served here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    /// The path at the host that was asked.
    pub path: RoutePath,
    /// Requests that a copy could have answered.
    pub requests: u64,
    /// Requests that it could not have: with a query, for instance.
    pub particular: u64,
    /// When the last came, on `CLOCK_BOOTTIME`.
    pub last: Duration,
}

impl Miss {
    /// Reads an element of the map, if the request that it keeps is of the path that it is about.
    pub(crate) fn read(key: [u64; 2], hash: [u64; 2], miss: &miss::Miss) -> Option<Self> {
        let used = (miss.captured_bytes as usize).min(miss.captured.len());
        let path = path_of(&miss.captured[..used])?;
        // The kernel side's parser has the last word on what was asked for.
        (path.hash(key).0 == hash).then_some(Self {
            path,
            requests: miss.requests,
            particular: miss.particular,
            last: Duration::from_nanos(miss.last_ns),
        })
    }
}

/// The path and host that a request begins to ask for, which may be cut off.
fn path_of(request: &[u8]) -> Option<RoutePath> {
    let text = String::from_utf8_lossy(request);
    let mut lines = text.split("\r\n");
    let target = lines.next()?.split(' ').nth(1)?;
    let target = target.split('?').next()?;
    let (host, path) = match target.strip_prefix("http://") {
        Some(rest) => {
            let slash = rest.find('/').unwrap_or(rest.len());
            (Some(&rest[..slash]), rest.get(slash..).filter(|path| !path.is_empty()).unwrap_or("/"))
        }
        None => (None, target),
    };
    let host = host.or_else(|| {
        lines.find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("host").then(|| value.trim())
        })
    })?;
    path.parse::<RoutePath>().ok()?.at_host(without_port(host)).ok()
}

fn without_port(host: &str) -> &str {
    let end = host.rfind(':').filter(|colon| !host[*colon..].contains(']'));
    &host[..end.unwrap_or(host.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u64; 2] = [3, 4];

    fn read(request: &str, path: &str) -> Option<Miss> {
        let mut miss = miss::Miss {
            requests: 5,
            particular: 2,
            last_ns: 7_000_000_000,
            captured_bytes: request.len() as u32,
            reserved: 0,
            captured: [0; miss::MISS_BYTES],
        };
        miss.captured[..request.len()].copy_from_slice(request.as_bytes());
        Miss::read(KEY, path.parse::<RoutePath>().expect("a path").hash(KEY).0, &miss)
    }

    #[test]
    fn a_miss_is_read_from_the_beginning_of_a_request() {
        for (request, path) in [
            ("GET /a HTTP/1.1\r\nHost: h\r\n\r\n", "//h/a"),
            ("GET /a?b=c HTTP/1.1\r\nHOST:h:8080\r\n", "//h/a"),
            ("GET /caf%C3%A9 HTTP/1.1\r\nAccept: */*\r\nhost: H\r\nCook", "//h/caf%C3%A9"),
            ("HEAD http://h:80/a HTTP/1.1\r\n", "//h/a"),
            ("GET /a HTTP/1.1\r\nHost: [fd00::1]:80\r\n\r\n", "//[fd00::1]/a"),
        ] {
            let miss = read(request, path).unwrap_or_else(|| panic!("{request}"));
            assert_eq!(miss.path, path.parse().expect("a path"));
            assert_eq!((miss.requests, miss.particular), (5, 2));
        }
    }

    #[test]
    fn what_is_cut_off_or_hashes_to_something_else_is_not_believed() {
        for (request, path) in [
            ("GET /abc", "//h/abc"),
            ("GET /a HTTP/1.1\r\nHost: h", "//hh/a"),
            ("GET /a HTTP/1.1\r\nAccept: x", "//h/a"),
            ("\u{1}\u{2}", "//h/a"),
        ] {
            assert_eq!(read(request, path), None, "{request}");
        }
    }
}
