use tonic::{Request, Response, Status};

use sextant_proto::metrics::v1 as pb;
use sextant_runtime::tenant::tenant_of;

use crate::figures;
use crate::handlers::Handlers;
use crate::revenue::revenue;
use crate::state::Breakdown;

pub(super) async fn handle(
    handlers: &Handlers,
    request: Request<pb::GetRevenueRequest>,
) -> Result<Response<pb::GetRevenueResponse>, Status> {
    let tenant = tenant_of(&request)?;
    let request = request.into_inner();
    let reading = handlers
        .begin(
            tenant,
            request.at.as_ref(),
            Breakdown::parse(&request.segmentation),
        )
        .await?;
    let answer = reading.answer(|reading| {
        let settings = &reading.state.settings;
        let (total, segments) = revenue(&reading.state, &reading.breakdown, reading.moment)?;
        Ok(pb::GetRevenueResponse {
            total: Some(total),
            segments,
            currency: settings.currency.code().to_owned(),
            policy: Some(figures::policy(&settings.policy)),
            freshness: Some(reading.freshness),
        })
    });
    answer.await
}
