use std::sync::Arc;

use tonic::{Request, Response, Status};

use sextant_domain::id::Slice;
use sextant_domain::position::Position;
use sextant_proto::segmentation::v1 as pb;
use sextant_runtime::tenant::tenant_of;
use sextant_wire::read;
use sextant_wire::status::store;

use super::Handlers;
use crate::watch::{Answers, watch};

pub(super) async fn handle(
    handlers: &Handlers,
    request: Request<pb::WatchTransitionsRequest>,
) -> Result<Response<Answers>, Status> {
    let tenant = tenant_of(&request)?;
    let request = request.into_inner();
    let reading = handlers
        .begin((tenant, &request.segmentation), None)
        .await?;
    if !request.segmentation.is_empty() {
        reading.segmentation(&request.segmentation)?;
    }
    let after = if request.resume_after.is_empty() {
        // Now is behind what other processes have committed, too.
        let found = handlers.engine.find_heads_of(tenant);
        found.await.map_err(store)?;
        let slices = (0..reading.view.n_slices).map(Slice);
        Position::new(
            slices
                .map(|slice| (slice, handlers.engine.heads.sequence(tenant, slice)))
                .collect(),
        )
    } else {
        read::position(&request.resume_after, tenant)
            .map_err(|problem| problem.below("resume_after"))?
    };
    Ok(Response::new(watch(
        Arc::clone(&handlers.engine),
        tenant,
        request.segmentation,
        &after,
    )))
}
