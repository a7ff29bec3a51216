use tonic::{Request, Response, Status};

use sextant_domain::id::TenantId;
use sextant_proto::segmentation::v1 as pb;
use sextant_runtime::tenant::tenant_if_named;
use sextant_wire::page;

use super::Handlers;
use crate::registry;

pub(super) fn handle(
    handlers: &Handlers,
    request: &Request<pb::ListSegmentersRequest>,
) -> Result<Response<pb::ListSegmentersResponse>, Status> {
    // The segmenters are of the installation: page tokens are bound to the caller's tenant, where it has one.
    let tenant = tenant_if_named(request)?.unwrap_or(TenantId(0));
    let request = request.get_ref();
    let size = page::size(request.page_size)?;
    let bound = pb::ListSegmentersRequest::default();
    let after = handlers
        .pager
        .cursor(tenant.0, &bound, &request.page_token)?
        .unwrap_or_default();
    let mut segmenters: Vec<_> = handlers
        .engine
        .registry
        .all()
        .map(registry::to_wire)
        .filter(|segmenter| segmenter.segmenter_id > after)
        .take(size + 1)
        .collect();
    let more = segmenters.len() > size;
    segmenters.truncate(size);
    let last = segmenters.last().filter(|_| more);
    let next_page_token = last.map_or(String::new(), |last| {
        handlers.pager.token(tenant.0, &bound, &last.segmenter_id)
    });
    Ok(Response::new(pb::ListSegmentersResponse {
        segmenters,
        next_page_token,
    }))
}
