//! Bytes that are read and put together eight at a time.
//!
//! A request is read a word at a time where most of it means nothing. So is a short text that
//! matters, such as the name of a field: it is put together in a [`Text`] and compared in words.

use crate::{
    bounds::opaque,
    words::{load, store},
};

/// Bytes of a [`Window`], a power of two, so that an index can be masked.
pub const WINDOW_BYTES: usize = 4096;

/// Bytes that are read eight at a time, from anywhere in them.
#[repr(C, align(8))]
pub struct Window {
    /// The bytes.
    pub bytes: [u8; WINDOW_BYTES],
    /// What a word may reach into that begins with the last of them. It means nothing.
    pub beyond: u64,
    /// How many of them have been read.
    pub at: u32,
    /// How many there are.
    pub end: u32,
    /// How many may be read.
    pub(super) stop: u32,
    /// Keeps the layout free of padding.
    reserved: u32,
}

impl Window {
    /// All zero.
    pub const EMPTY: Self =
        Self { bytes: [0; WINDOW_BYTES], beyond: 0, at: 0, end: 0, stop: 0, reserved: 0 };

    /// Begins anew, with so many bytes.
    #[inline(always)]
    pub const fn begin(&mut self, bytes: u32) {
        self.at = 0;
        self.end = bytes;
    }

    /// Whether all have been read.
    #[inline(always)]
    pub const fn is_over(&self) -> bool {
        self.at >= self.end
    }

    /// Makes the eight bytes from `at` on zero.
    #[inline(always)]
    pub fn clear_word(&mut self, at: u32) {
        let at = opaque(u64::from(at)) as usize & (WINDOW_BYTES - 1);
        // SAFETY: as for `word`.
        unsafe { store(core::ptr::from_mut(self).cast::<u8>().add(at), 0) };
    }

    /// The eight bytes from `at` on, the first of them lowest.
    #[inline(always)]
    pub fn word(&self, at: u32) -> u64 {
        let at = opaque(u64::from(at)) as usize & (WINDOW_BYTES - 1);
        // SAFETY: `at` is an index into `bytes`, and eight more bytes follow those in `beyond`.
        unsafe { load(core::ptr::from_ref(self).cast::<u8>().add(at)) }
    }
}

/// Characters that a [`Text`] has room for.
pub(super) const TEXT_BYTES: usize = 64;

/// A short text that is put together eight bytes at a time, zeros behind it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    /// The bytes, in words, the first of each lowest; the last is room to write into.
    pub words: [u64; TEXT_BYTES / 8 + 1],
}

impl Text {
    /// Nothing.
    pub const EMPTY: Self = Self { words: [0; TEXT_BYTES / 8 + 1] };

    /// Forgets it.
    #[inline(always)]
    pub fn clear(&mut self) {
        for word in &mut self.words {
            // SAFETY: it is a reference. Volatile, or the compiler would make it a call of its own
            // `memset`, which writes byte by byte.
            unsafe { core::ptr::from_mut(word).write_volatile(0) };
        }
    }

    /// Puts eight bytes where the text has zeros.
    #[inline(always)]
    pub fn put(&mut self, at: u32, word: u64) {
        let at = opaque(u64::from(at)) as usize & (TEXT_BYTES - 1);
        // SAFETY: `at` is an index into the text, and eight more bytes follow the text.
        unsafe { store(core::ptr::from_mut(self).cast::<u8>().add(at), word) };
    }

    /// The byte at `at`.
    #[inline(always)]
    pub fn byte(&self, at: u32) -> u8 {
        let at = opaque(u64::from(at)) as usize & (TEXT_BYTES - 1);
        // SAFETY: `at` is an index into the text.
        unsafe { *core::ptr::from_ref(self).cast::<u8>().add(at) }
    }

    /// The eight bytes from `at` on, the first of them lowest.
    #[inline(always)]
    pub fn word(&self, at: u32) -> u64 {
        let at = opaque(u64::from(at)) as usize & (TEXT_BYTES - 1);
        // SAFETY: as for `put`.
        unsafe { load(core::ptr::from_ref(self).cast::<u8>().add(at)) }
    }
}

/// At most eight characters as a word.
pub(super) const fn word(text: &[u8]) -> u64 {
    assert!(text.len() <= 8);
    words(text)[0]
}

/// At most 24 characters as words.
pub(super) const fn words(text: &[u8]) -> [u64; 3] {
    let mut words = [0; 3];
    let mut index = 0;
    while index < text.len() {
        words[index / 8] |= (text[index] as u64) << (8 * (index % 8));
        index += 1;
    }
    words
}
