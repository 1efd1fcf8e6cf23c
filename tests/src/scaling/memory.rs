//! Bytes that a flow takes, and a byte that is served, as the kernel accounts for its maps.

use std::{
    fs,
    os::fd::{AsFd as _, AsRawFd as _},
};

use anyhow::{Context, Result};
use aya::maps::{Array, Map, MapData, MapInfo};
use zeroserve_shared::{
    flow::{Flow, Peer},
    map::{FLOWS, LARGE, MEDIUM, PIN_ROOT, SMALL, TAGS},
};
use zeroserve_tui::{content::Rendered, kernel::AttachOptions};

use crate::lab::{Lab, noise};

/// Bytes of one flow.
#[derive(Clone, Copy, Debug)]
pub struct OfFlow {
    /// What the programs keep of it.
    pub value: usize,
    /// By what they find it.
    pub key: usize,
    /// All that the kernel takes, for each flow that there is room for.
    pub kernel: f64,
}

/// Measures what a flow takes.
///
/// # Errors
///
/// Where the map cannot be looked at.
pub fn of_flow() -> Result<OfFlow> {
    let lab = Lab::new()?;
    let mut bytes = 0;
    for name in [FLOWS, TAGS] {
        let map = MapInfo::from_pin(format!("{PIN_ROOT}/{}/{name}", lab.interface()))?;
        bytes += bytes_of(&map)?;
    }
    let kernel = bytes as f64 / f64::from(AttachOptions::DEFAULT_FLOWS);
    Ok(OfFlow { value: size_of::<Flow>(), key: size_of::<Peer>(), kernel })
}

/// Bytes of the kernel for each byte that is served, of bodies of one length.
///
/// # Errors
///
/// Where the maps cannot be looked at.
pub fn of_served_byte(body_bytes: usize, bodies: u32) -> Result<f64> {
    let mut lab = Lab::new()?;
    // What is answered where nothing is found.
    let before = of_responses(lab.interface())?;
    // Noise has no variants: those are versions of their own and have bytes of their own.
    let rendered = Rendered::ok("application/octet-stream".into(), &noise(1, body_bytes), None);
    let files = (0..bodies).map(|index| Ok((format!("/{index}").parse()?, Ok(rendered.clone()))));
    let files = files.collect::<Result<Vec<_>>>()?;
    lab.live.publish(files, |_| {})?;
    let bytes = of_responses(lab.interface())? - before;
    Ok(bytes as f64 / (body_bytes * bodies as usize) as f64)
}

/// Bytes of the kernel that the responses of a server take.
fn of_responses(interface: &str) -> Result<u64> {
    let mut bytes = 0;
    for name in [SMALL, MEDIUM, LARGE] {
        let data = MapData::from_pin(format!("{PIN_ROOT}/{interface}/{name}"))?;
        // To user space an element of such an array is the number of a map.
        let numbers = Array::<_, u32>::try_from(Map::Array(data))?;
        for slot in 0..numbers.len() {
            if let Ok(number) = numbers.get(&slot, 0) {
                bytes += bytes_of(&MapInfo::from_id(number)?)?;
            }
        }
    }
    Ok(bytes)
}

/// Bytes of the kernel that a map takes.
fn bytes_of(map: &MapInfo) -> Result<u64> {
    let descriptor = map.fd()?;
    let path = format!("/proc/self/fdinfo/{}", descriptor.as_fd().as_raw_fd());
    let text = fs::read_to_string(&path).with_context(|| path.clone())?;
    let line = text.lines().find_map(|line| line.strip_prefix("memlock:"));
    Ok(line.with_context(|| format!("no memlock in {path}"))?.trim().parse()?)
}
