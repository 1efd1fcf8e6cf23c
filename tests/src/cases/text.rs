//! Reads the files that cases are written in.

use std::{collections::HashMap, fs, ops::RangeInclusive, path::Path};

use anyhow::{Context, Result, bail, ensure};

use super::{Body, Case, Expected};

/// The file of named answers.
const ANSWERS: &str = "answers.txt";

/// All cases of a folder.
#[derive(Clone, Debug)]
pub struct Table {
    /// The cases, file by file.
    pub cases: Vec<Case>,
    answers: Answers,
}

impl Table {
    /// The answer 200 of a name.
    pub fn named(&self, name: &str) -> Option<Expected> {
        self.answers.get(name).map(|answer| Expected { status: 200, ..answer.clone() })
    }
}

/// Named answers.
type Answers = HashMap<String, Expected>;

/// Reads all cases of a folder.
///
/// # Errors
///
/// Where a file cannot be read or makes no sense; the message says where.
pub fn load(folder: &Path) -> Result<Table> {
    let read = |file: &Path| {
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
    };
    let answers = parse_answers(&read(&folder.join(ANSWERS))?)?;
    let mut files: Vec<_> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|ending| ending == "txt"));
    files.sort();
    let mut cases = Vec::new();
    for file in files.iter().filter(|file| !file.ends_with(ANSWERS)) {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        cases.extend(parse_cases(&name, &read(file)?, &answers)?);
    }
    Ok(Table { cases, answers })
}

/// `== name` or `== name: other`, then fields as in a case.
fn parse_answers(text: &str) -> Result<Answers> {
    let mut answers = Answers::new();
    let mut name = None;
    for (number, line) in text.lines().enumerate() {
        let place = || format!("{ANSWERS}:{}: {line}", number + 1);
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        if let Some(heading) = line.strip_prefix("== ") {
            let (own, base) = heading.split_once(": ").unwrap_or((heading, ""));
            let expected = match base {
                "" => Expected::default(),
                base => answers.get(base).with_context(place)?.clone(),
            };
            ensure!(answers.insert(own.to_owned(), expected).is_none(), place());
            name = Some(own.to_owned());
            continue;
        }
        let expected = name.as_ref().and_then(|name| answers.get_mut(name));
        amend(expected.with_context(place)?, line).with_context(place)?;
    }
    Ok(answers)
}

fn parse_cases(file: &str, text: &str, answers: &Answers) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    let mut open: Option<Case> = None;
    for (number, line) in text.lines().enumerate() {
        let place = || format!("{file}:{}", number + 1);
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        if let Some(name) = line.strip_prefix("== ") {
            ensure!(open.is_none(), "{}: the case before has no end", place());
            open = Some(Case {
                name: name.to_owned(),
                place: place(),
                sends: Vec::new(),
                fin: false,
                answers: Vec::new(),
                kept: false,
                counts: None,
            });
            continue;
        }
        let case = open.as_mut().with_context(|| format!("{}: outside of a case", place()))?;
        if take(case, line, answers).with_context(|| format!("{}: {line}", place()))? {
            cases.extend(open.take());
        }
    }
    ensure!(open.is_none(), "{file}: the last case has no end");
    Ok(cases)
}

/// Takes a line of a case; true if it is the last.
fn take(case: &mut Case, line: &str, answers: &Answers) -> Result<bool> {
    if let Some(sent) = line.strip_prefix('>') {
        let (sent, end) = match sent.strip_prefix('-') {
            Some(sent) => (sent, ""),
            None => (sent, "\r\n"),
        };
        case.sends.extend(unescape(sent.strip_prefix(' ').unwrap_or(sent))?);
        case.sends.extend(end.as_bytes());
    } else if let Some(amendment) = line.strip_prefix("<   ") {
        let expected = case.answers.last_mut().context("no answer to amend")?;
        amend(expected, amendment)?;
    } else if let Some(raw) = line.strip_prefix("< raw ") {
        let raw = Some(unescape(raw)?);
        case.answers.push(Expected { raw, ..Expected::default() });
    } else if let Some(answer) = line.strip_prefix("< ") {
        let (status, name) = answer.split_once(' ').context("a status and a name are needed")?;
        let named = answers.get(name).with_context(|| format!("no answer is named {name}"))?;
        case.answers.push(Expected { status: status.parse()?, ..named.clone() });
    } else if let Some(refusal) = line.strip_prefix("counts ") {
        case.counts = Some(refusal.to_owned());
    } else if line == "fin" {
        case.fin = true;
    } else if line == "kept" || line == "closed" {
        case.kept = line == "kept";
        return Ok(true);
    } else {
        bail!("this begins with none of > < counts fin kept closed");
    }
    Ok(false)
}

/// Adds, replaces or removes a field, or says what the body is.
fn amend(expected: &mut Expected, line: &str) -> Result<()> {
    let (name, value) = line.trim_start().split_once(':').context("no colon")?;
    let value = value.trim();
    if name == "body" {
        expected.body = parse_body(value)?;
        return Ok(());
    }
    expected.fields.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
    if !value.is_empty() {
        expected.fields.push((name.to_owned(), value.to_owned()));
    }
    Ok(())
}

/// `none`, `text` and perhaps some, `file NAME`, `file NAME in CODING`, `file NAME from A to B`, or
/// `path PATH in CODING from A to B`. Both ends belong to the part, as in a range.
fn parse_body(value: &str) -> Result<Body> {
    if value == "text" {
        return Ok(Body::Text(Vec::new()));
    }
    if let Some(text) = value.strip_prefix("text ") {
        return Ok(Body::Text(unescape(text)?));
    }
    let (value, part) = match value.split_once(" from ") {
        Some((value, part)) => (value, Some(parse_part(part)?)),
        None => (value, None),
    };
    let (named, coding) = match value.split_once(" in ") {
        Some((named, coding)) => (named, Some(coding.to_owned())),
        None => (value, None),
    };
    let (kind, name) = named.split_once(' ').unwrap_or((named, ""));
    let name = name.to_owned();
    Ok(match (kind, coding, part) {
        ("none", None, None) => Body::None,
        ("file", None, None) => Body::File(name),
        ("file", None, Some(part)) => Body::FilePart(name, part),
        ("file", Some(coding), None) => Body::Coded(name, coding),
        ("path", Some(coding), Some(part)) => Body::CodedPart(name, coding, part),
        _ => bail!("no body is said like that"),
    })
}

/// `A to B`, both ends included.
fn parse_part(part: &str) -> Result<RangeInclusive<usize>> {
    let (first, last) = part.split_once(" to ").context("no end of the part")?;
    Ok(first.parse()?..=last.parse()?)
}

/// Undoes the escapes, and repeats what is to be repeated. Placeholders stay.
pub(super) fn unescape(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let behind = &rest[character.len_utf8()..];
        if character == '\\' {
            let escape = behind.chars().next().context("a backslash at the end")?;
            rest = &behind[escape.len_utf8()..];
            bytes.push(match escape {
                'r' => b'\r',
                'n' => b'\n',
                't' => b'\t',
                '0' => 0,
                '\\' => b'\\',
                '{' => b'{',
                's' => b' ',
                'x' => {
                    let digits = rest.get(..2).context("two digits must follow \\x")?;
                    rest = &rest[2..];
                    u8::from_str_radix(digits, 16).context("two digits must follow \\x")?
                }
                other => bail!("\\{other} means nothing"),
            });
            continue;
        }
        let repeated = behind.split_once('}').and_then(|(inside, behind)| {
            let (text, count) = inside.rsplit_once('*')?;
            Some((text, count.parse::<usize>().ok()?, behind))
        });
        match (character, repeated) {
            ('{', Some((text, count, behind))) => {
                bytes.extend(unescape(text)?.repeat(count));
                rest = behind;
            }
            _ => {
                bytes.extend(&rest.as_bytes()[..character.len_utf8()]);
                rest = behind;
            }
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_repetitions_become_bytes_and_placeholders_stay() {
        let bytes = |text| unescape(text).expect("well-formed");
        assert_eq!(bytes(r"a\r\n\t\0\\\x7f\{é"), b"a\r\n\t\0\\\x7f{\xc3\xa9");
        assert_eq!(bytes(r"x{ab*3}y{,\n*2}"), b"xabababy,\n,\n");
        assert_eq!(bytes("{etag /a br}{ }"), b"{etag /a br}{ }");
        for wrong in [r"\", r"\q", r"\x1", r"\xg0"] {
            assert!(unescape(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_case_is_read_as_it_is_written() {
        let answers = parse_answers("== a\nX: 1\nY: 2\nbody: none\n== b: a\nY:\n").expect("read");
        let text = "# Heading\n\n== It works\n> GET / HTTP/1.1\n>-\n< 200 b\n<   X: 3\nfin\nkept\n";
        let cases = parse_cases("f", text, &answers).expect("read");
        let [case] = &cases[..] else { panic!("one case") };
        assert_eq!((case.name.as_str(), case.place.as_str()), ("It works", "f:3"));
        assert_eq!(case.sends, b"GET / HTTP/1.1\r\n");
        assert!(case.fin && case.kept);
        assert_eq!(case.answers[0].status, 200);
        assert_eq!(case.answers[0].fields, [("X".to_owned(), "3".to_owned())]);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_place() {
        for text in
            ["== a\n== b\nkept\n", "> x\n", "== a\n> x\n", "== a\nmaybe\n", "== a\n< 200 q\n"]
        {
            let error = parse_cases("f", text, &Answers::new()).expect_err(text);
            assert!(format!("{error:#}").contains('f'), "{error:#}");
        }
    }
}
