use sextant_domain::mrr::{Movement, MovementKind, Mrr};
use sextant_domain::time::Instant;

use super::{Place, Row, page};

fn movement(at: i64, kind: MovementKind) -> Movement {
    Movement::new(kind, Instant(at), Mrr(0), Mrr(1))
}

fn row<'a>(account: &'a str, movement: &'a Movement) -> Row<'a> {
    Row {
        place: Place::of(account, movement),
        movement,
        segment: "",
    }
}

#[test]
fn pages_of_any_size_tell_the_same_list() {
    let kinds = [
        MovementKind::Restatement,
        MovementKind::FxRevaluation,
        MovementKind::Expansion,
    ];
    let movements: Vec<(String, Movement)> = (0..20)
        .flat_map(|at| ["a", "b.c", ""].map(|account| (at % 7, account)))
        .enumerate()
        .map(|(index, (at, account))| {
            (
                format!("{account}{}", index / 21),
                movement(at, kinds[index % 3]),
            )
        })
        .collect();
    let rows = || {
        movements.iter().map(|(account, movement)| Row {
            place: Place::of(account, movement),
            movement,
            segment: "",
        })
    };
    let whole = page(rows(), None, 1000);
    assert_eq!(whole.len(), movements.len());
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
    let listed = page(
        movements.iter().map(|movement| row("a", movement)),
        None,
        10,
    );
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
    for cursor in ["", "5", "5.x.a", "x.1.a"] {
        assert_eq!(
            Place::parse(cursor).unwrap_err().reason_name(),
            "PAGE_TOKEN_INVALID",
            "{cursor:?}"
        );
    }
}
