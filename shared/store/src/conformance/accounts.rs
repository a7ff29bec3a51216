//! `Accounts`.

use sextant_domain::fact::FactKind;
use sextant_domain::id::{AccountUid, Slice};

use crate::conformance::Harness;
use crate::conformance::make::{ACME, BOLT, account, at, batch, event, external, fact, uid};
use crate::port::{AccountRow, FactBatch, NewFact, Page};

pub async fn accounts_are_found_by_external_id<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    let new = batch(
        ACME,
        1,
        vec![account("anvil", 1, "a1"), account("bellows", 2, "b1")],
    );
    store
        .facts
        .commit(FactBatch { n_slices: 8, ..new })
        .await
        .unwrap();
    let ids = [
        external("unknown"),
        external("bellows"),
        external("anvil"),
        external("bellows"),
    ];
    let mut found = store.accounts.resolve(ACME, &ids).await.unwrap();
    found.sort_by_key(|row| row.uid);
    let expected = ["anvil", "bellows"].map(external);
    let row = |n, id: &_| AccountRow {
        uid: uid(n),
        id: Clone::clone(id),
        slice: Slice::of_account(id, 8),
    };
    assert_eq!(found, [row(1, &expected[0]), row(2, &expected[1])]);
    assert_eq!(store.accounts.resolve(ACME, &[]).await.unwrap(), []);
}

pub async fn accounts_are_listed_in_byte_order<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    let names = ["b", "Z", "é", "a1", "a", "a-1", "ż", "A"];
    let facts = (1..)
        .zip(names)
        .map(|(n, name)| account(name, n, &format!("a{n}")))
        .collect();
    store.facts.commit(batch(ACME, 1, facts)).await.unwrap();
    let mut expected = names.to_vec();
    expected.sort_unstable();
    let mut listed = Vec::new();
    let mut page = Page::first(3);
    loop {
        let rows = store.accounts.list(ACME, &page).await.unwrap();
        let Some(last) = rows.last() else { break };
        page.after = Some(last.id.as_str().to_owned());
        assert!(rows.len() <= 3);
        listed.extend(rows.into_iter().map(|row| row.id.as_str().to_owned()));
    }
    assert_eq!(listed, expected);
}

pub async fn versions_of_one_instant_are_in_the_order_of_the_feed<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    let anvil = account("anvil", 1, "a1");
    store
        .facts
        .commit(batch(ACME, 9, vec![anvil]))
        .await
        .unwrap();
    // Ids of batches say when they were made, by clocks that differ, and not when they were stored.
    for (number, ids) in [(7, ["s1", "s2"]), (8, ["s3", "s4"]), (5, ["s5", "s6"])] {
        let facts = ids.map(|id| fact(FactKind::Subscription, Some("anvil"), id, 20));
        let stored = store.facts.commit(batch(ACME, number, facts.into())).await;
        stored.unwrap();
    }
    let versions = store.accounts.versions(ACME, &[uid(1)]).await.unwrap();
    let told: Vec<_> = versions[1..]
        .iter()
        .map(|version| &*version.record)
        .collect();
    let expected = [1, 2, 3, 4, 5, 6].map(|number| format!("record s{number} of anvil"));
    assert_eq!(told, expected.each_ref().map(String::as_bytes));
}

pub async fn versions_are_all_facts_of_accounts_but_events<H: Harness>(harness: H) {
    let store = harness.ingestion().await;
    let facts = vec![
        account("bellows", 2, "b1"),
        account("anvil", 1, "a1"),
        event("anvil", "e1", 5),
        fact(FactKind::User, None, "u1", 5),
    ];
    store.facts.commit(batch(ACME, 1, facts)).await.unwrap();
    let subscription = |id: &str, seconds| fact(FactKind::Subscription, Some("anvil"), id, seconds);
    let late = NewFact {
        known_at: at(900),
        ..subscription("s2", 30)
    };
    let facts = vec![
        subscription("s4", 40),
        late,
        subscription("s1", 20),
        subscription("s3", 30),
        subscription("s3b", 30),
        fact(FactKind::Payment, Some("bellows"), "p1", 60),
        fact(FactKind::Invoice, Some("bellows"), "i1", 50),
    ];
    store.facts.commit(batch(ACME, 2, facts)).await.unwrap();

    let versions = store
        .accounts
        .versions(ACME, &[uid(2), uid(1), uid(9), uid(1)])
        .await
        .unwrap();
    let told: Vec<(AccountUid, String)> = versions
        .iter()
        .map(|version| {
            (
                version.uid,
                String::from_utf8(version.record.clone()).unwrap(),
            )
        })
        .collect();
    let expected = [
        (1, "record a1 of anvil"),
        (1, "record s1 of anvil"),
        (1, "record s3 of anvil"),
        (1, "record s3b of anvil"),
        (1, "record s2 of anvil"),
        (1, "record s4 of anvil"),
        (2, "record b1 of bellows"),
        (2, "record i1 of bellows"),
        (2, "record p1 of bellows"),
    ];
    assert_eq!(
        told,
        expected.map(|(n, record)| (uid(n), record.to_owned())),
        "by account, time, and time of knowledge"
    );
    assert_eq!(
        (
            versions[4].kind,
            versions[4].occurred_at,
            versions[4].known_at
        ),
        (FactKind::Subscription, at(30), at(900))
    );
    assert_eq!(store.accounts.versions(BOLT, &[uid(1)]).await.unwrap(), []);
}
