//! `Places`, and how `Facts` stores what waited for one.

use std::sync::Arc;

use futures_util::future::join_all;

use sextant_domain::id::{AccountKey, TenantId};
use sextant_domain::place::{self, Word};

use crate::Error;
use crate::conformance::make::{
    ACME, BOLT, SLICE, account, at, batch, event, external, from_source, records, sources,
};
use crate::conformance::{Harness, Ingestion};
use crate::port::{EventTypeRow, MAX_EVENT_TYPES, NewFact, Outcome, Page, PlaceStep, PlaceWord};

const DAY: i64 = 86_400;

fn user(id: &str) -> AccountKey {
    AccountKey::of_user(&external(id))
}

/// What is said of a user at a second.
fn said(id: &str, seconds: i64, account: &str, left: bool) -> PlaceWord {
    PlaceWord {
        key: user(id),
        word: Word {
            at: at(seconds),
            account: external(account),
            left,
        },
    }
}

/// A record of a user at a second.
fn of_user(id: &str, record: &str, seconds: i64) -> NewFact {
    NewFact {
        account: Some(user(id)),
        ..event(id, record, seconds)
    }
}

/// Follows a feed of one tenant from an entry to the next one.
async fn follow(
    store: &Ingestion,
    tenant: TenantId,
    from: u64,
    words: Vec<PlaceWord>,
) -> crate::Result<bool> {
    let step = PlaceStep {
        tenant,
        slice: SLICE,
        from,
        to: from + 1,
        words,
        events: Vec::new(),
        types: Vec::new(),
    };
    store.places.follow(step).await
}

async fn words(store: &Ingestion, id: &str) -> Vec<Word> {
    let found = store.places.words(ACME, &[user(id)]).await.unwrap();
    let mut words: Vec<Word> = found.into_iter().map(|said| said.word).collect();
    words.sort();
    words
}

async fn commit(store: &Ingestion, n: u32, facts: Vec<NewFact>) -> Vec<Outcome> {
    let committed = store.facts.commit(batch(ACME, n, facts)).await;
    committed.unwrap().outcomes
}

async fn n_held(store: &Ingestion) -> usize {
    store.intake.held(ACME, 0, 100).await.unwrap().len()
}

pub async fn of_what_is_said_on_a_day_the_ends_stay<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    let first = vec![
        said("u1", 50, "anvil", false),
        said("u1", 30, "anvil", false),
    ];
    assert!(!follow(&store, ACME, 0, first).await.unwrap());
    let second = vec![
        said("u1", 40, "anvil", false),
        said("u1", 45, "anvil", true),
        said("u1", DAY + 1, "anvil", false),
        said("u2", 1, "bellows", false),
    ];
    follow(&store, ACME, 1, second).await.unwrap();
    let kept: Vec<(i64, bool)> = words(&store, "u1")
        .await
        .into_iter()
        .map(|word| ((word.at.0 - at(0).0) / 1_000_000, word.left))
        .collect();
    assert_eq!(
        kept,
        [(30, false), (45, true), (50, false), (DAY + 1, false)]
    );
}

pub async fn a_feed_is_followed_once<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    follow(&store, ACME, 0, vec![said("u1", 1, "anvil", false)])
        .await
        .unwrap();
    let again = follow(&store, ACME, 0, vec![said("u1", 2, "bellows", false)]).await;
    assert!(matches!(again, Err(Error::Fenced)), "{again:?}");
    assert_eq!(
        words(&store, "u1").await.len(),
        1,
        "a step that is not taken leaves nothing"
    );
    follow(&store, BOLT, 0, Vec::new()).await.unwrap();
    let mut cursors = store.places.cursors().await.unwrap();
    cursors.sort();
    assert_eq!(cursors, [(ACME, SLICE, 1), (BOLT, SLICE, 1)]);
    let store = Arc::new(store);
    let steps = (0..4).map(|_| {
        let store = Arc::clone(&store);
        async move { follow(&store, ACME, 1, Vec::new()).await }
    });
    let taken = join_all(steps).await;
    assert_eq!(
        taken.iter().filter(|step| step.is_ok()).count(),
        1,
        "{taken:?}"
    );
}

pub async fn places_of_tenants_are_apart<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    follow(&store, BOLT, 0, vec![said("u1", 1, "anvil", false)])
        .await
        .unwrap();
    assert_eq!(words(&store, "u1").await, []);
    commit(&store, 1, vec![account("anvil", 1, "a1")]).await;
    assert_eq!(
        commit(&store, 2, vec![of_user("u1", "e1", 5)]).await,
        [Outcome::Held]
    );
    assert_eq!(n_held(&store).await, 1);
}

pub async fn what_waits_for_a_user_is_stored_where_the_user_was<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    let known = vec![account("anvil", 1, "a1"), account("bellows", 2, "b1")];
    commit(&store, 1, known).await;
    let waiting = vec![
        of_user("u1", "e1", 10),
        of_user("u1", "e2", 25),
        of_user("u1", "e3", 2 * DAY),
        of_user("u2", "e4", 10),
    ];
    let held = from_source("app", batch(ACME, 2, waiting));
    let outcomes = store.facts.commit(held).await.unwrap().outcomes;
    assert_eq!(outcomes, [Outcome::Held; 4]);
    let rows = store.intake.held(ACME, 0, 10).await.unwrap();
    assert_eq!(rows[3].account, user("u2"));
    let step = vec![
        said("u1", 5, "anvil", false),
        said("u1", 20, "bellows", false),
        said("u1", DAY, "anvil", true),
        said("u1", DAY, "bellows", true),
    ];
    assert!(
        follow(&store, ACME, 0, step).await.unwrap(),
        "records wait for it"
    );
    let heads = store
        .facts
        .release(batch(ACME, 3, Vec::new()))
        .await
        .unwrap();
    assert_eq!(heads, [(SLICE, 2)]);
    let facts = super::make::entries(&store, ACME, SLICE).await;
    let stored: Vec<_> = facts[1]
        .facts
        .iter()
        .map(|fact| (fact.uid, fact.record.clone()))
        .collect();
    let record = |id: &str| format!("record {id} of u1").into_bytes();
    assert_eq!(
        stored,
        [
            (Some(super::make::uid(1)), record("e1")),
            (Some(super::make::uid(2)), record("e2")),
        ]
    );
    assert_eq!(
        facts[1].facts[0].known_at,
        at(1_003),
        "nobody could know it before"
    );
    let left: Vec<_> = store
        .intake
        .held(ACME, 0, 10)
        .await
        .unwrap()
        .into_iter()
        .map(|row| row.record)
        .collect();
    assert_eq!(
        left,
        [record("e3"), b"record e4 of u2".to_vec()],
        "u1 had left by then"
    );
    let counts = sources(&store, ACME).await;
    let app = counts.iter().find(|count| count.source == "app").unwrap();
    assert_eq!((app.accepted, app.held), (2, 2));
}

pub async fn what_comes_for_a_user_with_a_place_does_not_wait<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    commit(&store, 1, vec![account("anvil", 1, "a1")]).await;
    follow(&store, ACME, 0, vec![said("u1", 5, "anvil", false)])
        .await
        .unwrap();
    // Its place became known between its look at the places and its commit.
    assert_eq!(
        commit(&store, 2, vec![of_user("u1", "e1", 10)]).await,
        [Outcome::Held]
    );
    assert_eq!(n_held(&store).await, 0, "it is stored before the answer");
    assert_eq!(records(&store, ACME, SLICE).await[1], "record e1 of u1");
    // Again by its user, and again by its account: the same record.
    assert_eq!(
        commit(&store, 3, vec![of_user("u1", "e1", 10)]).await,
        [Outcome::Held]
    );
    let by_account = NewFact {
        account: Some(external("anvil").into()),
        ..of_user("u1", "e1", 10)
    };
    assert_eq!(
        commit(&store, 4, vec![by_account]).await,
        [Outcome::Duplicate]
    );
    assert_eq!(n_held(&store).await, 0);
    assert_eq!(records(&store, ACME, SLICE).await.len(), 2);
}

pub async fn no_record_waits_for_a_user_with_a_place<H: Harness>(harness: H) {
    const N_ROUNDS: u32 = 8;
    let store = harness.ingestion().await;
    commit(&store, 1, vec![account("anvil", 1, "a1")]).await;
    for round in 0..N_ROUNDS {
        let id = format!("u{round}");
        let holds = commit(&store, 10 + round, vec![of_user(&id, &id, 10)]);
        let places = async {
            let step = vec![said(&id, 5, "anvil", false)];
            if follow(&store, ACME, round.into(), step).await.unwrap() {
                let call = batch(ACME, 100 + round, Vec::new());
                store.facts.release(call).await.unwrap();
            }
        };
        tokio::join!(holds, places);
        assert_eq!(n_held(&store).await, 0, "round {round}");
    }
    assert_eq!(records(&store, ACME, SLICE).await.len(), 9);
}

/// Engines decide in SQL where a record that waited belongs, and the service decides it for records that come: both agree.
pub async fn engines_agree_on_places_with_the_formula<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    let accounts = ["anvil", "bellows", "chisel"];
    let known = accounts.iter().zip(1..).map(|(id, n)| account(id, n, id));
    commit(&store, 1, known.collect()).await;
    // All short stories over a few moments, some of them on another day.
    let moments = [10, 20, DAY + 10, DAY + 20];
    let mut stories: Vec<Vec<(i64, usize, bool)>> = Vec::new();
    for seed in 0..60_usize {
        let story = moments.iter().enumerate().filter_map(|(place, moment)| {
            let choice = (seed * 7 + place * 13 + seed / (place + 1)) % 7;
            (choice > 0).then_some((*moment, choice % 3, choice > 4))
        });
        stories.push(story.collect());
    }
    let mut expected = Vec::new();
    for (number, story) in stories.iter().enumerate() {
        let id = format!("u{number}");
        let asked = [5, 10, 15, 25, DAY, DAY + 15, 3 * DAY];
        let waiting = asked
            .iter()
            .map(|second| of_user(&id, &format!("e{number} {second}"), *second));
        let n = u32::try_from(number).unwrap();
        commit(&store, 10 + n, waiting.collect()).await;
        let words: Vec<PlaceWord> = story
            .iter()
            .map(|(second, place, left)| said(&id, *second, accounts[*place], *left))
            .collect();
        follow(&store, ACME, number as u64, words).await.unwrap();
        let told = self::words(&store, &id).await;
        for second in asked {
            if let Some(home) = place::at(&told, at(second)) {
                let uid = accounts
                    .iter()
                    .zip(1..)
                    .find(|(id, _)| **id == home.as_str());
                let record = format!("record e{number} {second} of {id}");
                expected.push((record, super::make::uid(uid.unwrap().1)));
            }
        }
    }
    store
        .facts
        .release(batch(ACME, 1_000, Vec::new()))
        .await
        .unwrap();
    let entries = super::make::entries(&store, ACME, SLICE).await;
    let mut stored: Vec<_> = entries
        .iter()
        .skip(1)
        .flat_map(|entry| &entry.facts)
        .map(|fact| {
            (
                String::from_utf8(fact.record.clone()).unwrap(),
                fact.uid.unwrap(),
            )
        })
        .collect();
    stored.sort();
    expected.sort();
    assert!(expected.len() > 100, "{}", expected.len());
    assert_eq!(stored, expected);
}

/// Events of a type, from one second to another.
fn counted(name: &str, events: u64, (first, last): (i64, i64)) -> EventTypeRow {
    EventTypeRow {
        event_type: name.to_owned(),
        events,
        first_at: at(first),
        last_at: at(last),
    }
}

async fn count(store: &Ingestion, tenant: TenantId, from: u64, types: Vec<EventTypeRow>) {
    let step = PlaceStep {
        tenant,
        slice: SLICE,
        from,
        to: from + 1,
        words: Vec::new(),
        events: Vec::new(),
        types,
    };
    store.places.follow(step).await.unwrap();
}

async fn types(store: &Ingestion, page: &Page) -> Vec<EventTypeRow> {
    store.places.event_types(ACME, page).await.unwrap()
}

pub async fn events_of_each_type_are_added_up<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    let first = vec![counted("b", 3, (50, 70)), counted("a", 1, (5, 5))];
    count(&store, ACME, 0, first).await;
    let second = vec![counted("c", 2, (1, 2)), counted("b", 4, (40, 60))];
    count(&store, ACME, 1, second).await;
    count(&store, BOLT, 0, vec![counted("b", 9, (0, 0))]).await;
    let all = types(&store, &Page::first(10)).await;
    let expected = [
        counted("a", 1, (5, 5)),
        counted("b", 7, (40, 70)),
        counted("c", 2, (1, 2)),
    ];
    assert_eq!(all, expected);
    let behind = Page {
        after: Some("a".to_owned()),
        limit: 1,
    };
    assert_eq!(types(&store, &behind).await, expected[1..2]);
}

pub async fn so_many_types_of_events_are_told_apart_and_the_others_are_counted_together<
    H: Harness,
>(
    harness: H,
) {
    let store = harness.ingestion().await;
    let name = |n: usize| format!("type {n:05}");
    let many = (0..MAX_EVENT_TYPES - 1).map(|n| counted(&name(n), 1, (7, 7)));
    count(&store, ACME, 0, many.collect()).await;
    let more = (MAX_EVENT_TYPES - 2..MAX_EVENT_TYPES + 2).map(|n| counted(&name(n), 2, (1, 9)));
    count(&store, ACME, 1, more.collect()).await;
    let all = types(&store, &Page::first(MAX_EVENT_TYPES + 10)).await;
    assert_eq!(all.len(), MAX_EVENT_TYPES + 1);
    assert_eq!(all[0], counted("", 4, (1, 9)));
    let last = &all[MAX_EVENT_TYPES - 1..];
    let expected = [
        counted(&name(MAX_EVENT_TYPES - 2), 3, (1, 9)),
        counted(&name(MAX_EVENT_TYPES - 1), 2, (1, 9)),
    ];
    assert_eq!(last, expected);
    // One that is told apart stays so.
    count(&store, ACME, 2, vec![counted(&name(3), 1, (7, 7))]).await;
    let all = types(&store, &Page::first(5)).await;
    assert_eq!(all[4], counted(&name(3), 2, (7, 7)));
}
