//! The answers to requests, which ingestion and segmentation keep alike.

use tokio_postgres::types::ToSql;
use uuid::Uuid;

use sextant_domain::id::TenantId;
use sextant_store::port::{MAX_REQUESTS_REMOVED, Once, REQUESTS_KEPT_US, Request, same_request};
use sextant_store::{Error, Result};

use super::pool::Pool;
use super::session::Session;
use super::{decode, rows};

const CLAIM: &str = include_str!("../../queries/postgres/request/claim.sql");
const FIND: &str = include_str!("../../queries/postgres/request/find.sql");
const ANSWER: &str = include_str!("../../queries/postgres/request/answer.sql");
const REMOVE_EXPIRED: &str = include_str!("../../queries/postgres/request/remove_expired.sql");

/// Opens a transaction of the request's owner and claims the request for it. Where it was answered before, the transaction
/// is over and the answer is returned; `None`: the change is still to be made, and [`finish`] or a rollback ends it.
pub(super) async fn claim<T>(session: &Session, once: &Once<T>) -> Result<Option<Vec<u8>>> {
    let request = &once.request;
    let (claim, find, remove) = (
        session.prepare(CLAIM).await?,
        session.prepare(FIND).await?,
        session.prepare(REMOVE_EXPIRED).await?,
    );
    let (tenant, id) = (owner(request), Uuid::from_u128(request.id));
    let owner = rows::tenant(tenant);
    let parameters = Uuid::from_u128(request.parameters.0);
    session.begin(tenant);
    let claimed = session
        .execute(
            &claim,
            &[&owner, &request.method, &id, &parameters, &request.at.0],
        )
        .await?;
    if claimed == 1 {
        let kept_since = request.at.0.saturating_sub(REQUESTS_KEPT_US);
        session
            .execute(&remove, &[&owner, &kept_since, &MAX_REQUESTS_REMOVED])
            .await?;
        return Ok(None);
    }
    let found = session.last(&find, &[&owner, &request.method, &id]).await?;
    let found = decode::first(&found, "answer to a request", |row| {
        Ok((row.id()?, row.take::<Vec<u8>>()?))
    })?;
    // It can only have passed its time between the two statements.
    let gone = || Error::unavailable("repeating a request", "its answer was just removed");
    same_request(request, found.ok_or_else(gone)?).map(Some)
}

/// The answer that was given to a request before; `None`: it comes for the first time.
pub(super) async fn answered(pool: &Pool, request: &Request) -> Result<Option<Vec<u8>>> {
    let (owner, id) = (owner(request), Uuid::from_u128(request.id));
    let params: [&(dyn ToSql + Sync); 3] = [&rows::tenant(owner), &request.method, &id];
    let found = pool
        .read(owner, "looking for an answer", FIND, &params)
        .await?;
    let found = decode::first(&found, "answer to a request", |row| {
        Ok((row.id()?, row.take::<Vec<u8>>()?))
    })?;
    let answer = found.map(|found| same_request(request, found));
    answer.transpose()
}

/// Keeps the answer to the change that this transaction has made, commits, and gives the answer.
pub(super) async fn finish<T: Sync>(
    session: &Session,
    once: &Once<T>,
    result: &T,
) -> Result<Vec<u8>> {
    let request = &once.request;
    let answer = once.answer(result);
    let statement = session.prepare(ANSWER).await?;
    let (owner, id) = (rows::tenant(owner(request)), Uuid::from_u128(request.id));
    session
        .last(&statement, &[&owner, &request.method, &id, &answer])
        .await?;
    Ok(answer)
}

/// The installation's requests are kept under the id that no tenant has, behind the same wall.
fn owner(request: &Request) -> TenantId {
    request.owner.unwrap_or(TenantId(0))
}
