//! Why a packet left the fast path.
//!
//! Every way off it is one [`Reason`] with one [`Verdict`], one counter, a name and a sentence.
//! The table below is the only place where any of these is written down.

/// What the XDP program tells the kernel to do with a packet. The values are the kernel's
/// `enum xdp_action` (`include/uapi/linux/bpf.h`).
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The program failed; the kernel drops the packet and fires a tracepoint.
    Aborted = 0,
    /// The packet ends here.
    Drop = 1,
    /// The packet goes up to the kernel, untouched.
    Pass = 2,
    /// The packet, rewritten, leaves through the interface it came from.
    Tx = 3,
    /// The packet is cloned, and the clones leave as segments.
    Redirect = 4,
}

impl Verdict {
    /// How many verdicts there are.
    pub const COUNT: usize = 5;

    /// All verdicts, in the order of their values.
    pub const ALL: [Self; Self::COUNT] =
        [Self::Aborted, Self::Drop, Self::Pass, Self::Tx, Self::Redirect];

    /// The kernel's name without its prefix: `pass` for `XDP_PASS`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aborted => "aborted",
            Self::Drop => "drop",
            Self::Pass => "pass",
            Self::Tx => "tx",
            Self::Redirect => "redirect",
        }
    }
}

/// How much a reason should worry the person who reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Part of ordinary traffic.
    Normal,
    /// The client, or somebody in between, did something that is refused.
    Refused,
    /// Zeroserve could not do what it should have done.
    Fault,
}

macro_rules! reasons {
    ($($variant:ident, $verdict:ident, $severity:ident, $name:literal, $explanation:literal;)+) => {
        /// Why a packet left the fast path. The discriminant is the index of its counter.
        #[repr(u32)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $(#[doc = $explanation] $variant,)+
        }

        impl Reason {
            /// All reasons, in the order of their counters.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// How many reasons there are.
            pub const COUNT: usize = Self::ALL.len();

            /// What becomes of a packet that leaves for this reason.
            #[inline(always)]
            pub const fn verdict(self) -> Verdict {
                match self { $(Self::$variant => Verdict::$verdict,)+ }
            }

            /// How much it should worry an operator.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)+ }
            }

            /// A short name that is stable across versions, in kebab case.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// One sentence that says what happened.
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$variant => $explanation,)+ }
            }
        }
    };
}

reasons! {
    NotIp, Pass, Normal, "not-ip",
        "The frame carries something other than IP (ARP, for instance) and belongs to the kernel.";
    NotTcp, Pass, Normal, "not-tcp",
        "The packet is IP but not TCP and belongs to the kernel.";
    OtherPort, Pass, Normal, "other-port",
        "The TCP segment is for another port and belongs to the kernel.";
    NotLocal, Pass, Normal, "not-local",
        "The destination address is not one of this interface in that VLAN, so the packet is on its way elsewhere.";
    MalformedHeader, Pass, Refused, "malformed-header",
        "A header is truncated or contradicts its own length; the kernel judges it.";
    IpOptions, Pass, Normal, "ip-options",
        "The IPv4 header carries options, which only the kernel handles.";
    IpFragment, Pass, Normal, "ip-fragment",
        "The packet is a fragment, and only the kernel reassembles.";
    Ipv6Extension, Pass, Normal, "ipv6-extension",
        "The IPv6 packet carries an extension header, a fragment's for instance, which only the kernel handles.";
    PathMtuNoted, Drop, Normal, "path-mtu-noted",
        "A router told that a flow's segments are too large for a link; they are small enough by now, with nothing to send again.";
    PathMtuRefused, Drop, Refused, "path-mtu-refused",
        "An ICMP message that claims a flow's segments to be too large quotes one that is not on its way, or an impossible size (RFC 5927, RFC 8201).";
    UnknownConnection, Pass, Normal, "unknown-connection",
        "The segment belongs to no flow and carries no valid SYN cookie, so the kernel answers it.";
    HandshakeComplete, Drop, Normal, "handshake-complete",
        "The client finished the handshake; nothing is stored before its first request.";
    AckConsumed, Drop, Normal, "ack-consumed",
        "An acknowledgement was taken note of and left nothing to send.";
    ConnectionClosed, Drop, Normal, "connection-closed",
        "The last segment of a connection arrived and its flow was removed.";
    ResetByPeer, Drop, Refused, "reset-by-peer",
        "The client reset the connection and its flow was removed.";
    ResetIgnored, Drop, Refused, "reset-ignored",
        "A reset with the wrong sequence number, or for no flow of ours, was ignored (RFC 5961 section 3).";
    ChallengeLimited, Drop, Refused, "challenge-limited",
        "A SYN or a reset in the window of a connection was not challenged, because another had been just before (RFC 5961 section 7).";
    FlagsInvalid, Drop, Refused, "flags-invalid",
        "The TCP flags make no sense together (a scan, or a broken sender).";
    AckOutOfRange, Drop, Refused, "ack-out-of-range",
        "The segment acknowledges bytes that were never sent, or long ago, and another stray segment had been answered just before (RFC 5961 section 5).";
    SequenceOutOfWindow, Drop, Refused, "sequence-out-of-window",
        "The segment's sequence number is outside the receive window, and another stray segment had been answered just before.";
    SequenceGap, Drop, Refused, "sequence-gap",
        "Bytes arrived ahead of others that are still missing, on a connection that is closing; the client will send them again.";
    RequestWaiting, Drop, Normal, "request-waiting",
        "A further request arrived before the answer to the previous one was delivered; it is kept until then.";
    RequestUnkept, Drop, Normal, "request-unkept",
        "A further request arrived before the answer to the previous one was delivered, and there was no room to keep it; the client will send it again.";
    HandedOff, Pass, Normal, "handed-off",
        "The packet is of a connection that the server behind has, or is being given.";
    CopyExpired, Pass, Normal, "copy-expired",
        "The packet asks for a path whose promoted copy is past its lifetime, so the server behind is given the connection.";
    LeftToServer, Pass, Normal, "left-to-server",
        "A SYN begins a connection that the kernel is to answer: it could not be handed off later (it comes through a VLAN, or takes very small segments only), or Zeroserve is about to stop.";
    HandoffEarly, Drop, Normal, "handoff-early",
        "The packet came before the server behind had taken its connection; the client will send it again.";
    FlowTableFull, Drop, Fault, "flow-table-full",
        "There was no place for another flow.";
    VersionMissing, Drop, Fault, "version-missing",
        "A route or flow names a response that is not in the maps.";
    FrameTooTight, Drop, Fault, "frame-too-tight",
        "The driver left no room in the frame for what had to be put there.";
    MapMissing, Aborted, Fault, "map-missing",
        "A map that always has an element had none; the programs and the maps do not fit together.";
    RedirectFailed, Aborted, Fault, "redirect-failed",
        "The kernel would not broadcast the frame through the device map.";
}

/// What became of one clone in the egress program.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Egress {
    /// It left as a segment.
    Sent,
    /// It was one more than the burst needed.
    Surplus,
    /// It could not be grown to the size of its segment.
    NoTailroom,
    /// It did not carry a descriptor of ours.
    NoDescriptor,
    /// Its slice of the response is not in the maps.
    SliceMissing,
}

impl Egress {
    /// All outcomes, in the order of their counters.
    pub const ALL: &[Self] =
        &[Self::Sent, Self::Surplus, Self::NoTailroom, Self::NoDescriptor, Self::SliceMissing];

    /// How many outcomes there are.
    pub const COUNT: usize = Self::ALL.len();

    /// A short name that is stable across versions, in kebab case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Surplus => "surplus",
            Self::NoTailroom => "no-tailroom",
            Self::NoDescriptor => "no-descriptor",
            Self::SliceMissing => "slice-missing",
        }
    }

    /// One sentence that says what happened.
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::Sent => "The clone left as a segment.",
            Self::Surplus => "The clone was one more than the burst needed.",
            Self::NoTailroom => "The clone could not be grown to the size of its segment.",
            Self::NoDescriptor => "A frame without a descriptor reached the egress program.",
            Self::SliceMissing => "The clone's slice of the response is not in the maps.",
        }
    }

    /// How much it should worry an operator.
    pub const fn severity(self) -> Severity {
        match self {
            Self::Sent | Self::Surplus => Severity::Normal,
            Self::NoTailroom | Self::NoDescriptor | Self::SliceMissing => Severity::Fault,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_reason_has_its_own_kebab_case_name_and_a_sentence() {
        let names: HashSet<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), Reason::COUNT);
        for reason in Reason::ALL {
            let name = reason.name();
            assert!(
                name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'),
                "{name}"
            );
            assert!(reason.explanation().ends_with('.'), "{name}");
        }
    }

    #[test]
    fn discriminants_index_the_table() {
        for (index, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, index);
        }
        for (index, outcome) in Egress::ALL.iter().enumerate() {
            assert_eq!(*outcome as usize, index);
        }
        for (index, verdict) in Verdict::ALL.iter().enumerate() {
            assert_eq!(*verdict as usize, index);
        }
    }

    #[test]
    fn a_reason_never_transmits() {
        for reason in Reason::ALL {
            assert!(
                !matches!(reason.verdict(), Verdict::Tx | Verdict::Redirect),
                "{}",
                reason.name()
            );
        }
    }
}
