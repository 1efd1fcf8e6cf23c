//! Header fields that a person wants answers to have, beside those the server sends itself.

use std::str::FromStr;

use http::HeaderName;

/// The most bytes that all further fields of one answer may have: every answer is stored in up to
/// four forms, whose heads must fit beside the body.
pub const MAX_FIELD_BYTES: usize = 3 << 10;

/// Why a field cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// It has no colon.
    #[error("{0:?} is no header field, as in 'Cache-Control: no-store'")]
    NoColon(String),
    /// Its name is no token (RFC 9110 section 5.6.2).
    #[error("{0:?} is no name of a header field: letters, digits and '-' make one")]
    BadName(String),
    /// Its value has characters that no field may have (RFC 9110 section 5.5).
    #[error("the value of {name} contains {found}, which no header field may have")]
    BadValue {
        /// The field.
        name: String,
        /// The first character that may not be there.
        found: String,
    },
    /// The server sends it itself.
    #[error("{name} cannot be set: {reason}")]
    Reserved {
        /// The field.
        name: String,
        /// Why.
        reason: &'static str,
    },
    /// It is there already.
    #[error("{0} is given twice; write its values into one field, with commas between them")]
    Twice(String),
    /// All together are too long.
    #[error("the header fields have {0} bytes; at most {MAX_FIELD_BYTES} are possible")]
    TooLong(usize),
}

/// A header field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    name: String,
    value: String,
}

/// Header fields, each name once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<Field>);

impl Field {
    /// A field with that name and value.
    ///
    /// # Errors
    ///
    /// See [`FieldError`].
    pub fn new(name: &str, value: &str) -> Result<Self, FieldError> {
        let Ok(parsed) = HeaderName::from_str(name) else {
            return Err(FieldError::BadName(name.to_owned()));
        };
        if let Some(reason) = reserved(parsed.as_str()) {
            return Err(FieldError::Reserved { name: name.to_owned(), reason });
        }
        let value = value.trim_matches([' ', '\t']);
        // RFC 9110 section 5.5 allows more, and wants new fields to stay within this.
        if let Some(odd) = value.chars().find(|c| !matches!(c, ' '..='~' | '\t')) {
            return Err(FieldError::BadValue { name: name.to_owned(), found: format!("{odd:?}") });
        }
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }

    /// Its name, as it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its value.
    pub fn value(&self) -> &str {
        &self.value
    }

    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Whether it says something of the body that is sent, and so has no place in a 304
    /// (RFC 9110 section 15.4.5).
    pub(super) fn describes_body(&self) -> bool {
        ["Content-Language", "Content-Disposition"].iter().any(|name| self.is(name))
    }
}

/// Parses `Name: value`.
impl FromStr for Field {
    type Err = FieldError;

    fn from_str(line: &str) -> Result<Self, FieldError> {
        let (name, value) =
            line.split_once(':').ok_or_else(|| FieldError::NoColon(line.to_owned()))?;
        Self::new(name, value)
    }
}

impl Fields {
    /// Adds a field.
    ///
    /// # Errors
    ///
    /// [`FieldError::Twice`] if there is one of that name.
    pub fn add(&mut self, field: Field) -> Result<(), FieldError> {
        if self.0.iter().any(|one| one.is(&field.name)) {
            return Err(FieldError::Twice(field.name));
        }
        self.0.push(field);
        Ok(())
    }

    /// Takes the fields of `others` as well, in place of those that have the same name.
    pub fn override_with(&mut self, others: &Self) {
        for other in &others.0 {
            self.0.retain(|field| !field.is(&other.name));
            self.0.push(other.clone());
        }
    }

    /// The fields, in the order in which they are sent.
    pub fn iter(&self) -> impl Iterator<Item = &Field> {
        self.0.iter()
    }

    /// Refuses what does not fit an answer.
    pub(super) fn check_length(&self) -> Result<(), FieldError> {
        // Colon, blank and line end.
        let bytes = self.0.iter().map(|field| field.name.len() + field.value.len() + 4).sum();
        if bytes > MAX_FIELD_BYTES { Err(FieldError::TooLong(bytes)) } else { Ok(()) }
    }
}

/// Why a field is the server's own, if it is.
fn reserved(name: &str) -> Option<&'static str> {
    Some(match name {
        "date" | "server" => "the server writes it into every answer",
        "connection" | "keep-alive" | "proxy-connection" | "upgrade" | "te" | "trailer" => {
            "it is about the connection, which the server manages"
        }
        "content-length" | "transfer-encoding" | "content-range" | "accept-ranges" => {
            "the server derives it from what it sends"
        }
        "content-type" => "it follows from the file's name, or is given as content_type",
        "content-encoding" | "vary" => "the server compresses, and says so, itself",
        "etag" | "last-modified" => "the server derives it from the file",
        "location" => "only redirects have it; give their target as `to`",
        "allow" => "every route answers the same methods",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(line: &str) -> String {
        line.parse::<Field>().expect_err(line).to_string()
    }

    #[test]
    fn a_field_is_a_name_and_a_value_without_blanks_around_it() {
        let field: Field = "Cache-Control:  public, max-age=60 ".parse().expect("a field");
        assert_eq!((field.name(), field.value()), ("Cache-Control", "public, max-age=60"));
    }

    #[test]
    fn what_is_no_field_is_refused_in_words() {
        assert_eq!(
            error("no colon"),
            "\"no colon\" is no header field, as in 'Cache-Control: no-store'"
        );
        for line in ["X Y: z", ": z", "X : z", "Ü: z"] {
            assert!(error(line).contains("is no name of a header field"), "{line}");
        }
        assert_eq!(
            error("X-Y: a\r\nSet-Cookie: b"),
            "the value of X-Y contains '\\r', which no header field may have"
        );
        assert!(error("X-Y: \0").contains("'\\0'"));
        assert!(error("X-Y: ü").contains("'ü'"));
    }

    #[test]
    fn fields_that_the_server_sends_itself_are_refused_with_the_reason() {
        for (name, reason) in [
            ("Content-Length", "derives it"),
            ("date", "writes it"),
            ("CONNECTION", "about the connection"),
            ("Transfer-Encoding", "derives it"),
            ("Vary", "compresses"),
            ("ETag", "from the file"),
            ("Location", "redirects"),
        ] {
            let error = error(&format!("{name}: x"));
            assert!(error.contains(&format!("{name} cannot be set")), "{error}");
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn a_name_is_there_once_in_whatever_case() {
        let field = |line: &str| line.parse::<Field>().expect("a field");
        let mut fields = Fields::default();
        fields.add(field("X-A: 1")).expect("the first");
        fields.add(field("X-B: 2")).expect("another");
        assert_eq!(fields.add(field("x-a: 3")), Err(FieldError::Twice("x-a".into())));
        let mut others = Fields::default();
        others.add(field("x-a: 3")).expect("the first");
        fields.override_with(&others);
        let all: Vec<_> = fields.iter().map(|field| (field.name(), field.value())).collect();
        assert_eq!(all, [("X-B", "2"), ("x-a", "3")]);
    }

    #[test]
    fn all_fields_together_have_a_limit() {
        let mut fields = Fields::default();
        let value = "x".repeat(MAX_FIELD_BYTES - 7);
        fields.add(Field::new("X-A", &value).expect("a field")).expect("the first");
        assert_eq!(fields.check_length(), Ok(()));
        fields.add(Field::new("X-B", "").expect("a field")).expect("another");
        assert_eq!(fields.check_length(), Err(FieldError::TooLong(MAX_FIELD_BYTES + 7)));
    }
}
