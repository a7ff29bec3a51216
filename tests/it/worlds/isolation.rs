//! Two tenants with the same accounts and segmentations: ingestion's accounts, scoring, segmentation and metrics answer each with its own data only,
//! whatever the other one sends, asks or changes.

mod reads;

use std::collections::BTreeMap;

use sextant::client::Client;
use sextant_proto::ingestion::v1::{CreateKeyRequest, Key as KeyOfApi, Record, Scope, Tenant};
use sextant_proto::segmentation::v1::{CreateSegmentationRequest, Segmentation};
use sextant_runtime::auth::Key;
use sextant_wire::status::reason_of;

use crate::worlds::isolation::reads::{
    ACCOUNT, Given, LIFECYCLE, is_of_the_program, read, reads, takes_a_position,
};
use crate::worlds::records::{
    accept, account, advance, at, event, invoice, now, payment, subscription,
};
use crate::worlds::world::{Shape, World, request_id, tenant};

const TIERS: &str = "tiers";

/// A tenant with a key of its own.
struct Of {
    client: Client,
    id: String,
    /// From where its transitions are watched.
    beginning: String,
}

impl Of {
    async fn new(world: &World, name: &str, clock: &str) -> Self {
        let installation = tenant(&world.client(), name, at(clock)).await;
        let found = installation.find_tenant(Some(name)).await.unwrap();
        let key = KeyOfApi {
            tenant_id: found.tenant_id.clone(),
            scopes: vec![Scope::Admin.into()],
            title: name.to_owned(),
            ..KeyOfApi::default()
        };
        let request = CreateKeyRequest {
            key: Some(key),
            request_id: request_id(),
        };
        let mut access = installation.access();
        let made = access.create_key(installation.request(request)).await;
        let secret = Key::parse(&made.unwrap().into_inner().secret).unwrap();
        let mut of = Self {
            client: world.client_with(&secret),
            id: found.tenant_id,
            beginning: String::new(),
        };
        of.beginning = of.present().await;
        of
    }

    /// A resume token of now.
    async fn present(&self) -> String {
        let answer = read(self.client.clone(), "WatchTransitions", Given::default()).await;
        answer.unwrap().position.unwrap()
    }

    async fn define(&self, key: &str, config: &str, request_id: &str) -> Segmentation {
        let segmenter = if key == LIFECYCLE {
            "sextant.lifecycle"
        } else {
            "sextant.value_tiers"
        };
        let asked = Segmentation {
            key: key.to_owned(),
            segmenter_id: segmenter.to_owned(),
            config: config.to_owned(),
            ..Segmentation::default()
        };
        let request = CreateSegmentationRequest {
            segmentation: Some(asked),
            request_id: request_id.to_owned(),
            validate_only: false,
        };
        let mut service = self.client.segmentation();
        let made = service.create_segmentation(self.client.request(request));
        made.await.unwrap().into_inner().segmentation.unwrap()
    }

    /// What every read answers, once it includes a position; of one that is refused, the reason.
    async fn answers(&self, position: &str) -> BTreeMap<&'static str, String> {
        let (mut answers, mut n_transitions) = (BTreeMap::new(), 0);
        for method in reads() {
            let given = Given {
                at: takes_a_position(method).then(|| now(position)),
                resume_after: self.beginning.clone(),
                n_transitions,
                ..Given::default()
            };
            let answer = sextant::client::settled(|| {
                Box::pin(read(self.client.clone(), method, given.clone()))
            })
            .await;
            let text = match answer {
                Ok(read) => read.text,
                Err(status) => reason_of(&status).unwrap(),
            };
            if method == "ListTransitions" {
                n_transitions = text.matches("transition_id").count();
            }
            answers.insert(method, text);
        }
        answers
    }
}

fn subscribed(number: usize) -> [(&'static str, u64); 2] {
    match number {
        0 => [(ACCOUNT, 3), ("bolt", 4)],
        _ => [(ACCOUNT, 50), ("bolt", 60)],
    }
}

/// The records of the first or the second tenant, of the same accounts.
fn facts(number: usize) -> Vec<Record> {
    let mut records = Vec::new();
    for (name, seats) in subscribed(number) {
        records.push(account(name, at("2026-01-01T00:00")));
        records.push(subscription(name, at("2026-01-10T08:00"), seats, 1_000));
        let total = i64::try_from(seats).unwrap() * 1_000;
        for month in ["01", "02"] {
            let number = format!("{name} {month}");
            let time = at(&format!("2026-{month}-01T08:00"));
            records.push(invoice(&number, name, time, total));
            records.push(payment(&number, name, time, total));
        }
        for hour in 10..12 + 3 * number {
            let time = at(&format!("2026-01-20T{hour}:00"));
            records.push(event(name, "u", time));
        }
    }
    records
}

/// Nothing that one gives is taken from the other, and neither key opens the other's data.
async fn nothing_is_passed_on(owner: &Of, other: &Of) {
    let abroad = Tenant {
        tenant_id: other.id.clone(),
        time_zone: "UTC".to_owned(),
        ..Tenant::default()
    };
    let abroad = owner.client.of_tenant(&abroad).unwrap();
    for method in reads() {
        let reason = async |client: &Client, given: &Given| {
            let refused = read(client.clone(), method, given.clone()).await;
            reason_of(&refused.unwrap_err())
        };
        let paged = Given {
            page_size: 1,
            ..Given::default()
        };
        assert_eq!(
            reason(&abroad, &paged).await.as_deref(),
            Some("TENANT_UNKNOWN"),
            "{method}"
        );
        let first = read(owner.client.clone(), method, paged.clone()).await;
        let first = first.unwrap();
        assert_eq!(
            first.next_page_token.is_some(),
            method.starts_with("List"),
            "{method}"
        );
        if let Some(page_token) = first.next_page_token {
            assert_ne!(page_token, "", "{method} has a second page");
            let second = Given {
                page_token,
                ..paged.clone()
            };
            let continued = read(owner.client.clone(), method, second.clone()).await;
            assert_ne!(continued.unwrap().text, first.text, "{method}");
            assert_eq!(
                reason(&other.client, &second).await.as_deref(),
                Some("PAGE_TOKEN_INVALID"),
                "{method}"
            );
        }
        assert_eq!(
            first.position.is_some(),
            takes_a_position(method) || method == "WatchTransitions",
            "{method}"
        );
        if let Some(position) = first.position {
            let taken = Given {
                at: takes_a_position(method).then(|| now(&position)),
                resume_after: position,
                ..Given::default()
            };
            assert_eq!(
                reason(&other.client, &taken).await.as_deref(),
                Some("POSITION_INVALID"),
                "{method}"
            );
        }
    }
}

/// The figures that tell one tenant's facts from the other's.
fn are_of(number: usize, answers: &BTreeMap<&'static str, String>) {
    let seats: u64 = subscribed(number).iter().map(|(_, seats)| seats).sum();
    let events = 2 + 3 * number;
    let own_seats = subscribed(number)[0].1;
    for (method, part) in [
        ("ListInvoices", format!("minor: {},", own_seats * 1_000)),
        ("ListPayments", format!("minor: {},", own_seats * 1_000)),
        ("GetFeatures", format!("Integer({events})")),
        ("GetFeatures", format!("Integer({})", own_seats * 1_000)),
        ("ListFeatures", format!("\"{}\"", own_seats * 1_000)),
        ("ListMembers", format!("feature_values: [\"{events}\"]")),
        ("ListSegments", format!("sum: {}.0", seats * 1_000)),
        ("GetRevenue", format!("mrr_minor: {},", seats * 1_000)),
        (
            "GetWaterfall",
            format!("end_exact: {},", seats * 10_000_000),
        ),
        ("GetChurn", format!("denominator: {} ", seats * 10_000_000)),
        (
            "ListMovements",
            format!("after_exact: {},", own_seats * 10_000_000),
        ),
    ] {
        let answer = &answers[method];
        assert!(answer.contains(&part), "{method} without {part}: {answer}");
    }
}

/// Whose key opens every tenant is told where there is none.
async fn nobody_is_known(world: &World) {
    let nobody = Tenant {
        tenant_id: request_id(),
        time_zone: "UTC".to_owned(),
        ..Tenant::default()
    };
    let nobody = world.client().of_tenant(&nobody).unwrap();
    let reads = reads().into_iter();
    for method in reads.filter(|method| !is_of_the_program(method)) {
        let refused = read(nobody.clone(), method, Given::default()).await;
        let reason = refused.err().as_ref().and_then(reason_of);
        assert_eq!(reason.as_deref(), Some("TENANT_UNKNOWN"), "{method}");
    }
}

async fn check(shape: Shape) {
    let world = World::start(shape).await;
    let tenants = [
        Of::new(&world, "first", "2026-02-01T12:00").await,
        Of::new(&world, "second", "2026-02-03T12:00").await,
    ];
    let [first, second] = &tenants;
    // One request id, and each tenant gets what it asks for.
    for (key, configs) in [
        (LIFECYCLE, ["{}", "{}"]),
        (
            TIERS,
            [r#"{"mode":"cut_points"}"#, r#"{"high_percentile":95}"#],
        ),
    ] {
        let id = request_id();
        for (of, config) in tenants.iter().zip(configs) {
            let made = of.define(key, config, &id).await;
            assert_eq!(
                made.config.contains("cut_points"),
                config.contains("cut_points")
            );
        }
    }

    accept(&first.client, facts(0)).await;
    let position = advance(&first.client, at("2026-02-02T12:00"))
        .await
        .unwrap();
    let of_first = first.answers(&position).await;
    are_of(0, &of_first);
    for (method, answer) in second.answers("").await {
        assert!(!answer.contains(ACCOUNT), "{method}: {answer}");
    }

    accept(&second.client, facts(1)).await;
    let position_of_second = advance(&second.client, at("2026-02-04T12:00"))
        .await
        .unwrap();
    let of_second = second.answers(&position_of_second).await;
    are_of(1, &of_second);
    assert_eq!(first.answers(&position).await, of_first);
    for (method, answer) in &of_second {
        assert_eq!(
            *answer == of_first[method],
            is_of_the_program(method),
            "{method}: {answer}"
        );
    }
    nothing_is_passed_on(first, second).await;
    nothing_is_passed_on(second, first).await;
    nobody_is_known(&world).await;

    first.define("third", "{}", &request_id()).await;
    let news = vec![
        subscription(ACCOUNT, at("2026-02-02T08:00"), 9, 1_000),
        account("crane", at("2026-02-02T08:00")),
        invoice("new", ACCOUNT, at("2026-02-02T08:00"), 9_000),
        payment("new", ACCOUNT, at("2026-02-02T08:00"), 9_000),
    ];
    accept(&first.client, news).await;
    let position = advance(&first.client, at("2026-02-05T12:00"))
        .await
        .unwrap();
    let changed = first.answers(&position).await;
    for (method, answer) in &changed {
        assert_eq!(
            *answer == of_first[method],
            is_of_the_program(method),
            "{method}: {answer}"
        );
    }
    assert_eq!(second.answers(&position_of_second).await, of_second);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_with_the_same_ids_are_nothing_to_each_other() {
    check(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_with_the_same_ids_are_nothing_to_each_other_in_postgresql_and_redis() {
    check(Shape::Together).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_listed_with_the_names_of_their_tenants_and_of_one_tenant_where_it_is_named() {
    let world = World::start(Shape::Embedded).await;
    let installation = world.client();
    let run = |arguments: &[&str]| {
        let output = world.cli(arguments);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        String::from_utf8(output.stdout).unwrap()
    };
    // Id and tenant of each key, by the words of its line.
    let keys = |table: &str| {
        let lines = table.lines().map(|line| {
            let mut words = line.split_whitespace().map(ToOwned::to_owned);
            (words.next().unwrap_or_default(), words.next())
        });
        let is_id =
            |word: &str| word.len() == 16 && word.bytes().all(|one| one.is_ascii_hexdigit());
        let mut keys: Vec<(String, String)> = lines
            .filter(|(word, _)| is_id(word))
            .map(|(id, tenant)| (tenant.unwrap(), id))
            .collect();
        keys.sort();
        keys
    };
    let made = async |name: &str| {
        tenant(&installation, name, at("2026-02-01T00:00")).await;
        let made = keys(&run(&[
            "keys", "create", "--scope", "read", "--tenant", name,
        ]));
        assert_eq!(made[0].0, name);
        made
    };
    let (first, second) = (made("first").await, made("second").await);

    let all = keys(&run(&["keys", "list"]));
    assert_eq!(all[0].0, "(installation)");
    assert_eq!(all[1..], [first.as_slice(), second.as_slice()].concat());
    let of_one = keys(&run(&["keys", "list", "--tenant", "second"]));
    assert_eq!(of_one, second);
    let revoked = keys(&run(&["keys", "revoke", &second[0].1]));
    assert_eq!(revoked, second);
    world.end().await;
}
