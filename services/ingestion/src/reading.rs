//! What every read of accounts begins and ends with.

use std::sync::Arc;

use sextant_domain::id::TenantId;
use sextant_domain::money::Currency;
use sextant_domain::position::Position;
use sextant_domain::time::{Instant, Zone};
use sextant_proto::common::v1::{ErrorReason, Freshness, FreshnessState, ReadAt};
use sextant_wire::read;
use sextant_wire::status::Problem;

use crate::fold::Moment;
use crate::service::Shared;
use crate::tenants::KnownTenant;

/// A read of one tenant that is under way. It reads what is stored, so it is never stale, whatever age the caller takes.
#[derive(Debug)]
pub(crate) struct Reading {
    tenant: Arc<KnownTenant>,
    /// Which facts count.
    pub(crate) moment: Moment,
    /// Taken before anything is read: the answer holds at least this.
    position: Position,
}

impl Reading {
    /// Reads the moment and waits for the position that the caller asks for.
    ///
    /// # Errors
    /// A `ReadAt` that is none or that the tenant's clock has not reached, POSITION_NOT_REACHED, or the store's failure.
    pub(crate) async fn begin(
        shared: &Shared,
        tenant: Arc<KnownTenant>,
        at: Option<&ReadAt>,
    ) -> Result<Self, Problem> {
        let id = tenant.row.tenant;
        let asked = read::moment(at, id)?;
        let position = shared.heads.cover(id, &asked.floor).await?;
        // Who names a moment or a position may know of a clock that another replica has moved.
        let tenant = if asked == read::Moment::default() {
            tenant
        } else {
            shared.tenants.fresh(id).await?
        };
        let now = tenant.now(shared.deps.clock.now());
        let asked = asked.reached_by(now)?;
        let moment = Moment {
            as_of: asked.as_of.unwrap_or(now),
            known_at: asked.known_at.unwrap_or(Instant(i64::MAX)),
        };
        Ok(Self {
            tenant,
            moment,
            position,
        })
    }

    /// Waits until the projection of places holds what this read does.
    ///
    /// # Errors
    /// POSITION_NOT_REACHED at the call's deadline or after 30 seconds.
    pub(crate) async fn with_places(&self, shared: &Shared) -> Result<(), Problem> {
        let followed = &shared.followed;
        followed.wait_for(self.tenant_id(), &self.position).await?;
        Ok(())
    }

    /// What the tenant reports in.
    pub(crate) fn base_currency(&self) -> Currency {
        self.tenant.base_currency
    }

    /// Where the tenant's days begin.
    ///
    /// # Errors
    /// The stored tenant is damaged.
    pub(crate) fn zone(&self) -> Result<Zone, Problem> {
        Zone::parse(&self.tenant.row.time_zone).map_err(|error| {
            let message = "stored tenant is unreadable";
            Problem::new(ErrorReason::Internal, message).caused_by(error)
        })
    }

    pub(crate) fn tenant_id(&self) -> TenantId {
        self.tenant.row.tenant
    }

    /// The freshness block of the answer; `watermark` is the own time of the newest fact in it.
    pub(crate) fn freshness(&self, watermark: Option<Instant>) -> Freshness {
        let state = if self.tenant.row.import_opened_at.is_some() {
            FreshnessState::Backfilling
        } else {
            FreshnessState::Fresh
        };
        let currency = read::Currency {
            as_of: self.moment.as_of,
            watermark,
            state,
            position: self.position.clone(),
            definition_version: 0,
            model_version: String::new(),
            closed_on: None,
        };
        read::freshness(self.tenant_id(), &currency)
    }
}
