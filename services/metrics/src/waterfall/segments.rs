//! Waterfalls by segment. Accounts change segments while they change what they pay, so each segment has one more line: what
//! moved in from other segments, less what moved out.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use sextant_domain::mrr::{Movement, Mrr, Waterfall};
use sextant_domain::time::Instant;
use sextant_proto::metrics::v1 as pb;
use sextant_wire::status::Problem;

use super::{Month, to_wire, unbalanced};
use crate::state::{Account, Breakdown, Moment, TenantState};

/// An account in a month: its movements, and its segments just before the month and at its end; empty: in none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passage<'a> {
    pub(super) movements: &'a [Movement],
    pub(super) before: &'a str,
    pub(super) after: &'a str,
}

/// The waterfalls of a tenant by segment, in descending order of revenue at the end of the last month, then by key. Each
/// segment has all months; one in which nobody ever paid has none.
pub(crate) fn by_segment(
    state: &TenantState,
    breakdown: &Breakdown,
    months: &[Month],
    moment: Moment,
) -> Result<Vec<pb::SegmentWaterfall>, Problem> {
    let Breakdown::BySegment(segmentation) = breakdown else {
        return Ok(Vec::new());
    };
    let segment_of = |account: &'_ Account, as_of: Instant| {
        let at = Moment { as_of, ..moment };
        account
            .segments
            .segment_at(segmentation, at)
            .map(str::to_owned)
            .unwrap_or_default()
    };
    let ledgers: Vec<_> = state
        .accounts
        .values()
        .map(|account| (account, account.movements(&state.settings, moment.as_of)))
        .collect();
    let mut by_month = Vec::with_capacity(months.len());
    for month in months {
        let (start, end) = (
            month.window.from().plus_us(-1),
            month.window.to().plus_us(-1),
        );
        let told: Vec<_> = ledgers
            .iter()
            .map(|(account, movements)| {
                (
                    movements.as_ref(),
                    segment_of(account, start),
                    segment_of(account, end),
                )
            })
            .collect();
        let passages = told.iter().map(|(movements, before, after)| Passage {
            movements,
            before,
            after,
        });
        by_month.push(one_month(passages, *month, moment.known_at)?);
    }
    let keys: BTreeSet<&String> = by_month.iter().flat_map(BTreeMap::keys).collect();
    let mut segments = Vec::with_capacity(keys.len());
    for key in keys {
        let rows = months.iter().zip(&by_month);
        let rows: Result<Vec<_>, _> = rows
            .map(|(month, segments)| match segments.get(key) {
                Some(row) => Ok(*row),
                None => super::month(iter::empty(), *month, moment.known_at),
            })
            .collect();
        segments.push(pb::SegmentWaterfall {
            segment: key.clone(),
            months: rows?,
        });
    }
    segments.sort_by_key(|one| {
        let end = one.months.last().map_or(0, |month| month.end_exact);
        (Reverse(end), one.segment.clone())
    });
    Ok(segments)
}

/// One month by segment. What an account did belongs to the segment that it paid in before; if it did not pay, to the
/// segment at the end. What it pays at the end is carried from the one to the other.
pub(super) fn one_month<'a>(
    passages: impl Iterator<Item = Passage<'a>>,
    month: Month,
    known_at: Instant,
) -> Result<BTreeMap<String, pb::WaterfallMonth>, Problem> {
    let mut homes: BTreeMap<&str, Vec<&[Movement]>> = BTreeMap::new();
    let mut transfers: BTreeMap<&str, i128> = BTreeMap::new();
    for passage in passages {
        let own = Waterfall::net(iter::once(passage.movements), month.window, known_at)
            .map_err(unbalanced)?;
        if own.start() == Mrr(0) && own.end() == Mrr(0) && own.flows().is_still() {
            continue;
        }
        let home = if own.start() == Mrr(0) {
            passage.after
        } else {
            passage.before
        };
        homes.entry(home).or_default().push(passage.movements);
        *transfers.entry(home).or_default() -= own.end().0;
        *transfers.entry(passage.after).or_default() += own.end().0;
    }
    let mut segments = BTreeMap::new();
    for (segment, transfer) in transfers {
        let accounts = homes.remove(segment).unwrap_or_default();
        let waterfall = Waterfall::net(accounts, month.window, known_at).map_err(unbalanced)?;
        let row = to_wire(month, &waterfall, Mrr(transfer))?;
        segments.insert(segment.to_owned(), row);
    }
    Ok(segments)
}
