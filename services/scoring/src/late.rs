//! What past closes did not know: facts that came after the close of their day, and the closes that they touch.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sextant_domain::feature::population::Models;
use sextant_domain::id::{AccountUid, Slice};
use sextant_domain::time::Day;
use sextant_proto::scoring::v1 as pb;
use sextant_wire::read::uid_bytes;
use sextant_wire::time;

use crate::state::TenantState;

impl TenantState {
    /// `entry`, which also tells of accounts with late facts, given with the day of the earliest one. `closing` are closes that
    /// are stored with the entry; those up to `closed_on` count.
    pub(crate) fn with_late(
        &self,
        late: &BTreeMap<AccountUid, Day>,
        closing: &BTreeMap<Day, Arc<Models>>,
        closed_on: Option<Day>,
        entry: pb::Evaluation,
    ) -> pb::Evaluation {
        let (Some(first), Some(closed_on)) = (late.values().min(), closed_on) else {
            return entry;
        };
        let closes = self.models.keys().chain(closing.keys());
        let closes: BTreeSet<Day> = closes.filter(|day| **day <= closed_on).copied().collect();
        let before = closes.range(..first).next_back();
        let late = late.iter().map(|(uid, since)| pb::LateAccount {
            account_uid: uid_bytes(*uid),
            since: Some(time::date(*since)),
        });
        pb::Evaluation {
            late: late.collect(),
            late_closes: before
                .into_iter()
                .chain(closes.range(first..))
                .map(|day| time::date(*day))
                .collect(),
            ..entry
        }
    }

    /// Accounts of a slice with facts that became known after the close of their day: on a day later than `after` and up to
    /// `until`. Without those about days after `closed_on`.
    pub(crate) fn learned_late(
        &self,
        slice: Slice,
        (after, until): (Day, Day),
        closed_on: Option<Day>,
    ) -> BTreeMap<AccountUid, Day> {
        let zone = &self.settings.zone;
        let accounts = self.accounts.iter().filter(|(_, account)| {
            account.slice == slice && account.known_on.is_some_and(|known_on| known_on > after)
        });
        accounts
            .filter_map(|(uid, account)| {
                let day = account.facts.first_late_day((after, until), zone)?;
                Some((*uid, day)).filter(|_| Some(day) <= closed_on)
            })
            .collect()
    }
}
