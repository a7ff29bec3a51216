//! The feed of moves.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use prost::Message;
use tonic::{Request, Response, Status};

use sextant_domain::id::{Slice, TenantId};
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::segmentation::v1 as pb;
use sextant_proto::segmentation::v1::feed_service_server::FeedService;
use sextant_runtime::follow;
use sextant_wire::read::uuid;
use sextant_wire::status::{Problem, store};

use crate::engine::Engine;

/// Entries read from the store for one answer.
const MAX_ENTRIES: usize = 64;
/// Entries beyond this size wait for the next answer.
const MAX_ANSWER_BYTES: usize = 3 << 20;

/// Moves in one entry at most, and bytes of their transitions: an entry is one message of who watches transitions, and many
/// clients take no more than 4 MiB.
const MAX_MOVES: usize = 1_000;
const MAX_TRANSITION_BYTES: usize = 1 << 20;

/// The entries that tell of moves, encoded: one, and more only where there are many. Each move comes with the size of its
/// transition.
pub(crate) fn encoded(
    entry: &pb::MoveEntry,
    moves: impl Iterator<Item = (pb::Move, usize)>,
) -> Vec<Vec<u8>> {
    let mut parts = vec![Vec::new()];
    let mut bytes = 0;
    for (told, size) in moves {
        bytes += size;
        match parts.last_mut() {
            Some(part) if part.len() < MAX_MOVES && bytes <= MAX_TRANSITION_BYTES => {
                part.push(told)
            },
            _ => {
                bytes = size;
                parts.push(vec![told]);
            },
        }
    }
    let n_parts = parts.len();
    let entries = (1..).zip(parts).map(|(number, moves)| pb::MoveEntry {
        moves,
        continued: number < n_parts,
        ..entry.clone()
    });
    entries.map(|entry| entry.encode_to_vec()).collect()
}

/// The handlers of `FeedService`.
#[derive(Debug, Clone)]
pub(crate) struct Feed(pub(crate) Arc<Engine>);

impl Engine {
    /// Entries of the feed after a number, as many as fit an answer.
    pub(crate) async fn entries(
        &self,
        tenant: TenantId,
        slice: Slice,
        after: u64,
    ) -> Result<Vec<pb::MoveEntry>, Status> {
        let mut bytes = 0;
        let mut entries = Vec::new();
        for entry in self
            .feed
            .entries(tenant, slice, after, MAX_ENTRIES)
            .await
            .map_err(store)?
        {
            bytes += entry.payload.len();
            if bytes > MAX_ANSWER_BYTES && !entries.is_empty() {
                break;
            }
            let mut read = pb::MoveEntry::decode(entry.payload.as_slice()).map_err(|_damaged| {
                Problem::new(ErrorReason::Internal, "stored moves are unreadable")
            })?;
            read.sequence = entry.sequence;
            entries.push(read);
        }
        Ok(entries)
    }
}

#[tonic::async_trait]
impl FeedService for Feed {
    type WatchHeadsStream = BoxStream<'static, Result<pb::WatchHeadsResponse, Status>>;

    async fn watch_heads(
        &self,
        _request: Request<pb::WatchHeadsRequest>,
    ) -> Result<Response<Self::WatchHeadsStream>, Status> {
        self.0.find_heads().await.map_err(store)?;
        let answers = self.0.heads.watch().map(|heads| {
            Ok(pb::WatchHeadsResponse {
                heads: follow::telling(heads),
            })
        });
        Ok(Response::new(answers.boxed()))
    }

    async fn read_moves(
        &self,
        request: Request<pb::ReadMovesRequest>,
    ) -> Result<Response<pb::ReadMovesResponse>, Status> {
        let request = request.into_inner();
        let tenant = TenantId(uuid(&request.tenant_id, "tenant_id")?);
        let slice = u16::try_from(request.slice).map_err(|_too_large| {
            Problem::field(ErrorReason::FieldInvalid, "slice", "must be below 65536")
        })?;
        let entries = self
            .0
            .entries(tenant, Slice(slice), request.after_sequence)
            .await?;
        Ok(Response::new(pb::ReadMovesResponse { entries }))
    }
}
