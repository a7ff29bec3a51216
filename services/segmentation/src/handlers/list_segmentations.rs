use tonic::{Request, Response, Status};

use sextant_proto::common::v1::ErrorReason;
use sextant_proto::segmentation::v1 as pb;
use sextant_runtime::tenant::tenant_of;
use sextant_wire::page;
use sextant_wire::status::{name, reason_of, store};

use super::Handlers;
use crate::wire;

pub(super) async fn handle(
    handlers: &Handlers,
    request: Request<pb::ListSegmentationsRequest>,
) -> Result<Response<pb::ListSegmentationsResponse>, Status> {
    let tenant = tenant_of(&request)?;
    let request = request.into_inner();
    let size = page::size(request.page_size)?;
    let bound = pb::ListSegmentationsRequest::default();
    let after = handlers
        .pager
        .cursor(tenant.0, &bound, &request.page_token)?
        .unwrap_or_default();
    let rows = handlers
        .engine
        .segmentations
        .all(tenant)
        .await
        .map_err(store)?;
    // Without scoring a tenant cannot be loaded; what is stored is listed all the same.
    let view = match handlers.engine.view(tenant).await {
        Ok(view) => Some(view),
        Err(refused)
            if reason_of(&refused).as_deref() == Some(name(ErrorReason::TenantUnknown)) =>
        {
            return Err(refused);
        },
        Err(_away) => None,
    };
    let failure = |key: &str| {
        let known = view.as_ref()?.segmentations.iter();
        known
            .clone()
            .find(|known| known.key == key)?
            .failure
            .clone()
    };
    let mut segmentations: Vec<_> = rows
        .iter()
        .filter(|row| row.key > after)
        .take(size + 1)
        .map(|row| pb::Segmentation {
            failure: failure(&row.key).unwrap_or_default(),
            ..wire::segmentation(row, &handlers.engine.segmenters.version_of(row))
        })
        .collect();
    let more = segmentations.len() > size;
    segmentations.truncate(size);
    let last = segmentations.last().filter(|_| more);
    let next_page_token = last.map_or(String::new(), |last| {
        handlers.pager.token(tenant.0, &bound, &last.key)
    });
    Ok(Response::new(pb::ListSegmentationsResponse {
        segmentations,
        next_page_token,
    }))
}
