//! The close of a day: which days are due, the models of each, and the entries that tell of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use prost::Message;

use sextant_domain::feature::population::{self, Models, Refit};
use sextant_domain::feature::{Moment, Row};
use sextant_domain::id::{AccountUid, Slice};
use sextant_domain::time::{Day, Instant};
use sextant_proto::ingestion::v1::HistorySchedule;
use sextant_proto::scoring::v1 as pb;
use sextant_store::port::{EvaluationRow, ModelRow, ReplicaCommit, ScoringCommit, SliceState};
use sextant_wire::time;

use crate::state::{Account, TenantState};

/// Closes that are made in one go. Those of days that were not closed before are stored in one transaction.
pub(crate) const MAX_CLOSES_AT_ONCE: usize = 32;

/// A run of closes that is ready to be stored.
#[derive(Debug)]
pub(crate) struct Closes {
    /// One commit for each slice.
    pub(crate) commits: Vec<ScoringCommit>,
    /// The models of the closed days.
    pub(crate) models: BTreeMap<Day, Arc<Models>>,
    /// True: no day is left to be closed.
    pub(crate) complete: bool,
}

impl TenantState {
    /// Computes the next closes that are due at `now`, without changing the state: it changes once they are stored. `None`
    /// when nothing is due.
    pub(crate) fn next_closes(&self, now: Instant) -> Option<Closes> {
        if self.slices.values().any(|slice| slice.state.importing) {
            return None;
        }
        let pending = self
            .slices
            .values()
            .any(|slice| slice.state.pending_history.is_some());
        let days = self.due_days(now);
        if days.is_empty() && !pending {
            return None;
        }
        let complete = days.len() <= MAX_CLOSES_AT_ONCE;
        let mut models = BTreeMap::new();
        let newest_due = days.last().copied();
        for day in days.into_iter().take(MAX_CLOSES_AT_ONCE) {
            let refit = if Some(day) == newest_due && pending {
                Refit::Now
            } else {
                Refit::Quarterly
            };
            let closed = self.close(day, &models, refit);
            models.insert(day, Arc::new(closed));
        }
        let commits = self
            .slices
            .keys()
            .map(|slice| self.close_commit(*slice, &models, (complete, pending), now))
            .collect();
        Some(Closes {
            commits,
            models,
            complete,
        })
    }

    /// Takes over closes that have been stored.
    pub(crate) fn closed(&mut self, closes: Closes) {
        for commit in closes.commits {
            if let Some(progress) = self.slices.get_mut(&commit.replica.slice) {
                progress.state = SliceState {
                    version: progress.state.version,
                    ..commit.state
                };
            }
        }
        self.models.extend(closes.models);
    }

    /// The days to close, oldest first: from the day after the last close, or the first with a fact, up to the last day that
    /// has passed.
    pub(crate) fn due_days(&self, now: Instant) -> Vec<Day> {
        let zone = &self.settings.zone;
        let Some(first) = self
            .closed_on()
            .map(|closed| closed.plus(1))
            .or_else(|| self.first_day())
        else {
            return Vec::new();
        };
        let newest = zone.day_of(now).plus(-1);
        let schedule = self.schedule();
        (first.0..=newest.0)
            .map(Day)
            .filter(|day| is_on(schedule, *day, newest))
            .collect()
    }

    /// The moment of an entry that comes before the closes that are due: the end of the first of their days, so that no more is
    /// known than that close knows; `now` where none is due.
    pub(crate) fn before_due(&self, now: Instant) -> Instant {
        let end = |day: &Day| Moment::close(*day, &self.settings.zone).as_of;
        self.due_days(now).first().map_or(now, end)
    }

    /// The schedule of the history that is to be evaluated.
    pub(crate) fn schedule(&self) -> HistorySchedule {
        let states = self.slices.values().map(|slice| slice.state);
        let code = states.filter_map(|state| state.pending_history).next();
        code.and_then(|code| HistorySchedule::try_from(i32::from(code)).ok())
            .unwrap_or_default()
    }

    /// The first day with a fact.
    fn first_day(&self) -> Option<Day> {
        let zone = &self.settings.zone;
        let days = self.accounts.values();
        days.filter_map(|account| account.facts.first_day(zone))
            .min()
    }

    /// The models of a day's close, made from the accounts that existed then. `made` are those of closes just before it that are
    /// not stored yet.
    pub(crate) fn close(
        &self,
        day: Day,
        made: &BTreeMap<Day, Arc<Models>>,
        refit: Refit,
    ) -> Models {
        let last = made.values().next_back();
        let last = last.or_else(|| self.models_up_to(day.plus(-1)));
        let zone = &self.settings.zone;
        let moment = Moment::close(day, zone);
        let rows: Vec<(&Account, Row)> = self
            .accounts
            .values()
            .filter(|account| account.facts.exists_at(&moment))
            .map(|account| (account, account.facts.features(&moment, zone)))
            .collect();
        let accounts: Vec<population::Member<'_>> = rows
            .iter()
            .map(|(account, row)| (&*account.id, &account.facts, row))
            .collect();
        population::fit(
            &moment,
            zone,
            (self.settings.currency, self.settings.rfm_tie_policy),
            &accounts,
            last.map(Arc::as_ref),
            refit,
        )
    }

    fn close_commit(
        &self,
        slice: Slice,
        models: &BTreeMap<Day, Arc<Models>>,
        (complete, pending): (bool, bool),
        now: Instant,
    ) -> ScoringCommit {
        let progress = self.slices.get(&slice).copied().unwrap_or_default();
        let mut state = progress.state;
        let newest = models.keys().next_back().copied();
        let closed_before = state.closed_on;
        let behind = |day: &Day| closed_before.is_none_or(|closed| closed < *day);
        state.closed_on = state.closed_on.max(newest);
        let late = self.late_of_closes(slice, models, (complete, closed_before), state.closed_on);
        // Facts that it does not know are in no answer before the present is told.
        let backfilling =
            pending || !late.is_empty() || self.knows_more_than(slice, state.closed_on);
        let mut evaluations: Vec<EvaluationRow> = models
            .iter()
            .filter(|(day, _)| behind(day))
            .map(|(day, models)| {
                let end = Moment::close(*day, &self.settings.zone).as_of;
                self.evaluation(
                    progress.cursor,
                    end,
                    pb::Evaluation {
                        closed_on: Some(time::date(*day)),
                        all_accounts: true,
                        backfilling,
                        known_at: Some(time::timestamp(end)),
                        model_versions: models.versions(),
                        ..pb::Evaluation::default()
                    },
                )
            })
            .collect();
        state.closes_at = state
            .closed_on
            .map(|closed| self.settings.zone.start_of(closed.plus(2)));
        if complete {
            state.pending_history = None;
        }
        if complete || !late.is_empty() {
            let newest_models = models.values().next_back();
            let newest_models = newest_models.or_else(|| self.models_up_to(Day(i32::MAX)));
            let entry = pb::Evaluation {
                all_accounts: complete,
                backfilling: !complete,
                model_versions: newest_models.map_or_else(Vec::new, |models| models.versions()),
                ..pb::Evaluation::default()
            };
            let entry = self.with_late(&late, models, state.closed_on, entry);
            // More closes come after it: it is of the end of the first of their days, and knows as much.
            let next = state.closed_on.filter(|_| !complete);
            let end = |closed: Day| Moment::close(closed.plus(1), &self.settings.zone).as_of;
            evaluations.push(self.evaluation(progress.cursor, next.map_or(now, end), entry));
        }
        // The models are the tenant's, not a slice's: they are stored with the first slice.
        let stored_here = self.slices.keys().next() == Some(&slice);
        let models = models.iter().filter(|_| stored_here);
        let models = models.map(|(day, models)| self.model_row(*day, models));
        self.commit(slice, models.collect(), state, evaluations)
    }

    /// Models as they are stored.
    pub(crate) fn model_row(&self, day: Day, models: &Models) -> ModelRow {
        ModelRow {
            closed_on: day,
            known_at: Moment::close(day, &self.settings.zone).as_of,
            models: crate::models::encode(models),
        }
    }

    /// A commit of a slice that brings no new facts.
    pub(crate) fn commit(
        &self,
        slice: Slice,
        models: Vec<ModelRow>,
        state: SliceState,
        evaluations: Vec<EvaluationRow>,
    ) -> ScoringCommit {
        let cursor = self.cursor(slice);
        ScoringCommit {
            replica: ReplicaCommit {
                tenant: self.tenant,
                slice,
                expected_cursor: cursor,
                cursor,
                accounts: Vec::new(),
                facts: Vec::new(),
            },
            months: Vec::new(),
            models,
            state,
            evaluations,
        }
    }

    /// Accounts with facts that earlier ones of these closes did not know. What was about days closed before was told when it
    /// was taken in; what became known after the last of some closes belongs to the next ones.
    fn late_of_closes(
        &self,
        slice: Slice,
        closes: &BTreeMap<Day, Arc<Models>>,
        (complete, closed_before): (bool, Option<Day>),
        closed_on: Option<Day>,
    ) -> BTreeMap<AccountUid, Day> {
        let behind = |day: &&Day| closed_before.is_none_or(|closed| closed < **day);
        let (Some(first), Some(last)) = (closes.keys().find(behind), closes.keys().next_back())
        else {
            return BTreeMap::new();
        };
        let until = if complete {
            Day(i32::MAX)
        } else {
            last.plus(1)
        };
        self.learned_late(slice, (*first, until), closed_on)
    }

    /// True: of an account of a slice, something became known after the close of a day.
    fn knows_more_than(&self, slice: Slice, closed: Option<Day>) -> bool {
        let mut accounts = self.accounts.values();
        accounts.any(|account| account.slice == slice && account.known_on > closed)
    }

    /// A feed entry about `as_of`, with what every entry carries filled in.
    pub(crate) fn evaluation(
        &self,
        facts_sequence: u64,
        as_of: Instant,
        rest: pb::Evaluation,
    ) -> EvaluationRow {
        let entry = pb::Evaluation {
            facts_sequence,
            as_of: Some(time::timestamp(as_of)),
            known_at: rest.known_at.or_else(|| Some(time::timestamp(as_of))),
            watermark: self.watermark().map(time::timestamp),
            ..rest
        };
        EvaluationRow {
            payload: entry.encode_to_vec(),
        }
    }

    /// When the next day has to be closed, for a tenant on the real clock.
    pub(crate) fn next_due(&self, now: Instant) -> Option<Instant> {
        if self.settings.fixed_clock.is_some() || self.accounts.is_empty() || self.is_backfilling()
        {
            return None;
        }
        let zone = &self.settings.zone;
        let open_day = self
            .closed_on()
            .map_or_else(|| zone.day_of(now), |closed| closed.plus(1));
        Some(zone.start_of(open_day.plus(1)))
    }
}

/// True for a day that a schedule closes, where `newest` is the last day that has passed.
pub(crate) fn is_on(schedule: HistorySchedule, day: Day, newest: Day) -> bool {
    match schedule {
        HistorySchedule::Unspecified | HistorySchedule::Daily => true,
        HistorySchedule::Monthly => day == newest || day.plus(1).month() != day.month(),
        HistorySchedule::Latest => day == newest,
    }
}
