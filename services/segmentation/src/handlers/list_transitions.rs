use tonic::{Request, Response, Status};

use sextant_proto::segmentation::v1 as pb;
use sextant_runtime::tenant::tenant_of;
use sextant_store::port::{TransitionFilter, TransitionOrder};
use sextant_wire::status::store;
use sextant_wire::{page, read, time};

use super::{Handlers, offset};
use crate::decide::decode;
use crate::wire;

pub(super) async fn handle(
    handlers: &Handlers,
    request: Request<pb::ListTransitionsRequest>,
) -> Result<Response<pb::ListTransitionsResponse>, Status> {
    let tenant = tenant_of(&request)?;
    let request = request.into_inner();
    let account = read::optional_account(request.account.as_ref(), "account")?;
    let size = page::size(request.page_size)?;
    let bound = pb::ListTransitionsRequest {
        page_size: 0,
        page_token: String::new(),
        ..request.clone()
    };
    let skip = offset(
        handlers
            .pager
            .cursor(tenant.0, &bound, &request.page_token)?,
    )?;
    let reading = handlers.begin(tenant, request.at.as_ref()).await?;
    let segmentation = match request.segmentation.as_str() {
        "" => None,
        key => Some(reading.segmentation(key)?),
    };
    let uid = match account {
        Some(account) => {
            let Some(uid) = handlers.uid(&reading, &account).await? else {
                return Ok(Response::new(pb::ListTransitionsResponse {
                    freshness: Some(reading.freshness(0)),
                    ..pb::ListTransitionsResponse::default()
                }));
            };
            Some(uid)
        },
        None => None,
    };
    let mut since = time::optional(request.since.as_ref(), "since")?;
    // What was evaluated has passed.
    if since > reading.view.evaluated_at {
        let clock = handlers.engine.now(tenant, &reading.at.floor).await?;
        since = read::reached(since, "since", clock)?;
    }
    let filter = TransitionFilter {
        segmentation: segmentation.map(|known| known.number),
        uid,
        since,
        until: reading.at.as_of,
        known_at: reading.at.known_at,
        order: match request.order() {
            pb::TransitionOrder::Unspecified | pb::TransitionOrder::NewestFirst => {
                TransitionOrder::NewestFirst
            },
            pb::TransitionOrder::ValueAtRisk => TransitionOrder::ValueAtRisk,
        },
        offset: skip,
        limit: size + 1,
    };
    let mut rows = handlers
        .engine
        .memberships
        .transitions(tenant, &filter)
        .await
        .map_err(store)?;
    let fitting = page::fitting(rows.iter().map(|row| row.transition.len()));
    let size = size.min(fitting);
    let more = rows.len() > size;
    rows.truncate(size);
    let next = (skip + rows.len() as u64).to_string();
    let (closed_on, zone) = (reading.view.currency.closed_on, &reading.view.zone);
    let transitions = rows
        .iter()
        .filter_map(|row| decode(&row.transition))
        .map(|transition| wire::transition(transition, closed_on, zone));
    Ok(Response::new(pb::ListTransitionsResponse {
        transitions: transitions.collect(),
        next_page_token: if more {
            handlers.pager.token(tenant.0, &bound, &next)
        } else {
            String::new()
        },
        freshness: Some(reading.freshness(segmentation.map_or(0, |known| known.version))),
    }))
}
