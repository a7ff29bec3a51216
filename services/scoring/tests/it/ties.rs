//! How RFM scores accounts with equal values, as the tenant wants it.

use sextant_proto::ingestion::v1::RfmTiePolicy;

use crate::facts::{account, payment};
use crate::world::{Scoring, World, at};

const N_ACCOUNTS: u8 = 100;

fn name(number: u8) -> String {
    format!("a{number:02}")
}

/// A hundred accounts, of which 30 paid once, 30 twice, 30 three times and 10 four times, on so many days from the same one on.
fn script(world: &World) -> String {
    let mut facts = Vec::new();
    for number in 0..N_ACCOUNTS {
        let name = name(number);
        facts.push(account(&name, "2027-03-01"));
        let payments = (1..=1 + number / 30)
            .map(|day| payment(&name, &format!("2027-03-{:02}", 1 + day), 1_000));
        facts.extend(payments);
    }
    world.facts(facts)
}

/// The digits of recency and frequency of every account.
async fn digits(scoring: &Scoring, position: &str) -> Vec<[u8; 2]> {
    let mut digits = Vec::new();
    for number in 0..N_ACCOUNTS {
        let scores = scoring.scores(&name(number), at(position)).await.unwrap();
        let band = scores.scores[0].band.as_bytes();
        digits.push([band[0] - b'0', band[1] - b'0']);
    }
    digits
}

#[tokio::test]
async fn each_policy_scores_one_population_with_ties_in_its_own_way_and_is_read_back() {
    // The quintiles of 1 × 30, 2 × 30, 3 × 30, 4 × 10 are 1, 2, 2.4, 3: a value passes those below it. With R's added 1 they
    // are 2, 3, 3.4, 4, and a value passes the one that it equals. Those of the days since the last one, counted from the
    // newest, 3 × 30, 2 × 30, 1 × 30, 0 × 10, are 1, 1.6, 2, 3; with R's added 1 they are 2, 2.6, 3, 4. They are passed in the
    // same way, and who passes none has a 5. Ranks by account make fifths of twenty.
    let by_value: fn(u8) -> [u8; 2] = |number| {
        let group = usize::from(number / 30);
        [[2, 3, 5, 5][group], [1, 2, 4, 5][group]]
    };
    let as_in_r: fn(u8) -> [u8; 2] = |number| {
        let group = usize::from(number / 30);
        [[2, 4, 5, 5][group], [1, 2, 3, 5][group]]
    };
    let as_in_pandas: fn(u8) -> [u8; 2] = |number| [1 + number / 20; 2];
    for (policy, named, expected) in [
        (RfmTiePolicy::Unspecified, "value_quantile", by_value),
        (RfmTiePolicy::ValueQuantile, "value_quantile", by_value),
        (RfmTiePolicy::RRfmCompat, "r_rfm_compat", as_in_r),
        (
            RfmTiePolicy::PandasRankFirst,
            "pandas_rank_first",
            as_in_pandas,
        ),
    ] {
        let world = World::with_ties(policy);
        let position = script(&world);
        let scoring = world.start();
        let before = digits(&scoring, &position).await;
        let expected: Vec<[u8; 2]> = (0..N_ACCOUNTS).map(expected).collect();
        assert_eq!(before, expected, "{policy:?}");
        let models = scoring.models().await;
        assert_eq!(models[0].model, "rfm");
        assert_eq!(models[0].texts["rfm.tie_policy"], named);
        scoring.stop();
        let scoring = world.start();
        assert_eq!(digits(&scoring, &position).await, expected, "{policy:?}");
        assert_eq!(scoring.models().await, models, "{policy:?}");
    }
}
