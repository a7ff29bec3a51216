use std::collections::BTreeMap;

use super::*;

/// Every cell of scores from 1 to 5.
fn cells() -> impl Iterator<Item = (i64, i64, i64)> {
    (1..=5).flat_map(|r| (1..=5).flat_map(move |f| (1..=5).map(move |m| (r, f, m))))
}

fn counts(map: Map) -> BTreeMap<Segment, usize> {
    let mut counts = BTreeMap::new();
    for (r, f, m) in cells() {
        *counts
            .entry(map.segment(Scores::new(r, f, m).unwrap()))
            .or_default() += 1;
    }
    counts
}

#[test]
fn the_ten_names_in_their_cells() {
    // As drawn: rows R5 … R1, columns F1 … F5; the monetary score does not count.
    let drawn = [
        [
            New,
            PotentialLoyalist,
            PotentialLoyalist,
            Champions,
            Champions,
        ],
        [
            Promising,
            PotentialLoyalist,
            PotentialLoyalist,
            Loyal,
            Loyal,
        ],
        [AboutToSleep, AboutToSleep, NeedAttention, Loyal, Loyal],
        [Hibernating, Hibernating, AtRisk, AtRisk, CantLose],
        [Hibernating, Hibernating, AtRisk, AtRisk, CantLose],
    ];
    for (r, f, m) in cells() {
        let place = |score: i64| usize::try_from(score - 1).unwrap();
        let expected = drawn[4 - place(r)][place(f)];
        let scores = Scores::new(r, f, m).unwrap();
        assert_eq!(Map::Ten.segment(scores), expected, "{r}{f}{m}");
    }
}

#[test]
fn the_map_of_eleven_differs_in_one_cell() {
    for (r, f, m) in cells() {
        let scores = Scores::new(r, f, m).unwrap();
        let expected = if (r, f) == (1, 1) {
            Lost
        } else {
            Map::Ten.segment(scores)
        };
        assert_eq!(Map::Eleven.segment(scores), expected, "{r}{f}{m}");
    }
}

#[test]
fn the_first_bounds_of_the_r_package_win() {
    for (scores, expected) in [
        ((5, 5, 5), Champions),
        ((4, 4, 4), PotentialLoyalist),
        ((2, 4, 4), Loyal),
        ((3, 1, 5), Promising),
        ((5, 1, 1), New),
        ((1, 4, 5), CantLose),
        ((1, 5, 5), AtRisk),
        ((1, 4, 3), NeedAttention),
        ((2, 1, 1), AboutToSleep),
        ((1, 1, 1), Lost),
        ((4, 4, 1), Others),
    ] {
        let (r, f, m) = scores;
        assert_eq!(
            Map::RPackage.segment(Scores::new(r, f, m).unwrap()),
            expected,
            "{scores:?}"
        );
    }
}

#[test]
fn the_bounds_of_the_r_package_share_out_the_125_combinations() {
    // Counted by an independent script from the published bounds.
    let expected = [
        (Champions, 1),
        (Loyal, 15),
        (PotentialLoyalist, 35),
        (New, 15),
        (Promising, 8),
        (NeedAttention, 4),
        (AboutToSleep, 10),
        (AtRisk, 7),
        (CantLose, 6),
        (Lost, 14),
        (Others, 10),
    ];
    assert_eq!(counts(Map::RPackage), BTreeMap::from(expected));
}

/// Customers of the demo orders of the R package rfm 0.3.0 by recency, frequency and monetary score (outer to inner),
/// as of 2006-12-31.
const R_DEMO: [[[usize; 5]; 5]; 5] = [
    [
        [75, 29, 8, 1, 0],
        [7, 9, 12, 6, 0],
        [0, 5, 4, 10, 6],
        [0, 2, 6, 8, 6],
        [0, 0, 0, 1, 2],
    ],
    [
        [28, 20, 4, 2, 0],
        [2, 15, 16, 6, 0],
        [0, 4, 12, 18, 3],
        [0, 3, 11, 23, 14],
        [0, 0, 0, 0, 19],
    ],
    [
        [22, 12, 5, 1, 0],
        [8, 16, 8, 4, 0],
        [4, 10, 16, 14, 2],
        [0, 6, 8, 26, 16],
        [0, 0, 1, 3, 17],
    ],
    [
        [21, 8, 2, 0, 0],
        [7, 16, 13, 5, 1],
        [2, 6, 15, 8, 2],
        [0, 4, 10, 19, 23],
        [0, 0, 0, 5, 32],
    ],
    [
        [17, 8, 5, 0, 0],
        [7, 12, 11, 6, 0],
        [0, 9, 17, 5, 4],
        [0, 6, 13, 27, 13],
        [0, 0, 1, 4, 35],
    ],
];

#[test]
fn published_segment_counts_of_the_r_package_come_out() {
    let mut accounts: BTreeMap<Segment, usize> = BTreeMap::new();
    for (r, f, m) in cells() {
        let index = |score: i64| usize::try_from(score - 1).unwrap();
        let segment = Map::RPackage.segment(Scores::new(r, f, m).unwrap());
        *accounts.entry(segment).or_default() += R_DEMO[index(r)][index(f)][index(m)];
    }
    assert_eq!(accounts.values().sum::<usize>(), 995);
    for (segment, published) in [
        (PotentialLoyalist, 342),
        (Loyal, 170),
        (Lost, 148),
        (New, 104),
        (AboutToSleep, 102),
    ] {
        assert_eq!(accounts[&segment], published, "{segment:?}");
    }
}

#[test]
fn of_scores_that_lead_to_a_segment_those_that_differ_least_are_taken() {
    let scores = |r, f, m| Scores::new(r, f, m).unwrap();
    let near = Neighborhood::new(scores(4, 4, 3), Some(3), Some(3), Some(2));
    for (map, segment, expected) in [
        (Map::Ten, Loyal, Some(scores(4, 4, 3))),
        (Map::Ten, PotentialLoyalist, Some(scores(4, 3, 3))),
        (Map::Ten, NeedAttention, Some(scores(3, 3, 3))),
        (Map::Ten, Champions, None),
        (Map::RPackage, PotentialLoyalist, Some(scores(4, 4, 3))),
    ] {
        assert_eq!(near.leading_to(map, segment), expected, "{segment:?}");
    }
}
