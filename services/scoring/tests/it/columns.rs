//! Columns for an evaluation: of its moment and its day, whatever was taken in since, and since when that is known.

use sextant_domain::feature::Feature;
use sextant_domain::time::Instant;
use sextant_proto::scoring::v1::{LateAccount, ReadColumnsRequest, ReadColumnsResponse};
use sextant_wire::time;

use crate::facts::{account, called, day, event, instant, known, on, subscription, uid};
use crate::world::{NOW, Scoring, World, at, reason};

/// MRR and active days of the one account, and when newer facts became known.
fn told(message: &ReadColumnsResponse) -> (Option<f64>, Option<f64>, Option<Instant>) {
    let table = sextant_columns::decode(&message.arrow_ipc)
        .unwrap()
        .remove(0);
    let number = |feature| sextant_columns::number(&table, feature, 0);
    (
        number(Feature::RevenueMrrMinor),
        number(Feature::UsageActiveDays28d),
        time::optional(message.known_at.as_ref(), "known_at").unwrap(),
    )
}

/// What is asked for an evaluation at noon of the first day.
fn at_noon(facts_sequence: u64) -> ReadColumnsRequest {
    ReadColumnsRequest {
        as_of: on(NOW),
        facts_sequence,
        ..ReadColumnsRequest::default()
    }
}

fn late() -> ReadColumnsRequest {
    ReadColumnsRequest {
        late: vec![LateAccount {
            account_uid: sextant_wire::read::uid_bytes(uid("acme")),
            since: Some(day("2027-03-09")),
        }],
        late_closes: vec![day("2027-03-09")],
        ..at_noon(1)
    }
}

#[tokio::test]
async fn columns_of_an_evaluation_hold_no_more_than_was_known_at_the_end_of_its_day_and_say_since_when()
 {
    let world = World::new();
    let position = world.facts(vec![
        account("acme", "2027-03-01"),
        subscription("acme", "2027-03-01", 3, 1_000),
        event("acme", "ann", "2027-03-09 09:00"),
    ]);
    let scoring = world.start();
    scoring.features("acme", at(&position)).await.unwrap();
    let columns = async |request| told(&scoring.read_columns(request).await[0]);
    let first = (Some(3_000.0), Some(1.0), None);
    assert_eq!(columns(at_noon(1)).await, first);
    assert_eq!(columns(late()).await, first);

    let position = world.facts(vec![known(NOW, event("acme", "ann", "2027-03-08 09:00"))]);
    scoring.features("acme", at(&position)).await.unwrap();
    let newer = (Some(3_000.0), Some(2.0), Some(instant(NOW)));
    assert_eq!(columns(at_noon(1)).await, newer);
    assert_eq!(columns(late()).await, newer);
    assert_eq!(columns(at_noon(2)).await, (newer.0, newer.1, None));

    // On the next day that one is over, and closed.
    let next = "2027-03-11 09:00";
    let position = world.advance(next);
    scoring.features("acme", at(&position)).await.unwrap();
    let nothing_newer = (newer.0, newer.1, None);
    assert_eq!(columns(at_noon(2)).await, nothing_newer);
    let position = world.facts(vec![
        known(next, event("acme", "ann", "2027-03-07 09:00")),
        known(next, subscription("acme", "2027-03-07", 5, 1_000)),
    ]);
    scoring.features("acme", at(&position)).await.unwrap();
    let end = instant("2027-03-11").plus_us(-1);
    let of_that_day = (newer.0, newer.1, Some(end));
    assert_eq!(columns(at_noon(1)).await, of_that_day);
    assert_eq!(columns(late()).await, of_that_day);
    let now = columns(ReadColumnsRequest::default()).await;
    assert_eq!(now, (Some(5_000.0), Some(3.0), None));
}

#[tokio::test]
async fn who_has_not_taken_the_facts_in_gives_no_columns_of_them() {
    let world = World::new();
    let position = world.facts(vec![account("acme", "2027-03-01")]);
    let scoring = world.start();
    scoring.features("acme", at(&position)).await.unwrap();
    let answer = scoring.ask_for_columns(at_noon(2)).await;
    assert_eq!(reason(answer), "UNAVAILABLE");
}

#[tokio::test]
async fn an_account_that_was_named_after_an_evaluation_is_left_to_a_later_one() {
    let world = World::new();
    let position = world.facts(vec![account("acme", "2027-03-01")]);
    let scoring = world.start();
    scoring.features("acme", at(&position)).await.unwrap();
    let position = world.facts(vec![account("bolt", "2027-03-02")]);
    scoring.features("bolt", at(&position)).await.unwrap();
    let shown = async |scoring: &Scoring, request| {
        let messages = scoring.read_columns(request).await;
        let tables = messages
            .iter()
            .flat_map(|message| sextant_columns::decode(&message.arrow_ipc).unwrap());
        let mut uids: Vec<_> = tables
            .flat_map(|table| sextant_columns::uids(&table))
            .collect();
        uids.sort();
        uids
    };
    let mut both = vec![uid("acme"), uid("bolt")];
    both.sort();
    let present = ReadColumnsRequest::default;
    assert_eq!(shown(&scoring, at_noon(1)).await, [uid("acme")]);
    assert_eq!(shown(&scoring, at_noon(2)).await, both);
    assert_eq!(shown(&scoring, present()).await, both);
    scoring.stop();

    // What is read back from the store knows it as well.
    let scoring = world.start();
    assert_eq!(shown(&scoring, at_noon(1)).await, [uid("acme")]);
    assert_eq!(shown(&scoring, present()).await, both);
}

#[tokio::test]
async fn of_the_names_of_an_account_that_of_the_latest_time_counts_in_whatever_order_they_come() {
    let world = World::new();
    let acme = |name, at| called(name, account("acme", at));
    world.facts(vec![acme("Old", "2025-01-01")]);
    let steps = [
        (acme("New", "2025-09-01"), "New"),
        (known(NOW, acme("Older", "2025-03-01")), "New"),
        (known(NOW, acme("", "2025-10-01")), "New"),
        // Of two of one time, the one that became known later counts.
        (
            known("2027-03-10 11:00", acme("Newer", "2025-09-01")),
            "Newer",
        ),
        (
            known("2027-03-10 10:00", acme("Newish", "2025-09-01")),
            "Newer",
        ),
    ];
    let mut scoring = world.start();
    for (fact, expected) in steps {
        let position = world.facts(vec![fact]);
        for stops in [true, false] {
            scoring.features("acme", at(&position)).await.unwrap();
            assert_eq!(shown_name(&scoring).await, expected, "restarts: {stops}");
            if stops {
                scoring.stop();
                scoring = world.start();
            }
        }
    }
}

/// The name of the one account.
async fn shown_name(scoring: &Scoring) -> String {
    let messages = scoring.read_columns(ReadColumnsRequest::default()).await;
    let table = sextant_columns::decode(&messages[0].arrow_ipc)
        .unwrap()
        .remove(0);
    let name = sextant_columns::text(&table, sextant_columns::NAME_COLUMN, 0);
    name.unwrap().to_owned()
}
