use tonic::{Request, Response, Status};

use sextant_domain::id::TenantId;
use sextant_proto::ingestion::v1::{
    ListRejectionsRequest, ListRejectionsResponse, RejectedRecord, Rejection,
};
use sextant_store::port::{RejectionFilter, RejectionRow};
use sextant_wire::status::Problem;
use sextant_wire::time::timestamp;
use sextant_wire::{page, record};

use crate::pages::{self, Numbered};
use crate::service::Shared;

impl Numbered for RejectionRow {
    fn ordinal(&self) -> u64 {
        self.ordinal
    }

    fn n_bytes(&self) -> usize {
        self.record.len()
    }
}

pub(crate) async fn handle(
    shared: &Shared,
    request: Request<ListRejectionsRequest>,
) -> Result<Response<ListRejectionsResponse>, Status> {
    let tenant = shared.tenant(&request).await?.row.tenant;
    Ok(Response::new(
        list(shared, tenant, &request.into_inner()).await?,
    ))
}

async fn list(
    shared: &Shared,
    tenant: TenantId,
    request: &ListRejectionsRequest,
) -> Result<ListRejectionsResponse, Problem> {
    let size = page::size(request.page_size)?;
    let bound = ListRejectionsRequest {
        source: request.source.clone(),
        reason: request.reason.clone(),
        ..ListRejectionsRequest::default()
    };
    let named = |name: &String| Some(name.clone()).filter(|name| !name.is_empty());
    let filter = RejectionFilter {
        source: named(&request.source),
        reason: named(&request.reason),
    };
    let before = pages::number(&shared.deps.pager, tenant, &bound, &request.page_token)?;
    let page = pages::gather(size, before, |before, limit| {
        let intake = &shared.deps.intake;
        intake.rejections(tenant, &filter, before, limit)
    })
    .await?;
    let rejections = page.rows.into_iter().map(shown).collect::<Result<_, _>>()?;
    let next_page_token = pages::token(&shared.deps.pager, tenant, &bound, page.continue_behind);
    Ok(ListRejectionsResponse {
        rejections,
        next_page_token,
    })
}

fn shown(row: RejectionRow) -> Result<RejectedRecord, Problem> {
    let n_bytes = row.record.len();
    let (record, hint) = if n_bytes > page::MAX_PAGE_BYTES {
        let hint = format!(
            "{} (its {n_bytes} bytes are too many to be shown)",
            row.hint
        );
        (None, hint)
    } else {
        (Some(record::decode(&row.record)?), row.hint)
    };
    Ok(RejectedRecord {
        record,
        rejection: Some(Rejection {
            field: row.field,
            reason: row.reason,
            hint,
        }),
        received_at: Some(timestamp(row.received_at)),
        rejection_id: row.ordinal.to_string(),
    })
}
