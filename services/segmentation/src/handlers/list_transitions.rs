use std::fmt;

use tonic::{Request, Response, Status};

use sextant_domain::time::Instant;
use sextant_proto::segmentation::v1 as pb;
use sextant_runtime::tenant::tenant_of;
use sextant_store::port::{TransitionFilter, TransitionOrder, TransitionRow};
use sextant_wire::status::{Problem, store};
use sextant_wire::{page, read, time};

use super::{Handlers, unreadable};
use crate::decide::decode;
use crate::wire;

/// Where a page begins. Who moves while somebody turns pages moves later than what was listed, and is left out: so nobody is
/// pushed from one page to the next.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    /// Only what happened up to this moment; `None`: up to that of the request.
    until: Option<Instant>,
    /// So many of these were listed.
    skip: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let until = self.until.map_or(i64::MAX, |until| until.0);
        write!(f, "{until}.{}", self.skip)
    }
}

impl Place {
    fn read(cursor: &str) -> Result<Self, Problem> {
        let parts = cursor.split_once('.');
        let place = parts.and_then(|(until, skip)| {
            Some(Self {
                until: Some(Instant(until.parse().ok()?)),
                skip: skip.parse().ok()?,
            })
        });
        place.ok_or_else(unreadable)
    }

    /// Behind a page that is in the order of moments: at the moment of its last row, of which some are listed.
    fn behind(self, page: &[TransitionRow]) -> Self {
        let until = page.last().map(|row| row.at);
        let of_moment = page.iter().filter(|row| Some(row.at) == until).count() as u64;
        Self {
            until,
            skip: of_moment + if until == self.until { self.skip } else { 0 },
        }
    }

    /// Behind a page that is in another order, of what had happened when the first one was read.
    fn further(self, page: &[TransitionRow], until: Option<Instant>) -> Self {
        let listed = page.iter().map(|row| row.at).max();
        Self {
            until: until.max(listed),
            skip: self.skip + page.len() as u64,
        }
    }
}

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
    let cursor = handlers
        .pager
        .cursor(tenant.0, &bound, &request.page_token)?;
    let begin = cursor.map_or(Ok(Place::default()), |cursor| Place::read(&cursor))?;
    let reading = handlers
        .begin((tenant, &request.segmentation), request.at.as_ref())
        .await?;
    let segmentation = reading.named(&request.segmentation)?;
    let uid = match account {
        Some(account) => {
            let Some(uid) = handlers.uid(&reading, &account).await? else {
                return Ok(Response::new(pb::ListTransitionsResponse {
                    freshness: Some(reading.freshness(None)),
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
        until: begin.until.or(reading.at.as_of),
        known_at: reading.at.known_at,
        order: match request.order() {
            pb::TransitionOrder::Unspecified | pb::TransitionOrder::NewestFirst => {
                TransitionOrder::NewestFirst
            },
            pb::TransitionOrder::ValueAtRisk => TransitionOrder::ValueAtRisk,
        },
        offset: begin.skip,
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
    let had_happened = filter.until.or(reading.view.evaluated_at);
    let end = match filter.order {
        TransitionOrder::NewestFirst => begin.behind(&rows),
        TransitionOrder::ValueAtRisk => begin.further(&rows, had_happened),
    };
    let next = more.then(|| handlers.pager.token(tenant.0, &bound, &end.to_string()));
    let (closed_on, zone) = (reading.view.currency.closed_on, &reading.view.zone);
    let transitions = rows
        .iter()
        .filter_map(|row| decode(&row.transition))
        .map(|transition| wire::transition(transition, closed_on, zone));
    Ok(Response::new(pb::ListTransitionsResponse {
        transitions: transitions.collect(),
        next_page_token: next.unwrap_or_default(),
        freshness: Some(reading.freshness(segmentation)),
    }))
}
