//! The load generator: an HTTP client in XDP, for the far end of a veth pair.
//!
//! It turns what the server sends into what a client sends next, in the same frame, so that no
//! process is woken and nothing is copied. User space only sends it orders: to open connections
//! and to send again what was not answered. An object of its own, because whoever serves needs
//! none of its maps. What it decides, `zeroserve_ebpf::load` decides.
//!
//! | module | what it does |
//! |---|---|
//! | `maps` | declares the maps |
//! | `check` | compares what comes with what is expected |
//! | `direct` | reads and writes the frame through packet pointers |
//! | `program` | the XDP program: orders and segments in, segments out |
//! | `reference` | one that always does the same, one that does nothing, for microbenchmarks |
//! | `send` | writes a segment into the frame that came |
//! | `packet` | reads, writes and resizes the frame, as for the server |
#![cfg_attr(target_arch = "bpf", no_std, no_main)]

#[cfg(target_arch = "bpf")]
mod check;
#[cfg(target_arch = "bpf")]
mod direct;
#[cfg(target_arch = "bpf")]
mod maps;
#[cfg(target_arch = "bpf")]
#[path = "../xdp/packet.rs"]
#[expect(dead_code, reason = "the server's programs need more of it")]
mod packet;
#[cfg(target_arch = "bpf")]
mod program;
#[cfg(target_arch = "bpf")]
mod reference;
#[cfg(target_arch = "bpf")]
mod send;

#[cfg(not(target_arch = "bpf"))]
fn main() {
    eprintln!("This program runs in the kernel; build it with ebpf/build.");
    std::process::exit(2);
}

#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // The verifier accepts no program in which this can be reached.
    loop {}
}

#[cfg(target_arch = "bpf")]
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
