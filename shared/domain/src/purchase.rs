//! Purchases: payments that came, folded from the versions of each payment.

use std::collections::HashMap;

use crate::time::Instant;

/// Where a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentStatus {
    /// Under way.
    Processing,
    /// The money came.
    Succeeded,
    /// It did not come.
    Failed,
    /// Paid back in full or in part.
    Refunded,
    /// The payer disputes it; it counts until it is lost.
    Disputed,
}

/// State of a payment from an instant on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentVersion {
    /// The tenant's id of the payment.
    pub payment: Box<str>,
    /// From when it holds.
    pub at: Instant,
    /// When it became known.
    pub known_at: Instant,
    /// Where it stands.
    pub status: PaymentStatus,
    /// Amount less what was paid back, in minor units of the tenant's base currency.
    pub net_minor: i64,
}

/// A payment that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purchase {
    /// When the money came.
    pub at: Instant,
    /// What of it was kept, in minor units of the base currency.
    pub net_minor: i64,
}

/// All payments of one account.
#[derive(Debug, Clone, Default)]
pub struct Purchases {
    /// Versions of each payment, by (at, known_at). Payments in order of first appearance.
    payments: Vec<Vec<PaymentVersion>>,
    places: HashMap<Box<str>, usize>,
}

impl Purchases {
    /// Adds a version, in any order.
    pub fn add(&mut self, version: PaymentVersion) {
        let next = self.payments.len();
        let place = *self.places.entry(version.payment.clone()).or_insert(next);
        if place == next {
            self.payments.push(Vec::new());
        }
        let versions = &mut self.payments[place];
        let at = versions
            .partition_point(|other| (other.at, other.known_at) <= (version.at, version.known_at));
        versions.insert(at, version);
    }

    /// When the first payment, of any state, was made.
    #[must_use]
    pub fn first_at(&self) -> Option<Instant> {
        let versions = self.payments.iter().filter_map(|versions| versions.first());
        versions.map(|version| version.at).min()
    }

    /// When each state of each payment began and became known.
    pub fn times(&self) -> impl Iterator<Item = (Instant, Instant)> {
        let versions = self.payments.iter().flatten();
        versions.map(|version| (version.at, version.known_at))
    }

    /// Whether there was a payment, of any state, by `as_of` that was known by `known_at`.
    #[must_use]
    pub fn is_known_at(&self, as_of: Instant, known_at: Instant) -> bool {
        self.payments
            .iter()
            .flatten()
            .any(|version| version.at <= as_of && version.known_at <= known_at)
    }

    /// The purchases up to `as_of` with the knowledge of `known_at`, by time.
    #[must_use]
    pub fn visible(&self, as_of: Instant, known_at: Instant) -> Vec<Purchase> {
        let mut purchases = Vec::with_capacity(self.payments.len());
        for versions in &self.payments {
            let known = versions
                .iter()
                .filter(|version| version.at <= as_of && version.known_at <= known_at);
            // Of several states of one instant the one that became known last holds.
            let mut holding: Vec<&PaymentVersion> = Vec::new();
            for version in known {
                holding.pop_if(|other| other.at == version.at);
                holding.push(version);
            }
            let Some(last) = holding.last() else {
                continue;
            };
            let came = match last.status {
                PaymentStatus::Succeeded | PaymentStatus::Refunded | PaymentStatus::Disputed => {
                    true
                },
                PaymentStatus::Processing | PaymentStatus::Failed => false,
            };
            if came {
                let mut holding = holding.iter();
                let first = holding.find(|version| version.status == PaymentStatus::Succeeded);
                let first = first.unwrap_or(last);
                purchases.push(Purchase {
                    at: first.at,
                    net_minor: last.net_minor,
                });
            }
        }
        purchases.sort_by_key(|purchase| (purchase.at, purchase.net_minor));
        purchases
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(
        payment: &str,
        at: i64,
        known_at: i64,
        status: PaymentStatus,
        net_minor: i64,
    ) -> PaymentVersion {
        PaymentVersion {
            payment: payment.into(),
            at: Instant(at),
            known_at: Instant(known_at),
            status,
            net_minor,
        }
    }

    fn total(purchases: &Purchases, as_of: i64, known_at: i64) -> (usize, i64) {
        let visible = purchases.visible(Instant(as_of), Instant(known_at));
        (
            visible.len(),
            visible.iter().map(|purchase| purchase.net_minor).sum(),
        )
    }

    #[test]
    fn a_payment_counts_once_with_what_was_kept_of_it() {
        let mut purchases = Purchases::default();
        purchases.add(version("p1", 20, 20, PaymentStatus::Refunded, 60));
        purchases.add(version("p1", 10, 10, PaymentStatus::Succeeded, 100));
        purchases.add(version("p1", 5, 5, PaymentStatus::Processing, 100));
        purchases.add(version("p2", 12, 12, PaymentStatus::Failed, 40));
        assert_eq!(total(&purchases, 9, 99), (0, 0));
        assert_eq!(total(&purchases, 15, 99), (1, 100));
        assert_eq!(total(&purchases, 25, 99), (1, 60));
        assert_eq!(
            purchases.visible(Instant(25), Instant(99))[0].at,
            Instant(10),
            "dated when the money came"
        );
    }

    #[test]
    fn a_payment_that_was_corrected_away_came_when_it_came_again() {
        let mut purchases = Purchases::default();
        purchases.add(version("p1", 10, 10, PaymentStatus::Succeeded, 100));
        purchases.add(version("p1", 10, 15, PaymentStatus::Failed, 100));
        purchases.add(version("p1", 20, 20, PaymentStatus::Succeeded, 100));
        let came = |known_at| purchases.visible(Instant(30), Instant(known_at))[0].at;
        assert_eq!((came(14), came(30)), (Instant(10), Instant(20)));
        assert_eq!(total(&purchases, 15, 30), (0, 0));
    }

    #[test]
    fn a_refund_that_was_not_known_does_not_count() {
        let mut purchases = Purchases::default();
        purchases.add(version("p1", 10, 10, PaymentStatus::Succeeded, 100));
        purchases.add(version("p1", 20, 30, PaymentStatus::Refunded, 0));
        assert_eq!(total(&purchases, 25, 29), (1, 100));
        assert_eq!(total(&purchases, 25, 30), (1, 0));
    }
}
