//! Watching transitions: from a place in the feed on, as they happen.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tonic::Status;

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::position::Position;
use sextant_domain::time::Instant;
use sextant_proto::segmentation::v1 as pb;
use sextant_runtime::follow::Head;
use sextant_wire::read::uid_bytes;
use sextant_wire::status::store;
use sextant_wire::time;

use crate::decide::decode;
use crate::engine::Engine;
use crate::wire;

/// Transitions read from the store at a time.
const PAGE: usize = 1000;

pub(crate) type Answers = BoxStream<'static, Result<pb::WatchTransitionsResponse, Status>>;

/// Accounts, segmentations and segments entered.
type Wanted<'a> = BTreeSet<(&'a Bytes, &'a str, &'a str)>;

/// One watcher: where it is in each slice, and which segmentation it wants.
struct Watcher {
    engine: Arc<Engine>,
    tenant: TenantId,
    /// Key of the segmentation; empty: all.
    segmentation: String,
    after: BTreeMap<Slice, u64>,
    heads: BoxStream<'static, Vec<Head>>,
    ready: VecDeque<pb::WatchTransitionsResponse>,
}

/// Transitions behind `after`, and all that follow.
pub(crate) fn watch(
    engine: Arc<Engine>,
    tenant: TenantId,
    segmentation: String,
    after: &Position,
) -> Answers {
    let heads = engine.heads.watch();
    let after = after.slices().iter().copied().collect();
    let mut watcher = Watcher {
        engine,
        tenant,
        segmentation,
        after,
        heads,
        ready: VecDeque::new(),
    };
    watcher.ready.push_back(pb::WatchTransitionsResponse {
        transitions: Vec::new(),
        resume_token: watcher.token(),
    });
    stream::try_unfold(watcher, |mut watcher| async move {
        loop {
            if let Some(answer) = watcher.ready.pop_front() {
                return Ok(Some((answer, watcher)));
            }
            let Some(heads) = watcher.heads.next().await else {
                return Ok(None);
            };
            let grown: Vec<Head> = heads
                .into_iter()
                .filter(|head| head.tenant == watcher.tenant)
                .collect();
            for head in grown {
                watcher.read(head).await?;
            }
        }
    })
    .boxed()
}

impl Watcher {
    fn token(&self) -> String {
        Position::new(
            self.after
                .iter()
                .map(|(slice, sequence)| (*slice, *sequence))
                .collect(),
        )
        .encode(self.tenant)
    }

    async fn read(&mut self, head: Head) -> Result<(), Status> {
        while self.after.get(&head.slice).copied().unwrap_or(0) < head.sequence {
            let after = self.after.get(&head.slice).copied().unwrap_or(0);
            let entries = self.engine.entries(self.tenant, head.slice, after).await?;
            if entries.is_empty() {
                return Ok(());
            }
            for entry in entries {
                let transitions = self.transitions(&entry).await?;
                self.after.insert(head.slice, entry.sequence);
                if !transitions.is_empty() {
                    self.ready.push_back(pb::WatchTransitionsResponse {
                        transitions,
                        resume_token: self.token(),
                    });
                }
            }
        }
        Ok(())
    }

    /// The transitions of one entry, by the moments at which they happened: one, and those that late facts correct. Where the
    /// clock stands still, other entries are of that moment and that knowledge too; the segment tells them apart.
    async fn transitions(&mut self, entry: &pb::MoveEntry) -> Result<Vec<pb::Transition>, Status> {
        let known_at = time::required(entry.known_at.as_ref(), "known_at")?;
        let mut wanted: BTreeMap<(Instant, Instant), Wanted<'_>> = BTreeMap::new();
        for one in &entry.moves {
            if self.segmentation.is_empty() || self.segmentation == one.segmentation {
                let at = time::required(one.at.as_ref(), "at")?;
                let to = (&one.account_uid, &*one.segmentation, &*one.segment);
                let own = time::optional(one.known_at.as_ref(), "known_at")?;
                let moment = (at, own.unwrap_or(known_at));
                wanted.entry(moment).or_default().insert(to);
            }
        }
        let mut transitions = Vec::new();
        for ((at, known_at), wanted) in wanted {
            transitions.extend(self.transitions_at(at, known_at, &wanted).await?);
        }
        Ok(transitions)
    }

    async fn transitions_at(
        &mut self,
        at: Instant,
        known_at: Instant,
        wanted: &Wanted<'_>,
    ) -> Result<Vec<pb::Transition>, Status> {
        let view = self.engine.view(self.tenant).await?;
        let memberships = &self.engine.memberships;
        let mut transitions = Vec::with_capacity(wanted.len());
        let mut after = 0;
        loop {
            let rows = memberships.told(self.tenant, at, known_at, after, PAGE);
            let rows = rows.await.map_err(store)?;
            for row in &rows {
                let uid = uid_bytes(row.uid);
                let found = decode(&row.transition).filter(|transition| {
                    let to = (&uid, &*transition.segmentation, &*transition.to_segment);
                    wanted.contains(&to)
                });
                transitions.extend(
                    found.map(|found| wire::transition(found, view.currency.closed_on, &view.zone)),
                );
            }
            match rows.last() {
                Some(last) if rows.len() == PAGE => after = last.id,
                _ => return Ok(transitions),
            }
        }
    }
}
