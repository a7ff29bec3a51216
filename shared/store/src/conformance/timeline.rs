//! The timeline of `Accounts`, of whose events `Places` keeps where they are.

use sextant_domain::fact::FactKind;
use sextant_domain::id::TenantId;

use crate::Error;
use crate::conformance::make::{ACME, BOLT, SLICE, account, at, batch, entries, event, fact, uid};
use crate::conformance::{Harness, Ingestion};
use crate::port::{NewFact, PlaceStep, TimelinePlace, TimelineQuery, TimelineRow};

const WEEK: i64 = 7 * 86_400;

/// Of the first account, all that is known ten years later.
fn query() -> TimelineQuery {
    TimelineQuery {
        uid: uid(1),
        slice: SLICE,
        kinds: Vec::new(),
        known_at: at(520 * WEEK),
        before: TimelinePlace::behind(at(520 * WEEK)),
        limit: 100,
    }
}

async fn commit(store: &Ingestion, n: u32, facts: Vec<NewFact>) {
    let committed = store.facts.commit(batch(ACME, n, facts)).await;
    committed.unwrap();
}

/// Follows all of a feed.
async fn follow(store: &Ingestion, tenant: TenantId) {
    let followed = store.places.cursors().await.unwrap();
    let own = followed.iter().find(|cursor| cursor.0 == tenant);
    let from = own.map_or(0, |(_, _, sequence)| *sequence);
    let entries = entries(store, tenant, SLICE).await;
    let new = || entries.iter().filter(|entry| entry.sequence > from);
    let step = PlaceStep {
        tenant,
        slice: SLICE,
        from,
        to: new().map(|entry| entry.sequence).max().unwrap(),
        words: Vec::new(),
        events: new().flat_map(|entry| entry.events()).collect(),
        types: Vec::new(),
    };
    store.places.follow(step).await.unwrap();
}

async fn read(store: &Ingestion, query: &TimelineQuery) -> Vec<TimelineRow> {
    store.accounts.timeline(ACME, query).await.unwrap()
}

/// Names of the records, without the account's.
fn names(rows: &[TimelineRow]) -> Vec<String> {
    let name = |row: &TimelineRow| {
        let text = String::from_utf8(row.record.clone()).unwrap();
        text.split(' ').nth(1).unwrap().to_owned()
    };
    rows.iter().map(name).collect()
}

/// Two accounts, with events in several weeks and facts between, in two batches.
async fn stored(store: &Ingestion) {
    let ticket = |id: &str, seconds| fact(FactKind::Ticket, Some("anvil"), id, seconds);
    let first = vec![
        account("anvil", 1, "a1"),
        account("bellows", 2, "b1"),
        event("anvil", "e1", 10),
        event("bellows", "x1", 11),
        event("anvil", "e2", 3 * WEEK),
        ticket("t1", 2 * WEEK),
        event("anvil", "e3", 9 * WEEK),
    ];
    commit(store, 1, first).await;
    // Of one moment, and of long ago.
    let second = vec![
        event("anvil", "e4", 3 * WEEK),
        ticket("t2", 3 * WEEK),
        event("anvil", "e5", 20),
        event("anvil", "e6", -60 * WEEK),
    ];
    commit(store, 2, second).await;
    follow(store, ACME).await;
}

pub async fn all_of_an_account_is_told_newest_first<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    stored(&store).await;
    let rows = read(&store, &query()).await;
    // Of what is of one moment, what was stored last comes first.
    let expected = ["e3", "t2", "e4", "e2", "t1", "e5", "e1", "a1", "e6"];
    assert_eq!(names(&rows), expected);
    let newest = &rows[0];
    assert_eq!(newest.kind, FactKind::Event);
    assert_eq!(newest.place.occurred_at, at(9 * WEEK));
    assert_eq!(newest.known_at, at(9 * WEEK + 1));
    assert!(!newest.historical);
    let bellows = TimelineQuery {
        uid: uid(2),
        ..query()
    };
    assert_eq!(names(&read(&store, &bellows).await), ["x1", "b1"]);
}

pub async fn a_timeline_goes_on_behind_any_of_its_rows<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    stored(&store).await;
    let all = read(&store, &query()).await;
    for limit in 1..=all.len() {
        let mut query = TimelineQuery { limit, ..query() };
        let mut pages = Vec::new();
        loop {
            let page = read(&store, &query).await;
            let Some(last) = page.last() else { break };
            assert!(page.len() <= limit);
            query.before = last.place;
            pages.extend(page);
        }
        assert_eq!(pages, all, "{limit}");
    }
}

pub async fn a_timeline_tells_what_was_known_of_the_time_until_a_moment<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    stored(&store).await;
    let until = |seconds| TimelinePlace::behind(at(seconds));
    for (before, known_at, expected) in [
        (
            until(2 * WEEK),
            at(520 * WEEK),
            &["t1", "e5", "e1", "a1", "e6"][..],
        ),
        (
            until(2 * WEEK - 1),
            at(520 * WEEK),
            &["e5", "e1", "a1", "e6"],
        ),
        // Each is known a second later.
        (until(20), at(20), &["e1", "a1", "e6"]),
        (until(520 * WEEK), at(11), &["e1", "a1", "e6"]),
        (until(-61 * WEEK), at(520 * WEEK), &[]),
    ] {
        let query = TimelineQuery {
            before,
            known_at,
            ..query()
        };
        assert_eq!(names(&read(&store, &query).await), expected, "{query:?}");
    }
}

pub async fn a_timeline_has_the_kinds_that_are_asked_for<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    stored(&store).await;
    use FactKind::{Account, Dunning, Event, Ticket};
    for (kinds, expected) in [
        (vec![Ticket], &["t2", "t1"][..]),
        (vec![Account, Ticket], &["t2", "t1", "a1"]),
        (vec![Event], &["e3", "e4", "e2", "e5", "e1", "e6"]),
        (vec![Dunning], &[]),
    ] {
        let query = TimelineQuery { kinds, ..query() };
        assert_eq!(names(&read(&store, &query).await), expected, "{query:?}");
    }
}

pub async fn timelines_of_tenants_are_apart<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    stored(&store).await;
    assert_eq!(
        store.accounts.timeline(BOLT, &query()).await.unwrap(),
        Vec::new()
    );
    // Its own account of the same name and number.
    let facts = vec![account("anvil", 1, "a9"), event("anvil", "e9", 5)];
    store.facts.commit(batch(BOLT, 9, facts)).await.unwrap();
    follow(&store, BOLT).await;
    let rows = store.accounts.timeline(BOLT, &query()).await.unwrap();
    assert_eq!(names(&rows), ["e9", "a9"]);
    assert_eq!(read(&store, &query()).await.len(), 9);
}

pub async fn events_are_told_of_as_far_as_the_feed_was_followed<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    stored(&store).await;
    commit(&store, 3, vec![event("anvil", "e7", 30 * WEEK)]).await;
    assert_eq!(names(&read(&store, &query()).await)[0], "e3");
    // What somebody else has followed meanwhile is not followed twice.
    let late = PlaceStep {
        tenant: ACME,
        slice: SLICE,
        from: 0,
        to: 1,
        words: Vec::new(),
        events: Vec::new(),
        types: Vec::new(),
    };
    let fenced = store.places.follow(late).await;
    assert!(matches!(fenced, Err(Error::Fenced)), "{fenced:?}");
    follow(&store, ACME).await;
    assert_eq!(names(&read(&store, &query()).await)[0], "e7");
}
