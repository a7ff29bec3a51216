use std::sync::LazyLock;

use super::{Fate, PaidMonth, Truth};
use crate::generate::profile::{Interval, Need, Tier};
use crate::generate::{Company, Dirt, Options};

/// Two companies of 5 000 accounts over three years: about 310 000 paid months, 9 000 losses.
static TRUTHS: LazyLock<Vec<Truth>> = LazyLock::new(|| {
    let mut truths = Vec::new();
    for seed in [11, 12] {
        println!("seed {seed}");
        let options = Options {
            seed,
            accounts: 5_000,
            months: 36,
            dirt: Dirt::Clean,
            ..Options::default()
        };
        let company = Company::new(options).expect("options are in range");
        truths.extend((0..company.accounts()).map(|account| company.truth(account)));
    }
    truths
});

fn share(rows: &[(&Truth, &PaidMonth)], hit: impl Fn(&Truth, &PaidMonth) -> bool) -> f64 {
    let hits = rows
        .iter()
        .filter(|(truth, month)| hit(truth, month))
        .count();
    hits as f64 / rows.len() as f64
}

fn check(name: &str, measured: f64, expected: f64, tolerance: f64) {
    println!("{name}: {measured:.4} (expected {expected} ± {tolerance})");
    assert!(
        (measured - expected).abs() <= tolerance,
        "{name} is {measured}, expected {expected} ± {tolerance}"
    );
}

/// Expected values are those of the dynamics without trials, returns and pauses, over 36 months from a young base. Bounds
/// of rates are about five binomial standard errors, plus what those additions and another mix of ages may shift: 5 % of
/// the rate. Revenue is heavy-tailed (Hill index near 1.1): its mean and top shares get a fifth.
#[test]
fn churn_retention_and_revenue_come_near_the_benchmarks() {
    let truths = &*TRUTHS;
    let rows: Vec<_> = truths
        .iter()
        .flat_map(|truth| truth.months.iter().map(move |month| (truth, month)))
        .collect();
    println!("{} paid months", rows.len());
    let left = |_: &Truth, month: &PaidMonth| month.fate != Fate::Stays;
    check("monthly logo churn", share(&rows, left), 0.0298, 0.0022);
    let involuntary = share(&rows, |_, month| month.fate == Fate::LeavesInvoluntarily);
    check(
        "involuntary share of churn",
        involuntary / share(&rows, left),
        0.19,
        0.025,
    );
    let tiers = [
        (Tier::SelfServe, 0.0412, 0.0045),
        (Tier::Smb, 0.0210, 0.003),
        (Tier::Mid, 0.0095, 0.003),
        (Tier::Enterprise, 0.0053, 0.004),
    ];
    for (tier, expected, tolerance) in tiers {
        let of_tier: Vec<_> = rows
            .iter()
            .filter(|(truth, _)| truth.tier == tier)
            .copied()
            .collect();
        check(tier.as_str(), share(&of_tier, left), expected, tolerance);
    }
    let total: f64 = rows.iter().map(|(_, month)| month.mrr_cents).sum();
    let lost: f64 = rows
        .iter()
        .filter(|(t, m)| left(t, m))
        .map(|(_, month)| month.mrr_after_cents)
        .sum();
    let deltas = rows
        .iter()
        .map(|(_, month)| month.mrr_after_cents - month.mrr_cents);
    let (grown, shrunk) = deltas.fold((0.0, 0.0), |(up, down), delta: f64| {
        (up + delta.max(0.0), down - delta.min(0.0))
    });
    check("gross revenue churn", lost / total, 0.0094, 0.0025);
    check("expansion", grown / total, 0.0113, 0.002);
    check("contraction", shrunk / total, 0.0034, 0.001);
    let mut mrr: Vec<f64> = rows
        .iter()
        .map(|(_, month)| month.mrr_cents / 100.0)
        .collect();
    mrr.sort_by(f64::total_cmp);
    let (median, p90) = (mrr[mrr.len() / 2], mrr[mrr.len() * 9 / 10]);
    check("mean MRR", total / 100.0 / rows.len() as f64, 890.0, 180.0);
    check("median MRR", median, 107.0, 25.0);
    check("90th percentile of MRR", p90, 1_509.0, 220.0);
    check(
        "share of the top 1 %",
        mrr[mrr.len() * 99 / 100..].iter().sum::<f64>() * 100.0 / total,
        0.37,
        0.08,
    );
    check(
        "share of the top 10 %",
        mrr[mrr.len() * 9 / 10..].iter().sum::<f64>() * 100.0 / total,
        0.80,
        0.05,
    );
    let seats = rows
        .iter()
        .map(|(_, month)| f64::from(month.seats))
        .sum::<f64>();
    check("seats", seats / rows.len() as f64, 24.0, 4.0);
}

/// Area under the curve of the drawn probability itself, on monthly contracts: the most that any model can reach.
#[test]
fn the_best_possible_churn_model_is_only_fair() {
    let truths = &*TRUTHS;
    let monthly = truths
        .iter()
        .filter(|truth| truth.interval == Interval::Month)
        .flat_map(|truth| &truth.months);
    let mut rows: Vec<_> = monthly
        .map(|month| (month.leaving_probability, month.fate != Fate::Stays))
        .collect();
    rows.sort_by(|left, right| left.0.total_cmp(&right.0));
    let mut ranks_of_leavers = 0.0;
    let mut leavers = 0.0;
    for (rank, (_, left)) in (1_u32..).zip(&rows) {
        if *left {
            ranks_of_leavers += f64::from(rank);
            leavers += 1.0;
        }
    }
    let stayers = rows.len() as f64 - leavers;
    let auc = (ranks_of_leavers - leavers * (leavers + 1.0) / 2.0) / (leavers * stayers);
    // Standard error about 0.003 with 9 000 leavers.
    check("oracle AUC", auc, 0.716, 0.015);
}

#[test]
fn drawn_probabilities_are_what_happens() {
    let truths = &*TRUTHS;
    let months: Vec<_> = truths
        .iter()
        .flat_map(|truth| &truth.months)
        .filter(|m| m.leaving_probability > 0.0)
        .collect();
    for (low, high) in [(0.0, 0.02), (0.02, 0.05), (0.05, 0.1), (0.1, 1.0)] {
        let bin: Vec<_> = months
            .iter()
            .filter(|m| m.leaving_probability > low && m.leaving_probability <= high)
            .collect();
        let expected: f64 = bin.iter().map(|month| month.leaving_probability).sum();
        let left = bin.iter().filter(|month| month.fate != Fate::Stays).count() as f64;
        println!("{low}–{high}: {left} left, {expected:.0} expected");
        // Months in progress at the end have drawn their fate too; five standard errors.
        assert!((left - expected).abs() < 5.0 * expected.sqrt());
    }
}

#[test]
fn needs_are_spread_evenly_and_do_not_depend_on_size() {
    let truths = &*TRUTHS;
    for tier in [Tier::SelfServe, Tier::Smb] {
        let of_tier = truths.iter().filter(|truth| truth.tier == tier).count() as f64;
        for need in Need::ALL {
            let share = truths
                .iter()
                .filter(|truth| truth.tier == tier && truth.need == need)
                .count() as f64
                / of_tier;
            assert!((share - 0.2).abs() < 0.025, "{need:?} {share}");
        }
    }
}
