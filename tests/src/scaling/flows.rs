//! A hit among many flows: the program is run on single frames, because no client has so many
//! connections.

use anyhow::{Context, Result, ensure};
use etherparse::TcpHeader;
use zeroserve_shared::reason::Verdict;

use crate::{
    bench::Bench,
    frames::{LINUX_OPTIONS, REQUEST, ack, frame, syn, tcp},
    lab::{Lab, noise},
};

/// How many flows are many.
pub const FLOWS: u32 = 1 << 20;
/// So that no set is full, see `zeroserve_ebpf::table`.
const ROOM: u32 = 2 * FLOWS;

/// Where frames have what tells flows apart, and what the server numbers.
const SOURCE_ADDRESS: usize = 26;
const SOURCE_PORT: usize = 34;
const SEQUENCE: usize = 38;
const ACKNOWLEDGMENT: usize = 42;

/// Nanoseconds of a hit, helper calls included.
#[derive(Clone, Copy, Debug)]
pub struct Flows {
    /// With one flow.
    pub one: f64,
    /// With [`FLOWS`], of which a few are asked over and over.
    pub many: f64,
    /// With [`FLOWS`], all of which ask in random order.
    pub many_asking: f64,
}

/// A client: its number, and what it acknowledges and sends next.
#[derive(Clone, Copy)]
struct Client {
    number: u32,
    acknowledgment: u32,
    sequence: u32,
}

/// What is sent, in one place, so that nothing is allocated for each flow.
struct Frames {
    syn: Vec<u8>,
    request: Vec<u8>,
}

impl Frames {
    fn new() -> Self {
        let request = frame(TcpHeader { psh: true, ..ack(tcp(1)) }, REQUEST);
        Self { syn: frame(syn(&LINUX_OPTIONS), &[]), request }
    }
}

/// Has a frame come from a client.
fn address(frame: &mut [u8], number: u32) {
    // 198.18.0.0 to 198.18.127.255, with 2^15 ports each from 32768 on: nobody else is there.
    let [high, low] = ((number >> 15) as u16 + 0x100).to_be_bytes();
    frame[SOURCE_ADDRESS + 2] = high;
    frame[SOURCE_ADDRESS + 3] = low;
    let port = 0x8000 | (number as u16 & 0x7fff);
    frame[SOURCE_PORT..SOURCE_PORT + 2].copy_from_slice(&port.to_be_bytes());
}

fn number_at(frame: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(std::array::from_fn(|byte| frame[at + byte]))
}

/// Opens a connection, and asks for the first time: then there is a flow.
fn open(bench: &mut Bench, frames: &mut Frames, number: u32) -> Result<Client> {
    address(&mut frames.syn, number);
    let mut answer = [0; 128];
    bench.time_into(&frames.syn, &mut answer)?;
    let acknowledgment = number_at(&answer, SEQUENCE).wrapping_add(1);
    let sequence = number_at(&frames.syn, SEQUENCE).wrapping_add(1);
    let mut client = Client { number, acknowledgment, sequence };
    ask(bench, frames, &mut client)?;
    Ok(client)
}

/// Asks, acknowledging the last answer, and says how many nanoseconds that took.
fn ask(bench: &mut Bench, frames: &mut Frames, client: &mut Client) -> Result<f64> {
    let request = &mut frames.request;
    address(request, client.number);
    request[SEQUENCE..SEQUENCE + 4].copy_from_slice(&client.sequence.to_be_bytes());
    request[ACKNOWLEDGMENT..ACKNOWLEDGMENT + 4]
        .copy_from_slice(&client.acknowledgment.to_be_bytes());
    let (taken, verdict, bytes) = bench.time(request)?;
    ensure!(verdict == Verdict::Tx as u32, "client {}: the verdict is {verdict}", client.number);
    let headers = request.len() - REQUEST.len();
    client.sequence = client.sequence.wrapping_add(REQUEST.len() as u32);
    client.acknowledgment = client.acknowledgment.wrapping_add(bytes - headers as u32);
    Ok(taken.as_nanos() as f64)
}

/// The median of what some clients' requests take.
fn median(
    bench: &mut Bench,
    frames: &mut Frames,
    clients: &mut [Client],
    order: impl Iterator<Item = usize>,
) -> Result<f64> {
    let all = order.map(|index| ask(bench, frames, &mut clients[index]));
    Ok(super::costs::median(all.collect::<Result<_>>()?))
}

/// Measures a hit with one flow and with many.
///
/// # Errors
///
/// Where an answer is wrong, or there is no memory for so many flows.
pub fn flows(runs: usize) -> Result<Flows> {
    let lab = Lab::with(|options| options.max_flows = ROOM).context("a server for many flows")?;
    let mut bench = Bench::of(lab)?;
    bench.lab.publish("/file", &noise(1, 272))?;
    let mut frames = Frames::new();
    let mut clients = vec![open(&mut bench, &mut frames, 0)?];
    let one = median(&mut bench, &mut frames, &mut clients, (0..runs).map(|_| 0))?;
    for number in 1..FLOWS {
        clients.push(open(&mut bench, &mut frames, number)?);
    }
    let mut random = fastrand::Rng::with_seed(1);
    let many = median(&mut bench, &mut frames, &mut clients, (0..runs).map(|index| index % 64))?;
    let any = (0..runs).map(|_| random.usize(..FLOWS as usize));
    let many_asking = median(&mut bench, &mut frames, &mut clients, any)?;
    Ok(Flows { one, many, many_asking })
}
