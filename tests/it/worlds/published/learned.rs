//! A segmenter that learns from the accounts of a tenant, by features that each configuration names.

use std::env;

use sextant_proto::segmentation::v1::{GetRevisionRequest, ProposeRevisionRequest, Revision};

use crate::worlds::published::{Team, with_seats};
use crate::worlds::records::{accept, membership, now, segments};
use crate::worlds::world::{Shape, request_id, segmentation_of};

const CONFIG: &str = r#"{"counts":["revenue.seats"],"shares":[],"clusters":2}"#;

/// The example by k-means, as cargo has built it beside the tests.
fn clusters() -> String {
    let folder = env::current_exe().unwrap();
    let path = folder.parent().unwrap().join("libexample_clusters.so");
    path.to_str().unwrap().to_owned()
}

/// Accounts with few seats, and with many.
async fn two_groups(team: &Team) -> String {
    let seats = [10, 12, 14, 500, 510].into_iter().enumerate();
    let accounts = seats.flat_map(|(n, seats)| with_seats(&format!("account-{n}"), 8, seats));
    accept(&team.client, accounts.collect()).await
}

/// How many accounts each cluster has.
async fn sizes(team: &Team, position: &str) -> Vec<(String, u64)> {
    let found = segments(&team.client, "groups", &now(position)).await;
    let found = found.into_iter().filter_map(|one| {
        let key = one.segment?.key;
        (one.accounts > 0).then_some((key, one.accounts))
    });
    found.collect()
}

fn counted(sizes: &[(&str, u64)]) -> Vec<(String, u64)> {
    let sizes = sizes
        .iter()
        .map(|(key, accounts)| ((*key).to_owned(), *accounts));
    sizes.collect()
}

async fn revision(team: &Team, revision: u32) -> Revision {
    let request = GetRevisionRequest {
        segmentation: "groups".to_owned(),
        revision,
    };
    let mut segmenters = team.client.segmenters();
    let found = segmenters.get_revision(team.client.request(request)).await;
    found.unwrap().into_inner().revision.unwrap()
}

#[tokio::test]
async fn a_segmentation_answers_from_what_was_learned_also_after_restarts() {
    for shape in [Shape::Embedded, Shape::Apart] {
        let team = Team::start(shape).await;
        team.plugin(&["push", &clusters()]);
        let told = segmentation_of(&team.client, "groups", "example.clusters", CONFIG).await;
        let told = told.unwrap_err();
        assert!(
            told.message().contains("0 accounts of the tenant"),
            "{told}"
        );

        let position = two_groups(&team).await;
        let made = segmentation_of(&team.client, "groups", "example.clusters", CONFIG).await;
        made.unwrap();
        let two = counted(&[("cluster_1", 2), ("cluster_2", 3)]);
        assert_eq!(sizes(&team, &position).await, two);
        let of = async |name: &str| membership(&team.client, name, "groups", &now(&position)).await;
        let large = of("account-4").await;
        let text = &large.reasons[0].text;
        assert!(
            text.starts_with("revenue.seats is 510.00: cluster_1 is around 505.00"),
            "{text}"
        );
        let learned = revision(&team, 1).await.fit.unwrap();
        assert_eq!((learned.accounts, learned.state_digest.len()), (5, 64));

        for role in team.world.roles() {
            team.world.kill_and_restart(role);
        }
        team.world.wait_until_all_serve();
        let team = team.anew().await;
        // Nothing is learned from an account that comes later.
        let position = accept(&team.client, with_seats("account-5", 9, 300).to_vec()).await;
        let three = counted(&[("cluster_1", 3), ("cluster_2", 3)]);
        assert_eq!(sizes(&team, &position).await, three);
        assert_eq!(revision(&team, 1).await.fit, Some(learned));
    }
}

#[tokio::test]
async fn a_proposal_learns_anew_and_decides_when_it_is_activated() {
    for shape in [Shape::Embedded, Shape::Apart] {
        let team = Team::start(shape).await;
        team.plugin(&["push", &clusters()]);
        two_groups(&team).await;
        let made = segmentation_of(&team.client, "groups", "example.clusters", CONFIG).await;
        made.unwrap();
        let position = accept(&team.client, with_seats("account-5", 9, 1_000).to_vec()).await;
        let before = counted(&[("cluster_1", 3), ("cluster_2", 3)]);
        assert_eq!(sizes(&team, &position).await, before);

        let three = CONFIG.replace('2', "3");
        team.plugin(&[
            "propose",
            "groups",
            "--segmenter-config",
            &three,
            "--note",
            "three it is",
        ]);
        let (first, second) = (revision(&team, 1).await, revision(&team, 2).await);
        let (first, second) = (first.fit.unwrap(), second.fit.unwrap());
        assert_eq!((first.accounts, second.accounts), (5, 6));
        assert_ne!(first.state_digest, second.state_digest);
        assert_eq!(sizes(&team, &position).await, before);

        team.accept("groups", "2", "agreed");
        let after = counted(&[("cluster_1", 1), ("cluster_2", 2), ("cluster_3", 3)]);
        assert_eq!(sizes(&team, &position).await, after);
        team.plugin(&["rollback", "groups", "--note", "two it was"]);
        assert_eq!(sizes(&team, &position).await, before);
        assert_eq!(revision(&team, 1).await.fit, Some(first));
    }
}

#[tokio::test]
async fn a_request_that_comes_again_learns_nothing_more() {
    let team = Team::start(Shape::Embedded).await;
    team.plugin(&["push", &clusters()]);
    two_groups(&team).await;
    let made = segmentation_of(&team.client, "groups", "example.clusters", CONFIG).await;
    made.unwrap();
    let request = ProposeRevisionRequest {
        segmentation: "groups".to_owned(),
        config: CONFIG.replace('2', "3"),
        request_id: request_id(),
        ..ProposeRevisionRequest::default()
    };
    let propose = async || {
        let mut segmenters = team.client.segmenters();
        let proposed = segmenters.propose_revision(team.client.request(request.clone()));
        proposed.await.unwrap().into_inner().revision.unwrap()
    };
    let first = propose().await;
    assert_eq!(first.fit.as_ref().unwrap().accounts, 5);
    // There are more accounts now, and what was answered stays.
    accept(&team.client, with_seats("account-5", 9, 1_000).to_vec()).await;
    let second = propose().await;
    assert_eq!((first.revision, first.fit), (second.revision, second.fit));
}

#[tokio::test]
async fn a_configuration_that_names_no_feature_of_the_catalogue_is_refused() {
    let team = Team::start(Shape::Embedded).await;
    team.plugin(&["push", &clusters()]);
    two_groups(&team).await;
    for (config, expected) in [
        (
            r#"{"counts":["revenue.seatz"]}"#,
            "\"revenue.seatz\", which is not among the columns, did you mean \"revenue.seats\"?",
        ),
        (
            r#"{"counts":["firmo.employees"]}"#,
            "\"firmo.employees\" is outside of feature_scope",
        ),
        (
            r#"{"counts":["usage.seat_share"],"shares":[]}"#,
            "has type Float64, the segmenter declares Int64",
        ),
        (
            r#"{"counts":["usage.seat_share"]}"#,
            "\"usage.seat_share\" is among the counts",
        ),
        (r#"{"clusters":17}"#, "17 is above the maximum 16"),
    ] {
        let refused = segmentation_of(&team.client, "groups", "example.clusters", config).await;
        let told = refused.unwrap_err();
        assert!(told.message().contains(expected), "{told}");
    }
}
