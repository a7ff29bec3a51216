use sextant_plugin_host::{Plugin, discover};

use super::*;

fn built_in(id: &str) -> Plugin {
    let folder = std::env::current_exe().unwrap();
    let found = discover(folder.parent().unwrap());
    let mut found = found.into_iter().map(Result::unwrap);
    found.find(|plugin| plugin.descriptor().id == id).unwrap()
}

/// True when a move between two segments is downward.
fn down(plugin: &Plugin, from: &str, to: &str) -> bool {
    let known = |key: &str| {
        let segments = &plugin.descriptor().segments;
        assert!(segments.iter().any(|segment| segment.key == key), "{key}");
        Standing::new(MembershipState::Member, key)
    };
    is_downward(plugin.descriptor(), Some(&known(from)), &known(to))
}

const PAYING: [&str; 4] = ["established", "adopting", "won_back", "onboarding"];

#[test]
fn a_stage_of_trouble_is_below_every_stage_before_it_and_the_way_back_is_up() {
    let lifecycle = built_in("sextant.lifecycle");
    let mut worse = vec![
        ("trial", "trial_expired"),
        ("trial", "prospect"),
        ("trial", "past_due"),
        ("trial", "cancel_scheduled"),
        ("trial", "churned_voluntary"),
        ("trial", "churned_involuntary"),
        ("prospect", "trial_expired"),
        ("past_due", "cancel_scheduled"),
        ("past_due", "paused"),
        ("past_due", "churned_voluntary"),
        ("past_due", "churned_involuntary"),
        ("cancel_scheduled", "paused"),
        ("cancel_scheduled", "churned_voluntary"),
        ("cancel_scheduled", "churned_involuntary"),
        ("paused", "churned_voluntary"),
        ("paused", "churned_involuntary"),
        // Paid again, and lost the habit on the way.
        ("established", "adopting"),
    ];
    for stage in PAYING {
        worse.push((stage, "past_due"));
        worse.push((stage, "cancel_scheduled"));
        worse.push((stage, "paused"));
        worse.push((stage, "churned_voluntary"));
        worse.push((stage, "churned_involuntary"));
        // To a subscription that costs nothing.
        worse.push((stage, "prospect"));
    }
    for (from, to) in worse {
        assert!(down(&lifecycle, from, to), "{from} to {to}");
        assert!(!down(&lifecycle, to, from), "{to} to {from}");
    }
}

#[test]
fn progress_is_never_downward() {
    let lifecycle = built_in("sextant.lifecycle");
    let mut better = vec![
        ("prospect", "trial"),
        ("trial_expired", "trial"),
        ("onboarding", "adopting"),
        ("onboarding", "established"),
        ("adopting", "established"),
        ("won_back", "established"),
        ("churned_voluntary", "trial"),
        ("churned_involuntary", "trial"),
    ];
    for stage in PAYING {
        better.push(("prospect", stage));
        better.push(("trial", stage));
        better.push(("trial_expired", stage));
        better.push(("past_due", stage));
        better.push(("cancel_scheduled", stage));
        better.push(("paused", stage));
        better.push(("churned_voluntary", stage));
        better.push(("churned_involuntary", stage));
    }
    better.retain(|(from, to)| from != to);
    for (from, to) in better {
        assert!(!down(&lifecycle, from, to), "{from} to {to}");
        assert!(down(&lifecycle, to, from), "{to} to {from}");
    }
}

#[test]
fn between_equals_no_move_is_downward() {
    let lifecycle = built_in("sextant.lifecycle");
    for (one, other) in [
        ("adopting", "won_back"),
        ("churned_voluntary", "churned_involuntary"),
    ] {
        assert!(!down(&lifecycle, one, other), "{one} to {other}");
        assert!(!down(&lifecycle, other, one), "{other} to {one}");
    }
}

#[test]
fn buying_more_recently_or_more_often_is_never_downward() {
    let rfm = built_in("sextant.rfm");
    // Rows from recency 5 to 1, columns from frequency 1 to 5.
    let cells = [
        [
            "new",
            "potential_loyalist",
            "potential_loyalist",
            "champions",
            "champions",
        ],
        [
            "promising",
            "potential_loyalist",
            "potential_loyalist",
            "loyal",
            "loyal",
        ],
        [
            "about_to_sleep",
            "about_to_sleep",
            "need_attention",
            "loyal",
            "loyal",
        ],
        [
            "hibernating",
            "hibernating",
            "at_risk",
            "at_risk",
            "cant_lose",
        ],
        ["lost", "hibernating", "at_risk", "at_risk", "cant_lose"],
    ];
    for (above, below) in cells.iter().zip(&cells[1..]) {
        for (better, worse) in above.iter().zip(below) {
            assert!(!down(&rfm, worse, better), "{worse} to {better}");
        }
    }
    for row in cells {
        for (worse, better) in row.iter().zip(&row[1..]) {
            assert!(!down(&rfm, worse, better), "{worse} to {better}");
        }
    }
    assert!(down(&rfm, "champions", "loyal") && down(&rfm, "loyal", "cant_lose"));
    // It says of the other names only that none of them fits.
    assert!(!down(&rfm, "champions", "others") && !down(&rfm, "others", "lost"));
}

#[test]
fn a_lower_value_tier_is_downward() {
    let tiers = built_in("sextant.value_tiers");
    let keys = ["strategic", "high", "medium", "low", "not_paying"];
    for (position, from) in keys.iter().enumerate() {
        for to in &keys[position + 1..] {
            assert!(down(&tiers, from, to), "{from} to {to}");
            assert!(!down(&tiers, to, from), "{to} to {from}");
        }
    }
}
