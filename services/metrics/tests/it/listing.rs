//! Paging, filters and refusals.

use sextant_proto::common::v1::{EntityKind, EntityRef};
use sextant_proto::metrics::v1 as pb;
use sextant_proto::metrics::v1::MovementKind::{Expansion, FxRevaluation, New};

use crate::billing::{account, active, day, event, in_euro, monthly, since};
use crate::world::{ACME, Metrics, World, at, reason};

async fn pages(metrics: &Metrics, request: pb::ListMovementsRequest) -> Vec<(String, i64)> {
    let mut listed = Vec::new();
    let mut page_token = String::new();
    loop {
        let page = metrics
            .movements(pb::ListMovementsRequest {
                page_token,
                ..request.clone()
            })
            .await
            .unwrap();
        assert!(page.movements.len() <= usize::try_from(request.page_size).unwrap());
        listed.extend(
            page.movements
                .into_iter()
                .map(|one| (one.account.unwrap().id, one.after_exact)),
        );
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return listed;
        }
    }
}

fn only(id: &str) -> Option<EntityRef> {
    Some(EntityRef {
        kind: EntityKind::Account.into(),
        id: id.to_owned(),
    })
}

#[tokio::test]
async fn movements_come_newest_first_whatever_the_size_of_pages() {
    let world = World::new();
    let mut facts = Vec::new();
    for number in 1..=9_u64 {
        let name = format!("a{}", number % 3);
        facts.push(since(
            &format!("2027-01-0{number}"),
            active(&name, "s", vec![monthly(number, 1_000)]),
        ));
        facts.push(event(&name, "2027-01-01"));
    }
    let position = world.facts(facts);
    let metrics = world.start();
    let expected: Vec<(String, i64)> = (1..=9_i64)
        .rev()
        .map(|number| (format!("a{}", number % 3), number * 10_000_000))
        .collect();
    for page_size in [1, 2, 4, 100] {
        let request = pb::ListMovementsRequest {
            at: at(&position),
            page_size,
            ..Default::default()
        };
        assert_eq!(
            pages(&metrics, request).await,
            expected,
            "pages of {page_size}"
        );
    }
    let request = pb::ListMovementsRequest {
        at: at(&position),
        account: only("a1"),
        page_size: 2,
        ..Default::default()
    };
    let of_one: Vec<i64> = pages(&metrics, request)
        .await
        .into_iter()
        .map(|(_, after)| after / 10_000_000)
        .collect();
    assert_eq!(of_one, [7, 4, 1]);
}

#[tokio::test]
async fn a_rate_set_anew_is_a_revaluation_and_not_growth() {
    let world = World::new();
    let at_rate = |micros, minor| active("a", "s", vec![in_euro(minor, micros)]);
    let position = world.facts(vec![
        since("2027-01-01", at_rate(1_000_000, 1_000)),
        since("2027-02-01", at_rate(1_100_000, 1_000)),
        since("2027-03-01", at_rate(1_100_000, 2_000)),
    ]);
    let metrics = world.start();
    let listed = metrics
        .movements(pb::ListMovementsRequest {
            at: at(&position),
            ..Default::default()
        })
        .await
        .unwrap()
        .movements;
    let told: Vec<_> = listed
        .iter()
        .map(|one| (one.kind(), one.delta_exact / 1_000_000))
        .collect();
    assert_eq!(told, [(Expansion, 11), (FxRevaluation, 1), (New, 10)]);
    let request = pb::GetWaterfallRequest {
        last_month: day("2027-02-01"),
        months: 1,
        at: at(&position),
        segmentation: String::new(),
    };
    let february = metrics.waterfall(request).await.unwrap().months[0];
    assert_eq!(
        (february.fx_revaluation_exact, february.expansion_exact),
        (1_000_000, 0)
    );
}

#[tokio::test]
async fn an_account_without_subscriptions_has_no_movements_and_an_unknown_one_is_an_error() {
    let world = World::new();
    let position = world.facts(vec![account("quiet", "2027-01-01")]);
    let metrics = world.start();
    let request = |id| pb::ListMovementsRequest {
        at: at(&position),
        account: only(id),
        ..Default::default()
    };
    assert!(
        metrics
            .movements(request("quiet"))
            .await
            .unwrap()
            .movements
            .is_empty()
    );
    assert_eq!(
        reason(metrics.movements(request("nobody")).await),
        "ACCOUNT_UNKNOWN"
    );
}

#[tokio::test]
async fn a_token_continues_only_the_request_that_it_came_from() {
    let world = World::new();
    let position = world.facts(vec![
        since("2027-01-01", active("a", "s", vec![monthly(1, 1_000)])),
        since("2027-01-01", active("b", "s", vec![monthly(1, 1_000)])),
    ]);
    let metrics = world.start();
    let first = pb::ListMovementsRequest {
        at: at(&position),
        page_size: 1,
        ..Default::default()
    };
    let page_token = metrics
        .movements(first.clone())
        .await
        .unwrap()
        .next_page_token;
    let other = pb::ListMovementsRequest {
        account: only("a"),
        page_token: page_token.clone(),
        ..first.clone()
    };
    assert_eq!(reason(metrics.movements(other).await), "PAGE_TOKEN_INVALID");
    let wider = pb::ListMovementsRequest {
        page_size: 10,
        page_token,
        ..first
    };
    assert_eq!(metrics.movements(wider).await.unwrap().movements.len(), 1);
}

#[tokio::test]
async fn subscriptions_that_cannot_be_added_up_cost_only_their_own_account() {
    let world = World::new();
    let position = world.facts(vec![
        since(
            "2027-01-01",
            active(
                "mixed",
                "s",
                vec![monthly(1, 1_000), in_euro(1_000, 1_100_000)],
            ),
        ),
        since("2027-01-01", active("sound", "s", vec![monthly(1, 1_000)])),
    ]);
    let metrics = world.start();
    let total = metrics
        .revenue(pb::GetRevenueRequest {
            at: at(&position),
            ..Default::default()
        })
        .await
        .unwrap()
        .total
        .unwrap();
    assert_eq!((total.mrr_minor, total.paying_accounts), (1_000, 1));
}

#[tokio::test]
async fn requests_that_make_no_sense_name_their_reason() {
    let world = World::new();
    let mut metrics = world.start();
    assert_eq!(
        reason(
            metrics
                .waterfall(pb::GetWaterfallRequest {
                    months: 121,
                    ..Default::default()
                })
                .await
        ),
        "FIELD_INVALID"
    );
    assert_eq!(
        reason(metrics.churn(pb::GetChurnRequest::default()).await),
        "FIELD_MISSING"
    );
    assert_eq!(
        reason(
            metrics
                .movements(pb::ListMovementsRequest {
                    page_size: -1,
                    ..Default::default()
                })
                .await
        ),
        "FIELD_INVALID"
    );
    let request = pb::GetRevenueRequest {
        at: at("nonsense"),
        ..Default::default()
    };
    assert_eq!(reason(metrics.revenue(request).await), "POSITION_INVALID");
    let request = pb::GetRevenueRequest {
        segmentation: "nonsense".to_owned(),
        ..Default::default()
    };
    assert_eq!(
        reason(metrics.revenue(request).await),
        "SEGMENTATION_UNKNOWN"
    );
    metrics.tenant = sextant_domain::id::TenantId(ACME.0 + 1);
    assert_eq!(
        reason(metrics.revenue(pb::GetRevenueRequest::default()).await),
        "TENANT_UNKNOWN"
    );
}
