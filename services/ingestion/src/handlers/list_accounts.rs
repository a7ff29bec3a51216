use prost::Message;
use tonic::{Request, Response, Status};

use sextant_domain::time::Instant;
use sextant_proto::ingestion::v1::{Account, ListAccountsRequest, ListAccountsResponse};
use sextant_store::port::Page;
use sextant_wire::page;
use sextant_wire::status::Problem;

use crate::failure;
use crate::filter::Filter;
use crate::fold;
use crate::pages::{CHUNK, Room};
use crate::reading::Reading;
use crate::service::Shared;

pub(crate) async fn handle(
    shared: &Shared,
    request: Request<ListAccountsRequest>,
) -> Result<Response<ListAccountsResponse>, Status> {
    let tenant = shared.tenant(&request).await?;
    let request = request.into_inner();
    let size = page::size(request.page_size)?;
    let filter = Filter::of(request.filter.as_ref())?;
    let bound = ListAccountsRequest {
        at: request.at.clone(),
        filter: request.filter.clone(),
        ..ListAccountsRequest::default()
    };
    let after = shared
        .deps
        .pager
        .cursor(tenant.row.tenant.0, &bound, &request.page_token)?;
    let reading = Reading::begin(shared, tenant, request.at.as_ref()).await?;
    let list = list(shared, &reading, &filter, (size, after)).await?;
    let token = list.continue_behind.map(|behind| {
        shared
            .deps
            .pager
            .token(reading.tenant_id().0, &bound, &behind)
    });
    Ok(Response::new(ListAccountsResponse {
        accounts: list.accounts,
        next_page_token: token.unwrap_or_default(),
        freshness: Some(reading.freshness(list.watermark)),
    }))
}

/// Accounts that one call looks at: a moment of which little was known, or a filter that few meet, gives short pages, not
/// long calls.
const MAX_READ: usize = 10_000;
/// Facts that one call looks at, for the same reason; those of the last accounts come on top.
const MAX_FACTS: usize = 200_000;

#[derive(Default)]
struct List {
    accounts: Vec<Account>,
    watermark: Option<Instant>,
    continue_behind: Option<String>,
}

/// Accounts behind an id. Those of which nothing was known at the moment, and those that do not meet the filter, are passed over.
async fn list(
    shared: &Shared,
    reading: &Reading,
    filter: &Filter,
    (size, mut after): (usize, Option<String>),
) -> Result<List, Problem> {
    let mut room = Room::new(size);
    let mut list = List::default();
    let (mut n_read, mut n_facts) = (0, 0);
    let is_filtered = !filter.is_empty();
    loop {
        let page = Page {
            after: after.clone(),
            limit: if is_filtered { CHUNK } else { room.ask() },
        };
        let rows = shared
            .deps
            .accounts
            .list(reading.tenant_id(), &page)
            .await
            .map_err(failure::of_store)?;
        let uids: Vec<_> = rows.iter().map(|row| row.uid).collect();
        let versions = shared
            .deps
            .accounts
            .versions(reading.tenant_id(), &uids)
            .await
            .map_err(failure::of_store)?;
        let exhausted = rows.len() < page.limit;
        n_read += rows.len();
        n_facts += versions.len();
        for row in rows {
            let versions = fold::of_account(row.uid, &versions);
            let found = fold::profile(&row.id, versions, reading.moment)?;
            let is_met = match &found {
                Some(profile) => filter.takes(&profile.account, versions, reading.moment)?,
                None => false,
            };
            if let Some(profile) = found.filter(|_| is_met) {
                if !room.take(profile.account.encoded_len()) {
                    list.continue_behind = after;
                    return Ok(list);
                }
                list.watermark = list.watermark.max(Some(profile.watermark));
                list.accounts.push(profile.account);
            }
            after = Some(row.id.as_str().to_owned());
        }
        if exhausted {
            return Ok(list);
        }
        if n_read >= MAX_READ || n_facts >= MAX_FACTS {
            list.continue_behind = after;
            return Ok(list);
        }
    }
}
