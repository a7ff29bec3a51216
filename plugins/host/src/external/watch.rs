//! Looking after host processes between calls: what they hold, and what they do while nobody asks them anything.
//!
//! The kernel limits the memory that a process asks for. Threads, memory that it gets in other ways and time on processors are seen here,
//! and a process that takes more than it may is ended: an incident of its segmenter.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::external::peer::Peer;
use crate::external::{Shared, Trouble, Usage};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Threads beside those of the loaded segmenter and those that it declares: a runtime's own come and go.
const MORE_THREADS: u64 = 32;
/// Memory beside what it may ask for: what is loaded, and batches that are read and answered.
const MORE_BYTES: u64 = 192 << 20;
/// Share of a processor that a process may take while nobody asks it anything.
const IDLE_SHARE: f64 = 0.5;
/// Looks in which it may take more.
const MOST_BUSY: u32 = 3;

/// What was seen in the last look.
#[derive(Debug, Default)]
struct Seen {
    process: u32,
    batches: u64,
    processor_ms: f64,
    n_busy: u32,
}

/// Looks after the process of a segmenter as long as there is one to ask.
pub(super) async fn watch(shared: Weak<Shared>) {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = Seen::default();
    loop {
        ticks.tick().await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        look(&shared, &mut seen);
    }
}

fn look(shared: &Arc<Shared>, seen: &mut Seen) {
    let Peer::Process(peer) = &shared.peer else {
        return;
    };
    // One that is being asked is looked at the next time.
    let Some((process, loaded_threads, usage)) = peer.at_rest() else {
        seen.n_busy = 0;
        return;
    };
    let batches = shared.batches.load(Ordering::Relaxed);
    let was_idle = (seen.process, seen.batches) == (process, batches);
    let idle_ms = usage.processor_ms - seen.processor_ms;
    let is_busy = was_idle && idle_ms > IDLE_SHARE * LOOK_EVERY.as_secs_f64() * 1e3;
    seen.n_busy = if is_busy { seen.n_busy + 1 } else { 0 };
    (seen.process, seen.batches, seen.processor_ms) = (process, batches, usage.processor_ms);
    if let Some(what) = excess(shared, loaded_threads, usage, seen.n_busy)
        && peer.end(process)
    {
        tracing::warn!(
            segmenter = shared.descriptor.id,
            what,
            "the process of a segmenter is ended"
        );
        let number = shared.batches.fetch_add(1, Ordering::Relaxed);
        shared.breakers().excess(number, Trouble::Failed(what));
        *seen = Seen::default();
    } else if seen.n_busy == 0 {
        shared.breakers().is_sound();
    }
}

/// What a process takes that it may not.
fn excess(shared: &Shared, loaded_threads: u64, usage: Usage, n_busy: u32) -> Option<String> {
    let declared = u64::from(shared.descriptor.limits.threads);
    let most = super::memory_bytes(&shared.descriptor, &shared.allowance) + MORE_BYTES;
    if usage.threads > loaded_threads + declared + MORE_THREADS {
        Some(format!(
            "its process has {} threads, {declared} are declared",
            usage.threads
        ))
    } else if usage.resident_bytes + usage.table_bytes > most {
        let held = (usage.resident_bytes + usage.table_bytes) >> 20;
        let most = most >> 20;
        Some(format!("its process holds {held} MiB, {most} are the most"))
    } else if n_busy > MOST_BUSY {
        Some("its process takes a processor while nobody asks it anything".to_owned())
    } else {
        None
    }
}
