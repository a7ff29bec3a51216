//! Following ingestion's feed for subscriptions and segmentation's for moves. A tenant is stored as it grows and loaded only
//! when somebody asks for it.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tonic::Status;
use tracing::Instrument;

use sextant_domain::id::{Slice, TenantId};
use sextant_proto::{ingestion, segmentation};
use sextant_runtime::blocking;
use sextant_runtime::follow::{self, Cursors, Follower, Heads, Lag, Turn, patient};
use sextant_wire::status::store;
use sextant_wire::time::optional;

use crate::apply::{Batch, FactsBatch, MovesBatch, Span};
use crate::engine::Engine;
use crate::state::TenantState;

/// Follows ingestion's feed.
#[derive(Debug)]
pub(crate) struct FactsFollower {
    engine: Arc<Engine>,
}

/// Follows segmentation's feed.
#[derive(Debug)]
pub(crate) struct MovesFollower {
    engine: Arc<Engine>,
}

impl FactsFollower {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }

    /// How far this slice is stored; notes that so much can be read.
    async fn stored_of(&self, tenant: TenantId, slice: Slice) -> Result<u64, Status> {
        let engine = &self.engine;
        let cursor = engine.replica.cursor(tenant, slice).await.map_err(store)?;
        let is_behind = |state: &TenantState| {
            state
                .slices
                .get(&slice)
                .is_none_or(|known| known.cursor < cursor)
        };
        engine.drop_behind(tenant, is_behind).await;
        engine.facts_stored(tenant, slice, cursor);
        Ok(cursor)
    }
}

impl Follower for FactsFollower {
    fn service(&self) -> &'static str {
        "metrics"
    }

    fn lag(&self) -> &Arc<Lag> {
        &self.engine.facts.lag
    }

    fn feed(&self) -> &'static str {
        "ingestion"
    }

    fn watch(&self) -> BoxFuture<'_, Result<Heads, Status>> {
        async move {
            let request = ingestion::v1::WatchHeadsRequest {};
            let heads = self
                .engine
                .facts_client()
                .watch_heads(request)
                .await?
                .into_inner();
            Ok(follow::told(heads, |answer| answer.heads))
        }
        .boxed()
    }

    fn stored(&self) -> BoxFuture<'_, Result<Cursors, Status>> {
        async move {
            let engine = &self.engine;
            let mut stored = Cursors::new();
            for (tenant, slice, cursor) in engine.replica.cursors().await.map_err(store)? {
                if !engine.cells.has(tenant) {
                    engine.facts_stored(tenant, slice, cursor);
                    stored.insert((tenant, slice), cursor);
                }
            }
            Ok(stored)
        }
        .boxed()
    }

    fn catch_up<'f>(
        &'f self,
        tenant: TenantId,
        slice: Slice,
        head: u64,
        turn: &'f mut Turn,
    ) -> BoxFuture<'f, Result<u64, Status>> {
        async move {
            loop {
                let after = self.stored_of(tenant, slice).await?;
                if after >= head {
                    return Ok(after);
                }
                let request = ingestion::v1::ReadFactsRequest {
                    tenant_id: bytes(tenant),
                    slice: slice.0.into(),
                    after_sequence: after,
                };
                let answer = self
                    .engine
                    .facts_client()
                    .read_facts(patient(request))
                    .await?
                    .into_inner();
                if answer.entries.is_empty() {
                    return Ok(after);
                }
                let oldest = answer.entries.iter().find_map(|entry| entry.recorded_at);
                if let Some(at) = optional(oldest.as_ref(), "recorded_at")? {
                    self.lag().waits_since(tenant, slice, at);
                }
                let span = follow::span(self, answer.entries.iter().map(|entry| &*entry.trace));
                let place = Span {
                    tenant,
                    slice,
                    after,
                };
                let taken_in = async {
                    let batch = blocking(move || FactsBatch::read(place, &answer)).await?;
                    self.engine.take_in(Batch::Facts(batch)).await
                };
                taken_in.instrument(span).await?;
                turn.pass().await;
            }
        }
        .boxed()
    }
}

impl MovesFollower {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }

    /// How far this slice is stored; notes that so much can be read.
    async fn stored_of(&self, tenant: TenantId, slice: Slice) -> Result<u64, Status> {
        let engine = &self.engine;
        let stored = engine.metrics.moves_progress(tenant, slice).await;
        let stored = stored.map_err(store)?;
        let is_behind = |state: &TenantState| {
            state
                .slices
                .get(&slice)
                .is_none_or(|known| known.moves.cursor < stored.cursor)
        };
        engine.drop_behind(tenant, is_behind).await;
        engine.moves_stored(tenant, slice, &stored);
        Ok(stored.cursor)
    }
}

impl Follower for MovesFollower {
    fn service(&self) -> &'static str {
        "metrics"
    }

    fn lag(&self) -> &Arc<Lag> {
        &self.engine.moves.lag
    }

    fn feed(&self) -> &'static str {
        "segmentation"
    }

    fn watch(&self) -> BoxFuture<'_, Result<Heads, Status>> {
        async move {
            let request = segmentation::v1::WatchHeadsRequest {};
            let heads = self
                .engine
                .moves_client()
                .watch_heads(request)
                .await?
                .into_inner();
            Ok(follow::told(heads, |answer| answer.heads))
        }
        .boxed()
    }

    fn stored(&self) -> BoxFuture<'_, Result<Cursors, Status>> {
        async move {
            let engine = &self.engine;
            let mut stored = Cursors::new();
            let all = engine.metrics.all_moves_progress().await;
            for (tenant, slice, progress) in all.map_err(store)? {
                if !engine.cells.has(tenant) {
                    engine.moves_stored(tenant, slice, &progress);
                    stored.insert((tenant, slice), progress.cursor);
                }
            }
            Ok(stored)
        }
        .boxed()
    }

    fn catch_up<'f>(
        &'f self,
        tenant: TenantId,
        slice: Slice,
        head: u64,
        turn: &'f mut Turn,
    ) -> BoxFuture<'f, Result<u64, Status>> {
        async move {
            loop {
                let after = self.stored_of(tenant, slice).await?;
                if after >= head {
                    return Ok(after);
                }
                let request = segmentation::v1::ReadMovesRequest {
                    tenant_id: bytes(tenant),
                    slice: slice.0.into(),
                    after_sequence: after,
                };
                let answer = self
                    .engine
                    .moves_client()
                    .read_moves(patient(request))
                    .await?
                    .into_inner();
                if answer.entries.is_empty() {
                    return Ok(after);
                }
                let oldest = answer.entries.iter().find_map(|entry| entry.recorded_at);
                if let Some(at) = optional(oldest.as_ref(), "recorded_at")? {
                    self.lag().waits_since(tenant, slice, at);
                }
                let span = follow::span(self, answer.entries.iter().map(|entry| &*entry.trace));
                let place = Span {
                    tenant,
                    slice,
                    after,
                };
                let taken_in = async {
                    let batch = blocking(move || MovesBatch::read(place, &answer)).await?;
                    self.engine.take_in(Batch::Moves(batch)).await
                };
                taken_in.instrument(span).await?;
                turn.pass().await;
            }
        }
        .boxed()
    }
}

fn bytes<B: From<Vec<u8>>>(tenant: TenantId) -> B {
    tenant.0.to_be_bytes().to_vec().into()
}
