//! Maps the outcome of a command to an exit code.

use std::process::ExitCode;

use zeroserve_tui::cli;

fn main() -> ExitCode {
    match cli::run() {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}
