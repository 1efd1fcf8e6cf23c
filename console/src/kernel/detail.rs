//! What is remembered of a version for people: written when it is published, read by every console.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use zerocopy::FromZeros;
use zeroserve_shared::route::{Detail, Encoding, FixedRoute, VersionInfo};

use super::clock;
use crate::{
    content::{Copied, Rendered, RoutePath},
    server::{EncodingInfo, RouteInfo, RouteName},
};

/// What shall be remembered of a version.
pub(super) fn write(name: &RouteName, rendered: &Rendered) -> Box<Detail> {
    let mut detail = Box::new(Detail::new_zeroed());
    detail.added_unix_s = clock::unix_s(SystemTime::now());
    detail.modified_unix_s = rendered.modified.map_or(0, clock::unix_s);
    if let Some(copy) = &rendered.copy {
        let ms = |time: Duration| time.as_millis() as u64;
        detail.expires_ns = copy.expires.as_nanos() as u64;
        detail.born_unix_s = clock::unix_s(copy.born);
        (detail.lifetime_ms, detail.ttl_ms) = (ms(copy.lifetime), copy.ttl.map_or(0, ms));
    }
    detail.body_sha256 = rendered.body_sha256;
    detail.fingerprint = rendered.fingerprint();
    detail.body_bytes = rendered.body_bytes();
    detail.status = rendered.status;
    detail.encoding = rendered.encoding as u16;
    if let RouteName::Path(path) = name {
        detail.path_bytes = keep_end(&mut detail.path, path.path().as_bytes());
        let host = path.host().unwrap_or_default();
        detail.host_bytes = keep_end(&mut detail.host, host.as_bytes());
    }
    if let Some(source) = &rendered.source {
        detail.source_bytes = keep_end(&mut detail.source, source.as_os_str().as_bytes());
    }
    detail.content_type_bytes =
        keep_end(&mut detail.content_type, rendered.content_type.as_bytes());
    detail
}

/// What a person sees of a version. None if it has no name that this program could have given it.
pub(super) fn describe(
    index: u32,
    detail: &Detail,
    response_bytes: u32,
    encodings: Vec<EncodingInfo>,
) -> Option<RouteInfo> {
    let name = match FixedRoute::ALL.get(index as usize) {
        Some(fixed) => RouteName::Fixed(*fixed),
        None => RouteName::Path(path(detail)?),
    };
    let some = |seconds| (seconds != 0).then(|| clock::from_unix_s(seconds));
    Some(RouteInfo {
        index,
        name,
        status: detail.status,
        content_type: text(&detail.content_type, detail.content_type_bytes),
        body_bytes: detail.body_bytes,
        response_bytes,
        encodings,
        source: source(detail),
        modified: some(detail.modified_unix_s),
        added: clock::from_unix_s(detail.added_unix_s),
        version: detail.ordinal + 1,
        body_sha256: detail.body_sha256,
        copy: copy(detail),
    })
}

/// What a version was published as, without its variants, from its bytes.
pub(super) fn read(info: &VersionInfo, detail: &Detail, bytes: Vec<u8>) -> Rendered {
    let some = |seconds| (seconds != 0).then(|| clock::from_unix_s(seconds));
    let head = bytes.get(..info.head_bytes as usize).unwrap_or_default();
    let head = String::from_utf8_lossy(head);
    let etag = head.split("\r\n").find_map(|line| line.strip_prefix("ETag: "));
    Rendered {
        etag: etag.map(str::to_owned),
        head_bytes: info.head_bytes,
        forms: info.forms,
        status: detail.status,
        content_type: text(&detail.content_type, detail.content_type_bytes),
        body_sha256: detail.body_sha256,
        source: source(detail),
        modified: some(detail.modified_unix_s),
        last_modified: some(info.modified_unix_s),
        encoding: Encoding::ALL.get(usize::from(detail.encoding)).copied().unwrap_or_default(),
        variants: Vec::new(),
        copy: copy(detail),
        bytes,
    }
}

/// How long a version is served, if it is a copy.
pub(super) fn copy(detail: &Detail) -> Option<Copied> {
    (detail.expires_ns != 0).then(|| Copied {
        expires: Duration::from_nanos(detail.expires_ns),
        born: clock::from_unix_s(detail.born_unix_s),
        lifetime: Duration::from_millis(detail.lifetime_ms),
        ttl: (detail.ttl_ms != 0).then(|| Duration::from_millis(detail.ttl_ms)),
    })
}

/// The file that a version came from.
pub(super) fn source(detail: &Detail) -> Option<PathBuf> {
    let name = used(&detail.source, detail.source_bytes);
    (!name.is_empty()).then(|| OsStr::from_bytes(name).into())
}

fn path(detail: &Detail) -> Option<RoutePath> {
    let path = RoutePath::from_decoded(text(&detail.path, detail.path_bytes)).ok()?;
    match text(&detail.host, detail.host_bytes) {
        host if host.is_empty() => Some(path),
        host => path.at_host(&host).ok(),
    }
}

fn text(bytes: &[u8], length: u16) -> String {
    String::from_utf8_lossy(used(bytes, length)).into_owned()
}

fn used(bytes: &[u8], length: u16) -> &[u8] {
    &bytes[..usize::from(length).min(bytes.len())]
}

/// Copies as much as there is room for, of the end, and says how many bytes that are.
fn keep_end(room: &mut [u8], bytes: &[u8]) -> u16 {
    let kept = &bytes[bytes.len().saturating_sub(room.len())..];
    room[..kept.len()].copy_from_slice(kept);
    kept.len() as u16
}

#[cfg(test)]
mod tests {
    use zeroserve_shared::route::FIRST_ROUTE;

    use super::*;

    #[test]
    fn of_a_long_name_the_end_is_kept() {
        let mut room = [0; 4];
        assert_eq!(keep_end(&mut room, b"a/long/name"), 4);
        assert_eq!(&room, b"name");
        assert_eq!(keep_end(&mut room, b"x"), 1);
        assert_eq!(room[0], b'x');
    }

    #[test]
    fn a_detail_remembers_what_was_rendered() {
        let modified = clock::from_unix_s(99);
        let rendered = Rendered::ok("text/plain".into(), b"hello", Some(modified));
        let name = RouteName::Path("//a.example/b".parse().expect("a path"));
        let detail = write(&name, &rendered);
        let info = describe(FIRST_ROUTE, &detail, 400, Vec::new()).expect("a name");
        assert_eq!(info.name, name);
        assert_eq!((info.body_bytes, info.status), (5, 200));
        assert_eq!((info.modified, info.source), (Some(modified), None));
        assert_eq!(info.content_type, "text/plain");
        assert_eq!(info.body_sha256, rendered.body_sha256);
        assert_eq!(detail.fingerprint, rendered.fingerprint());
    }
}
