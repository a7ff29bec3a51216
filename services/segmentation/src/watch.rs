//! Watching transitions: from a place in the feed on, as they happen.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tonic::Status;

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::position::{Head, Position};
use sextant_domain::time::Instant;
use sextant_proto::segmentation::v1 as pb;
use sextant_wire::read::uuid;
use sextant_wire::status::store;
use sextant_wire::time;

use crate::decide::decode;
use crate::engine::Engine;
use crate::wire;

/// Transitions read from the store at a time.
const PAGE: usize = 1000;

pub(crate) type Answers = BoxStream<'static, Result<pb::WatchTransitionsResponse, Status>>;

/// One watcher: where it is in each slice, and which segmentation it wants.
struct Watcher {
    engine: Arc<Engine>,
    tenant: TenantId,
    /// Key of the segmentation; empty: all.
    segmentation: String,
    after: BTreeMap<Slice, u64>,
    heads: BoxStream<'static, Vec<Head>>,
    /// How far the slices are.
    grown: BTreeMap<Slice, u64>,
    /// What was read and not told yet.
    read: VecDeque<(Slice, pb::MoveEntry)>,
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
    let watcher = Watcher {
        engine,
        tenant,
        segmentation,
        after,
        heads,
        grown: BTreeMap::new(),
        read: VecDeque::new(),
    };
    let place = watcher.answer(Vec::new());
    let following = stream::try_unfold(watcher, |mut watcher| async move {
        let answer = watcher.next().await?;
        Ok(answer.map(|answer| (answer, watcher)))
    });
    stream::iter([Ok(place)]).chain(following).boxed()
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

    fn answer(&self, transitions: Vec<pb::Transition>) -> pb::WatchTransitionsResponse {
        pb::WatchTransitionsResponse {
            transitions,
            resume_token: self.token(),
        }
    }

    /// The next transitions; `None`: the service ends.
    async fn next(&mut self) -> Result<Option<pb::WatchTransitionsResponse>, Status> {
        loop {
            while let Some((slice, entry)) = self.read.pop_front() {
                let transitions = self.transitions(&entry).await?;
                self.after.insert(slice, entry.sequence);
                if !transitions.is_empty() {
                    return Ok(Some(self.answer(transitions)));
                }
            }
            match self.grown.pop_first() {
                Some((slice, head)) => self.read_on(slice, head).await?,
                None => {
                    let Some(heads) = self.heads.next().await else {
                        return Ok(None);
                    };
                    let own = heads.iter().filter(|head| head.tenant == self.tenant);
                    self.grown
                        .extend(own.map(|head| (head.slice, head.sequence)));
                },
            }
        }
    }

    /// Reads some entries of a slice that has got to `head`.
    async fn read_on(&mut self, slice: Slice, head: u64) -> Result<(), Status> {
        let after = self.after.get(&slice).copied().unwrap_or(0);
        if after >= head {
            return Ok(());
        }
        let entries = self.engine.entries(self.tenant, slice, after).await?;
        if !entries.is_empty() {
            // There may be more.
            self.grown.insert(slice, head);
        }
        self.read
            .extend(entries.into_iter().map(|entry| (slice, entry)));
        Ok(())
    }

    /// The transitions of one entry, by the moments at which they happened: one, and those that late facts correct.
    async fn transitions(&mut self, entry: &pb::MoveEntry) -> Result<Vec<pb::Transition>, Status> {
        let known_at = time::required(entry.known_at.as_ref(), "known_at")?;
        let mut wanted: BTreeMap<(Instant, Instant), BTreeSet<u128>> = BTreeMap::new();
        for one in &entry.moves {
            if self.segmentation.is_empty() || self.segmentation == one.segmentation {
                let at = time::required(one.at.as_ref(), "at")?;
                let own = time::optional(one.known_at.as_ref(), "known_at")?;
                let moment = (at, own.unwrap_or(known_at));
                let id = uuid(&one.transition_id, "transition_id")?;
                wanted.entry(moment).or_default().insert(id);
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
        wanted: &BTreeSet<u128>,
    ) -> Result<Vec<pb::Transition>, Status> {
        let (Some(first), Some(last)) = (wanted.first(), wanted.last()) else {
            return Ok(Vec::new());
        };
        let view = self.engine.view(self.tenant).await?;
        let memberships = &self.engine.memberships;
        let mut transitions = Vec::with_capacity(wanted.len());
        let mut after = first.saturating_sub(1);
        while after < *last {
            let rows = memberships.told(self.tenant, at, known_at, after, PAGE);
            let rows = rows.await.map_err(store)?;
            let found = rows.iter().filter(|row| wanted.contains(&row.id));
            let found = found.filter_map(|row| decode(&row.transition));
            transitions.extend(
                found.map(|found| wire::transition(found, view.currency.closed_on, &view.zone)),
            );
            match rows.last() {
                Some(last) if rows.len() == PAGE => after = last.id,
                _ => break,
            }
        }
        Ok(transitions)
    }
}
