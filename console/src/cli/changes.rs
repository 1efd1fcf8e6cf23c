//! `add`, `replace`, `remove` and `stop`.

use std::sync::Arc;

use serde_json::json;

use super::{
    Failure,
    arguments::{FileArguments, InterfaceArguments, PathArguments},
    output,
};
use crate::{
    content::Rendered,
    kernel::Live,
    server::{Change, Server},
};

/// Puts a file behind a path that has nothing yet.
pub(super) fn add(arguments: &FileArguments) -> Result<(), Failure> {
    put(arguments, "added", Change::Add)
}

/// Puts another file behind a path.
pub(super) fn replace(arguments: &FileArguments) -> Result<(), Failure> {
    put(arguments, "replaced", Change::Replace)
}

fn put(
    arguments: &FileArguments,
    done: &'static str,
    change: fn(crate::content::RoutePath, Arc<Rendered>) -> Change,
) -> Result<(), Failure> {
    let FileArguments { interface, path, file, output } = arguments;
    let rendered = Arc::new(Rendered::file(file)?);
    let mut live = Live::open(interface)?;
    live.apply(change(path.clone(), Arc::clone(&rendered)))?;
    let body_bytes = rendered.body_bytes();
    if output.json {
        return Ok(output::json(&json!({
            "interface": interface,
            "path": path.as_str(),
            "done": done,
            "content_type": rendered.content_type,
            "body_bytes": body_bytes,
        }))?);
    }
    let bytes = output::bytes(body_bytes.into());
    Ok(output::text(&format!("{done} {path}: {bytes}, {}\n", rendered.content_type))?)
}

/// Serves nothing behind a path any more.
pub(super) fn remove(arguments: &PathArguments) -> Result<(), Failure> {
    let PathArguments { interface, path, output } = arguments;
    Live::open(interface)?.apply(Change::Remove(path.clone()))?;
    if output.json {
        let document = json!({ "interface": interface, "path": path.as_str(), "done": "removed" });
        return Ok(output::json(&document)?);
    }
    Ok(output::text(&format!("removed {path}\n"))?)
}

/// Takes the server off an interface.
pub(super) fn stop(arguments: &InterfaceArguments) -> Result<(), Failure> {
    let InterfaceArguments { interface, output } = arguments;
    Live::stop(interface)?;
    if output.json {
        return Ok(output::json(&json!({ "interface": interface, "done": "stopped" }))?);
    }
    Ok(output::text(&stopped(interface))?)
}

/// What a person wants to know after a server was stopped.
pub(super) fn stopped(interface: &str) -> String {
    format!("stopped serving on {interface}; the kernel answers there again\n")
}
