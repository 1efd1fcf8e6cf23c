//! What the driver of an interface counts by itself (`ethtool -S`), in the network namespace of the
//! calling thread.
//!
//! Every driver has names of its own. Counters of queues are summed up, because a card with a
//! hundred queues would fill screens.

use std::{
    collections::BTreeMap,
    io, mem,
    os::fd::{AsRawFd as _, OwnedFd},
};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

/// `ETHTOOL_GSTRINGS`, `ETHTOOL_GSTATS` and `ETHTOOL_GSSET_INFO` of `linux/ethtool.h`.
const GET_STRINGS: u32 = 0x1b;
const GET_STATS: u32 = 0x1d;
const GET_SET_INFO: u32 = 0x37;

/// `ETH_SS_STATS`: the set of strings that names the counters.
const STATS: u32 = 1;

/// `ETH_GSTRING_LEN`.
const NAME_BYTES: usize = 32;

/// A driver that has more counters than this is not asked.
const MOST: usize = 16_384;

/// Counters for which there is room besides those that the driver has: the kernel does not look how
/// much there is, and queues may be added between two questions.
const SPARE: usize = 4_096;

/// The counters of an interface by name, those of queues summed up; none where the driver has none.
///
/// # Errors
///
/// Where the kernel refuses.
pub fn counters(interface: &str) -> io::Result<Vec<(String, u64)>> {
    let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    // Command and a reserved word, the mask of sets, and the length of the only one asked for.
    let mut info = [pair(GET_SET_INFO, 0), 1 << STATS, 0];
    ask(&socket, interface, &mut info)?;
    let count = if info[1] == 0 { 0 } else { info[2] as u32 as usize };
    if count == 0 || count > MOST {
        return Ok(Vec::new());
    }
    let room = count + SPARE;
    // Command and set, count and names; these begin in the middle of a word.
    let mut names = vec![0; 2 + room * NAME_BYTES / size_of::<u64>()];
    names[0] = pair(GET_STRINGS, STATS);
    ask(&socket, interface, &mut names)?;
    let names: Vec<u8> = names.iter().flat_map(|word| word.to_ne_bytes()).skip(12).collect();
    // Command and count, and the values.
    let mut values = vec![0; 1 + room];
    values[0] = pair(GET_STATS, count as u32);
    ask(&socket, interface, &mut values)?;
    let names = names.chunks(NAME_BYTES).take(count).map(name);
    Ok(summed(names.zip(values.into_iter().skip(1))))
}

/// Two words of 32 bits, the first at the lower address.
fn pair(first: u32, second: u32) -> u64 {
    let [a, b, c, d] = first.to_ne_bytes();
    let [e, f, g, h] = second.to_ne_bytes();
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
}

fn ask(socket: &OwnedFd, interface: &str, question: &mut [u64]) -> io::Result<()> {
    // SAFETY: the struct consists of integers and a union of integers and pointers, for which zero
    // is valid.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    // The last byte stays zero.
    let room = request.ifr_name.len() - 1;
    for (place, byte) in request.ifr_name.iter_mut().zip(interface.bytes().take(room)) {
        *place = byte as libc::c_char;
    }
    request.ifr_ifru.ifru_data = question.as_mut_ptr().cast();
    // SAFETY: `request` is a live `ifreq` whose data is a live buffer. It is larger than what the
    // kernel writes: three words for the number of counters, and else what that many counters take,
    // and `SPARE` more.
    let outcome = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) };
    if outcome < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn name(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).trim().to_owned()
}

/// With the counters of all queues under one name.
fn summed(counters: impl Iterator<Item = (String, u64)>) -> Vec<(String, u64)> {
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for (name, value) in counters {
        // No counter but the number of the interface at the other end of a veth pair.
        if name.is_empty() || name == "peer_ifindex" {
            continue;
        }
        let sum = sums.entry(without_queue(&name)).or_default();
        *sum = sum.wrapping_add(value);
    }
    sums.into_iter().collect()
}

/// `rx_queue_3_drops` and `rx3_drops` are one of many, `rx_64_bytes` is not.
fn without_queue(name: &str) -> String {
    const QUEUES: [&str; 9] = ["rx", "tx", "queue", "q", "rxq", "txq", "ring", "ch", "cpu"];
    let mut before = "";
    let parts = name.split('_').map(|part| {
        let word = part.trim_end_matches(|c: char| c.is_ascii_digit());
        let is_number = word.is_empty() && !part.is_empty();
        let numbered = word.len() < part.len() && QUEUES.contains(&word);
        let of_queue = is_number && ["queue", "q", "ring", "ch", "cpu"].contains(&before);
        before = part;
        match (numbered, of_queue) {
            (true, _) => format!("{word}*"),
            (_, true) => "*".to_owned(),
            _ => part.to_owned(),
        }
    });
    parts.collect::<Vec<_>>().join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_queues_are_summed_up_and_others_kept_apart() {
        let counters = [
            ("rx_queue_0_drops", 1),
            ("rx_queue_11_drops", 2),
            ("tx3_bytes", 4),
            ("tx14_bytes", 8),
            ("rx_64_bytes", 16),
            ("rx_128_bytes", 32),
            ("peer_ifindex", 7),
        ];
        let counters = counters.map(|(name, value)| (name.to_owned(), value));
        let expected =
            [("rx_128_bytes", 32), ("rx_64_bytes", 16), ("rx_queue_*_drops", 3), ("tx*_bytes", 12)];
        let expected = expected.map(|(name, value)| (name.to_owned(), value));
        assert_eq!(summed(counters.into_iter()), expected);
    }

    #[test]
    fn an_interface_that_is_not_there_is_an_error() {
        assert!(counters("no-such-thing").is_err());
        assert!(counters("a-name-that-is-far-too-long-for-one").is_err());
    }
}
