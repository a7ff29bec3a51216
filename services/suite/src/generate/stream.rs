//! The records of many accounts, merged day by day.

use std::collections::BTreeMap;
use std::ops::Range;

use sextant_domain::time::{Day, Instant};
use sextant_proto::ingestion::v1::Record;

use crate::generate::Company;
use crate::generate::account::{Account, Presence};
use crate::generate::calendar::midnight;
use crate::generate::counts::Counts;
use crate::generate::delivery::Pending;
use crate::generate::usage::Action;

/// Records in the order of their delivery: those of one UTC day, by moment, before those of the next. A record is
/// delivered at its own time unless it is late or comes again.
///
/// Memory holds the accounts that are alive and one or two days of records, and those that are late.
#[derive(Debug)]
pub struct Records {
    company: Company,
    /// Accounts that have not begun yet.
    to_begin: Range<u32>,
    alive: Vec<Account>,
    /// Deliveries of days to come.
    ahead: BTreeMap<Day, Vec<Pending>>,
    /// The day that is being delivered, the last record first.
    today: Vec<Pending>,
    /// Emptied lists, to be filled again: freeing large blocks day by day costs more than keeping them.
    spare: Vec<Vec<Pending>>,
    /// Room for the actions of one account and day.
    actions: Vec<Action>,
    next_day: Day,
    now: Instant,
    /// The next day, in the accounts' own zones, to be drawn.
    next_local_day: Day,
    counts: Counts,
}

impl Records {
    pub(crate) fn new(company: Company, accounts: Range<u32>) -> Self {
        let opening = company.start().plus(-1);
        Self {
            company,
            to_begin: accounts,
            alive: Vec::new(),
            ahead: BTreeMap::new(),
            today: Vec::new(),
            spare: Vec::new(),
            actions: Vec::new(),
            next_day: opening,
            now: midnight(opening),
            next_local_day: opening,
            counts: Counts::default(),
        }
    }

    /// What has been delivered so far, to the unit.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The moment at which the latest record was delivered.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Goes on to the end and counts, without writing records out.
    pub(crate) fn count_all(mut self) -> Counts {
        while self.next_pending().is_some() {}
        self.counts
    }

    fn next_pending(&mut self) -> Option<Pending> {
        if self.today.is_empty() {
            self.begin_day();
        }
        let pending = self.today.pop()?;
        self.now = pending.at;
        self.counts.add(&pending);
        Some(pending)
    }

    /// Draws a day in the zone of each account: all that happens on it.
    fn draw_local_day(&mut self) {
        let day = self.next_local_day;
        let mut drawn = self.spare.pop().unwrap_or_default();
        while let Some(index) = self
            .to_begin
            .clone()
            .next()
            .filter(|&index| self.company.begins_on(index) <= day)
        {
            self.to_begin.start += 1;
            self.alive.push(self.company.account(index, &mut drawn));
        }
        let actions = &mut self.actions;
        self.alive
            .retain_mut(|account| account.live(day, actions, &mut drawn) == Presence::Present);
        for pending in drawn.drain(..) {
            let day = self.ahead.entry(pending.day());
            day.or_insert_with(|| self.spare.pop().unwrap_or_default())
                .push(pending);
        }
        self.spare.push(drawn);
        self.next_local_day = day.plus(1);
    }

    /// Prepares the next day that has deliveries. A zone is less than a day ahead of UTC: a UTC day is complete once the
    /// local day after it is drawn.
    fn begin_day(&mut self) {
        while self.today.is_empty() && self.next_day <= self.company.last_day() {
            while self.next_local_day <= self.next_day.plus(1) {
                self.draw_local_day();
            }
            let today = self.ahead.remove(&self.next_day).unwrap_or_default();
            self.spare.push(std::mem::replace(&mut self.today, today));
            self.today.sort_unstable_by_key(|pending| {
                std::cmp::Reverse((pending.at, pending.account, pending.sequence))
            });
            self.next_day = self.next_day.plus(1);
        }
    }
}

impl Iterator for Records {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        self.next_pending().map(Pending::into_record)
    }
}
