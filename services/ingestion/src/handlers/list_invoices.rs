use tonic::{Request, Response, Status};

use sextant_proto::ingestion::v1::{ListInvoicesRequest, ListInvoicesResponse};

use crate::fold;
use crate::service::Shared;
use crate::standings::{self, Asked};

pub(crate) async fn handle(
    shared: &Shared,
    request: Request<ListInvoicesRequest>,
) -> Result<Response<ListInvoicesResponse>, Status> {
    let tenant = shared.tenant(&request).await?;
    let request = request.into_inner();
    let asked = Asked {
        account: request.account.as_ref(),
        at: request.at.as_ref(),
        page_size: request.page_size,
        page_token: &request.page_token,
        bound: ListInvoicesRequest {
            page_size: 0,
            page_token: String::new(),
            ..request.clone()
        },
    };
    let page = standings::list(shared, tenant, asked, fold::invoices).await?;
    Ok(Response::new(ListInvoicesResponse {
        invoices: page.rows.into_iter().map(Into::into).collect(),
        next_page_token: page.next_page_token,
        freshness: Some(page.freshness),
    }))
}
