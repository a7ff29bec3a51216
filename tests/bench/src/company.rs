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
const FEATURES: [&str; 8] = [
    "report",
    "dashboard",
    "export",
    "search",
    "invite",
    "comment",
    "api",
    "alert",
];
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

/// Something done in the product in the two hours before `end_s`.
pub(crate) fn event(numbers: &mut Numbers, n_accounts: usize, end_s: i64) -> Record {
    let account = numbers.below(n_accounts);
    let back_ns = i64::try_from(numbers.next() % 7_200_000_000).unwrap() * 1_000;
    let time = Timestamp {
        seconds: end_s - 1 - back_ns / 1_000_000_000,
        nanos: i32::try_from(back_ns % 1_000_000_000).unwrap(),
    };
    let (user, feature) = (numbers.below(5), numbers.below(FEATURES.len()));
    used(account, user, FEATURES[feature], time)
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
