//! Pages that fit a message.

use prost::Message;

use sextant_domain::id::TenantId;
use sextant_store::{BoxFuture, Result};
use sextant_wire::page::{MAX_PAGE_BYTES, Pager};
use sextant_wire::status::Problem;

use crate::failure;

/// Rows that are read at a time, so that a page of large records is not read whole before it is cut.
pub(crate) const CHUNK: usize = 100;

/// How much more fits a page. It has at least one row, however large.
#[derive(Debug)]
pub(crate) struct Room {
    rows: usize,
    bytes: usize,
    taken: bool,
}

impl Room {
    pub(crate) fn new(rows: usize) -> Self {
        Self {
            rows,
            bytes: MAX_PAGE_BYTES,
            taken: false,
        }
    }

    /// Rows to read next: one more than fit, to know whether there is another page.
    pub(crate) fn ask(&self) -> usize {
        self.rows.saturating_add(1).min(CHUNK)
    }

    /// Takes a row in, if it fits.
    pub(crate) fn take(&mut self, bytes: usize) -> bool {
        if self.rows == 0 || (self.taken && bytes > self.bytes) {
            return false;
        }
        self.rows -= 1;
        self.bytes = self.bytes.saturating_sub(bytes);
        self.taken = true;
        true
    }
}

/// Leaves a page of rows of which one more than fit was asked for; the last one, where another page follows.
pub(crate) fn cut<R>(rows: &mut Vec<R>, size: usize) -> Option<&R> {
    let more = rows.len() > size;
    rows.truncate(size);
    rows.last().filter(|_| more)
}

/// A row of a list that is ordered by number.
pub(crate) trait Numbered {
    /// Its number.
    fn ordinal(&self) -> u64;
    /// Size of its record.
    fn n_bytes(&self) -> usize;
}

/// Rows of one page, and the number to continue behind; `None` at the end.
#[derive(Debug)]
pub(crate) struct Gathered<R> {
    pub(crate) rows: Vec<R>,
    pub(crate) continue_behind: Option<u64>,
}

/// Gathers a page of at most `size` rows; `read` gives rows behind a number, at most as many as asked for.
///
/// # Errors
/// The store's failure.
pub(crate) async fn gather<'a, R: Numbered + 'a>(
    size: usize,
    mut behind: Option<u64>,
    read: impl Fn(Option<u64>, usize) -> BoxFuture<'a, Result<Vec<R>>>,
) -> std::result::Result<Gathered<R>, Problem> {
    let mut room = Room::new(size);
    let mut rows = Vec::new();
    loop {
        let asked = room.ask();
        let chunk = read(behind, asked).await.map_err(failure::of_store)?;
        let exhausted = chunk.len() < asked;
        for row in chunk {
            if !room.take(row.n_bytes()) {
                return Ok(Gathered {
                    rows,
                    continue_behind: behind,
                });
            }
            behind = Some(row.ordinal());
            rows.push(row);
        }
        if exhausted {
            return Ok(Gathered {
                rows,
                continue_behind: None,
            });
        }
    }
}

/// The number that a page token continues behind; `None` for an empty token.
///
/// # Errors
/// The token belongs to another request.
pub(crate) fn number<Q: Message>(
    pager: &Pager,
    tenant: TenantId,
    bound: &Q,
    token: &str,
) -> std::result::Result<Option<u64>, Problem> {
    let cursor = pager.cursor(tenant.0, bound, token)?;
    // A cursor that carries our signature is a number; what is none anyway continues at the beginning.
    Ok(cursor.and_then(|cursor| cursor.parse().ok()))
}

/// The token that continues behind a number; empty for `None`.
pub(crate) fn token<Q: Message>(
    pager: &Pager,
    tenant: TenantId,
    bound: &Q,
    behind: Option<u64>,
) -> String {
    behind.map_or_else(String::new, |behind| {
        pager.token(tenant.0, bound, &behind.to_string())
    })
}

#[cfg(test)]
mod tests;
