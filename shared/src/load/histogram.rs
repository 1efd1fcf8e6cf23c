//! How latencies are counted: in steps, 64 of them within each power of two.

/// Bits of a latency that are told apart: 64 steps within each power of two, 1.6 % at most.
const STEP_BITS: u32 = 6;
/// The longest latency that is told apart, in bits: 68 seconds.
const LATENCY_BITS: u32 = 36;
/// How many steps there are.
pub const BUCKETS: usize = 2048;

/// How many latencies fell into each step: the element of the per-CPU map `LATENCY`.
pub type Histogram = [u64; BUCKETS];

/// The step that a latency falls into.
#[inline(always)]
pub const fn bucket(latency_ns: u64) -> u32 {
    const LONGEST_NS: u64 = (1 << LATENCY_BITS) - 1;
    let latency_ns = if latency_ns > LONGEST_NS { LONGEST_NS } else { latency_ns };
    // How many bits there are beyond those of a step, halving what may be left of them: BPF has no
    // instruction that counts zeros.
    let mut left = latency_ns >> (STEP_BITS + 1);
    let mut shift = 0;
    let mut half = 16;
    while half > 0 {
        if left >> half != 0 {
            left >>= half;
            shift += half;
        }
        half /= 2;
    }
    shift += left as u32;
    (shift << STEP_BITS) + (latency_ns >> shift) as u32
}

/// The shortest latency that falls into a step, in nanoseconds.
pub const fn bucket_start_ns(bucket: u32) -> u64 {
    let steps = 1 << STEP_BITS;
    if bucket < 2 * steps {
        return bucket as u64;
    }
    let shift = bucket / steps - 1;
    ((bucket - shift * steps) as u64) << shift
}

const _: () = assert!(bucket(u64::MAX) < BUCKETS as u32);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_latency_lies_between_the_start_of_its_step_and_that_of_the_next(
            bits in 1u32..LATENCY_BITS, noise: u64,
        ) {
            let latency_ns = (1 << bits) | (noise & ((1 << bits) - 1));
            let step = bucket(latency_ns);
            let (start, next) = (bucket_start_ns(step), bucket_start_ns(step + 1));
            prop_assert!(start <= latency_ns && latency_ns < next, "{start} {next}");
            prop_assert!((next - start) as f64 <= (latency_ns as f64 / 64.0).max(1.0));
        }
    }

    #[test]
    fn steps_have_no_gaps() {
        let last = bucket(u64::MAX);
        let starts: Vec<u64> = (0..=last).map(bucket_start_ns).collect();
        assert!(starts.is_sorted_by(|a, b| a < b));
        assert!((0..=last).all(|step| bucket(bucket_start_ns(step)) == step));
    }
}
