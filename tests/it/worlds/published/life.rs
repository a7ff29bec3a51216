//! Watched in the shadow of what decides, activated, taken back.

use serde_json::Value;
use tonic::Status;

use sextant::installation::Role;
use sextant_proto::segmentation::v1::{ActivateRevisionRequest, Segmentation};

use crate::worlds::published::{Team, column, with_seats};
use crate::worlds::records::{accept, membership, now};
use crate::worlds::world::{Shape, request_id, segmentation_by};

/// A team whose first version decides, and whose second one is proposed: an account with 50 seats would become small.
async fn watched(shape: Shape) -> (Team, String, Value) {
    let team = Team::start(shape).await;
    let published = team.plugin(&["push", &team.version("1.0.0", 50)]);
    assert_eq!(published["segmenters"][0]["state"], "ready", "{published}");
    segmentation_by(&team.client, "seats", "acme.seats", "{}").await;
    let position = team.ten_accounts().await;
    assert_eq!(team.sizes(&position).await, (4, 6));
    let second = team.version("1.1.0", 60);
    let proposed = team.plugin(&[
        "push",
        &second,
        "--segmentation",
        "seats",
        "--note",
        "sixty it is",
    ]);
    (team, position, proposed)
}

#[tokio::test]
async fn a_proposed_revision_is_watched_and_decides_nothing() {
    let (team, position, watched) = watched(Shape::Embedded).await;
    let told = |of: &Value| {
        let accounts = of["accounts"].as_u64().unwrap();
        let minor = of["mrr_minor"]["minor"].as_i64().unwrap();
        (of["from"].clone(), of["to"].clone(), accounts, minor)
    };
    let moves: Vec<_> = watched["moves"]
        .as_array()
        .unwrap()
        .iter()
        .map(told)
        .collect();
    assert_eq!(
        moves,
        [
            ("large".into(), "small".into(), 1, 50_000),
            ("large".into(), "large".into(), 5, 400_000),
            ("small".into(), "small".into(), 4, 100_000),
        ],
        "{watched}"
    );
    assert_eq!(watched["moves"][0]["examples"][0], "account-5");
    assert_eq!(team.sizes(&position).await, (4, 6));
}

#[tokio::test]
async fn what_a_segmenter_measures_is_scraped_with_its_id() {
    for shape in [Shape::Embedded, Shape::Apart] {
        let (team, _, _) = watched(shape).await;
        let text = team.world.scrape(Role::Segmentation);
        let measured: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("sextant_segmenter_counter_total{"))
            .collect();
        let [line] = measured[..] else {
            panic!("{shape:?}: {measured:?} in\n{text}")
        };
        let (labels, instances) = line.rsplit_once(' ').unwrap();
        let of = "{sextant_name=\"instances\",sextant_segmenter=\"acme.seats\"}";
        assert!(labels.ends_with(of), "{line}");
        assert!(instances.parse::<u64>().unwrap() > 0, "{line}");
    }
}

#[tokio::test]
async fn a_revision_decides_for_all_accounts_from_its_activation_on_also_after_restarts() {
    for shape in [Shape::Embedded, Shape::Apart] {
        let (team, position, _) = watched(shape).await;
        let activated = team.plugin(&["activate", "seats"]);
        assert_eq!(activated["segmentations"][0]["version"], 2);
        assert_eq!(activated["segmentations"][0]["segmenter_version"], "1.1.0");
        assert_eq!(team.sizes(&position).await, (5, 5));
        let of = async |name: &str| membership(&team.client, name, "seats", &now(&position)).await;
        let (moved, stayed) = (of("account-5").await, of("account-6").await);
        assert_eq!(
            (moved.segment.as_str(), moved.segmentation_version),
            ("small", 2)
        );
        assert_eq!(
            (stayed.segment.as_str(), stayed.segmentation_version),
            ("large", 1)
        );
        assert_ne!(moved.plugin_digest, stayed.plugin_digest);

        for role in team.world.roles() {
            team.world.kill_and_restart(role);
        }
        team.world.wait_until_all_serve();
        let team = team.anew().await;
        let [_, changed] = with_seats("account-9", 9, 55);
        let position = accept(&team.client, vec![changed]).await;
        assert_eq!(team.sizes(&position).await, (6, 4));
    }
}

#[tokio::test]
async fn a_roll_back_returns_to_what_decided_before_and_everything_is_told() {
    for shape in [Shape::Embedded, Shape::Apart] {
        let (team, position, _) = watched(shape).await;
        team.plugin(&["activate", "seats"]);
        assert_eq!(team.sizes(&position).await, (5, 5));
        let back = ["rollback", "seats", "--note", "fifty it was"];
        let rolled_back = team.plugin(&back);
        assert_eq!(rolled_back["segmentations"][0]["version"], 3);
        assert_eq!(
            rolled_back["segmentations"][0]["segmenter_version"],
            "1.0.0"
        );
        assert_eq!(team.sizes(&position).await, (4, 6));
        let told = team.refused(&back);
        assert!(told.contains("has no revision to go back to"), "{told}");

        let listed = team.plugin(&["list", "--segmentation", "seats"]);
        assert_eq!(column(&listed, "revisions", "state"), ["retired", "active"]);
        let events = team.plugin(&["events", "--segmentation", "seats"]);
        assert_eq!(
            column(&events, "events", "action"),
            ["rolled_back", "activated", "proposed"]
        );
        assert_eq!(
            column(&events, "events", "why"),
            ["fifty it was".into(), Value::Null, "sixty it is".into()]
        );
        // The version that nothing is decided by any more can end, and the other one cannot.
        let retired = team.plugin(&["retire", "acme.seats", "--segmenter-version", "1.1.0"]);
        assert_eq!(retired["segmenters"][0]["state"], "retired");
        let told = team.refused(&["retire", "acme.seats", "--segmenter-version", "1.0.0"]);
        assert!(told.contains("can be retired: \"seats\" of"), "{told}");
        assert!(told.contains("is decided by it"), "{told}");
    }
}

#[tokio::test]
async fn a_revision_that_would_move_too_much_needs_a_word() {
    let (team, position, _) = watched(Shape::Embedded).await;
    team.plugin(&[
        "push",
        &team.version("2.0.0", 90),
        "--segmentation",
        "seats",
    ]);
    let shown = team.plugin(&["diff", "seats"]);
    let gates = shown["gates"].as_array().unwrap().iter();
    let failed: Vec<_> = gates
        .filter(|gate| gate["passed"] == "no")
        .map(|gate| gate["gate"].clone())
        .collect();
    assert_eq!(failed, ["moved_accounts", "moved_revenue"], "{shown}");

    let told = team.refused(&["activate", "seats"]);
    assert!(
        told.contains("moved_accounts (40.0 % of the accounts, at most 15 %)"),
        "{told}"
    );
    assert!(told.contains("GATES_NOT_PASSED"), "{told}");
    let told = team.refused(&["activate", "seats", "--accept-diff", "3"]);
    assert!(told.contains("must say why"), "{told}");
    assert_eq!(team.sizes(&position).await, (4, 6));
    team.accept("seats", "3", "agreed with sales");
    assert_eq!(team.sizes(&position).await, (8, 2));
}

#[tokio::test]
async fn who_accepts_a_difference_accepts_no_other_one_that_was_proposed_meanwhile() {
    let (team, position, _) = watched(Shape::Embedded).await;
    // Somebody else proposes while the first one is talked about.
    team.plugin(&[
        "push",
        &team.version("1.2.0", 10),
        "--segmentation",
        "seats",
    ]);
    let accepted = [
        "activate",
        "seats",
        "--accept-diff",
        "2",
        "--note",
        "agreed",
    ];
    let told = team.refused(&accepted);
    assert!(told.contains("revision 2 is retired"), "{told}");
    let told = team.refused(&["activate", "seats", "--revision", "2"]);
    assert!(told.contains("revision 2 is retired"), "{told}");
    assert_eq!(team.sizes(&position).await, (4, 6));
    team.accept("seats", "3", "ten it is");
    assert_eq!(team.sizes(&position).await, (0, 10));
}

#[tokio::test]
async fn a_configuration_is_a_revision_too() {
    let (team, position, _) = watched(Shape::Embedded).await;
    let told = team.refused(&["propose", "seats", "--segmenter-config", "{\"unit\":1}"]);
    assert!(told.contains("/unit"), "{told}");
    let proposed = team.plugin(&[
        "propose",
        "seats",
        "--segmenter-config",
        "{\"unit\":\"chair\"}",
    ]);
    assert_eq!(proposed["revisions"][0]["config"], "{\"unit\":\"chair\"}");
    assert_eq!(proposed["revisions"][0]["version"], "1.0.0");
    team.plugin(&["activate", "seats"]);
    assert_eq!(team.sizes(&position).await, (4, 6));
}

async fn activate(team: &Team, request_id: &str) -> Result<Segmentation, Status> {
    let request = ActivateRevisionRequest {
        segmentation: "seats".to_owned(),
        request_id: request_id.to_owned(),
        ..ActivateRevisionRequest::default()
    };
    let mut segmenters = team.client.segmenters();
    let answer = segmenters
        .activate_revision(team.client.request(request))
        .await?;
    Ok(answer.into_inner().segmentation.unwrap())
}

#[tokio::test]
async fn an_activation_whose_process_dies_is_made_once_and_for_all_accounts() {
    for (shape, role) in [
        (Shape::Embedded, Role::All),
        (Shape::Apart, Role::Segmentation),
    ] {
        for moment in ["before", "after"] {
            let (team, position, _) = watched(shape).await;
            team.world.restart_dying(role, ["segmentation", moment]);
            team.world.wait_until_all_serve();
            let team = team.anew().await;
            let request = request_id();
            activate(&team, &request).await.unwrap_err();
            team.world.wait_for_death(role).await;
            team.world.kill_and_restart(role);
            team.world.wait_until_all_serve();
            let team = team.anew().await;
            // Nobody has asked again: where it was stored, accounts are judged by it already.
            let expected = if moment == "after" { (5, 5) } else { (4, 6) };
            assert_eq!(team.sizes(&position).await, expected, "{shape:?} {moment}");
            for _delivery in 0..2 {
                let activated = activate(&team, &request).await.unwrap();
                assert_eq!((activated.version, activated.revision), (2, 2));
            }
            assert_eq!(team.sizes(&position).await, (5, 5), "{shape:?} {moment}");
        }
    }
}
