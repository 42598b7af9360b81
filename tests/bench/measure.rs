//! How long is measured, the same for every floor.

use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode};

/// A group of measurements: `cargo bench --bench FLOOR -- FLOOR/NAME` makes one of them.
pub(crate) fn group<'a>(criterion: &'a mut Criterion, floor: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(floor);
    // An iteration takes very many packets: a few of them say as much as very many would.
    group
        .sample_size(20)
        .sampling_mode(SamplingMode::Flat)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    group
}
