use tonic::{Request, Response, Status};

use sextant_domain::id::TenantId;
use sextant_domain::store;
use sextant_domain::time::Instant;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1::{AdvanceClockRequest, AdvanceClockResponse};
use sextant_store::port::Once;
use sextant_wire::status::Problem;
use sextant_wire::{request, time};

use crate::failure;
use crate::handlers::start_import::positions;
use crate::service::Shared;

pub(crate) async fn handle(
    shared: &Shared,
    request: Request<AdvanceClockRequest>,
) -> Result<Response<AdvanceClockResponse>, Status> {
    let tenant = shared.tenant(&request).await?;
    let request = request.into_inner();
    let id = tenant.row.tenant;
    let to = time::required(request.to.as_ref(), "to")?;
    let asked = (&request, request.request_id.as_str());
    let once = request::read(Some(id), "AdvanceClock", asked, shared.deps.clock.now())?;
    Ok(Response::new(advance(shared, id, to, once).await?))
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
