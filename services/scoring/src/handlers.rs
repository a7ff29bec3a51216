//! One handler per rpc: read the request, ask the tenant's state, answer.

mod get_clock;
mod get_features;
mod get_scores;
mod list_feature_definitions;
mod list_features;
mod list_models;

use std::sync::Arc;

use tonic::{Request, Response, Status};

use sextant_domain::feature::Moment;
use sextant_domain::id::{ExternalId, TenantId};
use sextant_domain::position::Position;
use sextant_proto::common::v1::{ErrorReason, ReadAt};
use sextant_proto::scoring::v1 as pb;
use sextant_proto::scoring::v1::clock_service_server::ClockService;
use sextant_proto::scoring::v1::scoring_service_server::ScoringService;
use sextant_runtime::follow::{self, Lag};
use sextant_wire::page::Pager;
use sextant_wire::read::{self, Currency};
use sextant_wire::status::Problem;

use crate::engine::Engine;
use crate::state::{Account, TenantState};

/// The handlers of `ScoringService` and `ClockService`.
#[derive(Debug, Clone)]
pub(crate) struct Handlers {
    pub(crate) engine: Arc<Engine>,
    pub(crate) pager: Pager,
}

/// A read that may begin: its moment is known and its position is reached.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    tenant: TenantId,
    at: read::Moment,
    position: Position,
    real: sextant_domain::time::Instant,
    lag: Arc<Lag>,
}

impl Handlers {
    async fn begin(&self, tenant: TenantId, at: Option<&ReadAt>) -> Result<Reading, Status> {
        let at = read::moment(at, tenant)?;
        let position = self.engine.progress.wait_for(tenant, &at.floor).await?;
        Ok(Reading {
            tenant,
            at,
            position,
            real: self.engine.clock.now(),
            lag: Arc::clone(&self.engine.lag),
        })
    }
}

/// An account that exists at a moment.
fn account_at<'a>(
    state: &'a TenantState,
    id: &ExternalId,
    moment: &Moment,
) -> Result<&'a Account, Problem> {
    let account = state
        .account(id.as_str())
        .ok_or_else(|| read::account_unknown(id))?;
    if account.facts.exists_at(moment) {
        return Ok(account);
    }
    let message = format!(
        "account \"{id}\" was not known at {}; ask for a later moment",
        moment.as_of
    );
    Err(Problem::new(ErrorReason::AccountUnknown, message))
}

impl Reading {
    /// Refuses a moment that the tenant's clock has not reached.
    fn moment(&self, state: &TenantState) -> Result<Moment, Problem> {
        let at = self.at.clone().reached_by(state.now(self.real))?;
        Ok(state.moment(at.as_of, at.known_at, self.real))
    }

    /// How current the answer is; refuses where the caller wants it fresher.
    fn currency(&self, state: &TenantState, moment: &Moment) -> Result<Currency, Problem> {
        let backfilling = state.is_backfilling();
        let fresh = follow::freshness(
            &[&*self.lag],
            self.tenant,
            self.real,
            backfilling,
            self.at.max_age_ms,
        )?;
        Ok(Currency {
            as_of: moment.as_of,
            watermark: state.watermark(),
            state: fresh,
            position: self.position.clone(),
            definition_version: 0,
            model_version: state
                .models_for(moment)
                .map_or(String::new(), |models| models.versions().join(", ")),
            closed_on: state.closed_on(),
        })
    }
}

#[tonic::async_trait]
impl ScoringService for Handlers {
    async fn get_features(
        &self,
        request: Request<pb::GetFeaturesRequest>,
    ) -> Result<Response<pb::GetFeaturesResponse>, Status> {
        get_features::handle(self, request).await
    }

    async fn list_features(
        &self,
        request: Request<pb::ListFeaturesRequest>,
    ) -> Result<Response<pb::ListFeaturesResponse>, Status> {
        list_features::handle(self, request).await
    }

    async fn get_scores(
        &self,
        request: Request<pb::GetScoresRequest>,
    ) -> Result<Response<pb::GetScoresResponse>, Status> {
        get_scores::handle(self, request).await
    }

    async fn list_feature_definitions(
        &self,
        request: Request<pb::ListFeatureDefinitionsRequest>,
    ) -> Result<Response<pb::ListFeatureDefinitionsResponse>, Status> {
        list_feature_definitions::handle(self, &request)
    }

    async fn list_models(
        &self,
        request: Request<pb::ListModelsRequest>,
    ) -> Result<Response<pb::ListModelsResponse>, Status> {
        list_models::handle(self, request).await
    }
}

#[tonic::async_trait]
impl ClockService for Handlers {
    async fn get_clock(
        &self,
        request: Request<pb::GetClockRequest>,
    ) -> Result<Response<pb::GetClockResponse>, Status> {
        get_clock::handle(self, request).await
    }
}
