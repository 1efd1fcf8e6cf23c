//! Variants in the maps: named by the version that a route serves, in use as long as it is, and
//! freed when nobody needs them.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use aya::maps::{Array, Map, MapData};
use nix::time::{ClockId, clock_gettime};
use zerocopy::FromBytes;
use zeroserve_shared::{
    config::{Config, HOSTS},
    flow::Flow,
    map::{CONFIG, PIN_ROOT, ROUTES, VERSIONS},
    route::{Encoding, FIRST_ROUTE, NOT_MODIFIED, PARTIAL, Route, VersionId, VersionInfo},
};
use zeroserve_tests::Lab;
use zeroserve_tui::{
    content::Rendered,
    kernel::Live,
    server::{Change, Server},
};

fn element<T: FromBytes, const BYTES: usize>(lab: &Lab, map: &str, index: u32) -> Result<T> {
    let pin = Path::new(PIN_ROOT).join(lab.interface()).join(map);
    let map = Map::from_map_data(MapData::from_pin(pin)?)?;
    let bytes = Array::<_, [u8; BYTES]>::try_from(map)?.get(&index, 0)?;
    T::read_from_bytes(&bytes).ok().context("an element of another size")
}

/// The version that the first route serves.
fn served(lab: &Lab) -> Result<VersionId> {
    Ok(element::<Route, { size_of::<Route>() }>(lab, ROUTES, FIRST_ROUTE)?.version)
}

fn info(lab: &Lab, id: VersionId) -> Result<VersionInfo> {
    element::<VersionInfo, { size_of::<VersionInfo>() }>(lab, VERSIONS, id.slot())
}

fn text(word: &str) -> Arc<Rendered> {
    Arc::new(Rendered::ok("text/plain".into(), word.repeat(1000).as_bytes(), None))
}

/// The version that the first route serves, and its variants.
fn all(lab: &Lab) -> Result<Vec<VersionId>> {
    let id = served(lab)?;
    let variants = info(lab, id)?.variants;
    Ok(variants.iter().map(|variant| variant.version).chain([id]).collect())
}

/// Which of them are still there; another version may have their slot.
fn stored(lab: &Lab, ids: &[VersionId]) -> Result<Vec<bool>> {
    let is_stored = |id: &VersionId| {
        let info = info(lab, *id)?;
        Ok(info.generation == id.generation() && info.stored_bytes() > 0)
    };
    ids.iter().map(is_stored).collect()
}

#[test]
fn a_version_names_its_variants_the_smallest_first() -> Result<()> {
    let mut lab = Lab::new()?;
    let rendered = text("word ");
    lab.live.apply(Change::Add("/a".parse()?, Arc::clone(&rendered)))?;
    let version = info(&lab, served(&lab)?)?;
    assert_eq!(version.forms, rendered.forms);
    assert_eq!(rendered.variants.len(), 3);
    let mut largest = 0;
    for (named, variant) in version.variants.iter().zip(&rendered.variants) {
        let info = info(&lab, named.version)?;
        assert_eq!(info.generation, named.version.generation());
        assert_eq!((info.route, info.forms), (FIRST_ROUTE, variant.forms));
        assert_eq!(named.encoding, variant.encoding as u32);
        assert_ne!(variant.encoding, Encoding::Identity);
        assert_ne!(info.etag, version.etag);
        assert!(info.forms[NOT_MODIFIED].bytes > 0 && info.forms[PARTIAL].bytes > 0);
        assert!(info.variants.iter().all(|variant| variant.version.is_none()));
        assert!(largest <= info.body_bytes() && info.body_bytes() < version.body_bytes());
        largest = info.body_bytes();
    }
    let encodings = lab.route("/a")?.encodings;
    assert_eq!(encodings.last().map(|one| one.body_bytes), Some(largest));
    Ok(())
}

#[test]
fn variants_are_freed_with_their_version_and_not_before() -> Result<()> {
    let mut lab = Lab::new()?;
    lab.live.apply(Change::Add("/a".parse()?, text("first ")))?;
    let first = all(&lab)?;
    // Whoever opens the server anew knows what is in use from the maps alone.
    Live::open(lab.interface())?.apply(Change::Add("/b".parse()?, text("b ")))?;
    assert_eq!(stored(&lab, &first)?, [true; 4]);

    lab.live.apply(Change::Replace("/a".parse()?, text("second ")))?;
    assert_eq!(stored(&lab, &first)?, [false; 4]);
    let second = all(&lab)?;
    lab.remove("/a")?;
    assert_eq!(stored(&lab, &second)?, [false; 4]);
    // Two hundred replacements of four versions each would need more slots than are left over.
    lab.live.apply(Change::Add("/a".parse()?, text("0 ")))?;
    for round in 0..200 {
        lab.live.apply(Change::Replace("/a".parse()?, text(&format!("{round} "))))?;
    }
    assert_eq!(stored(&lab, &all(&lab)?)?, [true; 4]);
    Ok(())
}

#[test]
fn a_variant_that_a_flow_names_stays_and_the_others_go() -> Result<()> {
    let mut lab = Lab::new()?;
    lab.live.apply(Change::Add("/a".parse()?, text("first ")))?;
    let first = all(&lab)?;
    let mut flows = lab.flows()?;
    let now: Duration = clock_gettime(ClockId::CLOCK_MONOTONIC)?.into();
    let flow = Flow { version: first[1], touched_ms: now.as_millis() as u32, ..Flow::default() };
    let (place, entry) = flows.insert(flow);

    lab.live.apply(Change::Replace("/a".parse()?, text("second ")))?;
    assert_eq!(stored(&lab, &first)?, [false, true, false, false]);
    flows.remove(place, &entry);
    lab.live.apply(Change::Replace("/a".parse()?, text("third ")))?;
    assert_eq!(stored(&lab, &first)?, [false; 4]);
    Ok(())
}

#[test]
fn hosts_are_looked_at_once_some_route_is_of_one_host_only() -> Result<()> {
    let mut lab = Lab::new()?;
    let flags = |lab: &Lab| -> Result<u32> {
        Ok(element::<Config, { size_of::<Config>() }>(lab, CONFIG, 0)?.flags)
    };
    lab.publish("/a", b"everybody's")?;
    assert_eq!(flags(&lab)? & HOSTS, 0);
    lab.publish("//a.example/a", b"a's")?;
    assert_eq!(flags(&lab)? & HOSTS, HOSTS);
    // The clock is looked at with every sample; that must not undo it.
    lab.live.sample()?;
    lab.publish("//b.example/a", b"b's")?;
    assert_eq!(flags(&lab)? & HOSTS, HOSTS);
    assert_eq!(lab.route("//b.example/a")?.body_bytes, 3);
    Ok(())
}
