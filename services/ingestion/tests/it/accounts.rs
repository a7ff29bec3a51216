use std::collections::BTreeMap;

use sextant_domain::time::Instant;
use sextant_proto::common::v1::{FreshnessState, ReadAt};
use sextant_proto::ingestion::v1 as pb;
use sextant_proto::ingestion::v1::record::Fact;
use sextant_proto::ingestion::v1::value::Kind;
use sextant_wire::time::timestamp;

use crate::records::{DAY, HOUR, account, account_at, account_ref, event_at, payment, record};
use crate::world::{NOW, Tenant, World, reason};

async fn get(
    tenant: &Tenant,
    account: &str,
    at: Option<ReadAt>,
) -> Result<pb::GetAccountResponse, tonic::Status> {
    let request = pb::GetAccountRequest {
        account: account_ref(account),
        at,
    };
    Ok(tenant
        .clients
        .accounts()
        .get_account(request)
        .await?
        .into_inner())
}

fn text(text: &str) -> pb::Value {
    pb::Value {
        kind: Some(Kind::Text(text.to_owned())),
    }
}

fn at(as_of: Option<Instant>, known_at: Option<Instant>) -> Option<ReadAt> {
    Some(ReadAt {
        as_of: as_of.map(timestamp),
        known_at: known_at.map(timestamp),
        ..ReadAt::default()
    })
}

#[tokio::test]
async fn an_account_is_read_as_of_a_moment_with_the_knowledge_of_a_moment() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    tenant
        .send(vec![
            account_at("1", "a", "Old", NOW.plus_us(-10 * DAY)),
            payment("p", "a", 100, "USD"),
        ])
        .await;
    world.hand.advance_us(DAY);
    tenant
        .send(vec![account_at("2", "a", "Late", NOW.plus_us(-5 * DAY))])
        .await;
    let name = |as_of, known_at| {
        let tenant = &tenant;
        async move {
            get(tenant, "a", at(as_of, known_at))
                .await
                .unwrap()
                .account
                .unwrap()
                .name
        }
    };
    assert_eq!(name(None, None).await, "Late");
    assert_eq!(name(Some(NOW), Some(NOW)).await, "Old");
    assert_eq!(name(Some(NOW.plus_us(-6 * DAY)), None).await, "Old");
    assert_eq!(
        reason(get(&tenant, "a", at(Some(NOW.plus_us(-11 * DAY)), None)).await),
        "ACCOUNT_UNKNOWN"
    );
    assert_eq!(reason(get(&tenant, "b", None).await), "ACCOUNT_UNKNOWN");
    assert_eq!(reason(get(&tenant, "", None).await), "FIELD_MISSING");

    let answer = get(&tenant, "a", None).await.unwrap();
    assert_eq!(answer.recent_payments.len(), 1);
    let freshness = answer.freshness.unwrap();
    assert_eq!(freshness.as_of, Some(timestamp(NOW.plus_us(DAY))));
    assert_eq!(freshness.watermark, Some(timestamp(NOW.plus_us(-HOUR))));
    assert_eq!(freshness.state(), FreshnessState::Fresh);
}

#[tokio::test]
async fn a_moment_that_the_clock_has_not_reached_is_refused() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    tenant.send(vec![account("1", "a")]).await;
    let (now, later) = (Some(NOW), Some(NOW.plus_us(HOUR)));
    get(&tenant, "a", at(now, now)).await.unwrap();
    for (ahead, field) in [
        (at(later, now), "at.as_of"),
        (at(now, later), "at.known_at"),
    ] {
        let refused = get(&tenant, "a", ahead.clone()).await.unwrap_err();
        let clock = format!("is ahead of the tenant's clock, which has reached {NOW}");
        let message = refused.message();
        assert!(
            message.starts_with(field) && message.contains(&clock),
            "{message}"
        );
        assert_eq!(reason::<()>(Err(refused)), "FIELD_INVALID");
        let request = pb::ListAccountsRequest {
            at: ahead,
            ..Default::default()
        };
        let refused = tenant.clients.accounts().list_accounts(request).await;
        assert_eq!(reason(refused), "FIELD_INVALID");
    }
    world.hand.advance_us(HOUR);
    get(&tenant, "a", at(later, later)).await.unwrap();
}

#[tokio::test]
async fn a_read_covers_the_position_that_it_is_asked_for() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let position = tenant.send(vec![account("1", "a")]).await.position;
    let floor = |position: &str| {
        Some(ReadAt {
            at_least_position: position.to_owned(),
            ..ReadAt::default()
        })
    };
    let answer = get(&tenant, "a", floor(&position)).await.unwrap();
    assert_eq!(answer.freshness.unwrap().position, position);
    let other = world.tenant("other").await;
    for (asked, text, expected) in [
        (&tenant, "nonsense!", "is not a position; they come from"),
        (&other, &position, "is not a position of this tenant; its"),
    ] {
        let refused = get(asked, "a", floor(text)).await.unwrap_err();
        let message = refused.message().to_owned();
        let expected = format!("at.at_least_position: {expected}");
        assert!(message.starts_with(&expected), "{message}");
        assert_eq!(reason::<()>(Err(refused)), "POSITION_INVALID");
    }
    let beyond = format!("{position}z");
    let mut request = tonic::Request::new(pb::GetAccountRequest {
        account: account_ref("a"),
        at: floor(&beyond),
    });
    request.set_timeout(std::time::Duration::from_millis(500));
    assert_eq!(
        reason(tenant.clients.accounts().get_account(request).await),
        "POSITION_NOT_REACHED"
    );
}

#[tokio::test]
async fn accounts_are_listed_by_id_in_pages_that_do_not_mix() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let mut records: Vec<_> = (0..250)
        .map(|number| account(&format!("r{number}"), &format!("a{number:03}")))
        .collect();
    records.push(account_at("late", "zzz", "", NOW.plus_us(-30 * DAY)));
    tenant.send(records).await;
    let list = |page_size, page_token: String, as_of: Option<Instant>| {
        let mut client = tenant.clients.accounts();
        let request = pb::ListAccountsRequest {
            at: at(as_of, None),
            page_size,
            page_token,
            ..Default::default()
        };
        async move { Ok::<_, tonic::Status>(client.list_accounts(request).await?.into_inner()) }
    };
    let (mut ids, mut token, mut n_pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = list(90, token, None).await.unwrap();
        assert!(page.freshness.is_some());
        ids.extend(
            page.accounts
                .into_iter()
                .map(|account| account.r#ref.unwrap().id),
        );
        (token, n_pages) = (page.next_page_token, n_pages + 1);
        if token.is_empty() {
            break;
        }
    }
    let expected: Vec<String> = (0..250)
        .map(|number| format!("a{number:03}"))
        .chain(["zzz".to_owned()])
        .collect();
    assert_eq!((ids, n_pages), (expected, 3));
    // Of the others nothing was known a week ago.
    let past = list(50, String::new(), Some(NOW.plus_us(-7 * DAY)))
        .await
        .unwrap();
    assert_eq!(past.accounts.len(), 1);
    let token = list(1, String::new(), None).await.unwrap().next_page_token;
    assert_eq!(
        reason(list(1, token, Some(NOW)).await),
        "PAGE_TOKEN_INVALID"
    );
}

#[tokio::test]
async fn events_and_facts_ahead_of_the_clock_do_not_show_in_an_account() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let ahead = NOW.plus_us(2 * HOUR);
    tenant
        .send(vec![
            account("1", "a"),
            event_at("e", "a", NOW),
            account_at("2", "a", "Soon", ahead),
        ])
        .await;
    assert_eq!(
        get(&tenant, "a", None).await.unwrap().account.unwrap().name,
        "a"
    );
    world.hand.advance_us(2 * HOUR);
    assert_eq!(
        get(&tenant, "a", None).await.unwrap().account.unwrap().name,
        "Soon"
    );
}

#[tokio::test]
async fn the_time_zone_of_an_account_is_an_iana_name() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let in_zone = |id: &str, kind| {
        let mut record = account(id, id);
        if let Some(Fact::Account(fact)) = &mut record.fact {
            let value = pb::Value { kind: Some(kind) };
            fact.traits.insert("timezone".into(), value);
        }
        record
    };
    let text = |name: &str| Kind::Text(name.into());
    let records = vec![
        in_zone("a", text("Europe/Warsaw")),
        in_zone("b", text("Mars/Y")),
        in_zone("c", text("")),
        in_zone("d", Kind::Integer(60)),
    ];
    let refused = "REJECTED account.traits[\"timezone\"] FIELD_INVALID";
    assert_eq!(
        tenant.verdicts(records).await,
        ["ACCEPTED", refused, refused, refused]
    );
}

#[tokio::test]
async fn accounts_are_listed_that_meet_a_filter_in_pages_of_their_own() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let stated = |number: usize| {
        let id = format!("a{number:03}");
        let fact = pb::AccountFact {
            account_id: id.clone(),
            name: format!("Company {number}"),
            owner_id: if number.is_multiple_of(50) {
                "ann"
            } else {
                "ben"
            }
            .to_owned(),
            ..pb::AccountFact::default()
        };
        let mut record = record(&id, NOW.plus_us(-HOUR), Fact::Account(fact));
        record.source = "crm".to_owned();
        record
    };
    tenant.send((0..250).map(stated).collect()).await;
    let filter = pb::AccountFilter {
        owner_id: "ann".to_owned(),
        ..Default::default()
    };
    let mut request = pb::ListAccountsRequest {
        page_size: 2,
        filter: Some(filter.clone()),
        ..Default::default()
    };
    let mut client = tenant.clients.accounts();
    let mut pages = Vec::new();
    loop {
        let page = client.list_accounts(request.clone()).await.unwrap();
        let page = page.into_inner();
        let ids = page
            .accounts
            .into_iter()
            .filter_map(|account| account.r#ref);
        pages.push(ids.map(|entity| entity.id).collect::<Vec<_>>());
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(pages.concat(), ["a000", "a050", "a100", "a150", "a200"]);
    assert_eq!(pages.len(), 3);
    // A token belongs to its filter.
    let mut other = request.clone();
    other.filter = Some(pb::AccountFilter {
        owner_id: "ben".to_owned(),
        ..Default::default()
    });
    let refused = client.list_accounts(other).await;
    assert_eq!(reason(refused), "PAGE_TOKEN_INVALID");
    for (source, expected) in [("crm", 5), ("billing", 0)] {
        let request = pb::ListAccountsRequest {
            filter: Some(pb::AccountFilter {
                source: source.to_owned(),
                ..filter.clone()
            }),
            ..Default::default()
        };
        let found = client.list_accounts(request).await.unwrap().into_inner();
        assert_eq!(found.accounts.len(), expected, "{source}");
    }
}

#[tokio::test]
async fn a_trait_says_where_it_comes_from_and_since_when_its_value_holds() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let said = |id: &str, source: &str, origin: pb::TraitOrigin, plan: &str, hours_ago: i64| {
        let fact = pb::AccountFact {
            account_id: "a".to_owned(),
            traits: BTreeMap::from([("plan".to_owned(), text(plan))]),
            origin: origin.into(),
            ..pb::AccountFact::default()
        };
        let mut record = record(id, NOW.plus_us(-hours_ago * HOUR), Fact::Account(fact));
        record.source = source.to_owned();
        record
    };
    tenant
        .send(vec![
            said("1", "signup", pb::TraitOrigin::Survey, "free", 9),
            said("2", "crm", pb::TraitOrigin::System, "free", 6), // Says again what is known.
            said("3", "crm", pb::TraitOrigin::Inferred, "gold", 3),
        ])
        .await;
    for (hours_ago, source, origin, since) in [
        (4, "signup", pb::TraitOrigin::Survey, 9),
        (0, "crm", pb::TraitOrigin::Inferred, 3),
    ] {
        let as_of = Some(NOW.plus_us(-hours_ago * HOUR));
        let answer = get(&tenant, "a", at(as_of, None)).await.unwrap();
        let provenance = &answer.trait_provenance["plan"];
        assert_eq!(provenance.source, source);
        assert_eq!(provenance.origin(), origin);
        let expected = timestamp(NOW.plus_us(-since * HOUR));
        assert_eq!(provenance.since, Some(expected));
    }
}
