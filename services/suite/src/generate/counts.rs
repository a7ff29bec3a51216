//! What a stream of records holds, to the unit.

use sextant_proto::ingestion::v1::record::Fact;

use crate::generate::delivery::{Content, Pending};
use crate::generate::dirt::{Breakage, Flaw};

/// Numbers of records. The first eight add up to all records: by kind of fact, flawed ones included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// States of accounts.
    pub accounts: u64,
    /// States of users.
    pub users: u64,
    /// Users who join or leave an account.
    pub account_users: u64,
    /// Events.
    pub events: u64,
    /// States of subscriptions.
    pub subscriptions: u64,
    /// States of invoices.
    pub invoices: u64,
    /// States of payments.
    pub payments: u64,
    /// Records that carry no fact, all of them among the malformed.
    pub without_fact: u64,
    /// Second deliveries with the same identity and content, of any kind.
    pub duplicates: u64,
    /// Second deliveries of an event with the same identity and another content.
    pub conflicts: u64,
    /// Events delivered more than an hour after they happened.
    pub late: u64,
    /// Those of the late ones that came more than 7 days after.
    pub late_over_a_week: u64,
    /// Events whose clock is ahead of the end by less than 24 hours: accepted, and not due yet.
    pub future_within_a_day: u64,
    /// Events whose clock is ahead of the end by more than 24 hours: refused.
    pub future_beyond_a_day: u64,
    /// Events that are broken: refused.
    pub malformed: u64,
    /// Events of accounts that never appear: held.
    pub unknown_account: u64,
}

impl Counts {
    /// All records.
    #[must_use]
    pub fn records(&self) -> u64 {
        let states = self.accounts + self.users + self.account_users;
        let money = self.subscriptions + self.invoices + self.payments;
        states + money + self.events + self.without_fact
    }

    /// Records that a receiver whose clock stands at the end refuses.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.malformed + self.future_beyond_a_day
    }

    /// Records that a receiver stores at once: all but the repeated, refused and held ones.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.records() - self.duplicates - self.conflicts - self.rejected() - self.unknown_account
    }

    pub(crate) fn add(&mut self, pending: &Pending) {
        let kind = match (&pending.content, pending.flaw) {
            (_, Flaw::Malformed(Breakage::NoFact)) => &mut self.without_fact,
            (Content::Event(_), _) => &mut self.events,
            (Content::State(fact), _) => match **fact {
                Fact::Account(_) => &mut self.accounts,
                Fact::User(_) => &mut self.users,
                Fact::AccountUser(_) => &mut self.account_users,
                Fact::Event(_) => &mut self.events,
                Fact::Subscription(_) => &mut self.subscriptions,
                Fact::Invoice(_) => &mut self.invoices,
                Fact::Payment(_) => &mut self.payments,
                // A company makes no others.
                _ => return,
            },
        };
        *kind += 1;
        match pending.flaw {
            Flaw::None => {},
            Flaw::Duplicate => self.duplicates += 1,
            Flaw::Conflict => self.conflicts += 1,
            Flaw::Late => self.late += 1,
            Flaw::VeryLate => {
                self.late += 1;
                self.late_over_a_week += 1;
            },
            Flaw::FutureWithinDay => self.future_within_a_day += 1,
            Flaw::FutureBeyondDay => self.future_beyond_a_day += 1,
            Flaw::Malformed(_) => self.malformed += 1,
            Flaw::UnknownAccount(_) => self.unknown_account += 1,
        }
    }
}
