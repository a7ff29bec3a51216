//! The answers to requests, which ingestion and segmentation keep alike.

use rusqlite::{Connection, OptionalExtension, params};

use sextant_domain::id::TenantId;

use crate::embedded::failure::Work;
use crate::embedded::sql;
use crate::embedded::value::{Columns, id};
use crate::port::{MAX_REQUESTS_REMOVED, Once, REQUESTS_KEPT_US, Request, same_request};

/// The answer that was given before; `None`: the change is still to be made.
pub(super) fn answered<T>(connection: &Connection, once: &Once<T>) -> Work<Option<Vec<u8>>> {
    answer_to(connection, &once.request)
}

/// The same of a request that changes nothing yet.
pub(super) fn answer_to(connection: &Connection, request: &Request) -> Work<Option<Vec<u8>>> {
    let mut find = connection.prepare_cached(sql!("request/find"))?;
    let found = find
        .query_row(
            params![owner(request), request.method, id(request.id)],
            |row| Ok((row.id(0)?, row.get(1)?)),
        )
        .optional()?;
    Ok(found
        .map(|found| same_request(request, found))
        .transpose()?)
}

/// Keeps the answer to a change that was made in this transaction, and gives it.
pub(super) fn keep<T>(connection: &Connection, once: &Once<T>, result: &T) -> Work<Vec<u8>> {
    let request = &once.request;
    let answer = once.answer(result);
    connection
        .prepare_cached(sql!("request/remove_expired"))?
        .execute(params![
            owner(request),
            request.at.0.saturating_sub(REQUESTS_KEPT_US),
            MAX_REQUESTS_REMOVED
        ])?;
    connection
        .prepare_cached(sql!("request/insert"))?
        .execute(params![
            owner(request),
            request.method,
            id(request.id),
            id(request.parameters.0),
            request.at.0,
            answer
        ])?;
    Ok(answer)
}

/// The installation's requests are kept under the id that no tenant has.
fn owner(request: &Request) -> [u8; 16] {
    id(request.owner.unwrap_or(TenantId(0)).0)
}
