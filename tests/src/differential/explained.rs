//! The differences there may be between our answers and nginx's, each with its reason.
//!
//! A difference that none of these explains is a bug, ours or one to be written down here.

use std::collections::HashSet;

use super::{Difference, Exchange, strict::malformed};

/// A difference that is as it should be.
pub struct Explained {
    /// In which respect the servers differ.
    pub name: &'static str,
    /// Why ours is right, or no worse, and where that is written.
    pub why: &'static str,
    /// Whether it explains this difference.
    pub applies: fn(&Exchange, &Difference) -> bool,
}

/// All of them. The first that applies counts.
pub const EXPLAINED: &[Explained] = &[
    Explained {
        name: "malformed requests",
        why: "RFC 9112 section 2.2: refused with 400, never guessed at; nginx lets much of it pass, \
              waits for more of it, or finds another mistake first",
        applies: |exchange, _| ours(exchange) == 400 && malformed(&exchange.request).is_some(),
    },
    Explained {
        name: "which of several mistakes is named",
        why: "RFC 9110 section 15.5: the version and the method are looked at before anything that \
              the method would mean; nginx answers 400, 501 or 404 to some of them, and redirects any \
              method from a folder without its slash",
        applies: |exchange, difference| {
            matches!(difference, Difference::Status(405 | 505, 301 | 400..))
                || *difference == Difference::Connection && matches!(ours(exchange), 405 | 505)
        },
    },
    Explained {
        name: "OPTIONS",
        why: "RFC 9110 section 9.3.7: answered; nginx does not allow it for files",
        applies: |exchange, difference| {
            exchange.method() == "OPTIONS" && matches!(difference, Difference::Status(204, 400..))
        },
    },
    Explained {
        name: "fields that come twice",
        why: "RFC 9110 section 5.3: lists may come in several fields, and a time or range that comes \
              twice is ignored; nginx answers 400",
        applies: |exchange, _| theirs(exchange) == 400 && exchange.repeats_a_field(),
    },
    Explained {
        name: "an empty Host",
        why: "RFC 9112 section 3.2: it is what a target without an authority has; nginx answers 400",
        applies: |exchange, _| theirs(exchange) == 400 && exchange.values("Host") == [""],
    },
    Explained {
        name: "a Range that is none, or several",
        why: "RFC 9110 section 14.2: it may be ignored; nginx answers 416, or with the first range \
              that there is",
        applies: |exchange, difference| {
            matches!(difference, Difference::Status(200, 206 | 416)) && !exchange.has_one_range()
        },
    },
    Explained {
        name: "numbers of more than 64 bits in Range",
        why: "RFC 9110 section 14.1.1: numbers have no limit, and a last byte beyond the end is the \
              end; nginx answers 416",
        applies: |exchange, _| theirs(exchange) == 416 && exchange.has_long_numbers(),
    },
    Explained {
        name: "ranges of compressed files",
        why: "RFC 9110 section 14.2: served; nginx has none of what gzip_static sends",
        applies: |exchange, difference| {
            let theirs = exchange.theirs.as_ref();
            let is_coded = theirs.is_some_and(|answer| answer.field("Content-Encoding").is_some());
            let of_range = [Difference::Status(416, 200), Difference::Status(206, 200)];
            is_coded
                && (of_range.contains(difference)
                    || *difference == Difference::Field("Accept-Ranges"))
        },
    },
    Explained {
        name: "codings by quality",
        why: "RFC 9110 section 12.5.3: the best that is accepted, which is checked beside this list; \
              nginx knows gzip with a quality of zero or another, not x-gzip, * or identity, and not in a \
              second field or HTTP/1.0",
        applies: |exchange, difference| {
            let fields = exchange.values("Accept-Encoding");
            let values = fields.join(",");
            let of_coding = matches!(
                difference,
                Difference::Field(
                    "Content-Encoding" | "Content-Length" | "Content-Range" | "Accept-Ranges"
                ) | Difference::Status(200 | 206 | 304 | 412 | 416, 200 | 206 | 304 | 412 | 416)
            );
            of_coding
                && exchange.has_variants()
                && (values.contains(['*', ';', '-'])
                    || fields.len() > 1
                    || exchange.word(2) == "HTTP/1.0")
        },
    },
    Explained {
        name: "lists in Connection",
        why: "RFC 9110 section 7.6.1: options are compared as a whole, and close goes before \
              keep-alive; nginx looks for the letters of close, and takes the last field",
        applies: |exchange, difference| {
            let values = exchange.values("Connection").join(",").to_ascii_lowercase();
            *difference == Difference::Connection
                && !matches!(&*values, "" | "close" | "keep-alive")
        },
    },
    Explained {
        name: "bodies of GET",
        why: "RFC 9112 section 9.3: the connection ends with the answer, so that no body has to be \
              read; nginx reads it, and answers 400 where it is malformed",
        applies: |exchange, difference| {
            let has_body = exchange.values("Transfer-Encoding").contains(&"chunked".to_owned())
                || exchange.values("Content-Length").iter().any(|length| length != "0");
            has_body && (theirs(exchange) == 400 || *difference == Difference::Connection)
        },
    },
    Explained {
        name: "lists in Transfer-Encoding",
        why: "RFC 9112 section 6.1, RFC 9110 section 5.6.1: another coding or an empty member may go \
              before chunked, and no body of GET is read; nginx answers 501",
        applies: |exchange, _| {
            theirs(exchange) == 501 && !exchange.values("Transfer-Encoding").is_empty()
        },
    },
    Explained {
        name: "Range in HEAD",
        why: "RFC 9110 section 14.2: it is defined for GET only; nginx answers HEAD with 206 and 416",
        applies: |exchange, difference| {
            exchange.method() == "HEAD" && matches!(difference, Difference::Status(200, 206 | 416))
        },
    },
    Explained {
        name: "times that are no dates",
        why: "RFC 9110 sections 13.1.3 to 13.1.5: they must be ignored, or match nothing; nginx takes \
              some of them for dates, and fails If-Unmodified-Since for all others; the name of the \
              day is not looked at here",
        applies: |exchange, difference| {
            let is_date =
                |value: &String| httpdate::parse_http_date(value).is_ok() || value.ends_with('"');
            let all_dates = |name: &&str| exchange.values(name).iter().all(is_date);
            let of_time = matches!(difference, Difference::Status(200..=416, 200..=416));
            of_time
                && !["If-Modified-Since", "If-Unmodified-Since", "If-Range"].iter().all(all_dates)
        },
    },
    Explained {
        name: "lists of tags that are none",
        why: "RFC 9110 section 8.8.3: what comes behind a mistake is not taken for a tag; nginx goes on",
        applies: |exchange, difference| {
            let is_list =
                |name: &&str| exchange.values(name).iter().all(|value| is_tag_list(value));
            let of_tags = matches!(difference, Difference::Status(200..=416, 200..=416));
            of_tags && !["If-Match", "If-None-Match"].iter().all(is_list)
        },
    },
    Explained {
        name: "tabs around values",
        why: "RFC 9110 section 5.5: they are no part of them; nginx takes off blanks only",
        applies: |exchange, _| {
            let lines = exchange.lines();
            let values = lines.iter().skip(1).filter_map(|line| line.split_once(':'));
            let has_tab = |value: &str| {
                let (start, end) = (value.trim_start_matches(' '), value.trim_end_matches(' '));
                start.starts_with('\t') || end.ends_with('\t')
            };
            values.into_iter().any(|(_, value)| has_tab(value))
        },
    },
    Explained {
        name: "hosts in targets",
        why: "RFC 3986 section 3.2.2: commas and semicolons may be in a name; nginx answers 400",
        applies: |exchange, _| theirs(exchange) == 400 && exchange.target().contains([',', ';']),
    },
    Explained {
        name: "hosts without a name",
        why: "RFC 1034 section 3.5: no name begins with a dot; nginx lets it pass",
        applies: |exchange, _| {
            let empty = |host: &String| host.starts_with('.') || host.contains("..");
            ours(exchange) == 400 && exchange.values("Host").iter().any(empty)
        },
    },
    Explained {
        name: "half a request",
        why: "RFC 9112 section 8: incomplete; nginx refuses some of them before they end",
        applies: |exchange, difference| {
            let end = exchange.request.windows(4).any(|window| window == b"\r\n\r\n");
            *difference == Difference::Silence && exchange.ours.is_none() && !end
        },
    },
    Explained {
        name: "If-Match together with If-Unmodified-Since",
        why: "RFC 9110 section 13.2.2: then the time is ignored; nginx wants both to hold",
        applies: |exchange, _| {
            let both = ["If-Match", "If-Unmodified-Since"];
            theirs(exchange) == 412 && both.iter().all(|name| !exchange.values(name).is_empty())
        },
    },
    Explained {
        name: "If-None-Match together with If-Modified-Since",
        why: "RFC 9110 section 13.2.2: then the time is ignored; nginx wants both to hold for 304",
        applies: |exchange, difference| {
            let both = ["If-None-Match", "If-Modified-Since"];
            matches!(difference, Difference::Status(304, 200 | 206 | 416))
                && both.iter().all(|name| !exchange.values(name).is_empty())
        },
    },
    Explained {
        name: "Last-Modified in 304",
        why: "RFC 9110 section 15.4.5: not sent beside an entity tag; nginx sends it",
        applies: |exchange, difference| {
            ours(exchange) == 304 && *difference == Difference::Field("Last-Modified")
        },
    },
    Explained {
        name: "the query of a folder without its slash",
        why: "RFC 9110 section 15.4.2: where to is the server's choice, and queries mean nothing here; \
              nginx repeats it",
        applies: |exchange, difference| {
            *difference == Difference::Field("Location") && exchange.target().contains('?')
        },
    },
];

fn ours(exchange: &Exchange) -> u16 {
    exchange.ours.as_ref().map_or(0, |answer| answer.status)
}

fn theirs(exchange: &Exchange) -> u16 {
    exchange.theirs.as_ref().map_or(0, |answer| answer.status)
}

impl Exchange {
    fn word(&self, index: usize) -> String {
        let lines = self.lines();
        let line = lines.iter().find(|line| !line.is_empty());
        let word = line.and_then(|line| line.split(' ').nth(index));
        word.unwrap_or_default().to_owned()
    }

    fn method(&self) -> String {
        self.word(0)
    }

    fn target(&self) -> String {
        self.word(1)
    }

    /// Whether it is about the file that is there in codings.
    fn has_variants(&self) -> bool {
        self.target().contains("ruler")
    }

    /// Whether any field comes more than once.
    fn repeats_a_field(&self) -> bool {
        let lines = self.lines();
        let names = lines.iter().skip(1).filter_map(|line| line.split_once(':'));
        let mut seen = HashSet::new();
        names.map(|(name, _)| name.to_ascii_lowercase()).any(|name| !seen.insert(name))
    }

    /// Whether Range has numbers that do not fit in 64 bits.
    fn has_long_numbers(&self) -> bool {
        let is_long = |text: &str| text.trim_start_matches('0').len() > 18;
        let values = self.values("Range");
        let mut numbers =
            values.iter().flat_map(|value| value.split(|c: char| !c.is_ascii_digit()));
        numbers.any(is_long)
    }

    /// The request without the fields that mean nothing in it, if there are any: times that are none,
    /// and a Range that is none, or several, or in HEAD. What is left must be answered the same. Of
    /// two numbers that are too long it is not known here which is the greater.
    pub fn without_ignored(&self) -> Option<Vec<u8>> {
        let is_time = |name| matches!(&self.values(name)[..], [value] if is_almost_date(value));
        let is_ignored = |name: &str| match &*name.to_ascii_lowercase() {
            "if-modified-since" => !is_time("If-Modified-Since"),
            "if-unmodified-since" => !is_time("If-Unmodified-Since"),
            "range" if self.method() == "HEAD" => true,
            "range" => !self.has_one_range() && !self.has_long_numbers(),
            _ => false,
        };
        let is_kept = |line: &&[u8]| {
            let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
            !is_ignored(&String::from_utf8_lossy(name))
        };
        let lines = self.request.split_inclusive(|byte| *byte == b'\n');
        let left = lines.filter(is_kept).collect::<Vec<_>>().concat();
        (left.len() < self.request.len()).then_some(left)
    }

    /// Whether there is one Range with one range of bytes (RFC 9110 section 14.1.1).
    fn has_one_range(&self) -> bool {
        let values = self.values("Range");
        let [value] = &values[..] else { return false };
        let value = value.to_ascii_lowercase();
        let Some((first, last)) = value.strip_prefix("bytes=").and_then(|set| set.split_once('-'))
        else {
            return false;
        };
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let rising = || {
            let (first, last) = (first.trim_start_matches('0'), last.trim_start_matches('0'));
            (first.len(), first) <= (last.len(), last)
        };
        match (first, last) {
            ("", last) => is_number(last),
            (first, "") => is_number(first),
            (first, last) => is_number(first) && is_number(last) && rising(),
        }
    }
}

/// Whether a value is a date, with anything where the name of the day belongs.
fn is_almost_date(value: &str) -> bool {
    let behind = value.rsplit_once(", ").map_or(value.get(3..), |(_, date)| Some(date));
    let days = [
        ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
        ["Mon, ", "Tue, ", "Wed, ", "Thu, ", "Fri, ", "Sat, ", "Sun, "],
        [
            "Monday, ",
            "Tuesday, ",
            "Wednesday, ",
            "Thursday, ",
            "Friday, ",
            "Saturday, ",
            "Sunday, ",
        ],
    ];
    let is_date = |day: &&str| {
        behind.is_some_and(|behind| httpdate::parse_http_date(&format!("{day}{behind}")).is_ok())
    };
    days.as_flattened().iter().any(is_date)
}

/// Whether a value is a list of entity tags, or the asterisk (RFC 9110 section 13.1.1).
fn is_tag_list(value: &str) -> bool {
    if value == "*" {
        return true;
    }
    let mut rest = value;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return true;
        }
        let opaque = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"');
        let Some((tag, behind)) = opaque.and_then(|opaque| opaque.split_once('"')) else {
            return false;
        };
        rest = behind.trim_start_matches([' ', '\t']);
        let is_tag = tag.chars().all(|c| c > ' ' && c != '\u{7f}');
        if !is_tag || !(rest.is_empty() || rest.starts_with(',')) {
            return false;
        }
    }
}

/// The entry that explains a difference.
pub fn explain(exchange: &Exchange, difference: &Difference) -> Option<usize> {
    EXPLAINED.iter().position(|entry| (entry.applies)(exchange, difference))
}
