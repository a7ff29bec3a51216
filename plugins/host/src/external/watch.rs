//! Looking after host processes between calls: what they hold, and what they do while nobody asks them anything.
//!
//! The kernel limits the memory that a process asks for. Threads, memory that it gets in other ways and time on processors are seen here,
//! and a process that takes more than it may is ended: an incident of its segmenter.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::external::peer::{HostPeer, Peer};
use crate::external::{Shared, Trouble, Usage};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Threads beside those of the loaded segmenter and those that it declares: a runtime's own come and go.
const MORE_THREADS: u64 = 32;
/// Memory beside what it may ask for: what is loaded, and batches that are read and answered.
const MORE_BYTES: u64 = 192 << 20;
/// Processors that a process may take beside those that it declares, while it is asked: its runtime clears up meanwhile.
const MORE_WHILE_ASKED: f64 = 0.5;
/// Share of a processor that it may take at any time.
const IDLE_SHARE: f64 = 0.1;
/// Processor time beyond that it may have taken, in milliseconds. It is paid off by taking less.
const MOST_OVER_MS: f64 = 1_000.0;

/// What was seen in the last look.
#[derive(Debug)]
struct Seen {
    process: u32,
    at: Instant,
    processor_ms: f64,
    asked_ms: f64,
    /// Processor time beyond what it may take, as it adds up.
    over_ms: f64,
}

/// Looks after the process of a segmenter as long as there is one to ask.
pub(super) async fn watch(shared: Weak<Shared>) {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = None;
    loop {
        ticks.tick().await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        if let Peer::Process(peer) = &shared.peer {
            look(&shared, peer, &mut seen).await;
        }
    }
}

/// Looks between two calls, for which it waits as another call would: one that is asked all the time is looked at, too.
async fn look(shared: &Arc<Shared>, peer: &HostPeer, seen: &mut Option<Seen>) {
    let mut rest = peer.rest().await;
    let Some((process, usage)) = rest
        .process()
        .and_then(|one| Some((one, Usage::of(one.id())?)))
    else {
        *seen = None;
        return;
    };
    let (at, asked_ms) = (Instant::now(), peer.asked_ms());
    let before = seen.take().filter(|seen| seen.process == process.id());
    let over_ms = before.map_or(0.0, |before| {
        let declared = f64::from(shared.descriptor.limits.threads.max(1));
        let while_asked = (asked_ms - before.asked_ms) * (declared + MORE_WHILE_ASKED);
        let at_any_time = at.duration_since(before.at).as_secs_f64() * 1e3 * IDLE_SHARE;
        let taken = usage.processor_ms - before.processor_ms;
        (before.over_ms + taken - while_asked - at_any_time).max(0.0)
    });
    if let Some(what) = excess(shared, process.loaded_threads, usage, over_ms) {
        tracing::warn!(
            segmenter = shared.descriptor.id,
            what,
            "the process of a segmenter is ended"
        );
        let number = shared.batches.fetch_add(1, Ordering::Relaxed);
        shared.breakers().excess(number, Trouble::Failed(what));
        rest.end();
        return;
    }
    if over_ms == 0.0 {
        shared.breakers().is_sound();
    }
    *seen = Some(Seen {
        process: process.id(),
        at,
        processor_ms: usage.processor_ms,
        asked_ms,
        over_ms,
    });
}

/// What a process takes that it may not.
fn excess(shared: &Shared, loaded_threads: u64, usage: Usage, over_ms: f64) -> Option<String> {
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
    } else if over_ms > MOST_OVER_MS {
        Some("its process takes a processor beside the calls that are made of it".to_owned())
    } else {
        None
    }
}
