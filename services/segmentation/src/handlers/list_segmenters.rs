use tonic::{Request, Response, Status};

use sextant_proto::segmentation::v1 as pb;
use sextant_wire::page;

use super::Handlers;
use crate::registry;

/// Page tokens of lists over the whole installation belong to no tenant.
const NO_TENANT: u128 = 0;

pub(super) fn handle(
    handlers: &Handlers,
    request: &Request<pb::ListSegmentersRequest>,
) -> Result<Response<pb::ListSegmentersResponse>, Status> {
    let request = request.get_ref();
    let size = page::size(request.page_size)?;
    let bound = pb::ListSegmentersRequest::default();
    let after = handlers
        .pager
        .cursor(NO_TENANT, &bound, &request.page_token)?
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
        handlers.pager.token(NO_TENANT, &bound, &last.segmenter_id)
    });
    Ok(Response::new(pb::ListSegmentersResponse {
        segmenters,
        next_page_token,
    }))
}
