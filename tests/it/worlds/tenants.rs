//! Many tenants, one of them large: everybody is answered, who is silent costs nothing, and a start does not depend on how
//! many there are.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, SystemTime};

use prost_types::Timestamp;
use serde_json::Value;
use tokio::task::block_in_place;
use tokio::time::Instant;

use sextant::client::Client;
use sextant::installation::Role;
use sextant_proto::segmentation::v1::{
    ListMembersRequest, ListSegmentsRequest, WatchTransitionsRequest,
};

use crate::worlds::records::{
    accept, account, ask, at, event, feature, membership, now, revenue, revenue_by, subscription,
};
use crate::worlds::released;
use crate::worlds::world::{Shape, World, segmentation, tenant, tenant_in};

/// Tenants, and accounts of the large one.
const SMALL: (usize, usize) = (200, 2_000);
const AS_PROMISED: (usize, usize) = (1_000, 200_000);
/// With PostgreSQL, unless [`POSTGRESQL_ACCOUNTS`] says more: the import of 200,000 accounts alone takes 100 seconds, so only
/// `tests/run --long` asks for all that is promised.
const WITH_POSTGRESQL: (usize, usize) = (1_000, 20_000);
/// Names the number of accounts of the large tenant with PostgreSQL.
const POSTGRESQL_ACCOUNTS: &str = "SEXTANT_TEST_POSTGRESQL_ACCOUNTS";
/// Of the large tenant.
const BUILT_IN: [&str; 3] = ["lifecycle", "value_tiers", "rfm"];
const CLOCK: &str = "2026-02-01T12:00";
/// How long a silence lasts that is measured, and how long before it nothing is asked: at the latest after ten seconds
/// PostgreSQL has counted what was done.
const SILENCE: Duration = Duration::from_secs(11);
/// Calls between services when a process starts: those that last are not counted before they end.
const MAX_CALLS_OF_A_START: u64 = 20;
/// Transactions of a start, whatever the number of tenants: connections, versions of tables, cursors, and looks at all feeds at
/// once for as long as it takes. A start that looked at each tenant would need a thousand.
const MAX_TRANSACTIONS_OF_A_START: i64 = 400;
/// Transactions of a silence: three services look at all feeds at once every two seconds and one at its segmenters every half
/// second, connections are checked, and those of the test itself. A look at each tenant would need a thousand.
const MAX_TRANSACTIONS_OF_A_SILENCE: i64 = 250;
/// Records that are sent at once.
const BATCH: usize = 1_000;
/// A clock tick is 10 ms.
const TICKS_PER_SECOND: f64 = 100.0;
const MAX_IDLE_SHARE: f64 = 0.01;

/// What was done, all tenants together.
struct Done {
    calls: u64,
    transactions: i64,
    ticks: u64,
}

impl Done {
    async fn until_now(world: &World) -> Self {
        let text = world.scrape(Role::Ingestion);
        let counts = text
            .lines()
            .filter(|line| line.starts_with("rpc_server_call_duration_seconds_count"))
            .map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap());
        Self {
            calls: counts.sum(),
            transactions: world.transactions().await,
            ticks: world.ticks(),
        }
    }
}

fn name(number: usize) -> String {
    format!("a{number:06}")
}

async fn accounts(client: &Client, position: &str) -> usize {
    let request = ListSegmentsRequest {
        segmentation: "lifecycle".to_owned(),
        at: Some(now(position)),
        ..ListSegmentsRequest::default()
    };
    let answer = ask!(client, segmentation.list_segments, request);
    let by_segment: u64 = answer.segments.iter().map(|segment| segment.accounts).sum();
    assert_eq!(by_segment, answer.accounts);
    usize::try_from(answer.accounts).unwrap()
}

/// All members, page by page.
async fn members(client: &Client, position: &str) -> BTreeSet<String> {
    let (mut members, mut page_token) = (BTreeSet::new(), String::new());
    loop {
        let request = ListMembersRequest {
            segmentation: "lifecycle".to_owned(),
            at: Some(now(position)),
            page_size: 1_000,
            page_token,
            ..ListMembersRequest::default()
        };
        let answer = ask!(client, segmentation.list_members, request);
        for member in answer.members {
            let account = member.membership.unwrap().account.unwrap();
            assert!(members.insert(account.id), "nobody is listed twice");
        }
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            return members;
        }
    }
}

/// A tenant of one account with one event. Of ten, three have a segmentation of their own; of fifty, one follows the real clock.
async fn small(world: &Client, number: usize) -> (Client, String) {
    let name = format!("small-{number:04}");
    let (client, [created_at, used_at]) = if number % 50 == 2 {
        #[expect(
            clippy::disallowed_methods,
            reason = "what happens on the real clock has the real time"
        )]
        let now = SystemTime::now();
        let before = |hours: u64| Timestamp::from(now - Duration::from_secs(hours * 3_600));
        let client = tenant_in(world, &name, zone_far_from_midnight(now), None).await;
        (client, [before(24), before(1)])
    } else {
        let client = tenant(world, &name, at(CLOCK)).await;
        (client, [at("2026-01-30T00:00"), at("2026-01-31T10:00")])
    };
    match number % 10 {
        1 | 2 => segmentation(&client, "lifecycle").await,
        3 => segmentation(&client, "value_tiers").await,
        _ => {},
    }
    let records = vec![account("a", created_at), event("a", "u", used_at)];
    let position = accept(&client, records).await;
    (client, position)
}

/// Where it is day now: a day that ends while silence is measured would be closed, and rightly so.
fn zone_far_from_midnight(now: SystemTime) -> &'static str {
    let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    match since_1970.as_secs() / 3_600 % 24 {
        6..18 => "UTC",
        _ => "Etc/GMT+12",
    }
}

/// What the accounts of the large tenant do on the day of the clock: one of five uses the product, one of twenty subscribes.
/// Returns the position and what they pay.
async fn busy(client: &Client, n_accounts: usize) -> (String, i64) {
    let (mut records, mut n_paying, mut position) = (Vec::new(), 0, String::new());
    for number in (1..n_accounts).step_by(5) {
        records.push(event(&name(number), "u", at("2026-02-01T09:00")));
        if number % 20 == 11 {
            n_paying += 1;
            records.push(subscription(
                &name(number),
                at("2026-02-01T07:00"),
                1,
                1_000,
            ));
        }
    }
    while !records.is_empty() {
        let batch = records.split_off(records.len().saturating_sub(BATCH));
        position = accept(client, batch).await;
    }
    (position, n_paying * 1_000)
}

/// A tenant whose accounts are imported from a file.
async fn large(world: &World, installation: &Client, n_accounts: usize) -> (Client, String) {
    let client = tenant(installation, "large", at(CLOCK)).await;
    for built_in in BUILT_IN {
        segmentation(&client, built_in).await;
    }
    let mut rows = "account_id,created_at\n".to_owned();
    for number in 0..n_accounts {
        rows.push_str(&format!("{},2026-01-29\n", name(number)));
    }
    let path = world.folder().join("accounts.csv");
    fs::write(&path, rows).unwrap();
    let arguments = [
        "import",
        path.to_str().unwrap(),
        "--kind",
        "accounts",
        "--history",
        "latest",
        "--tenant",
        "large",
        "--output",
        "json",
    ];
    let output = block_in_place(|| world.cli(&arguments));
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaints}");
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let position = printed["position"][0]["position"].as_str().unwrap();
    (client, position.to_owned())
}

/// An account subscribes: who watches is told, and every read of it and of the whole says so. Returns the position.
async fn subscribes(client: &Client, name: &str, others_pay: i64) -> String {
    let request = WatchTransitionsRequest {
        segmentation: "lifecycle".to_owned(),
        ..WatchTransitionsRequest::default()
    };
    let watching = client
        .segmentation()
        .watch_transitions(client.stream(request))
        .await;
    let mut watching = watching.unwrap().into_inner();
    let first = watching.message().await.unwrap().unwrap();
    assert_eq!(first.transitions, []);

    let records = vec![subscription(name, at("2026-02-01T08:00"), 3, 1_000)];
    let position = accept(client, records).await;
    let told = watching.message().await.unwrap().unwrap().transitions;
    let moves: Vec<(&str, &str, &str)> = told
        .iter()
        .map(|one| {
            let account = one.account.as_ref().unwrap();
            let (from, to) = (one.from_segment.as_str(), one.to_segment.as_str());
            (account.id.as_str(), from, to)
        })
        .collect();
    assert_eq!(moves, [(name, "prospect", "onboarding")]);
    moved(client, name, &position, others_pay).await;
    position
}

/// What is answered once an account has subscribed, and no other one has.
async fn moved(client: &Client, name: &str, position: &str, others_pay: i64) {
    let at = now(position);
    assert_eq!(
        membership(client, name, "lifecycle", &at).await.segment,
        "onboarding"
    );
    let mrr_minor = revenue(client, &at).await.total.unwrap().mrr_minor;
    assert_eq!(mrr_minor, others_pay + 3_000);
}

/// Everything of the large tenant, once an account has moved.
async fn whole(client: &Client, position: &str, n_accounts: usize) {
    assert_eq!(accounts(client, position).await, n_accounts);
    let last = name(n_accounts - 1);
    let begun = Instant::now();
    let members = members(client, position).await;
    println!("all members, page by page: {:?}", begun.elapsed());
    assert_eq!(members.len(), n_accounts);
    assert_eq!(members.last(), Some(&last));
    let at = now(position);
    let stage = membership(client, &last, "lifecycle", &at).await.segment;
    assert_eq!(stage, "prospect");
    let days = feature(client, &last, "usage.active_days_28d", &at).await;
    assert_eq!(days, None, "nobody has told of its use");
    let total = revenue(client, &at).await.total.unwrap().mrr_minor;
    for built_in in BUILT_IN {
        let by = revenue_by(client, built_in, &at).await.segments;
        let sum: i64 = by.iter().map(|one| one.mrr_minor).sum();
        assert_eq!(sum, total, "{built_in}");
    }
    let onboarding = membership(client, &name(11), "lifecycle", &at).await;
    assert_eq!(onboarding.segment, "onboarding");
    let days = feature(client, &name(11), "usage.active_days_28d", &at).await;
    assert_eq!(days, Some(1));
}

/// Measures a time in which nobody asks for anything.
async fn silence(world: &World) {
    world.turn_off_vacuum().await;
    tokio::time::sleep(SILENCE).await;
    let before = Done::until_now(world).await;
    tokio::time::sleep(SILENCE).await;
    let after = Done::until_now(world).await;
    let transactions = after.transactions - before.transactions;
    #[expect(clippy::cast_precision_loss, reason = "a few ticks")]
    let share = (after.ticks - before.ticks) as f64 / TICKS_PER_SECOND / SILENCE.as_secs_f64();
    println!(
        "silence: {transactions} transactions, {:.2} % of a core",
        share * 100.0
    );
    assert_eq!(after.calls, before.calls, "no feed is read");
    assert!(transactions < MAX_TRANSACTIONS_OF_A_SILENCE);
    assert!(share < MAX_IDLE_SHARE, "{share}");
}

/// Kills the process and starts it again: what the start did does not depend on the number of tenants.
async fn restart(world: &World) {
    let before = world.transactions().await;
    let begun = Instant::now();
    world.kill_and_restart(Role::All);
    println!("killed and serving again after {:?}", begun.elapsed());
    tokio::time::sleep(SILENCE).await;
    let started = Done::until_now(world).await;
    let transactions = started.transactions - before;
    println!(
        "start: {} calls, {transactions} transactions",
        started.calls
    );
    assert!(started.calls <= MAX_CALLS_OF_A_START, "{}", started.calls);
    assert!(transactions <= MAX_TRANSACTIONS_OF_A_START);
}

fn with_postgresql() -> (usize, usize) {
    let (n_tenants, n_accounts) = WITH_POSTGRESQL;
    let named = std::env::var_os(POSTGRESQL_ACCOUNTS);
    (
        n_tenants,
        named.map_or(n_accounts, |named| named.to_str().unwrap().parse().unwrap()),
    )
}

async fn check(shape: Shape) {
    let (n_tenants, n_accounts) = match (released(), shape) {
        (None, _) => SMALL,
        (Some(_), Shape::Embedded) => AS_PROMISED,
        (Some(_), Shape::Together | Shape::Apart) => with_postgresql(),
    };
    let world = World::start(shape).await;
    let installation = world.client();
    let begun = Instant::now();
    let mut tenants = Vec::new();
    for number in 0..n_tenants - 1 {
        tenants.push(small(&installation, number).await);
    }
    println!("{shape:?}: {n_tenants} tenants after {:?}", begun.elapsed());
    let (large, position) = large(&world, &installation, n_accounts).await;
    assert_eq!(accounts(&large, &position).await, n_accounts);
    println!(
        "{shape:?}: {n_accounts} accounts after {:?}",
        begun.elapsed()
    );
    for (client, position) in &tenants {
        let days = feature(client, "a", "usage.active_days_28d", &now(position)).await;
        assert_eq!(days, Some(1));
    }
    let (position, others_pay) = busy(&large, n_accounts).await;
    assert_eq!(accounts(&large, &position).await, n_accounts);
    println!("{shape:?}: in use after {:?}", begun.elapsed());
    let position = subscribes(&large, &name(7), others_pay).await;
    let position_of_small = subscribes(&tenants[1].0, "a", 0).await;
    whole(&large, &position, n_accounts).await;
    silence(&world).await;

    restart(&world).await;
    // The connections of before are gone with the process.
    let installation = world.client();
    let again = async |name: &str| {
        let found = installation.find_tenant(Some(name)).await.unwrap();
        installation.of_tenant(&found).unwrap()
    };
    let large = again("large").await;
    moved(&large, &name(7), &position, others_pay).await;
    whole(&large, &position, n_accounts).await;
    moved(&again("small-0001").await, "a", &position_of_small, 0).await;
    for number in (0..n_tenants - 1).step_by(50) {
        let client = again(&format!("small-{number:04}")).await;
        let at = now(&tenants[number].1);
        let days = feature(&client, "a", "usage.active_days_28d", &at).await;
        assert_eq!(days, Some(1));
    }
    println!("{shape:?}: done after {:?}", begun.elapsed());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_tenants_and_a_large_one_are_answered_and_cost_nothing_while_they_are_silent() {
    check(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_tenants_and_a_large_one_cost_postgresql_nothing_while_they_are_silent() {
    check(Shape::Together).await;
}
