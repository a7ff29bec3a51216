use std::cmp::Ordering;

use semver::Version;
use tonic::{Request, Response, Status};

use sextant_domain::id::TenantId;
use sextant_proto::segmentation::v1 as pb;
use sextant_runtime::tenant::{of_installation, tenant_if_named};
use sextant_wire::page;

use super::{Handlers, offset};
use crate::registry;
use crate::segmenters::told;

pub(super) async fn handle(
    handlers: &Handlers,
    request: Request<pb::ListSegmentersRequest>,
) -> Result<Response<pb::ListSegmentersResponse>, Status> {
    // The segmenters are of the installation: page tokens are bound to the caller's tenant, where it has one.
    let tenant = tenant_if_named(&request)?.unwrap_or(TenantId(0));
    let is_operator = of_installation(&request).is_ok();
    let request = request.into_inner();
    let size = page::size(request.page_size)?;
    let bound = pb::ListSegmentersRequest::default();
    let skipped = offset(
        handlers
            .pager
            .cursor(tenant.0, &bound, &request.page_token)?,
    )?;
    let segmenters = &handlers.engine.segmenters;
    let published = segmenters.now_published().await?;
    let published = published.values().map(|one| {
        let shown = pb::Segmenter {
            verdicts: Vec::new(),
            manifest: bytes::Bytes::new(),
            signature: String::new(),
            ..segmenters.as_trusted(one)
        };
        told::to(is_operator, shown)
    });
    let mut all: Vec<_> = segmenters
        .built_in
        .all()
        .map(registry::to_wire)
        .chain(published)
        .collect();
    all.sort_by(by_id);
    let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
    let more = all.len() > skipped.saturating_add(size);
    let next_page_token = if more {
        let next = (skipped + size).to_string();
        handlers.pager.token(tenant.0, &bound, &next)
    } else {
        String::new()
    };
    Ok(Response::new(pb::ListSegmentersResponse {
        segmenters: all.into_iter().skip(skipped).take(size).collect(),
        next_page_token,
    }))
}

/// By id, of one id the newest version first.
fn by_id(left: &pb::Segmenter, right: &pb::Segmenter) -> Ordering {
    let version = |one: &pb::Segmenter| Version::parse(&one.version).ok();
    left.segmenter_id
        .cmp(&right.segmenter_id)
        .then_with(|| version(right).cmp(&version(left)))
        .then_with(|| left.platform.cmp(&right.platform))
}
