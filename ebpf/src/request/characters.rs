//! Classes of characters.

/// The value of a hexadecimal digit; more than 15 if it is none.
#[inline(always)]
pub(super) const fn hexadecimal(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        _ => 0xff,
    }
}

/// The characters of a token (RFC 9110 section 5.6.2), a bit for each from 0x20 on.
const TOKEN: [u64; 2] = token_bits();

const fn token_bits() -> [u64; 2] {
    let mut bits = [0u64; 2];
    let punctuation = b"!#$%&'*+-.^_`|~";
    let mut byte = 0u8;
    while byte < 128 {
        let mut member = byte.is_ascii_alphanumeric();
        let mut index = 0;
        while index < punctuation.len() {
            member |= punctuation[index] == byte;
            index += 1;
        }
        if member {
            bits[byte as usize / 64] |= 1 << (byte % 64);
        }
        byte += 1;
    }
    bits
}

/// Whether a character may stand in a token.
#[inline(always)]
pub(super) const fn is_token(byte: u8) -> bool {
    let bits = if byte < 64 { TOKEN[0] } else { TOKEN[1] };
    byte < 128 && bits >> (byte & 63) & 1 != 0
}
