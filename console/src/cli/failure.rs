//! What went wrong, as text, as JSON and as an exit code.

use std::process::ExitCode;

use serde_json::json;

use super::output;
use crate::{
    content::{ConfigError, RedirectError, RenderError, ReplyError, SiteError},
    kernel::{AttachError, OpenError, StopError},
    promote::{PromoteError, RulesError},
    server::ChangeError,
};

/// Exit codes, as the help states them. Mistakes in the command line are clap's, with 2.
const FAILED: u8 = 1;
const NOT_ATTACHED: u8 = 3;
const REFUSED: u8 = 4;
/// `EX_NOPERM` of `sysexits.h`.
const NOT_PERMITTED: u8 = 77;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub struct Failure {
    /// A name that is stable across versions, in kebab case.
    kind: &'static str,
    exit_code: u8,
    error: anyhow::Error,
    json: bool,
}

impl Failure {
    /// What was asked for is refused, and nothing has changed.
    pub(super) fn refused(kind: &'static str, error: impl Into<anyhow::Error>) -> Self {
        Self { kind, exit_code: REFUSED, error: error.into(), json: false }
    }

    fn new(kind: &'static str, exit_code: u8, error: impl Into<anyhow::Error>) -> Self {
        Self { kind, exit_code, error: error.into(), json: false }
    }

    /// The same failure, to be printed as JSON or not.
    pub(super) fn in_json(self, json: bool) -> Self {
        Self { json, ..self }
    }

    /// Prints it, and returns the exit code.
    pub fn report(&self) -> ExitCode {
        let Self { kind, exit_code, error, json } = self;
        let message = format!("{error:#}");
        if *json {
            let document = json!({
                "error": { "kind": kind, "message": message, "exit_code": exit_code }
            });
            // With standard output gone, too, nobody is left to tell.
            let _ = output::json(&document);
        } else {
            eprintln!("zeroserve-tui: {message}");
        }
        ExitCode::from(*exit_code)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new("failed", FAILED, error)
    }
}

impl From<AttachError> for Failure {
    fn from(error: AttachError) -> Self {
        let (kind, exit_code) = match &error {
            AttachError::NoSuchInterface { .. } => ("no-such-interface", REFUSED),
            AttachError::NotPermitted(_) => ("not-permitted", NOT_PERMITTED),
            AttachError::AlreadyServing(_) => ("already-serving", REFUSED),
            AttachError::NameTaken(_) => ("name-taken", REFUSED),
            AttachError::StalePins(_) => ("stale-pins", REFUSED),
            AttachError::OutOfSight(_) => ("out-of-sight", REFUSED),
            AttachError::ForeignProgram { .. } => ("foreign-program", REFUSED),
            AttachError::NoNativeMode { .. } => ("no-native-mode", REFUSED),
            AttachError::MtuTooLarge { .. } => ("mtu-too-large", REFUSED),
            AttachError::NoHandoff { .. } => ("no-handoff", REFUSED),
            AttachError::NoAddress(_) => ("no-address", REFUSED),
            AttachError::Kernel(_) => ("failed", FAILED),
        };
        Self::new(kind, exit_code, error)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let (kind, exit_code) = match &error {
            OpenError::NotAttached { .. } => ("not-attached", NOT_ATTACHED),
            OpenError::Stale(_) => ("stale-pins", NOT_ATTACHED),
            OpenError::OtherAbi { .. } => ("other-version", REFUSED),
            OpenError::NotPermitted(_) => ("not-permitted", NOT_PERMITTED),
            OpenError::Kernel(_) => ("failed", FAILED),
        };
        Self::new(kind, exit_code, error)
    }
}

impl From<StopError> for Failure {
    fn from(error: StopError) -> Self {
        let (kind, exit_code) = match &error {
            StopError::NotAttached { .. } => ("not-attached", NOT_ATTACHED),
            StopError::NotPermitted(_) => ("not-permitted", NOT_PERMITTED),
            StopError::Kernel(_) => ("failed", FAILED),
        };
        Self::new(kind, exit_code, error)
    }
}

impl From<ChangeError> for Failure {
    fn from(error: ChangeError) -> Self {
        let (kind, exit_code) = match &error {
            ChangeError::PathTaken { .. } => ("path-taken", REFUSED),
            ChangeError::NoSuchRoute(_) => ("no-such-route", REFUSED),
            ChangeError::RoutesFull(_) => ("routes-full", REFUSED),
            ChangeError::VersionsFull => ("versions-full", REFUSED),
            ChangeError::Recording => ("recording", REFUSED),
            ChangeError::Kernel(_) => ("failed", FAILED),
        };
        Self::new(kind, exit_code, error)
    }
}

impl From<RenderError> for Failure {
    fn from(error: RenderError) -> Self {
        Self::refused("file-not-servable", error)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::refused("config-not-valid", error)
    }
}

impl From<RedirectError> for Failure {
    fn from(error: RedirectError) -> Self {
        Self::refused("redirect-not-possible", error)
    }
}

impl From<ReplyError> for Failure {
    fn from(error: ReplyError) -> Self {
        Self::refused("reply-not-possible", error)
    }
}

impl From<PromoteError> for Failure {
    fn from(error: PromoteError) -> Self {
        match &error {
            PromoteError::Fetch(_) => Self::refused("server-not-answering", error),
            PromoteError::Taken(_) => Self::refused("path-taken", error),
            PromoteError::NotPromoted(..) => Self::refused("not-promoted", error),
            _ => Self::refused("not-promotable", error),
        }
    }
}

impl From<RulesError> for Failure {
    fn from(error: RulesError) -> Self {
        Self::refused("rules-not-valid", error)
    }
}

impl From<SiteError> for Failure {
    fn from(error: SiteError) -> Self {
        Self::refused("folder-not-servable", error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_that_a_script_must_tell_apart_have_codes_of_their_own() {
        let path = || "/a".parse().expect("a path");
        let not_attached = || OpenError::NotAttached { interface: "x".into(), served: vec![] };
        assert_eq!(Failure::from(ChangeError::NoSuchRoute(path())).exit_code, 4);
        assert_eq!(Failure::from(not_attached()).exit_code, 3);
        assert_eq!(Failure::from(anyhow::anyhow!("x")).exit_code, 1);
        let not_permitted = crate::kernel::NotPermitted { missing: vec!["CAP_BPF"] };
        assert_eq!(Failure::from(AttachError::NotPermitted(not_permitted)).exit_code, 77);
    }
}
