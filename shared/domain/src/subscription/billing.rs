//! All subscriptions of one account, over time and as known at a time.

use std::collections::BTreeMap;

use crate::id::ExternalId;
use crate::money::Currency;
use crate::mrr::{Books, Error, MetricPolicy, Mrr, ledger, price};
use crate::subscription::{Point, Priced, SubscriptionVersion, Summary, View};
use crate::time::Instant;

/// Every version of every subscription of one account under one policy.
#[derive(Debug, Clone)]
pub struct AccountBilling {
    /// In order of knowledge.
    versions: Vec<Priced>,
    n_slots: usize,
    policy: MetricPolicy,
    currency: Option<Currency>,
}

impl AccountBilling {
    /// Normalises and orders the versions, which are given in the order of the feed: of those that became known at one
    /// instant and hold from one instant, the last one counts. Otherwise their order does not matter.
    ///
    /// # Errors
    /// A negative amount, a discount above 100 %, currencies that cannot be added, or an amount that does not fit. Versions
    /// that were accepted each for itself, in one reporting currency, are accepted together.
    pub fn new(
        versions: impl IntoIterator<Item = SubscriptionVersion>,
        policy: &MetricPolicy,
    ) -> Result<Self, Error> {
        let mut ordered: Vec<SubscriptionVersion> = versions.into_iter().collect();
        for version in &mut ordered {
            version.subscription.items.sort_unstable();
        }
        // A stable sort: what became known at one instant stays in the order of the feed.
        ordered.sort_by_key(|version| version.known_from);
        let slots = slots_of(&ordered);
        let currency = price::common_currency(ordered.iter().map(|version| &version.subscription))?;

        let mut versions = Vec::with_capacity(ordered.len());
        for version in ordered {
            let slot = slots.get(&version.subscription.id).copied().unwrap_or(0);
            let segments = price::segments(&version.subscription, policy)?;
            let SubscriptionVersion {
                valid_from,
                known_from,
                subscription,
            } = version;
            versions.push(Priced {
                valid_from,
                known_from,
                slot,
                subscription,
                segments,
            });
        }
        Ok(Self {
            versions,
            n_slots: slots.len(),
            policy: policy.clone(),
            currency,
        })
    }

    /// The reporting currency; absent if there is no item.
    #[must_use]
    pub fn currency(&self) -> Option<Currency> {
        self.currency
    }

    /// The policy that the answers follow.
    #[must_use]
    pub fn policy(&self) -> &MetricPolicy {
        &self.policy
    }

    /// The event ledger.
    #[must_use]
    pub fn books(&self) -> Books {
        self.books_until(Instant(i64::MAX))
    }

    /// The event ledger as it is if nothing happens after `as_of`, of which a movement must not tell where it takes changes
    /// of one hour together. Equal to [`Self::books`] up to there unless these [split](Books::splits) at `as_of`.
    #[must_use]
    pub fn books_until(&self, as_of: Instant) -> Books {
        ledger::write(self, as_of)
    }

    /// Recurring revenue at an instant as known at an instant, in the reporting currency.
    #[must_use]
    pub fn mrr_at(&self, at: Instant, known_at: Instant) -> Mrr {
        self.view(known_at).state_at(at).mrr
    }

    /// When the first version of a subscription began.
    #[must_use]
    pub fn first_at(&self) -> Option<Instant> {
        self.versions.iter().map(|version| version.valid_from).min()
    }

    /// When each version of a subscription began and became known.
    pub fn times(&self) -> impl Iterator<Item = (Instant, Instant)> {
        let versions = self.versions.iter();
        versions.map(|version| (version.valid_from, version.known_from))
    }

    /// Whether any subscription had begun at an instant, as known at an instant.
    #[must_use]
    pub fn has_begun_at(&self, at: Instant, known_at: Instant) -> bool {
        // They are in order of knowledge.
        self.versions
            .iter()
            .take_while(|version| version.known_from <= known_at)
            .any(|version| version.valid_from <= at)
    }

    /// The account's billing at an instant as known at an instant.
    #[must_use]
    pub fn summary_at(&self, at: Instant, known_at: Instant) -> Summary {
        Summary::of(&self.points(known_at), at)
    }

    /// Instants, past and coming, at which revenue or status may change although nothing new is learned: the end of a
    /// cancelled term, of a trial, of a coupon, of a pause, of the grace of a past-due subscription. In order.
    #[must_use]
    pub fn change_points(&self, known_at: Instant) -> Vec<Instant> {
        self.view(known_at).self_changes()
    }

    /// Nothing known yet, ready to learn this account's versions.
    pub(crate) fn empty_view(&self) -> View<'_> {
        View::empty(&self.policy, self.n_slots)
    }

    /// The versions, grouped by the instant at which they became known, in order.
    pub(crate) fn lessons(&self) -> impl Iterator<Item = &[Priced]> {
        self.versions.chunk_by(|a, b| a.known_from == b.known_from)
    }

    /// The account over all time as known at an instant.
    pub(crate) fn points(&self, known_at: Instant) -> Vec<Point<'_>> {
        self.view(known_at).points_from(Instant(i64::MIN))
    }

    fn view(&self, known_at: Instant) -> View<'_> {
        let mut view = self.empty_view();
        for version in self
            .versions
            .iter()
            .take_while(|version| version.known_from <= known_at)
        {
            view.learn(version);
        }
        view
    }
}

fn slots_of(versions: &[SubscriptionVersion]) -> BTreeMap<ExternalId, usize> {
    let mut slots: BTreeMap<ExternalId, usize> = versions
        .iter()
        .map(|version| (version.subscription.id.clone(), 0))
        .collect();
    for (slot, index) in slots.values_mut().enumerate() {
        *index = slot;
    }
    slots
}
