//! One account on its way through time: each day it says what the systems around it report.

use std::collections::BTreeMap;

use sextant_domain::time::{Day, Instant, Zone};
use sextant_proto::ingestion::v1::record::Fact;
use sextant_proto::ingestion::v1::{
    AccountFact, AccountUserFact, AccountUserRole, InvoiceStatus, UserFact, Value, value::Kind,
};

use crate::generate::billing::{Contract, Facts};
use crate::generate::calendar::{midnight, timestamp};
use crate::generate::delivery::{Content, Pending};
use crate::generate::dirt::{Flaw, spoil};
use crate::generate::draw::{Draw, Purpose};
use crate::generate::life::{Cause, Life, Month, Outcome, Payment, Plan, Spell};
use crate::generate::profile::{COUNTRIES, Currency, Interval, Profile, Tier};
use crate::generate::usage::{Action, Habits};
use crate::generate::{Dirt, names, usage};

/// How far usage falls by the last day of an account that shows its leaving.
const DIP_DEPTH: f64 = 2.0;

/// What every account of a company shares.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    pub(crate) seed: u64,
    pub(crate) dirt: Dirt,
    /// First day of events. The day before it, the books open.
    pub(crate) start: Day,
    /// Nothing is delivered from this moment on.
    pub(crate) end: Instant,
}

impl Frame {
    /// The moment at which all that exists already is stated, and before which nothing is.
    fn opening(&self) -> Instant {
        midnight(self.start.plus(-1))
    }
}

/// Whether an account may report more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    Present,
    Gone,
}

/// Where an account stands on a day: who uses the product, and how much.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    pub(crate) seats: u32,
    pub(crate) usage: f64,
    /// Nothing happens before this moment.
    pub(crate) since: Instant,
    /// One session of one user, then silence.
    pub(crate) once: bool,
}

/// An account, its past drawn up to the end, its reports made day by day.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) index: u32,
    id: String,
    profile: Profile,
    life: Life,
    joined_on: Day,
    zone: Zone,
    currency: Currency,
    hour_us: i64,
    habits: Habits,
    appearance: Draw,
    dirt: Draw,
    frame: Frame,
    sequence: u32,
    /// Users now in the account, and users that ever were.
    users: u32,
    known_users: u32,
    /// Position in the life: index of the contract, and of its next month.
    spell: usize,
    next_month: usize,
}

/// The tenant's id of an account.
pub(crate) fn account_id(index: u32) -> String {
    format!("acc-{index:06}")
}

/// The tenant's id of a user, by its place in the account.
pub(crate) fn user_id(account: u32, place: u32) -> String {
    format!("user-{account:06}-{}", place + 1)
}

impl Account {
    pub(crate) fn new(
        index: u32,
        (profile, life): (Profile, Life),
        joined_on: Day,
        zone: Zone,
        frame: Frame,
    ) -> Self {
        let mut appearance = Draw::new(frame.seed, index, Purpose::Appearance);
        let hour_us = i64::from(7 * 3_600 + appearance.below(12 * 3_600)) * 1_000_000;
        let currency = match frame.dirt {
            Dirt::Clean => Currency::Usd,
            Dirt::Realistic => COUNTRIES[profile.country].currency,
        };
        Self {
            index,
            id: account_id(index),
            habits: Habits::new(
                profile.need,
                profile.intensity,
                Draw::new(frame.seed, index, Purpose::Usage),
            ),
            profile,
            life,
            joined_on,
            zone,
            currency,
            hour_us,
            appearance,
            dirt: Draw::new(frame.seed, index, Purpose::Dirt),
            frame,
            sequence: 0,
            users: 0,
            known_users: 0,
            spell: 0,
            next_month: 0,
        }
    }

    /// States all that holds when the books open, for an account that was there before.
    pub(crate) fn open_books(&mut self, out: &mut Vec<Pending>) {
        let day = self.frame.start;
        let before = day.plus(-1);
        let Some(spell) = self.life.spells.first() else {
            return;
        };
        let Some(position) = spell
            .months
            .iter()
            .position(|month| month.starts_on <= before && before < month.ends_on)
        else {
            return;
        };
        let month = spell.months[position];
        let contract = self.contract(spell);
        let state = Fact::Subscription(contract.state(&month, day));
        let rest = contract.month(&month);
        let opening = self.frame.opening();
        self.next_month = position + 1;
        self.introduce(Some(&month), opening, out);
        self.staff(month.plan_on(before).seats, opening, out);
        self.report(state, opening, out);
        let begins = midnight(day);
        let billed = rest
            .iter()
            .rfind(|(at, fact)| *at < begins && matches!(fact, Fact::Invoice(_)));
        if let Some((_, Fact::Invoice(invoice))) = billed
            && invoice.status() == InvoiceStatus::Open
        {
            self.report(Fact::Invoice(invoice.clone()), opening, out);
        }
        for (at, fact) in rest {
            if at >= begins {
                self.report(fact, at, out);
            }
        }
        if let Some(change) = month.change.filter(|change| change.on >= day) {
            let at = self.at(change.on);
            self.staff(change.plan.seats, at, out);
        }
    }

    /// Reports a calendar day of the account's own zone. `actions` is room to work in.
    pub(crate) fn live(
        &mut self,
        day: Day,
        actions: &mut Vec<Action>,
        out: &mut Vec<Pending>,
    ) -> Presence {
        self.report_changes(day, out);
        let Some(spell) = self.life.spells.get(self.spell) else {
            return Presence::Gone;
        };
        let standing = self.standing(spell, day);
        if let Some(standing) = standing {
            let midnight = self.zone.start_of(day);
            self.habits.act(day, midnight, &standing, actions);
            for action in actions.drain(..) {
                self.deliver(Content::Event(action), action.at, out);
            }
        }
        self.leave_spell(day)
    }

    /// Moves on to the next contract once the present one is over.
    fn leave_spell(&mut self, day: Day) -> Presence {
        let Some(spell) = self.life.spells.get(self.spell) else {
            return Presence::Gone;
        };
        let over_on = match (spell.end, spell.trial) {
            (Some(end), _) => end.on,
            (None, Some(trial)) if trial.outcome != Outcome::Converted => trial.ends_on,
            (None, _) => return Presence::Present,
        };
        if day >= over_on {
            self.spell += 1;
            self.next_month = 0;
        }
        if self.spell < self.life.spells.len() {
            Presence::Present
        } else {
            Presence::Gone
        }
    }

    /// Reports what begins on a day: the account itself, a trial, a contract, a month.
    fn report_changes(&mut self, day: Day, out: &mut Vec<Pending>) {
        let Some(spell) = self.life.spells.get(self.spell) else {
            return;
        };
        let month = spell
            .months
            .get(self.next_month)
            .copied()
            .filter(|month| month.starts_on == day);
        let trial = spell.trial.filter(|trial| trial.starts_on == day);
        let contract = self.contract(spell);
        let first_plan = spell
            .months
            .first()
            .map_or_else(|| self.tried_plan(day), |first| first.plan);
        let mut facts = Facts::new();
        if trial.is_some() {
            facts = contract.trial(&first_plan);
        }
        if let Some(month) = month {
            facts.extend(contract.month(&month));
        }
        let renewal =
            month.filter(|month| self.profile.interval == Interval::Year && contract.bills(month));
        let renews_on = renewal.map(|month| contract.term_end(&month));
        let ends_on = spell
            .end
            .map(|end| end.on)
            .filter(|&on| month.is_some_and(|month| month.ends_on == on));
        let at = self.at(day);
        let begins = spell.starts_on() == Some(day);
        if begins && self.spell == 0 {
            self.introduce(month.as_ref(), at, out);
            self.set_up(day, out);
        } else if let Some(renews_on) = renews_on {
            self.renew(renews_on, at, out);
        }
        if begins {
            self.staff(first_plan.seats, at, out);
        }
        for (at, fact) in facts {
            self.report(fact, at, out);
        }
        let Some(month) = month else { return };
        self.next_month += 1;
        if let Some(change) = month.change {
            self.staff(change.plan.seats, self.at(change.on), out);
        }
        if let Some(ends_on) = ends_on.filter(|_| self.profile.interval == Interval::Year) {
            let cleared_traits = vec!["renewal_at".to_owned()];
            let fact = AccountFact {
                account_id: self.id.clone(),
                cleared_traits,
                ..AccountFact::default()
            };
            self.report(Fact::Account(fact), self.at(ends_on), out);
        }
    }

    fn tried_plan(&self, day: Day) -> Plan {
        Plan {
            seats: self.profile.seats,
            upgrades: 0,
            downgrades: 0,
            priced_on: day,
        }
    }

    /// Who uses the product on a day; `None` when nobody may.
    fn standing(&self, spell: &Spell, day: Day) -> Option<Standing> {
        let since = self.at(spell.starts_on()?).max(midnight(self.frame.start));
        if let Some(trial) = spell.trial
            && trial.starts_on <= day
            && day < trial.ends_on
        {
            let once = trial.outcome == Outcome::OneAndDone;
            if once && day != trial.starts_on {
                return None;
            }
            return Some(Standing {
                seats: self.profile.seats,
                usage: trial.usage,
                since,
                once,
            });
        }
        let month = spell.months.get(self.next_month.checked_sub(1)?)?;
        if month.payment == Payment::Paused || day >= month.ends_on {
            return None;
        }
        let fall = spell.end.map_or(0.0, |end| match end.cause {
            Cause::Voluntary {
                dips_from: Some(from),
                ..
            } if from <= day => {
                DIP_DEPTH * f64::from(from.days_until(day))
                    / f64::from(from.days_until(end.on).max(1))
            },
            Cause::Voluntary { .. } | Cause::Involuntary => 0.0,
        });
        Some(Standing {
            seats: month.plan_on(day).seats,
            usage: month.usage - fall,
            since,
            once: false,
        })
    }

    /// States who the account is.
    fn introduce(&mut self, month: Option<&Month>, at: Instant, out: &mut Vec<Pending>) {
        let country = &COUNTRIES[self.profile.country];
        let mut traits = BTreeMap::from([
            text("industry", names::industry(&mut self.appearance)),
            (
                "employee_count".to_owned(),
                Value {
                    kind: Some(Kind::Integer(i64::from(self.profile.employees))),
                },
            ),
            text("country", country.code),
            text("timezone", country.zone),
        ]);
        if let (Some(month), Some(spell), Interval::Year) =
            (month, self.life.spells.first(), self.profile.interval)
        {
            let contract = self.contract(spell);
            traits.extend([moment("renewal_at", contract.at(contract.term_end(month)))]);
        }
        let owner_id = match self.profile.tier {
            Tier::SelfServe => "csm-pool",
            Tier::Smb | Tier::Mid | Tier::Enterprise => names::owner(&mut self.appearance),
        };
        let fact = AccountFact {
            account_id: self.id.clone(),
            name: names::account(&mut self.appearance),
            created_at: Some(timestamp(self.at(self.joined_on))),
            owner_id: owner_id.to_owned(),
            traits,
            ..AccountFact::default()
        };
        self.report(Fact::Account(fact), at, out);
    }

    fn renew(&mut self, renews_on: Day, at: Instant, out: &mut Vec<Pending>) {
        let traits = BTreeMap::from([moment("renewal_at", self.at(renews_on))]);
        let fact = AccountFact {
            account_id: self.id.clone(),
            traits,
            ..AccountFact::default()
        };
        self.report(Fact::Account(fact), at, out);
    }

    /// Lets users join or leave until there is one for each seat; those who left come back first.
    fn staff(&mut self, seats: u32, at: Instant, out: &mut Vec<Pending>) {
        while self.users < seats {
            let place = self.users;
            if place >= self.known_users {
                self.known_users = place + 1;
                let traits = BTreeMap::from([
                    text("title", names::title(&mut self.appearance)),
                    text("department", names::department(&mut self.appearance)),
                ]);
                let user = UserFact {
                    user_id: user_id(self.index, place),
                    traits,
                    ..UserFact::default()
                };
                self.report(Fact::User(user), at, out);
            }
            self.users += 1;
            self.report_place(place, false, at, out);
        }
        while self.users > seats {
            self.users -= 1;
            self.report_place(self.users, true, at, out);
        }
    }

    fn report_place(&mut self, place: u32, left: bool, at: Instant, out: &mut Vec<Pending>) {
        let role = match (place, self.profile.tier) {
            (0, _) => AccountUserRole::Admin,
            (1, _) => AccountUserRole::Billing,
            (2, Tier::Smb | Tier::Mid | Tier::Enterprise) => AccountUserRole::Champion,
            (3, Tier::Mid | Tier::Enterprise) => AccountUserRole::ExecSponsor,
            _ => AccountUserRole::Member,
        };
        let fact = AccountUserFact {
            account_id: self.id.clone(),
            user_id: user_id(self.index, place),
            role: role.into(),
            left,
        };
        self.report(Fact::AccountUser(fact), at, out);
    }

    /// Reports the steps by which a new account sets the product up, as far as it gets.
    fn set_up(&mut self, day: Day, out: &mut Vec<Pending>) {
        let Some(spell) = self.life.spells.first() else {
            return;
        };
        let trial = spell.trial;
        let until = match (trial, spell.end) {
            (Some(trial), _) if trial.outcome != Outcome::Converted => Some(trial.ends_on),
            (_, end) => end.map(|end| end.on),
        };
        let at_most = if trial.is_some_and(|trial| trial.outcome == Outcome::OneAndDone) {
            1
        } else {
            usize::MAX
        };
        for action in self
            .habits
            .set_up(self.profile.fit, self.at(day))
            .into_iter()
            .take(at_most)
        {
            if until.is_some_and(|until| action.at >= self.at(until)) {
                break;
            }
            self.deliver(Content::Event(action), action.at, out);
        }
    }

    fn report(&mut self, fact: Fact, at: Instant, out: &mut Vec<Pending>) {
        self.deliver(Content::State(Box::new(fact)), at, out);
    }

    /// Hands a record over, with whatever flaw its delivery has.
    fn deliver(&mut self, content: Content, at: Instant, out: &mut Vec<Pending>) {
        if at < self.frame.opening() || at >= self.frame.end {
            return;
        }
        self.sequence += 1;
        let (account, sequence) = (self.index, self.sequence);
        let mut pending = Pending {
            at,
            time: at,
            account,
            sequence,
            flaw: Flaw::None,
            content,
        };
        let second = match self.frame.dirt {
            Dirt::Clean => None,
            Dirt::Realistic => spoil(&mut pending, self.frame.end, &mut self.dirt),
        };
        out.extend(
            [pending]
                .into_iter()
                .chain(second)
                .filter(|pending| pending.at < self.frame.end),
        );
    }

    fn contract<'a>(&'a self, spell: &'a Spell) -> Contract<'a> {
        Contract {
            account: self.index,
            account_id: &self.id,
            tier: self.profile.tier,
            interval: self.profile.interval,
            currency: self.currency,
            hour_us: self.hour_us,
            number: self.spell + 1,
            spell,
        }
    }

    /// The moment of a day at which this account is billed and its people come and go.
    fn at(&self, day: Day) -> Instant {
        midnight(day).plus_us(self.hour_us)
    }
}

fn text(name: &str, value: &str) -> (String, Value) {
    (name.to_owned(), usage::text(value))
}

fn moment(name: &str, at: Instant) -> (String, Value) {
    (
        name.to_owned(),
        Value {
            kind: Some(Kind::Time(timestamp(at))),
        },
    )
}
