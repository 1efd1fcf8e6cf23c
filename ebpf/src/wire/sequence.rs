//! Sequence numbers, which wrap (RFC 9293 section 3.4).

/// How far `a` is ahead of `b`; negative if it is behind.
#[inline(always)]
pub const fn distance(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b) as i32
}

/// Whether `a` comes after `b`.
#[inline(always)]
pub const fn after(a: u32, b: u32) -> bool {
    distance(a, b) > 0
}

/// The later of two sequence numbers.
#[inline(always)]
pub const fn later(a: u32, b: u32) -> u32 {
    if after(a, b) { a } else { b }
}

/// The earlier of two sequence numbers.
#[inline(always)]
pub const fn earlier(a: u32, b: u32) -> u32 {
    if after(a, b) { b } else { a }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_survives_the_wrap() {
        assert!(after(5, u32::MAX - 5));
        assert!(!after(u32::MAX - 5, 5));
        assert_eq!(distance(5, u32::MAX - 5), 11);
        assert_eq!(later(5, u32::MAX), 5);
        assert_eq!(earlier(5, u32::MAX), u32::MAX);
        assert!(!after(7, 7));
    }
}
