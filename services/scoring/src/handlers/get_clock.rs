use tonic::{Request, Response, Status};

use sextant_proto::scoring::v1 as pb;
use sextant_runtime::tenant::tenant_of;
use sextant_wire::status::Problem;
use sextant_wire::{read, time};

use super::Handlers;

pub(super) async fn handle(
    handlers: &Handlers,
    request: Request<pb::GetClockRequest>,
) -> Result<Response<pb::GetClockResponse>, Status> {
    let tenant = tenant_of(&request)?;
    let named = |problem| Problem {
        field: "at_least_position".to_owned(),
        ..problem
    };
    let floor = read::position(&request.get_ref().at_least_position, tenant).map_err(named)?;
    let progress = &handlers.engine.progress;
    progress.wait_for(tenant, &floor).await.map_err(named)?;
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
