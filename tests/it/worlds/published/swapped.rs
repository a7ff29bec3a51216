//! Swapping what decides while others read: no call fails, and no answer mixes the two.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::future::join_all;

use sextant::client::Client;
use sextant_proto::segmentation::v1::{
    ActivateRevisionRequest, GetMembershipRequest, ListMembersRequest, ListMembershipsRequest,
    ProposeRevisionRequest, SegmenterRef,
};

use crate::worlds::published::Team;
use crate::worlds::records::entity;
use crate::worlds::seats::Seats;
use crate::worlds::world::{Shape, request_id, segmentation_by};

const SWAPS: usize = 6;

/// What readers have seen.
#[derive(Default)]
struct Seen {
    ends: AtomicBool,
    points: AtomicU64,
    lists: AtomicU64,
    reasons: AtomicU64,
    small: AtomicU64,
    large: AtomicU64,
}

async fn read_points(client: &Client, seen: &Seen) {
    for n in (1..=10).cycle() {
        if seen.ends.load(Ordering::Relaxed) {
            return;
        }
        let request = GetMembershipRequest {
            account: entity(&format!("account-{n}")),
            segmentation: "seats".to_owned(),
            at: None,
        };
        let answer = client
            .segmentation()
            .get_membership(client.request(request))
            .await;
        let answer = answer.unwrap().into_inner();
        let found = answer.membership().unwrap();
        // Odd versions take everybody for large, even ones for small.
        let expected = if found.segmentation_version % 2 == 1 {
            "large"
        } else {
            "small"
        };
        assert_eq!(found.segment, expected, "{found:?}");
        seen.points.fetch_add(1, Ordering::Relaxed);
        let count = if expected == "large" {
            &seen.large
        } else {
            &seen.small
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

async fn read_lists(client: &Client, seen: &Seen) {
    while !seen.ends.load(Ordering::Relaxed) {
        let request = ListMembersRequest {
            segmentation: "seats".to_owned(),
            ..ListMembersRequest::default()
        };
        let answer = client
            .segmentation()
            .list_members(client.request(request))
            .await;
        let answer = answer.unwrap().into_inner();
        let version = answer.freshness.unwrap().definition_version;
        let members = answer
            .members
            .iter()
            .filter_map(|one| one.membership.as_ref());
        let told: Vec<_> = members
            .map(|one| (one.segmentation_version, one.segment.clone()))
            .collect();
        let expected = if version % 2 == 1 { "large" } else { "small" };
        assert_eq!(told, vec![(version, expected.to_owned()); 10]);
        seen.lists.fetch_add(1, Ordering::Relaxed);
    }
}

/// Why an account is where it is says the version that has put it there, or nobody.
async fn read_reasons(client: &Client, seen: &Seen) {
    while !seen.ends.load(Ordering::Relaxed) {
        let request = ListMembershipsRequest {
            account: entity("account-1"),
            ..ListMembershipsRequest::default()
        };
        let answer = client
            .segmentation()
            .list_memberships(client.request(request))
            .await;
        let answer = answer.unwrap().into_inner();
        let [one] = &answer.memberships[..] else {
            panic!("{answer:?}");
        };
        // What it reads is said where it does not say why.
        let reasons = one.current_reasons.iter();
        for reason in reasons.filter(|reason| !reason.text.is_empty()) {
            assert!(one.segment.starts_with(&reason.text), "{one:?}");
            seen.reasons.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn swap_to(client: &Client, version: &str) {
    let mut segmenters = client.segmenters();
    let segmenter = SegmenterRef {
        segmenter_id: "acme.seats".to_owned(),
        version: version.to_owned(),
        ..SegmenterRef::default()
    };
    let request = ProposeRevisionRequest {
        segmentation: "seats".to_owned(),
        segmenter: Some(segmenter),
        request_id: request_id(),
        ..ProposeRevisionRequest::default()
    };
    let proposed = segmenters
        .propose_revision(client.request(request))
        .await
        .unwrap();
    let revision = proposed.into_inner().revision.unwrap().revision;
    let request = ActivateRevisionRequest {
        segmentation: "seats".to_owned(),
        revision,
        accept_diff: true,
        note: "a swap".to_owned(),
        request_id: request_id(),
    };
    segmenters
        .activate_revision(client.request(request))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_read_fails_or_mixes_what_decides_while_it_is_swapped() {
    for shape in [Shape::Embedded, Shape::Apart] {
        let team = Team::start(shape).await;
        let version = |version, large_from, explains| {
            team.compile(Seats {
                version,
                large_from,
                explains: Some(explains),
                ..Seats::default()
            })
        };
        let large = "static const struct reason mine[1] = {{0, 1.0f, 'l'}}; return reasons(out, in->length, top_k > 0, mine);";
        let small = "static const struct reason mine[1] = {{0, 1.0f, 's'}}; return reasons(out, in->length, top_k > 0, mine);";
        team.plugin(&["push", &version("1.0.0", 0, large)]);
        segmentation_by(&team.client, "seats", "acme.seats", "{}").await;
        let position = team.ten_accounts().await;
        assert_eq!(team.sizes(&position).await, (0, 10));
        team.plugin(&[
            "push",
            &version("2.0.0", 1_000_000, small),
            "--segmentation",
            "seats",
        ]);
        let seen = Seen::default();
        let points = join_all((0..4).map(|_| read_points(&team.client, &seen)));
        let swaps = async {
            for version in ["2.0.0", "1.0.0"].into_iter().cycle().take(SWAPS) {
                swap_to(&team.client, version).await;
            }
            seen.ends.store(true, Ordering::Relaxed);
        };
        let lists = read_lists(&team.client, &seen);
        let reasons = read_reasons(&team.client, &seen);
        let (_points, (), (), ()) = tokio::join!(points, lists, reasons, swaps);
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        println!(
            "{shape:?}: {} points, {} lists, {} reasons",
            count(&seen.points),
            count(&seen.lists),
            count(&seen.reasons)
        );
        assert!(count(&seen.small) > 0 && count(&seen.large) > 0 && count(&seen.lists) > 0);
        assert!(count(&seen.reasons) > 0);
        assert_eq!(team.sizes(&position).await, (0, 10));
    }
}
