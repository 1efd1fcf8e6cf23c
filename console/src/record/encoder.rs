//! From what happens to records.

use std::{collections::BTreeMap, time::SystemTime};

use serde::Serialize;

use super::{
    document::{Action, Lost, Route, Routes, Start},
    frame::{self, Kind},
    sample::State,
};
use crate::server::{Identity, RouteInfo, Sample};

/// Remembers what was told, to tell only what is new.
#[derive(Debug, Default)]
pub struct Encoder {
    state: State,
    /// None until they are told.
    routes: Option<BTreeMap<u32, Route>>,
}

impl Encoder {
    /// Begins anew: what follows can be read without what was told before.
    pub fn start(&mut self, out: &mut Vec<u8>, identity: &Identity) {
        *self = Self::default();
        append(out, Kind::Start, &Start::new(identity));
    }

    /// Whether the routes were not told since the start.
    pub fn needs_routes(&self) -> bool {
        self.routes.is_none()
    }

    /// A sample. Routes that changed are told before the first sample that counts them.
    pub fn sample(
        &mut self,
        out: &mut Vec<u8>,
        at: SystemTime,
        sample: &Sample,
        routes: Option<&[RouteInfo]>,
    ) {
        if let Some(infos) = routes {
            let table = infos.iter().map(|info| (info.index, Route::new(info))).collect();
            let told = self.routes.take().unwrap_or_default();
            if let Some(changes) = Routes::between(&told, &table) {
                append(out, Kind::Routes, &changes);
            }
            self.routes = Some(table);
        }
        frame::append(out, Kind::Sample, &self.state.encode(at, sample));
    }

    /// Something that the operator did.
    pub fn action(&mut self, out: &mut Vec<u8>, action: &Action) {
        append(out, Kind::Action, action);
    }

    /// A sample that could not be taken.
    pub fn lost(&mut self, out: &mut Vec<u8>, at: SystemTime, why: &str) {
        append(out, Kind::Lost, &Lost { at, why: why.to_owned() });
    }
}

fn append(out: &mut Vec<u8>, kind: Kind, document: &impl Serialize) {
    // Structs of strings and numbers: there is nothing in them that JSON could not tell.
    let payload = serde_json::to_vec(document).expect("documents of a recording are plain data");
    frame::append(out, kind, &payload);
}
