//! Making changes, all of them or none, and finding out how to take them back.

use std::sync::Arc;

use zeroserve_shared::route::{FORMS, Form, WHOLE};

use super::{
    format,
    message::{Commit, Committed, Planned},
    model::written_down,
};
use crate::{
    content::{Field, Rendered, ResponseOptions, RoutePath},
    server::{Change, RouteInfo, RouteName, Server},
};

/// Makes changes. If one is refused, those before it are taken back.
pub(crate) fn carry_out(server: &mut dyn Server, commit: Commit) -> Committed {
    let mut committed = Committed { commit, undo: Vec::new(), failed: None, remains: Vec::new() };
    let changes = committed.commit.changes.clone();
    for (at, planned) in changes.iter().enumerate() {
        let undo = undo_of(server, planned);
        match server.apply(in_full(planned)) {
            Ok(()) => match undo {
                Ok(undo) => committed.undo.insert(0, undo),
                Err(why) => committed.remains.push(format!("{}: {why}", planned.path())),
            },
            Err(error) => {
                // The chain of causes matters: the kernel's refusal is the last of them.
                let why = format!("{:#}", anyhow::Error::new(error));
                committed.failed = Some((at, why));
                for undo in std::mem::take(&mut committed.undo) {
                    if let Err(error) = server.apply(in_full(&undo)) {
                        let why = format!("{:#}", anyhow::Error::new(error));
                        committed.remains.push(format!("{}: {why}", undo.path()));
                    }
                }
                break;
            }
        }
    }
    committed
}

/// What takes a change back, found out before it is made.
fn undo_of(server: &mut dyn Server, planned: &Planned) -> Result<Planned, String> {
    let path = planned.path().clone();
    let interface = server.identity().interface.clone();
    let words = |source: Option<String>| {
        let path = format::shell_word(&format::typed_path(path.as_str()));
        [Some(path), source].into_iter().flatten().collect::<Vec<_>>()
    };
    if let Change::Add(..) = planned.change {
        let command = format::command(&interface, "remove", &words(None));
        return Ok(Planned::new(Change::Remove(path.clone()), None, command));
    }
    let info = describe(server, &path)?;
    if info.copy.is_some() {
        return undo_of_copy(server, planned);
    }
    let response =
        server.response(&RouteName::Path(path.clone())).map_err(|error| format!("{error:#}"))?;
    let (rendered, in_full) = restored(&info, &response)?;
    let rendered = Arc::new(rendered);
    let is_served = !matches!(planned.change, Change::Remove(_));
    let (verb, words) = match written_down(&path, &rendered) {
        Some((kind, answer)) => {
            (kind.verb(), answer.with(is_served.then(|| "--replace".into()).into_iter().collect()))
        }
        None => {
            let source = info.source.as_deref().map_or_else(|| "FILE".into(), format::shell_path);
            (if is_served { "replace" } else { "add" }, words(Some(source)))
        }
    };
    let change = if is_served {
        Change::Replace(path.clone(), rendered)
    } else {
        Change::Add(path.clone(), rendered)
    };
    let command = format::command(&interface, verb, &words);
    Ok(Planned { in_full, ..Planned::new(change, None, command) })
}

/// What brings a copy back that a change replaces or removes. Its lifetime stays what it was.
fn undo_of_copy(server: &mut dyn Server, planned: &Planned) -> Result<Planned, String> {
    let path = planned.path().clone();
    let served = server.rendered(&RouteName::Path(path.clone()));
    let served = Arc::new(served.map_err(|error| format!("{error:#}"))?);
    let word = format::shell_word(&format::typed_path(path.as_str()));
    let command = format::command(&server.identity().interface, "promote", &[word]);
    let change = match planned.change {
        Change::Remove(_) => Change::Add(path, served),
        _ => Change::Replace(path, served),
    };
    Ok(Planned::new(change, None, command))
}

/// The change as it goes live.
fn in_full(planned: &Planned) -> Change {
    match (&planned.change, &planned.in_full) {
        (Change::Add(path, rendered), Some(options)) => {
            Change::Add(path.clone(), Arc::new(again(rendered, options)))
        }
        (Change::Replace(path, rendered), Some(options)) => {
            Change::Replace(path.clone(), Arc::new(again(rendered, options)))
        }
        (change, _) => change.clone(),
    }
}

fn describe(server: &mut dyn Server, path: &RoutePath) -> Result<RouteInfo, String> {
    let routes = server.routes().map_err(|error| format!("{error:#}"))?;
    let mut routes = routes.iter();
    let info = routes.find(|info| matches!(&info.name, RouteName::Path(known) if known == path));
    info.cloned().ok_or_else(|| format!("nothing is served at {path}"))
}

/// The response that was read back, as it can be published again, with its compressed variants.
pub(crate) fn restored_in_full(info: &RouteInfo, response: &[u8]) -> Result<Rendered, String> {
    let (rendered, in_full) = restored(info, response)?;
    Ok(match in_full {
        Some(options) => again(&rendered, &options),
        None => rendered,
    })
}

fn again(rendered: &Rendered, options: &ResponseOptions) -> Rendered {
    let (source, modified) = (rendered.source.clone(), rendered.modified);
    Rendered::again(&rendered.content_type, rendered.body(), modified, source, options)
}

/// The response that was read back, as it can be published again, and how to make it in full.
fn restored(
    info: &RouteInfo,
    response: &[u8],
) -> Result<(Rendered, Option<ResponseOptions>), String> {
    let head_bytes = response.len().checked_sub(info.body_bytes as usize);
    let (head_part, body) = head_bytes
        .and_then(|head_bytes| response.split_at_checked(head_bytes))
        .ok_or("what is stored is shorter than its body")?;
    let mut options = ResponseOptions { compress: false, ..ResponseOptions::default() };
    // What the server sends by itself is refused as a field, and made anew.
    for field in head(head_part).iter().skip(1).filter_map(|line| line.parse::<Field>().ok()) {
        options.fields.add(field).map_err(|error| error.to_string())?;
    }
    let source = info.source.clone();
    let plain = Rendered::again(&info.content_type, body, info.modified, source, &options);
    if info.status == 200 {
        let in_full = ResponseOptions { compress: true, ..options };
        return Ok((plain, (!info.encodings.is_empty()).then_some(in_full)));
    }
    // Anything else keeps its head to the byte.
    let date = b"\r\nDate: ";
    let date_at = head_part.windows(date.len()).position(|bytes| bytes == date);
    let moving_offset = date_at.ok_or("the response has no Date")? + date.len();
    let mut forms = [Form::default(); FORMS];
    forms[WHOLE] =
        Form { start: 0, bytes: response.len() as u32, moving_offset: moving_offset as u32 };
    let raw = Rendered {
        bytes: response.to_vec(),
        head_bytes: head_part.len() as u32,
        forms,
        etag: None,
        last_modified: None,
        status: info.status,
        ..plain
    };
    Ok((raw, None))
}

/// The status line and headers of a response, as lines.
pub(crate) fn head(response: &[u8]) -> Vec<String> {
    let end = response.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let head = String::from_utf8_lossy(&response[..end.unwrap_or(0)]);
    head.split("\r\n")
        .map(|line| match line.split_once(": ") {
            // Filled in by the kernel; stored as zeros.
            Some(("Date", value)) if value.starts_with('\0') => {
                "Date: (when it is sent)".to_owned()
            }
            Some(("Age", value)) if value.starts_with('\0') => "Age: (when it is sent)".to_owned(),
            _ => line.to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{simulated::Simulated, tui::message::Intent};

    fn rendered(body: &str) -> Arc<Rendered> {
        Arc::new(Rendered::ok("text/plain".into(), body.as_bytes(), None))
    }

    fn path(path: &str) -> RoutePath {
        path.parse().unwrap()
    }

    fn commit(changes: Vec<Change>) -> Commit {
        let changes = changes.into_iter();
        let changes = changes.map(|change| Planned::new(change, None, String::new())).collect();
        Commit { changes, intent: Intent::Keep }
    }

    fn served(server: &mut Simulated) -> Vec<(String, u32, String)> {
        let routes = server.routes().unwrap();
        let mut all: Vec<_> = routes
            .iter()
            .filter_map(|info| match &info.name {
                RouteName::Path(path) => {
                    Some((path.as_str().to_owned(), info.body_bytes, info.content_type.clone()))
                }
                RouteName::Fixed(_) => None,
            })
            .collect();
        all.sort();
        all
    }

    #[test]
    fn what_undoes_a_commit_brings_back_what_was_there() {
        let mut server = Simulated::new(1);
        let before = served(&mut server);
        let changes = vec![
            Change::Add(path("/new"), rendered("new")),
            Change::Replace(path("/app.js"), rendered("short")),
            Change::Remove(path("/style.css")),
            Change::Replace(path("/new"), rendered("newer")),
        ];
        let done = carry_out(&mut server, commit(changes));
        assert_eq!((done.failed, done.remains.len(), done.undo.len()), (None, 0, 4));
        assert_ne!(served(&mut server), before);
        let back = done.undo.into_iter().map(|planned| planned.change).collect();
        assert_eq!(carry_out(&mut server, commit(back)).failed, None);
        assert_eq!(served(&mut server), before);
    }

    #[test]
    fn bytes_come_back_as_they_were() {
        let mut server = Simulated::new(1);
        carry_out(&mut server, commit(vec![Change::Add(path("/a"), rendered("the first"))]));
        let before = server.response(&RouteName::Path(path("/a"))).unwrap();
        let done =
            carry_out(&mut server, commit(vec![Change::Replace(path("/a"), rendered("second"))]));
        assert_ne!(server.response(&RouteName::Path(path("/a"))).unwrap(), before);
        server.apply(done.undo[0].change.clone()).unwrap();
        assert_eq!(server.response(&RouteName::Path(path("/a"))).unwrap(), before);
    }

    #[test]
    fn header_fields_and_compressed_variants_come_back_too() {
        let mut options = ResponseOptions::default();
        options.fields.add("Cache-Control: no-store".parse().unwrap()).unwrap();
        let body = "something that compresses well, ".repeat(100);
        let first = Rendered::again("text/plain", body.as_bytes(), None, None, &options);
        assert!(!first.variants.is_empty());
        let mut server = Simulated::new(1);
        let add = Change::Add(path("/a"), Arc::new(first.clone()));
        carry_out(&mut server, commit(vec![add]));
        let done =
            carry_out(&mut server, commit(vec![Change::Replace(path("/a"), rendered("second"))]));
        let commit = Commit { changes: done.undo, intent: Intent::Undo };
        assert_eq!(carry_out(&mut server, commit).failed, None);
        let back = server.response(&RouteName::Path(path("/a"))).unwrap();
        assert_eq!(back, first.bytes[..back.len()]);
        let info = describe(&mut server, &path("/a")).unwrap();
        assert_eq!(info.encodings.len(), first.variants.len());
    }

    #[test]
    fn one_refused_change_takes_the_others_back() {
        let mut server = Simulated::new(1);
        let before = served(&mut server);
        let done = carry_out(
            &mut server,
            commit(vec![
                Change::Add(path("/new"), rendered("new")),
                Change::Remove(path("/app.js")),
                Change::Remove(path("/nowhere")),
                Change::Remove(path("/style.css")),
            ]),
        );
        assert_eq!(done.failed.map(|(at, _)| at), Some(2));
        assert!(done.undo.is_empty() && done.remains.is_empty());
        assert_eq!(served(&mut server), before);
    }

    #[test]
    fn a_head_is_lines_without_the_moving_date() {
        let lines = head(&rendered("x").bytes);
        assert_eq!(lines[0], "HTTP/1.1 200 OK");
        assert!(lines.contains(&"Date: (when it is sent)".to_owned()), "{lines:?}");
        assert!(lines.contains(&"Content-Length: 1".to_owned()));
        assert!(head(b"no head at all").iter().all(String::is_empty));
    }
}
