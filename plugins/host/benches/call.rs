//! What a call costs: `cargo bench -p sextant-plugin-host`. Prints the median of many calls in microseconds.
#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use std::{env, hint};

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use arrow_buffer::{Buffer, MutableBuffer};

use sextant_plugin_host::{Call, CallError, Instance, Plugin};

const CALLS: usize = 501;
const NAMES: [&str; 6] = [
    "rfm.recency",
    "rfm.frequency",
    "rfm.monetary",
    "purchase.days_since_last",
    "purchase.count",
    "purchase.total_minor",
];

fn main() -> Result<(), Box<dyn Error>> {
    let exe = env::current_exe()?;
    let folder = exe.parent().map_or_else(PathBuf::new, Path::to_owned);
    let plugin = Plugin::load(&folder.join("libsextant_segmenter_rfm.so"))?;
    for rows in [1, 1_000, 16_384] {
        let aligned = batch(rows, aligned)?;
        let mut instance = Instance::create(&plugin, "{}")?;
        instance.bind(aligned.schema_ref())?;
        measure(&format!("segment {rows} x 6, aligned"), || {
            segment(&instance, &aligned)
        })?;
        let copied = batch(rows, misaligned)?;
        measure(&format!("segment {rows} x 6, copied"), || {
            segment(&instance, &copied)
        })?;
        let gaps = batch(rows, with_gaps)?;
        measure(&format!("segment {rows} x 6, 1 % missing"), || {
            segment(&instance, &gaps)
        })?;
    }
    let few = batch(100, aligned)?;
    let mut instance = Instance::create(&plugin, "{}")?;
    instance.bind(few.schema_ref())?;
    measure("explain 100 x 6, top 3", || {
        instance
            .explain(&few, &call(), 3)
            .map(|reasons| reasons.len())
    })
}

fn call() -> Call<'static> {
    Call {
        tenant: "bench",
        as_of_us: 0,
        seed: 0,
        deadline: None,
        cancel: None,
    }
}

fn segment(instance: &Instance, batch: &RecordBatch) -> Result<usize, CallError> {
    instance
        .segment(batch, &call())
        .map(|answers| answers.segment.len())
}

fn measure(
    name: &str,
    mut run: impl FnMut() -> Result<usize, CallError>,
) -> Result<(), Box<dyn Error>> {
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let start = Instant::now();
        hint::black_box(run()?);
        times.push(start.elapsed());
    }
    times.sort_unstable();
    println!(
        "{name:<36} {:>9.1} us",
        times[CALLS / 2].as_secs_f64() * 1e6
    );
    Ok(())
}

fn batch(
    rows: usize,
    column: impl Fn(Vec<i64>) -> ArrayRef,
) -> Result<RecordBatch, Box<dyn Error>> {
    let values = (0_i64..)
        .take(rows)
        .map(|row| row % 5 + 1)
        .collect::<Vec<_>>();
    let columns = NAMES.map(|name| (name, column(values.clone()), true));
    Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
}

fn aligned(values: Vec<i64>) -> ArrayRef {
    let mut buffer = MutableBuffer::with_capacity(values.len() * 8);
    buffer.extend_from_slice(&values);
    Arc::new(Int64Array::new(Buffer::from(buffer).into(), None))
}

fn misaligned(mut values: Vec<i64>) -> ArrayRef {
    let rows = values.len();
    values.insert(0, 0);
    aligned(values).slice(1, rows)
}

fn with_gaps(values: Vec<i64>) -> ArrayRef {
    let cells = values
        .into_iter()
        .enumerate()
        .map(|(row, value)| (row % 100 != 7).then_some(value));
    Arc::new(cells.collect::<Int64Array>())
}
