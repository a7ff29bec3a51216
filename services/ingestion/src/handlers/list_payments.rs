use tonic::{Request, Response, Status};

use sextant_proto::ingestion::v1::{ListPaymentsRequest, ListPaymentsResponse};

use crate::fold;
use crate::service::Shared;
use crate::standings::{self, Asked};

pub(crate) async fn handle(
    shared: &Shared,
    request: Request<ListPaymentsRequest>,
) -> Result<Response<ListPaymentsResponse>, Status> {
    let tenant = shared.tenant(&request).await?;
    let request = request.into_inner();
    let asked = Asked {
        account: request.account.as_ref(),
        at: request.at.as_ref(),
        page_size: request.page_size,
        page_token: &request.page_token,
        bound: ListPaymentsRequest {
            page_size: 0,
            page_token: String::new(),
            ..request.clone()
        },
    };
    let page = standings::list(shared, tenant, asked, fold::payments).await?;
    Ok(Response::new(ListPaymentsResponse {
        payments: page.rows.into_iter().map(Into::into).collect(),
        next_page_token: page.next_page_token,
        freshness: Some(page.freshness),
    }))
}
