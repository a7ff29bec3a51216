use tonic::{Request, Response, Status};

use sextant_proto::metrics::v1 as pb;
use sextant_runtime::tenant::tenant_of;

use crate::churn::{churn, period};
use crate::figures;
use crate::handlers::Handlers;
use crate::state::Breakdown;

pub(super) async fn handle(
    handlers: &Handlers,
    request: Request<pb::GetChurnRequest>,
) -> Result<Response<pb::GetChurnResponse>, Status> {
    let tenant = tenant_of(&request)?;
    let request = request.into_inner();
    let reading = handlers
        .begin(
            tenant,
            request.at.as_ref(),
            Breakdown::parse(&request.segmentation),
        )
        .await?;
    let answer = reading.answer(move |reading| {
        let policy = &reading.state.settings.policy;
        let window = period(
            request.first_day.as_ref(),
            request.last_day.as_ref(),
            reading.moment.as_of,
            &policy.zone,
        )?;
        let (total, segments) = churn(
            &reading.state,
            &reading.breakdown,
            window,
            reading.moment.known_at,
        )?;
        Ok(pb::GetChurnResponse {
            total: Some(total),
            segments,
            policy: Some(figures::policy(policy)),
            freshness: Some(reading.freshness),
        })
    });
    answer.await
}
