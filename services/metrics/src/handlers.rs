//! One handler per rpc: read the request, ask the tenant's state, answer.

mod get_churn;
mod get_revenue;
mod get_waterfall;
mod list_movements;

use std::sync::Arc;

use tonic::{Request, Response, Status};

use sextant_domain::id::TenantId;
use sextant_domain::time::Instant;
use sextant_proto::common::v1::{ErrorReason, Freshness, FreshnessState, ReadAt};
use sextant_proto::metrics::v1 as pb;
use sextant_proto::metrics::v1::metrics_service_server::MetricsService;
use sextant_runtime::blocking;
use sextant_runtime::follow;
use sextant_wire::page::Pager;
use sextant_wire::read::{self, Currency};
use sextant_wire::status::Problem;

use crate::engine::Engine;
use crate::state::{Breakdown, Moment, TenantState};

/// The handlers of `MetricsService`.
#[derive(Debug, Clone)]
pub(crate) struct Handlers {
    pub(crate) engine: Arc<Engine>,
    pub(crate) pager: Pager,
}

/// A read that may begin: what it reads stays as it is, however the tenant goes on.
#[derive(Debug)]
struct Reading {
    state: Arc<TenantState>,
    breakdown: Breakdown,
    moment: Moment,
    freshness: Freshness,
}

impl Handlers {
    /// Waits for the position that the caller asks for, and takes up the tenant.
    async fn begin(
        &self,
        tenant: TenantId,
        at: Option<&ReadAt>,
        breakdown: Breakdown,
    ) -> Result<Reading, Status> {
        let at = read::moment(at, tenant)?;
        let state = self.reached(tenant, &at, &breakdown).await?;
        state.check(&breakdown)?;
        let real = self.engine.clock.now();
        let now = state.now(real);
        let at = at.reached_by(now)?;
        let moment = Moment {
            as_of: at.as_of.unwrap_or(now),
            known_at: at.known_at.unwrap_or(Moment::ALL_KNOWLEDGE),
        };
        let freshness = self.freshness(&state, &at, (&breakdown, moment), real)?;
        Ok(Reading {
            state,
            breakdown,
            moment,
            freshness,
        })
    }

    /// The tenant with everything that the caller wants to be in the answer.
    async fn reached(
        &self,
        tenant: TenantId,
        at: &read::Moment,
        breakdown: &Breakdown,
    ) -> Result<Arc<TenantState>, Status> {
        let state = self.engine.state(tenant).await?;
        if state.position(breakdown).covers(&at.floor) {
            return Ok(state);
        }
        self.engine
            .facts
            .progress
            .wait_for(tenant, &at.floor)
            .await?;
        if *breakdown != Breakdown::Total {
            self.engine
                .moves
                .progress
                .wait_for(tenant, &at.floor)
                .await?;
        }
        // Another process may have stored what was waited for, after this one had read the tenant.
        let floor = at.floor.clone();
        let is_behind = move |state: &TenantState| {
            let reached = |slice| state.slices.get(slice).map_or(0, |known| known.cursor);
            floor
                .slices()
                .iter()
                .any(|(slice, sequence)| reached(slice) < *sequence)
        };
        self.engine.drop_behind(tenant, is_behind).await;
        self.engine.state(tenant).await
    }

    /// How current the answer is; refuses where the caller wants it fresher.
    fn freshness(
        &self,
        state: &TenantState,
        at: &read::Moment,
        (breakdown, moment): (&Breakdown, Moment),
        real: Instant,
    ) -> Result<Freshness, Problem> {
        let engine = &self.engine;
        let (backfilling, lags) = match breakdown {
            Breakdown::Total => (state.is_importing(), vec![&*engine.facts.lag]),
            Breakdown::BySegment(_) => {
                let lags = vec![&*engine.facts.lag, &*engine.moves.lag, &engine.evaluation];
                (state.is_importing() || state.is_evaluating_history(), lags)
            },
        };
        let mut fresh = follow::freshness(&lags, state.tenant, real, backfilling, at.max_age_ms)?;
        if state.is_behind(breakdown) {
            if at.max_age_ms.is_some() {
                return Err(behind());
            }
            fresh = FreshnessState::Failed;
        }
        let currency = Currency {
            as_of: moment.as_of,
            watermark: state.watermark,
            state: fresh,
            position: state.position(breakdown),
            definition_version: state.settings.policy.version,
            model_version: String::new(),
            closed_on: None,
        };
        Ok(read::freshness(state.tenant, &currency))
    }
}

fn behind() -> Problem {
    let message = "cannot be met, the segmentation is behind, for its segmenter fails or is missing; ListSegmentations says why";
    Problem::field(
        ErrorReason::FreshnessNotMet,
        "at.require_fresh_within_ms",
        message,
    )
}

impl Reading {
    /// Computes the answer off the executor.
    async fn answer<T: Send + 'static>(
        self,
        compute: impl FnOnce(Self) -> Result<T, Problem> + Send + 'static,
    ) -> Result<Response<T>, Status> {
        Ok(Response::new(blocking(move || compute(self)).await?))
    }
}

#[tonic::async_trait]
impl MetricsService for Handlers {
    async fn get_revenue(
        &self,
        request: Request<pb::GetRevenueRequest>,
    ) -> Result<Response<pb::GetRevenueResponse>, Status> {
        get_revenue::handle(self, request).await
    }

    async fn get_waterfall(
        &self,
        request: Request<pb::GetWaterfallRequest>,
    ) -> Result<Response<pb::GetWaterfallResponse>, Status> {
        get_waterfall::handle(self, request).await
    }

    async fn get_churn(
        &self,
        request: Request<pb::GetChurnRequest>,
    ) -> Result<Response<pb::GetChurnResponse>, Status> {
        get_churn::handle(self, request).await
    }

    async fn list_movements(
        &self,
        request: Request<pb::ListMovementsRequest>,
    ) -> Result<Response<pb::ListMovementsResponse>, Status> {
        list_movements::handle(self, request).await
    }
}
