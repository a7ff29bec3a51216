//! Closes that are made again, because history came that claims to have been known when they were made.
//!
//! All of them are stored at once, with the first of the slices, so nobody sees models of which some know the history and some do
//! not. A process that dies on the way begins again; one that dies between the commits of two slices leaves the slice that brought
//! the oldest history to the end, and the next process makes the same closes again.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use sextant_domain::feature::population::{Models, Refit};
use sextant_domain::id::{AccountUid, Slice};
use sextant_domain::time::{Day, Instant};
use sextant_proto::scoring::v1 as pb;
use sextant_store::port::{EvaluationRow, SliceState};

use crate::close::{Closes, MAX_CLOSES_AT_ONCE, is_on};
use crate::state::TenantState;

/// Accounts of one entry of the feed: whoever follows evaluates them together over all closes that were made again, and stores
/// what comes of it at once.
const MAX_LATE_ACCOUNTS: usize = 1_024;

/// Closes that were made again and are not stored yet.
pub(crate) type Restated = BTreeMap<Day, Arc<Models>>;

impl TenantState {
    /// The first day whose close has to be made again now: not while an import is open.
    fn restated_from(&self) -> Option<Day> {
        let states = || self.slices.values().map(|slice| slice.state);
        if states().any(|state| state.importing) {
            return None;
        }
        states().filter_map(|state| state.restated_from).min()
    }

    /// Makes more closes again, at most so many as are made in one go: those that there were, and those that the import asks for.
    /// False: none was left.
    pub(crate) fn restate(&self, now: Instant, made: &mut Restated) -> bool {
        let states = self.slices.values().map(|slice| slice.state);
        let closed_on = states.filter_map(|state| state.closed_on).max();
        let (Some(from), Some(closed_on)) = (self.restated_from(), closed_on) else {
            return false;
        };
        let next = made.keys().next_back().map_or(from, |last| last.plus(1));
        let newest = self.settings.zone.day_of(now).plus(-1);
        let schedule = self.schedule();
        let days = (next.0..=closed_on.0).map(Day);
        let days =
            days.filter(|day| self.models.contains_key(day) || is_on(schedule, *day, newest));
        let mut any = false;
        for day in days.take(MAX_CLOSES_AT_ONCE) {
            // As where it is closed for the first time: somebody waits for the newest day.
            let refit = if day == newest {
                Refit::Now
            } else {
                Refit::Quarterly
            };
            let models = self.close(day, made, refit);
            made.insert(day, Arc::new(models));
            any = true;
        }
        any
    }

    /// What has to be stored of closes that were made again. Whoever follows is told that all accounts are late since the first
    /// of them: what other accounts did changes the models of all.
    pub(crate) fn restated(&self, made: Restated, now: Instant) -> Option<Closes> {
        let from = self.restated_from()?;
        let mut slices: Vec<(Slice, SliceState)> = self
            .slices
            .iter()
            .map(|(slice, progress)| (*slice, progress.state))
            .collect();
        // As long as one slice is not told, it is known from which day on.
        slices.sort_by_key(|(slice, state)| (state.restated_from.map(Reverse), *slice));
        let rows = made
            .iter()
            .map(|(day, models)| self.model_row(*day, models));
        let mut rows = rows.collect();
        // Days that are due are closed next, and the present comes after them.
        let complete = self.due_days(now).is_empty();
        let told_at = self.before_due(now);
        let commits = slices.into_iter().map(|(slice, mut state)| {
            let mut evaluations = self.tell_restated(slice, &state, (from, &made), told_at);
            state.restated_from = None;
            if complete {
                state.pending_history = None;
                let present = pb::Evaluation {
                    all_accounts: true,
                    model_versions: newest_versions(&made),
                    ..pb::Evaluation::default()
                };
                evaluations.push(self.evaluation(self.cursor(slice), now, present));
            }
            self.commit(slice, std::mem::take(&mut rows), state, evaluations)
        });
        Some(Closes {
            commits: commits.collect(),
            models: made,
            complete,
        })
    }

    fn tell_restated(
        &self,
        slice: Slice,
        state: &SliceState,
        (from, made): (Day, &Restated),
        told_at: Instant,
    ) -> Vec<EvaluationRow> {
        let accounts = self.accounts.iter();
        let uids: Vec<AccountUid> = accounts
            .filter(|(_, account)| account.slice == slice)
            .map(|(uid, _)| *uid)
            .collect();
        let versions = newest_versions(made);
        let tell = |restated: bool, late: &[(AccountUid, Day)]| {
            let late = late.iter().copied().collect();
            let entry = pb::Evaluation {
                backfilling: true,
                restated,
                model_versions: versions.clone(),
                ..pb::Evaluation::default()
            };
            let entry = self.with_late(&late, made, state.closed_on, entry);
            self.evaluation(self.cursor(slice), told_at, entry)
        };
        let all: Vec<_> = uids.into_iter().map(|uid| (uid, from)).collect();
        // What became known after those closes is found out again as well.
        let late = self.learned_late(slice, (from, Day(i32::MAX)), state.closed_on);
        let late: Vec<_> = late.into_iter().collect();
        let again = all.chunks(MAX_LATE_ACCOUNTS).map(|some| tell(true, some));
        let behind = late.chunks(MAX_LATE_ACCOUNTS).map(|some| tell(false, some));
        again.chain(behind).collect()
    }
}

fn newest_versions(made: &Restated) -> Vec<String> {
    let newest = made.values().next_back();
    newest.map_or_else(Vec::new, |models| models.versions())
}
