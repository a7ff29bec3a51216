use tonic::{Request, Response, Status};

use sextant_domain::feature::CATALOGUE;
use sextant_proto::scoring::v1 as pb;
use sextant_runtime::tenant::tenant_of;
use sextant_wire::read;

use super::{Handlers, account_at};
use crate::scores;

pub(super) async fn handle(
    handlers: &Handlers,
    request: Request<pb::GetFeaturesRequest>,
) -> Result<Response<pb::GetFeaturesResponse>, Status> {
    let tenant = tenant_of(&request)?;
    let request = request.into_inner();
    let account = read::account(request.account.as_ref(), "account")?;
    let reading = handlers.begin(tenant, request.at.as_ref()).await?;
    let answer = handlers.engine.read(tenant, move |state| {
        let moment = reading.moment(state)?;
        let facts = account_at(state, &account, &moment)?;
        let row = state.row(facts, &moment);
        Ok(pb::GetFeaturesResponse {
            features: CATALOGUE
                .iter()
                .map(|definition| scores::feature(definition.feature, &row))
                .collect(),
            freshness: Some(read::freshness(
                reading.tenant,
                &reading.currency(state, &moment)?,
            )),
        })
    });
    Ok(Response::new(answer.await?))
}
