//! Records of made-up accounts. Ids are random UUIDs (version 4), as clients send them; everything else depends on a seed.

use prost_types::Timestamp;
use uuid::Uuid;

use sextant_proto::common::v1::Money;
use sextant_proto::ingestion::v1::record::Fact;
use sextant_proto::ingestion::v1::{
    AccountFact, BillingInterval, EventFact, Price, Record, SubscriptionFact, SubscriptionItem,
    SubscriptionStatus,
};

pub(crate) const SOURCE: &str = "bench";
pub(crate) const DAY_S: i64 = 86_400;

/// A small generator with a fixed start (splitmix64).
#[derive(Debug)]
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 32).unwrap() % bound
    }

    /// Between 0 and 1, without 1.
    fn unit(&mut self) -> f64 {
        f64::from(u32::try_from(self.next() >> 32).unwrap()) / 4_294_967_296.0
    }

    /// Of mean 0 and deviation 1 (Box and Muller 1958).
    fn normal(&mut self) -> f64 {
        let (radius, angle) = (1.0 - self.unit(), self.unit());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }
}

pub(crate) fn account_id(number: usize) -> String {
    format!("account-{number:08}")
}

/// The number of an account.
pub(crate) fn account_number(id: &str) -> usize {
    id.rsplit('-').next().unwrap().parse().unwrap()
}

/// The real time, in whole seconds.
#[expect(
    clippy::disallowed_methods,
    reason = "a client of the product has a clock of its own"
)]
pub(crate) fn now_s() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since.unwrap().as_secs()).unwrap()
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp { seconds, nanos: 0 }
}

fn record(time: Timestamp, fact: Fact) -> Record {
    Record {
        source: SOURCE.to_owned(),
        id: Uuid::new_v4().to_string(),
        time: Some(time),
        sent_at: None,
        fact: Some(fact),
        ..Record::default()
    }
}

pub(crate) fn account(number: usize, created_s: i64) -> Record {
    let fact = AccountFact {
        account_id: account_id(number),
        name: format!("Company {number}"),
        created_at: Some(at(created_s)),
        ..AccountFact::default()
    };
    record(at(created_s), Fact::Account(fact))
}

/// How often things are chosen, most often a few of them.
#[derive(Debug)]
struct Shares {
    /// The sum of the weights up to each of them.
    sums: Vec<f64>,
}

impl Shares {
    fn new(weights: impl Iterator<Item = f64>) -> Self {
        let running = weights.scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        Self {
            sums: running.collect(),
        }
    }

    /// The k-th of `n` is chosen with a weight of 1 / k^`exponent`.
    fn zipf(n: u32, exponent: f64) -> Self {
        Self::new((1..=n).map(|rank| f64::from(rank).powf(-exponent)))
    }

    fn choose(&self, numbers: &mut Numbers) -> usize {
        let point = numbers.unit() * self.sums.last().unwrap();
        let place = self.sums.partition_point(|sum| *sum <= point);
        place.min(self.sums.len() - 1)
    }
}

/// What accounts do in the product, as unevenly as those of the generated company of the demo do it (its usage model: by seats,
/// fit and habit; one account in a hundred makes three tenths of all events).
#[derive(Debug)]
pub(crate) struct Usage {
    accounts: Shares,
    users: Shares,
    features: Shares,
}

impl Usage {
    pub(crate) fn new(n_accounts: usize, numbers: &mut Numbers) -> Self {
        /// Share of accounts, and mean and deviation of the logarithm of their seats: self-serve, small, middle, enterprise.
        const TIERS: [(f64, f64, f64); 4] = [
            (0.62, 0.69, 0.6),
            (0.90, 2.08, 0.7),
            (0.985, 3.69, 0.8),
            (1.0, 5.39, 0.9),
        ];
        let weight = |numbers: &mut Numbers| {
            let point = numbers.unit();
            let (_, mean, deviation) =
                TIERS[TIERS.iter().filter(|tier| tier.0 <= point).count().min(3)];
            let seats = (mean + deviation * numbers.normal()).exp().round().max(1.0);
            let fit = 0.5 * numbers.normal() + 0.4 * numbers.normal();
            let habit = (0.8 * numbers.normal() - 0.32).exp();
            seats.powf(0.85) * habit / (1.0 + (0.2 - 0.9 * fit).exp())
        };
        Self {
            accounts: Shares::new((0..n_accounts).map(|_account| weight(numbers))),
            users: Shares::zipf(20, 1.0),
            features: Shares::zipf(40, 1.1),
        }
    }

    /// Something done in the two hours before `end_s`.
    pub(crate) fn event(&self, numbers: &mut Numbers, end_s: i64) -> Record {
        let back_ns = i64::try_from(numbers.next() % 7_200_000_000).unwrap() * 1_000;
        let time = Timestamp {
            seconds: end_s - 1 - back_ns / 1_000_000_000,
            nanos: i32::try_from(back_ns % 1_000_000_000).unwrap(),
        };
        let (account, user) = (self.accounts.choose(numbers), self.users.choose(numbers));
        let feature = format!("feature-{:02}", self.features.choose(numbers));
        used(account, user, &feature, time)
    }
}

/// A user of an account uses a feature of the product.
pub(crate) fn used(account: usize, user: usize, feature: &str, time: Timestamp) -> Record {
    let fact = EventFact {
        account_id: account_id(account),
        user_id: format!("user-{account:08}-{user}"),
        r#type: "feature.used".to_owned(),
        feature_key: feature.to_owned(),
        ..EventFact::default()
    };
    record(time, Fact::Event(fact))
}

/// The one subscription of an account, at so much a month.
pub(crate) fn subscription(
    number: usize,
    mrr_minor: i64,
    time: Timestamp,
    started_s: i64,
) -> Record {
    let price = Price {
        price_id: format!("price-{mrr_minor}"),
        unit_amount: Some(Money {
            minor: mrr_minor,
            currency: "USD".to_owned(),
        }),
        interval: BillingInterval::Month.into(),
        product_id: "suite".to_owned(),
        ..Price::default()
    };
    let item = SubscriptionItem {
        price: Some(price),
        quantity: 1,
        ..SubscriptionItem::default()
    };
    let fact = SubscriptionFact {
        account_id: account_id(number),
        subscription_id: format!("subscription-{number:08}"),
        status: SubscriptionStatus::Active.into(),
        started_at: Some(at(started_s)),
        current_period_ends_at: Some(at(now_s() + 60 * DAY_S)),
        items: vec![item],
        ..SubscriptionFact::default()
    };
    record(time, Fact::Subscription(fact))
}
