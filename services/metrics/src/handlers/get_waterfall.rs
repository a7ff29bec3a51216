use tonic::{Request, Response, Status};

use sextant_domain::mrr::Granularity;
use sextant_proto::metrics::v1 as pb;
use sextant_runtime::tenant::tenant_of;

use crate::figures;
use crate::handlers::Handlers;
use crate::state::Breakdown;
use crate::waterfall::{by_segment, months, waterfalls};

pub(super) async fn handle(
    handlers: &Handlers,
    request: Request<pb::GetWaterfallRequest>,
) -> Result<Response<pb::GetWaterfallResponse>, Status> {
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
        let settings = &reading.state.settings;
        let months = months(
            request.last_month.as_ref(),
            request.months,
            reading.moment.as_of,
            &settings.policy.zone,
        )?;
        Ok(pb::GetWaterfallResponse {
            months: waterfalls(&reading.state, &months, reading.moment)?,
            segments: by_segment(&reading.state, &reading.breakdown, &months, reading.moment)?,
            currency: settings.currency.code().to_owned(),
            policy: Some(figures::policy(&settings.policy)),
            freshness: Some(reading.freshness),
            granularity: Granularity::PeriodNet.as_str().to_owned(),
        })
    });
    answer.await
}
