//! What a command prints.

use std::{
    io::{self, Write},
    time::Duration,
};

use humansize::DECIMAL;
use serde_json::{Value, json};

/// Prints text. That nobody reads on, as under `head`, is no failure.
pub(super) fn text(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

/// Prints a JSON document.
pub(super) fn json(document: &Value) -> anyhow::Result<()> {
    text(&format!("{document:#}\n"))
}

/// Tells a person something beside the output.
pub(super) fn note(message: &str) {
    // Nobody may be there to read it.
    let _ = writeln!(io::stderr(), "zeroserve-tui: {message}");
}

/// Bytes as people say them: `1.26 GB`.
pub(super) fn bytes(bytes: u64) -> String {
    humansize::format_size(bytes, DECIMAL)
}

/// Encodings by name, with the bytes of a body in each, as JSON.
pub(super) fn encodings<'a>(encodings: impl Iterator<Item = (&'a str, u32)>) -> Value {
    encodings.map(|(encoding, bytes)| (encoding.to_owned(), json!(bytes))).collect()
}

/// A count with its thousands apart: `1,234,567`.
pub(super) fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time span by its two largest units: `2 h 5 min`.
pub(super) fn span(span: Duration) -> String {
    let s = span.as_secs();
    match (s / 86_400, s / 3600 % 24, s / 60 % 60, s % 60) {
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, min, s) => format!("{min} min {s} s"),
        (0, h, min, _) => format!("{h} h {min} min"),
        (d, h, _, _) => format!("{d} d {h} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_their_thousands_apart() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (12_345, "12,345"), (1_234_567, "1,234,567")]
        {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn spans_are_told_by_their_two_largest_units() {
        for (seconds, text) in
            [(0, "0 s"), (61, "1 min 1 s"), (7500, "2 h 5 min"), (90_000, "1 d 1 h")]
        {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }
}
