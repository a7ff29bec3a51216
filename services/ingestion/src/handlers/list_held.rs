use tonic::{Request, Response, Status};

use sextant_domain::id::{AccountName, TenantId};
use sextant_proto::ingestion::v1::{ExternalId, HeldRecord, ListHeldRequest, ListHeldResponse};
use sextant_store::port::HeldRow;
use sextant_wire::status::Problem;
use sextant_wire::time::timestamp;
use sextant_wire::{page, record};

use crate::pages::{self, Numbered};
use crate::service::Shared;

impl Numbered for HeldRow {
    fn ordinal(&self) -> u64 {
        self.ordinal
    }

    fn n_bytes(&self) -> usize {
        self.record.len()
    }
}

pub(crate) async fn handle(
    shared: &Shared,
    request: Request<ListHeldRequest>,
) -> Result<Response<ListHeldResponse>, Status> {
    let tenant = shared.tenant(&request).await?.row.tenant;
    Ok(Response::new(
        list(shared, tenant, &request.into_inner()).await?,
    ))
}

async fn list(
    shared: &Shared,
    tenant: TenantId,
    request: &ListHeldRequest,
) -> Result<ListHeldResponse, Problem> {
    let size = page::size(request.page_size)?;
    let bound = ListHeldRequest::default();
    let after = pages::number(&shared.deps.pager, tenant, &bound, &request.page_token)?;
    let page = pages::gather(size, after, |after, limit| {
        shared.deps.intake.held(tenant, after.unwrap_or(0), limit)
    })
    .await?;
    let held = page.rows.into_iter().map(shown).collect::<Result<_, _>>()?;
    let next_page_token = pages::token(&shared.deps.pager, tenant, &bound, page.continue_behind);
    Ok(ListHeldResponse {
        held,
        next_page_token,
    })
}

fn shown(row: HeldRow) -> Result<HeldRecord, Problem> {
    let mut shown = HeldRecord {
        record: Some(record::decode(&row.record)?),
        received_at: Some(timestamp(row.received_at)),
        ..HeldRecord::default()
    };
    match row.account.name() {
        AccountName::Own(id) => id.clone_into(&mut shown.account_id),
        AccountName::OfUser(user) => user.clone_into(&mut shown.user_id),
        // No record names its account so.
        AccountName::ChildrenOf(_) => {},
        AccountName::InSystem { system, id } => {
            shown.account_key = Some(ExternalId {
                system: system.to_owned(),
                id: id.to_owned(),
            });
        },
    }
    Ok(shown)
}
