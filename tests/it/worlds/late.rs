//! What becomes known late changes the present and leaves what was known alone.

use std::collections::BTreeMap;

use prost_types::Timestamp;

use sextant::client::Client;
use sextant_proto::common::v1::ReadAt;
use sextant_proto::ingestion::v1::{Record, Verdict, VerdictKind};

use crate::worlds::records::{
    accept, account, accounts_in, advance, as_known, at, canceled, event, feature, last_instant_of,
    membership, now, revenue, revenue_by, score, segments, send, subscription,
};
use crate::worlds::world::{Shape, World, segmentation, tenant};

/// What is said about the account that paid nothing, about the use of another, and about the revenue of all.
#[derive(Debug, Clone, PartialEq)]
struct Picture {
    active_days: Option<i64>,
    scores: [Option<String>; 2],
    stage: String,
    mrr_minor: i64,
    accounts: u64,
}

async fn picture(client: &Client, at: &ReadAt) -> Picture {
    let mut scores = [None, None];
    for (band, account) in scores.iter_mut().zip(["a01", "a02"]) {
        *band = score(client, account, "rfm", at)
            .await
            .map(|score| score.band);
    }
    Picture {
        active_days: feature(client, "a01", "usage.active_days_28d", at).await,
        scores,
        stage: membership(client, "a01", "lifecycle", at).await.segment,
        mrr_minor: revenue(client, at).await.total.unwrap().mrr_minor,
        accounts: accounts_in(client, "lifecycle", at).await,
    }
}

/// Ten accounts that use the product on 1 to 10 days of February; all but the first one pay 10 dollars.
fn february() -> Vec<Record> {
    let mut records = Vec::new();
    for number in 1..=10 {
        let name = format!("a{number:02}");
        records.push(account(&name, at("2026-01-05T00:00")));
        if number > 1 {
            records.push(subscription(&name, at("2026-01-10T00:00"), 1, 1_000));
        }
        for day in 1..=number {
            records.push(event(
                &name,
                "u",
                at(&format!("2026-02-{:02}T10:00", 10 + day)),
            ));
        }
    }
    records
}

/// What is said of an account before anybody has told of it.
fn premature() -> Vec<Record> {
    vec![
        subscription("a11", at("2026-02-10T00:00"), 1, 2_000),
        event("a11", "u", at("2026-02-12T10:00")),
    ]
}

/// The first two accounts' own February, as it turns out to have been, and an account that nobody had heard of.
fn correction() -> Vec<Record> {
    let mut records = vec![
        account("a11", at("2026-01-20T00:00")),
        subscription("a01", at("2026-02-01T00:00"), 5, 1_000),
    ];
    for day in 12..=24 {
        let time = at(&format!("2026-02-{day}T10:00"));
        records.push(event("a01", "u", time));
        records.push(event("a02", "late", time));
    }
    records
}

#[tokio::test]
async fn late_records_change_todays_answers_and_not_yesterdays() {
    for shape in [Shape::Embedded, Shape::Apart] {
        let world = World::start(shape).await;
        let client = tenant(&world.client(), "late", at("2026-02-25T12:00")).await;
        segmentation(&client, "lifecycle").await;
        accept(&client, february()).await;
        let waits = send(&client, premature()).await.unwrap();
        let kinds = waits.verdicts.iter().map(Verdict::kind);
        assert_eq!(kinds.collect::<Vec<_>>(), [VerdictKind::Held; 2]);
        let position = advance(&client, at("2026-02-27T12:00")).await.unwrap();

        let yesterday = at("2026-02-26T12:00");
        let first = picture(&client, &as_known(yesterday, &position)).await;
        let before = picture(&client, &now(&position)).await;
        assert_eq!(
            (before.active_days, before.mrr_minor, before.accounts),
            (Some(1), 9_000, 10),
            "{shape:?}"
        );
        assert_eq!(before.stage, "prospect", "{shape:?}");
        assert_eq!(
            first, before,
            "{shape:?}: nothing happened between the two days"
        );
        let unheard_of = as_known(at("2026-02-20T12:00"), &position);
        assert_eq!(
            accounts_in(&client, "lifecycle", &unheard_of).await,
            0,
            "{shape:?}: an account is in no segment before it is known"
        );

        let position = accept(&client, correction()).await;
        let after = picture(&client, &now(&position)).await;
        assert_eq!(
            (after.active_days, after.mrr_minor, after.accounts),
            (Some(14), 16_000, 11),
            "{shape:?}: with what had waited for its account"
        );
        assert_eq!(after.stage, "onboarding", "{shape:?}");
        assert_ne!(after.scores[0], before.scores[0], "{shape:?}");
        assert_ne!(after.scores[1], before.scores[1], "{shape:?}");
        let as_known_then = picture(&client, &as_known(yesterday, &position)).await;
        assert_eq!(as_known_then, first, "{shape:?}: what was known stays");

        let position = advance(&client, at("2026-03-02T12:00")).await.unwrap();
        let as_known_then = picture(&client, &as_known(yesterday, &position)).await;
        assert_eq!(
            as_known_then, first,
            "{shape:?}: and stays after more closes"
        );
        world.end().await;
    }
}

/// A read of a past moment with all that is known by a position.
fn as_learned(moment: Timestamp, position: &str) -> ReadAt {
    ReadAt {
        as_of: Some(moment),
        ..now(position)
    }
}

/// Accounts and revenue by stage: as segmentation and metrics sum them up, and account by account.
async fn check_stages(client: &Client, n_accounts: u32, at: &ReadAt) {
    let mut expected: BTreeMap<String, (u64, i64)> = BTreeMap::new();
    for number in 1..=n_accounts {
        let name = format!("a{number:02}");
        let stage = membership(client, &name, "lifecycle", at).await.segment;
        let mrr_minor = feature(client, &name, "revenue.mrr_minor", at).await;
        let (accounts, revenue) = expected.entry(stage).or_default();
        *accounts += 1;
        *revenue += mrr_minor.unwrap_or(0);
    }
    let mut counts = BTreeMap::new();
    for summary in segments(client, "lifecycle", at).await {
        let key = summary.segment.map(|segment| segment.key);
        if summary.accounts > 0 {
            counts.insert(key.unwrap_or_default(), summary.accounts);
        }
    }
    let mut revenues = BTreeMap::new();
    for one in revenue_by(client, "lifecycle", at).await.segments {
        revenues.insert(one.segment, one.mrr_minor);
    }
    for (stage, (accounts, mrr_minor)) in &expected {
        assert_eq!(counts.get(stage), Some(accounts), "{stage}: {counts:?}");
        assert_eq!(
            revenues.get(stage),
            Some(mrr_minor),
            "{stage}: {revenues:?}"
        );
    }
    assert_eq!(counts.len(), expected.len(), "{counts:?}, {expected:?}");
}

#[tokio::test]
async fn what_is_learned_late_is_in_the_past_as_it_is_known_now() {
    for shape in [Shape::Embedded, Shape::Apart] {
        let world = World::start(shape).await;
        let client = tenant(&world.client(), "learned", at("2026-02-25T12:00")).await;
        segmentation(&client, "lifecycle").await;
        accept(&client, february()).await;
        let position = advance(&client, at("2026-02-27T12:00")).await.unwrap();
        let moment = at("2026-02-20T12:00");
        let learned = as_learned(moment, &position);
        let before = membership(&client, "a01", "lifecycle", &learned).await;
        assert_eq!(before.segment, "prospect", "{shape:?}");
        check_stages(&client, 10, &learned).await;

        let position = accept(&client, correction()).await;
        let learned = as_learned(moment, &position);
        let after = membership(&client, "a01", "lifecycle", &learned).await;
        // It pays since the first of February.
        assert_eq!(after.segment, "onboarding", "{shape:?}");
        assert_eq!(after.entered_at, Some(last_instant_of("2026-02-01")));
        assert_eq!(after.known_at, Some(at("2026-02-27T12:00")));
        check_stages(&client, 11, &learned).await;
        // The clock stood at noon when the correction came.
        let known_before = ReadAt {
            known_at: Some(at("2026-02-27T11:59")),
            ..learned.clone()
        };
        let then = membership(&client, "a01", "lifecycle", &known_before).await;
        assert_eq!(then, before, "{shape:?}: what was known stays");
        let present = membership(&client, "a01", "lifecycle", &now(&position)).await;
        assert_eq!(present.entered_at, after.entered_at, "{shape:?}");

        let position = advance(&client, at("2026-03-02T12:00")).await.unwrap();
        let learned = as_learned(moment, &position);
        let later = membership(&client, "a01", "lifecycle", &learned).await;
        assert_eq!(later, after, "{shape:?}: and stays so after more closes");
        check_stages(&client, 11, &learned).await;
        world.end().await;
    }
}

#[tokio::test]
async fn what_follows_from_the_segment_of_the_day_before_follows_from_the_corrected_one() {
    let world = World::start(Shape::Embedded).await;
    let client = tenant(&world.client(), "chain", at("2026-02-25T12:00")).await;
    segmentation(&client, "lifecycle").await;
    accept(&client, february()).await;
    let position = advance(&client, at("2026-02-27T12:00")).await.unwrap();
    let moments = [
        "2026-02-04T12:00",
        "2026-02-06T12:00",
        "2026-02-09T12:00",
        "2026-02-26T12:00",
    ];
    let stages = async |position: &str| {
        let mut stages = Vec::new();
        for moment in moments {
            let learned = as_learned(at(moment), position);
            stages.push(
                membership(&client, "a02", "lifecycle", &learned)
                    .await
                    .segment,
            );
        }
        let present = membership(&client, "a02", "lifecycle", &now(position)).await;
        stages.push(present.segment);
        stages
    };
    let before = stages(&position).await;
    assert_eq!(
        before,
        [
            "onboarding",
            "onboarding",
            "onboarding",
            "adopting",
            "adopting"
        ]
    );

    // It had left for three days, and is won back since: of each day because it was so on the day before.
    let back = subscription("a02", at("2026-02-08T00:00"), 1, 1_000);
    let left = canceled(at("2026-01-10T00:00"), "a02", at("2026-02-05T00:00"));
    let position = accept(&client, vec![left, back]).await;
    let after = stages(&position).await;
    let expected = [
        "onboarding",
        "churned_voluntary",
        "won_back",
        "won_back",
        "won_back",
    ];
    assert_eq!(after, expected);
    let position = advance(&client, at("2026-03-02T12:00")).await.unwrap();
    assert_eq!(stages(&position).await, expected);
    world.end().await;
}

#[tokio::test]
async fn what_a_tenant_sends_first_is_in_the_present_although_past_days_are_closed_after_it() {
    for shape in [Shape::Embedded, Shape::Apart] {
        let world = World::start(shape).await;
        let client = tenant(&world.client(), "first", at("2026-02-25T12:00")).await;
        segmentation(&client, "lifecycle").await;
        let position = accept(&client, february()).await;
        membership(&client, "a02", "lifecycle", &now(&position)).await;
        // What another account does is evaluated after those closes.
        let use_of_another = vec![event("a10", "u", at("2026-02-25T11:00"))];
        let position = accept(&client, use_of_another).await;
        let stage = membership(&client, "a02", "lifecycle", &now(&position)).await;
        // It has paid since the tenth of January, longer than onboarding lasts.
        assert_eq!(stage.segment, "adopting", "{shape:?}");
        world.end().await;
    }
}
