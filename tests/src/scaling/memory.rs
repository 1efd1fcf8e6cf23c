//! Bytes that a flow takes, and a byte that is served, as the kernel accounts for its maps.

use std::{
    fs,
    os::fd::{AsFd as _, AsRawFd as _},
};

use anyhow::{Context, Result};
use aya::maps::{MapInfo, loaded_maps};
use zeroserve_shared::{
    flow::{Flow, FlowKey},
    map::{FLOWS, PIN_ROOT},
};
use zeroserve_tui::{content::Rendered, kernel::AttachOptions};

use crate::lab::{Lab, noise};

/// The name that the console gives the maps of responses.
const RESPONSE: &str = "response";

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
    let map = MapInfo::from_pin(format!("{PIN_ROOT}/{}/{FLOWS}", lab.interface()))?;
    let room = f64::from(AttachOptions::DEFAULT_FLOWS);
    let kernel = bytes_of(&map)? as f64 / room;
    Ok(OfFlow { value: size_of::<Flow>(), key: size_of::<FlowKey>(), kernel })
}

/// Bytes of the kernel for each byte that is served, of bodies of one length.
///
/// # Errors
///
/// Where the maps cannot be looked at.
pub fn of_served_byte(body_bytes: usize, bodies: u32) -> Result<f64> {
    let mut lab = Lab::new()?;
    let last = loaded_maps().filter_map(|map| Some(map.ok()?.id())).max().unwrap_or(0);
    // Noise has no variants: those are versions of their own and have bytes of their own.
    let rendered = Rendered::ok("application/octet-stream".into(), &noise(1, body_bytes), None);
    let files = (0..bodies).map(|index| Ok((format!("/{index}").parse()?, Ok(rendered.clone()))));
    let files = files.collect::<Result<Vec<_>>>()?;
    lab.live.publish(files, |_| {})?;
    let mut bytes = 0;
    for map in loaded_maps() {
        // Others on this machine come and go.
        let Ok(map) = map else { continue };
        if map.id() > last && map.name_as_str() == Some(RESPONSE) {
            bytes += bytes_of(&map)?;
        }
    }
    Ok(bytes as f64 / (body_bytes * bodies as usize) as f64)
}

/// Bytes of the kernel that a map takes.
fn bytes_of(map: &MapInfo) -> Result<u64> {
    let descriptor = map.fd()?;
    let path = format!("/proc/self/fdinfo/{}", descriptor.as_fd().as_raw_fd());
    let text = fs::read_to_string(&path).with_context(|| path.clone())?;
    let line = text.lines().find_map(|line| line.strip_prefix("memlock:"));
    Ok(line.with_context(|| format!("no memlock in {path}"))?.trim().parse()?)
}
