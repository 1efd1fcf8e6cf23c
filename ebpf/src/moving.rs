//! The parts of a head that are not stored but written when it is sent.
//!
//! [`MovingText`] is the value of `Date`, or of `Age`, and, behind it, the field `Connection`;
//! [`Text`] also holds what a partial response says of itself. Both have a fixed place and length (see
//! `zeroserve_shared::response`), so whatever is stored around them is stored once.

use zeroserve_shared::response::{
    CONNECTION, CONNECTION_BYTES, DATE_BYTES, MOVING_BYTES, PART_BYTES, PART_LINE_BYTES,
};

use crate::date;

/// Room for a text, then zeros, so that any part of it can be copied within bounds.
pub const TEXT_BYTES: usize = 256;

/// A text that is copied into segments, and its sum.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    /// The sum of its bytes, as [`checksum`](crate::checksum) has it.
    pub sum: u32,
    /// Keeps what follows aligned.
    pub reserved: u32,
    /// The bytes, then zeros.
    pub bytes: [u8; TEXT_BYTES],
}

impl Text {
    /// Nothing.
    pub const EMPTY: Self = Self { sum: 0, reserved: 0, bytes: [0; TEXT_BYTES] };

    /// Works out the sum of the first `length` bytes, of half the room at most; the byte behind
    /// them is zero. A function of its own with a loop, because unrolled it needs a lot of stack.
    #[inline(never)]
    fn set_sum(&mut self, length: usize) {
        let mut sum = 0;
        let mut at = 0;
        while at < TEXT_BYTES / 2 {
            if at >= length {
                break;
            }
            sum += u16::from_ne_bytes([self.bytes[at], self.bytes[at + 1]]) as u32;
            at += 2;
        }
        self.sum = sum;
    }
}

/// The moving part. Kept per CPU, because writing one out costs more than copying it and most
/// responses of a second are of the same second.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MovingText {
    /// The time it says, seconds since the Unix epoch; or an age in seconds.
    pub seconds: u32,
    /// [`CLOSES`] and [`AGES`].
    pub kind: u32,
    /// The text.
    pub text: Text,
}

/// It says `close`.
pub const CLOSES: u32 = 1;
/// It says an age.
pub const AGES: u32 = 2;

/// The most an age can say, in seconds: three years. No response is that old.
const MOST_AGE_S: u32 = 99_999_999;

impl MovingText {
    /// Writes out a time or an age, and what becomes of the connection.
    #[inline(always)]
    pub fn set(&mut self, seconds: u32, kind: u32) {
        if kind & AGES != 0 {
            let mut at = 0;
            while at < DATE_BYTES {
                self.text.bytes[at] = b' ';
                at += 1;
            }
            let age_s = if seconds < MOST_AGE_S { seconds } else { MOST_AGE_S };
            digits(&mut self.text.bytes, DATE_BYTES, age_s);
        } else {
            date::write(&mut self.text.bytes, seconds);
        }
        copy::<{ CONNECTION.len() }>(&mut self.text.bytes, DATE_BYTES, CONNECTION);
        let value = if kind & CLOSES != 0 { b"     close" } else { b"keep-alive" };
        copy::<CONNECTION_BYTES>(&mut self.text.bytes, DATE_BYTES + CONNECTION.len(), value);
        self.text.set_sum(MOVING_BYTES);
        self.seconds = seconds;
        self.kind = kind;
    }
}

/// Writes out the lines of a partial response (RFC 9110 sections 8.6 and 14.4): that it brings the
/// bytes from `first` on, `bytes` of them, at least one, of a body of `total`.
#[inline(always)]
pub fn set_part(text: &mut Text, first: u32, bytes: u32, total: u32) {
    let [line_1, line_2] = PART_LINE_BYTES;
    let mut at = 0;
    while at < PART_BYTES {
        text.bytes[at] = b' ';
        at += 1;
    }
    copy::<15>(&mut text.bytes, 0, b"Content-Length:");
    digits(&mut text.bytes, line_1, bytes);
    copy::<16>(&mut text.bytes, line_1, b"\r\nContent-Range:");
    let end = digits(&mut text.bytes, line_1 + 2 + line_2, total);
    let end = put_before(&mut text.bytes, end, b'/');
    let end = digits(&mut text.bytes, end, first + bytes - 1);
    let end = put_before(&mut text.bytes, end, b'-');
    let end = digits(&mut text.bytes, end, first);
    let start = end.wrapping_sub(6) & (TEXT_BYTES - 1);
    copy_at::<6>(&mut text.bytes, start, b"bytes ");
    text.set_sum(PART_BYTES);
}

const _: () = assert!(PART_LINE_BYTES[0] + 2 + PART_LINE_BYTES[1] == PART_BYTES);

/// Most digits of a number here: no body has more bytes than eight digits can say.
const MOST_DIGITS: usize = 8;

/// Writes a number so that it ends before `end`, and says where it begins. A function of its own,
/// because three copies of it would need more stack than there is.
#[inline(never)]
fn digits(text: &mut [u8; TEXT_BYTES], end: usize, number: u32) -> usize {
    let mut rest = number;
    let mut at = end;
    let mut written = 0;
    while written < MOST_DIGITS {
        at = put_before(text, at, b'0' + (rest % 10) as u8);
        rest /= 10;
        if rest == 0 {
            break;
        }
        written += 1;
    }
    at
}

#[inline(always)]
fn put_before(text: &mut [u8; TEXT_BYTES], end: usize, byte: u8) -> usize {
    let at = end.wrapping_sub(1) & (TEXT_BYTES - 1);
    text[at] = byte;
    at
}

#[inline(always)]
fn copy<const BYTES: usize>(text: &mut [u8; TEXT_BYTES], at: usize, bytes: &[u8; BYTES]) {
    let mut index = 0;
    while index < BYTES {
        text[at + index] = bytes[index];
        index += 1;
    }
}

#[inline(always)]
fn copy_at<const BYTES: usize>(text: &mut [u8; TEXT_BYTES], at: usize, bytes: &[u8; BYTES]) {
    let mut index = 0;
    while index < BYTES {
        text[(at + index) & (TEXT_BYTES - 1)] = bytes[index];
        index += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EMPTY: MovingText = MovingText { seconds: 0, kind: 0, text: Text::EMPTY };

    fn sum(bytes: &[u8]) -> u32 {
        let word = |word: &[u8]| u32::from(u16::from_ne_bytes([word[0], word[1]]));
        bytes.chunks(2).map(word).sum()
    }

    fn part(first: u32, bytes: u32, total: u32) -> Text {
        let mut text = Text::EMPTY;
        set_part(&mut text, first, bytes, total);
        text
    }

    #[test]
    fn the_moving_part_says_when_and_whether_the_connection_ends() {
        let mut moving = EMPTY;
        moving.set(784_111_777, 0);
        let expected = b"Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: keep-alive";
        assert_eq!(&moving.text.bytes[..MOVING_BYTES], expected);
        moving.set(784_111_777, CLOSES);
        let expected = b"Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection:      close";
        assert_eq!(&moving.text.bytes[..MOVING_BYTES], expected);
        assert_eq!((moving.seconds, moving.kind), (784_111_777, CLOSES));
    }

    #[test]
    fn the_moving_part_of_a_copy_says_how_old_it_is() {
        let mut moving = EMPTY;
        moving.set(0, AGES);
        let expected = b"                            0\r\nConnection: keep-alive";
        assert_eq!(&moving.text.bytes[..MOVING_BYTES], expected);
        moving.set(86_400, AGES | CLOSES);
        let expected = b"                        86400\r\nConnection:      close";
        assert_eq!(&moving.text.bytes[..MOVING_BYTES], expected);
        moving.set(u32::MAX, AGES);
        assert!(moving.text.bytes.starts_with(b"                     99999999\r\n"));
    }

    #[test]
    fn a_part_says_which_bytes_it_brings() {
        let text = part(0, 100, 1234);
        let expected =
            "Content-Length:      100\r\nContent-Range:                  bytes 0-99/1234";
        assert_eq!(std::str::from_utf8(&text.bytes[..PART_BYTES]), Ok(expected));
        let text = part(12_345_678, 54_321_012, 67_108_864);
        let expected =
            "Content-Length: 54321012\r\nContent-Range: bytes 12345678-66666689/67108864";
        assert_eq!(std::str::from_utf8(&text.bytes[..PART_BYTES]), Ok(expected));
    }

    proptest! {
        #[test]
        fn texts_carry_their_sums(unix_s: u32, kind in 0u32..4, first in 0u32..99_999, bytes in 1u32..99_999) {
            let mut moving = EMPTY;
            moving.set(unix_s, kind);
            prop_assert_eq!(moving.text.sum, sum(&moving.text.bytes));
            moving.set(unix_s, kind & CLOSES);
            let mut date = [0; DATE_BYTES];
            date::write(&mut date, unix_s);
            prop_assert!(moving.text.bytes.starts_with(&date));
            let text = part(first, bytes, first + bytes);
            prop_assert_eq!(text.sum, sum(&text.bytes));
        }
    }
}
