//! Segments, members and transitions in lists.

use sextant_proto::segmentation::v1 as pb;
use sextant_proto::segmentation::v1::{MembershipState, TransitionOrder};

use crate::world::{Segmentation, TIERS, World, about, account_ref, as_of, at, end_of, on, reason};

/// Seven accounts after a close, one of them moved since.
async fn listed(world: &World) -> Segmentation {
    let segmentation = world.start();
    segmentation.create_tiers().await;
    world.put(&[
        ("a", 1_500_000),
        ("b", 60_000),
        ("c", 70_000),
        ("d", 70_000),
        ("e", 0),
        ("f", 300_000),
    ]);
    world.scoring.put("g", None);
    world.close("2027-03-09");
    let position = world.change("2027-03-10 10:00", &[("f", 80_000)]);
    segmentation.membership("f", at(&position)).await.unwrap();
    segmentation
}

async fn members(
    segmentation: &Segmentation,
    request: pb::ListMembersRequest,
) -> Result<pb::ListMembersResponse, tonic::Status> {
    let request = pb::ListMembersRequest {
        segmentation: TIERS.to_owned(),
        ..request
    };
    let mut client = segmentation.client.clone();
    Ok(client.list_members(about(request)).await?.into_inner())
}

fn ids(members: &[pb::Member]) -> Vec<&str> {
    members
        .iter()
        .map(|member| {
            let membership = member.membership.as_ref().unwrap();
            membership.account.as_ref().unwrap().id.as_str()
        })
        .collect()
}

#[tokio::test]
async fn segments_are_counted_and_summed_in_the_segmenters_order() {
    let world = World::new();
    let segmentation = listed(&world).await;
    let request = pb::ListSegmentsRequest {
        segmentation: TIERS.to_owned(),
        sum_features: vec![
            "revenue.mrr_minor".to_owned(),
            "usage.events_28d".to_owned(),
        ],
        ..pb::ListSegmentsRequest::default()
    };
    let mut client = segmentation.client.clone();
    let answer = client.list_segments(about(request)).await.unwrap();
    let answer = answer.into_inner();
    let shown: Vec<_> = answer
        .segments
        .iter()
        .map(|one| {
            let key = one.segment.as_ref().map_or("", |segment| &segment.key);
            let (mrr, events) = (&one.sums[0], &one.sums[1]);
            assert_eq!((events.known, events.sum.to_string().as_str()), (0, "0"));
            (key, one.accounts, mrr.sum.to_string(), mrr.known)
        })
        .collect();
    let expected = [
        ("strategic", 1, "1500000", 1),
        ("high", 0, "0", 0),
        ("medium", 4, "280000", 4),
        ("low", 0, "0", 0),
        ("not_paying", 1, "0", 1),
        ("", 1, "0", 0),
    ];
    assert_eq!(
        shown,
        expected.map(|(key, accounts, sum, known)| (key, accounts, sum.to_owned(), known))
    );
    assert_eq!(answer.accounts, 7);
    assert_eq!(answer.segments[5].state(), MembershipState::Abstained);
}

#[tokio::test]
async fn segments_of_the_past_are_counted_and_not_summed() {
    let world = World::new();
    let segmentation = listed(&world).await;
    let request = pb::ListSegmentsRequest {
        segmentation: TIERS.to_owned(),
        at: as_of(end_of("2027-03-09")),
        ..pb::ListSegmentsRequest::default()
    };
    let mut client = segmentation.client.clone();
    let answer = client.list_segments(about(request.clone())).await.unwrap();
    let segments = answer.into_inner().segments;
    let counts: Vec<u64> = segments.iter().map(|one| one.accounts).collect();
    assert_eq!(counts, [1, 1, 3, 0, 1, 1]);
    let summed = pb::ListSegmentsRequest {
        sum_features: vec!["revenue.mrr_minor".to_owned()],
        ..request
    };
    assert_eq!(
        reason(client.list_segments(about(summed)).await),
        "FIELD_INVALID"
    );
}

#[tokio::test]
async fn members_come_by_feature_in_pages() {
    let world = World::new();
    let segmentation = listed(&world).await;
    let mut request = pb::ListMembersRequest {
        order_by_feature: "revenue.mrr_minor".to_owned(),
        show_features: vec!["revenue.arr_minor".to_owned()],
        page_size: 2,
        ..pb::ListMembersRequest::default()
    };
    let mut all = Vec::new();
    loop {
        let answer = members(&segmentation, request.clone()).await.unwrap();
        assert!(answer.members.len() <= 2);
        all.extend(answer.members);
        request.page_token = answer.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    // Equal values by account, unknown ones last.
    assert_eq!(ids(&all), ["a", "f", "c", "d", "b", "e", "g"]);
    assert_eq!(all[1].feature_values, ["960000"]);
    assert_eq!(all[1].account_name, "F");
}

#[tokio::test]
async fn members_come_by_account_in_pages_with_their_features() {
    let world = World::new();
    let segmentation = listed(&world).await;
    let mut request = pb::ListMembersRequest {
        show_features: vec!["revenue.mrr_minor".to_owned()],
        page_size: 2,
        ..pb::ListMembersRequest::default()
    };
    let mut pages = Vec::new();
    loop {
        let answer = members(&segmentation, request.clone()).await.unwrap();
        let shown: Vec<String> = ids(&answer.members)
            .iter()
            .zip(&answer.members)
            .map(|(id, member)| format!("{id} {}", member.feature_values[0]))
            .collect();
        pages.push(shown.join(", "));
        request.page_token = answer.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(
        pages,
        [
            "a 1500000, b 60000",
            "c 70000, d 70000",
            "e 0, f 80000",
            "g "
        ]
    );
}

#[tokio::test]
async fn accounts_that_a_segmenter_abstains_on_are_listed_now_and_then_unless_segments_are_named() {
    let world = World::new();
    let segmentation = listed(&world).await;
    for moment in [None, as_of(end_of("2027-03-09"))] {
        let all = pb::ListMembersRequest {
            at: moment.clone(),
            ..pb::ListMembersRequest::default()
        };
        let all = members(&segmentation, all).await.unwrap().members;
        assert_eq!(ids(&all), ["a", "b", "c", "d", "e", "f", "g"], "{moment:?}");
        let states = all
            .iter()
            .map(|one| one.membership.as_ref().unwrap().state());
        let is_member: Vec<bool> = states
            .map(|state| state == MembershipState::Member)
            .collect();
        assert_eq!(is_member, [true, true, true, true, true, true, false]);
        let some = pb::ListMembersRequest {
            segments: vec!["not_paying".to_owned()],
            at: moment.clone(),
            ..pb::ListMembersRequest::default()
        };
        let some = members(&segmentation, some).await.unwrap().members;
        assert_eq!(ids(&some), ["e"], "{moment:?}");
    }
}

#[tokio::test]
async fn members_of_some_segments_now_and_then() {
    let world = World::new();
    let segmentation = listed(&world).await;
    let request = pb::ListMembersRequest {
        segments: vec!["medium".to_owned(), "strategic".to_owned()],
        ..pb::ListMembersRequest::default()
    };
    let now = members(&segmentation, request.clone()).await.unwrap();
    assert_eq!(ids(&now.members), ["a", "b", "c", "d", "f"]);
    let mut then = pb::ListMembersRequest {
        at: as_of(end_of("2027-03-09")),
        page_size: 3,
        ..request
    };
    let first = members(&segmentation, then.clone()).await.unwrap();
    assert_eq!(ids(&first.members), ["a", "b", "c"]);
    then.page_token = first.next_page_token;
    let rest = members(&segmentation, then).await.unwrap();
    assert_eq!(ids(&rest.members), ["d"]);
    assert_eq!(rest.next_page_token, "");
}

#[tokio::test]
async fn lists_refuse_what_is_not_there() {
    let world = World::new();
    let segmentation = listed(&world).await;
    let request = pb::ListMembersRequest::default;
    for (request, expected) in [
        (
            pb::ListMembersRequest {
                segments: vec!["purple".to_owned()],
                ..request()
            },
            "SEGMENT_UNKNOWN",
        ),
        (
            pb::ListMembersRequest {
                order_by_feature: "revenue.magic".to_owned(),
                ..request()
            },
            "FEATURE_UNKNOWN",
        ),
        (
            pb::ListMembersRequest {
                page_token: "abc".to_owned(),
                ..request()
            },
            "PAGE_TOKEN_INVALID",
        ),
        (
            pb::ListMembersRequest {
                order_by_feature: "revenue.mrr_minor".to_owned(),
                at: as_of(on("2027-03-10")),
                ..request()
            },
            "FIELD_INVALID",
        ),
    ] {
        assert_eq!(reason(members(&segmentation, request).await), expected);
    }
}

#[tokio::test]
async fn transitions_come_newest_first_or_by_what_is_at_risk() {
    let world = World::new();
    let segmentation = listed(&world).await;
    let position = world.change("2027-03-10 11:00", &[("a", 250_000), ("b", 350_000)]);
    segmentation.membership("a", at(&position)).await.unwrap();
    let mut request = pb::ListTransitionsRequest {
        since: on("2027-03-10"),
        page_size: 2,
        order: TransitionOrder::ValueAtRisk.into(),
        ..pb::ListTransitionsRequest::default()
    };
    let mut client = segmentation.client.clone();
    let mut all = Vec::new();
    loop {
        let answer = client.list_transitions(about(request.clone())).await;
        let answer = answer.unwrap().into_inner();
        all.extend(answer.transitions);
        request.page_token = answer.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    let shown: Vec<_> = all
        .iter()
        .map(|one| {
            (
                &*one.account.as_ref().unwrap().id,
                one.downward,
                one.value_minor.unwrap(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("a", true, 18_000_000),
            ("f", true, 3_600_000),
            ("b", false, 4_200_000)
        ]
    );
    let ahead = pb::ListTransitionsRequest {
        since: on("2027-03-11"),
        ..pb::ListTransitionsRequest::default()
    };
    let refused = client.list_transitions(about(ahead)).await.unwrap_err();
    let message = refused.message();
    let expected = "since: 2027-03-11T00:00:00Z is ahead of the tenant's clock, which has reached 2027-03-10T11:00:00Z";
    assert!(message.starts_with(expected), "{message}");
    let newest = pb::ListTransitionsRequest {
        since: on("2027-03-10"),
        ..pb::ListTransitionsRequest::default()
    };
    let newest = client.list_transitions(about(newest)).await.unwrap();
    let newest = newest.into_inner().transitions;
    assert_eq!(newest.len(), 3);
    assert_eq!(newest[2].account, Some(account_ref("f")));
}

#[tokio::test]
async fn an_account_is_listed_in_all_its_segmentations() {
    let world = World::new();
    let segmentation = listed(&world).await;
    segmentation
        .create("loyalty", "sextant.rfm", "")
        .await
        .unwrap();
    let mut request = pb::ListMembershipsRequest {
        account: Some(account_ref("a")),
        page_size: 1,
        ..pb::ListMembershipsRequest::default()
    };
    let mut client = segmentation.client.clone();
    let first = client.list_memberships(about(request.clone())).await;
    let first = first.unwrap().into_inner();
    assert_eq!(first.memberships[0].segmentation, "loyalty");
    assert_eq!(first.memberships[0].state(), MembershipState::Abstained);
    request.page_token = first.next_page_token;
    let second = client.list_memberships(about(request)).await;
    let second = second.unwrap().into_inner();
    assert_eq!(second.memberships[0].segmentation, TIERS);
    assert_eq!(second.next_page_token, "");
}

#[tokio::test]
async fn who_reads_does_not_wait_for_what_is_asked_of_scoring() {
    let world = World::new();
    let segmentation = listed(&world).await;
    let stopped = world.scoring.stop_next_columns();
    let position = world.change("2027-03-10 11:00", &[("a", 60_000)]);
    stopped.is_there.await.unwrap();
    let request = pb::ListSegmentsRequest {
        segmentation: TIERS.to_owned(),
        ..pb::ListSegmentsRequest::default()
    };
    let mut client = segmentation.client.clone();
    let sizes = client.list_segments(about(request)).await.unwrap();
    let strategic = &sizes.into_inner().segments[0];
    assert_eq!(strategic.accounts, 1, "{strategic:?}");
    let request = pb::ListMembershipsRequest {
        account: Some(account_ref("a")),
        ..pb::ListMembershipsRequest::default()
    };
    let listed = client.list_memberships(about(request)).await.unwrap();
    assert_eq!(listed.into_inner().memberships[0].segment, "strategic");
    stopped.go_on.send(()).unwrap();
    assert_eq!(segmentation.segment("a", at(&position)).await, "medium");
}

#[tokio::test]
async fn who_reads_scoring_keeps_nobody_from_a_tenant() {
    let world = World::new();
    let segmentation = listed(&world).await;
    let stopped = world.scoring.stop_next_columns();
    let looking = members(&segmentation, pb::ListMembersRequest::default());
    let others = async {
        stopped.is_there.await.unwrap();
        let position = world.change("2027-03-10 11:00", &[("a", 60_000)]);
        assert_eq!(segmentation.segment("a", at(&position)).await, "medium");
        let request = pb::ListSegmentsRequest {
            segmentation: TIERS.to_owned(),
            ..pb::ListSegmentsRequest::default()
        };
        let mut client = segmentation.client.clone();
        let sizes = client.list_segments(about(request)).await.unwrap();
        assert_eq!(sizes.into_inner().segments[0].accounts, 0);
        stopped.go_on.send(()).unwrap();
    };
    let (looked, ()) = tokio::join!(looking, others);
    let looked = looked.unwrap().members;
    assert_eq!(ids(&looked), ["a", "b", "c", "d", "e", "f", "g"]);
    // It is of the state that is there when the features are.
    assert_eq!(looked[0].membership.as_ref().unwrap().segment, "medium");
}

#[tokio::test]
async fn segmenters_are_listed_with_their_segments() {
    let world = World::new();
    let segmentation = world.start();
    let mut request = pb::ListSegmentersRequest {
        page_size: 2,
        page_token: String::new(),
    };
    let mut client = segmentation.client.clone();
    let first = client.list_segmenters(about(request.clone())).await;
    let first = first.unwrap().into_inner();
    // They are of the installation: who names no tenant sees them, too.
    let unnamed = client.list_segmenters(request.clone()).await;
    assert_eq!(unnamed.unwrap().into_inner().segmenters, first.segmenters);
    request.page_token = first.next_page_token;
    let second = client.list_segmenters(about(request)).await;
    let [tiers] = second.unwrap().into_inner().segmenters.try_into().unwrap();
    assert_eq!(first.segmenters[0].segmenter_id, "sextant.lifecycle");
    assert_eq!(tiers.segmenter_id, "sextant.value_tiers");
    assert_eq!(tiers.required_features, ["revenue.mrr_minor"]);
    let ranks: Vec<u32> = tiers.segments.iter().map(|segment| segment.rank).collect();
    assert_eq!(ranks, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn what_is_no_number_is_neither_ordered_by_nor_summed_up() {
    let world = World::new();
    let segmentation = listed(&world).await;
    for name in ["firmo.industry", "purchase.last_at"] {
        let ordered = pb::ListMembersRequest {
            order_by_feature: name.to_owned(),
            // What is also shown is ordered by first.
            show_features: vec!["no.such.feature".to_owned()],
            ..pb::ListMembersRequest::default()
        };
        let refused = members(&segmentation, ordered).await.unwrap_err();
        check_not_numeric(&refused, name, "order_by_feature");
        let summed = pb::ListSegmentsRequest {
            segmentation: TIERS.to_owned(),
            sum_features: vec!["revenue.mrr_minor".to_owned(), name.to_owned()],
            ..pb::ListSegmentsRequest::default()
        };
        let mut client = segmentation.client.clone();
        let refused = client.list_segments(about(summed)).await.unwrap_err();
        check_not_numeric(&refused, name, "sum_features");
    }
}

fn check_not_numeric(refused: &tonic::Status, name: &str, field: &str) {
    let reason = sextant_wire::status::reason_of(refused).unwrap();
    assert_eq!(reason, "FIELD_INVALID", "{name}");
    let message = refused.message();
    assert!(
        message.contains(name) && message.contains(field),
        "{message}"
    );
    assert!(message.contains("revenue.mrr_minor"), "{message}");
    assert!(!message.contains("rfm.basis"), "{message}");
}

#[tokio::test]
async fn pages_of_accounts_with_long_names_fit_a_message_and_leave_nobody_out() {
    const N_ACCOUNTS: usize = 500;
    let world = World::new();
    let segmentation = world.start();
    segmentation.create_tiers().await;
    let names: Vec<String> = (0..N_ACCOUNTS).map(|n| format!("wide-{n:05}")).collect();
    let accounts: Vec<(&str, i64)> = names.iter().map(|name| (&**name, 60_000)).collect();
    world.put(&accounts);
    let position = world.close("2027-03-09");
    let first = segmentation.membership(&names[0], at(&position)).await;
    first.unwrap();
    // The client takes 4 MiB.
    let past = as_of(end_of("2027-03-09"));
    for (moment, order) in [(None, ""), (None, "revenue.mrr_minor"), (past, "")] {
        let (mut listed, mut page_token, mut n_pages) = (Vec::new(), String::new(), 0);
        loop {
            let request = pb::ListMembersRequest {
                at: moment.clone(),
                order_by_feature: order.to_owned(),
                page_size: 1_000,
                page_token,
                ..pb::ListMembersRequest::default()
            };
            let page = members(&segmentation, request).await.unwrap();
            listed.extend(ids(&page.members).into_iter().map(str::to_owned));
            n_pages += 1;
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(listed, names, "{order}");
        assert!(n_pages > 1);
    }
    let (mut n_listed, mut page_token) = (0, String::new());
    loop {
        let request = pb::ListTransitionsRequest {
            page_size: 1_000,
            page_token,
            ..pb::ListTransitionsRequest::default()
        };
        let mut client = segmentation.client.clone();
        let page = client.list_transitions(about(request)).await.unwrap();
        let page = page.into_inner();
        n_listed += page.transitions.len();
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(n_listed, N_ACCOUNTS);
}
