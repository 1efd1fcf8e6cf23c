//! Asking again before a copy's lifetime ends (RFC 9111 section 4.3).

use std::time::Duration;

use http::{
    HeaderMap,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, LAST_MODIFIED},
};
use zeroserve_shared::route::Encoding;

use super::{
    Examined, Exchange, Origin, PromoteError, Query, Wish,
    examine::{accept, assemble, examine_rest},
};
use crate::content::{Copied, Rendered, Representation};

/// What a refresh found.
#[derive(Clone, Debug)]
pub enum Refreshed {
    /// The same as before, with a new lifetime.
    Same(Examined),
    /// Something else.
    Changed(Examined),
}

impl Refreshed {
    /// The copy, whichever it is.
    pub fn examined(&self) -> &Examined {
        match self {
            Self::Same(examined) | Self::Changed(examined) => examined,
        }
    }
}

/// The most time before its end at which a copy is refreshed.
const MOST_AHEAD: Duration = Duration::from_secs(30);
/// The least, so that the server has time to answer.
const LEAST_AHEAD: Duration = Duration::from_secs(1);

/// Whether a copy is to be refreshed by now: in the last fifth of its lifetime, but not much sooner
/// than need be, nor too late to be in time.
pub fn is_due(copied: &Copied) -> bool {
    copied.left() <= ahead(copied.lifetime)
}

/// How long until a copy is due.
pub(super) fn due_in(copied: &Copied) -> Duration {
    copied.left().saturating_sub(ahead(copied.lifetime))
}

fn ahead(lifetime: Duration) -> Duration {
    (lifetime / 5).clamp(LEAST_AHEAD, MOST_AHEAD).min(lifetime / 2)
}

/// Asks the server whether what is served of a path is still what it answers, and makes a copy with a
/// new lifetime, of the same or of what has taken its place.
///
/// # Errors
///
/// See [`PromoteError`]: where the server does not answer, or its answer is not for a cache any more.
pub fn refresh(
    origin: &dyn Origin,
    wish: &Wish,
    served: &Rendered,
) -> Result<Refreshed, PromoteError> {
    let Some(stored) = served.representations() else {
        return Err(PromoteError::NotPromoted(wish.path.clone(), Vec::new()));
    };
    let mut all = Vec::new();
    let mut is_same = true;
    for representation in stored {
        let encoding = representation.encoding;
        let exchange = ask_again(origin, wish, &representation)?;
        if exchange.status == 304 {
            all.push(accept(wish, encoding, freshened(representation, exchange))?);
        } else if encoding == Encoding::Identity {
            // Whatever has changed, the other encodings have, too.
            let examined = examine_rest(origin, wish, exchange)?;
            let is_same = examined.rendered.body_sha256 == served.body_sha256;
            return Ok(if is_same {
                Refreshed::Same(examined)
            } else {
                Refreshed::Changed(examined)
            });
        } else if exchange.status == 200 && !exchange.fields.contains_key(CONTENT_ENCODING) {
            // It has this encoding no more.
            is_same = false;
        } else {
            is_same &= exchange.body == representation.body;
            all.push(accept(wish, encoding, exchange)?);
        }
    }
    let examined = assemble(wish, all)?;
    Ok(if is_same { Refreshed::Same(examined) } else { Refreshed::Changed(examined) })
}

fn ask_again(
    origin: &dyn Origin,
    wish: &Wish,
    stored: &Representation,
) -> Result<Exchange, PromoteError> {
    Ok(origin.ask(&Query {
        etag: stored.fields.get(ETAG).cloned(),
        modified: stored.fields.get(LAST_MODIFIED).cloned(),
        ..Query::new(&wish.path, stored.encoding)
    })?)
}

/// What is stored, with the fields of a 304 in the place of those it had (RFC 9111 sections 3.2 and
/// 4.3.4), as if it had been answered just now.
fn freshened(stored: Representation, exchange: Exchange) -> Exchange {
    let mut fields: HeaderMap = stored.fields;
    // What describes the body that came with it stays.
    let of_body = [CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE];
    for name in exchange.fields.keys().filter(|name| !of_body.contains(name)) {
        fields.remove(name);
        for value in exchange.fields.get_all(name) {
            fields.append(name, value.clone());
        }
    }
    Exchange { status: 200, fields, body: stored.body, ..exchange }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promote::{
        examine,
        examine::tests::{Script, wish},
    };

    const FRESH: &str = "cache-control: max-age=60|etag: \"a\"|x-a: 1";

    #[test]
    fn a_304_gives_the_same_body_a_new_lifetime_and_new_fields() {
        let script = Script::new();
        script.answer(Encoding::Identity, 200, FRESH, b"hello hello");
        script.answer(
            Encoding::Gzip,
            200,
            "cache-control: max-age=60|content-encoding: gzip|etag: \"z\"",
            b"hi",
        );
        let served = examine(&script, &wish()).expect("a copy").rendered;
        script.asked.lock().expect("a lock").clear();
        let fields = "cache-control: max-age=90|etag: \"a\"|x-a: 2|content-length: 0";
        script.answer(Encoding::Identity, 304, fields, b"");
        script.answer(Encoding::Gzip, 304, "cache-control: max-age=90|etag: \"z\"", b"");
        let Refreshed::Same(found) = refresh(&script, &wish(), &served).expect("a copy") else {
            panic!("it has not changed");
        };
        assert_eq!(found.rendered.body(), b"hello hello");
        assert_eq!(found.rendered.variants[0].body(), b"hi");
        assert_eq!(found.copied.lifetime.as_secs(), 89);
        let from = found.rendered.representations().expect("a copy");
        assert_eq!(from[0].fields["x-a"], "2");
        assert_eq!(from[1].fields["content-encoding"], "gzip");
        let asked = script.asked.lock().expect("a lock");
        let tag = |tag: &str| Some(tag.to_owned());
        assert_eq!(*asked, [(Encoding::Identity, tag("\"a\"")), (Encoding::Gzip, tag("\"z\""))]);
    }

    #[test]
    fn what_has_changed_is_copied_anew_and_what_may_not_be_kept_any_more_is_refused() {
        let script = Script::new();
        script.answer(Encoding::Identity, 200, FRESH, b"old");
        let served = examine(&script, &wish()).expect("a copy").rendered;
        script.answer(Encoding::Identity, 200, "cache-control: max-age=60|etag: \"b\"", b"new");
        let found = refresh(&script, &wish(), &served).expect("a copy");
        assert!(matches!(&found, Refreshed::Changed(found) if found.rendered.body() == b"new"));
        script.answer(Encoding::Identity, 304, "cache-control: no-store", b"");
        assert!(matches!(refresh(&script, &wish(), &served), Err(PromoteError::Unfit { .. })));
        script.answer(Encoding::Identity, 500, "", b"");
        assert!(matches!(refresh(&script, &wish(), &served), Err(PromoteError::Unfit { .. })));
    }

    #[test]
    fn a_copy_is_due_in_the_last_part_of_its_lifetime() {
        for (lifetime_s, ahead_ms) in [(1, 500), (2, 1000), (60, 12_000), (86_400, 30_000)] {
            let ahead = ahead(Duration::from_secs(lifetime_s));
            assert_eq!(ahead.as_millis(), ahead_ms, "{lifetime_s}");
        }
    }
}
