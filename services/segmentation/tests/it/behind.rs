//! Segmenters that fail, or are not there: the segmentations of others go on, and theirs make up for what they have missed.

use std::time::Duration;

use uuid::Uuid;

use sextant_domain::id::{ExternalId, Slice};
use sextant_proto::common::v1::{FreshnessState, ReadAt};
use sextant_proto::segmentation::v1 as pb;

use crate::world::{Segmentation, World, about, account_ref, as_of, at, end_of, on, reason};

/// Longer than any machine takes.
const PATIENCE: Duration = Duration::from_secs(60);
const PARITY: &str = "parity";

/// One account, in a segmentation of a built-in segmenter and in one that panics where it has 13, after the close of March 9.
async fn closed(world: &World) -> Segmentation {
    let segmentation = world.start_beside(true);
    segmentation.create_tiers().await;
    let parity = segmentation.create(PARITY, "fixture.panicking", "{}").await;
    parity.unwrap();
    world.put(&[("a", 2)]);
    let position = world.close("2027-03-09");
    assert_eq!(look(&segmentation, PARITY, at(&position)).await, even());
    segmentation
}

/// Where the account is in a segmentation, and how fresh that is.
async fn look(
    segmentation: &Segmentation,
    key: &str,
    at: Option<ReadAt>,
) -> (String, FreshnessState) {
    let request = pb::ListMembersRequest {
        segmentation: key.to_owned(),
        at,
        ..pb::ListMembersRequest::default()
    };
    let answer = segmentation
        .client
        .clone()
        .list_members(about(request))
        .await;
    let mut answer = answer.unwrap().into_inner();
    let member = answer.members.pop().unwrap().membership.unwrap();
    (member.segment, answer.freshness.unwrap().state())
}

fn even() -> (String, FreshnessState) {
    ("even".to_owned(), FreshnessState::Fresh)
}

/// Waits until the segmentation is not behind any more.
async fn made_up(segmentation: &Segmentation) {
    let made_up = async {
        while look(segmentation, PARITY, None).await.1 != FreshnessState::Fresh {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, made_up).await.unwrap();
}

async fn failures(segmentation: &Segmentation) -> Vec<(String, bool)> {
    let request = about(pb::ListSegmentationsRequest::default());
    let listed = segmentation
        .client
        .clone()
        .list_segmentations(request)
        .await;
    let all = listed.unwrap().into_inner().segmentations.into_iter();
    all.map(|one| (one.key, !one.failure.is_empty())).collect()
}

/// Proposes what decides already.
fn proposal() -> pb::ProposeRevisionRequest {
    pb::ProposeRevisionRequest {
        segmentation: PARITY.to_owned(),
        request_id: Uuid::now_v7().to_string(),
        ..pb::ProposeRevisionRequest::default()
    }
}

/// Activates what is proposed, whatever its gates say.
fn activation(note: &str) -> pb::ActivateRevisionRequest {
    pb::ActivateRevisionRequest {
        segmentation: PARITY.to_owned(),
        revision: 2,
        accept_diff: true,
        note: note.to_owned(),
        request_id: Uuid::now_v7().to_string(),
    }
}

/// The segments as of the closes from March 9 to 11.
async fn path(segmentation: &Segmentation, known_at: Option<&str>) -> Vec<String> {
    let mut path = Vec::new();
    for day in ["2027-03-09", "2027-03-10", "2027-03-11"] {
        let read = ReadAt {
            as_of: end_of(day),
            known_at: known_at.and_then(on),
            ..ReadAt::default()
        };
        path.push(look(segmentation, PARITY, Some(read)).await.0);
    }
    path
}

#[tokio::test]
async fn a_segmenter_that_fails_leaves_its_own_segmentation_behind() {
    let world = World::new();
    let segmentation = closed(&world).await;
    // It fails at this close whenever it is asked.
    world.put(&[("a", 13)]);
    let position = world.close("2027-03-10");
    let failed = ("even".to_owned(), FreshnessState::Failed);
    assert_eq!(look(&segmentation, PARITY, at(&position)).await, failed);
    world.put(&[("a", 1_500_001)]);
    let position = world.close("2027-03-11");
    let tiers = look(&segmentation, "tiers", at(&position)).await;
    assert_eq!(tiers, ("strategic".to_owned(), FreshnessState::Fresh));
    assert_eq!(look(&segmentation, PARITY, at(&position)).await, failed);
    let expected = [(PARITY.to_owned(), true), ("tiers".to_owned(), false)];
    assert_eq!(failures(&segmentation).await, expected);
    assert_eq!(world.told_behind(Slice(0)).await, [PARITY]);
    let fresh = Some(ReadAt {
        require_fresh_within_ms: 60_000,
        ..ReadAt::default()
    });
    let request = |segmentation: &str| pb::GetMembershipRequest {
        account: Some(account_ref("a")),
        segmentation: segmentation.to_owned(),
        at: fresh.clone(),
    };
    let mut client = segmentation.client.clone();
    let refused = client.get_membership(about(request(PARITY))).await;
    assert_eq!(reason(refused), "FRESHNESS_NOT_MET");
    client
        .get_membership(about(request("tiers")))
        .await
        .unwrap();

    // Now it can be asked: what it has missed is known since then.
    world
        .scoring
        .move_clock(sextant_wire::time::instant(&on("2027-03-12 08:00").unwrap()).unwrap());
    world.scoring.restate("2027-03-10", "a", 4);
    made_up(&segmentation).await;
    assert_eq!(path(&segmentation, None).await, ["even", "even", "odd"]);
    let before = path(&segmentation, Some("2027-03-12 07:59")).await;
    assert_eq!(before, ["even"; 3]);
    assert_eq!(look(&segmentation, PARITY, None).await.0, "odd");
    let expected = [(PARITY.to_owned(), false), ("tiers".to_owned(), false)];
    assert_eq!(failures(&segmentation).await, expected);
    assert!(world.told_behind(Slice(0)).await.is_empty());
}

#[tokio::test]
async fn what_decides_anew_and_fails_is_read_as_before_while_it_is_asked_again() {
    let world = World::new();
    let segmentation = closed(&world).await;
    world.put(&[("a", 13)]);
    let proposal = proposal();
    let mut segmenters = segmentation.segmenters.clone();
    segmenters.propose_revision(about(proposal)).await.unwrap();
    let activation = activation("to see it fail");
    let activated = segmenters.activate_revision(about(activation)).await;
    let decided = activated.unwrap().into_inner().segmentation.unwrap();
    assert_ne!(decided.failure, "");

    let stopped = world.scoring.stop_next_columns();
    stopped.is_there.await.unwrap();
    let request = pb::ListSegmentsRequest {
        segmentation: PARITY.to_owned(),
        ..pb::ListSegmentsRequest::default()
    };
    let mut client = segmentation.client.clone();
    let segments = client.list_segments(about(request)).await.unwrap();
    let segments = segments.into_inner();
    let even = segments.segments[0].accounts;
    let state = segments.freshness.unwrap().state();
    assert_eq!((even, state), (1, FreshnessState::Failed));
    world.put(&[("a", 4)]);
    stopped.go_on.send(()).unwrap();
    made_up(&segmentation).await;
}

#[tokio::test]
async fn what_was_behind_says_so_until_what_decides_anew_has_judged_it() {
    let world = World::new();
    let segmentation = closed(&world).await;
    world.put(&[("a", 13)]);
    let position = world.close("2027-03-10");
    let failed = ("even".to_owned(), FreshnessState::Failed);
    assert_eq!(look(&segmentation, PARITY, at(&position)).await, failed);
    let proposal = proposal();
    let mut segmenters = segmentation.segmenters.clone();
    segmenters.propose_revision(about(proposal)).await.unwrap();
    world.put(&[("a", 5)]);
    let activation = activation("nobody has 13 any more");
    let stopped = world.scoring.stop_next_columns();
    let activating = segmenters.activate_revision(about(activation));
    let looking = async {
        stopped.is_there.await.unwrap();
        assert_eq!(look(&segmentation, PARITY, None).await, failed);
        stopped.go_on.send(()).unwrap();
    };
    let (activated, ()) = tokio::join!(activating, looking);
    activated.unwrap();
    made_up(&segmentation).await;
    assert_eq!(look(&segmentation, PARITY, None).await.0, "odd");
}

#[tokio::test]
async fn segments_are_those_of_what_has_judged_the_accounts() {
    let world = World::new();
    let segmentation = closed(&world).await;
    let proposal = pb::ProposeRevisionRequest {
        segmenter: Some(pb::SegmenterRef {
            segmenter_id: "sextant.value_tiers".to_owned(),
            ..pb::SegmenterRef::default()
        }),
        config: r#"{"mode":"cut_points"}"#.to_owned(),
        ..proposal()
    };
    let mut segmenters = segmentation.segmenters.clone();
    segmenters.propose_revision(about(proposal)).await.unwrap();
    let activation = activation("tiers say more");
    let segments = async || {
        let request = pb::ListSegmentsRequest {
            segmentation: PARITY.to_owned(),
            ..pb::ListSegmentsRequest::default()
        };
        let mut client = segmentation.client.clone();
        let listed = client.list_segments(about(request)).await.unwrap();
        let listed = listed.into_inner();
        let version = listed.freshness.unwrap().definition_version;
        let of = |one: pb::SegmentSummary| (one.segment.unwrap_or_default().key, one.accounts);
        let segments: Vec<_> = listed.segments.into_iter().map(of).collect();
        (version, segments)
    };
    let parity = (1, vec![("even".to_owned(), 1), ("odd".to_owned(), 0)]);
    assert_eq!(segments().await, parity);
    let stopped = world.scoring.stop_next_columns();
    let activating = segmenters.activate_revision(about(activation));
    let looking = async {
        stopped.is_there.await.unwrap();
        assert_eq!(segments().await, parity);
        stopped.go_on.send(()).unwrap();
    };
    let (activated, ()) = tokio::join!(activating, looking);
    activated.unwrap();
    let (version, tiers) = segments().await;
    assert_eq!((version, tiers[0].0.as_str()), (2, "strategic"));
}

#[tokio::test]
async fn a_segmenter_that_is_not_installed_leaves_its_own_segmentation_behind_until_it_is() {
    let world = World::new();
    closed(&world).await.stop();
    let without = world.start_beside(false);
    world.put(&[("a", 3)]);
    world.close("2027-03-10");
    let position = world.close("2027-03-11");
    let failed = ("even".to_owned(), FreshnessState::Failed);
    assert_eq!(look(&without, PARITY, at(&position)).await, failed);
    let tiers = look(&without, "tiers", at(&position)).await;
    assert_eq!(tiers.1, FreshnessState::Fresh);
    let segments = pb::ListSegmentsRequest {
        segmentation: PARITY.to_owned(),
        ..pb::ListSegmentsRequest::default()
    };
    let segments = without.client.clone().list_segments(about(segments)).await;
    let segments = segments.unwrap().into_inner().segments.into_iter();
    let sizes: Vec<_> = segments
        .map(|one| (one.segment.unwrap().key, one.accounts))
        .collect();
    assert_eq!(sizes, [("even".to_owned(), 1)]);
    without.stop();

    let installed = world.start_beside(true);
    made_up(&installed).await;
    assert_eq!(path(&installed, None).await, ["even", "odd", "odd"]);
    assert_eq!(
        look(&installed, PARITY, as_of(end_of("2027-03-11")))
            .await
            .0,
        "odd"
    );
}

#[tokio::test]
async fn a_slice_without_accounts_tells_that_nothing_is_behind_it_any_more() {
    let world = World::new();
    world.scoring.spread(2);
    let slices = [Slice(0), Slice(1)];
    let slice = Slice::of_account(&ExternalId::parse("a").unwrap(), 2);
    let [empty] = slices
        .into_iter()
        .filter(|one| *one != slice)
        .collect::<Vec<_>>()[..]
    else {
        panic!("an account is in one of two slices");
    };
    let installed = world.start_beside(true);
    let parity = installed.create(PARITY, "fixture.panicking", "{}").await;
    parity.unwrap();
    world.put(&[("a", 2)]);
    let position = world.close_in(slice, "2027-03-09");
    assert_eq!(look(&installed, PARITY, at(&position)).await, even());
    installed.stop();

    let without = world.start_beside(false);
    let position = world.close_in(empty, "2027-03-09");
    let failed = ("even".to_owned(), FreshnessState::Failed);
    assert_eq!(look(&without, PARITY, at(&position)).await, failed);
    assert_eq!(world.told_behind(empty).await, [PARITY]);
    assert!(world.told_behind(slice).await.is_empty());
    without.stop();

    let installed = world.start_beside(true);
    made_up(&installed).await;
    assert!(world.told_behind(empty).await.is_empty());
}
