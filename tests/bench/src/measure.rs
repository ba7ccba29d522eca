//! How things are measured: on the processor where one thread does all the
//! work, by the clock where several processes do.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Time that this thread was on a processor (Linux), so that a busy machine
/// does not count; elsewhere time that passed.
fn busy(start: Instant) -> Duration {
    let on_cpu = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = on_cpu.and_then(|text| text.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| start.elapsed(), Duration::from_nanos)
}

/// Processor time of one run, the mean over half a second after a warm-up.
pub(crate) fn each<T>(mut run: impl FnMut() -> T) -> Duration {
    for _ in 0..20 {
        black_box(run());
    }
    let start = Instant::now();
    let before = busy(start);
    let mut runs = 0u32;
    while start.elapsed() < Duration::from_millis(500) {
        for _ in 0..16 {
            black_box(run());
        }
        runs += 16;
    }
    (busy(start) - before) / runs
}

/// Prints a row: runs per second of one core, and the time of one.
pub(crate) fn row<T>(name: &str, run: impl FnMut() -> T) -> Duration {
    let each = each(run);
    let per_second = 1.0 / each.as_secs_f64();
    println!("{name:<32} {per_second:>12.0} /s   {each:>10.2?} each");
    each
}

/// What lies at these parts of the sorted times: `0.5` is the median.
pub(crate) fn quantile(times: &[Duration], part: f64) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index below the number of times"
    )]
    let at = ((sorted.len() as f64 * part) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or_default()
}

/// Prints median and 99th of a hundred.
pub(crate) fn times(name: &str, times: &[Duration]) {
    println!(
        "{name:<48} p50 {:>9.2?}   p99 {:>9.2?}   ({} times)",
        quantile(times, 0.5),
        quantile(times, 0.99),
        times.len()
    );
}
