//! From records to what happened, and what was lost.
//!
//! A recording is held in memory as it lies on disk, with an index of its samples; what is looked
//! at is decoded when it is. What cannot be read (the end of a file that was cut off, a damaged
//! record and everything after it) is left away, and [`Recording::damage`] says so.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::de::DeserializeOwned;

use super::{
    document::{Action, Lost, Route, Routes, Start},
    frame::{FORMAT, Frame, HEADER_BYTES, Kind, MAGIC},
    sample::{Columns, State},
};
use crate::{
    content::RoutePath,
    server::{Identity, RouteInfo, RouteName, Sample},
};

/// The largest recording that is opened: it is held in memory.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

/// A longer silence between two samples is passed over when the recording is played.
const GAP: Duration = Duration::from_secs(10);

/// What a gap, or a step between two clocks, takes on the time line.
const SEAM: Duration = Duration::from_secs(1);

/// Why a file could not be opened as a recording.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file system says no.
    #[error("cannot read {}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// Too much to be held in memory.
    #[error("{} has {bytes} bytes; a recording of more than {MAX_FILE_BYTES} is not opened", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// Its length.
        bytes: u64,
    },
    /// It begins with something else.
    #[error("{} is no recording of zeroserve-tui: it does not begin like one", .0.display())]
    NoRecording(PathBuf),
    /// It was written by a later version.
    #[error(
        "{} has format {format}, and this zeroserve-tui reads formats up to {FORMAT}: it was written \
         by a newer version; open it with that one or a later one", file.display()
    )]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its format.
        format: u16,
    },
    /// There is no sample in it.
    #[error("there is nothing in the recording {}", .0.display())]
    Empty(PathBuf),
}

/// What could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where in the file it begins.
    pub at_byte: usize,
    /// How many bytes were left away.
    pub bytes: usize,
}

/// Something that happened, where it lies in the file and on the time line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Since the first entry, less long silences.
    pub(super) position: Duration,
    pub(super) at: SystemTime,
    pub(super) offset: usize,
    /// The start that it is told from, as an index of `starts`.
    pub(super) start: usize,
    /// How many actions had been told before it.
    pub(super) actions: usize,
    /// Whether it follows a silence that is passed over.
    pub(super) after_gap: bool,
}

/// A recording.
#[derive(Debug)]
pub struct Recording {
    bytes: Vec<u8>,
    /// Where each start lies.
    starts: Vec<usize>,
    /// Samples, and samples that could not be taken, in order; at least one.
    pub(super) entries: Vec<Entry>,
    /// What the operator did, in order.
    pub actions: Arc<[Action]>,
    /// What could not be read.
    pub damage: Option<Damage>,
    /// Records of kinds that this version does not know.
    pub unknown_records: usize,
    /// Counters that this version does not know.
    pub unknown_counters: Vec<String>,
    /// Who was recorded, as the last start says.
    pub start: Start,
}

impl Recording {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// See [`ReadError`]. A damaged end is none.
    pub fn open(file: &Path) -> Result<Self, ReadError> {
        let failed = |error| ReadError::Io { file: file.to_owned(), error };
        let opened = File::open(file).map_err(failed)?;
        let mut bytes = Vec::new();
        opened.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(ReadError::TooLarge { file: file.to_owned(), bytes: bytes.len() as u64 });
        }
        Self::read(file, bytes)
    }

    /// Reads the content of a file, whose name is for messages only.
    ///
    /// # Errors
    ///
    /// As for [`Recording::open`].
    pub fn read(file: &Path, bytes: Vec<u8>) -> Result<Self, ReadError> {
        check_header(file, &bytes)?;
        let mut scan = Scan::default();
        let mut end = HEADER_BYTES;
        while let Some(frame) = Frame::at(&bytes, end) {
            if scan.take(end, &frame).is_none() {
                break;
            }
            end = frame.end;
        }
        let Scan { decoder, starts, entries, actions, unknown_records, unknown_counters, .. } =
            scan;
        let start = decoder.start.filter(|_| !entries.is_empty());
        let start = start.ok_or_else(|| ReadError::Empty(file.to_owned()))?;
        let left = bytes.len() - end;
        let damage = (left > 0).then_some(Damage { at_byte: end, bytes: left });
        let actions = actions.into();
        Ok(Self {
            bytes,
            starts,
            entries,
            actions,
            damage,
            unknown_records,
            unknown_counters,
            start,
        })
    }

    /// Who was recorded.
    pub fn identity(&self) -> Identity {
        self.start.identity()
    }

    /// How long it plays.
    pub fn length(&self) -> Duration {
        self.entries.last().map_or(Duration::ZERO, |entry| entry.position)
    }

    /// When it begins and ends.
    pub fn span(&self) -> (SystemTime, SystemTime) {
        let at = |entry: Option<&Entry>| entry.map_or(SystemTime::UNIX_EPOCH, |entry| entry.at);
        (at(self.entries.first()), at(self.entries.last()))
    }

    /// Everything that happened, in order.
    pub fn events(&self) -> impl Iterator<Item = Event> {
        let mut cursor = Cursor::at_entry(self, 0);
        std::iter::from_fn(move || cursor.next(self))
    }
}

fn check_header(file: &Path, bytes: &[u8]) -> Result<(), ReadError> {
    let header: &[u8; HEADER_BYTES] =
        bytes.first_chunk().ok_or_else(|| ReadError::NoRecording(file.to_owned()))?;
    if header[..MAGIC.len()] != MAGIC {
        return Err(ReadError::NoRecording(file.to_owned()));
    }
    let format = u16::from_le_bytes([header[MAGIC.len()], header[MAGIC.len() + 1]]);
    if format > FORMAT {
        return Err(ReadError::Newer { file: file.to_owned(), format });
    }
    Ok(())
}

/// A sample, or why there was none.
#[derive(Clone, Debug)]
pub struct Event {
    /// When.
    pub at: SystemTime,
    /// The sample.
    pub outcome: Result<Sample, String>,
}

/// What is known after some records.
#[derive(Clone, Debug, Default)]
pub(super) struct Decoder {
    start: Option<Start>,
    columns: Columns,
    state: State,
    routes: BTreeMap<u32, Route>,
    lost: Option<Lost>,
}

impl Decoder {
    /// Takes a record. None if its content makes no sense.
    fn take(&mut self, kind: Kind, payload: &[u8]) -> Option<()> {
        match kind {
            Kind::Start => {
                let start: Start = json(payload)?;
                let columns = Columns::new(&start.columns);
                *self = Self { start: Some(start), columns, ..Self::default() };
            }
            // Without a start nobody knows what it is told from.
            _ if self.start.is_none() => return None,
            Kind::Sample => {
                self.state.decode(&self.columns, payload)?;
                self.lost = None;
            }
            Kind::Routes => json::<Routes>(payload)?.apply(&mut self.routes),
            Kind::Lost => self.lost = Some(json(payload)?),
            Kind::Action => {}
        }
        Some(())
    }

    pub(super) fn event(&self) -> Event {
        match &self.lost {
            Some(lost) => Event { at: lost.at, outcome: Err(lost.why.clone()) },
            None => Event { at: self.state.at(), outcome: Ok(self.state.sample(&self.columns)) },
        }
    }

    /// The routes, the fixed ones first, then by path.
    pub(super) fn routes(&self) -> Arc<[RouteInfo]> {
        let mut infos: Vec<_> = self.routes.values().filter_map(Route::info).collect();
        infos.sort_by(|a, b| order(a).cmp(&order(b)));
        infos.into()
    }

    pub(super) fn identity(&self) -> Option<Identity> {
        self.start.as_ref().map(Start::identity)
    }
}

fn order(route: &RouteInfo) -> (Option<&RoutePath>, u32) {
    match &route.name {
        RouteName::Fixed(_) => (None, route.index),
        RouteName::Path(path) => (Some(path), route.index),
    }
}

fn json<T: DeserializeOwned>(payload: &[u8]) -> Option<T> {
    serde_json::from_slice(payload).ok()
}

/// The first pass over a file.
#[derive(Default)]
struct Scan {
    decoder: Decoder,
    starts: Vec<usize>,
    entries: Vec<Entry>,
    actions: Vec<Action>,
    unknown_records: usize,
    unknown_counters: Vec<String>,
    /// The sample's own clock at the entry before, if this entry is told from the same start.
    taken: Option<Duration>,
}

impl Scan {
    fn take(&mut self, offset: usize, frame: &Frame<'_>) -> Option<()> {
        let Some(kind) = frame.kind() else {
            self.unknown_records += 1;
            return Some(());
        };
        let payload = frame.payload()?;
        self.decoder.take(kind, &payload)?;
        match kind {
            Kind::Start => {
                self.starts.push(offset);
                self.taken = None;
                for name in &self.decoder.columns.unknown {
                    if !self.unknown_counters.contains(name) {
                        self.unknown_counters.push(name.clone());
                    }
                }
            }
            Kind::Action => self.actions.push(json(&payload)?),
            Kind::Sample => {
                let taken = self.decoder.state.taken();
                let since = self.taken.and_then(|before| taken.checked_sub(before));
                self.taken = Some(taken);
                self.enter(offset, self.decoder.state.at(), since);
            }
            Kind::Lost => {
                let at = self.decoder.lost.as_ref()?.at;
                self.taken = None;
                self.enter(offset, at, None);
            }
            Kind::Routes => {}
        }
        Some(())
    }

    /// Puts an entry behind the one before. The sample's own clock, where it goes on, tells the
    /// distance; the calendar may have been set in between.
    fn enter(&mut self, offset: usize, at: SystemTime, since: Option<Duration>) {
        let mut entry = Entry {
            position: Duration::ZERO,
            at,
            offset,
            start: self.starts.len() - 1,
            actions: self.actions.len(),
            after_gap: false,
        };
        if let Some(before) = self.entries.last() {
            let since = since.unwrap_or_else(|| at.duration_since(before.at).unwrap_or(SEAM));
            entry.after_gap = since > GAP;
            entry.position = before.position + if entry.after_gap { SEAM } else { since };
        }
        self.entries.push(entry);
    }
}

/// A place in a recording, and what is known there.
#[derive(Clone, Debug)]
pub(super) struct Cursor {
    pub(super) decoder: Decoder,
    offset: usize,
    /// Index of the next entry.
    pub(super) next: usize,
}

impl Cursor {
    /// Just before an entry.
    pub(super) fn at_entry(recording: &Recording, entry: usize) -> Self {
        let start = recording.entries[entry].start;
        let first = recording.entries.partition_point(|entry| entry.start < start);
        let (decoder, offset) = (Decoder::default(), recording.starts[start]);
        let mut cursor = Self { decoder, offset, next: first };
        while cursor.next < entry && cursor.advance(recording).is_some() {}
        cursor
    }

    /// Goes behind the next entry.
    pub(super) fn advance(&mut self, recording: &Recording) -> Option<Entry> {
        let entry = *recording.entries.get(self.next)?;
        while self.offset <= entry.offset {
            let frame = Frame::at(&recording.bytes, self.offset)?;
            if let Some(kind) = frame.kind() {
                self.decoder.take(kind, &frame.payload()?)?;
            }
            self.offset = frame.end;
        }
        self.next += 1;
        Some(entry)
    }

    fn next(&mut self, recording: &Recording) -> Option<Event> {
        self.advance(recording)?;
        Some(self.decoder.event())
    }
}
