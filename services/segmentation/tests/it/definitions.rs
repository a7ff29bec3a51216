//! Putting segmenters to use.

use uuid::Uuid;

use sextant_proto::methods;
use sextant_proto::segmentation::v1 as pb;

use crate::world::{Segmentation, TIERS, World, about, at, creation, on, reason};

const TIERS_ID: &str = "sextant.value_tiers";

async fn all(segmentation: &Segmentation) -> Vec<pb::Segmentation> {
    let request = pb::ListSegmentationsRequest::default();
    let mut client = segmentation.client.clone();
    let answer = client.list_segmentations(about(request)).await.unwrap();
    answer.into_inner().segmentations
}

#[tokio::test]
async fn a_new_segmentation_has_its_defaults_filled_in_and_is_listed() {
    let world = World::new();
    let segmentation = world.start();
    let made = segmentation.create_tiers().await;
    assert_eq!((made.key.as_str(), made.version), (TIERS, 1));
    assert_eq!(made.plugin_digest.len(), 64);
    for part in [
        r#""mode":"cut_points""#,
        r#""high_from_minor":200000"#,
        r#""currency_digits":2"#,
    ] {
        assert!(made.config.contains(part), "{}", made.config);
    }
    assert_eq!(all(&segmentation).await, [made]);
}

#[tokio::test]
async fn amounts_in_reasons_have_the_digits_of_the_tenants_currency_unless_it_is_said_otherwise() {
    for (base, config, digits, amount) in [
        ("JPY", "", 0, "1,500,000 a month"),
        ("KWD", "{}", 3, "1,500.000 a month"),
        ("USD", r#"{"mode":"cut_points"}"#, 2, "15,000.00 a month"),
        ("JPY", r#"{"currency_digits":1}"#, 1, "150,000.0 a month"),
    ] {
        let world = World::new();
        world.scoring.counts_in(base);
        let segmentation = world.start();
        world.put(&[("gold", 1_500_000)]);
        let position = world.close("2027-03-09");
        let made = segmentation.create(TIERS, TIERS_ID, config).await.unwrap();
        let filled_in = format!("\"currency_digits\":{digits}");
        assert!(made.config.contains(&filled_in), "{base}: {}", made.config);
        let gold = segmentation.membership("gold", at(&position)).await;
        let gold = gold.unwrap();
        let reasons = format!("{:?}", gold.reasons);
        assert!(reasons.contains(amount), "{base}: {reasons}");
    }
    // A segmenter that shows no amounts has no such property, and is not given one.
    let world = World::new();
    let segmentation = world.start();
    let stages = segmentation.create("stages", "sextant.lifecycle", "");
    assert!(!stages.await.unwrap().config.contains("currency"));
}

#[tokio::test]
async fn accounts_that_are_there_are_evaluated_at_once() {
    let world = World::new();
    let segmentation = world.start();
    segmentation.create("first", TIERS_ID, "").await.unwrap();
    world.put(&[("gold", 1_500_000)]);
    world.close("2027-03-09");
    let position = world.change("2027-03-10 10:00", &[("gold", 1_600_000)]);
    let waiting = pb::ListSegmentsRequest {
        segmentation: "first".to_owned(),
        at: at(&position),
        ..pb::ListSegmentsRequest::default()
    };
    let mut client = segmentation.client.clone();
    client.list_segments(about(waiting)).await.unwrap();
    segmentation.create_tiers().await;
    let gold = segmentation.membership("gold", None).await.unwrap();
    assert_eq!(gold.segment, "strategic");
    assert_eq!(gold.entered_at, on("2027-03-10 10:00"));
    assert!(gold.provisional);
}

#[tokio::test]
async fn requests_that_cannot_be_are_refused_with_the_field() {
    let world = World::new();
    let segmentation = world.start();
    let long = "k".repeat(65);
    for (key, id, config, expected, part) in [
        ("", TIERS_ID, "", "FIELD_INVALID", "1 to 64"),
        ("Tiers", TIERS_ID, "", "FIELD_INVALID", "lower-case"),
        (&long, TIERS_ID, "", "FIELD_INVALID", "1 to 64"),
        ("a", "sextant.none", "", "SEGMENTER_UNKNOWN", "sextant.rfm"),
        ("a", TIERS_ID, "{", "CONFIG_INVALID", ""),
        (
            "a",
            TIERS_ID,
            r#"{"mode":"dice"}"#,
            "CONFIG_INVALID",
            "/mode",
        ),
        (
            "a",
            TIERS_ID,
            r#"{"high_percentile":101}"#,
            "CONFIG_INVALID",
            "/high_percentile",
        ),
        (
            "a",
            TIERS_ID,
            r#"{"high_percentile":50}"#,
            "CONFIG_INVALID",
            "medium_percentile",
        ),
    ] {
        let refused = segmentation.create(key, id, config).await.unwrap_err();
        let message = format!("{} {:?}", refused.message(), refused.details());
        assert!(refused.message().contains(part), "{message}");
        assert_eq!(reason::<()>(Err(refused)), expected, "{message}");
    }
    let without_id = creation(TIERS, TIERS_ID, "");
    assert_eq!(
        reason(segmentation.create_with(without_id).await),
        "FIELD_MISSING"
    );
    let nothing = pb::CreateSegmentationRequest::default();
    assert_eq!(
        reason(segmentation.create_with(nothing).await),
        "FIELD_MISSING"
    );
    assert_eq!(all(&segmentation).await, []);
}

#[tokio::test]
async fn a_repeated_request_gives_the_first_answer_and_another_one_is_refused() {
    let world = World::new();
    let segmentation = world.start();
    let request = pb::CreateSegmentationRequest {
        request_id: Uuid::now_v7().to_string(),
        ..creation(TIERS, TIERS_ID, "")
    };
    let made = segmentation.create_with(request.clone()).await.unwrap();
    let again = segmentation.create_with(request.clone()).await.unwrap();
    assert_eq!(again, made);
    let reused = pb::CreateSegmentationRequest {
        request_id: request.request_id,
        ..creation("other", TIERS_ID, "")
    };
    assert_eq!(
        reason(segmentation.create_with(reused).await),
        "REQUEST_ID_REUSED"
    );
    let taken = segmentation.create(TIERS, "sextant.rfm", "").await;
    assert_eq!(reason(taken), "ALREADY_EXISTS");
    assert_eq!(all(&segmentation).await, [made]);
}

#[tokio::test]
async fn every_change_is_made_once_whichever_process_its_request_reaches_and_when() {
    let is_read = |rpc: &&&str| {
        ["Get", "List", "Watch"]
            .iter()
            .any(|verb| rpc.starts_with(verb))
    };
    let changes: Vec<&&str> = methods::SEGMENTATION_SEGMENTATION_SERVICE
        .iter()
        .filter(|rpc| !is_read(rpc))
        .collect();
    assert_eq!(
        changes,
        [&"CreateSegmentation"],
        "repeat the new one here too"
    );

    let world = World::new();
    world.put(&[("acme", 100), ("bolt", 1_000_000)]);
    let position = world.close("2027-03-09");
    let both = [world.start(), world.start()];
    for segmentation in &both {
        // Both have the tenant in memory, as it was before.
        let unknown = segmentation.membership("acme", at(&position)).await;
        assert_eq!(reason(unknown), "SEGMENTATION_UNKNOWN");
    }
    let request = pb::CreateSegmentationRequest {
        request_id: Uuid::now_v7().to_string(),
        ..creation(TIERS, TIERS_ID, r#"{"mode":"cut_points"}"#)
    };
    let first = both[0].create_with(request.clone()).await.unwrap();
    let reused = || pb::CreateSegmentationRequest {
        request_id: request.request_id.clone(),
        ..creation("other", TIERS_ID, "")
    };
    for segmentation in [&both[1], &world.start()] {
        let again = segmentation.create_with(request.clone()).await.unwrap();
        assert_eq!(again, first);
        assert_eq!(
            reason(segmentation.create_with(reused()).await),
            "REQUEST_ID_REUSED"
        );
        assert_eq!(all(segmentation).await, std::slice::from_ref(&first));
        let transitions = pb::ListTransitionsRequest {
            segmentation: TIERS.to_owned(),
            ..pb::ListTransitionsRequest::default()
        };
        let mut client = segmentation.client.clone();
        let told = client.list_transitions(about(transitions)).await.unwrap();
        assert_eq!(told.into_inner().transitions.len(), 2, "evaluated once");
    }
}

#[tokio::test]
async fn validating_answers_and_changes_nothing() {
    let world = World::new();
    let segmentation = world.start();
    let request = pb::CreateSegmentationRequest {
        validate_only: true,
        ..creation(TIERS, TIERS_ID, "")
    };
    let checked = segmentation.create_with(request).await.unwrap();
    assert!(checked.config.contains(r#""mode":"quantile""#));
    assert_eq!(all(&segmentation).await, []);
}
