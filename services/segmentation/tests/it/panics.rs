//! Segmenters that panic: what they are asked next, they are asked again.

use sextant_proto::segmentation::v1 as pb;

use crate::world::{Segmentation, TIERS, World, about, as_of, at, end_of};

/// A tenant of two accounts after a close.
async fn closed(world: &World) -> Segmentation {
    let segmentation = world.start_panicking();
    let created = segmentation.create(TIERS, "fixture.panicking", "{}").await;
    created.unwrap();
    world.put(&[("a", 2), ("b", 2)]);
    let position = world.close("2027-03-09");
    assert_eq!(segmentation.segment("b", at(&position)).await, "even");
    segmentation
}

async fn members(segmentation: &Segmentation) -> Result<pb::ListMembersResponse, tonic::Status> {
    let request = pb::ListMembersRequest {
        segmentation: TIERS.to_owned(),
        ..pb::ListMembersRequest::default()
    };
    let mut client = segmentation.client.clone();
    Ok(client.list_members(about(request)).await?.into_inner())
}

/// Where the accounts are, and whether the segmenter says why: if not, it is for what it reads.
async fn whys(segmentation: &Segmentation) -> Vec<(String, bool)> {
    let members = members(segmentation).await.unwrap().members.into_iter();
    let members = members.map(|one| one.membership.unwrap());
    let why = |one: pb::Membership| {
        assert!(!one.current_reasons.is_empty(), "{one:?}");
        let mut reasons = one.current_reasons.iter();
        (one.segment, reasons.any(|reason| !reason.text.is_empty()))
    };
    members.map(why).collect()
}

#[tokio::test]
async fn a_panic_while_somebody_reads_is_nobody_elses() {
    let world = World::new();
    let segmentation = closed(&world).await;
    let even = |knows_why| vec![("even".to_owned(), knows_why); 2];
    world.put(&[("a", 14)]);
    assert_eq!(whys(&segmentation).await, even(false));
    world.put(&[("a", 2)]);
    assert_eq!(whys(&segmentation).await, even(true));

    world.put(&[("a", 14)]);
    assert_eq!(whys(&segmentation).await, even(false));
    world.scoring.learn("2027-03-09", "b", 3);
    let position = world.late("2027-03-10 10:00", &[("b", "2027-03-09")]);
    assert_eq!(segmentation.segment("b", at(&position)).await, "even");
    let corrected = as_of(end_of("2027-03-09"));
    assert_eq!(segmentation.segment("b", corrected).await, "odd");
}

#[tokio::test]
async fn a_correction_at_which_a_segmenter_panics_is_made_when_it_does_not() {
    let world = World::new();
    let segmentation = closed(&world).await;
    world.scoring.learn("2027-03-09", "b", 13);
    let again = world.scoring.stop_columns_after(1);
    let position = world.late("2027-03-10 10:00", &[("b", "2027-03-09")]);
    again.is_there.await.unwrap();
    world.scoring.learn("2027-03-09", "b", 3);
    again.go_on.send(()).unwrap();
    let corrected = async {
        let close = as_of(end_of("2027-03-09"));
        while segmentation.segment("b", close.clone()).await != "odd" {
            tokio::task::yield_now().await;
        }
        // It is behind until the present is evaluated as well.
        while segmentation.segment("b", at(&position)).await != "even" {
            tokio::task::yield_now().await;
        }
    };
    let patience = std::time::Duration::from_secs(60);
    tokio::time::timeout(patience, corrected).await.unwrap();
}
