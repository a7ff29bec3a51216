//! Taking entries of ingestion's feed into a tenant's state, and noting what has to be stored.

use std::collections::{BTreeMap, BTreeSet};

use sextant_domain::fact::FactKind;
use sextant_domain::history::Occurrence;
use sextant_domain::id::{AccountUid, ExternalId, Slice};
use sextant_domain::time::{Day, Instant};
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1 as ingestion;
use sextant_proto::ingestion::v1::record::Fact;
use sextant_store::port::{AccountFactRow, MonthRow, ReplicaAccount, ReplicaCommit};
use sextant_wire::record;
use sextant_wire::status::Problem;
use sextant_wire::time::{optional, required};

use crate::state::{Account, TenantState};

/// What entries changed.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    accounts: BTreeSet<AccountUid>,
    named: BTreeSet<AccountUid>,
    months: BTreeSet<(AccountUid, i32)>,
    facts: Vec<AccountFactRow>,
    rebuild: BTreeSet<AccountUid>,
    /// Day of the earliest fact of an account about a day that was closed already.
    late: BTreeMap<AccountUid, Day>,
}

/// A stored fact with its times, as read from the feed.
struct Dated<'a> {
    uid: AccountUid,
    at: Instant,
    known_at: Instant,
    sequence: u64,
    stored: &'a ingestion::StoredFact,
}

impl TenantState {
    /// Takes one entry of a slice in.
    pub(crate) fn take_in(
        &mut self,
        slice: Slice,
        entry: &ingestion::FeedEntry,
        changes: &mut Changes,
    ) -> Result<(), Problem> {
        for (ordinal, stored) in entry.facts.iter().enumerate() {
            self.note_clock(slice, stored)?;
            if stored.account_uid.is_empty() {
                continue;
            }
            let dated = Dated {
                uid: AccountUid(sextant_wire::read::uuid(
                    &stored.account_uid,
                    "account_uid",
                )?),
                at: required(stored.occurred_at.as_ref(), "occurred_at")?,
                known_at: self.known_at(slice, stored)?,
                sequence: entry.sequence,
                stored,
            };
            if let Some(kind) = self.take_in_fact(slice, &dated, changes)? {
                changes.facts.push(AccountFactRow {
                    uid: dated.uid,
                    sequence: entry.sequence,
                    ordinal: u32::try_from(ordinal).unwrap_or(u32::MAX),
                    kind,
                    occurred_at: dated.at,
                    known_at: dated.known_at,
                    record: stored.record.to_vec(),
                });
            }
        }
        let progress = self.slices.entry(slice).or_default();
        if let Some(mark) = &entry.import {
            progress.state.importing = !mark.completed;
            if mark.completed {
                progress.state.pending_history = Some(u8::try_from(mark.history).unwrap_or(0));
            }
        }
        if let Some(clock) = optional(entry.clock.as_ref(), "clock")? {
            // Who moved the clock waits for the closes on the way, as after an import.
            let daily = i32::from(ingestion::HistorySchedule::Daily);
            let daily = u8::try_from(daily).unwrap_or(0);
            progress.state.pending_history.get_or_insert(daily);
            // Another slice may be ahead of this one.
            self.settings.fixed_clock = self.settings.fixed_clock.max(Some(clock));
            self.reach_clock(slice, Some(clock));
        }
        self.slices.entry(slice).or_default().cursor = entry.sequence;
        Ok(())
    }

    /// When a fact became known. What the close of a day was made without was not known on that day, however close to midnight it
    /// was delivered.
    fn known_at(&self, slice: Slice, stored: &ingestion::StoredFact) -> Result<Instant, Problem> {
        let known_at = required(stored.known_at.as_ref(), "known_at")?;
        let closed_on = self.slices.get(&slice).and_then(|of| of.state.closed_on);
        Ok(match closed_on.filter(|_| !stored.historical) {
            Some(closed_on) => known_at.max(self.settings.zone.start_of(closed_on.plus(1))),
            None => known_at,
        })
    }

    /// Returns the kind of a fact that has to be kept; events live on in the roll-up.
    fn take_in_fact(
        &mut self,
        slice: Slice,
        dated: &Dated<'_>,
        changes: &mut Changes,
    ) -> Result<Option<FactKind>, Problem> {
        // What is still ahead is in no answer yet.
        if dated.at <= dated.known_at {
            let watermark = &mut self.slices.entry(slice).or_default().state.watermark;
            *watermark = (*watermark).max(Some(dated.at));
        }
        let record = record::decode(&dated.stored.record)?;
        let Some(fact) = record.fact else {
            return Err(Problem::new(
                ErrorReason::Internal,
                "stored record holds no fact",
            ));
        };
        changes.accounts.insert(dated.uid);
        if let Fact::Event(event) = &fact {
            self.add_event(slice, dated, event, changes);
            self.note_closed(slice, dated, changes);
            return Ok(None);
        }
        let times = (dated.at, dated.known_at, dated.sequence);
        let kind = self.add_fact(slice, dated.uid, times, &fact)?;
        match kind {
            Some(FactKind::Account) => drop(changes.named.insert(dated.uid)),
            Some(FactKind::Subscription) => drop(changes.rebuild.insert(dated.uid)),
            _ => {},
        }
        if kind.is_some() {
            self.note_closed(slice, dated, changes);
        }
        Ok(kind)
    }

    /// Notes a fact about a day that was closed without it. History of an import that claims to have been known when such a
    /// day was closed changes even that: the close is made again once the import is complete, and told then.
    fn note_closed(&mut self, slice: Slice, dated: &Dated<'_>, changes: &mut Changes) {
        let zone = &self.settings.zone;
        let (day, known) = (zone.day_of(dated.at), zone.day_of(dated.known_at));
        let state = &mut self.slices.entry(slice).or_default().state;
        let Some(closed_on) = state.closed_on.filter(|closed_on| day <= *closed_on) else {
            return;
        };
        let touched = day.max(known);
        if state.importing && touched <= closed_on {
            let from = state.restated_from.get_or_insert(touched);
            *from = touched.min(*from);
            if touched == day {
                return;
            }
        }
        let since = changes.late.entry(dated.uid).or_insert(day);
        *since = day.min(*since);
    }

    fn add_event(
        &mut self,
        slice: Slice,
        dated: &Dated<'_>,
        event: &ingestion::EventFact,
        changes: &mut Changes,
    ) {
        let (day, known) = (
            self.settings.zone.day_of(dated.at),
            self.settings.zone.day_of(dated.known_at),
        );
        let (user, product_feature) = record::event(event);
        let account = self
            .accounts
            .entry(dated.uid)
            .or_insert_with(|| Account::new(slice));
        account.known_on = account.known_on.max(Some(known));
        let n_days = account.facts.history.n_days();
        let month = account.facts.history.add(&Occurrence {
            day,
            known,
            user,
            product_feature,
            ahead: (dated.at > dated.known_at).then_some(dated.at),
        });
        self.n_facts += account.facts.history.n_days() - n_days;
        changes.months.insert((dated.uid, month));
    }

    /// Adds a fact other than an event; returns its kind if scoring keeps it.
    pub(crate) fn add_fact(
        &mut self,
        slice: Slice,
        uid: AccountUid,
        (at, known_at, sequence): (Instant, Instant, u64),
        fact: &Fact,
    ) -> Result<Option<FactKind>, Problem> {
        let base = self.settings.currency;
        let account = self
            .accounts
            .entry(uid)
            .or_insert_with(|| Account::new(slice));
        let known_on = self.settings.zone.day_of(known_at);
        account.known_on = account.known_on.max(Some(known_on));
        let kind = match fact {
            Fact::Account(fact) => {
                account
                    .facts
                    .profile
                    .add(record::account_profile(fact, at, known_at));
                // One that is named otherwise was named by its own id when it became known.
                if account.id.is_empty() && !fact.account_id.is_empty() {
                    account.id = fact.account_id.as_str().into();
                    account.named_in = sequence;
                    self.uids.insert(account.id.clone(), uid);
                }
                if !fact.name.is_empty() {
                    account.call(&fact.name, (at, known_at));
                }
                Some(FactKind::Account)
            },
            Fact::Subscription(fact) => {
                account.subscribe(record::subscription_version(fact, at, known_at, base)?);
                Some(FactKind::Subscription)
            },
            Fact::Payment(fact) => {
                account
                    .facts
                    .purchases
                    .add(record::payment(fact, at, known_at, base)?);
                Some(FactKind::Payment)
            },
            _ => None,
        };
        self.n_facts += usize::from(kind.is_some());
        Ok(kind)
    }

    /// Finishes what several facts of one account need once, such as its billing history.
    pub(crate) fn finish(&mut self, changes: &mut Changes) {
        for uid in std::mem::take(&mut changes.rebuild) {
            if let Some(account) = self.accounts.get_mut(&uid) {
                account.rebuild_billing(&self.settings.zone);
            }
        }
    }

    /// What has to be stored of a slice.
    pub(crate) fn replica_commit(
        &self,
        slice: Slice,
        expected_cursor: u64,
        changes: &mut Changes,
    ) -> (ReplicaCommit, Vec<MonthRow>) {
        let accounts = changes.named.iter().filter_map(|uid| {
            let account = self.accounts.get(uid)?;
            let id = ExternalId::parse(&account.id).ok()?;
            Some(ReplicaAccount {
                uid: *uid,
                id,
                name: account.name.to_string(),
            })
        });
        let months = changes.months.iter().filter_map(|(uid, month)| {
            let cells = self.accounts.get(uid)?.facts.history.encode_month(*month);
            Some(MonthRow {
                uid: *uid,
                month: *month,
                cells,
            })
        });
        let commit = ReplicaCommit {
            tenant: self.tenant,
            slice,
            expected_cursor,
            cursor: self
                .slices
                .get(&slice)
                .map_or(expected_cursor, |progress| progress.cursor),
            accounts: accounts.collect(),
            facts: std::mem::take(&mut changes.facts),
        };
        (commit, months.collect())
    }
}

impl Changes {
    /// Accounts with new facts.
    pub(crate) fn accounts(&self) -> &BTreeSet<AccountUid> {
        &self.accounts
    }

    /// Accounts with new facts about days that were closed already, with the earliest such day.
    pub(crate) fn late(&self) -> &BTreeMap<AccountUid, Day> {
        &self.late
    }
}
