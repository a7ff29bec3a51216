//! What a segmenter takes of its machine: time, memory, threads, files.

use std::time::Duration;

use arrow_array::RecordBatch;

use crate::ExternalInstance;
use crate::call::monotonic_ns;
use crate::conformance::found::{Found, Wrong, fail, pass, skipped, warning};
use crate::conformance::rows::Kind;
use crate::conformance::subject::{Subject, answers, call};
use crate::conformance::{OF_A_PROCESS, Test};
use crate::external::Usage;

/// Rows of a batch here.
const ROWS: usize = 1_000;
/// Batches before anything is measured, and of a span in which it is.
const WARM_UP: usize = 30;
const BATCHES: usize = 70;
/// Spans: what leaks grows in each of them, and an allocator's habits come and go.
const SPANS: usize = 3;
/// Memory that a span may take and not give back.
const HABIT_BYTES: u64 = 400 << 10;
/// Rows of the batches after which something may be left.
const LEFT_ROWS: usize = 6_000;
/// How often it is told to stop.
const ROUNDS: usize = 3;
/// Rows that take a while.
const MANY_ROWS: usize = 16_384;

pub(super) const TESTS: &[Test] = &[
    Test {
        id: "R-leak",
        why: "a process serves for months",
        fix: "free what a call allocates: the output in its release function, the rest before returning",
        run: leak,
    },
    Test {
        id: "R-threads",
        why: "threads that are left behind take time from everybody, and nobody can stop them",
        fix: "join every thread before the call returns, or in destroy if there are no more than limits.threads",
        run: threads,
    },
    Test {
        id: "R-cancel",
        why: "a call that is past its deadline is told to stop; one that does not listen ends with its process",
        fix: "poll SEG_CANCELLED every 4096 rows or so, and return SEG_E_CANCELLED",
        run: cancel,
    },
    Test {
        id: "P-time",
        why: "what a segmenter needs is planned with",
        fix: "make it faster, or declare the time that it needs as limits.ms_per_1k_rows",
        run: time,
    },
    Test {
        id: "P-memory",
        why: "the process ends where it takes more than it is allowed",
        fix: "take less, or declare the memory that it needs as limits.memory_mb",
        run: memory,
    },
    Test {
        id: "B-sandbox",
        why: "what was judged here runs in the same sandbox there",
        fix: "judge it on a kernel with Landlock and seccomp",
        run: sandbox,
    },
];

fn batch(subject: &Subject, rows: usize) -> Result<RecordBatch, Wrong> {
    subject.rows("{}", rows, Kind::Plain)
}

fn usage(instance: &ExternalInstance) -> Result<Usage, Wrong> {
    let usage = instance.plugin().usage();
    usage.ok_or_else(|| "its process cannot be looked at".into())
}

fn leak(subject: &Subject) -> Found {
    if !subject.has_process() {
        return skipped(OF_A_PROCESS);
    }
    let rows = batch(subject, LEFT_ROWS)?;
    let instance = subject.fresh("{}")?;
    let show = |n_batches: usize| -> Result<u64, Wrong> {
        for _ in 0..n_batches {
            subject.in_time()?;
            answers(&instance, &rows)?;
            if subject.explains {
                instance.explain(&rows.slice(0, 50), &call(Duration::from_secs(5)), 4)?;
            }
        }
        // What it holds of that grows by what the kernel gives at a time, which may be two MiB.
        Ok(usage(&instance)?.data_bytes)
    };
    let first = show(1)?;
    let mut before = show(WARM_UP)?;
    let mut least = u64::MAX;
    for _ in 0..SPANS {
        let after = show(BATCHES)?;
        least = least.min(after.saturating_sub(before));
        before = after;
    }
    let whole = before.saturating_sub(first);
    // What stands still where there is no more to be had has grown until then.
    if whole > subject.memory_bytes() / 2 {
        return fail(format!(
            "{} MiB more after {WARM_UP} batches of {LEFT_ROWS} rows and some",
            whole >> 20
        ));
    }
    if least > HABIT_BYTES {
        return fail(format!(
            "at least {} KiB more after each {BATCHES} batches of {LEFT_ROWS} rows",
            least >> 10
        ));
    }
    pass("its memory does not grow and grow")
}

fn threads(subject: &Subject) -> Found {
    if !subject.has_process() {
        return skipped(OF_A_PROCESS);
    }
    let rows = batch(subject, ROWS)?;
    let (before, instance) = subject.measured("{}")?;
    for _ in 0..10 {
        answers(&instance, &rows)?;
    }
    let (before, after) = (before.threads, usage(&instance)?.threads);
    let allowed = u64::from(subject.descriptor().limits.threads);
    // One is its own, the main thread.
    if after > before + allowed.saturating_sub(1) {
        return fail(format!(
            "{} more after ten calls, the descriptor declares {allowed}",
            after - before
        ));
    }
    pass(format!("{after} in its process"))
}

fn cancel(subject: &Subject) -> Found {
    if !subject.has_process() {
        return skipped(OF_A_PROCESS);
    }
    let rows = batch(subject, MANY_ROWS)?;
    let instance = subject.fresh("{}")?;
    answers(&instance, &rows)?;
    let begun_ns = monotonic_ns();
    answers(&instance, &rows)?;
    let whole_ns = monotonic_ns().saturating_sub(begun_ns).unsigned_abs();
    let whole = Duration::from_nanos(whole_ns);
    // On a machine with other work, one that listens may not get to it in time; one that does not is lost every time.
    let mut least = u64::MAX;
    for _ in 0..ROUNDS {
        let before = instance.plugin().losses();
        let soon = [1, 100, 500, 1_000, 3_000].map(Duration::from_micros);
        // However fast the machine is: while it is at it.
        for longest in soon.into_iter().chain([whole / 4, whole / 2]) {
            instance.segment(&rows, &call(longest))?;
        }
        // What was told to stop has done so, or is lost by now.
        answers(&instance, &rows)?;
        least = least.min(instance.plugin().losses() - before);
        if least == 0 {
            return pass("it stops when it is told to");
        }
    }
    fail(format!("its process was killed {least} times"))
}

fn time(subject: &Subject) -> Found {
    if !subject.has_process() {
        return skipped(OF_A_PROCESS);
    }
    let rows = batch(subject, MANY_ROWS)?;
    let instance = subject.fresh("{}")?;
    answers(&instance, &rows)?;
    let before = usage(&instance)?.processor_ms;
    for _ in 0..10 {
        answers(&instance, &rows)?;
    }
    let taken = usage(&instance)?.processor_ms - before;
    let ms = taken / (10 * MANY_ROWS / 1_000) as f64;
    let most = subject.descriptor().limits.planned_ms_per_1k_rows();
    if ms <= most {
        return pass(format!("{ms:.2} ms of processor time per 1,000 rows"));
    }
    let told = format!("{ms:.2} ms per 1,000 rows, {most} are declared");
    if ms <= 2.0 * most {
        warning(told)
    } else {
        fail(told)
    }
}

fn memory(subject: &Subject) -> Found {
    if !subject.has_process() {
        return skipped(OF_A_PROCESS);
    }
    let rows = batch(subject, MANY_ROWS)?;
    let (before, instance) = subject.measured("{}")?;
    for _ in 0..3 {
        answers(&instance, &rows)?;
    }
    // The batch itself, as it is read and as it is shown.
    let shown = 4 * rows.get_array_memory_size() as u64;
    let peak = usage(&instance)?.peak_bytes;
    let taken = peak.saturating_sub(before.peak_bytes + shown);
    match subject.descriptor().limits.memory_mb {
        Some(declared) if taken > u64::from(declared) << 20 => {
            fail(format!("{} MiB, {declared} are declared", taken >> 20))
        },
        _ => pass(format!("{} MiB for {MANY_ROWS} rows", taken >> 20)),
    }
}

fn sandbox(subject: &Subject) -> Found {
    if !subject.has_process() {
        return skipped(OF_A_PROCESS);
    }
    if subject.sandbox_lacks.is_empty() {
        pass("the whole of it")
    } else {
        warning(format!(
            "this kernel lacks {}",
            subject.sandbox_lacks.join(", ")
        ))
    }
}
