use tonic::{Request, Response, Status};

use sextant_domain::mrr::Granularity;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::metrics::v1 as pb;
use sextant_runtime::tenant::tenant_of;
use sextant_wire::status::Problem;
use sextant_wire::{page, read};

use crate::figures;
use crate::handlers::Handlers;
use crate::movements::{self, Place};
use crate::state::Breakdown;

pub(super) async fn handle(
    handlers: &Handlers,
    request: Request<pb::ListMovementsRequest>,
) -> Result<Response<pb::ListMovementsResponse>, Status> {
    let tenant = tenant_of(&request)?;
    let mut request = request.into_inner();
    let account = read::optional_account(request.account.as_ref(), "account")?;
    let size = page::size(request.page_size)?;
    let token = std::mem::take(&mut request.page_token);
    request.page_size = 0;
    let pager = handlers.pager.clone();
    let cursor = pager.cursor(tenant.0, &request, &token)?;
    if request.segmentation.is_empty() && !request.segments.is_empty() {
        let message = "must be set, for segments belong to one";
        return Err(Problem::field(ErrorReason::FieldMissing, "segmentation", message).into());
    }
    let reading = handlers
        .begin(
            tenant,
            request.at.as_ref(),
            Breakdown::parse(&request.segmentation),
        )
        .await?;
    let answer = reading.answer(move |reading| {
        let state = &reading.state;
        let only = match &account {
            Some(id) => Some(
                state
                    .account(id.as_str())
                    .ok_or_else(|| read::account_unknown(id))?,
            ),
            None => None,
        };
        let behind = cursor.as_deref().map(Place::parse).transpose()?;
        // One more than fits the page tells whether another page follows.
        let asked = |segment: &str| {
            request.segments.is_empty() || request.segments.iter().any(|one| one == segment)
        };
        let ledgers = movements::ledgers(state, only, reading.moment.as_of);
        let rows = movements::rows(&ledgers, &reading.breakdown, reading.moment);
        let mut page = movements::page(rows.filter(|row| asked(row.segment)), behind, size + 1);
        let more = page.len() > size;
        page.truncate(size);
        let next = page
            .last()
            .filter(|_| more)
            .map(|row| pager.token(tenant.0, &request, &row.place.cursor()));
        let movements: Result<_, _> = page.iter().map(movements::to_wire).collect();
        Ok(pb::ListMovementsResponse {
            movements: movements?,
            next_page_token: next.unwrap_or_default(),
            currency: state.settings.currency.code().to_owned(),
            policy: Some(figures::policy(&state.settings.policy)),
            freshness: Some(reading.freshness),
            granularity: Granularity::EventLedger.as_str().to_owned(),
        })
    });
    answer.await
}
