use std::collections::BTreeSet;

use super::{FEATURES, GROUP, KEYS, mixture, rank};
use crate::generate::draw::{Draw, Purpose};
use crate::generate::profile::Need;

#[test]
fn each_need_ranks_every_feature_once_and_its_own_first() {
    for group in 0..Need::ALL.len() {
        let ranks: BTreeSet<u32> = (0..FEATURES).map(|feature| rank(group, feature)).collect();
        assert_eq!(ranks, (1..=40).collect());
        assert!((group * GROUP..(group + 1) * GROUP).all(|feature| rank(group, feature) <= 8));
    }
}

#[test]
fn feature_keys_are_distinct() {
    assert_eq!(KEYS.iter().collect::<BTreeSet<_>>().len(), FEATURES);
}

#[test]
fn an_account_uses_the_features_of_its_need_most() {
    for (group, need) in Need::ALL.into_iter().enumerate() {
        for account in 0..50 {
            let edges = mixture(need, &mut Draw::new(1, account, Purpose::Usage));
            let share = |group: usize| {
                let before = if group == 0 {
                    0.0
                } else {
                    edges[group * GROUP - 1]
                };
                edges[(group + 1) * GROUP - 1] - before
            };
            assert!(
                (0..Need::ALL.len()).all(|other| other == group || share(other) < share(group))
            );
            assert!((edges[FEATURES - 1] - 1.0).abs() < 1e-9);
        }
    }
}
