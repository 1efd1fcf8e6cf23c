//! `promote` and `demote`.

use std::{sync::mpsc, thread, time::Duration};

use anyhow::Context;
use serde_json::{Value, json};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

use super::{Failure, arguments::PathArguments, instruments::PromoteArguments, output, running};
use crate::{
    content::RoutePath,
    kernel::Live,
    promote::{
        Event, Examined, Miss, PromoteError, Refreshed, Rules, Watcher, Wish, examine, find_copy,
        shown,
    },
    record::history,
    server::{Change, RouteName, Server},
};

/// Serves a copy of what the server behind answers, and goes on refreshing copies if asked to.
pub(super) fn promote(arguments: &PromoteArguments) -> Result<(), Failure> {
    let PromoteArguments { interface, path, ttl, watch, rules, output } = arguments;
    let rules = rules.as_deref().map(Rules::read).transpose()?;
    let mut live = running::open(interface)?;
    if let Some(path) = path {
        let wish = Wish::new(path, *ttl, &live.misses()?, live.identity())?;
        let (examined, done) = put(&mut live, &wish)?;
        if output.json {
            // One document a line, where more may follow.
            let document = described(interface, &wish.path, done, &examined);
            let text = if *watch { document.to_string() } else { format!("{document:#}") };
            output::text(&format!("{text}\n"))?;
        } else {
            output::text(&format!("{done} {}: {}\n", wish.path, examined.summary()))?;
        }
    } else if !watch {
        return list(interface, &live.misses()?, output.json);
    }
    if *watch { keep_fresh(interface, &mut live, rules, output.json) } else { Ok(()) }
}

/// Puts a copy in place, of which there may be an older one.
fn put(live: &mut Live, wish: &Wish) -> Result<(Examined, &'static str), Failure> {
    let routes = live.routes()?;
    let is_it = |name: &RouteName| matches!(name, RouteName::Path(path) if *path == wish.path);
    let known = routes.iter().find(|route| is_it(&route.name));
    if known.is_some_and(|route| route.copy.is_none()) {
        return Err(PromoteError::Taken(wish.path.clone()).into());
    }
    let examined = examine(live.origin()?.as_ref(), wish)?;
    let rendered = examined.rendered.clone();
    if known.is_some() {
        history::apply(live, Change::Replace(wish.path.clone(), rendered))?;
        return Ok((examined, "refreshed"));
    }
    history::apply(live, Change::Add(wish.path.clone(), rendered))?;
    Ok((examined, "promoted"))
}

/// Gives a promoted path back.
pub(super) fn demote(arguments: &PathArguments) -> Result<(), Failure> {
    let PathArguments { interface, route, output } = arguments;
    let mut live = running::open(interface)?;
    let path = find_copy(&route.path, &live.routes()?)?;
    history::apply(&mut live, Change::Remove(path.clone()))?;
    if output.json {
        let document = json!({ "interface": interface, "path": path.as_str(), "done": "demoted" });
        return Ok(output::json(&document)?);
    }
    Ok(output::text(&format!("demoted {path}: it is the server's again\n"))?)
}

/// Prints what is asked for and not served here.
fn list(interface: &str, misses: &[Miss], json: bool) -> Result<(), Failure> {
    if json {
        let misses: Vec<Value> = misses
            .iter()
            .map(|miss| {
                json!({
                    "path": miss.path.as_str(),
                    "requests": miss.requests,
                    "particular_requests": miss.particular,
                })
            })
            .collect();
        return Ok(output::json(&json!({ "interface": interface, "misses": misses }))?);
    }
    if misses.is_empty() {
        return Ok(output::text("nothing was asked for that is not served here\n")?);
    }
    let mut text = String::from("    requests  particular  path\n");
    for Miss { path, requests, particular, .. } in misses {
        let (requests, particular) = (output::count(*requests), output::count(*particular));
        text += &format!("{requests:>12} {particular:>11}  {path}\n");
    }
    Ok(output::text(&text)?)
}

/// Refreshes copies, and promotes what rules name, until somebody ends it.
fn keep_fresh(
    interface: &str,
    live: &mut Live,
    rules: Option<Rules>,
    json: bool,
) -> Result<(), Failure> {
    let (ended, end) = mpsc::channel();
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot listen for signals")?;
    thread::spawn(move || {
        signals.forever().next();
        // Nobody listens any more if this has ended for another reason.
        let _ = ended.send(());
    });
    let mut watcher = Watcher::new(rules);
    loop {
        let (events, rest) = watcher.round(live)?;
        for event in &events {
            report(interface, event, json)?;
        }
        if wait(&end, rest) {
            return Ok(());
        }
    }
}

/// Whether somebody ended it meanwhile.
fn wait(end: &mpsc::Receiver<()>, rest: Duration) -> bool {
    !matches!(end.recv_timeout(rest), Err(mpsc::RecvTimeoutError::Timeout))
}

fn report(interface: &str, event: &Event, json: bool) -> anyhow::Result<()> {
    let (path, done, examined) = match event {
        Event::Refreshed(path, Refreshed::Same(examined)) => (path, "refreshed", examined),
        Event::Refreshed(path, Refreshed::Changed(examined)) => (path, "replaced", examined),
        Event::Promoted(path, examined) => (path, "promoted", examined),
        Event::Demoted(path, other) if json => {
            let document = json!({ "interface": interface, "path": path.as_str(), "done": "demoted", "for": other.as_str() });
            return output::text(&format!("{document}\n"));
        }
        Event::Demoted(path, other) => {
            return output::text(&format!("demoted {path}: {other} is asked for more often\n"));
        }
        Event::Failed(path, why) if json => {
            let document = json!({ "interface": interface, "path": path.as_str(), "done": "failed", "why": why });
            return output::text(&format!("{document}\n"));
        }
        Event::Failed(_, why) => {
            output::note(why);
            return Ok(());
        }
    };
    if json {
        return output::text(&format!("{}\n", described(interface, path, done, examined)));
    }
    let lifetime = shown(examined.copied.lifetime);
    output::text(&match done {
        "refreshed" => format!("refreshed {path}: unchanged, to be served for {lifetime}\n"),
        done => format!("{done} {path}: {}\n", examined.summary()),
    })
}

fn described(interface: &str, path: &RoutePath, done: &str, examined: &Examined) -> Value {
    let rendered = &examined.rendered;
    let variants = rendered.variants.iter();
    let encodings = variants.map(|variant| (variant.encoding.name(), variant.body_bytes()));
    json!({
        "interface": interface,
        "path": path.as_str(),
        "done": done,
        "status": rendered.status,
        "content_type": rendered.content_type,
        "body_bytes": rendered.body_bytes(),
        "encodings": output::encodings(encodings),
        "lifetime_s": examined.copied.lifetime.as_secs_f64(),
        "etag": rendered.etag,
    })
}
