//! What is odd around a server, said where somebody has asked for a report or has just begun to serve.

use serde_json::{Value, json};
use zeroserve_shared::reason::Severity;

use super::output;
use crate::{
    server::{RouteInfo, RouteName, Server},
    tui::{self, Warning},
};

/// What is odd, in the order of the console.
pub(super) struct Warnings(Vec<Warning>);

impl Warnings {
    /// Looks around a server with these routes.
    pub(super) fn of(server: &mut dyn Server, routes: &[RouteInfo]) -> Self {
        let with_path = routes.iter().filter(|route| matches!(route.name, RouteName::Path(_)));
        // What cannot be seen from here is not odd, and a report is worth having without it.
        let around = server.surroundings().unwrap_or_default();
        Self(tui::warnings(server.identity(), &around, with_path.count() as u32))
    }

    /// For a report.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        if !self.0.is_empty() {
            text += "\nwhat is wrong, or may be\n";
        }
        for Warning { name, severity, meaning, mend } in &self.0 {
            text += &format!("  {name} ({})\n    {meaning}\n    {mend}\n", word(*severity));
        }
        text
    }

    /// For a program.
    pub(super) fn document(&self) -> Value {
        let each = self.0.iter().map(|Warning { name, severity, meaning, mend }| {
            json!({ "name": name, "severity": word(*severity), "meaning": meaning, "mend": mend })
        });
        each.collect()
    }

    /// For somebody who waits at a terminal.
    pub(super) fn note(&self) {
        for Warning { name, severity, meaning, mend } in &self.0 {
            output::note(&format!("{}: {name}: {meaning} {mend}", word(*severity)));
        }
    }
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Normal => "note",
        Severity::Refused => "warning",
        Severity::Fault => "fault",
    }
}
