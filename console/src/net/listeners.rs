//! Who listens on a TCP port, in the network namespace of the calling thread.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::unix::ffi::OsStrExt,
};

/// A socket that listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListeningSocket {
    /// The address it listens on; unspecified for all.
    pub address: IpAddr,
    inode: u64,
}

/// Who listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The socket.
    pub socket: ListeningSocket,
    /// Name of a process that has it, where that can be known: only root can look into all.
    pub process: Option<String>,
}

/// The first socket that listens on a port for one of these addresses.
///
/// # Errors
///
/// Where the kernel's tables cannot be read.
pub fn socket(port: u16, addresses: &[IpAddr]) -> io::Result<Option<ListeningSocket>> {
    for table in ["tcp", "tcp6"] {
        let path = format!("/proc/thread-self/net/{table}");
        let text = match fs::read_to_string(path) {
            // Without IPv6 the kernel has no table of it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            text => text?,
        };
        let mut sockets = text.lines().filter_map(|line| parse(line, port));
        if let Some(found) = sockets.find(|one| serves(one.address, addresses)) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

impl ListeningSocket {
    /// Looks for a process that has the socket.
    pub fn with_process(self) -> Listener {
        Listener { socket: self, process: process(self.inode) }
    }
}

/// Whether a socket that listens on an address is reached at one of these. One on all IPv6
/// addresses may take IPv4 or not; that a packet will show.
fn serves(address: IpAddr, addresses: &[IpAddr]) -> bool {
    address.is_unspecified() || addresses.contains(&address.to_canonical())
}

/// Reads a line of the table, as in `proc_pid_net(5)`, if its socket listens on the port.
fn parse(line: &str, port: u16) -> Option<ListeningSocket> {
    /// `TCP_LISTEN` in the kernel's `net/tcp_states.h`.
    const LISTENING: &str = "0A";
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let [_, local, _, LISTENING, _, _, _, _, _, inode, ..] = fields[..] else {
        return None;
    };
    let (address, local_port) = local.split_once(':')?;
    if u16::from_str_radix(local_port, 16).ok()? != port {
        return None;
    }
    Some(ListeningSocket { address: address_from(address)?, inode: inode.parse().ok()? })
}

/// Reads an address: words of 32 bits in network byte order, each printed as a number of this
/// machine.
fn address_from(text: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let word = u32::from_str_radix(text.get(8 * at..8 * at + 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    };
    if text.len() == 8 {
        return Some(Ipv4Addr::from(word(0)?).into());
    }
    let words = [word(0)?, word(1)?, word(2)?, word(3)?];
    Some(Ipv6Addr::from(<[u8; 16]>::try_from(words.as_flattened()).ok()?).into())
}

/// The name of a process that has a socket open.
fn process(inode: u64) -> Option<String> {
    let socket = format!("socket:[{inode}]");
    let has_it = |process: &fs::DirEntry| {
        let files = fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        let mut links = files.filter_map(|file| fs::read_link(file.path()).ok());
        links.any(|link| link.as_os_str().as_bytes() == socket.as_bytes())
    };
    let is_process =
        |entry: &fs::DirEntry| entry.file_name().as_bytes().first().is_some_and(u8::is_ascii_digit);
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let owner = processes.filter(is_process).find(has_it)?;
    let name = fs::read_to_string(owner.path().join("comm")).ok()?;
    Some(name.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_kernels_table_is_read_by_port_and_state() {
        let listening = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0";
        let listener = parse(listening, 8080).expect("a listener");
        assert_eq!(listener.inode, 4711);
        assert!(listener.address.is_ipv4());
        assert_eq!(parse(listening, 8081), None);
        assert_eq!(parse(&listening.replace(" 0A ", " 01 "), 8080), None);
        assert_eq!(parse("  sl  local_address rem_address   st", 8080), None);
        if cfg!(target_endian = "little") {
            assert_eq!(listener.address, Ipv4Addr::LOCALHOST);
            let six = address_from("B80D01200000000000000000010000C6");
            assert_eq!(six, "2001:db8::c600:1".parse().ok());
        }
    }

    #[test]
    fn a_listener_of_this_process_is_found_by_name_at_its_address_only() {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
        let port = socket.local_addr().expect("an address").port();
        let at = |address: Ipv4Addr| super::socket(port, &[address.into()]).expect("a table");
        let found = at(Ipv4Addr::LOCALHOST).expect("a listener").with_process();
        let own = fs::read_to_string("/proc/self/comm").expect("a name");
        assert_eq!(found.process.as_deref(), Some(own.trim_end()));
        assert_eq!(at(Ipv4Addr::new(192, 0, 2, 1)), None);
    }
}
