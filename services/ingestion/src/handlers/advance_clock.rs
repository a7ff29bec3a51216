use std::sync::Arc;

use tonic::{Request, Response, Status};

use sextant_domain::id::TenantId;
use sextant_domain::position::Position;
use sextant_domain::time::{DAY_US, Instant};
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1::{AdvanceClockRequest, AdvanceClockResponse};
use sextant_wire::status::Problem;
use sextant_wire::time;

use crate::failure;
use crate::requests::{self, Repeat};
use crate::service::Shared;
use crate::tenants::KnownTenant;

/// Longest way that a clock goes at once: every day on it is closed, and a clock does not go back.
const MAX_DAYS: i64 = 400;

pub(crate) async fn handle(
    shared: &Shared,
    request: Request<AdvanceClockRequest>,
) -> Result<Response<AdvanceClockResponse>, Status> {
    let tenant = shared.tenant(&request).await?;
    let request = request.into_inner();
    let id = requests::id(&request.request_id)?;
    let to = time::required(request.to.as_ref(), "to")?;
    check_way(shared, tenant.row.tenant, to).await?;
    let owner = Some(tenant.row.tenant);
    let change = async { Ok(advance(shared, tenant, to).await?) };
    let answer = shared
        .requests
        .once(owner, id, &request, Repeat::SameAnswer, change)
        .await?;
    Ok(Response::new(answer))
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
    tenant: Arc<KnownTenant>,
    to: Instant,
) -> Result<AdvanceClockResponse, Problem> {
    let id = tenant.row.tenant;
    let now = shared.deps.clock.now();
    let moved = shared.deps.tenants.advance_clock(id, to, now).await;
    shared.tenants.forget(id);
    let Some(heads) = moved.map_err(failure::of_store)? else {
        let message = match shared.tenants.fresh(id).await?.row.fixed_clock {
            Some(clock) => format!("the clock stands at {clock}; it cannot go back to {to}"),
            None => "the tenant follows the real clock, which cannot be moved".to_owned(),
        };
        return Err(Problem::field(ErrorReason::ClockState, "to", message));
    };
    shared.heads.note(id, &heads);
    Ok(AdvanceClockResponse {
        position: Position::new(heads).encode(id),
    })
}
