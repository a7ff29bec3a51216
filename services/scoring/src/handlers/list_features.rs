use std::ops::Bound;

use tonic::{Request, Response, Status};

use sextant_domain::feature::Moment;
use sextant_domain::id::AccountUid;
use sextant_domain::time::Instant;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::scoring::v1 as pb;
use sextant_runtime::tenant::tenant_of;
use sextant_wire::page::{self, Pager};
use sextant_wire::read;
use sextant_wire::status::Problem;

use super::Handlers;
use crate::columns::Reader;
use crate::state::TenantState;

/// Size of a row without its texts: 41 numbers, and a bit of each for whether it is known.
const ROW_BYTES: usize = 400;

/// Behind which account a page begins, and the moment that all pages are about.
#[derive(Debug, Clone, Copy)]
struct Behind {
    as_of: Instant,
    uid: AccountUid,
}

impl Behind {
    fn parse(cursor: &str) -> Option<Self> {
        let (as_of, uid) = cursor.split_once(' ')?;
        Some(Self {
            as_of: Instant(as_of.parse().ok()?),
            uid: AccountUid(uid.parse().ok()?),
        })
    }

    fn cursor(self) -> String {
        format!("{} {}", self.as_of.0, self.uid.0)
    }
}

pub(super) async fn handle(
    handlers: &Handlers,
    request: Request<pb::ListFeaturesRequest>,
) -> Result<Response<pb::ListFeaturesResponse>, Status> {
    let tenant = tenant_of(&request)?;
    let request = request.into_inner();
    let size = page::size(request.page_size)?;
    let bound = pb::ListFeaturesRequest {
        at: request.at.clone(),
        ..pb::ListFeaturesRequest::default()
    };
    let behind = behind(&handlers.pager, (tenant.0, &bound), &request.page_token)?;
    let reading = handlers.begin(tenant, request.at.as_ref()).await?;
    let pager = handlers.pager.clone();
    let answer = handlers.engine.read(tenant, move |state| {
        let mut moment = reading.moment(state)?;
        if let Some(behind) = behind {
            moment = Moment::new(behind.as_of, moment.known_at, &state.settings.zone);
        }
        let (uids, more) = page_of(state, &moment, behind.map(|behind| behind.uid), size);
        let last = uids.last().filter(|_| more).map(|uid| Behind {
            as_of: moment.as_of,
            uid: *uid,
        });
        Ok(pb::ListFeaturesResponse {
            arrow_ipc: state.columns(&uids, &moment, Reader::Caller)?.into(),
            accounts: u32::try_from(uids.len()).unwrap_or(u32::MAX),
            next_page_token: last.map_or(String::new(), |last| {
                pager.token(tenant.0, &bound, &last.cursor())
            }),
            freshness: Some(read::freshness(
                reading.tenant,
                &reading.currency(state, &moment)?,
            )),
        })
    });
    Ok(Response::new(answer.await?))
}

fn behind(
    pager: &Pager,
    (tenant, bound): (u128, &pb::ListFeaturesRequest),
    token: &str,
) -> Result<Option<Behind>, Problem> {
    let unreadable =
        || Problem::field(ErrorReason::PageTokenInvalid, "page_token", "is unreadable");
    let cursor = pager.cursor(tenant, bound, token)?;
    let parse = |cursor: String| Behind::parse(&cursor).ok_or_else(unreadable);
    cursor.map(parse).transpose()
}

/// The accounts of a page, by uid, and whether there are more behind it.
fn page_of(
    state: &TenantState,
    moment: &Moment,
    behind: Option<AccountUid>,
    size: usize,
) -> (Vec<AccountUid>, bool) {
    let from = behind.map_or(Bound::Unbounded, Bound::Excluded);
    let known = state
        .accounts
        .range((from, Bound::Unbounded))
        .filter(|(_, account)| !account.id.is_empty() && account.facts.exists_at(moment));
    let found: Vec<_> = known.take(size + 1).collect();
    let sizes = found
        .iter()
        .map(|(_, account)| ROW_BYTES + account.id.len() + account.name.len());
    let n_rows = page::fitting(sizes).min(size);
    let uids = found.iter().take(n_rows).map(|(uid, _)| **uid);
    (uids.collect(), found.len() > n_rows)
}
