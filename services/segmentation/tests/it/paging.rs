//! Pages of transitions while accounts go on moving.

use sextant_proto::segmentation::v1 as pb;
use sextant_proto::segmentation::v1::TransitionOrder;

use crate::world::{Segmentation, World, about, at};

const MEDIUM: i64 = 60_000;
const HIGH: i64 = 300_000;
const STRATEGIC: i64 = 1_500_000;

/// Accounts of a page with the segments that they moved to, and the token behind it.
async fn page(
    segmentation: &Segmentation,
    order: TransitionOrder,
    (page_size, page_token): (i32, String),
) -> (Vec<String>, String) {
    let request = pb::ListTransitionsRequest {
        order: order.into(),
        page_size,
        page_token,
        ..pb::ListTransitionsRequest::default()
    };
    let mut client = segmentation.client.clone();
    let answer = client.list_transitions(about(request)).await.unwrap();
    let answer = answer.into_inner();
    let shown = answer.transitions.iter().map(|one| {
        let account = &one.account.as_ref().unwrap().id;
        format!("{account} {}", one.to_segment)
    });
    (shown.collect(), answer.next_page_token)
}

/// All pages; behind each of them an account moves down from the highest segment.
async fn pages(world: &World, segmentation: &Segmentation, order: TransitionOrder) -> Vec<String> {
    let (mut all, mut token) = page(segmentation, order, (2, String::new())).await;
    for hour in 11.. {
        if token.is_empty() {
            break;
        }
        let at_hour = format!("2027-03-10 {hour}:00");
        let position = world.change(&at_hour, &[(&format!("z{hour}"), MEDIUM)]);
        let moved = segmentation
            .membership(&format!("z{hour}"), at(&position))
            .await;
        assert_eq!(moved.unwrap().segment, "medium");
        let (more, next) = page(segmentation, order, (2, token)).await;
        all.extend(more);
        token = next;
    }
    all
}

#[tokio::test]
async fn who_moves_while_pages_are_turned_pushes_nobody_to_the_next_one() {
    for order in [TransitionOrder::NewestFirst, TransitionOrder::ValueAtRisk] {
        let world = World::new();
        let segmentation = world.start();
        segmentation.create_tiers().await;
        world.put(&[("a", STRATEGIC), ("b", MEDIUM), ("c", MEDIUM)]);
        for hour in 11..20 {
            world.put(&[(&format!("z{hour}"), STRATEGIC)]);
        }
        world.close("2027-03-09");
        world.change("2027-03-10 09:00", &[("a", MEDIUM)]);
        let position = world.change("2027-03-10 10:00", &[("b", HIGH)]);
        segmentation.membership("b", at(&position)).await.unwrap();
        let (before, token) = page(&segmentation, order, (100, String::new())).await;
        assert_eq!((before.len(), token.as_str()), (14, ""));
        assert_eq!(
            pages(&world, &segmentation, order).await,
            before,
            "{order:?}"
        );
    }
}
