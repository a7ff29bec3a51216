use tonic::{Request, Response, Status};

use sextant_domain::time::Day;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::scoring::v1 as pb;
use sextant_runtime::tenant::tenant_of;
use sextant_wire::page;
use sextant_wire::status::Problem;

use super::Handlers;
use crate::models;

/// Models of one close; a page ends with a whole close.
const PER_CLOSE: usize = 3;

pub(super) async fn handle(
    handlers: &Handlers,
    request: Request<pb::ListModelsRequest>,
) -> Result<Response<pb::ListModelsResponse>, Status> {
    let tenant = tenant_of(&request)?;
    let request = request.into_inner();
    let n_closes = page::size(request.page_size)?.div_ceil(PER_CLOSE);
    let bound = pb::ListModelsRequest::default();
    let unreadable =
        |_error| Problem::field(ErrorReason::PageTokenInvalid, "page_token", "is unreadable");
    let before = match handlers
        .pager
        .cursor(tenant.0, &bound, &request.page_token)?
    {
        None => Day(i32::MAX),
        Some(cursor) => Day::parse(&cursor).map_err(unreadable)?,
    };
    let pager = handlers.pager.clone();
    let answer = handlers.engine.read(tenant, move |state| {
        let closes: Vec<_> = state.models.range(..before).rev().take(n_closes).collect();
        let last = closes.last().map(|(day, _)| **day);
        let more = last.is_some_and(|last| state.models.range(..last).next().is_some());
        Ok(pb::ListModelsResponse {
            models: closes
                .iter()
                .flat_map(|(_, close)| models::to_wire(close))
                .collect(),
            next_page_token: last.filter(|_| more).map_or(String::new(), |last| {
                pager.token(tenant.0, &bound, &last.to_string())
            }),
        })
    });
    Ok(Response::new(answer.await?))
}
