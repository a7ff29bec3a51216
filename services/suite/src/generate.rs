//! A software company that never was: its accounts, contracts, invoices and events, as the records that its systems would
//! have delivered.
//!
//! [`Company::records`] is an iterator in the order of delivery, so a run of any length can be sent on while it is drawn.
//! [`Company::expected`] says how many records of each kind and flaw it holds, to the unit; [`Company::truth`] says what no
//! record says, to judge models by.
//!
//! **Who is there.** Some accounts exist when the time begins: they have a past that is drawn, with everything that could
//! have ended them, but not reported; on the day before the first, their present state is (the books open). Others come
//! month by month, 3.5 % paying ones a month; one in three begins with a trial. Four size classes, five hidden needs,
//! monthly and annual contracts. `Options::accounts` is the number of paying accounts that the last day is aimed at; those
//! that left and those that never paid are in the records too.
//!
//! **What happens.** Latent usage drives events, growth and loss (`life`, `usage`). Seats and plans change, contracts end at
//! the end of a period or by failing payments, few pause, some come back. Seven in ten voluntary leavers show it by falling
//! usage for three to eight weeks. Each month is a month of the contract, from its own day of the month; seats that are
//! added within an annual term are billed at its renewal.
//!
//! **Flaws.** With [`Dirt::Realistic`] records come twice (1 %, of any kind), and events come late (2 % by more than an hour,
//! a tenth of those by more than a week; [`Records::now`] is the moment of delivery), from clocks that are ahead (0.1 %),
//! broken (0.05 %), of accounts that never appear (0.5 %), or twice with different content (0.02 %); and accounts pay in USD, EUR and
//! GBP. A clock that is ahead shows a time after [`Options::end`], so that a receiver whose clock stands there, or later,
//! sees what is meant. Only events are late; a late event still under way at the end is not delivered. No
//! record carries `sent_at`: it would have a receiver correct the source's clock by the age of the data. [`Dirt::Clean`] tells
//! the same story without flaws and in USD alone.
//!
//! **The same again.** All draws come from `ChaCha8` keyed by (seed, account, purpose): the same options give the same
//! bytes, and the accounts of [`Company::records_of`] the same records as within the whole. Between platforms the last bit of a
//! logarithm may differ, and with it a draw; on one machine and binary nothing does.
//!
//! The parameters are our own, calibrated against published benchmarks of churn and retention; no real company is meant,
//! and nothing learned from this data says anything about one.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use sextant_domain::time::{DAY_US, Day, Instant, TimeError, Zone};

use crate::generate::account::{Account, Frame, account_id};
use crate::generate::calendar::anniversary;
use crate::generate::counts::Counts;
use crate::generate::delivery::Pending;
pub use crate::generate::delivery::SOURCES;
use crate::generate::draw::{Draw, Purpose};
use crate::generate::life::Life;
use crate::generate::profile::{COUNTRIES, PAYING_SHARE, Profile};
use crate::generate::stream::Records;
use crate::generate::truth::Truth;

mod account;
mod billing;
mod calendar;
pub mod counts;
mod delivery;
mod dirt;
mod draw;
mod life;
mod names;
mod product;
pub mod profile;
pub mod stream;
pub mod truth;
mod usage;

#[cfg(test)]
mod tests;

/// New paying accounts a month, as a share of those that pay.
const ARRIVALS: f64 = 0.035;
/// Growth of paying accounts a month: arrivals and returns less losses.
const NET_GROWTH: f64 = 0.0078;
/// Age up to which accounts exist when the time begins; what chance ended before is drawn anew.
const OLDEST_DAYS: i32 = 730;
/// Pasts that are drawn for an account before it is taken to be new when the time begins. About one in three survives.
const MAX_PASTS: u32 = 64;
/// 2000-01-01 and 2200-01-01: between them lies the end.
const END_DAYS: Range<i32> = 10_957..84_006;

/// Whether deliveries have flaws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dirt {
    /// None, and one currency.
    Clean,
    /// As real systems deliver, and three currencies.
    Realistic,
}

/// Which company.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Any number; the same number gives the same company.
    pub seed: u64,
    /// Paying accounts that the end is aimed at, 1 to 10 000 000. About twice as many appear in the records of 18 months.
    pub accounts: u32,
    /// Months of events before the end, 1 to 120.
    pub months: u32,
    /// Moment before which everything is delivered, from 2000 to 2199.
    pub end: Instant,
    /// Flaws.
    pub dirt: Dirt,
}

impl Default for Options {
    /// 500 accounts, 18 months, up to 2026-01-01, with flaws.
    fn default() -> Self {
        Self {
            seed: 1,
            accounts: 500,
            months: 18,
            end: Instant(1_767_225_600_000_000),
            dirt: Dirt::Realistic,
        }
    }
}

/// Options that no company fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// Not 1 to 10 000 000.
    AccountsOutOfRange {
        /// What was given.
        accounts: u32,
    },
    /// Not 1 to 120.
    MonthsOutOfRange {
        /// What was given.
        months: u32,
    },
    /// Not from 2000 to 2199.
    EndOutOfRange {
        /// What was given.
        end: Instant,
    },
    /// A zone of an account is missing from the time zone data of this program.
    Zone(TimeError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccountsOutOfRange { accounts } => {
                write!(f, "accounts is {accounts}; give 1 to 10000000")
            },
            Self::MonthsOutOfRange { months } => write!(f, "months is {months}; give 1 to 120"),
            Self::EndOutOfRange { end } => {
                write!(f, "end is {end}; give a moment from 2000 to 2199")
            },
            Self::Zone(_) => write!(f, "time zone data of this program is incomplete"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Zone(error) => Some(error),
            Self::AccountsOutOfRange { .. }
            | Self::MonthsOutOfRange { .. }
            | Self::EndOutOfRange { .. } => None,
        }
    }
}

/// A company; cheap to clone.
#[derive(Debug, Clone)]
pub struct Company {
    options: Options,
    start: Day,
    last_day: Day,
    /// Number of accounts that there are before each month, and at last of all.
    arrivals: Arc<[u32]>,
    /// Zones of [`COUNTRIES`], in their order.
    zones: Arc<[Zone]>,
}

impl Company {
    /// Sets a company up; nothing is drawn yet.
    ///
    /// # Errors
    /// An option is out of range.
    pub fn new(options: Options) -> Result<Self, Error> {
        let Options {
            accounts,
            months,
            end,
            ..
        } = options;
        if !(1..=10_000_000).contains(&accounts) {
            return Err(Error::AccountsOutOfRange { accounts });
        }
        let months = match i32::try_from(months) {
            Ok(months @ 1..=120) => months,
            _ => return Err(Error::MonthsOutOfRange { months }),
        };
        let last_day = match i32::try_from(end.0.saturating_sub(1).div_euclid(DAY_US)) {
            Ok(day) if END_DAYS.contains(&day) => Day(day),
            _ => return Err(Error::EndOutOfRange { end }),
        };
        let zones = COUNTRIES
            .iter()
            .map(|country| Zone::parse(country.zone))
            .collect::<Result<_, _>>();
        Ok(Self {
            options,
            start: anniversary(last_day.plus(1), -months),
            last_day,
            arrivals: arrivals(accounts, months).into(),
            zones: zones.map_err(Error::Zone)?,
        })
    }

    /// All records in the order of their delivery.
    #[must_use]
    pub fn records(&self) -> Records {
        self.records_of(0..self.accounts())
    }

    /// The records of some accounts, by index below [`Company::accounts`]: what [`Company::records`] has of them.
    #[must_use]
    pub fn records_of(&self, accounts: Range<u32>) -> Records {
        let end = accounts.end.min(self.accounts());
        Records::new(self.clone(), accounts.start.min(end)..end)
    }

    /// The exact numbers of [`Company::records`], by drawing them all.
    #[must_use]
    pub fn expected(&self) -> Counts {
        self.records().count_all()
    }

    /// What is true of an account, by its index below [`Company::accounts`]. Costs no events.
    #[must_use]
    pub fn truth(&self, account: u32) -> Truth {
        let (profile, life, _) = self.live(account);
        truth::of(account_id(account), &profile, &life, self.start)
    }

    /// Number of accounts that appear: paying, gone, and never paying.
    #[must_use]
    pub fn accounts(&self) -> u32 {
        self.arrivals.last().copied().unwrap_or(0)
    }

    /// First day of events. States of what existed before are delivered on the day before it.
    #[must_use]
    pub fn start(&self) -> Day {
        self.start
    }

    /// Last day of deliveries.
    #[must_use]
    pub fn last_day(&self) -> Day {
        self.last_day
    }

    /// Days of deliveries until a moment; `None`: all of them.
    #[must_use]
    pub fn days_until(&self, moment: Option<Instant>) -> u64 {
        let last = i64::from(self.last_day.0);
        let day = moment.map_or(last, |moment| moment.0.div_euclid(DAY_US).min(last));
        u64::try_from(day + 1 - i64::from(self.start.0)).unwrap_or(0)
    }

    /// First day on which an account may report: the books' opening, or the first of the month in which it comes.
    fn begins_on(&self, account: u32) -> Day {
        match self.arrival_month(account) {
            None => self.start.plus(-1),
            Some(month) => anniversary(self.start, month),
        }
    }

    /// Month in which an account comes; `None` for those that are there before.
    fn arrival_month(&self, account: u32) -> Option<i32> {
        let months = self.arrivals.partition_point(|&before| before <= account);
        i32::try_from(months)
            .ok()?
            .checked_sub(1)
            .filter(|&month| month >= 0)
    }

    /// An account on its first day; what it states at the books' opening goes to `out`.
    fn account(&self, index: u32, out: &mut Vec<Pending>) -> Account {
        let (profile, life, joined_on) = self.live(index);
        let frame = Frame {
            seed: self.options.seed,
            dirt: self.options.dirt,
            start: self.start,
            end: self.options.end,
        };
        let zone = self.zones[profile.country].clone();
        let mut account = Account::new(index, (profile, life), joined_on, zone, frame);
        if joined_on < self.start {
            account.open_books(out);
        }
        account
    }

    /// Draws who an account is, how it goes, and when it came.
    fn live(&self, index: u32) -> (Profile, Life, Day) {
        let mut draw = Draw::new(self.options.seed, index, Purpose::Life);
        let until = self.last_day.plus(1);
        let Some(month) = self.arrival_month(index) else {
            for _ in 0..MAX_PASTS {
                let profile = Profile::draw(&mut draw);
                let joined_on = self.start.plus(-draw.days(1, OLDEST_DAYS));
                if let Some(life) = life::survive(&profile, joined_on, self.start, until, &mut draw)
                {
                    return (profile, life, joined_on);
                }
            }
            let profile = Profile::draw(&mut draw);
            let life = life::simulate(&profile, self.start, until, &mut draw);
            return (profile, life, self.start);
        };
        let profile = Profile::draw(&mut draw);
        let first = anniversary(self.start, month);
        let joined_on =
            first.plus(draw.days(0, first.days_until(anniversary(self.start, month + 1)) - 1));
        let life = life::simulate(&profile, joined_on, until, &mut draw);
        (profile, life, joined_on)
    }
}

/// Accounts before each month and at the end, so that paying ones grow evenly to their number.
fn arrivals(accounts: u32, months: i32) -> Vec<u32> {
    let paying = |month: i32| f64::from(accounts) * (1.0 + NET_GROWTH).powi(month - months);
    let mut sum = paying(0);
    let mut before = vec![draw::whole(sum.round())];
    for month in 0..months {
        sum += paying(month) * ARRIVALS / PAYING_SHARE;
        before.push(draw::whole(sum.round()));
    }
    before
}
