//! The three maps from scores to segments, as data.

use sextant_segmenter::Decode;

/// A segment; the discriminant is its position in the descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
pub enum Segment {
    /// Recent and most frequent.
    Champions,
    /// Frequent, not long ago.
    Loyal,
    /// Recent, a few purchases.
    PotentialLoyalist,
    /// Very recent first purchases.
    New,
    /// Recent first purchases.
    Promising,
    /// Average.
    NeedAttention,
    /// Below average.
    AboutToSleep,
    /// Regular once, long silent.
    AtRisk,
    /// Most frequent once, long silent.
    CantLose,
    /// Few purchases, long ago.
    Hibernating,
    /// Longest silent.
    Lost,
    /// None of the bounds (map `r_package` only).
    Others,
}

impl Segment {
    /// All segments by their keys, in the order of the descriptor.
    pub(crate) const ALL: [(&'static str, Self); 12] = [
        ("champions", Champions),
        ("loyal", Loyal),
        ("potential_loyalist", PotentialLoyalist),
        ("new", New),
        ("promising", Promising),
        ("need_attention", NeedAttention),
        ("about_to_sleep", AboutToSleep),
        ("at_risk", AtRisk),
        ("cant_lose", CantLose),
        ("hibernating", Hibernating),
        ("lost", Lost),
        ("others", Others),
    ];
}

impl Decode for Segment {
    fn decode(text: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(key, _)| *key == text)
            .map(|(_, segment)| *segment)
    }
}

/// Which table decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Map {
    /// Ten names over recency x frequency.
    Ten,
    /// Map [`Map::Ten`] with the cell recency 1, frequency 1 named lost.
    Eleven,
    /// The bounds of the R package rfm (<https://rfm.rsquaredacademy.com>), first match wins, else others.
    RPackage,
}

use Segment::{
    AboutToSleep, AtRisk, CantLose, Champions, Hibernating, Lost, Loyal, NeedAttention, New,
    Others, PotentialLoyalist, Promising,
};

/// Rows: recency 1 to 5; columns: frequency 1 to 5.
const TEN: [[Segment; 5]; 5] = [
    [Hibernating, Hibernating, AtRisk, AtRisk, CantLose],
    [Hibernating, Hibernating, AtRisk, AtRisk, CantLose],
    [AboutToSleep, AboutToSleep, NeedAttention, Loyal, Loyal],
    [
        Promising,
        PotentialLoyalist,
        PotentialLoyalist,
        Loyal,
        Loyal,
    ],
    [
        New,
        PotentialLoyalist,
        PotentialLoyalist,
        Champions,
        Champions,
    ],
];

/// Inclusive bounds of recency, frequency and monetary score.
struct Bounds {
    segment: Segment,
    recency: (u8, u8),
    frequency: (u8, u8),
    monetary: (u8, u8),
}

const fn bounds(
    segment: Segment,
    recency: (u8, u8),
    frequency: (u8, u8),
    monetary: (u8, u8),
) -> Bounds {
    Bounds {
        segment,
        recency,
        frequency,
        monetary,
    }
}

/// Ordered: the first bounds that hold decide.
const R_PACKAGE: [Bounds; 10] = [
    bounds(Champions, (5, 5), (5, 5), (5, 5)),
    bounds(PotentialLoyalist, (3, 5), (3, 5), (2, 5)),
    bounds(Loyal, (2, 4), (2, 4), (2, 4)),
    bounds(Promising, (3, 4), (1, 3), (3, 5)),
    bounds(New, (4, 5), (1, 3), (1, 5)),
    bounds(CantLose, (1, 2), (3, 4), (4, 5)),
    bounds(AtRisk, (1, 2), (2, 5), (4, 5)),
    bounds(NeedAttention, (1, 3), (3, 5), (3, 5)),
    bounds(AboutToSleep, (2, 3), (1, 3), (1, 4)),
    bounds(Lost, (1, 1), (1, 5), (1, 5)),
];

/// The three scores of an account, each 1 to 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scores {
    pub(crate) recency: u8,
    pub(crate) frequency: u8,
    pub(crate) monetary: u8,
}

impl Scores {
    /// Scores from feature values; `None` if one is not a whole number from 1 to 5.
    pub fn new(recency: i64, frequency: i64, monetary: i64) -> Option<Self> {
        let score = |value: i64| {
            u8::try_from(value)
                .ok()
                .filter(|score| (1..=5).contains(score))
        };
        Some(Self {
            recency: score(recency)?,
            frequency: score(frequency)?,
            monetary: score(monetary)?,
        })
    }

    /// In how many scores two accounts differ.
    fn distance(self, other: Self) -> usize {
        usize::from(self.recency != other.recency)
            + usize::from(self.frequency != other.frequency)
            + usize::from(self.monetary != other.monetary)
    }
}

/// An account's scores, and for each the one beside it where a threshold is near.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Neighborhood {
    own: Scores,
    recency: [u8; 2],
    frequency: [u8; 2],
    monetary: [u8; 2],
}

impl Neighborhood {
    /// Scores and what is near; what is unknown or no score is not near.
    pub(crate) fn new(
        scores: Scores,
        recency: Option<i64>,
        frequency: Option<i64>,
        monetary: Option<i64>,
    ) -> Self {
        let pair = |own: u8, near: Option<i64>| {
            let near = near.and_then(|near| u8::try_from(near).ok());
            [
                own,
                near.filter(|near| (1..=5).contains(near)).unwrap_or(own),
            ]
        };
        Self {
            own: scores,
            recency: pair(scores.recency, recency),
            frequency: pair(scores.frequency, frequency),
            monetary: pair(scores.monetary, monetary),
        }
    }

    /// The scores that lead to `segment`, of several those that differ least from the account's own; `None` where none do.
    pub(crate) fn leading_to(&self, map: Map, segment: Segment) -> Option<Scores> {
        let all = self.recency.into_iter().flat_map(|recency| {
            self.frequency.into_iter().flat_map(move |frequency| {
                self.monetary.into_iter().map(move |monetary| Scores {
                    recency,
                    frequency,
                    monetary,
                })
            })
        });
        all.filter(|scores| map.segment(*scores) == segment)
            .min_by_key(|scores| scores.distance(self.own))
    }
}

impl Map {
    /// The segment of an account.
    pub fn segment(self, scores: Scores) -> Segment {
        match self {
            Self::Ten => ten(scores),
            Self::Eleven if (scores.recency, scores.frequency) == (1, 1) => Lost,
            Self::Eleven => ten(scores),
            Self::RPackage => R_PACKAGE
                .iter()
                .find(|bounds| bounds.hold(scores))
                .map_or(Others, |bounds| bounds.segment),
        }
    }

    /// Whether the monetary score has a say.
    pub const fn uses_monetary(self) -> bool {
        matches!(self, Self::RPackage)
    }
}

fn ten(scores: Scores) -> Segment {
    TEN[usize::from(scores.recency - 1)][usize::from(scores.frequency - 1)]
}

impl Bounds {
    fn hold(&self, scores: Scores) -> bool {
        let within = |score: u8, (low, high): (u8, u8)| low <= score && score <= high;
        within(scores.recency, self.recency)
            && within(scores.frequency, self.frequency)
            && within(scores.monetary, self.monetary)
    }
}

#[cfg(test)]
mod tests;
