//! Answers that need no file: a redirect, or a fixed reply.

use crate::{
    content::{Config, Redirect, RedirectError, Rendered, Reply, ReplyError, RoutePath},
    tui::{commit::head, field::Field, format},
};

/// The longest body that is written into a command, in bytes.
const LONGEST_BODY_BYTES: usize = 200;

/// What kind of answer is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnswerKind {
    Redirect,
    Reply,
}

/// Which field of the form holds what. The first two are the same in both.
const PATH: usize = 0;
const TO: usize = 1;
const BODY: usize = 1;
const STATUS: usize = 2;
const TYPE: usize = 3;

impl AnswerKind {
    /// The names of the fields.
    pub(crate) fn labels(self) -> &'static [&'static str] {
        match self {
            Self::Redirect => &["path", "to", "status"],
            Self::Reply => &["path", "body", "status", "type"],
        }
    }

    /// The command that does the same.
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::Redirect => "redirect",
            Self::Reply => "respond",
        }
    }
}

/// Asks what is answered, and where.
#[derive(Debug)]
pub(crate) struct AnswerForm {
    pub(crate) kind: AnswerKind,
    /// As many as the kind has labels.
    pub(crate) fields: Vec<Field>,
    /// The field that is typed in.
    pub(crate) at: usize,
    /// What is wrong with what was typed.
    pub(crate) error: Option<String>,
}

/// An answer as it can be published.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) path: RoutePath,
    pub(crate) rendered: Rendered,
    words: Words,
}

impl AnswerForm {
    /// A form in which everything but the path and what is answered has a value already.
    pub(crate) fn new(kind: AnswerKind, path: &str, content: &str) -> Self {
        let texts = match kind {
            AnswerKind::Redirect => {
                vec![path.to_owned(), content.to_owned(), Redirect::DEFAULT_STATUS.to_string()]
            }
            AnswerKind::Reply => vec![
                path.to_owned(),
                content.to_owned(),
                Reply::DEFAULT_STATUS.to_string(),
                Reply::DEFAULT_CONTENT_TYPE.to_owned(),
            ],
        };
        Self { kind, fields: texts.into_iter().map(Field::new).collect(), at: PATH, error: None }
    }

    /// Puts a status in the place of the usual one.
    pub(crate) fn set_status(&mut self, status: u16) {
        self.fields[STATUS] = Field::new(status.to_string());
    }

    /// The field that is typed in.
    pub(crate) fn field(&mut self) -> &mut Field {
        let last = self.fields.len() - 1;
        &mut self.fields[self.at.min(last)]
    }

    /// Goes to the next field, or to the one before, round and round.
    pub(crate) fn turn(&mut self, forward: bool) {
        let by = if forward { 1 } else { self.fields.len() - 1 };
        self.at = (self.at + by) % self.fields.len();
    }

    /// The next field in which nothing stands yet.
    pub(crate) fn next_empty(&self) -> Option<usize> {
        (self.at + 1..self.fields.len()).find(|at| self.text(*at).is_empty())
    }

    fn text(&self, at: usize) -> &str {
        self.fields.get(at).map_or("", Field::text)
    }

    /// What was written down.
    ///
    /// # Errors
    ///
    /// Which field is wrong, and why.
    pub(crate) fn finish(&self, config: &Config) -> Result<Answer, (usize, String)> {
        let path: RoutePath = self
            .text(PATH)
            .trim()
            .parse()
            .map_err(|error: crate::content::PathError| (PATH, error.to_string()))?;
        let status = self.text(STATUS).trim();
        let status = status.parse().map_err(|_| {
            (STATUS, format!("{status:?} is no status code; it is a number such as 200 or 301"))
        })?;
        let options = config.options_for(&path);
        let rendered = match self.kind {
            AnswerKind::Redirect => {
                let redirect = Redirect::new(self.text(TO).trim(), status);
                let redirect =
                    redirect.and_then(|redirect| redirect.check_from(&path).map(|()| redirect));
                let redirect = redirect.map_err(|error| match error {
                    RedirectError::Status(_) => (STATUS, error.to_string()),
                    _ => (TO, error.to_string()),
                })?;
                Rendered::redirect(&redirect, &options)
            }
            AnswerKind::Reply => {
                let content_type = self.text(TYPE).trim();
                let body = self.text(BODY).as_bytes().to_vec();
                let reply = Reply::new(status, content_type, body).map_err(|error| {
                    let at = match error {
                        ReplyError::Status { .. } => STATUS,
                        ReplyError::ContentType(_) => TYPE,
                        _ => BODY,
                    };
                    (at, error.to_string())
                })?;
                Rendered::reply(&reply, &options)
            }
        };
        let rendered = rendered.map_err(|error| (BODY, error.to_string()))?;
        let content = match self.kind {
            AnswerKind::Redirect => self.text(TO).trim(),
            AnswerKind::Reply => self.text(BODY),
        };
        let content_type = self.text(TYPE).trim();
        let words = Words::new(self.kind, &path, content, status, content_type);
        Ok(Answer { path, rendered, words })
    }
}

impl Answer {
    /// The words of the command that does the same, with options besides its own.
    pub(crate) fn words(self, more: Vec<String>) -> Vec<String> {
        self.words.with(more)
    }
}

/// Words of a command, quoted where they must be.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    named: [String; 2],
    options: Vec<String>,
}

impl Words {
    /// The words that publish such an answer.
    pub(crate) fn new(
        kind: AnswerKind,
        path: &RoutePath,
        content: &str,
        status: u16,
        content_type: &str,
    ) -> Self {
        let mut options = Vec::new();
        let usual = match kind {
            AnswerKind::Redirect => Redirect::DEFAULT_STATUS,
            AnswerKind::Reply => Reply::DEFAULT_STATUS,
        };
        if status != usual {
            options.extend(["--status".to_owned(), status.to_string()]);
        }
        if kind == AnswerKind::Reply && content_type != Reply::DEFAULT_CONTENT_TYPE {
            options.extend(["--content-type".to_owned(), format::shell_word(content_type)]);
        }
        let path = format::shell_word(&format::typed_path(path.as_str()));
        Self { named: [path, format::shell_word(content)], options }
    }

    /// In the order in which they can be typed, with more options.
    pub(crate) fn with(self, more: Vec<String>) -> Vec<String> {
        let options = self.options.into_iter().chain(more);
        // What begins like an option must stand behind all of them.
        if self.named[1].starts_with(['-']) || self.named[1].starts_with("'-") {
            options.chain(["--".to_owned()]).chain(self.named).collect()
        } else {
            self.named.into_iter().chain(options).collect()
        }
    }
}

/// The words that publish a response that came from no file, if it fits a command line.
pub(crate) fn written_down(path: &RoutePath, rendered: &Rendered) -> Option<(AnswerKind, Words)> {
    let words = |kind, content: &str| {
        Some((kind, Words::new(kind, path, content, rendered.status, &rendered.content_type)))
    };
    if rendered.source.is_some() {
        return None;
    }
    if let Some(location) = location(rendered) {
        return words(AnswerKind::Redirect, &location);
    }
    let body = str::from_utf8(rendered.body()).ok()?;
    let fits = body.len() <= LONGEST_BODY_BYTES && !body.contains(char::is_control);
    if fits { words(AnswerKind::Reply, body) } else { None }
}

/// A response in a few words: where it sends clients, or how long it is.
pub(crate) fn in_short(rendered: &Rendered) -> String {
    match location(rendered) {
        Some(location) => format!("{} to {location}", rendered.status),
        None => format::bytes(u64::from(rendered.body_bytes())),
    }
}

/// Where a response sends clients, if it is a redirect.
fn location(rendered: &Rendered) -> Option<String> {
    let lines = head(&rendered.bytes);
    lines.iter().find_map(|line| Some(line.strip_prefix("Location: ")?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(kind: AnswerKind, texts: &[&str]) -> AnswerForm {
        let mut form = AnswerForm::new(kind, "", "");
        for (field, text) in form.fields.iter_mut().zip(texts) {
            *field = Field::new(*text);
        }
        form
    }

    fn finish(kind: AnswerKind, texts: &[&str]) -> Result<(u16, String), usize> {
        let answer = form(kind, texts).finish(&Config::default()).map_err(|(at, _)| at)?;
        Ok((answer.rendered.status, answer.words(vec!["--replace".into()]).join(" ")))
    }

    #[test]
    fn what_is_written_down_becomes_an_answer_and_the_words_of_its_command() {
        let redirect = |texts: &[&str]| finish(AnswerKind::Redirect, texts);
        assert_eq!(redirect(&["/a", "/b"]), Ok((301, "/a /b --replace".into())));
        let words = "/a 'https://b/?c&d' --status 302 --replace";
        assert_eq!(redirect(&["/a", "https://b/?c&d", "302"]), Ok((302, words.into())));
        let reply = |texts: &[&str]| finish(AnswerKind::Reply, texts);
        assert_eq!(reply(&["/a", "it is ok"]), Ok((200, "/a 'it is ok' --replace".into())));
        let words = "--status 503 --content-type text/html --replace -- /a -x";
        assert_eq!(reply(&["/a", "-x", "503", "text/html"]), Ok((503, words.into())));
        assert_eq!(reply(&["/a", "", "204"]), Ok((204, "/a '' --status 204 --replace".into())));
    }

    #[test]
    fn what_is_wrong_is_told_of_the_field_that_it_stands_in() {
        for (kind, texts, at) in [
            (AnswerKind::Redirect, &["a", "/b"][..], PATH),
            (AnswerKind::Redirect, &["/a", "b"], TO),
            (AnswerKind::Redirect, &["/a", "/a"], TO),
            (AnswerKind::Redirect, &["/a", "/b", "200"], STATUS),
            (AnswerKind::Redirect, &["/a", "/b", "moved"], STATUS),
            (AnswerKind::Reply, &["/a", "body", "204"], BODY),
            (AnswerKind::Reply, &["/a", "body", "304"], STATUS),
            (AnswerKind::Reply, &["/a", "body", "200", "text"], TYPE),
        ] {
            assert_eq!(finish(kind, texts), Err(at), "{texts:?}");
        }
    }
}
