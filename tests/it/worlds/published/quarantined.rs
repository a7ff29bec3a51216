//! What fails too often is taken out of use by the service itself.

use std::time::Duration;

use tokio::time::Instant;

use sextant_proto::segmentation::v1::{
    ListMembersRequest, ListSegmentationsRequest, ListSegmenterEventsRequest, ListSegmentsRequest,
    SegmenterAction,
};

use crate::worlds::published::{LONGEST_WAIT, Team, column, with_seats};
use crate::worlds::records::{accept, ask, at, membership, now};
use crate::worlds::seats::{CRASHES, Seats};
use crate::worlds::world::{Shape, segmentation_by, tenant};

/// A tenant that is idle for a second leaves memory at the next look, which is a second later at most.
const UNTIL_IDLE: Duration = Duration::from_secs(3);

impl Team {
    /// Waits until the segmentation has gone back by itself; what was done before that.
    async fn wait_for_the_way_back(&self) -> SegmenterAction {
        let give_up = Instant::now() + LONGEST_WAIT;
        loop {
            let request = ListSegmenterEventsRequest::default();
            let answer = ask!(self.client, segmenters.list_segmenter_events, request);
            let mut actions = answer.events.iter().map(|event| event.action());
            if actions.next() == Some(SegmenterAction::RolledBack) {
                return actions.next().unwrap();
            }
            assert!(Instant::now() < give_up, "{:?}", answer.events);
        }
    }

    /// Waits until every account is judged anew.
    async fn wait_until_all_are_judged(&self, position: &str) {
        let give_up = Instant::now() + LONGEST_WAIT;
        let request = ListMembersRequest {
            segmentation: "seats".to_owned(),
            at: Some(now(position)),
            ..ListMembersRequest::default()
        };
        loop {
            let answer = ask!(self.client, segmentation.list_members, request);
            let members = answer.members.iter();
            let mut members = members.filter_map(|member| member.membership.as_ref());
            if members.all(|one| one.trouble.is_empty()) {
                return;
            }
            assert!(Instant::now() < give_up);
        }
    }
}

#[tokio::test]
async fn a_segmenter_that_keeps_failing_leaves_and_the_one_before_decides_again() {
    for shape in [Shape::Embedded, Shape::Apart] {
        let team = Team::start(shape).await;
        // The first version crashes with nobody, the second with some.
        let seats = |version, crashes| {
            team.compile(Seats {
                version,
                crashes,
                ..Seats::default()
            })
        };
        team.plugin(&["push", &seats("1.0.0", 1_000_000)]);
        segmentation_by(&team.client, "seats", "acme.seats", "{}").await;
        team.ten_accounts().await;
        team.plugin(&["push", &seats("1.1.0", CRASHES), "--segmentation", "seats"]);
        team.plugin(&["activate", "seats"]);

        let mut position = String::new();
        for n in 1..=3 {
            let name = format!("account-{n}");
            let [_, fatal] = with_seats(&name, 8 + n, CRASHES + u64::from(n));
            position = accept(&team.client, vec![fatal]).await;
            // Each is an incident of its own, for the rows are not alike.
            membership(&team.client, &name, "seats", &now(&position)).await;
        }
        // Nobody has to do anything, and all accounts are judged.
        let before = team.wait_for_the_way_back().await;
        assert_eq!(before, SegmenterAction::Quarantined);
        team.wait_until_all_are_judged(&position).await;
        assert_eq!(team.sizes(&position).await, (1, 9));

        let listed = team.plugin(&["list"]);
        let listed = listed["segmenters"].as_array().unwrap();
        let bad = listed.iter().find(|one| one["version"] == "1.1.0").unwrap();
        assert_eq!(bad["state"], "quarantined");
        assert!(bad["why"].as_str().unwrap().contains("SIGSEGV"), "{bad}");
        let again = ["--segmenter", "acme.seats", "--segmenter-version", "1.1.0"];
        let told = team.refused(&[&["propose", "seats"][..], &again].concat());
        assert!(told.contains("is in quarantine"), "{told}");
        let version = ["acme.seats", "--segmenter-version", "1.1.0"];
        let told = team.refused(&[&["release"][..], &version].concat());
        assert!(told.contains("must say why"), "{told}");
        let released = [&["release"][..], &version, &["--note", "tried again"]].concat();
        assert_eq!(team.plugin(&released)["segmenters"][0]["state"], "ready");
    }
}

#[tokio::test]
async fn a_configuration_that_fails_for_everybody_is_left_and_the_segmenter_goes_on_with_the_other_one()
 {
    for shape in [Shape::Embedded, Shape::Apart] {
        let team = Team::start(shape).await;
        team.plugin(&["push", &team.version("1.0.0", 50)]);
        segmentation_by(&team.client, "seats", "acme.seats", "{}").await;
        let position = team.ten_accounts().await;
        let config = r#"{"unit":"crash"}"#;
        team.plugin(&["propose", "seats", "--segmenter-config", config]);
        let activated = team.accept("seats", "2", "tried all the same");
        let told = activated["segmentations"][0]["failure"].as_str();
        assert!(
            told.is_some_and(|told| told.contains("SIGABRT")),
            "{activated}"
        );
        // Without news of any account.
        let before = team.wait_for_the_way_back().await;
        assert_eq!(before, SegmenterAction::Activated);
        team.wait_until_all_are_judged(&position).await;
        assert_eq!(team.sizes(&position).await, (4, 6));
        let listed = team.plugin(&["list"]);
        assert_eq!(listed["segmenters"][0]["state"], "ready", "{listed}");
        let revisions = team.plugin(&["list", "--segmentation", "seats"]);
        assert_eq!(
            column(&revisions, "revisions", "state"),
            ["retired", "active"]
        );
        let [_, changed] = with_seats("account-9", 9, 10);
        let position = accept(&team.client, vec![changed]).await;
        team.wait_until_all_are_judged(&position).await;
    }
}

/// What a tenant asks a segmenter for is no reason to take it from another one, even if nobody asks for that one at present.
#[tokio::test]
async fn a_configuration_of_one_tenant_takes_no_segmenter_from_another_one_that_is_not_in_memory() {
    for shape in [Shape::Embedded, Shape::Apart] {
        let team = Team::start_with(shape, &["cache.tenant_idle_s=1".to_owned()]).await;
        team.plugin(&["push", &team.version("1.0.0", 50)]);
        segmentation_by(&team.client, "seats", "acme.seats", "{}").await;
        team.ten_accounts().await;
        let installation = team.world.client();
        let other = tenant(&installation, "other", at("2026-02-01T12:00")).await;
        let accounts = (1..=5).flat_map(|n| with_seats(&format!("account-{n}"), 1, 60));
        accept(&other, accounts.collect()).await;
        tokio::time::sleep(UNTIL_IDLE).await;
        segmentation_by(&other, "boom", "acme.seats", r#"{"unit":"crash"}"#).await;
        let give_up = Instant::now() + LONGEST_WAIT;
        loop {
            let request = ListSegmentationsRequest::default();
            let listed = ask!(other, segmentation.list_segmentations, request);
            if listed.segmentations[0].failure.contains("SIGABRT") {
                break;
            }
            assert!(Instant::now() < give_up, "{listed:?}");
        }
        // A process says that it has a new version after it has looked at what fails, and is waited for.
        let team = team.anew().await;
        team.plugin(&[
            "push",
            &team.version("1.1.0", 60),
            "--segmentation",
            "seats",
        ]);
        team.plugin(&["activate", "seats"]);
        // It is looked at what fails once more, and the version can still be taken back to.
        team.plugin(&["push", &team.version("1.2.0", 70)]);
        let listed = team.plugin(&["list"]);
        let states = column(&listed, "segmenters", "state");
        assert!(states.iter().all(|state| state == "ready"), "{listed}");
        team.plugin(&["rollback", "seats", "--note", "as before"]);
        let revisions = team.plugin(&["list", "--segmentation", "seats"]);
        let states = column(&revisions, "revisions", "state");
        assert_eq!(states, ["retired", "active"], "{revisions}");
    }
}

#[tokio::test]
async fn an_operator_takes_a_version_out_of_use_and_segmentations_leave_it_at_once() {
    let team = Team::start(Shape::Embedded).await;
    team.plugin(&["push", &team.version("1.0.0", 50)]);
    segmentation_by(&team.client, "seats", "acme.seats", "{}").await;
    let position = team.ten_accounts().await;
    team.plugin(&[
        "push",
        &team.version("1.1.0", 60),
        "--segmentation",
        "seats",
    ]);
    team.plugin(&["activate", "seats"]);
    assert_eq!(team.sizes(&position).await, (5, 5));
    team.plugin(&["quarantine", "acme.seats", "--note", "found a fault"]);
    assert_eq!(team.sizes(&position).await, (4, 6));
    // What has no revision before stays as it was, and says that it is behind.
    let only = ["--segmenter-version", "1.0.0", "--note", "this one, too"];
    team.plugin(&[&["quarantine", "acme.seats"][..], &only].concat());
    let [_, changed] = with_seats("account-9", 9, 10);
    let position = accept(&team.client, vec![changed]).await;
    assert_eq!(team.sizes(&position).await, (4, 6));
    let request = ListSegmentsRequest {
        segmentation: "seats".to_owned(),
        ..ListSegmentsRequest::default()
    };
    let listed = ask!(team.client, segmentation.list_segments, request).segments;
    let titles = listed
        .into_iter()
        .filter_map(|one| Some(one.segment?.title));
    assert_eq!(titles.collect::<Vec<_>>(), ["Small", "Large"]);
    let shown = team
        .world
        .cli(&["segmentations", "list", "--tenant", "seats", "-o", "json"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("is in quarantine: this one, too"), "{shown}");
    let logs = team.plugin(&["logs", "acme.seats", "--segmenter-version", "1.0.0"]);
    assert!(logs["lines"].is_array());
}
