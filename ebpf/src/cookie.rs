//! SYN cookies (RFC 4987 section 3.6): the handshake without a byte of state.
//!
//! The initial sequence number carries what has to be remembered of the SYN, and the sum of the
//! client's own initial sequence number and a keyed MAC over the rest, the connection and a coarse
//! time. So the client's number can be read back from whatever segment comes, also from one that
//! overtook the first, or probes an idle connection:
//!
//! | bits | what |
//! |---|---|
//! | 31..29 | index of the MSS in [`MSS`] |
//! | 28..25 | the client's window shift, 15 if it does not scale |
//! | 24 | whether the client takes SACK |
//! | 23..0 | MAC (SipHash-2-4, cut) and a multiple of the client's initial sequence number, added |
//!
//! Linux keeps 24 bits of MAC as well, and adds the number (`net/ipv4/syncookies.c`). Here it is
//! multiplied first, because otherwise a segment later in the connection would look exact if both
//! sides had sent as many bytes.

use zeroserve_shared::{config::Address, flow::FlowKey};

use crate::{siphash::State, wire::options::Options, words};

/// The MSS values a cookie can carry, ascending. The smallest is Linux's own floor
/// (`TCP_MIN_MSS`); the others are those of Ethernet, of common tunnels and of the minimum MTU.
pub const MSS: [u16; 8] = [88, 536, 1220, 1340, 1400, 1420, 1440, 1460];

/// How long a slot of the coarse time lasts, in seconds. A cookie is valid for one to two slots.
/// That is longer than elsewhere (Linux has one to two minutes), because a cookie is redeemed by
/// the first request and not by the handshake, and browsers open connections ahead of need.
pub const SLOT_S: u32 = 256;

/// The window shift that means "does not scale".
const NO_SCALING: u8 = 15;

/// The largest shift (RFC 7323 section 2.3).
const MAX_SHIFT: u8 = 14;

/// What a cookie remembers of the client's SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Largest payload the client takes, in bytes, rounded down to one of [`MSS`].
    pub mss: u16,
    /// Shift of the client's window, if it scales.
    pub window_shift: Option<u8>,
    /// Whether the client takes SACK.
    pub sack: bool,
    /// How far the segment's sequence number is ahead of the first one after the SYN; negative if
    /// it is behind.
    pub ahead: i32,
}

/// How far from the first sequence number a segment may be to count as one of the connection, in
/// bytes. Two in a thousand segments that have nothing to do with a cookie are as near by chance.
pub const NEAR: i32 = 1 << 14;

/// The cookie for a SYN: the initial sequence number of the answer.
///
/// `client_sequence` is the SYN's own sequence number, `slot` the time in units of [`SLOT_S`].
#[inline(always)]
pub fn make(
    key: [u64; 2],
    flow: &FlowKey,
    client_sequence: u32,
    slot: u32,
    options: &Options,
) -> u32 {
    let carried = carry(options);
    let sum = mac(key, flow, slot, carried).wrapping_add(client_sequence.wrapping_mul(MULTIPLIER));
    (carried as u32) << 24 | sum & MAC_BITS
}

/// What a cookie says, if it was made for this connection in this slot or the one before, and the
/// sequence number is at most [`NEAR`] that of the SYN.
///
/// `sequence` is the segment's, less one. It is exact if [`Remembered::ahead`] is zero, and only
/// then is the client known to have got the cookie, up to a chance of one in eight million.
#[inline(always)]
pub fn check(
    key: [u64; 2],
    flow: &FlowKey,
    sequence: u32,
    slot: u32,
    cookie: u32,
) -> Option<Remembered> {
    let carried = (cookie >> 24) as u8;
    let now = ahead(cookie, mac(key, flow, slot, carried), sequence);
    // Most are exact, and of this slot.
    let ahead = if now == 0 {
        now
    } else {
        let before = ahead(cookie, mac(key, flow, slot.wrapping_sub(1), carried), sequence);
        if before.unsigned_abs() < now.unsigned_abs() { before } else { now }
    };
    if ahead.abs() > NEAR {
        return None;
    }
    let shift = carried >> 1 & 0xf;
    Some(Remembered {
        mss: mss(carried >> 5),
        window_shift: if shift == NO_SCALING { None } else { Some(shift) },
        sack: carried & 1 != 0,
        ahead,
    })
}

/// The bits of a cookie that the MAC and the client's number share.
const MAC_BITS: u32 = 0xff_ffff;

/// Spreads the client's number over all bits: 2^24 divided by the golden ratio, made odd.
const MULTIPLIER: u32 = 0x9e_3779;

/// What undoes [`MULTIPLIER`], modulo 2^24.
const INVERSE: u32 = {
    // Newton's iteration doubles the bits that are right, of which an odd number has three.
    let mut inverse = MULTIPLIER;
    let mut step = 0;
    while step < 4 {
        inverse = inverse.wrapping_mul(2u32.wrapping_sub(MULTIPLIER.wrapping_mul(inverse)));
        step += 1;
    }
    inverse & MAC_BITS
};

const _: () = assert!(MULTIPLIER.wrapping_mul(INVERSE) & MAC_BITS == 1);

/// How far a sequence number is ahead of the one in a cookie, as far as 24 bits tell.
#[inline(always)]
fn ahead(cookie: u32, mac: u32, sequence: u32) -> i32 {
    let made_for = cookie.wrapping_sub(mac).wrapping_mul(INVERSE);
    (sequence.wrapping_sub(made_for) << 8) as i32 >> 8
}

#[inline(always)]
fn carry(options: &Options) -> u8 {
    let mut index = 0;
    // Unrolled by hand: an array in read-only data would need a map of its own.
    index += (options.mss >= MSS[1]) as u8;
    index += (options.mss >= MSS[2]) as u8;
    index += (options.mss >= MSS[3]) as u8;
    index += (options.mss >= MSS[4]) as u8;
    index += (options.mss >= MSS[5]) as u8;
    index += (options.mss >= MSS[6]) as u8;
    index += (options.mss >= MSS[7]) as u8;
    let shift = if !options.scales {
        NO_SCALING
    } else if options.window_shift > MAX_SHIFT {
        MAX_SHIFT
    } else {
        options.window_shift
    };
    index << 5 | shift << 1 | options.sack as u8
}

#[inline(always)]
const fn mss(index: u8) -> u16 {
    match index & 7 {
        0 => MSS[0],
        1 => MSS[1],
        2 => MSS[2],
        3 => MSS[3],
        4 => MSS[4],
        5 => MSS[5],
        6 => MSS[6],
        _ => MSS[7],
    }
}

/// Both VLAN identifiers.
#[inline(always)]
fn vlans(flow: &FlowKey) -> u64 {
    let [[a, b], [c, d]] = flow.vlans;
    u32::from_le_bytes([a, b, c, d]).into()
}

/// The MAC, over two words in most cases: each takes its time, and a connection needs three MACs. IPv4 needs
/// one for both addresses, and VLANs have one if there are any; how many there are tells these cases apart.
#[inline(always)]
fn mac(key: [u64; 2], flow: &FlowKey, slot: u32, carried: u8) -> u32 {
    let (remote, local) = (words_of(&flow.remote), words_of(&flow.local));
    let ports = u16::from_le_bytes(flow.remote_port) as u64
        | (u16::from_le_bytes(flow.local_port) as u64) << 16;
    let mut state = State::new(key);
    let mut count = 2;
    if is_mapped(&remote) && is_mapped(&local) {
        state.block(remote[1] >> 32 | local[1] & 0xffff_ffff_0000_0000);
    } else {
        state.block(remote[0]);
        state.block(remote[1]);
        state.block(local[0]);
        state.block(local[1]);
        count += 3;
    }
    // 24 bits of slots are more than a hundred years.
    state.block(ports | (slot as u64 & 0xff_ffff) << 32 | (carried as u64) << 56);
    let vlans = vlans(flow);
    if vlans != 0 {
        state.block(vlans);
        count += 1;
    }
    state.finish(count) as u32 & MAC_BITS
}

/// An address as two words.
#[inline(always)]
fn words_of(address: &Address) -> [u64; 2] {
    let address = address.as_ptr();
    // SAFETY: an address has sixteen bytes.
    unsafe { [words::load(address), words::load(address.add(8))] }
}

/// Whether an address is one of IPv4.
#[inline(always)]
const fn is_mapped(address: &[u64; 2]) -> bool {
    address[0] == 0 && address[1] as u32 == 0xffff_0000
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zeroserve_shared::config::mapped;

    use super::*;

    const KEY: [u64; 2] = [1, 2];

    fn flow() -> FlowKey {
        FlowKey {
            remote: mapped([198, 18, 0, 2]),
            local: mapped([198, 18, 0, 1]),
            remote_port: [0x9c, 0x40],
            local_port: [0, 80],
            vlans: [[0; 2]; 2],
        }
    }

    proptest! {
        #[test]
        fn a_cookie_remembers_the_syn_for_two_slots(
            mss in 88u16.., shift in 0u8..=14, scales: bool, sack: bool, sequence: u32, slot: u32,
            ahead in -NEAR..=NEAR,
        ) {
            let options = Options { mss, window_shift: shift, scales, sack, timestamp: 0 };
            let cookie = make(KEY, &flow(), sequence, slot, &options);
            let expected = Remembered {
                mss: *MSS.iter().rev().find(|known| **known <= mss).unwrap(),
                window_shift: scales.then_some(shift),
                sack,
                ahead,
            };
            let sequence = sequence.wrapping_add_signed(ahead);
            // The other slot's MAC might be nearer by chance, one time in some hundreds.
            for later in 0..2 {
                let found = check(KEY, &flow(), sequence, slot.wrapping_add(later), cookie);
                prop_assert!(found.is_some());
                prop_assert!(found == Some(expected) || ahead != 0);
            }
        }
    }

    #[test]
    fn a_cookie_is_forgotten_after_two_slots() {
        let options =
            Options { mss: 1460, window_shift: 7, scales: true, sack: true, timestamp: 0 };
        let cookie = make(KEY, &flow(), 5, 9, &options);
        assert_eq!(check(KEY, &flow(), 5, 11, cookie), None);
    }

    #[test]
    fn a_segment_that_overtook_the_first_one_is_known_to_have_done_so() {
        let options =
            Options { mss: 1460, window_shift: 7, scales: true, sack: true, timestamp: 0 };
        for first in [0, 77, u32::MAX] {
            let cookie = make(KEY, &flow(), first, 9, &options);
            let ahead = |sequence| check(KEY, &flow(), sequence, 9, cookie).map(|got| got.ahead);
            assert_eq!(ahead(first.wrapping_add(1460)), Some(1460));
            assert_eq!(ahead(first.wrapping_sub(1)), Some(-1));
            assert_eq!(ahead(first.wrapping_add(1 << 20)), None);
        }
    }

    #[test]
    fn a_segment_later_in_the_connection_is_not_taken_for_the_first() {
        let options =
            Options { mss: 1460, window_shift: 7, scales: true, sack: true, timestamp: 0 };
        let cookie = make(KEY, &flow(), 5, 9, &options);
        for bytes in 1..5000 {
            let later = check(KEY, &flow(), 5 + bytes, 9, cookie.wrapping_add(bytes));
            assert!(later.is_none_or(|found| found.ahead != 0), "{bytes}");
        }
    }

    /// The MAC has 24 bits, so a wrong cookie is exact once in eight million tries (two slots).
    /// With these fixed inputs none is.
    #[test]
    fn a_cookie_is_worthless_for_anything_else() {
        let options =
            Options { mss: 1460, window_shift: 7, scales: true, sack: true, timestamp: 0 };
        for sequence in 0..1000 {
            let cookie = make(KEY, &flow(), sequence, 9, &options);
            let exact = |key, flow: &FlowKey, sequence, slot, cookie| {
                check(key, flow, sequence, slot, cookie).is_some_and(|found| found.ahead == 0)
            };
            assert!(exact(KEY, &flow(), sequence, 9, cookie));
            let mut other = flow();
            other.remote_port = [0x9c, 0x41];
            assert!(!exact(KEY, &other, sequence, 9, cookie), "port");
            let mut other = flow();
            other.remote[15] ^= 1;
            assert!(!exact(KEY, &other, sequence, 9, cookie), "address");
            let mut other = flow();
            other.vlans[0] = [0, 7];
            assert!(!exact(KEY, &other, sequence, 9, cookie), "VLAN");
            assert!(!exact(KEY, &flow(), sequence ^ 1, 9, cookie), "sequence");
            assert!(!exact(KEY, &flow(), sequence, 8, cookie), "from the future");
            assert!(!exact([1, 3], &flow(), sequence, 9, cookie), "key");
            for bit in 0..32 {
                assert!(!exact(KEY, &flow(), sequence, 9, cookie ^ 1 << bit), "bit {bit}");
            }
        }
    }
}
