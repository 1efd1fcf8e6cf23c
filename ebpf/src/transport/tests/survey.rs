//! How fast, with how many repairs, at which loss: prints a table under `--nocapture`, and holds
//! it within bounds. Time is virtual, so the table is the same wherever it is made.

use super::{MSS, world::World};

/// Transfers in each cell of the table.
const SEEDS: u64 = 40;

#[test]
fn transfers_take_bounded_time_and_repairs_at_any_loss() {
    println!(
        "  loss  round trip    bytes  gathers |  median     p90     max ms | sent/needed: \
         frames, bytes  timeouts of client, server"
    );
    for gathers_us in [0, 20] {
        for round_trip_us in [100, 50_000] {
            for bytes in [200, 10_000, 900_000] {
                for loss in [0.0, 0.001, 0.01, 0.05, 0.1] {
                    cell(gathers_us, round_trip_us, bytes, loss);
                }
            }
        }
    }
}

fn cell(gathers_us: u64, round_trip_us: u64, bytes: usize, loss: f64) {
    let mut times_us = Vec::new();
    let (mut sent, mut sent_bytes) = (0, 0);
    let (mut client_timeouts, mut server_timeouts) = (0, 0);
    for seed in 0..SEEDS {
        let mut world = World::new(seed, round_trip_us, bytes).with_loss(loss);
        world.habits.gathers_us = gathers_us;
        let report = world.run();
        times_us.push(report.complete_us);
        sent += u64::from(report.segments);
        sent_bytes += report.bytes;
        client_timeouts += report.client_timeouts;
        server_timeouts += report.server_timeouts;
    }
    times_us.sort_unstable();
    let at = |share: f64| times_us[(share * (SEEDS - 1) as f64) as usize] as f64 / 1000.0;
    let needed = SEEDS * bytes.div_ceil(usize::from(MSS)) as u64;
    let ratio = sent as f64 / needed as f64;
    let bytes_ratio = sent_bytes as f64 / (SEEDS * bytes as u64) as f64;
    let (median, p90, max) = (at(0.5), at(0.9), at(1.0));
    println!(
        "{:5.1}% {round_trip_us:8} us {bytes:8} {gathers_us:5} us | {median:7.1} {p90:7.1} \
         {max:10.1} | {ratio:9.3} {bytes_ratio:9.3} {:14.2} {:7.2}",
        loss * 100.0,
        f64::from(client_timeouts) / SEEDS as f64,
        f64::from(server_timeouts) / SEEDS as f64,
    );
    assert!(max < 30_000.0 && ratio < 2.5 && bytes_ratio < 1.5);
    if loss == 0.0 {
        // The last segment comes twice, and with the first of each round trip one of a byte.
        let round_trips = times_us[times_us.len() - 1] / round_trip_us;
        let spares = if needed > SEEDS { 1 + round_trips } else { 0 };
        assert!(sent <= needed + spares * SEEDS && client_timeouts == 0);
    }
}

/// Paths with a slowest part, of 10 Mbit/s and of 1 Gbit/s, and queues of all lengths in front of it: what is lost there is lost to congestion, and sending on would only lose more.
#[test]
fn a_full_queue_is_not_taken_for_noise() {
    println!("round trip queue     bytes |  median     max ms | sent/needed bytes   lost frames");
    for (round_trip_us, frame_us) in [(50_000, 1200), (200, 12)] {
        for queue_frames in [5, 20, 40, 100, 400] {
            for bytes in [900_000, 5_000_000] {
                full_queue(round_trip_us, frame_us, queue_frames, bytes);
            }
        }
    }
}

fn full_queue(round_trip_us: u64, frame_us: u64, queue_frames: u64, bytes: usize) {
    let mut times_us = Vec::new();
    let (mut sent, mut lost) = (0, 0);
    for seed in 0..SEEDS / 4 {
        let mut world = World::new(seed, round_trip_us, bytes);
        world.down.frame_us = frame_us;
        world.down.queue_frames = queue_frames;
        let report = world.run();
        times_us.push(report.complete_us);
        sent += report.bytes;
        lost += report.lost;
    }
    times_us.sort_unstable();
    let at = |index: usize| times_us[index] as f64 / 1000.0;
    let ratio = sent as f64 / (SEEDS / 4 * bytes as u64) as f64;
    println!(
        "{round_trip_us:10} {queue_frames:5} {bytes:9} | {:7.1} {:10.1} | {ratio:17.3} {:13}",
        at(times_us.len() / 2),
        at(times_us.len() - 1),
        lost / (SEEDS / 4)
    );
    assert!(ratio < 1.3);
}
