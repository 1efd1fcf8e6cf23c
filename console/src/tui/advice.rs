//! What to make of what is counted: the usual cause, and the mend.
//!
//! What happened is told by the tables in `zeroserve_shared`; here stands what an operator does
//! about it. Every reason, outcome and lint has its texts, because each `match` is exhaustive.

use zeroserve_shared::{
    reason::{Egress, Reason},
    refusal::Refusal,
};

use super::{format, model::Lint};
use crate::server::{Identity, Usage};

/// What to make of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Advice {
    /// What it means.
    pub(crate) meaning: String,
    /// What usually causes it.
    pub(crate) cause: String,
    /// What to do about it.
    pub(crate) mend: String,
}

impl Advice {
    fn new(meaning: impl Into<String>, (cause, mend): (&str, &str)) -> Self {
        Self { meaning: meaning.into(), cause: cause.into(), mend: mend.into() }
    }
}

/// What to make of a reason.
pub(crate) fn reason(reason: Reason) -> Advice {
    let (cause, mend) = match reason {
        Reason::NotIp => (
            "ARP and whatever else shares the network.",
            "Nothing. Only where this is most of the traffic, see with tcpdump what it is.",
        ),
        Reason::NotTcp => (
            "Ping, DNS, QUIC and other protocols for this machine.",
            "Nothing. Browsers that try HTTP/3 show here as UDP to port 443.",
        ),
        Reason::OtherPort => (
            "ssh and every other service of this machine.",
            "Nothing. If it should have been served here, the port is another than --port said.",
        ),
        Reason::NotLocal => (
            "The machine routes or bridges, or it got an address after the server was attached.",
            "If the address is this machine's, stop and serve again, so that it is known.",
        ),
        Reason::MalformedHeader => (
            "A broken sender, a scan, or a network card that hands up damaged frames.",
            "If it goes on, look at the counters of the network card and capture some with tcpdump.",
        ),
        Reason::IpOptions => (
            "Record-route or source-route tests; hardly anything else sends IP options.",
            "Nothing; the kernel and whoever listens there answer.",
        ),
        Reason::IpFragment => (
            "A path with a smaller MTU than its ends believe, or a sender that ignores discovery.",
            "Nothing for a few. For many, let ICMP 'fragmentation needed' through the firewalls.",
        ),
        Reason::Ipv6Extension => (
            "Diagnostics and some tunnels; hardly any client sends extension headers.",
            "Nothing; the kernel and whoever listens there answer.",
        ),
        Reason::PathMtuNoted => (
            "A router on the way to a client that carries smaller packets, such as a tunnel.",
            "Nothing: from then on that client gets smaller segments.",
        ),
        Reason::PathMtuRefused => (
            "Somebody forges router messages, or a router reports on a flow that has ended.",
            "Nothing: refusing it is the defence.",
        ),
        Reason::UnknownConnection => (
            "Connections from before the server was attached, or quiet for so long that their flow \
             was forgotten; also stray segments of a scan.",
            "Nothing after an attach: it fades. Where it goes on, see whether flows are nearly full.",
        ),
        Reason::HandshakeComplete => (
            "Every new connection has one.",
            "Nothing. Far more of these than of requests: clients connect and say nothing.",
        ),
        Reason::AckConsumed => {
            ("Every download is acknowledged.", "Nothing: it is the sign of bytes that arrived.")
        }
        Reason::ConnectionClosed => ("Every connection that ends well has one.", "Nothing."),
        Reason::ResetByPeer => (
            "A browser that was closed or went on to another page, or a load generator at its end.",
            "Nothing for some. For many from one client, see the flows and ask its owner.",
        ),
        Reason::ResetIgnored => (
            "A reset that was on its way when the connection ended, or somebody who forges resets.",
            "Nothing: ignoring it is the defence.",
        ),
        Reason::ChallengeLimited => (
            "Somebody guesses at connections from the outside, many times a second.",
            "Nothing: answering less often is the defence. See who sends with tcpdump.",
        ),
        Reason::FlagsInvalid => (
            "A port scan (no flags, all flags), or a broken middlebox.",
            "Nothing, or block the sender in a firewall in front of this machine.",
        ),
        Reason::AckOutOfRange => (
            "A duplicate from an earlier connection of the same ports, or forged segments.",
            "Nothing for a few. For many from one network, a middlebox there rewrites numbers.",
        ),
        Reason::SequenceOutOfWindow => {
            ("Old duplicates that took a long way, or keep-alive probes.", "Nothing for a few.")
        }
        Reason::SequenceGap => (
            "Loss or reordering on the way from the client.",
            "Nothing: the client sends again. Much of it: look for loss at its end of the network.",
        ),
        Reason::RequestWaiting => (
            "Pipelining: a client sends its next request before the answer to the last.",
            "Nothing.",
        ),
        Reason::RequestUnkept => (
            "Pipelining by many clients at once, or of long requests.",
            "Nothing: the client sends again, only later.",
        ),
        Reason::HandedOff => (
            "Requests for what is not served here, and everything that follows them.",
            "Nothing. What is asked for often could be served here instead.",
        ),
        Reason::CopyExpired => (
            "Nobody refreshes a promoted path, or the server behind did not let it be refreshed.",
            "Leave a console open, or run promote --watch. Where no copy is wanted any more, demote the path.",
        ),
        Reason::LeftToServer => (
            "Clients in a VLAN, or behind a very narrow link.",
            "Nothing: the server behind answers them as if zeroserve were not there.",
        ),
        Reason::HandoffEarly => (
            "The server behind is slow to accept connections, so that its queue overflows.",
            "Nothing for a few. For many, see what keeps the server busy, or raise its backlog.",
        ),
        Reason::FlowTableFull => (
            "Many connections began at the same moment on several CPUs, and took each other's places.",
            "Nothing for a few: their clients ask again. If it goes on, start anew with a larger \
             flow table.",
        ),
        Reason::VersionMissing => (
            "A flow was quiet for minutes while its file was replaced, or somebody changed the pinned \
             maps by hand.",
            "Nothing for single ones. If a route fails again and again, publish it anew.",
        ),
        Reason::FrameTooTight => (
            "A driver that gives XDP less room than others, or received packets that fill their \
             buffers.",
            "Use a lower MTU, or another driver mode; say which driver it is in a bug report.",
        ),
        Reason::MapMissing => (
            "The programs and the maps come from different versions, or a map was unpinned by hand.",
            "Stop the server and serve again; if it comes back, report it.",
        ),
        Reason::RedirectFailed => (
            "The interface went down, or its driver cannot send what XDP redirects.",
            "See whether the interface is up and native; on veth, whether the far end runs NAPI.",
        ),
    };
    Advice::new(reason.explanation(), (cause, mend))
}

/// What to make of an outcome of the egress program.
pub(crate) fn egress(outcome: Egress) -> Advice {
    let texts = match outcome {
        Egress::Sent => ("Every segment of a burst has one.", "Nothing."),
        Egress::Surplus => (
            "Bursts are cloned by 2, 4, 8, 16 or 32; what is more than needed ends here.",
            "Nothing.",
        ),
        Egress::NoTailroom => (
            "The driver cloned into a smaller buffer than a page, as it is in generic mode.",
            "Attach in native mode; use a lower MTU.",
        ),
        Egress::NoDescriptor => (
            "Another program redirects into the device maps of this server.",
            "Find it with `bpftool net` and `bpftool map`; nothing of this server does that.",
        ),
        Egress::SliceMissing => (
            "A response was freed while it was sent, or its maps were changed by hand.",
            "Publish the route anew; if it comes back, report it.",
        ),
    };
    Advice::new(outcome.explanation(), texts)
}

/// What to make of a refusal.
pub(crate) fn refusal(refusal: Refusal) -> Advice {
    let scan = "A scan, a fuzzer, or a client that somebody wrote by hand.";
    let nothing = "Nothing: the client was told, and its connection ended.";
    let smuggling = "An attempt at request smuggling, or a proxy that passes what it should not.";
    let proxy = "Look at the proxy or balancer in front of this machine, if there is one.";
    let texts = match refusal {
        Refusal::TlsClientHello => (
            "A link or bookmark that begins with https, or a browser that tries it first.",
            "Serve http links, or put a TLS terminator in front of this port.",
        ),
        Refusal::Http2Preface => (
            "A client that was set to HTTP/2 with prior knowledge, such as h2load or gRPC.",
            "Set it to HTTP/1.1; gRPC cannot be served here.",
        ),
        Refusal::InvalidToken | Refusal::Malformed => (scan, nothing),
        Refusal::InvalidTarget | Refusal::InvalidEscape => (
            "A link with characters that should have been percent-encoded, or a scan.",
            "If it is a link of yours, mend the link.",
        ),
        Refusal::PathAboveRoot => (
            "A scan for files outside the site (../../etc/passwd), or a wrong relative link.",
            "Nothing: there are no files behind paths here that could be reached so.",
        ),
        Refusal::PathTooDeep => (scan, "Mend links that go up and down through many folders."),
        Refusal::BareLineFeed | Refusal::BareCarriageReturn => (
            "A script that sends lines ended by hand, such as printf into nc.",
            "End lines with CR and LF.",
        ),
        Refusal::ControlCharacter | Refusal::FoldedLine | Refusal::SpaceBeforeColon => {
            (smuggling, proxy)
        }
        Refusal::HostMissing => (
            "A health check or script that sends HTTP/1.1 without a Host.",
            "Have it send a Host, or HTTP/1.0.",
        ),
        Refusal::HostRepeated | Refusal::HostInvalid => (smuggling, proxy),
        Refusal::LengthInvalid | Refusal::LengthAndEncoding | Refusal::TransferEncodingInvalid => {
            (smuggling, proxy)
        }
        Refusal::TargetTooLong => (
            "A scan that tries to overflow buffers, or data that was put into the path.",
            "Shorten the links; a query is not part of the path and may be longer.",
        ),
        Refusal::HeaderTooLarge => (
            "Cookies that have grown, of another site on the same domain perhaps.",
            "Serve static files from a domain without cookies.",
        ),
        Refusal::VersionUnknown => (scan, nothing),
        Refusal::MethodUnknown => (
            "A form or script that posts to what are only files, or a scan.",
            "Send POST and the like to the server that handles them.",
        ),
        Refusal::PreconditionFalse => (
            "A client that goes on with a download whose file was replaced meanwhile.",
            "Nothing: it begins again with what is served now.",
        ),
        Refusal::TooSlow => (
            "A very bad connection, or an attack that holds connections open (slow loris).",
            "Nothing for a few. For many from one network, block it in front of this machine.",
        ),
        Refusal::CopyGone => (
            "What is served alone was promoted once, in front of a server.",
            "Attach with --on-miss auto, so that the server is asked again, or demote the path.",
        ),
        Refusal::NobodyListens => (
            "The server behind zeroserve was stopped, or is being started again.",
            "Start it: requests go to it again from the next one on.",
        ),
    };
    Advice::new(refusal.explanation(), texts)
}

/// What to make of a lint.
pub(crate) fn lint(lint: &Lint, identity: &Identity) -> Advice {
    let interface = &identity.interface;
    let share = |usage: &Usage| {
        let (used, capacity) = (u64::from(usage.used), u64::from(usage.capacity));
        format!("{} of {} are in use", format::exact(used), format::exact(capacity))
    };
    let (meaning, cause, mend) = match lint {
        Lint::ForeignProgram(other) => (
            match other {
                Some(id) => format!("The XDP program on {interface} is {id}, which is not this server."),
                None => format!("No single XDP program is on {interface}, so this server may not see its packets."),
            },
            "Somebody attached another program, or a network tool took this one off.".to_owned(),
            format!("See `bpftool net show dev {interface}`; then `zeroserve-tui stop {interface}` and serve again."),
        ),
        Lint::NotNative(mode) => (
            format!("XDP runs as {mode} on {interface}: after the driver, and without room for whole segments."),
            "The driver has no XDP, or lost it when its queues were changed.".to_owned(),
            "Use a driver with native XDP; `ethtool -i` names the one there is.".to_owned(),
        ),
        Lint::MtuTooSmall(mtu_bytes) => (
            format!(
                "{interface} carries packets of {mtu_bytes} bytes, but segments are made for {}.",
                u32::from(identity.mss) + HEADER_BYTES
            ),
            "The MTU was lowered after the server was attached.".to_owned(),
            format!("Set it back (`ip link set {interface} mtu ...`), or stop and serve again."),
        ),
        Lint::PeerWithoutNapi => (
            format!("The far end of {interface} drops what is sent to it, though every counter says it was sent."),
            "A veth pair takes frames from XDP only where the far end runs NAPI: with an XDP program of its own.".to_owned(),
            "Attach an XDP program that passes everything to the far end; README has the two commands.".to_owned(),
        ),
        Lint::RoutesNearlyFull(usage) => (
            format!("Hardly any more path can be published: {}.", share(usage)),
            "More files than the server was started for.".to_owned(),
            "Remove some, or stop and serve with a larger --max-routes.".to_owned(),
        ),
        Lint::VersionsNearlyFull(usage) => (
            format!("Soon nothing can be replaced: of the version slots {}.", share(usage)),
            "Many replacements while slow clients still receive what was replaced.".to_owned(),
            "Wait: a slot is freed when its last transfer ends, or five minutes after it died.".to_owned(),
        ),
        Lint::FlowsNearlyFull(usage) => (
            format!("Soon the connections that are quiet for longest are forgotten: {}.", share(usage)),
            "Many clients at once, or one that opens connections and leaves them.".to_owned(),
            "See the flows panel for who has them; serve with a larger flow table.".to_owned(),
        ),
        Lint::PenNotLocked(why) => (
            "Nothing keeps another console from changing the server at the same time, nor tells who \
             it is."
                .to_owned(),
            format!("The file that consoles lock cannot be used: {why}."),
            "Make /run/zeroserve a folder that you may write to, or run the console as root. Until \
             then a trial is also not taken back if its guard is killed together with the console."
                .to_owned(),
        ),
        Lint::StalePins(interfaces) => (
            format!("Servers are pinned that no longer run: {}.", interfaces.join(", ")),
            "The interface was removed, or made again, while it was served.".to_owned(),
            format!("`zeroserve-tui stop {}` clears away what is left.", interfaces[0]),
        ),
    };
    Advice { meaning, cause, mend }
}

/// Bytes of the IPv4 and TCP headers in front of a segment's payload.
const HEADER_BYTES: u32 = 40;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{server::Server as _, simulated::Simulated};

    #[test]
    fn every_reason_outcome_and_lint_has_three_different_sentences() {
        let identity = Simulated::new(1).identity().clone();
        let usage = Usage { used: 9, capacity: 10 };
        let lints = [
            Lint::ForeignProgram(Some(7)),
            Lint::ForeignProgram(None),
            Lint::NotNative("generic"),
            Lint::MtuTooSmall(1280),
            Lint::PeerWithoutNapi,
            Lint::RoutesNearlyFull(usage),
            Lint::VersionsNearlyFull(usage),
            Lint::FlowsNearlyFull(usage),
            Lint::PenNotLocked("cannot lock it".into()),
            Lint::StalePins(vec!["eth7".into()]),
        ];
        let all = Reason::ALL.iter().map(|cause| (cause.name(), reason(*cause)));
        let all = all.chain(Egress::ALL.iter().map(|outcome| (outcome.name(), egress(*outcome))));
        let all = all.chain(Refusal::ALL.iter().map(|cause| (cause.name(), refusal(*cause))));
        let all = all.chain(lints.iter().map(|one| (one.name(), lint(one, &identity))));
        for (name, advice) in all {
            let texts = [&advice.meaning, &advice.cause, &advice.mend];
            for text in texts {
                assert!(text.ends_with('.'), "{name}: {text}");
                assert!(text.len() >= 8, "{name}: {text}");
            }
            assert!(texts[0] != texts[1] && texts[1] != texts[2], "{name}");
        }
    }
}
