use tonic::{Request, Response, Status};

use sextant_domain::time::Day;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::scoring::v1 as pb;
use sextant_runtime::tenant::tenant_of;
use sextant_wire::page;
use sextant_wire::status::Problem;

use super::Handlers;
use crate::models;

/// Behind which model of which close a page begins.
#[derive(Debug, Clone, Copy)]
struct Behind {
    closed_on: Day,
    /// Models of that close that were given.
    n_given: usize,
}

impl Behind {
    /// Before the newest close.
    const NOTHING: Self = Self {
        closed_on: Day(i32::MAX),
        n_given: 0,
    };

    fn parse(cursor: &str) -> Option<Self> {
        let (closed_on, n_given) = cursor.split_once(' ')?;
        Some(Self {
            closed_on: Day::parse(closed_on).ok()?,
            n_given: n_given.parse().ok()?,
        })
    }
}

pub(super) async fn handle(
    handlers: &Handlers,
    request: Request<pb::ListModelsRequest>,
) -> Result<Response<pb::ListModelsResponse>, Status> {
    let tenant = tenant_of(&request)?;
    let request = request.into_inner();
    let size = page::size(request.page_size)?;
    let bound = pb::ListModelsRequest::default();
    let unreadable =
        || Problem::field(ErrorReason::PageTokenInvalid, "page_token", "is unreadable");
    let behind = match handlers
        .pager
        .cursor(tenant.0, &bound, &request.page_token)?
    {
        None => Behind::NOTHING,
        Some(cursor) => Behind::parse(&cursor).ok_or_else(unreadable)?,
    };
    let pager = handlers.pager.clone();
    let answer = handlers.engine.read(tenant, move |state| {
        let closes = state.models.range(..=behind.closed_on).rev();
        let mut rest = closes.flat_map(|(day, close)| {
            let n_given = if *day == behind.closed_on {
                behind.n_given
            } else {
                0
            };
            (1..)
                .zip(models::to_wire(close))
                .skip(n_given)
                .map(|(n_given, model)| {
                    let closed_on = *day;
                    (Behind { closed_on, n_given }, model)
                })
        });
        let page: Vec<_> = rest.by_ref().take(size).collect();
        let last = page.last().map(|(last, _)| *last);
        let more = last.filter(|_| rest.next().is_some());
        Ok(pb::ListModelsResponse {
            models: page.into_iter().map(|(_, model)| model).collect(),
            next_page_token: more.map_or(String::new(), |last| {
                let cursor = format!("{} {}", last.closed_on, last.n_given);
                pager.token(tenant.0, &bound, &cursor)
            }),
        })
    });
    Ok(Response::new(answer.await?))
}
