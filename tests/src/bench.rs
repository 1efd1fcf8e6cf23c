//! The XDP program, run on single frames.
//!
//! The program is loaded a second time, beside the one that is attached, and shares its pinned
//! maps: what is published through the server is served to frames, and what frames do is counted.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result, ensure};
use aya::{Ebpf, EbpfLoader, TestRun, TestRunOptions, programs::Xdp};
use etherparse::TcpHeader;
use zeroserve_shared::{
    counters::Counters,
    map::{LINK, PIN_ROOT, XDP_PROGRAM},
    reason::{Reason, Verdict},
};

use crate::{
    Lab,
    frames::{LINUX_OPTIONS, REQUEST, Segment, ack, frame, later, syn, tcp},
};

/// The object, in the source tree.
pub const OBJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../ebpf/zeroserve.o");

/// Room for what the program makes of a frame, in bytes.
const MAX_FRAME_BYTES: usize = 4096;

/// A program to try frames on.
pub struct Bench {
    ebpf: Ebpf,
    /// The server whose maps it shares. Only its bench sends it frames.
    pub lab: Lab,
}

/// What became of a frame.
#[derive(Debug)]
pub struct Outcome {
    /// What the program returned.
    pub verdict: Verdict,
    /// The frame as the program left it.
    pub frame: Vec<u8>,
    /// Why it left the fast path, if it did.
    pub reason: Option<Reason>,
    /// By how much each counter has risen.
    pub counted: Counters,
}

impl Bench {
    /// Loads the program.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses.
    pub fn new() -> Result<Self> {
        Self::of(Lab::new()?)
    }

    /// As [`Bench::new`], beside a server that is there already.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn of(lab: Lab) -> Result<Self> {
        // With IPv6 interfaces talk of their own accord, and only the bench's frames are to count.
        lab.client_ip(&["link", "set", &lab.server.network.veth.client, "down"])?;
        let folder = format!("{PIN_ROOT}/{}", lab.interface());
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder).with_context(|| folder.clone())? {
            names.push(entry?.file_name().into_string().unwrap_or_default());
        }
        let mut loader = EbpfLoader::new();
        for name in names.iter().filter(|name| *name != LINK) {
            loader.map_pin_path(name, PathBuf::from(format!("{folder}/{name}")));
        }
        let mut ebpf = loader.load_file(OBJECT).context(OBJECT)?;
        program(&mut ebpf)?.load()?;
        Ok(Self { ebpf, lab })
    }

    /// Runs the program on a frame.
    ///
    /// # Errors
    ///
    /// Where the kernel cannot run it, or the program returns what is no verdict.
    ///
    /// # Panics
    ///
    /// Where the counters do not account for the frame exactly once.
    pub fn run(&mut self, frame: &[u8]) -> Result<Outcome> {
        let before = self.lab.totals()?;
        let mut out = vec![0; MAX_FRAME_BYTES];
        let result = program(&mut self.ebpf)?.test_run(TestRunOptions {
            data_in: Some(frame),
            data_out: Some(&mut out),
            ..TestRunOptions::default()
        })?;
        out.truncate(result.data_size_out as usize);
        let counted = difference(&self.lab.totals()?, &before);
        let verdict = Verdict::ALL.into_iter().find(|one| *one as u32 == result.return_value);
        let verdict = verdict.with_context(|| format!("no verdict: {}", result.return_value))?;
        let mut expected = [0; Verdict::COUNT];
        expected[verdict as usize] = 1;
        assert_eq!((counted.packets_in, counted.bytes_in), (1, frame.len() as u64));
        assert_eq!(counted.verdicts, expected, "the verdict is {}", verdict.name());
        let reason = Reason::ALL.iter().zip(counted.reasons).find(|(_, count)| *count > 0);
        let reason = reason.map(|(reason, _)| *reason);
        assert_eq!(counted.reasons.iter().sum::<u64>(), u64::from(reason.is_some()));
        if verdict == Verdict::Pass {
            assert!(out == frame, "a packet that goes up to the kernel was changed");
        }
        Ok(Outcome { verdict, frame: out, reason, counted })
    }

    /// Runs the program on a frame without looking at any counters. Returns how long it took, what
    /// the program returned, and how long the frame is then.
    ///
    /// # Errors
    ///
    /// Where the kernel cannot run it.
    pub fn time(&mut self, frame: &[u8]) -> Result<(Duration, u32, u32)> {
        time(program(&mut self.ebpf)?, frame)
    }

    /// As [`time_repeated`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn time_repeated(&mut self, frame: &[u8], runs: u32) -> Result<(Duration, u32)> {
        time_repeated(program(&mut self.ebpf)?, frame, runs)
    }

    /// As [`Bench::time`], and keeps the beginning of the frame as the program left it.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn time_into(&mut self, frame: &[u8], out: &mut [u8]) -> Result<(Duration, u32, u32)> {
        time_into(program(&mut self.ebpf)?, frame, out)
    }

    /// Runs the program on a frame that must be answered in place, and reads the answer.
    ///
    /// # Errors
    ///
    /// Where it is not, or the answer is no valid segment.
    pub fn answer(&mut self, frame: &[u8]) -> Result<Segment> {
        let outcome = self.run(frame)?;
        ensure!(outcome.verdict == Verdict::Tx, "it was not answered in place: {outcome:?}");
        let segment = Segment::read(&outcome.frame)?;
        segment.check_addressed_to_client();
        Ok(segment)
    }

    /// Opens a connection with what Linux offers, and returns the header of the client's next
    /// segment.
    ///
    /// # Errors
    ///
    /// Where the SYN is not answered in place.
    pub fn open(&mut self) -> Result<TcpHeader> {
        let answer = self.answer(&frame(syn(&LINUX_OPTIONS), &[]))?;
        let acknowledgment_number = answer.tcp.sequence_number.wrapping_add(1);
        Ok(TcpHeader { acknowledgment_number, ..ack(tcp(1)) })
    }

    /// Opens a connection, asks for `/file` and returns the header of the client's next segment,
    /// which acknowledges nothing of the answer yet.
    ///
    /// # Errors
    ///
    /// Where the request is not answered.
    pub fn ask(&mut self) -> Result<TcpHeader> {
        let next = self.open()?;
        let outcome = self.run(&frame(TcpHeader { psh: true, ..next.clone() }, REQUEST))?;
        ensure!(outcome.counted.requests == 1, "the request was not answered: {outcome:?}");
        Ok(later(&next, REQUEST.len() as u32))
    }
}

/// Runs a program on a frame once. The kernel would hand it the changed frame a second time.
///
/// # Errors
///
/// Where the kernel cannot run it.
pub fn time(program: &Xdp, frame: &[u8]) -> Result<(Duration, u32, u32)> {
    time_into(program, frame, &mut [0; MAX_FRAME_BYTES])
}

/// Runs a program on the same frame so many times over, and returns how long a run took on average
/// and what the program returned.
///
/// # Errors
///
/// Where the kernel cannot run it.
pub fn time_repeated(program: &Xdp, frame: &[u8], runs: u32) -> Result<(Duration, u32)> {
    let result = program.test_run(TestRunOptions {
        data_in: Some(frame),
        repeat: runs,
        ..TestRunOptions::default()
    })?;
    Ok((result.duration, result.return_value))
}

fn time_into(program: &Xdp, frame: &[u8], out: &mut [u8]) -> Result<(Duration, u32, u32)> {
    let result = program.test_run(TestRunOptions {
        data_in: Some(frame),
        data_out: Some(out),
        ..TestRunOptions::default()
    })?;
    Ok((result.duration, result.return_value, result.data_size_out))
}

fn program(ebpf: &mut Ebpf) -> Result<&mut Xdp> {
    let program = ebpf.program_mut(XDP_PROGRAM);
    Ok(program.with_context(|| format!("{OBJECT} has no {XDP_PROGRAM}"))?.try_into()?)
}

/// By how much each counter rose from `before` to `after`.
fn difference(after: &Counters, before: &Counters) -> Counters {
    // The layout is nothing but counters.
    let mut words: [u64; size_of::<Counters>() / size_of::<u64>()] = zerocopy::transmute!(*after);
    let subtract: [u64; size_of::<Counters>() / size_of::<u64>()] = zerocopy::transmute!(*before);
    for (word, before) in words.iter_mut().zip(subtract) {
        *word -= before;
    }
    zerocopy::transmute!(words)
}
