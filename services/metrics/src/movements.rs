//! Single changes of revenue, newest first.

use std::borrow::Cow;
use std::cmp::Reverse;

use sextant_domain::mrr::{CausePart, Movement, MovementKind};
use sextant_domain::time::Instant;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::metrics::v1 as pb;
use sextant_wire::read::account_ref;
use sextant_wire::status::Problem;
use sextant_wire::time::timestamp;

use crate::figures::exact;
use crate::state::{Account, Breakdown, Moment, TenantState};

/// Where a movement stands in the list: the newest first; of one instant, accounts by id, of one account the last step first, and
/// of one step what became known last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place<'a> {
    at: Reverse<Instant>,
    account: &'a str,
    step: Reverse<u8>,
    known_at: Reverse<Instant>,
    /// Number among those that are alike in all that.
    number: Reverse<usize>,
}

impl<'a> Place<'a> {
    /// The place of a movement of an account's books behind `before`.
    fn of(account: &'a str, movement: &Movement, before: &[Movement]) -> Self {
        let now = before.iter().rev();
        let now = now.take_while(|other| other.at == movement.at);
        let alike = now.filter(|other| {
            Self::step(other) == Self::step(movement) && other.known_at == movement.known_at
        });
        Self {
            at: Reverse(movement.at),
            account,
            step: Reverse(Self::step(movement)),
            known_at: Reverse(movement.known_at),
            number: Reverse(alike.count()),
        }
    }

    /// Late data moves the balance first, then a rate, then what the account did.
    fn step(movement: &Movement) -> u8 {
        match movement.kind {
            MovementKind::Restatement => 0,
            MovementKind::FxRevaluation => 1,
            MovementKind::Transfer => 2,
            MovementKind::New
            | MovementKind::Expansion
            | MovementKind::Contraction
            | MovementKind::Churn
            | MovementKind::Reactivation => 3,
        }
    }

    /// The place as a page token carries it.
    pub(crate) fn cursor(&self) -> String {
        let Self {
            at: Reverse(at),
            account,
            step: Reverse(step),
            known_at: Reverse(known_at),
            number: Reverse(number),
        } = self;
        format!("{}.{step}.{}.{number}.{account}", at.0, known_at.0)
    }

    /// Reads a place back.
    ///
    /// # Errors
    /// PAGE_TOKEN_INVALID.
    pub(crate) fn parse(cursor: &'a str) -> Result<Self, Problem> {
        let parse = || {
            let mut parts = cursor.splitn(5, '.');
            Some(Self {
                at: Reverse(Instant(parts.next()?.parse().ok()?)),
                step: Reverse(parts.next()?.parse().ok()?),
                known_at: Reverse(Instant(parts.next()?.parse().ok()?)),
                number: Reverse(parts.next()?.parse().ok()?),
                account: parts.next()?,
            })
        };
        parse().ok_or_else(|| {
            Problem::field(
                ErrorReason::PageTokenInvalid,
                "page_token",
                "is unreadable; start again without one",
            )
        })
    }
}

/// A movement and its place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Row<'a> {
    pub(crate) place: Place<'a>,
    pub(crate) movement: &'a Movement,
    /// The segment just before; empty: in none, or not asked for.
    pub(crate) segment: &'a str,
}

/// The first `limit` rows behind a place.
pub(crate) fn page<'a>(
    rows: impl Iterator<Item = Row<'a>>,
    behind: Option<Place<'_>>,
    limit: usize,
) -> Vec<Row<'a>> {
    let mut page: Vec<Row<'a>> = Vec::new();
    let cut = |page: &mut Vec<Row<'a>>| {
        page.sort_unstable_by_key(|row| row.place);
        page.truncate(limit);
    };
    for row in rows.filter(|row| behind.is_none_or(|behind| row.place > behind)) {
        page.push(row);
        if page.len() >= limit.saturating_mul(2) {
            cut(&mut page);
        }
    }
    cut(&mut page);
    page
}

/// Accounts with their books at a moment.
pub(crate) type Ledgers<'a> = Vec<(&'a Account, Cow<'a, [Movement]>)>;

/// The books of all accounts, or only of one.
pub(crate) fn ledgers<'a>(
    state: &'a TenantState,
    only: Option<&'a Account>,
    as_of: Instant,
) -> Ledgers<'a> {
    let with_books = |account: &'a Account| (account, account.movements(&state.settings, as_of));
    match only {
        Some(account) => vec![with_books(account)],
        None => {
            let all = state.accounts.values();
            all.map(|account| with_books(account)).collect()
        },
    }
}

/// The movements of accounts that happened up to a moment and were known then.
pub(crate) fn rows<'a>(
    ledgers: &'a Ledgers<'a>,
    breakdown: &'a Breakdown,
    moment: Moment,
) -> impl Iterator<Item = Row<'a>> {
    ledgers.iter().flat_map(move |(account, movements)| {
        let counted = movements.iter().enumerate().filter(move |(_, movement)| {
            movement.at <= moment.as_of && movement.is_known(moment.known_at)
        });
        counted.map(move |(index, movement)| Row {
            place: Place::of(&account.id, movement, &movements[..index]),
            movement,
            segment: segment_before(account, breakdown, movement.at, moment),
        })
    })
}

fn segment_before<'a>(
    account: &'a Account,
    breakdown: &Breakdown,
    at: Instant,
    moment: Moment,
) -> &'a str {
    let Breakdown::BySegment(segmentation) = breakdown else {
        return "";
    };
    let before = Moment {
        as_of: at.plus_us(-1),
        ..moment
    };
    account
        .segments
        .segment_at(segmentation, before)
        .unwrap_or_default()
}

/// A movement as the contract shows it.
///
/// # Errors
/// AMOUNT_OVERFLOW.
pub(crate) fn to_wire(row: &Row<'_>) -> Result<pb::Movement, Problem> {
    let Row {
        place,
        movement,
        segment,
    } = row;
    let kind = match movement.kind {
        MovementKind::New => pb::MovementKind::New,
        MovementKind::Expansion => pb::MovementKind::Expansion,
        MovementKind::Contraction => pb::MovementKind::Contraction,
        MovementKind::Churn => pb::MovementKind::Churn,
        MovementKind::Reactivation => pb::MovementKind::Reactivation,
        MovementKind::FxRevaluation => pb::MovementKind::FxRevaluation,
        MovementKind::Restatement => pb::MovementKind::Restatement,
        // Only merged accounts transfer revenue, and accounts are not merged.
        MovementKind::Transfer => pb::MovementKind::Unspecified,
    };
    Ok(pb::Movement {
        account: Some(account_ref(place.account)),
        at: Some(timestamp(movement.at)),
        known_at: Some(timestamp(movement.known_at)),
        kind: kind.into(),
        delta_exact: exact(movement.delta)?,
        before_exact: exact(movement.before)?,
        after_exact: exact(movement.after)?,
        cause: movement
            .cause
            .map_or(String::new(), |cause| cause.as_str().to_owned()),
        segment: (*segment).to_owned(),
        parts: movement.parts.iter().map(part).collect::<Result<_, _>>()?,
    })
}

fn part(part: &CausePart) -> Result<pb::CausePart, Problem> {
    Ok(pb::CausePart {
        cause: part.cause.as_str().to_owned(),
        delta_exact: exact(part.delta)?,
    })
}

#[cfg(test)]
mod tests;
