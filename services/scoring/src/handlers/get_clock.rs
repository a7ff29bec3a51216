use tonic::{Request, Response, Status};

use sextant_proto::scoring::v1 as pb;
use sextant_runtime::tenant::tenant_of;
use sextant_wire::time;

use super::Handlers;

pub(super) async fn handle(
    handlers: &Handlers,
    request: Request<pb::GetClockRequest>,
) -> Result<Response<pb::GetClockResponse>, Status> {
    let tenant = tenant_of(&request)?;
    let real = handlers.engine.clock.now();
    let answer = handlers.engine.read(tenant, move |state| {
        Ok(pb::GetClockResponse {
            now: Some(time::timestamp(state.now(real))),
            fixed: state.settings.fixed_clock.is_some(),
            closed_on: state.closed_on().map(time::date),
        })
    });
    Ok(Response::new(answer.await?))
}
