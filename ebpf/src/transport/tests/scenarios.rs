//! Transfers under conditions named one by one.

use proptest::prelude::*;
use zeroserve_shared::flow::Flow;

use super::{MSS, REQUEST_BYTES, world::World};
use crate::{
    descriptor::Range,
    transport::{Arrival, BACKLOG, RECEIVE_WINDOW, Work, acknowledge, begin, plan},
    wire::options::{MAX_BLOCKS, SackBlock},
};

/// A path on which loss is rare enough to name each frame.
const SHORT_US: u64 = 100;

#[test]
fn a_clean_path_needs_every_segment_once_and_no_timer() {
    for bytes in [1, 2, 1459, 1460, 1461, 2920, 2921, 14_600, 14_601, 100_000, 5_000_000] {
        for gathers_us in [0, 20] {
            let mut world = World::new(1, SHORT_US, bytes);
            world.habits.gathers_us = gathers_us;
            let report = world.run();
            let least = bytes.div_ceil(usize::from(MSS)) as u32;
            // The last segment comes twice, and with the first of each round trip one of a byte.
            let round_trips = (report.complete_us / SHORT_US) as u32;
            assert!(report.segments <= least + 1 + round_trips, "{bytes}: {report:?}");
            let counts = (report.repairs, report.client_timeouts);
            assert_eq!(counts, (0, 0), "{bytes}: {report:?}");
            let twice = usize::from(MSS) + round_trips as usize;
            assert!(report.bytes_twice <= twice, "{bytes}: {report:?}");
            assert!(report.complete_us < 40_000, "{bytes}: {report:?}");
        }
    }
}

#[test]
fn sequence_numbers_may_wrap_anywhere_in_a_response() {
    for before_wrap in [0, 1, 700, 1459, 1460, 1461, 14_600, 50_000, 99_999, 100_000, 100_001] {
        for seed in 0..8 {
            let mut world = World::new(seed, SHORT_US, 100_000).with_loss(0.03);
            world.first = 0_u32.wrapping_sub(before_wrap);
            world.run();
        }
    }
}

#[test]
fn windows_down_to_one_byte_are_filled_and_never_exceeded() {
    for buffer_bytes in [1, 2, 3, 10, 535, 1459, 1460, 1461, 2919, 4000, 30_000] {
        for loss in [0.0, 0.02] {
            let bytes = 40 * buffer_bytes.min(1000) as usize + 7;
            let mut world = World::new(7, SHORT_US, bytes).with_loss(loss);
            world.habits.buffer_bytes = buffer_bytes;
            world.habits.window_shift = 0;
            world.run();
        }
    }
}

#[test]
fn a_window_that_closes_and_opens_again_stops_nothing() {
    for (buffer_bytes, reads_per_ms) in [(4000, 900), (20_000, 3000), (65_535, 20_000)] {
        for loss in [0.0, 0.02] {
            let mut world = World::new(3, SHORT_US, 200_000).with_loss(loss);
            world.habits.buffer_bytes = buffer_bytes;
            world.habits.window_shift = 0;
            world.habits.reads_per_ms = Some(reads_per_ms);
            world.run();
        }
    }
}

#[test]
fn a_handshake_that_offers_no_window_only_delays_the_response() {
    for bytes in [1, 3000] {
        let mut world = World::new(3, SHORT_US, bytes);
        world.first_window = 0;
        world.run();
    }
}

#[test]
fn any_one_acknowledgment_or_window_update_may_be_lost() {
    let mut world = World::new(3, SHORT_US, 20_000);
    world.habits.buffer_bytes = 5000;
    world.habits.window_shift = 0;
    world.habits.reads_per_ms = Some(1500);
    for frame in 0..60 {
        world.up.doomed = vec![frame];
        let report = world.run();
        assert!(report.complete_us < 1_000_000, "frame {frame}: {report:?}");
        world.up.doomed.push(frame + 1);
        world.run();
    }
}

#[test]
fn any_one_segment_may_be_lost() {
    let mut world = World::new(3, SHORT_US, 60_000);
    for frame in 0..42 {
        world.down.doomed = vec![frame];
        let report = world.run();
        assert_eq!(report.lost, 1, "frame {frame}");
        assert!(report.bytes < 60_000 + 5 * u64::from(MSS), "frame {frame}: {report:?}");
        assert_eq!(report.client_timeouts, 0, "frame {frame}: {report:?}");
    }
}

#[test]
fn what_a_client_has_no_memory_for_comes_again() {
    let mut world = World::new(3, SHORT_US, 60_000);
    for lost in 40..50 {
        world.down.doomed = vec![lost, lost + 1];
        for refused in 40..60 {
            world.habits.refused = (refused..refused + 4).collect();
            world.run();
        }
    }
}

#[test]
fn a_client_that_has_room_again_gets_what_it_had_none_for() {
    let mut world = World::new(3, SHORT_US, 0);
    world.habits.tells_of_room = true;
    world.responses = vec![1000, 10, 3000, 1460];
    for closes in [false, true] {
        world.closes = closes;
        for refused in 0..7 {
            world.habits.refused = vec![refused];
            let report = world.run();
            assert_eq!(report.client_timeouts, 0, "{refused}: {report:?}");
        }
    }
}

#[test]
fn several_holes_in_one_flight_need_no_timer() {
    for doomed in [vec![40, 60], vec![40, 41, 60, 70, 71, 80], vec![30, 35, 40, 45, 50, 55, 60]] {
        let mut world = World::new(3, SHORT_US, 200_000);
        let repairs = doomed.len() as u64 * u64::from(MSS);
        world.down.doomed = doomed;
        let report = world.run();
        assert_eq!(report.client_timeouts, 0, "{report:?}");
        assert!(report.bytes < 200_000 + repairs + 12 * u64::from(MSS), "{report:?}");
    }
}

#[test]
fn frames_that_overtake_each_other_or_come_twice_damage_nothing() {
    for seed in 0..10 {
        let mut world = World::new(seed, 1000, 300_000);
        for link in [&mut world.up, &mut world.down] {
            link.holdup = 0.05;
            link.holdup_us = 3000;
            link.doubling = 0.05;
            link.loss = 0.01;
        }
        world.run();
    }
}

#[test]
fn a_queue_that_overflows_is_survived() {
    for queue_frames in [4, 16, 256] {
        let mut world = World::new(5, 10_000, 2_000_000);
        world.down.queue_frames = queue_frames;
        world.down.frame_us = 12;
        let report = world.run();
        assert!(report.complete_us < 20_000_000, "{queue_frames}: {report:?}");
    }
}

#[test]
fn requests_follow_each_other_on_one_connection() {
    for closes in [false, true] {
        for seed in 0..20 {
            let mut world = World::new(seed, SHORT_US, 0).with_loss(0.03);
            world.responses = vec![200, 5000, 1, 1460, 40_000, 1461];
            world.closes = closes;
            world.run();
        }
    }
}

#[test]
fn clients_differ_and_all_are_served() {
    for seed in 0..10 {
        for loss in [0.01, 0.1] {
            let mut world = World::new(seed, SHORT_US, 60_000).with_loss(loss);
            world.habits.sack = false;
            world.run();
            world.habits.sack = true;
            world.habits.parts_count = false;
            world.limit_us = 3_600_000_000;
            world.run();
            world.habits.probes = true;
            world.run();
        }
    }
}

#[test]
fn a_lost_request_or_short_answer_costs_one_timeout_of_the_client() {
    let mut world = World::new(1, SHORT_US, 500);
    world.up.doomed = vec![0];
    let report = world.run();
    assert_eq!((report.client_timeouts, report.segments), (1, 1), "{report:?}");
    world.up.doomed.clear();
    world.down.doomed = vec![0];
    let report = world.run();
    assert_eq!((report.client_timeouts, report.segments), (1, 4), "{report:?}");
}

prop_compose! {
    fn any_world()(
        seed: u64,
        round_trip_us in prop_oneof![Just(100_u64), 1000..80_000_u64],
        responses in prop::collection::vec(1..60_000_usize, 1..4),
        (up, down) in (0.0..0.15, 0.0..0.15),
        (doubling, holdup) in (0.0..0.1, 0.0..0.1),
        buffer_bytes in prop_oneof![600..9000_u32, 9000..400_000_u32],
        reads_per_ms in prop::option::of(300..30_000_u32),
        gathers_us in prop_oneof![Just(0), 1..2000_u64],
        (probes, sack, closes) in any::<(bool, bool, bool)>(),
        first: u32,
    ) -> World {
        let mut world = World::new(seed, round_trip_us, 0);
        for (link, loss) in [(&mut world.up, up), (&mut world.down, down)] {
            link.loss = loss;
            link.doubling = doubling;
            link.holdup = holdup;
            link.holdup_us = round_trip_us;
        }
        world.habits.buffer_bytes = buffer_bytes;
        world.habits.window_shift = if buffer_bytes > 0xffff { 7 } else { 0 };
        world.habits.reads_per_ms = reads_per_ms;
        world.habits.gathers_us = gathers_us;
        world.habits.probes = probes;
        world.habits.sack = sack;
        world.responses = responses;
        world.closes = closes;
        world.first = first;
        world
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_the_path_and_the_client_every_byte_arrives(world in any_world()) {
        let requests = world.responses.len() as u32;
        let report = world.run();
        prop_assert!(report.segments >= requests);
    }
}

#[test]
fn any_one_answer_of_a_client_that_gathers_may_be_lost() {
    for gathers_us in [20, 200, 2000] {
        let mut world = World::new(3, SHORT_US, 300_000);
        world.habits.gathers_us = gathers_us;
        // The first frame is the request, and the second answers the initial window, which has no room
        // for anything to be answered besides.
        for frame in 2..120 {
            world.up.doomed = vec![frame];
            let report = world.run();
            assert_eq!(report.client_timeouts, 0, "frame {frame}, {gathers_us} us: {report:?}");
        }
    }
}

#[test]
fn a_flow_in_a_crowd_needs_few_acknowledgments_and_no_timer() {
    for (crowd, most) in [(8, 15), (32, 7), (200, 3)] {
        for gathers_us in [0, 20, 200] {
            let mut world = World::new(3, SHORT_US, 900_000);
            world.habits.gathers_us = gathers_us;
            world.crowd = crowd;
            let report = world.run();
            let least = 900_000_usize.div_ceil(usize::from(MSS)) as u32;
            // The last segment comes twice.
            assert_eq!(report.segments, least + 1, "{crowd}, {gathers_us} us: {report:?}");
            let counts = (report.repairs, report.client_timeouts);
            assert_eq!(counts, (0, 0), "{crowd}, {gathers_us} us: {report:?}");
            let round_trips = u64::from(least / most) + 10;
            let trip_us = SHORT_US + gathers_us;
            assert!(report.complete_us < 2 * round_trips * trip_us, "{crowd}: {report:?}");
        }
    }
}

proptest! {
    #[test]
    fn a_flow_in_a_crowd_delivers_whatever_is_lost(
        seed: u64,
        crowd in 5..300_u32,
        loss in 0.0..0.15,
        gathers_us in prop_oneof![Just(0_u64), 20..2000_u64],
        sack: bool,
    ) {
        let mut world = World::new(seed, SHORT_US, 200_000).with_loss(loss);
        world.habits.gathers_us = gathers_us;
        world.habits.sack = sack;
        world.crowd = crowd;
        world.run();
    }
}

#[test]
fn a_window_that_was_smaller_than_a_segment_blinds_nobody_to_losses() {
    let mut timeouts = 0;
    for seed in 0..100 {
        let mut world = World::new(seed, SHORT_US, 100_000);
        world.down.loss = 0.05;
        world.habits.buffer_bytes = 5 * u32::from(MSS) + 700;
        world.habits.window_shift = 0;
        timeouts += world.run().client_timeouts;
    }
    // Where all of a flight is lost only the timer helps.
    assert!(timeouts < 15, "{timeouts}");
}

#[test]
fn a_timer_that_runs_out_of_request_bytes_on_a_long_way_tells_of_no_loss() {
    for round_trip_us in [50_000, 80_000, 150_000, 300_000] {
        for gathers_us in [0, 2000] {
            let mut world = World::new(3, round_trip_us, 2_000_000);
            world.habits.parts_count = false;
            world.down.queue_frames = 4096;
            world.habits.gathers_us = gathers_us;
            let report = world.run();
            assert!(report.client_timeouts > 0, "{round_trip_us} us: {report:?}");
            assert_eq!(report.server_timeouts, 0, "{round_trip_us} us: {report:?}");
        }
    }
}

#[test]
fn segments_that_are_overtaken_do_not_slow_a_transfer_down_for_long() {
    for round_trip_us in [20_000, 50_000] {
        let mut times_us = Vec::new();
        for seed in 0..20 {
            let mut world = World::new(seed, round_trip_us, 900_000);
            for link in [&mut world.up, &mut world.down] {
                link.holdup = 0.1;
                link.holdup_us = 5000;
            }
            times_us.push(world.run().complete_us);
        }
        let clean_us = World::new(0, round_trip_us, 900_000).run().complete_us;
        times_us.sort_unstable();
        assert!(times_us[19] < clean_us * 3 / 2, "{round_trip_us} us: {clean_us}, {times_us:?}");
    }
}

/// Further requests wait for the answer, so its last byte follows it. Where that arrives and the answer
/// does not, only the client's timer can tell. It hung for ever once.
#[test]
fn what_only_makes_a_client_answer_leaves_its_timer_running() {
    let window = u32::from(RECEIVE_WINDOW);
    let mut flow = Flow {
        mss: MSS,
        receive_next: REQUEST_BYTES,
        unscaled_window: RECEIVE_WINDOW,
        flags: BACKLOG,
        ..Flow::default()
    };
    begin(&mut flow, 924, 0);
    let mut work = Work::default();
    plan(&mut flow, &mut work);
    let whole = Range { start: 0, end: 924 };
    assert_eq!(work.plan.ranges[..2], [whole, Range { start: 923, end: 924 }]);
    assert_ne!(flow.acknowledged, flow.receive_next);
    work.arrival = Arrival {
        acknowledgment: flow.send_unacknowledged,
        window,
        blocks: [SackBlock { left: 923, right: 924 }; MAX_BLOCKS],
        block_count: 1,
        now_ms: 300,
        repeats: true,
        ..Arrival::default()
    };
    acknowledge(&mut flow, &work.arrival);
    plan(&mut flow, &mut work);
    assert_eq!(work.plan.ranges[0], whole);
}
