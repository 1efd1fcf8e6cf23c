//! One line of text that somebody is typing.

/// Text and where the next character goes, in characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Field {
    text: String,
    cursor: usize,
}

impl Field {
    /// A field with text in it, the cursor behind it.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { cursor: text.chars().count(), text }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Where the cursor is, in bytes of the text.
    pub(crate) fn cursor_byte(&self) -> usize {
        self.byte(self.cursor)
    }

    /// Puts text at the cursor, less its control characters: pasted text ends in newlines.
    pub(crate) fn insert(&mut self, text: &str) {
        for character in text.chars().filter(|c| !c.is_control()) {
            self.text.insert(self.byte(self.cursor), character);
            self.cursor += 1;
        }
    }

    /// Removes the character before the cursor. Returns whether there was one.
    pub(crate) fn backspace(&mut self) -> bool {
        if self.cursor == 0 {
            return false;
        }
        self.cursor -= 1;
        self.text.remove(self.byte(self.cursor));
        true
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn left(&mut self) {
        self.cursor = self.cursor.saturating_sub(1);
    }

    pub(crate) fn right(&mut self) {
        self.cursor = (self.cursor + 1).min(self.text.chars().count());
    }

    pub(crate) fn home(&mut self) {
        self.cursor = 0;
    }

    pub(crate) fn end(&mut self) {
        self.cursor = self.text.chars().count();
    }

    fn byte(&self, character: usize) -> usize {
        self.text.char_indices().nth(character).map_or(self.text.len(), |(byte, _)| byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_edited_at_the_cursor_by_characters_not_bytes() {
        let mut field = Field::new("/grüße");
        field.left();
        field.backspace();
        field.insert("ss\n");
        assert_eq!((field.text(), field.cursor_byte()), ("/grüsse", "/grüss".len()));
        field.home();
        assert!(!field.backspace());
        field.right();
        field.insert("x");
        assert_eq!(field.text(), "/xgrüsse");
    }
}
