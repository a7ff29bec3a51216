//! What a segmenter takes of its machine: time, memory, threads, files.

use std::time::Duration;

use arrow_array::RecordBatch;

use crate::conformance::found::{Found, Wrong, fail, pass, skipped, warning};
use crate::conformance::rows::Kind;
use crate::conformance::subject::{Subject, answers, call, timed};
use crate::conformance::tests_of_answers::{
    EXPLAINED, LONGEST_OF_A_PAGE, MOST_REASONS, explained, quickly_explained,
};
use crate::conformance::{OF_A_PROCESS, Test};
use crate::external::Usage;
use crate::{Deadline, External, ExternalInstance};

/// Rows of a batch here.
const ROWS: usize = 1_000;
/// Spans in which memory is measured: what leaks grows in each of them, and an allocator's habits come and go.
const SPANS: usize = 3;
/// How often so many spans are looked at, each time twice as long: a leak grows in all of them, a heap that is cut up anew in some.
const LOOKS: u32 = 3;
/// A span of one that is slow is shorter.
const LONGEST_SPAN: Duration = Duration::from_secs(1);
/// What may leave something behind: how often it is done before anything is measured, and in a span.
const BATCHES: Doing = Doing {
    what: "batches of 6,000 rows",
    before: 4,
    times: 8,
    heap_habit_bytes: 8 << 10,
};
const CALLS: Doing = Doing {
    what: "calls of one row",
    before: 20,
    times: 50,
    heap_habit_bytes: 2 << 10,
};
const INSTANCES: Doing = Doing {
    what: "instances",
    before: 4,
    times: 50,
    heap_habit_bytes: 2 << 10,
};
/// More memory that may be held behind a span, and behind all of them.
const HABIT_BYTES: u64 = 192 << 10;
const WHOLE_HABIT_BYTES: u64 = 2 << 20;
const LEFT_ROWS: usize = 6_000;
/// Reasons that are asked for beside: of so many rows at most, for so long.
const MOST_EXPLAINED: usize = 50;
const AN_INSTANT: Duration = Duration::from_millis(20);
/// How often it is told to stop.
const ROUNDS: usize = 3;
/// Rows that take a while.
const MANY_ROWS: usize = 16_384;

/// How long its process may take to start and to make an instance, and what is worth a word.
const LONGEST_START: Duration = Duration::from_secs(1);
const LONG_START: Duration = Duration::from_millis(250);

/// What is asked first: every other test starts processes, so one that is slow to start is not tested further.
pub(super) const START: Test = Test {
    id: "P-start",
    why: "a process is started anew after each crash, and whoever asks waits for that",
    fix: "do less in constructors and in create, or when it is first needed",
    run: start,
};

pub(super) const TESTS: &[Test] = &[
    Test {
        id: "R-leak",
        why: "a process serves for months",
        fix: "free what a call allocates: the output in its release function, the rest before returning; what an instance holds in destroy",
        run: leak,
    },
    Test {
        id: "R-threads",
        why: "threads that are left behind take time from everybody, and nobody can stop them",
        fix: "join every thread before the call returns, or in destroy if there are no more than limits.threads",
        run: threads,
    },
    Test {
        id: "R-files",
        why: "a process has so many files and no more, and serves for months",
        fix: "close what a call opens before it returns, and what an instance holds in destroy",
        run: files,
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
        id: "P-explain",
        why: "whoever looks at a page waits for its reasons, and no longer than two seconds",
        fix: "make explain faster: it is asked about accounts that somebody looks at, a page of them at a time",
        run: explain,
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

fn usage(plugin: &External) -> Result<Usage, Wrong> {
    let usage = plugin.usage();
    usage.ok_or_else(|| "its process cannot be looked at".into())
}

/// Something that is done again and again.
struct Doing {
    what: &'static str,
    before: usize,
    times: usize,
    /// More memory that may be allocated behind a span.
    heap_habit_bytes: u64,
}

impl Doing {
    /// Does it, and fails where memory is left behind each time, also where it is looked at for longer.
    fn leaves_nothing(
        &self,
        subject: &Subject,
        plugin: &External,
        once: impl Fn() -> Result<(), Wrong>,
    ) -> Result<(), Wrong> {
        let again = |times: usize| -> Result<(usize, Memory), Wrong> {
            let until = Deadline::after(LONGEST_SPAN);
            let mut done = 0;
            while done < times && (done == 0 || !until.left().is_zero()) {
                subject.in_time()?;
                once()?;
                done += 1;
            }
            Ok((done, Memory::of(plugin)?))
        };
        let (_, first) = again(1)?;
        let (_, mut begun) = again(self.before)?;
        let mut told = String::new();
        for look in 0..LOOKS {
            let mut before = begun;
            let mut always = true;
            let mut all = 0;
            for _ in 0..SPANS {
                let (done, after) = again(self.times << look)?;
                let more = after.more_than(&before);
                always &= more.heap > self.heap_habit_bytes || more.most() > HABIT_BYTES;
                all += done;
                before = after;
            }
            // What grows by doubling stands still in between.
            let whole = before.more_than(&begun).most();
            // What stands still where there is no more to be had has grown until then.
            let has_all = before.more_than(&first).most() > subject.memory_bytes() / 2;
            if !always && whole <= WHOLE_HABIT_BYTES && !has_all {
                return Ok(());
            }
            told = if has_all {
                let all = before.more_than(&first).most() >> 10;
                format!(
                    "{all} KiB more than after the first of the {}, and no more is to be had",
                    self.what
                )
            } else {
                format!("{} KiB more after {all} {}", whole >> 10, self.what)
            };
            begun = before;
        }
        Err(told.into())
    }
}

/// Memory of a process, in bytes.
#[derive(Clone, Copy)]
struct Memory {
    /// Allocated and not freed.
    heap: u64,
    asked_for: u64,
    touched: u64,
}

impl Memory {
    fn of(plugin: &External) -> Result<Self, Wrong> {
        let usage = usage(plugin)?;
        Ok(Self {
            heap: plugin.heap_bytes().unwrap_or_default(),
            asked_for: usage.data_bytes,
            touched: usage.touched_bytes,
        })
    }

    fn more_than(&self, before: &Self) -> Self {
        Self {
            heap: self.heap.saturating_sub(before.heap),
            asked_for: self.asked_for.saturating_sub(before.asked_for),
            touched: self.touched.saturating_sub(before.touched),
        }
    }

    fn most(&self) -> u64 {
        self.heap.max(self.asked_for).max(self.touched)
    }
}

fn leak(subject: &Subject) -> Found {
    if !subject.has_process() {
        return skipped(OF_A_PROCESS);
    }
    let rows = batch(subject, LEFT_ROWS)?;
    let fresh = subject.fresh("{}")?;
    let plugin = fresh.plugin();
    let shown = shown(subject)?;
    BATCHES.leaves_nothing(subject, plugin, || shown(&fresh, &rows))?;
    let one = rows.slice(0, 1);
    CALLS.leaves_nothing(subject, plugin, || shown(&fresh, &one))?;
    let state = subject.state("{}")?;
    INSTANCES.leaves_nothing(subject, plugin, || {
        let another = super::subject::instance(plugin, ("{}", state.as_ref()))?;
        shown(&another, &one)
    })?;
    pass("its memory does not grow and grow")
}

/// Asks about rows, and why of a few of them.
fn shown(
    subject: &Subject,
) -> Result<impl Fn(&ExternalInstance, &RecordBatch) -> Result<(), Wrong>, Wrong> {
    let few = quickly_explained(subject, AN_INSTANT, MOST_EXPLAINED)?;
    Ok(move |instance: &ExternalInstance, rows: &RecordBatch| {
        answers(instance, rows)?;
        if few > 0 {
            let few = rows.slice(0, rows.num_rows().min(few));
            explained(instance, &few, MOST_REASONS)?;
        }
        Ok(())
    })
}

fn threads(subject: &Subject) -> Found {
    if !subject.has_process() {
        return skipped(OF_A_PROCESS);
    }
    let rows = batch(subject, ROWS)?;
    let (before, instance) = subject.measured("{}")?;
    let shown = shown(subject)?;
    for _ in 0..10 {
        shown(&instance, &rows)?;
    }
    let (before, after) = (before.threads, usage(instance.plugin())?.threads);
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

fn files(subject: &Subject) -> Found {
    if !subject.has_process() {
        return skipped(OF_A_PROCESS);
    }
    let rows = batch(subject, ROWS)?;
    let (_before, instance) = subject.measured("{}")?;
    let plugin = instance.plugin();
    let shown = shown(subject)?;
    let state = subject.state("{}")?;
    let again = || -> Result<u64, Wrong> {
        for _ in 0..10 {
            shown(&instance, &rows)?;
            super::subject::instance(plugin, ("{}", state.as_ref()))?;
        }
        let open = plugin.open_files();
        open.ok_or_else(|| "its process cannot be looked at".into())
    };
    // What it opens once and keeps is no leak.
    let (before, after) = (again()?, again()?);
    if after > before {
        let more = after - before;
        return fail(format!(
            "{more} more are open after ten calls and ten instances"
        ));
    }
    pass(format!("{after} are open in its process"))
}

fn cancel(subject: &Subject) -> Found {
    if !subject.has_process() {
        return skipped(OF_A_PROCESS);
    }
    let rows = batch(subject, MANY_ROWS)?;
    let instance = subject.fresh("{}")?;
    answers(&instance, &rows)?;
    let (_answers, whole) = timed(|| answers(&instance, &rows))?;
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
    let before = usage(instance.plugin())?.processor_ms;
    for _ in 0..10 {
        answers(&instance, &rows)?;
    }
    let taken = usage(instance.plugin())?.processor_ms - before;
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

fn start(subject: &Subject) -> Found {
    if !subject.has_process() {
        return skipped(OF_A_PROCESS);
    }
    if subject.fits() {
        return skipped("it is fitted before it is started");
    }
    // The first time is that of a cold start.
    subject.fresh("{}")?;
    let (_instance, took) = timed(|| subject.fresh("{}"))?;
    let told = format!("{took:.1?} until its process has an instance");
    if took > LONGEST_START {
        Err(Wrong::slow_to_start(told))
    } else if took > LONG_START {
        warning(told)
    } else {
        pass(told)
    }
}

fn explain(subject: &Subject) -> Found {
    if !subject.explains {
        return skipped("it gives no reasons");
    }
    let instance = subject.fresh("{}")?;
    let rows = batch(subject, EXPLAINED)?;
    // The first time is that of a cold start.
    explained(&instance, &rows.slice(0, 1), MOST_REASONS)?;
    let (_reasons, took) = timed(|| explained(&instance, &rows, MOST_REASONS))?;
    let told = format!("{took:.1?} for the reasons of {EXPLAINED} rows");
    if took > LONGEST_OF_A_PAGE {
        fail(told)
    } else {
        pass(told)
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
    let peak = usage(instance.plugin())?.peak_bytes;
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
