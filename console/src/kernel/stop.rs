//! Stopping a server: connections end before its programs are taken off their interface.
//!
//! The programs are told that they are about to be detached. From then on they take no new
//! connections, finish the answers in flight, and say with each that the connection ends; what the
//! server behind can take goes to it. Nothing reaches a connection that is idle, because an XDP
//! program sends only in answer to a packet. So it gets one: a segment as its client would send it to
//! ask whether the connection still lives, run through the program by `BPF_PROG_TEST_RUN`. The program
//! closes the flow and answers with a FIN, and that is sent to the client.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv6Addr},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use etherparse::{Ethernet2Header, PacketBuilder, SlicedPacket, TransportSlice};
use zeroserve_shared::{
    config::{Config, DRAINING},
    flow::{Flow, FlowKey, HANDED, SEATED},
    map::LINK,
    reason::Verdict,
};

use super::{
    absence::StopError,
    capabilities::{self, NotPermitted},
    clock, handoff,
    identity::surroundings,
    live::Live,
    maps::Raw,
    pins::{self, Lock},
    sys::{Link, Program},
};
use crate::net::{raw::RawSender, undo::Hold};

/// How often the flows are looked at.
const EVERY: Duration = Duration::from_millis(20);

/// How often an idle flow is tried to be closed, and at what distance: a FIN may get lost.
const ATTEMPTS: u32 = 5;
const ATTEMPT_EVERY: Duration = Duration::from_millis(200);

/// Answers of whose client nothing came for so long are not waited for.
const SILENCE_MS: u32 = 3000;

/// What was tried with an idle flow.
struct Attempt {
    times: u32,
    last: Instant,
    /// Whether a FIN was sent.
    has_closed: bool,
    /// Nothing is left to be done.
    is_over: bool,
}

/// Closes idle flows.
struct Closer {
    program: Program,
    sender: RawSender,
    attempts: HashMap<FlowKey, Attempt>,
}

impl Live {
    /// Takes the server off an interface and removes everything it had in the kernel. Clears away
    /// what is left of one that has died, too.
    ///
    /// # Errors
    ///
    /// See [`StopError`].
    pub fn stop(interface: &str) -> Result<(), StopError> {
        Self::stop_within(interface, Duration::ZERO).map(drop)
    }

    /// As [`Live::stop`], but lets connections end before, for so long at most: answers in flight are
    /// finished, what comes after is left to the server that listens or refused, idle clients are
    /// told. Says how many connections had not ended.
    ///
    /// # Errors
    ///
    /// See [`StopError`].
    pub fn stop_within(interface: &str, patience: Duration) -> Result<usize, StopError> {
        capabilities::check()?;
        let folder = pins::folder(interface);
        let Some(_lock) = Lock::acquire(&folder).map_err(|error| not_stopped(&folder, error))?
        else {
            let served = pins::served_interfaces().unwrap_or_default();
            return Err(StopError::NotAttached { interface: interface.to_owned(), served });
        };
        let mut open = 0;
        // Detached, not just unpinned, because another console may have the link open.
        if let Ok(link) = Link::open(&folder.join(LINK)) {
            let attached = link.state().is_ok_and(|state| state.if_index.is_some());
            if attached {
                if !patience.is_zero()
                    && let Ok(mut live) = Self::open(interface)
                {
                    open = live.drain(patience)?;
                }
                link.detach().with_context(|| format!("cannot detach from {interface}"))?;
            }
        }
        // After the XDP program, which relies on it.
        handoff::detach(&folder);
        pins::remove(&folder).map_err(|error| not_stopped(&folder, error))?;
        Ok(open)
    }

    /// Lets connections end, for so long at most, and says how many have not. A signal ends it.
    ///
    /// The caller holds the lock, and detaches the programs afterwards.
    fn drain(&mut self, patience: Duration) -> anyhow::Result<usize> {
        let signals = Hold::new();
        let state = self.link.state().context("cannot read the link")?;
        let interface = &self.identity.interface;
        // Where the interface is in another network namespace nothing can be sent through it.
        let mut closer = match surroundings(interface, state.program_id) {
            Some(_) => Some(Closer {
                program: Program::open(state.program_id).context("cannot open the program")?,
                sender: RawSender::open(interface).context("cannot send FINs to idle clients")?,
                attempts: HashMap::new(),
            }),
            None => None,
        };
        let began = Instant::now();
        loop {
            // Each time, because a command that was opening the server may have written it back.
            self.set_draining()?;
            let round = Instant::now();
            let flows = self.maps.read_flows(usize::MAX)?;
            let now_ms = clock::monotonic().as_millis() as u32;
            let mut open = 0;
            for (key, flow) in &flows {
                open += usize::from(is_open(key, flow, now_ms, closer.as_mut())?);
            }
            let is_over = open == 0 || began.elapsed() >= patience || signals.signal().is_some();
            if is_over {
                return Ok(open);
            }
            // No more than a tenth of the time goes into looking.
            thread::sleep(EVERY.max(round.elapsed() * 9));
        }
    }

    fn set_draining(&mut self) -> anyhow::Result<()> {
        let config = self.maps.config()?;
        if !config.is_draining() {
            let config = Config { flags: config.flags | DRAINING, ..config };
            self.maps.config.set(0, Raw(config), 0).context("cannot write the map CONFIG")?;
        }
        Ok(())
    }
}

fn not_stopped(folder: &Path, error: io::Error) -> StopError {
    if error.kind() == io::ErrorKind::PermissionDenied {
        return NotPermitted { missing: Vec::new() }.into();
    }
    anyhow::Error::new(error).context(format!("cannot remove {}", folder.display())).into()
}

/// Whether a flow has to be waited for. One that is idle is tried to be closed.
fn is_open(
    key: &FlowKey,
    flow: &Flow,
    now_ms: u32,
    closer: Option<&mut Closer>,
) -> anyhow::Result<bool> {
    // Another CPU may have touched it since the clock was read.
    let silent_ms = now_ms.wrapping_sub(flow.touched_ms).cast_signed().max(0).cast_unsigned();
    if flow.window_shift & HANDED != 0 {
        return Ok(flow.window_shift & SEATED == 0 && silent_ms < SILENCE_MS);
    }
    if !flow.version.is_none() {
        return Ok(silent_ms < SILENCE_MS);
    }
    match closer {
        // What goes out through a VLAN interface would need a socket of that.
        Some(closer) if key.vlans == [[0; 2]; 2] => closer.close(key, flow),
        _ => Ok(false),
    }
}

impl Closer {
    /// Tries to close an idle flow; whether it has to be waited for.
    fn close(&mut self, key: &FlowKey, flow: &Flow) -> anyhow::Result<bool> {
        let now = Instant::now();
        let attempt = self.attempts.entry(*key).or_insert(Attempt {
            times: 0,
            last: now,
            has_closed: false,
            is_over: false,
        });
        let is_acknowledged = flow.send_unacknowledged == flow.send_next;
        attempt.is_over |= attempt.has_closed && is_acknowledged;
        if attempt.is_over || attempt.times > 0 && now - attempt.last < ATTEMPT_EVERY {
            return Ok(!attempt.is_over);
        }
        if attempt.times == ATTEMPTS {
            attempt.is_over = true;
            return Ok(false);
        }
        attempt.times += 1;
        attempt.last = now;
        let frame = keep_alive(key, flow)?;
        let (verdict, answer) = self.program.test_run(&frame).context("cannot close a flow")?;
        if verdict != Verdict::Tx as u32 {
            // It is closed already.
            attempt.is_over = true;
            return Ok(false);
        }
        // Without a FIN it has something to wait for: half a request, or a whole one by now.
        if let Some(packet) = closing(&answer) {
            attempt.has_closed = true;
            // Where there is no way to the client any more, nothing is left to be done.
            attempt.is_over = self.sender.send(packet).is_err();
        }
        Ok(!attempt.is_over)
    }
}

/// A frame as the client would send it to ask whether the connection is still there (RFC 9293 section
/// 3.8.4).
fn keep_alive(key: &FlowKey, flow: &Flow) -> anyhow::Result<Vec<u8>> {
    let ip = |address| Ipv6Addr::from(address).to_canonical();
    let link = PacketBuilder::ethernet2([0; 6], [0; 6]);
    let network = match (ip(key.remote), ip(key.local)) {
        (IpAddr::V4(remote), IpAddr::V4(local)) => link.ipv4(remote.octets(), local.octets(), 64),
        _ => link.ipv6(key.remote, key.local, 64),
    };
    let segment = network
        .tcp(
            u16::from_be_bytes(key.remote_port),
            u16::from_be_bytes(key.local_port),
            flow.receive_next.wrapping_sub(1),
            flow.unscaled_window,
        )
        .ack(flow.send_unacknowledged);
    let mut frame = Vec::with_capacity(segment.size(0));
    segment.write(&mut frame, &[]).context("cannot write a frame")?;
    Ok(frame)
}

/// The packet in a frame, if it is one that says that no more will come.
fn closing(frame: &[u8]) -> Option<&[u8]> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let closes = matches!(packet.transport, Some(TransportSlice::Tcp(tcp)) if tcp.fin());
    frame.get(Ethernet2Header::LEN..).filter(|_| closes)
}

#[cfg(test)]
mod tests {
    use zeroserve_shared::{config::mapped, route::VersionId};

    use super::*;

    #[test]
    fn a_client_asks_with_the_number_before_the_next() {
        let flow = Flow {
            receive_next: 0x0102_0304,
            send_unacknowledged: 0x0506_0708,
            unscaled_window: 0x0102,
            window_shift: 7,
            ..Flow::default()
        };
        let mut key = FlowKey {
            remote: mapped([198, 18, 0, 2]),
            local: mapped([198, 18, 0, 1]),
            remote_port: [0x12, 0x34],
            local_port: [0, 80],
            vlans: [[0; 2]; 2],
        };
        let tcp = [0x12, 0x34, 0, 80, 1, 2, 3, 3, 5, 6, 7, 8, 0x50, 0x10, 1, 2];
        let frame = keep_alive(&key, &flow).expect("a frame");
        assert_eq!((frame.len(), &frame[12..14]), (54, &[8, 0][..]));
        assert_eq!(frame[26..34], [198, 18, 0, 2, 198, 18, 0, 1]);
        assert_eq!(frame[34..50], tcp);
        assert_eq!(closing(&frame), None);
        let mut answer = frame.clone();
        answer[47] |= 1;
        assert_eq!(closing(&answer), Some(&answer[14..]));
        (key.local[0], key.remote[0]) = (0xfd, 0xfd);
        let frame = keep_alive(&key, &flow).expect("a frame");
        assert_eq!((frame.len(), &frame[12..15]), (74, &[0x86, 0xdd, 0x60][..]));
        assert_eq!(frame[22..54], [key.remote, key.local].concat());
        assert_eq!(frame[54..70], tcp);
    }

    #[test]
    fn what_is_answered_or_given_away_is_waited_for_while_its_client_is_there() {
        let key = FlowKey {
            remote: [1; 16],
            local: [2; 16],
            remote_port: [0; 2],
            local_port: [0; 2],
            vlans: [[0; 2]; 2],
        };
        let answering = VersionId::new(1, 1);
        let none = VersionId::NONE;
        for (version, window_shift, expected) in [
            (answering, 0, true),
            (none, HANDED, true),
            (none, HANDED | SEATED, false),
            (none, 0, false),
        ] {
            let flow = Flow { version, window_shift, touched_ms: u32::MAX, ..Flow::default() };
            let is_open = |now_ms| is_open(&key, &flow, now_ms, None).expect("nothing is sent");
            assert_eq!(is_open(5), expected);
            assert_eq!(is_open(u32::MAX - 5), expected);
            assert!(!is_open(SILENCE_MS));
        }
    }
}
