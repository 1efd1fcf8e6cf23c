//! Attach or rejoin, and publish a folder.

use std::io::{self, IsTerminal};

use anyhow::anyhow;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use zeroserve_shared::{bypass::Bypass, config::OnMiss, route::FixedRoute};

use super::{
    Failure, arguments::ServeArguments, limits::LimitArguments, output, running, warnings::Warnings,
};
use crate::{
    content::{Config, Rendered, Site},
    kernel::{Live, MissChoice, OpenError, Published},
    server::{Identity, Server},
};

/// Files that were left out, named on a terminal before the rest is only counted.
const NAMED: usize = 20;

/// Attaches if need be, publishes, and leaves the server running.
pub(super) fn run(arguments: &ServeArguments) -> Result<(), Failure> {
    let json = arguments.output.json;
    let site = look_through(&arguments.site.config()?.unwrap_or_default())?;
    let (mut live, attached) = attach_or_open(&arguments.interface, &arguments.limits)?;
    let published = publish(&mut live, &site, json)?;
    let routes = live.routes()?;
    let warnings = Warnings::of(&mut live, &routes);
    if json {
        let mut document = document(&live, attached, &site.0, &published);
        document["issues"] = warnings.document();
        return Ok(output::json(&document)?);
    }
    output::text(&summary(live.identity(), &published))?;
    warnings.note();
    Ok(())
}

/// What is to be served, beside the answer to what is not there. Looked through before anything is
/// attached for what cannot be served.
pub(super) fn look_through(config: &Config) -> Result<(Site, Rendered, Bypass), Failure> {
    let site = Site::of(config)?;
    let not_found = match &site.not_found {
        Some(file) => Rendered::not_found(file)?,
        None => Rendered::fixed(FixedRoute::NotFound),
    };
    Ok((site, not_found, config.bypass.names))
}

/// Opens the server of an interface, and attaches it before if there is none. Says whether it did.
pub(super) fn attach_or_open(
    interface: &str,
    limits: &LimitArguments,
) -> Result<(Live, bool), Failure> {
    match running::open(interface) {
        Ok(live) => {
            check_limits(limits, live.identity())?;
            Ok((live, false))
        }
        Err(OpenError::NotAttached { .. }) => Ok((Live::attach(&limits.options(interface))?, true)),
        Err(error) => Err(error.into()),
    }
}

/// Refuses what a running server cannot change any more.
fn check_limits(limits: &LimitArguments, identity: &Identity) -> Result<(), Failure> {
    let given_and_kept = [
        ("--port", limits.port.map(u32::from), u32::from(identity.port)),
        ("--max-routes", limits.max_routes, identity.route_capacity),
        ("--max-flows", limits.max_flows, identity.flow_capacity),
    ];
    let anew = |option: &str, kept: &str| {
        let interface = &identity.interface;
        Failure::refused(
            "attached-differently",
            anyhow!(
                "{interface} is being served with {option} {kept}, which only attaching anew can \
                 change; leave {option} away, or run `zeroserve-tui stop {interface}` first"
            ),
        )
    };
    if matches!(limits.on_miss, Some(MissChoice::Always(given)) if given != identity.on_miss) {
        return Err(anew("--on-miss", identity.on_miss.name()));
    }
    for (option, given, kept) in given_and_kept {
        if given.is_some_and(|given| given != kept) {
            return Err(anew(option, &kept.to_string()));
        }
    }
    Ok(())
}

/// Publishes a site, with a progress bar where somebody watches.
pub(super) fn publish(
    live: &mut Live,
    (site, not_found, bypass): &(Site, Rendered, Bypass),
    json: bool,
) -> Result<Published, Failure> {
    live.set_bypass(*bypass)?;
    live.answer(FixedRoute::NotFound, not_found)?;
    let files = site.render();
    let watched = !json && io::stderr().is_terminal();
    let target = if watched { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(files.len() as u64), target);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}") {
        bar.set_style(style);
    }
    if !watched && !json {
        output::note(&format!("publishing {} paths", files.len()));
    }
    let published = live.publish(files, |path| {
        bar.set_message(path.to_string());
        bar.inc(1);
    });
    bar.finish_and_clear();
    let published = published?;
    if !json {
        report_left_out(site, &published);
    }
    Ok(published)
}

fn report_left_out(site: &Site, published: &Published) {
    let failed = published.failed.iter().map(|(_, error)| error.to_string());
    let mut left_out: Vec<String> = site.skipped.iter().cloned().chain(failed).collect();
    // An index is served at two paths, and fails at both for the same reason.
    left_out.dedup();
    for reason in left_out.iter().take(NAMED) {
        output::note(&format!("not served: {reason}"));
    }
    if left_out.len() > NAMED {
        output::note(&format!("not served: {} more", left_out.len() - NAMED));
    }
}

fn summary(identity: &Identity, published: &Published) -> String {
    let Identity { interface, port, addresses, .. } = identity;
    let Published { added, replaced, unchanged, response_bytes, .. } = published;
    let bytes = output::bytes(*response_bytes);
    let mut text = format!(
        "published {} paths, {bytes}: {added} new, {replaced} replaced, {unchanged} unchanged\n",
        added + replaced + unchanged
    );
    text += &format!("serving on {interface}, port {port}, at {}\n", addresses.join(", "));
    if identity.on_miss == OnMiss::HandOff {
        text += "everything else goes to whoever listens there, on the same connections\n";
    }
    text += &format!(
        "watch it with `zeroserve-tui {interface}`, end it with `zeroserve-tui stop {interface}`\n"
    );
    text
}

fn document(live: &Live, attached: bool, site: &Site, published: &Published) -> Value {
    let identity = live.identity();
    let failed: Vec<Value> = published
        .failed
        .iter()
        .map(|(path, error)| json!({ "path": path.as_str(), "reason": error.to_string() }))
        .collect();
    json!({
        "interface": identity.interface,
        "port": identity.port,
        "addresses": identity.addresses,
        "on_miss": identity.on_miss.name(),
        "attached_now": attached,
        "added": published.added,
        "replaced": published.replaced,
        "unchanged": published.unchanged,
        "response_bytes": published.response_bytes,
        "skipped": site.skipped,
        "failed": failed,
    })
}
