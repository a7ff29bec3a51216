//! What segmentations are decided by: it may be used, and is what was judged, when that is stored.

use tonic::Code;
use uuid::Uuid;

use sextant_domain::id::{ExternalId, Slice};
use sextant_proto::segmentation::v1 as pb;
use sextant_wire::status::reason_of;

use crate::world::{Segmentation, TIERS, World, about, at};

/// A report of the first version, with one gate.
fn report(passed: bool) -> pb::ShadowDiff {
    pb::ShadowDiff {
        segmentation_version: 1,
        gates: vec![pb::ShadowGate {
            name: "moved_accounts".to_owned(),
            passed,
            ..pb::ShadowGate::default()
        }],
        ..pb::ShadowDiff::default()
    }
}

/// Proposes what decides already, and says that it passes.
async fn propose(world: &World, segmentation: &Segmentation) -> u32 {
    let request = pb::ProposeRevisionRequest {
        segmentation: TIERS.to_owned(),
        request_id: Uuid::now_v7().to_string(),
        ..pb::ProposeRevisionRequest::default()
    };
    let mut segmenters = segmentation.segmenters.clone();
    let proposed = segmenters.propose_revision(about(request)).await.unwrap();
    let revision = proposed.into_inner().revision.unwrap().revision;
    world.report(revision, &report(true)).await;
    revision
}

#[tokio::test]
async fn what_decides_anew_decides_in_slices_without_accounts_too() {
    let world = World::new();
    world.scoring.spread(2);
    let segmentation = world.start();
    segmentation.create_tiers().await;
    world.put(&[("a", 60_000)]);
    let own = Slice::of_account(&ExternalId::parse("a").unwrap(), 2);
    let empty = Slice(1 - own.0);
    world.close_in(empty, "2027-03-09");
    let position = world.close_in(own, "2027-03-09");
    segmentation.membership("a", at(&position)).await.unwrap();
    let revision = propose(&world, &segmentation).await;
    let request = pb::ActivateRevisionRequest {
        segmentation: TIERS.to_owned(),
        revision,
        request_id: Uuid::now_v7().to_string(),
        ..pb::ActivateRevisionRequest::default()
    };
    let mut segmenters = segmentation.segmenters.clone();
    segmenters.activate_revision(about(request)).await.unwrap();
    let judged_by = async |segmentation: &Segmentation| {
        let request = pb::ListMembersRequest {
            segmentation: TIERS.to_owned(),
            ..pb::ListMembersRequest::default()
        };
        let mut client = segmentation.client.clone();
        let listed = client.list_members(about(request)).await.unwrap();
        listed.into_inner().freshness.unwrap().definition_version
    };
    assert_eq!(judged_by(&segmentation).await, 2);
    // Also for whoever reads it from the store.
    segmentation.stop();
    assert_eq!(judged_by(&world.start()).await, 2);
}

#[tokio::test]
async fn a_report_that_comes_while_a_revision_is_activated_is_judged() {
    let world = World::new();
    let segmentation = world.start();
    segmentation.create_tiers().await;
    world.put(&[("a", 60_000), ("b", 60_000)]);
    let position = world.close("2027-03-09");
    segmentation.membership("a", at(&position)).await.unwrap();
    let revision = propose(&world, &segmentation).await;

    let request = about(pb::ActivateRevisionRequest {
        segmentation: TIERS.to_owned(),
        revision,
        request_id: Uuid::now_v7().to_string(),
        ..pb::ActivateRevisionRequest::default()
    });
    // What was told before is taken in behind the first look at the gates.
    let stopped = world.scoring.stop_next_columns();
    world.close_unheard("2027-03-10");
    let mut segmenters = segmentation.segmenters.clone();
    let newer = async {
        stopped.is_there.await.unwrap();
        world.report(revision, &report(false)).await;
        stopped.go_on.send(()).unwrap();
    };
    let (refused, ()) = tokio::join!(segmenters.activate_revision(request), newer);
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    assert_eq!(reason_of(&refused).as_deref(), Some("GATES_NOT_PASSED"));
}

#[tokio::test]
async fn what_was_taken_out_of_use_meanwhile_is_refused_when_it_is_stored() {
    let world = World::new();
    let segmentation = world.start();
    let tiers = segmentation.create_tiers().await;
    world.put(&[("a", 60_000)]);
    let position = world.close("2027-03-09");
    segmentation.membership("a", at(&position)).await.unwrap();
    let revision = propose(&world, &segmentation).await;
    world.retire_unheard(&tiers.plugin_digest).await;

    let config = r#"{"mode":"cut_points"}"#;
    let created = segmentation.create("other", "sextant.value_tiers", config);
    let mut segmenters = segmentation.segmenters.clone();
    let activation = pb::ActivateRevisionRequest {
        segmentation: TIERS.to_owned(),
        revision,
        request_id: Uuid::now_v7().to_string(),
        ..pb::ActivateRevisionRequest::default()
    };
    let refusals = [
        created.await.unwrap_err(),
        segmenters
            .activate_revision(about(activation))
            .await
            .unwrap_err(),
    ];
    for refused in refusals {
        assert_eq!(reason_of(&refused).as_deref(), Some("SEGMENTER_STATE"));
        assert_eq!(
            refused.message(),
            "segmenter \"acme.health\" 1.0.0 was taken out of use; nothing was stored"
        );
    }
}
