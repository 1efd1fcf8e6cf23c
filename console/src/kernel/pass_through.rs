//! An XDP program that passes everything, for the far end of a veth pair.
//!
//! Two instructions need no object file, so they are loaded with the bare system call.

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

use anyhow::{Context, Result};
use nix::libc::{SYS_bpf, syscall};
use zerocopy::{Immutable, IntoBytes};
use zeroserve_shared::reason::Verdict;

// From `enum bpf_cmd`, `enum bpf_prog_type` and `enum bpf_attach_type` of the kernel's
// `include/uapi/linux/bpf.h`, and from its `if_link.h`.
const BPF_PROG_LOAD: u32 = 5;
const BPF_LINK_CREATE: u32 = 28;
const BPF_PROG_TYPE_XDP: u32 = 6;
const BPF_XDP: u32 = 37;
const XDP_FLAGS_DRV_MODE: u32 = 1 << 2;

/// `r0 = XDP_PASS; exit`, as `struct bpf_insn` lays them out.
const PROGRAM: [[u8; 8]; 2] =
    [[0xb7, 0, 0, 0, Verdict::Pass as u8, 0, 0, 0], [0x95, 0, 0, 0, 0, 0, 0, 0]];

/// The beginning of `union bpf_attr` for `BPF_PROG_LOAD`; the kernel takes the rest as zero.
#[repr(C)]
#[derive(IntoBytes, Immutable)]
struct ProgramLoad {
    program_type: u32,
    instructions: u32,
    instructions_at: u64,
    license_at: u64,
    log_level: u32,
    log_bytes: u32,
    log_at: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
}

/// The beginning of `union bpf_attr` for `BPF_LINK_CREATE`.
#[repr(C)]
#[derive(IntoBytes, Immutable)]
struct LinkCreate {
    program: u32,
    if_index: u32,
    attach_type: u32,
    flags: u32,
}

/// The program, attached natively to an interface until dropped.
#[derive(Debug)]
pub struct PassThrough {
    /// The kernel detaches the program when this is closed.
    _link: OwnedFd,
}

impl PassThrough {
    /// Attaches it to an interface of the network namespace that the calling thread is in.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses: without `CAP_BPF` and `CAP_NET_ADMIN`, or because the interface
    /// has another XDP program.
    pub fn attach(if_index: u32) -> Result<Self> {
        let load = ProgramLoad {
            program_type: BPF_PROG_TYPE_XDP,
            instructions: PROGRAM.len() as u32,
            instructions_at: PROGRAM.as_ptr() as u64,
            license_at: c"GPL".as_ptr() as u64,
            log_level: 0,
            log_bytes: 0,
            log_at: 0,
            kernel_version: 0,
            flags: 0,
            name: *b"zeroserve_pass\0\0",
        };
        let program = bpf(BPF_PROG_LOAD, &load)
            .context("cannot load a program that passes everything (needs CAP_BPF)")?;
        let create = LinkCreate {
            program: program.as_raw_fd() as u32,
            if_index,
            attach_type: BPF_XDP,
            flags: XDP_FLAGS_DRV_MODE,
        };
        let link = bpf(BPF_LINK_CREATE, &create)
            .with_context(|| format!("cannot attach an XDP program to interface {if_index}"))?;
        Ok(Self { _link: link })
    }
}

/// Calls bpf(2) with a command that returns a file descriptor.
fn bpf(command: u32, attributes: &(impl IntoBytes + Immutable)) -> io::Result<OwnedFd> {
    let bytes = attributes.as_bytes();
    // SAFETY: the kernel reads exactly `bytes.len()` bytes of the attributes, and what they point
    // to is constant data of the stated length.
    let result = unsafe { syscall(SYS_bpf, command, bytes.as_ptr(), bytes.len()) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: both commands used here return a new file descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(result as i32) })
}
