use tonic::{Request, Response, Status};

use sextant_domain::id::TenantId;
use sextant_proto::ingestion::v1::{ListKeysRequest, ListKeysResponse};
use sextant_store::port::Page;
use sextant_wire::page;
use sextant_wire::status::Problem;

use crate::service::Shared;
use crate::{convert, failure, keys, pages};

pub(crate) async fn handle(
    shared: &Shared,
    request: Request<ListKeysRequest>,
) -> Result<Response<ListKeysResponse>, Status> {
    let owner = keys::owner(shared, &request).await?;
    Ok(Response::new(
        list(shared, owner, &request.into_inner()).await?,
    ))
}

async fn list(
    shared: &Shared,
    owner: Option<TenantId>,
    request: &ListKeysRequest,
) -> Result<ListKeysResponse, Problem> {
    let size = page::size(request.page_size)?;
    let bound = ListKeysRequest::default();
    let number = owner.map_or(0, |tenant| tenant.0);
    let after = shared
        .deps
        .pager
        .cursor(number, &bound, &request.page_token)?;
    let page = Page {
        after,
        limit: size + 1,
    };
    let mut rows = shared
        .deps
        .keys
        .list(owner, &page)
        .await
        .map_err(failure::of_store)?;
    let next_page_token = pages::cut(&mut rows, size)
        .map(|last| shared.deps.pager.token(number, &bound, &last.key_id))
        .unwrap_or_default();
    Ok(ListKeysResponse {
        keys: rows.iter().map(convert::key).collect(),
        next_page_token,
    })
}
