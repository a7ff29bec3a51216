//! The feed of evaluations.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use prost::Message;
use tonic::{Request, Response, Status};

use sextant_domain::id::{AccountUid, Slice, TenantId};
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::scoring::v1 as pb;
use sextant_proto::scoring::v1::feed_service_server::FeedService;
use sextant_runtime::follow;
use sextant_wire::read::uuid;
use sextant_wire::status::{Problem, store};
use sextant_wire::time;

use crate::columns::{Accounts, Reader, Wanted, Within};
use crate::engine::Engine;
use crate::state::{Settings, TenantState};

/// Entries read from the store for one answer.
const MAX_ENTRIES: usize = 200;
/// Entries beyond this size wait for the next answer.
const MAX_ANSWER_BYTES: usize = 3 << 20;

/// The handlers of `FeedService`.
#[derive(Debug, Clone)]
pub(crate) struct Feed(pub(crate) Arc<Engine>);

fn slice(number: u32) -> Result<Slice, Problem> {
    u16::try_from(number).map(Slice).map_err(|_too_large| {
        Problem::field(ErrorReason::FieldInvalid, "slice", "must be below 65536")
    })
}

/// Reads what a request for columns asks for.
fn wanted(request: &pb::ReadColumnsRequest) -> Result<Wanted, Problem> {
    if !request.late.is_empty() {
        let late = request.late.iter().map(|account| {
            let uid = uuid(&account.account_uid, "late.account_uid").map(AccountUid)?;
            let missing = || Problem::field(ErrorReason::FieldMissing, "late.since", "must be set");
            Ok((uid, time::day(account.since.as_ref().ok_or_else(missing)?)?))
        });
        let late = late.collect::<Result<Vec<_>, Problem>>()?;
        let closes = request.late_closes.iter().map(time::day);
        let closes = closes.collect::<Result<_, _>>()?;
        return Ok(if request.restated {
            Wanted::Restated(late, closes)
        } else {
            Wanted::Late(late, closes)
        });
    }
    let uids = request
        .account_uids
        .iter()
        .map(|uid| uuid(uid, "account_uids").map(AccountUid))
        .collect::<Result<Vec<_>, _>>()?;
    let accounts = if uids.is_empty() {
        Accounts::All
    } else {
        Accounts::These(uids)
    };
    Ok(
        match request.closed_on.as_ref().map(time::day).transpose()? {
            Some(day) => Wanted::Close(day, accounts),
            None => Wanted::Present(accounts),
        },
    )
}

#[tonic::async_trait]
impl FeedService for Feed {
    type WatchHeadsStream = BoxStream<'static, Result<pb::WatchHeadsResponse, Status>>;
    type ReadColumnsStream = BoxStream<'static, Result<pb::ReadColumnsResponse, Status>>;

    async fn watch_heads(
        &self,
        _request: Request<pb::WatchHeadsRequest>,
    ) -> Result<Response<Self::WatchHeadsStream>, Status> {
        self.0.find_heads().await.map_err(store)?;
        let heads = self.0.heads.watch();
        let answers = heads.map(|heads| {
            Ok(pb::WatchHeadsResponse {
                heads: follow::telling(heads),
            })
        });
        Ok(Response::new(answers.boxed()))
    }

    async fn read_evaluations(
        &self,
        request: Request<pb::ReadEvaluationsRequest>,
    ) -> Result<Response<pb::ReadEvaluationsResponse>, Status> {
        let request = request.into_inner();
        let (tenant, slice) = (
            TenantId(uuid(&request.tenant_id, "tenant_id")?),
            slice(request.slice)?,
        );
        let entries = self
            .0
            .feed
            .entries(tenant, slice, request.after_sequence, MAX_ENTRIES)
            .await
            .map_err(store)?;
        let mut bytes = 0;
        let mut evaluations = Vec::with_capacity(entries.len());
        for entry in entries {
            bytes += entry.payload.len();
            if bytes > MAX_ANSWER_BYTES && !evaluations.is_empty() {
                break;
            }
            let mut evaluation =
                pb::Evaluation::decode(entry.payload.as_slice()).map_err(|_damaged| {
                    Problem::new(ErrorReason::Internal, "stored evaluation is unreadable")
                })?;
            evaluation.sequence = entry.sequence;
            evaluations.push(evaluation);
        }
        let settings = |state: &TenantState| {
            let Settings {
                zone,
                currency,
                n_slices,
                ..
            } = &state.settings;
            Ok((
                zone.name().to_owned(),
                currency.code().to_owned(),
                *n_slices,
            ))
        };
        let (time_zone, base_currency, n_slices) = self.0.read(tenant, settings).await?;
        let mut head = 0;
        if evaluations.is_empty() {
            let heads = self.0.feed.heads_of(tenant).await.map_err(store)?;
            let of_slice = heads.into_iter().find(|(of, _)| *of == slice);
            head = of_slice.map_or(0, |(_, sequence)| sequence);
        }
        Ok(Response::new(pb::ReadEvaluationsResponse {
            head,
            evaluations,
            time_zone,
            base_currency,
            slices: n_slices.into(),
        }))
    }

    async fn read_columns(
        &self,
        request: Request<pb::ReadColumnsRequest>,
    ) -> Result<Response<Self::ReadColumnsStream>, Status> {
        let request = request.into_inner();
        let (tenant, slice) = (
            TenantId(uuid(&request.tenant_id, "tenant_id")?),
            slice(request.slice)?,
        );
        let wanted = wanted(&request)?;
        let within = Within {
            as_of: time::optional(request.as_of.as_ref(), "as_of")?,
            facts_sequence: request.facts_sequence,
        };
        let engine = Arc::clone(&self.0);
        let real = engine.clock.now();
        let parts = engine
            .read(tenant, move |state| {
                state.parts(slice, (&wanted, within), real)
            })
            .await?;
        // Each message is computed when it is wanted: the first one is on its way while the second is made.
        let answers = stream::iter(parts).then(move |part| {
            let engine = Arc::clone(&engine);
            async move {
                let real = engine.clock.now();
                let message = engine.read(tenant, move |state| {
                    let models = state.models_for(&part.moment);
                    let known_at = state.newer_known_at(slice, within, real);
                    Ok(pb::ReadColumnsResponse {
                        arrow_ipc: state
                            .columns(&part.uids, &part.moment, Reader::Service)?
                            .into(),
                        model_versions: models.map_or_else(Vec::new, |models| models.versions()),
                        closed_on: part.closed_on.map(time::date),
                        known_at: known_at.map(time::timestamp),
                    })
                });
                message.await
            }
        });
        Ok(Response::new(answers.boxed()))
    }
}
