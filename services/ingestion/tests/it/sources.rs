//! Sources: how far they have come, and when they are missed.

use sextant_proto::common::v1::Freshness;
use sextant_proto::ingestion::v1 as pb;
use sextant_wire::time::timestamp;

use crate::records::{DAY, HOUR, account_at, event_at};
use crate::world::{NOW, Tenant, World, reason};

/// A record of each of `n_hours`, sent when it happens.
async fn tells(world: &World, tenant: &Tenant, first: i64, n_hours: i64) {
    for number in first..first + n_hours {
        let at = NOW.plus_us(number * HOUR);
        world.hand.set(at);
        let event = event_at(&format!("e{number}"), "acme", at.plus_us(-60_000_000));
        assert_eq!(tenant.verdicts(vec![event]).await, ["ACCEPTED"]);
    }
}

#[tokio::test]
async fn a_source_that_told_every_hour_is_missed_after_one_without_a_word_until_it_tells_again() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let long_ago = account_at("a", "acme", "Acme", NOW.plus_us(-DAY));
    tenant.send(vec![long_ago]).await;
    let state = async || tenant.source("web").await.state();
    tells(&world, &tenant, 0, 7 * 24).await;
    world.hand.set(NOW.plus_us((7 * 24 + 2) * HOUR));
    assert_eq!(
        state().await,
        pb::SourceState::Learning,
        "of less than a week"
    );

    tells(&world, &tenant, 7 * 24, 24).await;
    assert_eq!(state().await, pb::SourceState::Flowing);
    let last = NOW.plus_us((8 * 24 - 1) * HOUR);
    world.hand.set(last.plus_us(2 * HOUR - 1));
    assert_eq!(
        state().await,
        pb::SourceState::Flowing,
        "that hour may bring a word yet"
    );
    world.hand.set(last.plus_us(2 * HOUR));
    let missed = tenant.source("web").await;
    assert_eq!(missed.state(), pb::SourceState::Silent);
    assert_eq!(missed.silent_since, Some(timestamp(last.plus_us(HOUR))));
    assert_eq!(missed.last_received_at, Some(timestamp(last)));
    assert_eq!(missed.watermark, Some(timestamp(last.plus_us(-60_000_000))));
    assert_eq!(missed.lag.unwrap().seconds, 2 * 3_600 + 60);
    assert_eq!(missed.expected, Some(pb::RecordRate { low: 1, high: 1 }));

    tells(&world, &tenant, 8 * 24 + 1, 1).await;
    let back = tenant.source("web").await;
    assert_eq!(
        (back.state(), back.silent_since),
        (pb::SourceState::Flowing, None)
    );
    world.hand.set(NOW.plus_us((8 * 24 + 2) * HOUR + 14 * DAY));
    assert_eq!(state().await, pb::SourceState::Ended);
}

#[tokio::test]
async fn sources_are_listed_by_name_in_pages_of_one_tenant() {
    let world = World::new().await;
    let (tenant, other) = (world.tenant("acme").await, world.tenant("other").await);
    let mut sent = vec![account_at("a", "acme", "Acme", NOW.plus_us(-DAY))];
    for number in 0..150 {
        let of_source = event_at("e", "acme", NOW.plus_us(-HOUR - number));
        sent.push(pb::Record {
            source: format!("s{number:03}"),
            ..of_source
        });
    }
    tenant.send(sent).await;
    let page = async |of: &Tenant, page_size, page_token: &str| {
        let request = pb::ListSourcesRequest {
            page_size,
            page_token: page_token.to_owned(),
        };
        let answer = of.clients.sources().list_sources(request).await;
        answer.map(tonic::Response::into_inner)
    };
    let first = page(&tenant, 1_000, "").await.unwrap();
    let rest = page(&tenant, 1_000, &first.next_page_token).await.unwrap();
    assert_eq!((first.sources.len(), rest.sources.len()), (100, 51));
    assert_eq!(rest.next_page_token, "");
    let all = first.sources.iter().chain(&rest.sources);
    let names: Vec<&str> = all.map(|one| one.source.as_str()).collect();
    let mut expected: Vec<String> = (0..150).map(|number| format!("s{number:03}")).collect();
    expected.push("web".to_owned());
    assert_eq!(names, expected);
    // The newest of what is on the page.
    let newest = |freshness: &Option<Freshness>| freshness.as_ref().unwrap().watermark;
    assert_eq!(
        newest(&first.freshness),
        Some(timestamp(NOW.plus_us(-HOUR)))
    );

    let nothing = page(&other, 0, "").await.unwrap();
    assert_eq!(
        (nothing.sources, nothing.next_page_token.as_str()),
        (vec![], "")
    );
    let stolen = page(&other, 1_000, &first.next_page_token).await;
    assert_eq!(reason(stolen), "PAGE_TOKEN_INVALID");
}

#[tokio::test]
async fn events_of_every_type_are_kept_and_counted_once() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let of_type = |id: &str, name: &str, at| {
        let mut event = event_at(id, "acme", at);
        if let Some(pb::record::Fact::Event(fact)) = &mut event.fact {
            name.clone_into(&mut fact.r#type);
        }
        event
    };
    let ago = |hours: i64| NOW.plus_us(-hours * HOUR);
    let records = vec![
        account_at("a", "acme", "Acme", NOW.plus_us(-DAY)),
        of_type("e1", "report.exported", ago(5)),
        of_type("e2", "Neu \u{1f680}", ago(4)),
        of_type("e3", "report.exported", ago(9)),
        of_type("e3", "report.exported", ago(9)),
    ];
    tenant.send(records.clone()).await;
    tenant.send(records).await;
    let mut client = tenant.clients.sources();
    let mut request = pb::ListEventTypesRequest {
        page_size: 1,
        ..pb::ListEventTypesRequest::default()
    };
    let mut all = Vec::new();
    loop {
        let answer = client.list_event_types(request.clone()).await.unwrap();
        let answer = answer.into_inner();
        all.extend(answer.event_types);
        request.page_token = answer.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    let told: Vec<_> = all
        .iter()
        .map(|one| (&*one.r#type, one.events, one.first_at, one.last_at))
        .collect();
    let moment = |hours| Some(timestamp(ago(hours)));
    assert_eq!(
        told,
        [
            ("Neu \u{1f680}", 1, moment(4), moment(4)),
            ("report.exported", 2, moment(9), moment(5)),
        ]
    );
}
