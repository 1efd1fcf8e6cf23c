//! SYN cookies (RFC 4987 section 3.6): the handshake without a byte of state.
//!
//! The initial sequence number carries what has to be remembered of the SYN, and a keyed MAC over
//! that, the connection and a coarse time:
//!
//! | bits | what |
//! |---|---|
//! | 31..29 | index of the MSS in [`MSS`] |
//! | 28..25 | the client's window shift, 15 if it does not scale |
//! | 24 | whether the client takes SACK |
//! | 23..0 | MAC (SipHash-2-4, cut) |
//!
//! Linux keeps 24 bits of MAC as well (`net/ipv4/syncookies.c`).

use zeroserve_shared::flow::FlowKey;

use crate::{siphash, wire::options::Options};

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
}

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
    (carried as u32) << 24 | mac(key, flow, client_sequence, slot, carried)
}

/// What a cookie says, if it was made for this connection in this slot or the one before.
#[inline(always)]
pub fn check(
    key: [u64; 2],
    flow: &FlowKey,
    client_sequence: u32,
    slot: u32,
    cookie: u32,
) -> Option<Remembered> {
    let carried = (cookie >> 24) as u8;
    let found = cookie & 0xff_ffff;
    if mac(key, flow, client_sequence, slot, carried) != found
        && mac(key, flow, client_sequence, slot.wrapping_sub(1), carried) != found
    {
        return None;
    }
    let shift = carried >> 1 & 0xf;
    Some(Remembered {
        mss: mss(carried >> 5),
        window_shift: if shift == NO_SCALING { None } else { Some(shift) },
        sack: carried & 1 != 0,
    })
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

/// Both VLAN identifiers, 12 bits each.
#[inline(always)]
fn vlans(flow: &FlowKey) -> u64 {
    let [outer, inner] = flow.vlans;
    (u16::from_be_bytes(outer) as u64 & 0xfff) << 12 | u16::from_be_bytes(inner) as u64 & 0xfff
}

#[inline(always)]
fn mac(key: [u64; 2], flow: &FlowKey, client_sequence: u32, slot: u32, carried: u8) -> u32 {
    let word = |bytes: &[u8; 16], at: usize| {
        u64::from_le_bytes([
            bytes[at],
            bytes[at + 1],
            bytes[at + 2],
            bytes[at + 3],
            bytes[at + 4],
            bytes[at + 5],
            bytes[at + 6],
            bytes[at + 7],
        ])
    };
    let ports = u16::from_le_bytes(flow.remote_port) as u64
        | (u16::from_le_bytes(flow.local_port) as u64) << 16;
    let words = [
        word(&flow.remote, 0),
        word(&flow.remote, 8),
        word(&flow.local, 0),
        word(&flow.local, 8),
        ports | (client_sequence as u64) << 32,
        slot as u64 | (carried as u64) << 32 | vlans(flow) << 40,
    ];
    siphash::hash(key, &words) as u32 & 0xff_ffff
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
        ) {
            let options = Options { mss, window_shift: shift, scales, sack };
            let cookie = make(KEY, &flow(), sequence, slot, &options);
            let expected = Remembered {
                mss: *MSS.iter().rev().find(|known| **known <= mss).unwrap(),
                window_shift: scales.then_some(shift),
                sack,
            };
            for later in 0..2 {
                let slot = slot.wrapping_add(later);
                prop_assert_eq!(check(KEY, &flow(), sequence, slot, cookie), Some(expected));
            }
            prop_assert_eq!(check(KEY, &flow(), sequence, slot.wrapping_add(2), cookie), None);
        }
    }

    /// The MAC has 24 bits, so a wrong cookie passes once in eight million tries (two slots).
    /// With these fixed inputs none does.
    #[test]
    fn a_cookie_is_worthless_for_anything_else() {
        let options = Options { mss: 1460, window_shift: 7, scales: true, sack: true };
        for sequence in 0..1000 {
            let cookie = make(KEY, &flow(), sequence, 9, &options);
            let mut other = flow();
            other.remote_port = [0x9c, 0x41];
            assert_eq!(check(KEY, &other, sequence, 9, cookie), None, "port");
            let mut other = flow();
            other.remote[15] ^= 1;
            assert_eq!(check(KEY, &other, sequence, 9, cookie), None, "address");
            assert_eq!(check(KEY, &flow(), sequence ^ 1, 9, cookie), None, "sequence");
            assert_eq!(check(KEY, &flow(), sequence, 8, cookie), None, "from the future");
            assert_eq!(check([1, 3], &flow(), sequence, 9, cookie), None, "key");
            for bit in 0..32 {
                assert_eq!(check(KEY, &flow(), sequence, 9, cookie ^ 1 << bit), None, "bit {bit}");
            }
        }
    }
}
