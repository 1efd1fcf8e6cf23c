//! The handoff program: whether this kernel can have it, and putting it on an interface.
//!
//! It calls a function of the kernel by its number, which differs from kernel to kernel. aya knows
//! nothing of such calls, so the number is written into the object before aya sees it.

use std::{fmt, fs, net::IpAddr, path::Path};

use anyhow::{Context, bail};
use aya::{
    Btf, Ebpf,
    programs::{LinkOrder, SchedClassifier, TcAttachType, links::FdLink, tc::TcAttachOptions},
};
use aya_obj::btf::BtfKind;
use zeroserve_shared::{
    bypass::Bypass,
    config::{Config, OnMiss},
    map::{HANDOFF_FUNCTION, HANDOFF_LINK, HANDOFF_PLACEHOLDER, HANDOFF_PROGRAM},
};

use super::{attach::AttachError, live::Live, maps::Raw, object, pins::Lock, sys::Link};
use crate::{net::listeners, server::SOMEBODY};

/// What this kernel lacks of what the handoff needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The kernel's function.
    Function,
    /// A setting has another value than the handoff needs.
    Setting {
        /// Name of the setting, as `sysctl` has it.
        name: &'static str,
        /// The value that it needs.
        value: &'static str,
    },
}

impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Function => {
                write!(formatter, "this kernel has no {HANDOFF_FUNCTION} (Linux 6.9 or later has)")
            }
            Self::Setting { name, value } => {
                write!(formatter, "it needs `sysctl -w {name}={value}`, which is off here")
            }
        }
    }
}

/// Settings of the network namespace without which the kernel takes no connection that was begun
/// elsewhere, or not with the options that were negotiated.
const SETTINGS: [(&str, &str); 3] = [
    ("net.ipv4.tcp_syncookies", "1"),
    ("net.ipv4.tcp_window_scaling", "1"),
    ("net.ipv4.tcp_sack", "1"),
];

/// Finds out whether this kernel can take connections over: then the number of its function.
pub(super) fn check(kernel: Option<&Btf>) -> Result<u32, Missing> {
    let number = kernel
        .and_then(|btf| btf.id_by_type_name_kind(HANDOFF_FUNCTION, BtfKind::Func).ok())
        .ok_or(Missing::Function)?;
    for (name, value) in SETTINGS {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        if fs::read_to_string(path).is_ok_and(|found| found.trim() == "0") {
            return Err(Missing::Setting { name, value });
        }
    }
    Ok(number)
}

/// Writes the number of the kernel's function into an object.
///
/// # Errors
///
/// Where the object does not have the call just once.
pub(super) fn patch(object: &mut [u8], number: u32) -> anyhow::Result<()> {
    // The call as `struct bpf_insn` has it: opcode, the kind of call, no offset, the number.
    let [a, b, c, d] = HANDOFF_PLACEHOLDER.to_le_bytes();
    let call = [0x85, 0x20, 0, 0, a, b, c, d];
    let mut places = object.windows(8).enumerate().filter(|(_, bytes)| *bytes == call);
    let (Some((at, _)), None) = (places.next(), places.next()) else {
        bail!("the object does not call {HANDOFF_FUNCTION} exactly once");
    };
    object[at + 4..at + 8].copy_from_slice(&number.to_le_bytes());
    Ok(())
}

/// What a person asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissChoice {
    /// Hand off if somebody listens on the port, refuse otherwise.
    #[default]
    Auto,
    /// This.
    Always(OnMiss),
}

/// Decides whether requests that are not served here are handed off: then the number of the kernel's
/// function, which `can` finds out. That takes a while, so it is asked only where it matters.
pub(super) fn decide(
    choice: MissChoice,
    port: u16,
    addresses: &[IpAddr],
    can: impl FnOnce() -> Result<u32, Missing>,
) -> Result<Option<u32>, AttachError> {
    if choice == MissChoice::Always(OnMiss::Refuse) {
        return Ok(None);
    }
    let listener = listeners::socket(port, addresses).context("cannot see who listens")?;
    if choice == MissChoice::Auto && listener.is_none() {
        return Ok(None);
    }
    match can() {
        Ok(function) => Ok(Some(function)),
        Err(missing) => Err(AttachError::NoHandoff {
            port,
            listener: listener
                .map(|socket| socket.with_process().process.unwrap_or_else(|| SOMEBODY.into())),
            missing,
        }),
    }
}

/// Puts the program, which is loaded, behind the XDP program of an interface, and pins its link.
pub(super) fn attach(ebpf: &mut Ebpf, interface: &str, folder: &Path) -> anyhow::Result<()> {
    let program: &mut SchedClassifier = object::program(ebpf, HANDOFF_PROGRAM)?.try_into()?;
    let order = TcAttachOptions::TcxOrder(LinkOrder::default());
    let id = program
        .attach_with_options(interface, TcAttachType::Ingress, order)
        .with_context(|| format!("the kernel would not attach {HANDOFF_PROGRAM} (tcx)"))?;
    let link = program.take_link(id).context("the link is gone")?;
    let link = FdLink::try_from(link).context("this kernel has no links for tc programs")?;
    link.pin(folder.join(HANDOFF_LINK)).context("cannot pin the link of the handoff program")?;
    Ok(())
}

/// Takes the program off its interface, if it is on one.
pub(super) fn detach(folder: &Path) {
    if let Ok(link) = Link::open(&folder.join(HANDOFF_LINK)) {
        // It may be gone already, with the interface.
        let _ = link.detach();
    }
}

impl Live {
    /// Says which requests go to the server behind although their path is served here.
    ///
    /// # Errors
    ///
    /// Where the maps cannot be written, for instance because the server was stopped.
    pub fn set_bypass(&mut self, bypass: Bypass) -> anyhow::Result<()> {
        if self.config.bypass == bypass {
            return Ok(());
        }
        // Under the lock and from what is there now, because publishing writes there too.
        let _lock = Lock::acquire(&self.folder).context("cannot lock the server's folder")?;
        self.config = Config { bypass, ..self.maps.config()? };
        self.maps.config.set(0, Raw(self.config), 0).context("cannot write the map CONFIG")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_without_the_function_is_told_by_name() {
        // A kernel's type information in which nothing is defined.
        let missing = check(Some(&Btf::new())).expect_err("there is no function");
        assert_eq!(missing, Missing::Function);
        assert_eq!(check(None), Err(Missing::Function));
        let message = missing.to_string();
        assert!(message.contains(HANDOFF_FUNCTION) && message.contains("6.9"), "{message}");
    }

    #[test]
    fn without_it_nobody_is_handed_off_to_unless_told_so() {
        let none: &[IpAddr] = &[];
        let decide = |choice| decide(choice, 1, none, || Err(Missing::Function));
        let auto = decide(MissChoice::Auto).expect("nobody listens");
        assert_eq!(auto, None);
        let refuse = decide(MissChoice::Always(OnMiss::Refuse)).expect("nothing is needed");
        assert_eq!(refuse, None);
        let error = decide(MissChoice::Always(OnMiss::HandOff)).expect_err("it is missing");
        assert!(error.to_string().contains("--on-miss 404"), "{error}");
    }

    #[test]
    fn the_embedded_object_calls_the_function_once() {
        let mut object = object::OBJECT.to_vec();
        patch(&mut object, 0x0102_0304).expect("one call");
        assert!(object.windows(8).any(|bytes| bytes == [0x85, 0x20, 0, 0, 4, 3, 2, 1]));
        patch(&mut object, 5).expect_err("the call has its number");
    }
}
