//! Pages of what an account has that has a state, such as its invoices.

use std::sync::Arc;

use prost::Message;

use sextant_domain::time::Instant;
use sextant_proto::common::v1::{EntityRef, Freshness, ReadAt};
use sextant_proto::ingestion::v1 as pb;
use sextant_store::port::FactVersion;
use sextant_wire::status::Problem;
use sextant_wire::time::timestamp;
use sextant_wire::{page, read};

use crate::failure;
use crate::fold::{self, Moment, Standing};
use crate::pages::Room;
use crate::reading::Reading;
use crate::service::Shared;
use crate::tenants::KnownTenant;

/// What one request asks for; `bound` is the request without its page, to which tokens belong.
pub(crate) struct Asked<'a, Q> {
    pub(crate) account: Option<&'a EntityRef>,
    pub(crate) at: Option<&'a ReadAt>,
    pub(crate) page_size: i32,
    pub(crate) page_token: &'a str,
    pub(crate) bound: Q,
}

/// What the facts of an account say of it at a moment.
type Fold<T> = fn(&[FactVersion], Moment) -> Result<Vec<Standing<T>>, Problem>;

/// One page of an answer.
pub(crate) struct Standings<T> {
    pub(crate) rows: Vec<Standing<T>>,
    pub(crate) next_page_token: String,
    pub(crate) freshness: Freshness,
}

/// Behind which row a page begins: rows are ordered by falling time of their first state, then by id.
fn is_behind<T>(row: &Standing<T>, (first_at, id): (Instant, &str)) -> bool {
    row.first_at < first_at || (row.first_at == first_at && *row.id > *id)
}

/// A page of what an account has, newest first.
///
/// # Errors
/// A field that is none, ACCOUNT_UNKNOWN, those of [`Reading::begin`], or the store's failure.
pub(crate) async fn list<Q: Message, T: Message>(
    shared: &Shared,
    tenant: Arc<KnownTenant>,
    asked: Asked<'_, Q>,
    fold: Fold<T>,
) -> Result<Standings<T>, Problem> {
    let id = read::account(asked.account, "account")?;
    let size = page::size(asked.page_size)?;
    let pager = &shared.deps.pager;
    let owner = tenant.row.tenant.0;
    let cursor = pager.cursor(owner, &asked.bound, asked.page_token)?;
    // A cursor that carries our signature is readable; what is none anyway continues at the beginning.
    let behind = cursor.as_deref().and_then(|cursor| {
        let (first_at, id) = cursor.split_once(' ')?;
        Some((Instant(first_at.parse().ok()?), id))
    });
    let reading = Reading::begin(shared, tenant, asked.at).await?;
    let accounts = &shared.deps.accounts;
    let found = accounts
        .resolve(reading.tenant_id(), std::slice::from_ref(&id))
        .await
        .map_err(failure::of_store)?;
    let uid = found.first().ok_or_else(|| read::account_unknown(&id))?.uid;
    let versions = accounts
        .versions(reading.tenant_id(), &[uid])
        .await
        .map_err(failure::of_store)?;
    if fold::profile(&id, &versions, reading.moment)?.is_none() {
        return Err(read::account_unknown(&id));
    }
    let mut rest = fold(&versions, reading.moment)?
        .into_iter()
        .skip_while(|row| behind.is_some_and(|behind| !is_behind(row, behind)))
        .peekable();
    let (mut room, mut rows) = (Room::new(size), Vec::new());
    while let Some(row) = rest.next_if(|row| room.take(row.state.encoded_len())) {
        rows.push(row);
    }
    let last = rows.last().filter(|_| rest.peek().is_some());
    let next_page_token = last.map_or_else(String::new, |last| {
        pager.token(
            owner,
            &asked.bound,
            &format!("{} {}", last.first_at.0, last.id),
        )
    });
    let watermark = rows.iter().map(|row| row.since).max();
    Ok(Standings {
        rows,
        next_page_token,
        freshness: reading.freshness(watermark),
    })
}

impl From<Standing<pb::InvoiceFact>> for pb::Invoice {
    fn from(one: Standing<pb::InvoiceFact>) -> Self {
        Self {
            state: Some(one.state),
            since: Some(timestamp(one.since)),
            first_at: Some(timestamp(one.first_at)),
        }
    }
}

impl From<Standing<pb::PaymentFact>> for pb::Payment {
    fn from(one: Standing<pb::PaymentFact>) -> Self {
        Self {
            state: Some(one.state),
            since: Some(timestamp(one.since)),
            first_at: Some(timestamp(one.first_at)),
        }
    }
}
