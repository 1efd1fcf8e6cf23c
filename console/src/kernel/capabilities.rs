//! What this process may do.

use std::{env, fmt, fs};

use zeroserve_shared::map::PIN_ROOT;

/// A capability, with its bit in the kernel's masks (`include/uapi/linux/capability.h`).
const NEEDED: [(&str, u32); 3] = [("CAP_BPF", 39), ("CAP_NET_ADMIN", 12), ("CAP_PERFMON", 38)];

/// CAP_SYS_ADMIN stands in for the two others that were split off from it.
const SYS_ADMIN: u32 = 21;

/// The process lacks a right that it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotPermitted {
    /// The capabilities that are missing. If none is, the files in question belong to root.
    pub missing: Vec<&'static str>,
}

impl fmt::Display for NotPermitted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.missing.is_empty() {
            return write!(formatter, "only root may use {PIN_ROOT}; run the command with sudo");
        }
        let program = env::current_exe().unwrap_or_else(|_| "zeroserve-tui".into());
        write!(
            formatter,
            "not permitted: this process lacks {}; run the command with sudo, or allow it once and for all \
             with `sudo setcap cap_bpf,cap_net_admin,cap_perfmon,cap_dac_override+ep {}`",
            self.missing.join(", "),
            program.display()
        )
    }
}

impl std::error::Error for NotPermitted {}

/// Says which capabilities are missing, if any are.
pub(super) fn check() -> Result<(), NotPermitted> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // Where /proc is not mounted the kernel has the last word anyway.
    let missing = effective.map(missing_from).unwrap_or_default();
    if missing.is_empty() { Ok(()) } else { Err(NotPermitted { missing }) }
}

fn missing_from(effective: u64) -> Vec<&'static str> {
    let has = |bit: u32| effective >> bit & 1 == 1;
    NEEDED
        .iter()
        .filter(|(name, bit)| !(has(*bit) || *name != "CAP_NET_ADMIN" && has(SYS_ADMIN)))
        .map(|(name, _)| *name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_names_what_is_missing_and_how_to_get_it() {
        let message = NotPermitted { missing: missing_from(1 << 12) }.to_string();
        assert!(message.contains("lacks CAP_BPF, CAP_PERFMON;"), "{message}");
        assert!(message.contains("sudo setcap cap_bpf,"), "{message}");
    }

    #[test]
    fn without_capabilities_all_are_missing_by_name() {
        assert_eq!(missing_from(0), ["CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON"]);
    }

    #[test]
    fn the_three_capabilities_suffice() {
        assert_eq!(missing_from(1 << 39 | 1 << 12 | 1 << 38), Vec::<&str>::new());
        assert_eq!(missing_from(1 << 39 | 1 << 12), ["CAP_PERFMON"]);
    }

    #[test]
    fn sys_admin_stands_in_for_bpf_and_perfmon_but_not_for_net_admin() {
        assert_eq!(missing_from(1 << 21), ["CAP_NET_ADMIN"]);
        assert_eq!(missing_from(1 << 21 | 1 << 12), Vec::<&str>::new());
    }
}
