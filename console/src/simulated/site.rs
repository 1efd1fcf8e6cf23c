//! What a simulated server serves.

use std::time::SystemTime;

use zeroserve_shared::{
    config::OnMiss,
    counters::RouteHits,
    route::{Encoding, FixedRoute, WHOLE},
};

use super::SimulatedRoute;
use crate::{
    content::{Rendered, RoutePath},
    server::{EncodingInfo, Identity, RouteInfo, RouteName},
};

/// The site that is served: path, media type, bytes of the body, and share of the requests.
pub(super) const SITE: &[(&str, &str, u32, u32)] = &[
    ("/", "text/html", 4_812, 220),
    ("/app.js", "text/javascript", 148_230, 180),
    ("/docs/", "text/html", 9_120, 30),
    ("/docs/guide/first-steps.html", "text/html", 18_331, 24),
    ("/docs/guide/operations.html", "text/html", 41_907, 9),
    ("/docs/guide/tuning.html", "text/html", 27_740, 6),
    ("/docs/reference.html", "text/html", 212_004, 4),
    ("/downloads/zeroserve-0.1.0.tar.gz", "application/gzip", 12_582_912, 1),
    ("/favicon.ico", "image/x-icon", 15_086, 90),
    ("/fonts/inter-bold.woff2", "font/woff2", 106_140, 40),
    ("/fonts/inter-regular.woff2", "font/woff2", 98_868, 60),
    ("/healthz", "text/plain", 2, 110),
    ("/img/gallery/aurora.jpg", "image/jpeg", 945_112, 7),
    ("/img/gallery/harbour.jpg", "image/jpeg", 711_240, 5),
    ("/img/gallery/summit.jpg", "image/jpeg", 1_204_881, 3),
    ("/img/hero.avif", "image/avif", 64_209, 70),
    ("/img/logo.svg", "image/svg+xml", 2_719, 160),
    ("/index.html", "text/html", 4_812, 45),
    ("/robots.txt", "text/plain", 68, 12),
    ("/style.css", "text/css", 22_471, 175),
];

/// What does not change.
pub(super) fn identity(attached: SystemTime) -> Identity {
    Identity {
        interface: "eth0".into(),
        if_index: 2,
        driver: Some("veth".into()),
        mode: "native",
        program_id: 42,
        port: 80,
        on_miss: OnMiss::Refuse,
        mss: 1460,
        addresses: vec!["198.18.0.1".into()],
        attached,
        route_capacity: 16_368,
        flow_capacity: 65_536,
    }
}

/// The answers to what is no hit.
pub(super) fn fixed_routes(added: SystemTime) -> Vec<SimulatedRoute> {
    let fixed = |route: &FixedRoute| SimulatedRoute {
        info: RouteInfo {
            index: *route as u32,
            name: RouteName::Fixed(*route),
            status: route.status(),
            content_type: "text/plain".into(),
            body_bytes: 24,
            response_bytes: 190,
            encodings: Vec::new(),
            source: None,
            modified: None,
            added,
            version: 1,
            body_sha256: [*route as u8; 32],
            copy: None,
        },
        share: if *route == FixedRoute::NotFound { 6 } else { 0 },
        hits: RouteHits::default(),
        rendered: None,
    };
    FixedRoute::ALL.iter().map(fixed).collect()
}

/// What text of that size could be compressed to.
pub(super) fn encodings(content_type: &str, body_bytes: u32) -> Vec<EncodingInfo> {
    if !content_type.starts_with("text/") || body_bytes < 1000 {
        return Vec::new();
    }
    [(Encoding::Brotli, 20), (Encoding::Zstd, 22), (Encoding::Gzip, 25)]
        .map(|(encoding, percent)| EncodingInfo {
            encoding,
            body_bytes: body_bytes / 100 * percent,
        })
        .to_vec()
}

/// A route that serves what somebody publishes.
pub(super) fn described(
    index: u32,
    path: RoutePath,
    rendered: &Rendered,
    added: SystemTime,
    version: u32,
) -> RouteInfo {
    RouteInfo {
        index,
        name: RouteName::Path(path),
        status: rendered.status,
        content_type: rendered.content_type.clone(),
        body_bytes: rendered.body_bytes(),
        response_bytes: rendered.forms[WHOLE].bytes,
        encodings: rendered
            .variants
            .iter()
            .map(|one| EncodingInfo { encoding: one.encoding, body_bytes: one.body_bytes() })
            .collect(),
        source: rendered.source.clone(),
        modified: rendered.modified,
        added,
        version,
        body_sha256: rendered.body_sha256,
        copy: rendered.copy,
    }
}
