//! Telling followers which of a service's own feeds have grown.
//!
//! Commits of this process are noted at once. Those of other replicas are found by one query for all tenants, every two
//! seconds, so an idle tenant costs a row of it.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::position::Head;

/// Pause between two looks at what other replicas have committed.
const SWEEP_EVERY: Duration = Duration::from_secs(2);

/// Looks for commits of other replicas until `stop`, at once and then every two seconds. `look` reads the newest numbers of
/// all feeds, with one query, and publishes them.
pub async fn sweep<L, E>(look: impl Fn() -> L + Send, stop: CancellationToken)
where
    L: Future<Output = Result<(), E>> + Send,
    E: Display,
{
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        tokio::select! {
            _ = ticks.tick() => {},
            () = stop.cancelled() => return,
        }
        match look().await {
            Ok(()) if failing => {
                tracing::info!("feed heads can be read again");
                failing = false;
            },
            // Told once: the store's silence may last.
            Err(error) if !failing => {
                tracing::warn!(%error, "feed heads cannot be read; trying again");
                failing = true;
            },
            Ok(()) | Err(_) => {},
        }
    }
}

/// The newest numbers of a service's feeds. A watcher gets all of them at once and then each feed that has grown since it
/// looked last: a slow watcher misses numbers in between, never a feed, and nothing is queued for it.
#[derive(Debug)]
pub struct Heads {
    feeds: Mutex<Feeds>,
    edition: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Feeds {
    edition: u64,
    heads: BTreeMap<(TenantId, Slice), Known>,
    by_edition: BTreeMap<u64, (TenantId, Slice)>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    sequence: u64,
    edition: u64,
}

impl Default for Heads {
    fn default() -> Self {
        Self {
            feeds: Mutex::default(),
            edition: watch::Sender::new(0),
        }
    }
}

impl Heads {
    /// Notes newest numbers; smaller ones than are known change nothing.
    pub fn publish(&self, heads: impl IntoIterator<Item = Head>) {
        let edition = {
            let mut feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
            heads.into_iter().for_each(|head| feeds.note(head));
            feeds.edition
        };
        self.edition.send_if_modified(|known| {
            let newer = edition > *known;
            *known = edition.max(*known);
            newer
        });
    }

    /// The newest number of a feed; 0 where none is known.
    #[must_use]
    pub fn sequence(&self, tenant: TenantId, slice: Slice) -> u64 {
        let feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        feeds
            .heads
            .get(&(tenant, slice))
            .map_or(0, |known| known.sequence)
    }

    /// All feeds, and then those that have grown. The first answer comes at once, even if there are none.
    pub fn watch(self: &std::sync::Arc<Self>) -> BoxStream<'static, Vec<Head>> {
        let heads = std::sync::Arc::clone(self);
        let receiver = self.edition.subscribe();
        stream::unfold(
            (heads, receiver, None),
            |(heads, mut receiver, seen)| async move {
                if seen.is_some() {
                    receiver.changed().await.ok()?;
                }
                receiver.mark_unchanged();
                let (grown, edition) = heads.since(seen.unwrap_or(0));
                Some((grown, (heads, receiver, Some(edition))))
            },
        )
        .boxed()
    }

    fn since(&self, edition: u64) -> (Vec<Head>, u64) {
        let feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        let grown = feeds
            .by_edition
            .range(edition + 1..)
            .filter_map(|(_, key)| {
                let known = feeds.heads.get(key)?;
                Some(Head {
                    tenant: key.0,
                    slice: key.1,
                    sequence: known.sequence,
                })
            });
        (grown.collect(), feeds.edition)
    }
}

impl Feeds {
    fn note(&mut self, head: Head) {
        let key = (head.tenant, head.slice);
        let known = self.heads.get(&key).copied();
        if known.is_some_and(|known| known.sequence >= head.sequence) {
            return;
        }
        if let Some(known) = known {
            self.by_edition.remove(&known.edition);
        }
        self.edition += 1;
        self.heads.insert(
            key,
            Known {
                sequence: head.sequence,
                edition: self.edition,
            },
        );
        self.by_edition.insert(self.edition, key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn head(tenant: u128, sequence: u64) -> Head {
        Head {
            tenant: TenantId(tenant),
            slice: Slice(0),
            sequence,
        }
    }

    #[tokio::test]
    async fn a_slow_watcher_gets_every_feed_that_grew_once_with_its_newest_number() {
        let heads = Arc::new(Heads::default());
        heads.publish([head(1, 5)]);
        let mut watcher = heads.watch();
        assert_eq!(watcher.next().await, Some(vec![head(1, 5)]));
        heads.publish([head(2, 1)]);
        heads.publish([head(1, 6)]);
        heads.publish([head(2, 2), head(1, 4)]);
        assert_eq!(watcher.next().await, Some(vec![head(1, 6), head(2, 2)]));
    }

    #[tokio::test]
    async fn a_watcher_of_nothing_is_told_so_at_once() {
        let heads = Arc::new(Heads::default());
        assert_eq!(heads.watch().next().await, Some(Vec::new()));
    }
}
