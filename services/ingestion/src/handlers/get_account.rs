use tonic::{Request, Response, Status};

use sextant_proto::ingestion::v1::{GetAccountRequest, GetAccountResponse};
use sextant_wire::read;

use crate::failure;
use crate::fold;
use crate::reading::Reading;
use crate::service::Shared;

/// Users of one account in an answer.
const MAX_USERS: usize = 1_000;

pub(crate) async fn handle(
    shared: &Shared,
    request: Request<GetAccountRequest>,
) -> Result<Response<GetAccountResponse>, Status> {
    let tenant = shared.tenant(&request).await?;
    let request = request.into_inner();
    let id = read::account(request.account.as_ref(), "account")?;
    let reading = Reading::begin(shared, tenant, request.at.as_ref()).await?;
    let tenant = reading.tenant_id();
    let accounts = &shared.deps.accounts;
    let rows = accounts
        .resolve(tenant, std::slice::from_ref(&id))
        .await
        .map_err(failure::of_store)?;
    let row = rows.first().ok_or_else(|| read::account_unknown(&id))?;
    let versions = accounts
        .versions(tenant, &[row.uid])
        .await
        .map_err(failure::of_store)?;
    let picture =
        fold::picture(&id, &versions, reading.moment)?.ok_or_else(|| read::account_unknown(&id))?;
    Ok(Response::new(GetAccountResponse {
        account: Some(picture.account),
        users: picture.users.into_iter().take(MAX_USERS).collect(),
        subscriptions: picture.subscriptions,
        recent_payments: picture.payments,
        freshness: Some(reading.freshness(Some(picture.watermark))),
        trait_provenance: picture.trait_provenance,
    }))
}
