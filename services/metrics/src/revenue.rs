//! Revenue at a moment, in total and by segment.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use sextant_domain::mrr::Mrr;
use sextant_proto::metrics::v1 as pb;
use sextant_wire::status::Problem;

use crate::figures;
use crate::state::{Breakdown, Moment, TenantState};

/// Revenue of a group of accounts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Revenue {
    pub(crate) mrr: Mrr,
    pub(crate) n_paying: u64,
}

impl Revenue {
    fn add(&mut self, mrr: Mrr) {
        self.mrr.0 += mrr.0;
        self.n_paying += u64::from(mrr > Mrr::ZERO);
    }

    fn to_wire(self, segment: &str) -> Result<pb::Revenue, Problem> {
        Ok(pb::Revenue {
            segment: segment.to_owned(),
            mrr_minor: figures::minor(self.mrr)?,
            mrr_exact: figures::exact(self.mrr)?,
            paying_accounts: self.n_paying,
            arpa_minor: figures::per_account_minor(self.mrr, self.n_paying)?,
        })
    }
}

/// Sums accounts, given by segment (empty: in none) and revenue: in total, and by segment in descending order of revenue,
/// then by key. A segment counts as soon as an account is in it; those in none only if one of them pays.
pub(crate) fn sums<'a>(
    accounts: impl IntoIterator<Item = (&'a str, Mrr)>,
) -> (Revenue, Vec<(&'a str, Revenue)>) {
    let mut total = Revenue::default();
    let mut groups: BTreeMap<&str, Revenue> = BTreeMap::new();
    for (segment, mrr) in accounts {
        total.add(mrr);
        groups.entry(segment).or_default().add(mrr);
    }
    groups.retain(|segment, revenue| !segment.is_empty() || revenue.n_paying > 0);
    let mut segments: Vec<_> = groups.into_iter().collect();
    segments.sort_by_key(|(segment, revenue)| (Reverse(revenue.mrr), *segment));
    (total, segments)
}

/// Revenue of a tenant.
pub(crate) fn revenue(
    state: &TenantState,
    breakdown: &Breakdown,
    moment: Moment,
) -> Result<(pb::Revenue, Vec<pb::Revenue>), Problem> {
    let accounts = state
        .by_segment(breakdown, moment)
        .map(|(segment, account)| {
            let billing = account.billing(&state.settings);
            (
                segment,
                billing.map_or(Mrr::ZERO, |billing| {
                    billing.mrr_at(moment.as_of, moment.known_at)
                }),
            )
        });
    let (total, segments) = sums(accounts);
    let segments = match breakdown {
        Breakdown::Total => Vec::new(),
        Breakdown::BySegment(_) => segments,
    };
    let segments: Result<Vec<_>, _> = segments
        .into_iter()
        .map(|(segment, revenue)| revenue.to_wire(segment))
        .collect();
    Ok((total.to_wire("")?, segments?))
}

#[cfg(test)]
mod tests;
