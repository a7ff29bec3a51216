use tonic::{Request, Response, Status};

use sextant_domain::id::TenantId;
use sextant_domain::store;
use sextant_domain::time::{DAY_US, Instant};
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1::{AdvanceClockRequest, AdvanceClockResponse};
use sextant_store::port::Once;
use sextant_wire::status::Problem;
use sextant_wire::{request, time};

use crate::failure;
use crate::handlers::start_import::positions;
use crate::service::Shared;

/// Longest way that a clock goes at once: every day on it is closed, and a clock does not go back.
const MAX_DAYS: i64 = 400;

pub(crate) async fn handle(
    shared: &Shared,
    request: Request<AdvanceClockRequest>,
) -> Result<Response<AdvanceClockResponse>, Status> {
    let tenant = shared.tenant(&request).await?;
    let request = request.into_inner();
    let id = tenant.row.tenant;
    let to = time::required(request.to.as_ref(), "to")?;
    check_way(shared, id, to).await?;
    let asked = (&request, request.request_id.as_str());
    let once = request::read(Some(id), "AdvanceClock", asked, shared.deps.clock.now())?;
    Ok(Response::new(advance(shared, id, to, once).await?))
}

/// Refuses a way that is too long to go at once.
async fn check_way(shared: &Shared, id: TenantId, to: Instant) -> Result<(), Problem> {
    let stands = shared.tenants.fresh(id).await?.row.fixed_clock;
    match stands.filter(|stands| to > stands.plus_us(MAX_DAYS * DAY_US)) {
        None => Ok(()),
        Some(stands) => {
            let message = format!(
                "is more than {MAX_DAYS} days after {stands}, where the clock stands; go a longer way in several calls"
            );
            Err(Problem::field(ErrorReason::FieldInvalid, "to", message))
        },
    }
}

async fn advance(
    shared: &Shared,
    id: TenantId,
    to: Instant,
    request: store::Request,
) -> Result<AdvanceClockResponse, Problem> {
    let once = Once::new(request, positions(id));
    let moved = shared.deps.tenants.advance_clock(id, to, once).await;
    shared.tenants.forget(id);
    let Some(stored) = moved.map_err(failure::of_store)? else {
        let message = match shared.tenants.fresh(id).await?.row.fixed_clock {
            Some(clock) => format!("the clock stands at {clock}; it cannot go back to {to}"),
            None => "the tenant follows the real clock, which cannot be moved".to_owned(),
        };
        return Err(Problem::field(ErrorReason::ClockState, "to", message));
    };
    Ok(AdvanceClockResponse {
        position: shared.reached(id, stored)?,
    })
}
