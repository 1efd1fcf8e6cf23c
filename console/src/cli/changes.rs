//! `add`, `replace`, `redirect`, `respond`, `remove` and `stop`.

use std::{sync::Arc, time::Duration};

use serde_json::json;

use super::{
    Failure,
    arguments::{
        FileArguments, OutputArguments, PathArguments, RedirectArguments, RespondArguments,
        StopArguments,
    },
    output, running,
};
use crate::{
    content::{Redirect, Rendered, Reply, RoutePath},
    kernel::Live,
    record::history,
    server::{Change, ChangeError},
};

/// What to do about a path that has something, or nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// It must have nothing yet.
    Refuse,
    /// It must have something.
    Require,
    /// Either will do.
    Replace,
}

/// Puts a file behind a path that has nothing yet.
pub(super) fn add(arguments: &FileArguments) -> Result<(), Failure> {
    file(arguments, Taken::Refuse)
}

/// Puts another file behind a path.
pub(super) fn replace(arguments: &FileArguments) -> Result<(), Failure> {
    file(arguments, Taken::Require)
}

fn file(arguments: &FileArguments, taken: Taken) -> Result<(), Failure> {
    let FileArguments { interface, route, file, response, output } = arguments;
    let rendered = Rendered::file(file, &response.config()?.options_for(&route.path))?;
    put(interface, &route.path, rendered, taken, None, output)
}

/// Sends clients that ask for a path elsewhere.
pub(super) fn redirect(arguments: &RedirectArguments) -> Result<(), Failure> {
    let RedirectArguments { interface, route, to, status, replace, response, output } = arguments;
    let redirect = Redirect::new(to, *status)?;
    redirect.check_from(&route.path)?;
    let rendered = Rendered::redirect(&redirect, &response.config()?.options_for(&route.path))?;
    let taken = if *replace { Taken::Replace } else { Taken::Refuse };
    put(interface, &route.path, rendered, taken, Some(redirect.location()), output)
}

/// Answers a path with a few words.
pub(super) fn respond(arguments: &RespondArguments) -> Result<(), Failure> {
    let RespondArguments {
        interface,
        route,
        body,
        status,
        content_type,
        replace,
        response,
        output,
    } = arguments;
    let reply = Reply::new(*status, content_type, body.clone().into_bytes())?;
    let rendered = Rendered::reply(&reply, &response.config()?.options_for(&route.path))?;
    let taken = if *replace { Taken::Replace } else { Taken::Refuse };
    put(interface, &route.path, rendered, taken, None, output)
}

fn put(
    interface: &str,
    path: &RoutePath,
    rendered: Rendered,
    taken: Taken,
    location: Option<&str>,
    output: &OutputArguments,
) -> Result<(), Failure> {
    let rendered = Arc::new(rendered);
    let mut live = running::open(interface)?;
    let change = |taken| match taken {
        Taken::Require => Change::Replace(path.clone(), Arc::clone(&rendered)),
        _ => Change::Add(path.clone(), Arc::clone(&rendered)),
    };
    let done = match (history::apply(&mut live, change(taken)), taken) {
        (Err(ChangeError::PathTaken { .. }), Taken::Replace) => {
            history::apply(&mut live, change(Taken::Require))?;
            "replaced"
        }
        (outcome, taken) => {
            outcome?;
            if taken == Taken::Require { "replaced" } else { "added" }
        }
    };
    let body_bytes = rendered.body_bytes();
    let variants = rendered.variants.iter();
    let encodings: Vec<_> =
        variants.map(|variant| (variant.encoding.name(), variant.body_bytes())).collect();
    if output.json {
        return Ok(output::json(&json!({
            "interface": interface,
            "path": path.as_str(),
            "done": done,
            "status": rendered.status,
            "location": location,
            "content_type": rendered.content_type,
            "body_bytes": body_bytes,
            "encodings": output::encodings(encodings.into_iter()),
        }))?);
    }
    let text = match location {
        Some(location) => format!("{} to {location}", rendered.status),
        None => {
            let mut text =
                format!("{}, {}", output::bytes(body_bytes.into()), rendered.content_type);
            for (encoding, bytes) in encodings {
                text += &format!(", {} in {encoding}", output::bytes(bytes.into()));
            }
            text
        }
    };
    Ok(output::text(&format!("{done} {path}: {text}\n"))?)
}

/// Serves nothing behind a path any more.
pub(super) fn remove(arguments: &PathArguments) -> Result<(), Failure> {
    let PathArguments { interface, route, output } = arguments;
    let path = &route.path;
    history::apply(&mut running::open(interface)?, Change::Remove(path.clone()))?;
    if output.json {
        let document = json!({ "interface": interface, "path": path.as_str(), "done": "removed" });
        return Ok(output::json(&document)?);
    }
    Ok(output::text(&format!("removed {path}\n"))?)
}

/// Takes the server off an interface.
pub(super) fn stop(arguments: &StopArguments) -> Result<(), Failure> {
    let StopArguments { interface, drain, output } = arguments;
    let open = Live::stop_within(interface, Duration::from_secs((*drain).into()))?;
    if output.json {
        let mut document = json!({ "interface": interface, "done": "stopped" });
        if *drain > 0 {
            document["cut_off"] = open.into();
        }
        return Ok(output::json(&document)?);
    }
    Ok(output::text(&stopped(interface, open))?)
}

/// What a person wants to know after a server was stopped, with so many connections still open.
pub(super) fn stopped(interface: &str, open: usize) -> String {
    let rest = match open {
        0 => String::new(),
        1 => ", one connection was cut off".into(),
        many => format!(", {many} connections were cut off"),
    };
    format!("stopped serving on {interface}{rest}; the kernel answers there again\n")
}
