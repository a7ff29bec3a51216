//! What scoring keeps of one tenant in memory. Everything in it can be read back from the store.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tracing::error;

use sextant_domain::feature::population::Models;
use sextant_domain::feature::{AccountFacts, Moment, Row};
use sextant_domain::id::{AccountUid, Slice, TenantId};
use sextant_domain::money::Currency;
use sextant_domain::mrr::{MetricPolicy, Preset};
use sextant_domain::rfm::TiePolicy;
use sextant_domain::subscription::{AccountBilling, SubscriptionVersion};
use sextant_domain::time::{Day, Instant, Zone};
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1 as ingestion;
use sextant_store::port::SliceState;
use sextant_wire::status::Problem;

/// What the tenant decided about itself.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) zone: Zone,
    pub(crate) currency: Currency,
    pub(crate) rfm_tie_policy: TiePolicy,
    pub(crate) fixed_clock: Option<Instant>,
    pub(crate) n_slices: u16,
}

impl Settings {
    pub(crate) fn from_wire(tenant: &ingestion::Tenant) -> Result<Self, Problem> {
        let damaged = |field: &str, message: String| {
            Problem::field(ErrorReason::Internal, format!("tenant.{field}"), message)
        };
        Ok(Self {
            zone: Zone::parse(&tenant.time_zone)
                .map_err(|error| damaged("time_zone", error.to_string()))?,
            currency: Currency::parse(&tenant.base_currency)
                .map_err(|error| damaged("base_currency", error.to_string()))?,
            rfm_tie_policy: sextant_wire::tenant::tie_policy(
                tenant.rfm_tie_policy,
                "tenant.rfm_tie_policy",
            )?,
            fixed_clock: sextant_wire::time::optional(
                tenant.fixed_clock.as_ref(),
                "tenant.fixed_clock",
            )?,
            n_slices: u16::try_from(tenant.slices).unwrap_or(1).max(1),
        })
    }
}

/// How far one slice has got.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Progress {
    /// Newest ingestion entry that is taken in.
    pub(crate) cursor: u64,
    /// What the store knows beside it.
    pub(crate) state: SliceState,
    /// The newest ingestion entry with facts, and when it was taken in on the tenant's clock; `None`: none was since the slice was
    /// loaded.
    pub(crate) newest_facts: Option<(u64, Instant)>,
}

/// One account.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) slice: Slice,
    pub(crate) id: Box<str>,
    /// The ingestion entry that named it first.
    pub(crate) named_in: u64,
    pub(crate) name: Box<str>,
    /// Own time and knowledge of the fact that brought the name.
    called_at: Option<(Instant, Instant)>,
    pub(crate) facts: AccountFacts,
    /// The last day on which something of it became known.
    pub(crate) known_on: Option<Day>,
    subscriptions: Vec<SubscriptionVersion>,
}

impl Account {
    /// An account of which nothing is known but its slice.
    pub(crate) fn new(slice: Slice) -> Self {
        Self {
            slice,
            ..Self::default()
        }
    }

    /// Takes a name over, unless a fact of a later time, or of the same and known later, has brought another one: a fact that
    /// comes late does not rename the account.
    pub(crate) fn call(&mut self, name: &str, at: (Instant, Instant)) {
        if self.called_at <= Some(at) {
            self.name = name.into();
            self.called_at = Some(at);
        }
    }

    /// Adds a version of a subscription.
    pub(crate) fn subscribe(&mut self, version: SubscriptionVersion) {
        self.subscriptions.push(version);
    }

    /// Makes the billing history anew after subscriptions were added. What does not add up was refused at the door; should
    /// it be there all the same, the account's billing is unknown and everything else goes on.
    pub(crate) fn rebuild_billing(&mut self, zone: &Zone) {
        if self.subscriptions.is_empty() {
            return;
        }
        let policy = MetricPolicy::preset(Preset::Sextant, zone.clone());
        self.facts.billing = match AccountBilling::new(self.subscriptions.iter().cloned(), &policy)
        {
            Ok(billing) => Some(billing),
            Err(error) => {
                error!(account = %self.id, %error, "billing of an account does not add up and is left out");
                None
            },
        };
    }
}

/// One tenant.
#[derive(Debug)]
pub(crate) struct TenantState {
    pub(crate) tenant: TenantId,
    pub(crate) settings: Settings,
    pub(crate) slices: BTreeMap<Slice, Progress>,
    pub(crate) accounts: BTreeMap<AccountUid, Account>,
    pub(crate) uids: HashMap<Box<str>, AccountUid>,
    pub(crate) models: BTreeMap<Day, Arc<Models>>,
    /// Facts that it holds, and of events days with some, of all accounts.
    pub(crate) n_facts: usize,
}

impl TenantState {
    /// The tenant's evaluation clock: where it stands still, or `real`.
    pub(crate) fn now(&self, real: Instant) -> Instant {
        self.settings.fixed_clock.unwrap_or(real)
    }

    /// What it holds, in facts.
    pub(crate) fn size(&self) -> u64 {
        (self.accounts.len() + self.n_facts + self.models.len()) as u64
    }

    /// Newest ingestion entry of a slice that is taken in.
    pub(crate) fn cursor(&self, slice: Slice) -> u64 {
        self.slices.get(&slice).map_or(0, |slice| slice.cursor)
    }

    /// The last day that is closed in every slice.
    pub(crate) fn closed_on(&self) -> Option<Day> {
        self.slices
            .values()
            .map(|slice| slice.state.closed_on)
            .min()
            .flatten()
    }

    /// True while an import is open, or imported history is not evaluated yet, in any slice.
    pub(crate) fn is_backfilling(&self) -> bool {
        self.slices
            .values()
            .any(|slice| slice.state.importing || slice.state.pending_history.is_some())
    }

    /// Own time of the newest fact.
    pub(crate) fn watermark(&self) -> Option<Instant> {
        self.slices
            .values()
            .filter_map(|slice| slice.state.watermark)
            .max()
    }

    /// The newest models of a close up to `day`.
    pub(crate) fn models_up_to(&self, day: Day) -> Option<&Arc<Models>> {
        self.models
            .range(..=day)
            .next_back()
            .map(|(_, models)| models)
    }

    /// An account of an external id.
    pub(crate) fn account(&self, id: &str) -> Option<&Account> {
        self.accounts.get(self.uids.get(id)?)
    }

    /// An account's features at a moment, population features from the models of the newest close that was known then.
    pub(crate) fn row(&self, account: &Account, moment: &Moment) -> Row {
        let mut rows = self.rows([account].into_iter(), moment);
        rows.pop().unwrap_or_default()
    }

    /// The same of several accounts.
    pub(crate) fn rows<'a>(
        &self,
        accounts: impl Iterator<Item = &'a Account>,
        moment: &Moment,
    ) -> Vec<Row> {
        let zone = &self.settings.zone;
        let mut models = self
            .models_for(moment)
            .map(|models| models.at(moment, zone));
        let row = |account: &Account| {
            let mut row = account.facts.features(moment, zone);
            if let Some(models) = &mut models {
                models.add(&account.id, &account.facts, &mut row);
            }
            row
        };
        accounts.map(row).collect()
    }

    /// The models for a moment: of the close of that very day where the moment is its end, of an earlier one otherwise.
    pub(crate) fn models_for(&self, moment: &Moment) -> Option<&Arc<Models>> {
        let end_of_day = moment.as_of.plus_us(1) == self.settings.zone.start_of(moment.day.plus(1));
        let newest = if end_of_day {
            moment.day
        } else {
            moment.day.plus(-1)
        };
        self.models_up_to(newest.min(moment.known_day))
    }

    /// The moment of a read: the present, or the last close before a past moment.
    pub(crate) fn moment(
        &self,
        as_of: Option<Instant>,
        known_at: Option<Instant>,
        real: Instant,
    ) -> Moment {
        let (now, zone) = (self.now(real), &self.settings.zone);
        let known_at = known_at.unwrap_or(Instant(i64::MAX));
        let as_of = match as_of {
            Some(past) if past < now => zone.start_of(zone.day_of(past.plus_us(1))).plus_us(-1),
            _ => now,
        };
        Moment::new(as_of, known_at, zone)
    }
}
