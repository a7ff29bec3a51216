//! Who moved, in lists: as it is known now, and as it was known.

use sextant_proto::common::v1::ReadAt;
use sextant_proto::segmentation::v1 as pb;

use crate::world::{Segmentation, TIERS, World, about, account_ref, at, end_of, on};

const MEDIUM: i64 = 60_000;
const HIGH: i64 = 300_000;

/// Two accounts at the closes from March 8 to 11. "a" rises on the 9th and falls on the 11th.
async fn closed(world: &World) -> Segmentation {
    let segmentation = world.start();
    segmentation.create_tiers().await;
    let mut position = String::new();
    for (day, mrr_minor) in (8..).zip([MEDIUM, HIGH, HIGH, MEDIUM]) {
        world.put(&[("a", mrr_minor), ("b", MEDIUM)]);
        position = world.close(&format!("2027-03-{day:02}"));
    }
    segmentation.membership("a", at(&position)).await.unwrap();
    segmentation
}

/// Account, day of March, from and to, of all moves since the 9th, in pages of one, and what is at risk with them.
async fn moves(
    segmentation: &Segmentation,
    order: pb::TransitionOrder,
    known_at: Option<&str>,
) -> (Vec<String>, i64) {
    let mut request = pb::ListTransitionsRequest {
        segmentation: TIERS.to_owned(),
        since: on("2027-03-09"),
        at: Some(ReadAt {
            known_at: known_at.and_then(on),
            ..ReadAt::default()
        }),
        order: order.into(),
        page_size: 1,
        ..pb::ListTransitionsRequest::default()
    };
    let (mut moves, mut at_risk) = (Vec::new(), 0);
    loop {
        let mut client = segmentation.client.clone();
        let answer = client.list_transitions(about(request.clone())).await;
        let answer = answer.unwrap().into_inner();
        for one in answer.transitions {
            let day = (9..=12).find(|day| one.at == end_of(&format!("2027-03-{day:02}")));
            let day = day.unwrap();
            let id = one.account.unwrap().id;
            let (from, to) = (one.from_segment, one.to_segment);
            moves.push(format!("{id} {day} {from} {to}"));
            at_risk += one.value_minor.filter(|_| one.downward).unwrap_or(0);
        }
        if answer.next_page_token.is_empty() {
            return (moves, at_risk);
        }
        request.page_token = answer.next_page_token;
    }
}

#[tokio::test]
async fn a_move_that_did_not_happen_is_listed_until_that_is_known_and_then_no_more() {
    let world = World::new();
    let segmentation = closed(&world).await;
    let before = (
        vec!["a 11 high medium".to_owned(), "a 9 medium high".to_owned()],
        12 * HIGH,
    );
    let orders = [
        pb::TransitionOrder::NewestFirst,
        pb::TransitionOrder::ValueAtRisk,
    ];
    for order in orders {
        assert_eq!(moves(&segmentation, order, None).await, before);
    }
    for day in ["2027-03-09", "2027-03-10"] {
        world.scoring.learn(day, "a", MEDIUM);
    }
    let position = world.late("2027-03-12 10:00", &[("a", "2027-03-09")]);
    segmentation.membership("a", at(&position)).await.unwrap();
    for order in orders {
        let (now, at_risk) = moves(&segmentation, order, None).await;
        assert_eq!((now.as_slice(), at_risk), (&[][..], 0), "{order:?}");
        let then = moves(&segmentation, order, Some("2027-03-12 09:59")).await;
        assert_eq!(then, before, "{order:?}");
    }
    let of_account = pb::ListTransitionsRequest {
        account: Some(account_ref("a")),
        ..pb::ListTransitionsRequest::default()
    };
    let mut client = segmentation.client.clone();
    let answer = client.list_transitions(about(of_account)).await.unwrap();
    let stays = answer.into_inner().transitions;
    assert_eq!(stays.len(), 1, "it entered once: {stays:?}");
}

#[tokio::test]
async fn a_move_that_was_another_one_is_listed_once_as_what_it_was() {
    let world = World::new();
    let segmentation = closed(&world).await;
    // It was strategic from the 9th on, and fell from there.
    for day in ["2027-03-09", "2027-03-10"] {
        world.scoring.learn(day, "a", 1_500_000);
    }
    let position = world.late("2027-03-12 10:00", &[("a", "2027-03-09")]);
    segmentation.membership("a", at(&position)).await.unwrap();
    let newest = pb::TransitionOrder::NewestFirst;
    let (now, _) = moves(&segmentation, newest, None).await;
    assert_eq!(now, ["a 11 strategic medium", "a 9 medium strategic"]);
    let (then, _) = moves(&segmentation, newest, Some("2027-03-12 09:59")).await;
    assert_eq!(then, ["a 11 high medium", "a 9 medium high"]);
}
