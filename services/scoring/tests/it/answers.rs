//! Features and scores of the present, and what a reader may ask for.

use std::time::Duration;

use sextant_domain::feature::{CATALOGUE, CATALOGUE_VERSION};
use sextant_proto::common::v1::{EntityKind, EntityRef, FreshnessState, ReadAt};
use sextant_proto::scoring::v1 as pb;

use crate::facts::{account, day, event, known, on, payment, subscription};
use crate::world::{NOW, World, about, account_ref, at, position, reason, value};

/// One account that subscribes and uses the product.
fn script(world: &World) -> String {
    world.facts(vec![
        account("acme", "2027-01-01"),
        subscription("acme", "2027-01-05", 10, 1_000),
    ]);
    world.facts(vec![
        event("acme", "ann", "2027-03-01 09:00"),
        event("acme", "bob", "2027-03-01 10:00"),
        event("acme", "ann", "2027-03-05 09:00"),
        // Outside of the last 28 days.
        event("acme", "cy", "2027-01-20 09:00"),
    ]);
    world.facts(vec![
        payment("acme", "2027-02-20", 5_000),
        payment("acme", "2027-01-20", 2_500),
    ])
}

#[tokio::test]
async fn features_are_those_of_the_facts() {
    let world = World::new();
    let position = script(&world);
    let answer = world.start().features("acme", at(&position)).await.unwrap();
    let names: Vec<&str> = answer.features.iter().map(|one| &*one.name).collect();
    assert!(
        names
            .iter()
            .eq(CATALOGUE.iter().map(|definition| &definition.name))
    );
    for (name, expected) in [
        ("account.age_days", "68"),
        ("usage.active_days_28d", "2"),
        ("usage.active_users_28d", "2"),
        ("usage.events_28d", "3"),
        ("usage.product_features_28d", "1"),
        ("usage.days_since_active", "5"),
        ("usage.seat_share", "0.2"),
        ("purchase.count", "2"),
        ("purchase.total_minor", "7500"),
        ("purchase.days_since_last", "18"),
        ("revenue.mrr_minor", "10000"),
        ("revenue.arr_minor", "120000"),
        ("revenue.seats", "10"),
        ("subscription.status", "active"),
        ("subscription.churn_kind", ""),
        ("firmo.industry", ""),
        ("rfm.basis", "usage"),
    ] {
        assert_eq!(value(&answer.features, name), expected, "{name}");
    }
    let freshness = answer.freshness.unwrap();
    assert_eq!(freshness.state(), FreshnessState::Fresh);
    assert_eq!(
        (freshness.as_of, freshness.watermark),
        (on(NOW), on("2027-03-05 09:00"))
    );
    assert_eq!((freshness.position), position);
    assert_eq!(freshness.closed_on, Some(day("2027-03-09")));
    assert_eq!(
        freshness.model_version,
        "rfm/2027-03-09, mrr_percentile/2027-03-09"
    );
    assert_eq!(freshness.catalogue_version, CATALOGUE_VERSION);
}

#[tokio::test]
async fn a_score_is_the_sum_of_its_contributions() {
    let world = World::new();
    let position = script(&world);
    let scoring = world.start();
    let features = scoring.features("acme", at(&position)).await.unwrap();
    let scores = scoring.scores("acme", at(&position)).await.unwrap().scores;
    // The account subscribes: there is no model of purchases.
    let [rfm] = scores.as_slice() else {
        panic!("{scores:?}")
    };
    assert_eq!(
        (rfm.model.as_str(), rfm.model_version.as_str()),
        ("rfm", "rfm/2027-03-09")
    );
    let digits: String = ["rfm.recency", "rfm.frequency", "rfm.monetary"]
        .iter()
        .map(|name| value(&features.features, name))
        .collect();
    assert_eq!(
        (rfm.band.as_str(), rfm.value),
        (&*digits, digits.parse().ok())
    );
    let points: f64 = rfm.contributions.iter().map(|part| part.points).sum();
    assert_eq!(points.to_string(), digits);
    assert_eq!(
        rfm.contributions[0].text,
        format!(
            "5 days since the last use: {} of 5",
            value(&features.features, "rfm.recency")
        )
    );
    let texts: Vec<&str> = rfm.contributions.iter().map(|part| &*part.text).collect();
    assert!(texts[1].starts_with("2 active days of 28: "), "{texts:?}");
    assert!(texts[2].starts_with("MRR of 100.00 USD: "), "{texts:?}");
    assert!(rfm.missing.is_empty() && rfm.coverage.to_string() == "1");
    assert_eq!(rfm.state(), pb::ScoreState::Known);
}

#[tokio::test]
async fn a_score_says_which_moment_and_which_knowledge_it_is_of() {
    let world = World::new();
    let position = script(&world);
    let scoring = world.start();
    let before = scoring.scores("acme", at(&position)).await.unwrap();
    // A fact of today changes the score, and the model of the last close stays.
    let position = world.facts(vec![event("acme", "ann", "2027-03-10 11:00")]);
    let after = scoring.scores("acme", at(&position)).await.unwrap();
    let (before, after) = (&before.scores[0], &after.scores[0]);
    assert_ne!(after.value, before.value);
    assert_eq!(after.model_version, "rfm/2027-03-09");
    assert_eq!((after.as_of, after.known_at), (on(NOW), None));
    let read = ReadAt {
        as_of: on("2027-03-09 12:00"),
        known_at: on("2027-03-09 15:00"),
        ..ReadAt::default()
    };
    let past = scoring.scores("acme", Some(read)).await.unwrap();
    let as_of = past.freshness.unwrap().as_of;
    assert_eq!(past.scores[0].as_of, as_of);
    assert_eq!(past.scores[0].known_at, on("2027-03-09 15:00"));
}

#[tokio::test]
async fn an_account_that_was_never_active_is_scored_without_what_is_missing() {
    let world = World::new();
    script(&world);
    let position = world.facts(vec![account("silent", "2027-02-01")]);
    let scoring = world.start();
    let scores = scoring.scores("silent", at(&position)).await.unwrap();
    let rfm = &scores.scores[0];
    assert_eq!((rfm.value, rfm.band.as_str()), (None, ""));
    // What it would be scored by, and among how many accounts, is known all the same.
    let answer = scoring.features("silent", at(&position)).await.unwrap();
    for (name, expected) in [
        ("rfm.basis", "usage"),
        ("rfm.recency", ""),
        ("revenue.paying_accounts", "1"),
        ("revenue.mrr_percentile", ""),
    ] {
        assert_eq!(value(&answer.features, name), expected, "{name}");
    }
    assert!(rfm.missing.contains(&"usage.days_since_active".to_owned()));
    assert!(rfm.coverage < 1.0 && rfm.contributions.is_empty());
    assert_eq!(rfm.state(), pb::ScoreState::InsufficientData);
    assert_eq!(rfm.model_version, "rfm/2027-03-09");
}

const DIGITS: [&str; 3] = ["rfm.recency", "rfm.frequency", "rfm.monetary"];

/// A score says that there is no model, and what is missing.
fn is_without_model(score: &pb::Score, model: &str, missing: &[&str]) {
    assert_eq!(score.model, model);
    assert_eq!(score.state(), pb::ScoreState::NoModel);
    assert_eq!((score.value, score.band.as_str()), (None, ""));
    assert_eq!(score.coverage.to_string(), "0");
    assert_eq!(score.model_version, "");
    assert_eq!(score.missing, missing);
    assert!(score.contributions.is_empty());
    assert_eq!(score.as_of, on(NOW));
}

#[tokio::test]
async fn an_account_before_the_first_close_is_told_that_there_is_no_model() {
    let world = World::new();
    let position = world.facts(vec![
        account("acme", "2027-03-10 09:00"),
        subscription("acme", "2027-03-10 09:00", 10, 1_000),
        event("acme", "ann", "2027-03-10 10:00"),
    ]);
    let scoring = world.start();
    let answer = scoring.scores("acme", at(&position)).await.unwrap();
    let [rfm] = answer.scores.as_slice() else {
        panic!("{answer:?}")
    };
    is_without_model(rfm, "rfm", &DIGITS);
    assert_eq!(answer.freshness.unwrap().closed_on, None);

    let position = world.advance("2027-03-11 12:00");
    let answer = scoring.scores("acme", at(&position)).await.unwrap();
    assert_eq!(answer.scores[0].state(), pb::ScoreState::Known);
}

#[tokio::test]
async fn a_close_that_nobody_could_be_scored_at_made_no_model() {
    let world = World::new();
    // What the first close knows are accounts without any use or payment.
    world.facts(vec![account("acme", "2027-03-09")]);
    let position = world.facts(vec![
        account("silent", "2027-03-10 09:00"),
        subscription("acme", "2027-03-10 09:00", 10, 1_000),
        event("acme", "ann", "2027-03-10 10:00"),
    ]);
    let scoring = world.start();
    let answer = scoring.scores("acme", at(&position)).await.unwrap();
    assert_eq!(answer.freshness.unwrap().closed_on, Some(day("2027-03-09")));
    is_without_model(&answer.scores[0], "rfm", &DIGITS);
    let answer = scoring.scores("silent", at(&position)).await.unwrap();
    let inputs = [
        "usage.days_since_active",
        "usage.active_days_28d",
        "revenue.mrr_minor",
    ];
    is_without_model(&answer.scores[0], "rfm", &[inputs, DIGITS].concat());
}

#[tokio::test]
async fn accounts_that_buy_are_told_that_there_is_no_model_of_their_purchases() {
    let world = World::new();
    world.facts(vec![account("acme", "2027-03-01")]);
    let position = world.facts(vec![payment("acme", "2027-03-02", 5_000)]);
    let scoring = world.start();
    let answer = scoring.scores("acme", at(&position)).await.unwrap();
    let [rfm, clv] = answer.scores.as_slice() else {
        panic!("{answer:?}")
    };
    assert_eq!(rfm.state(), pb::ScoreState::Known);
    let missing = [
        "clv.expected_purchases_12m",
        "clv.alive_probability",
        "clv.expected_spend_minor",
    ];
    is_without_model(clv, "clv", &missing);
}

#[tokio::test]
async fn accounts_that_are_not_there_are_named() {
    let world = World::new();
    let position = script(&world);
    let scoring = world.start();
    scoring.features("acme", at(&position)).await.unwrap();
    let refused = scoring.features("other", None).await.unwrap_err();
    assert!(refused.message().contains("other"), "{}", refused.message());
    assert_eq!(reason::<()>(Err(refused)), "ACCOUNT_UNKNOWN");
    assert_eq!(
        reason(scoring.scores("other", None).await),
        "ACCOUNT_UNKNOWN"
    );
    let user = EntityRef {
        kind: EntityKind::User.into(),
        ..account_ref("acme")
    };
    let request = pb::GetScoresRequest {
        account: Some(user),
        at: None,
    };
    assert_eq!(
        reason(scoring.client().get_scores(about(request)).await),
        "FIELD_INVALID"
    );
}

#[tokio::test]
async fn a_reader_waits_for_its_own_write() {
    let world = World::new();
    script(&world);
    let scoring = world.start();
    let second = position(4);
    let waiting = scoring.features("acme", at(&second));
    let writing = async { world.facts(vec![event("acme", "cy", "2027-03-10 11:00")]) };
    let (answer, _) = tokio::join!(waiting, writing);
    assert_eq!(
        value(&answer.unwrap().features, "usage.days_since_active"),
        "0"
    );
}

#[tokio::test]
async fn a_position_that_does_not_come_ends_with_the_deadline() {
    let world = World::new();
    let position_of_script = script(&world);
    let scoring = world.start();
    scoring
        .features("acme", at(&position_of_script))
        .await
        .unwrap();
    let mut request = about(pb::GetFeaturesRequest {
        account: Some(account_ref("acme")),
        at: at(&position(99)),
    });
    request.set_timeout(Duration::from_millis(200));
    assert_eq!(
        reason(scoring.client().get_features(request).await),
        "POSITION_NOT_REACHED"
    );
    let foreign = scoring.features("acme", at("nonsense")).await;
    assert_eq!(reason(foreign), "POSITION_INVALID");
}

#[tokio::test]
async fn a_moment_is_answered_once_the_clock_has_reached_it() {
    let world = World::new();
    let first = script(&world);
    let scoring = world.start();
    let read = |moment: &str, known_at: &str, position: &str| {
        Some(ReadAt {
            as_of: on(moment),
            known_at: on(known_at),
            at_least_position: position.to_owned(),
            ..ReadAt::default()
        })
    };
    let later = "2027-03-10 13:00";
    let now = scoring.scores("acme", read(NOW, NOW, &first)).await;
    assert_eq!(now.unwrap().freshness.unwrap().as_of, on(NOW));
    for (moment, known_at, field) in [(later, NOW, "at.as_of"), (NOW, later, "at.known_at")] {
        let ahead = || read(moment, known_at, &first);
        let refused = scoring.features("acme", ahead()).await.unwrap_err();
        let expected = format!(
            "{field}: 2027-03-10T13:00:00Z is ahead of the tenant's clock, which has reached 2027-03-10T12:00:00Z"
        );
        assert!(refused.message().starts_with(&expected), "{refused:?}");
        assert_eq!(refused.code(), tonic::Code::InvalidArgument);
        assert_eq!(reason::<()>(Err(refused)), "FIELD_INVALID");
        assert_eq!(
            reason(scoring.scores("acme", ahead()).await),
            "FIELD_INVALID"
        );
    }
    // The caller knows of a move of the clock of which this service hears only now.
    let second = position(4);
    let waiting = scoring.features("acme", read(later, later, &second));
    let clock = scoring.clock_at(&second);
    let moving = async { world.advance(later) };
    let (answer, clock, moved) = tokio::join!(waiting, clock, moving);
    assert_eq!(answer.unwrap().freshness.unwrap().as_of, on(later));
    assert_eq!((clock.now, moved), (on(later), second));
}

#[tokio::test]
async fn the_catalogue_comes_in_pages() {
    let scoring = World::new().start();
    let mut names = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListFeatureDefinitionsRequest {
            page_size: 10,
            page_token,
        };
        let answer = scoring
            .client()
            .list_feature_definitions(about(request))
            .await
            .unwrap()
            .into_inner();
        assert!(answer.definitions.len() <= 10);
        names.extend(answer.definitions.into_iter().map(|one| one.name));
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert!(
        names
            .iter()
            .eq(CATALOGUE.iter().map(|definition| definition.name))
    );
}

#[tokio::test]
async fn models_come_in_pages_of_the_size_asked_for_and_foreign_tokens_are_refused() {
    let world = World::new();
    let position = script(&world);
    let scoring = world.start();
    scoring.features("acme", at(&position)).await.unwrap();
    let all = scoring.models().await;
    // From the first day of the account to the day before the clock.
    assert_eq!(all.len(), 68 * 3);
    assert_eq!(all[0].model_version, "rfm/2027-03-09");
    let mut some_token = String::new();
    for page_size in [1, 2, 3, 31, 204] {
        let full = usize::try_from(page_size).unwrap();
        let mut paged = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = pb::ListModelsRequest {
                page_size,
                page_token,
            };
            let answer = scoring.client().list_models(about(request)).await;
            let answer = answer.unwrap().into_inner();
            assert_eq!(answer.models.len(), full.min(all.len() - paged.len()));
            paged.extend(answer.models);
            page_token = answer.next_page_token;
            if page_token.is_empty() {
                break;
            }
            some_token.clone_from(&page_token);
        }
        assert_eq!(paged, all, "pages of {page_size}");
    }

    let foreign = pb::ListFeatureDefinitionsRequest {
        page_size: 0,
        page_token: some_token,
    };
    let refused = scoring
        .client()
        .list_feature_definitions(about(foreign))
        .await;
    assert_eq!(reason(refused), "PAGE_TOKEN_INVALID");
}

#[tokio::test]
async fn moving_the_clock_closes_the_days_in_between() {
    let world = World::new();
    let position = script(&world);
    let scoring = world.start();
    let before = scoring.features("acme", at(&position)).await.unwrap();
    let later = world.advance("2027-03-12 06:00");
    let after = scoring.features("acme", at(&later)).await.unwrap();
    let age = |answer: &pb::GetFeaturesResponse| value(&answer.features, "account.age_days");
    assert_eq!((&*age(&before), &*age(&after)), ("68", "70"));
    let clock = scoring.clock().await;
    assert_eq!((clock.now, clock.fixed), (on("2027-03-12 06:00"), true));
    assert_eq!(clock.closed_on, Some(day("2027-03-11")));
}

#[tokio::test]
async fn facts_that_come_before_they_happen_count_when_their_moment_has_come() {
    let world = World::new();
    script(&world);
    let sent = world.facts(vec![
        known(NOW, event("acme", "dan", "2027-03-10 20:00")),
        known(NOW, event("acme", "eve", "2027-03-11 02:00")),
        known(NOW, payment("acme", "2027-03-10 20:00", 1_000)),
    ]);
    let scoring = world.start();
    let counted = |answer: &pb::GetFeaturesResponse| {
        let names = [
            "usage.events_28d",
            "usage.active_users_28d",
            "usage.days_since_active",
            "purchase.count",
        ];
        names.map(|name| value(&answer.features, name)).join(" ")
    };
    let before = scoring.features("acme", at(&sent)).await.unwrap();
    assert_eq!(counted(&before), "3 2 5 2");
    let watermark = before.freshness.unwrap().watermark;
    assert_eq!(watermark, on("2027-03-05 09:00"));

    let still = world.advance("2027-03-10 19:59");
    let answer = scoring.features("acme", at(&still)).await.unwrap();
    assert_eq!(counted(&answer), "3 2 5 2");
    let reached = world.advance("2027-03-10 20:00");
    let answer = scoring.features("acme", at(&reached)).await.unwrap();
    assert_eq!(counted(&answer), "4 3 0 3");
    scoring.stop();

    // Read back from the store, it is the same.
    let scoring = world.start();
    let answer = scoring.features("acme", at(&reached)).await.unwrap();
    assert_eq!(counted(&answer), "4 3 0 3");
    let next_day = world.advance("2027-03-11 02:00");
    let answer = scoring.features("acme", at(&next_day)).await.unwrap();
    assert_eq!(counted(&answer), "5 4 0 3");
}
