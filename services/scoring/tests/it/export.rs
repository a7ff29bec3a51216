//! The features of all accounts as columns: what those of each say, page by page, of one moment.

use sextant_columns::Export;
use sextant_proto::common::v1::ReadAt;
use sextant_proto::scoring::v1 as pb;

use crate::facts::{account, called, event, known, on, payment, subscription};
use crate::world::{NOW, Scoring, World, about, at, reason, value};

fn script(world: &World) -> String {
    world.facts(vec![
        called("Zeta, \"the last\"", account("zeta", "2027-01-01")),
        subscription("zeta", "2027-01-05", 10, 1_000),
        account("acme", "2027-02-01"),
        event("acme", "ann", "2027-03-01 09:00"),
        event("acme", "bob", "2027-03-02 09:00"),
        account("bolt", "2027-03-01"),
        payment("bolt", "2027-03-02", 5_000),
        account("late", "2027-03-10 09:00"),
    ])
}

fn request(at: Option<ReadAt>, page_size: i32, page_token: &str) -> pb::ListFeaturesRequest {
    pb::ListFeaturesRequest {
        at,
        page_size,
        page_token: page_token.to_owned(),
    }
}

/// All pages of a size.
async fn pages(
    scoring: &Scoring,
    at: Option<ReadAt>,
    page_size: i32,
) -> Vec<pb::ListFeaturesResponse> {
    let mut pages = Vec::new();
    let mut token = String::new();
    loop {
        let asked = about(request(at.clone(), page_size, &token));
        let answer = scoring.client().list_features(asked).await.unwrap();
        let answer = answer.into_inner();
        token.clone_from(&answer.next_page_token);
        pages.push(answer);
        if token.is_empty() {
            return pages;
        }
    }
}

fn exported(pages: &[pb::ListFeaturesResponse]) -> Vec<Vec<String>> {
    let pages: Vec<_> = pages.iter().map(|page| page.arrow_ipc.clone()).collect();
    let export = Export::of_pages(&pages).unwrap();
    let rows = (0..export.n_accounts()).map(|row| export.texts(row).unwrap());
    [vec![export.names()], rows.collect()].concat()
}

/// Every cell is what the features of its account say.
async fn compare(scoring: &Scoring, at: Option<ReadAt>, expected: &[&str]) {
    let pages = pages(scoring, at.clone(), 2).await;
    assert!(pages.iter().all(|page| page.accounts <= 2));
    let rows = exported(&pages);
    let (names, rows) = rows.split_first().unwrap();
    assert_eq!(names[..2], ["account_id", "account_name"]);
    let ids: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(ids, expected);
    for row in rows {
        let answer = scoring.features(&row[0], at.clone()).await.unwrap();
        assert_eq!(pages[0].freshness, answer.freshness);
        assert_eq!(answer.features.len(), names.len() - 2);
        for (name, cell) in names.iter().zip(row).skip(2) {
            assert_eq!(cell, &value(&answer.features, name), "{} {name}", row[0]);
        }
    }
}

#[tokio::test]
async fn an_export_says_of_every_account_what_its_own_features_say() {
    let world = World::new();
    let position = script(&world);
    let scoring = world.start();
    compare(&scoring, at(&position), &["acme", "bolt", "late", "zeta"]).await;
    let rows = exported(&pages(&scoring, at(&position), 0).await);
    assert_eq!(rows[4][..2], ["zeta", "Zeta, \"the last\""]);
}

#[tokio::test]
async fn an_export_of_the_past_has_who_existed_then_and_what_was_known_then() {
    let world = World::new();
    let first = script(&world);
    let position = world.facts(vec![known(NOW, event("zeta", "cy", "2027-02-28 09:00"))]);
    let scoring = world.start();
    scoring.features("zeta", at(&first)).await.unwrap();
    let past = |known_at: Option<&str>| {
        Some(ReadAt {
            as_of: on("2027-03-01 12:00"),
            known_at: known_at.and_then(on),
            at_least_position: position.clone(),
            ..ReadAt::default()
        })
    };
    compare(&scoring, past(None), &["acme", "zeta"]).await;
    compare(&scoring, past(Some("2027-03-01")), &["acme", "zeta"]).await;
    let [now, then] = [None, Some("2027-03-01")].map(past);
    assert_ne!(
        exported(&pages(&scoring, now, 0).await),
        exported(&pages(&scoring, then, 0).await)
    );
}

#[tokio::test]
async fn a_page_of_an_export_continues_its_own_request_only() {
    let world = World::new();
    let position = script(&world);
    let scoring = world.start();
    let first = &pages(&scoring, at(&position), 2).await[0];
    for (at, token) in [
        (None, first.next_page_token.as_str()),
        (at(&position), "nonsense"),
    ] {
        let mut client = scoring.client();
        let refused = client.list_features(about(request(at, 2, token)));
        assert_eq!(reason(refused.await), "PAGE_TOKEN_INVALID");
    }
}

#[tokio::test]
async fn an_export_without_accounts_has_its_columns() {
    let world = World::new();
    script(&world);
    let scoring = world.start();
    let before = ReadAt {
        as_of: on("2026-01-01"),
        ..ReadAt::default()
    };
    let rows = exported(&pages(&scoring, Some(before), 0).await);
    assert_eq!((rows.len(), rows[0].len()), (1, 40));
}
