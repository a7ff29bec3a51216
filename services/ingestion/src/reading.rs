//! What every read of accounts begins and ends with.

use std::sync::Arc;

use sextant_domain::id::TenantId;
use sextant_domain::position::Position;
use sextant_domain::time::Instant;
use sextant_proto::common::v1::{Freshness, FreshnessState, ReadAt};
use sextant_wire::read::{self, Currency};
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
        let currency = Currency {
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
