//! The harness of the tests: namespaces, clients, packets.
//!
//! | module | what it is for |
//! |---|---|
//! | [`lab`] | a server in a private network, and clients of several kinds |
//! | [`fetch`] | one transfer by a plain client, with its times |
//! | [`frames`] | frames as clients send them, built and read by an independent implementation |
//! | [`front`] | Zeroserve in front of an ordinary server |
//! | [`promotion`] | the same, promoting what that server answers |
//! | [`bench`] | the XDP program, run on single frames |
//! | [`exchange`] | raw bytes to an HTTP server, and what comes back |
//! | [`cases`] | a table of requests and answers, written as text |
//! | [`differential`] | the same requests to two servers |
//! | [`host`] | a private network with nothing attached, for the binary to be used in |
//! | [`binary`] | the console's binary, also on a terminal |
//! | [`browser`] | a browser without a window |
//! | [`compare`] | servers side by side under the load generator |
//! | [`sysctl`] | settings of the kernel in one namespace |
//! | [`transfer`] | a transfer that goes on while something else happens |
//! | [`nginx`] | a server to compare with |
//! | [`paths`] | what microbenchmarks send |
//! | [`svg`] | what a terminal shows, as a picture |
//! | [`traces`] | what a server or a demo could leave behind |
//! | [`webm`] | a video that is fetched in parts |
//! | [`wire`] | a bad wire between a client and a server |
//! | [`wrk`] | runs wrk and reads its report |

pub mod bench;
pub mod binary;
pub mod browser;
pub mod cases;
pub mod compare;
pub mod differential;
pub mod exchange;
pub mod fetch;
pub mod frames;
pub mod front;
pub mod host;
pub mod lab;
pub mod machine;
pub mod nginx;
pub mod paths;
pub mod promotion;
pub mod scaling;
pub mod svg;
pub mod sysctl;
pub mod traces;
pub mod transfer;
pub mod webm;
pub mod wire;
pub mod wrk;

pub use host::Host;
pub use lab::Lab;
pub use nginx::Nginx;
pub use wire::Wire;

/// Fails the test, saying what to do, unless it runs as root.
///
/// # Panics
///
/// Where it does not.
pub fn require_root() {
    assert!(
        nix::unistd::geteuid().is_root(),
        "this test makes network namespaces and loads programs into the kernel; run it as root, \
         as in: sudo tests/run"
    );
}

/// Fails the test, saying what to do, unless a program is installed.
///
/// # Panics
///
/// Where it is not in the `PATH`.
pub fn require_program(name: &str) {
    assert!(
        has_program(name),
        "this test needs {name}, which is not in the PATH; tests/run installs it"
    );
}

/// Whether a program is in the `PATH`.
pub fn has_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// Text in which every tenth byte begins with its own number, so that a part of it says where it is
/// from: `000000000|000000010|...`.
pub fn numbered(bytes: usize) -> Vec<u8> {
    (0..bytes).step_by(10).flat_map(|at| format!("{at:09}|").into_bytes()).take(bytes).collect()
}
