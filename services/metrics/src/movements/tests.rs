use sextant_domain::mrr::{Movement, MovementKind, Mrr};
use sextant_domain::time::Instant;

use super::{Place, Row, page};

fn movement(at: i64, kind: MovementKind) -> Movement {
    Movement::new(kind, Instant(at), Mrr(0), Mrr(1))
}

fn rows<'a>(account: &'a str, books: &'a [Movement]) -> impl Iterator<Item = Row<'a>> {
    books.iter().enumerate().map(move |(index, movement)| Row {
        place: Place::of(account, movement, &books[..index]),
        movement,
        segment: "",
    })
}

#[test]
fn pages_of_any_size_tell_the_same_list() {
    let lesson = |at, known_at| Movement {
        known_at: Instant(known_at),
        ..movement(at, MovementKind::Restatement)
    };
    // Late data that became known at several moments, and at one moment twice.
    let of_instant = |at| {
        [
            lesson(at, 3),
            lesson(at, 5),
            lesson(at, 5),
            lesson(at, 9),
            movement(at, MovementKind::FxRevaluation),
            movement(at, MovementKind::Expansion),
        ]
    };
    let books = ["a0", "b.c0", "", "a1", "b.c1"].map(|account| {
        let movements: Vec<Movement> = (0..7).flat_map(of_instant).collect();
        (account, movements)
    });
    let rows = || {
        let books = books.iter();
        books.flat_map(|(account, movements)| rows(account, movements))
    };
    let whole = page(rows(), None, 1000);
    assert_eq!(whole.len(), 5 * books[0].1.len());
    assert!(
        whole
            .windows(2)
            .all(|pair| pair[0].place < pair[1].place && pair[0].movement.at >= pair[1].movement.at)
    );
    for size in 1..8 {
        let mut paged = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let behind = cursor
                .as_deref()
                .map(|cursor| Place::parse(cursor).unwrap());
            let part = page(rows(), behind, size);
            let Some(last) = part.last() else { break };
            cursor = Some(last.place.cursor());
            paged.extend(part);
        }
        assert_eq!(paged, whole, "pages of {size}");
    }
}

#[test]
fn of_one_instant_what_the_account_did_comes_before_the_rate_and_the_late_data() {
    let movements = [
        MovementKind::Restatement,
        MovementKind::Expansion,
        MovementKind::FxRevaluation,
    ]
    .map(|kind| movement(5, kind));
    let listed = page(rows("a", &movements), None, 10);
    let kinds: Vec<MovementKind> = listed.iter().map(|row| row.movement.kind).collect();
    assert_eq!(
        kinds,
        [
            MovementKind::Expansion,
            MovementKind::FxRevaluation,
            MovementKind::Restatement
        ]
    );
}

#[test]
fn a_place_that_is_none_is_refused() {
    for cursor in ["", "5", "5.3.1.0", "5.x.1.0.a", "x.1.1.0.a"] {
        assert_eq!(
            Place::parse(cursor).unwrap_err().reason_name(),
            "PAGE_TOKEN_INVALID",
            "{cursor:?}"
        );
    }
}
