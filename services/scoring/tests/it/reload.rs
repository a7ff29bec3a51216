//! What is in memory can be lost at any time.

use std::sync::Arc;

use bytes::Bytes;

use sextant_domain::id::Slice;
use sextant_domain::money::{Currency, Money};
use sextant_domain::time::Day;
use sextant_proto::ingestion::v1::{self as ingestion, HistorySchedule};
use sextant_proto::scoring::v1 as pb;

use crate::facts::{account, day, event, instant, known, payment, subscription};
use crate::failing::Failing;
use crate::guarded::Guarded;
use crate::history;
use crate::world::{Scoring, World, at, value};

/// One answer of every kind, and the columns of the present and of some closes.
type Answers = (
    pb::GetFeaturesResponse,
    pb::GetScoresResponse,
    Vec<pb::Model>,
    Vec<pb::Evaluation>,
    Vec<Vec<Bytes>>,
);

async fn answers(scoring: &Scoring, account: &str, position: &str) -> Answers {
    let features = scoring.features(account, at(position)).await.unwrap();
    let scores = scoring.scores(account, at(position)).await.unwrap();
    let mut columns = vec![scoring.columns(Slice(0), None).await];
    for closed_on in ["2027-02-15", "2027-03-09"] {
        columns.push(scoring.columns(Slice(0), Some(day(closed_on))).await);
    }
    assert!(columns.iter().flatten().all(|message| !message.is_empty()));
    (
        features,
        scores,
        scoring.models().await,
        scoring.feed(Slice(0)).await,
        columns,
    )
}

/// Twelve accounts that use, subscribe and pay, with late facts.
fn script(world: &World) -> String {
    let mut position = String::new();
    for number in 1..=12 {
        let name = format!("a{number}");
        world.facts(vec![
            account(&name, "2027-02-01"),
            subscription(&name, "2027-02-03", number, 1_000),
            payment(&name, "2027-02-03", 1_000),
        ]);
        let days = (1..=number).map(|day| event(&name, "ann", &format!("2027-02-{:02}", day * 2)));
        world.facts(days.collect());
        position = world.facts(vec![
            known("2027-03-10 01:00", event(&name, "bob", "2027-02-14")),
            known("2027-03-10 02:00", payment(&name, "2027-02-20", 500)),
        ]);
    }
    position
}

#[tokio::test]
async fn a_new_instance_over_the_same_store_answers_equally() {
    let world = World::new();
    let scoring = world.start();
    let position = script(&world);
    let before = answers(&scoring, "a7", &position).await;
    assert!(!before.1.scores.is_empty());
    scoring.stop();
    assert_eq!(answers(&world.start(), "a7", &position).await, before);
}

#[tokio::test]
async fn of_several_states_of_one_instant_the_last_one_in_the_feed_counts() {
    let world = World::new();
    let seats = |account: &str, seats| subscription(account, "2027-02-03", seats, 1_000);
    let scoring = world.start();
    world.facts(vec![account("a", "2027-02-01"), account("b", "2027-02-01")]);
    // In one entry, and in two.
    world.facts(vec![seats("a", 25), seats("a", 5), seats("b", 25)]);
    let position = world.facts(vec![seats("b", 3)]);
    for (scoring, stops) in [(scoring, true), (world.start(), false)] {
        for (account, expected) in [("a", "5000"), ("b", "3000")] {
            let answer = scoring.features(account, at(&position)).await.unwrap();
            assert_eq!(value(&answer.features, "revenue.mrr_minor"), expected);
        }
        if stops {
            scoring.stop();
        }
    }
}

pub(crate) const SEED: u64 = 20_270_310;
pub(crate) const N_BUYERS: u64 = 150;

/// Draws purchases as the models assume them: each account with a rate, a mean value and a chance to leave of its own.
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    /// 0 to 1, never 0.
    fn uniform(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let bits = u32::try_from(self.0 >> 33).unwrap();
        (f64::from(bits) + 1.0) / f64::from(1_u32 << 31)
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * self.uniform().ln()
    }

    pub(crate) fn purchases(&mut self, name: &str) -> Vec<ingestion::StoredFact> {
        let days_between = 5.0 / self.exponential(1.0);
        let leaves = self.uniform().powi(2);
        let mean_minor = 4_000.0 / (self.exponential(0.5) + self.exponential(0.5));
        let mut day = self.uniform() * 14.0;
        let mut purchases = Vec::new();
        while day < 67.0 {
            let factor = (0..4).map(|_| self.exponential(0.25)).sum::<f64>();
            #[expect(clippy::cast_possible_truncation, reason = "a small day and amount")]
            let (at, minor) = (day as i32, (mean_minor * factor) as i64 + 1);
            let at = Day::parse("2027-01-01").unwrap().plus(at).to_string();
            purchases.push(payment(name, &at, minor));
            if self.uniform() < leaves {
                break;
            }
            day += self.exponential(days_between) + 1.0;
        }
        purchases
    }
}

/// The value of every buyer is the sum of its contributions, in whole cents, and each says its own amount.
async fn check_clv(scoring: &Scoring) {
    let mut n_repeated = 0;
    for number in 1..=N_BUYERS {
        let name = format!("buyer{number:03}");
        let features = scoring.features(&name, None).await.unwrap().features;
        let scores = scoring.scores(&name, None).await.unwrap().scores;
        let clv = scores.iter().find(|score| score.model == "clv").unwrap();
        let worth = value(&features, "clv.value_12m_minor");
        assert_eq!(clv.value, worth.parse().ok(), "{name}");
        let points: f64 = clv.contributions.iter().map(|part| part.points).sum();
        assert_eq!(Some(points), clv.value, "{name}: {clv:?}");
        assert_eq!(clv.contributions.len(), 3, "{name}");
        for part in &clv.contributions {
            #[expect(clippy::cast_possible_truncation, reason = "whole cents")]
            let own = Money::new(part.points as i64, Currency::USD);
            assert!(part.text.ends_with(&format!(": {own}")), "{name}: {part:?}");
            assert!(!part.text.contains("minor"), "{name}: {part:?}");
            let is_given = value(&features, "purchase.count") == "1"
                && part.feature == "clv.alive_probability";
            assert_eq!(
                part.text.contains("bought on one day only"),
                is_given,
                "{name}: {part:?}"
            );
            let less = part.feature == "clv.alive_probability";
            assert!(!less || part.points <= 0.0, "{name}: {part:?}");
            let more = part.feature == "clv.expected_purchases_12m";
            assert!(!more || part.points >= 0.0, "{name}: {part:?}");
        }
        let repeated = value(&features, "purchase.count") != "1";
        n_repeated += u64::from(repeated);
        let spend = clv
            .contributions
            .iter()
            .find(|part| part.feature == "clv.expected_spend_minor")
            .unwrap();
        // An account of which only the first purchase is known spends what an average one does.
        assert!(repeated || spend.points == 0.0, "{name}: {spend:?}");
    }
    assert!((20..N_BUYERS).contains(&n_repeated), "{n_repeated}");
}

#[tokio::test]
async fn purchase_models_are_the_same_when_they_are_read_back() {
    let world = World::new();
    let mut draw = Draw(SEED);
    println!("seed {SEED}");
    for number in 1..=N_BUYERS {
        let name = format!("buyer{number:03}");
        world.facts([vec![account(&name, "2027-01-01")], draw.purchases(&name)].concat());
    }
    let position = crate::world::position(N_BUYERS);
    let scoring = world.start();
    let before = answers(&scoring, "buyer013", &position).await;
    let clv = before.2.iter().find(|model| model.model == "clv").unwrap();
    assert!(clv.parameters.contains_key("bgnbd.r"), "{clv:?}");
    check_clv(&scoring).await;
    scoring.stop();
    assert_eq!(answers(&world.start(), "buyer013", &position).await, before);
}

#[tokio::test]
async fn a_restart_in_the_middle_of_history_continues_it() {
    let untouched = history::world();
    history::import(&untouched);
    let position = untouched.complete_import(HistorySchedule::Daily);
    let expected = answers(&untouched.start(), "acme", &position).await;

    let world = history::world();
    history::import(&world);
    assert_eq!(world.complete_import(HistorySchedule::Daily), position);
    let failing = Failing::over(world.store.scoring(), 1, usize::MAX);
    let scoring = world.start_over(Arc::<Guarded<Failing>>::clone(&failing));
    failing.guard.failed().await;
    let closes = history::closes(&scoring).await;
    assert_eq!(closes.len(), 32);
    assert!(closes.iter().all(|(_, entry)| entry.backfilling));
    scoring.stop();
    assert_eq!(answers(&world.start(), "acme", &position).await, expected);
}

#[tokio::test]
async fn closes_that_cannot_be_stored_are_taken_up_again() {
    let world = history::world();
    history::import(&world);
    let position = world.complete_import(HistorySchedule::Daily);
    let scoring = world.start_over(Failing::over(world.store.scoring(), 2, 1));
    scoring.features("acme", at(&position)).await.unwrap();
    let closes = history::closes(&scoring).await;
    let days: Vec<_> = closes.into_iter().map(|(day, _)| day).collect();
    assert_eq!(days, history::days("2027-01-15", "2027-04-09"));
}

#[tokio::test]
async fn days_that_passed_while_nothing_ran_are_closed_at_the_start() {
    let world = World::with(1, None);
    let position = world.facts(vec![account("acme", "2027-03-10 08:00")]);
    let scoring = world.start();
    scoring.features("acme", at(&position)).await.unwrap();
    // The first day is not over: nothing is closed yet.
    assert_eq!(scoring.clock().await.closed_on, None);
    scoring.stop();

    world.hand.set(instant("2027-03-13 01:00"));
    // Collected while scoring was away.
    world.facts(vec![event("acme", "ann", "2027-03-11 09:00")]);
    let scoring = world.start();
    let patience = std::time::Duration::from_secs(20);
    let closed = async {
        while scoring.clock().await.closed_on != Some(day("2027-03-12")) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(patience, closed).await.unwrap();
    let closes = history::closes(&scoring).await;
    let days: Vec<_> = closes.iter().map(|(day, _)| *day).collect();
    assert_eq!(days, history::days("2027-03-10", "2027-03-12"));
    assert!(closes.iter().all(|(_, entry)| entry.facts_sequence == 2));
}

#[tokio::test]
async fn a_start_over_a_level_store_closes_what_is_due() {
    let world = World::with(1, None);
    let position = world.facts(vec![account("acme", "2027-03-10 08:00")]);
    let scoring = world.start();
    scoring.features("acme", at(&position)).await.unwrap();
    scoring.stop();
    world.hand.set(instant("2027-03-12 01:00"));
    let scoring = world.start();
    let patience = std::time::Duration::from_secs(20);
    let closed = async {
        while scoring.clock().await.closed_on != Some(day("2027-03-11")) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(patience, closed).await.unwrap();
}
