//! One handler per rpc.

mod create_segmentation;
mod get_membership;
mod list_members;
mod list_memberships;
mod list_segmentations;
mod list_segmenters;
mod list_segments;
mod list_transitions;
mod revisions;
mod segmenter_service;
mod segmenters;
mod watch_transitions;

use std::sync::Arc;

use arrow_array::RecordBatch;
use bytes::Bytes;
use prost::Message as _;
use tonic::{Request, Response, Status};

use sextant_domain::feature::{CATALOGUE, Feature};
use sextant_domain::id::{AccountUid, ExternalId, Slice, TenantId};
use sextant_domain::position::Position;
use sextant_domain::time::Instant;
use sextant_proto::common::v1::{ErrorReason, Freshness, FreshnessState, ReadAt};
use sextant_proto::segmentation::v1 as pb;
use sextant_proto::segmentation::v1::segmentation_service_server::SegmentationService;
use sextant_runtime::follow;
use sextant_store::port::ReplicaAccount;
use sextant_wire::page::Pager;
use sextant_wire::read::{self, Currency, Moment};
use sextant_wire::status::{Problem, store};

use crate::columns::Of;
use crate::engine::{Engine, Known, View};
use crate::watch::Answers;

/// Times that an answer is made again because the segmentation was changed under it.
const MOST_SWAPS: usize = 5;

/// The handlers of `SegmentationService`.
#[derive(Debug, Clone)]
pub(crate) struct Handlers {
    pub(crate) engine: Arc<Engine>,
    pub(crate) pager: Pager,
}

/// A read that may begin: its moment is known and its position is reached.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    tenant: TenantId,
    at: Moment,
    position: Position,
    state: FreshnessState,
    view: Arc<View>,
}

impl Handlers {
    /// Begins a read of a segmentation, or of all: empty.
    async fn begin(
        &self,
        (tenant, segmentation): (TenantId, &str),
        at: Option<&ReadAt>,
    ) -> Result<Reading, Status> {
        let at = read::moment(at, tenant)?;
        let position = self.engine.progress.wait_for(tenant, &at.floor).await?;
        let mut view = self.engine.view(tenant).await?;
        let is_known = |view: &View| view.segmentations.iter().any(|one| one.key == segmentation);
        if !segmentation.is_empty() && !is_known(&view) {
            self.engine.take_over_made(tenant, segmentation).await?;
            view = self.engine.view(tenant).await?;
        }
        // What was evaluated has passed. Of what is later scoring knows whether the tenant's clock has reached it.
        let at = if at.latest() > view.evaluated_at {
            let clock = self.engine.now(tenant, &at.floor).await?;
            at.reached_by(clock)?
        } else {
            at
        };
        let backfilling = view.currency.state == FreshnessState::Backfilling;
        let state = follow::freshness(
            &[&*self.engine.lag, &*self.engine.facts],
            tenant,
            self.engine.clock.now(),
            backfilling,
            at.max_age_ms,
        )?;
        Ok(Reading {
            tenant,
            at,
            position,
            state,
            view,
        })
    }

    /// An answer about many accounts, all judged by the version that it says, and fresh or behind as it says: one that the segmentation
    /// got another version under, or fell behind under, is made again.
    async fn of_one_version<A, W>(
        &self,
        (tenant, segmentation): (TenantId, &str),
        answer: impl Fn() -> W,
    ) -> Result<A, Status>
    where
        W: Future<Output = Result<A, Status>>,
    {
        let mut before = self.engine.standing_of(tenant, segmentation);
        for _ in 0..MOST_SWAPS {
            let answered = answer().await?;
            let after = self.engine.standing_of(tenant, segmentation);
            if after == before {
                return Ok(answered);
            }
            before = after;
        }
        Err(Problem::new(
            ErrorReason::Unavailable,
            "the segmentation is changed all the time; try again",
        )
        .into())
    }

    /// The uid of an account; `None` where nobody has told of it yet because the tenant has no segmentation.
    async fn uid(&self, reading: &Reading, id: &ExternalId) -> Result<Option<AccountUid>, Status> {
        let memberships = &self.engine.memberships;
        match memberships
            .account(reading.tenant, id)
            .await
            .map_err(store)?
        {
            Some(found) => Ok(Some(found.uid)),
            None if reading.view.segmentations.is_empty() => Ok(None),
            None => Err(read::account_unknown(id).into()),
        }
    }

    async fn account(&self, tenant: TenantId, id: &ExternalId) -> Result<ReplicaAccount, Status> {
        let found = self
            .engine
            .memberships
            .account(tenant, id)
            .await
            .map_err(store)?;
        found.ok_or_else(|| read::account_unknown(id).into())
    }

    /// Features of the present, shared until something changes. The tenant is free while they are read.
    async fn table(&self, tenant: TenantId) -> Result<Arc<Vec<RecordBatch>>, Status> {
        let (table, slices) = {
            let reading = self.engine.read(tenant).await?;
            let Some(state) = reading.as_ref() else {
                return Ok(Arc::default());
            };
            let slices: Vec<Slice> = state.slices.keys().copied().collect();
            (Arc::clone(&state.table), slices)
        };
        let table = table.get_or_try_init(|| async {
            let mut tables = Vec::new();
            for slice in slices {
                let columns = self.engine.columns(tenant, slice, Of::Present, Vec::new());
                tables.extend(columns.await?.tables);
            }
            Ok::<_, Status>(Arc::new(tables))
        });
        table.await.map(Arc::clone)
    }
}

impl Reading {
    fn segmentation(&self, key: &str) -> Result<&Known, Problem> {
        let known = self
            .view
            .segmentations
            .iter()
            .find(|known| known.key == key)
            .ok_or_else(|| {
                let known: Vec<&str> = self
                    .view
                    .segmentations
                    .iter()
                    .map(|known| known.key.as_str())
                    .collect();
                let known = if known.is_empty() {
                    "there are none yet".to_owned()
                } else {
                    format!("there are: {}", known.join(", "))
                };
                let message = format!("segmentation \"{key}\" is not known; {known}");
                Problem::field(ErrorReason::SegmentationUnknown, "segmentation", message)
            })?;
        self.check_freshness(Some(known))?;
        Ok(known)
    }

    /// The segmentation that a read names, if it names one.
    fn named(&self, key: &str) -> Result<Option<&Known>, Problem> {
        if key.is_empty() {
            self.check_freshness(None)?;
            return Ok(None);
        }
        Ok(Some(self.segmentation(key)?))
    }

    /// Why an answer about a segmentation, or about all, is not fresh: the key of one that is behind, and the reason.
    fn failure<'k>(&'k self, of: Option<&'k Known>) -> Option<(&'k str, &'k str)> {
        let all = of.map_or(&*self.view.segmentations, std::slice::from_ref);
        let mut behind = all
            .iter()
            .filter_map(|known| Some((&*known.key, known.failure.as_deref()?)));
        behind.next()
    }

    /// Refuses a read that has to be fresh where a segmentation is behind.
    fn check_freshness(&self, of: Option<&Known>) -> Result<(), Problem> {
        match self.failure(of) {
            Some((key, why)) if self.at.max_age_ms.is_some() => Err(Problem::field(
                ErrorReason::FreshnessNotMet,
                "at.require_fresh_within_ms",
                format!("cannot be met, segmentation \"{key}\" is behind: {why}"),
            )),
            _ => Ok(()),
        }
    }

    /// The moments of a read of the past; absent ones are open.
    fn past(&self) -> (Instant, Instant) {
        let open = Instant(i64::MAX);
        (
            self.at.as_of.unwrap_or(open),
            self.at.known_at.unwrap_or(open),
        )
    }

    /// The encoded freshness block of an answer about a segmentation. Nearly all reads are of the present and find the view as
    /// new as the position and the service not behind, so they share one.
    fn encoded_freshness(&self, known: &Known) -> Bytes {
        let encode = || self.freshness(Some(known)).encode_to_vec().into();
        let present = &self.view.currency;
        let is_shared = self.position == present.position && self.state == present.state;
        if self.at.is_now() && is_shared {
            known.freshness.get_or_init(encode).clone()
        } else {
            encode()
        }
    }

    /// The freshness of an answer about a segmentation, or about all.
    fn freshness(&self, of: Option<&Known>) -> Freshness {
        let currency = Currency {
            as_of: self.at.as_of.unwrap_or(self.view.currency.as_of),
            position: self.position.clone(),
            state: if self.failure(of).is_some() {
                FreshnessState::Failed
            } else {
                self.state
            },
            definition_version: of.map_or(0, |known| known.version),
            ..self.view.currency.clone()
        };
        read::freshness(self.tenant, &currency)
    }
}

fn feature(name: &str, field: &str) -> Result<Feature, Problem> {
    Feature::parse(name).ok_or_else(|| {
        let message = format!(
            "feature \"{name}\" is not in the catalogue; list it with ListFeatureDefinitions"
        );
        Problem::field(ErrorReason::FeatureUnknown, field, message)
    })
}

/// A feature that accounts can be ordered by and that can be summed up.
fn numeric_feature(name: &str, field: &str) -> Result<Feature, Problem> {
    let feature = feature(name, field)?;
    if feature.definition().is_numeric() {
        return Ok(feature);
    }
    let numeric = CATALOGUE.iter().filter(|one| one.is_numeric());
    let names: Vec<&str> = numeric.map(|one| one.name).collect();
    let message = format!(
        "feature \"{name}\" is not a number; possible are: {}",
        names.join(", ")
    );
    Err(Problem::field(ErrorReason::FieldInvalid, field, message))
}

fn offset(cursor: Option<String>) -> Result<u64, Problem> {
    cursor.map_or(Ok(0), |cursor| {
        cursor.parse().map_err(|_not_a_place| unreadable())
    })
}

fn unreadable() -> Problem {
    Problem::field(ErrorReason::PageTokenInvalid, "page_token", "is unreadable")
}

#[tonic::async_trait]
impl SegmentationService for Handlers {
    type WatchTransitionsStream = Answers;

    async fn list_segmenters(
        &self,
        request: Request<pb::ListSegmentersRequest>,
    ) -> Result<Response<pb::ListSegmentersResponse>, Status> {
        list_segmenters::handle(self, request).await
    }

    async fn create_segmentation(
        &self,
        request: Request<pb::CreateSegmentationRequest>,
    ) -> Result<Response<pb::CreateSegmentationResponse>, Status> {
        create_segmentation::handle(self, request).await
    }

    async fn list_segmentations(
        &self,
        request: Request<pb::ListSegmentationsRequest>,
    ) -> Result<Response<pb::ListSegmentationsResponse>, Status> {
        list_segmentations::handle(self, request).await
    }

    async fn list_segments(
        &self,
        request: Request<pb::ListSegmentsRequest>,
    ) -> Result<Response<pb::ListSegmentsResponse>, Status> {
        list_segments::handle(self, request).await
    }

    async fn get_membership(
        &self,
        request: Request<pb::GetMembershipRequest>,
    ) -> Result<Response<pb::GetMembershipResponse>, Status> {
        get_membership::handle(self, request).await
    }

    async fn list_memberships(
        &self,
        request: Request<pb::ListMembershipsRequest>,
    ) -> Result<Response<pb::ListMembershipsResponse>, Status> {
        list_memberships::handle(self, request).await
    }

    async fn list_members(
        &self,
        request: Request<pb::ListMembersRequest>,
    ) -> Result<Response<pb::ListMembersResponse>, Status> {
        list_members::handle(self, request).await
    }

    async fn list_transitions(
        &self,
        request: Request<pb::ListTransitionsRequest>,
    ) -> Result<Response<pb::ListTransitionsResponse>, Status> {
        list_transitions::handle(self, request).await
    }

    async fn watch_transitions(
        &self,
        request: Request<pb::WatchTransitionsRequest>,
    ) -> Result<Response<Self::WatchTransitionsStream>, Status> {
        watch_transitions::handle(self, request).await
    }
}
