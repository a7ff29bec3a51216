//! Three maps from scores to named segments. All are data; tests show that each covers every combination of scores once.

use self::Segment::{
    AboutToSleep, AtRisk, CantLose, Champions, Hibernating, Lost, Loyal, NeedAttention, New,
    Others, PotentialLoyalist, Promising,
};
use super::{Score, Scores};

/// The names that the maps use. One name means the same in all maps, its boundaries do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// Recent, frequent, valuable.
    Champions,
    /// Frequent and fairly recent ("Loyal Customers" in the R package).
    Loyal,
    /// Recent, not yet frequent, on the way.
    PotentialLoyalist,
    /// First activity only lately ("New Customers" in the R package).
    New,
    /// Fairly recent, rare.
    Promising,
    /// Middling recency and frequency.
    NeedAttention,
    /// Rare, and not lately.
    AboutToSleep,
    /// Was frequent, not lately.
    AtRisk,
    /// Was most frequent, not lately ("Can't Lose Them" in the R package).
    CantLose,
    /// Rare, long ago.
    Hibernating,
    /// Rarest, longest ago.
    Lost,
    /// Matched by no rule.
    Others,
}

impl Segment {
    /// Stable key, as stored and sent.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Champions => "champions",
            Self::Loyal => "loyal",
            Self::PotentialLoyalist => "potential_loyalist",
            Self::New => "new",
            Self::Promising => "promising",
            Self::NeedAttention => "need_attention",
            Self::AboutToSleep => "about_to_sleep",
            Self::AtRisk => "at_risk",
            Self::CantLose => "cant_lose",
            Self::Hibernating => "hibernating",
            Self::Lost => "lost",
            Self::Others => "others",
        }
    }
}

/// Which map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Map {
    /// Ten names on recency × frequency, as most vendors draw it.
    #[default]
    TenNames,
    /// Ten names and `others` on all three scores, as the example of the R package `rfm` 0.3.0: [`R_PACKAGE_RULES`].
    RPackage,
    /// The ten names, with the cell of the lowest recency and frequency renamed `lost`.
    ElevenNames,
}

impl Map {
    /// Every map.
    pub const ALL: [Self; 3] = [Self::TenNames, Self::RPackage, Self::ElevenNames];

    /// Stable name, as stored and shown.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::TenNames => "ten_names",
            Self::RPackage => "r_package",
            Self::ElevenNames => "eleven_names",
        }
    }

    /// The segment of an account.
    ///
    /// ```
    /// use sextant_domain::rfm::{Map, Score, Scores, Segment};
    ///
    /// let best = Score::ALL[4];
    /// let scores = Scores { recency: best, frequency: best, monetary: best };
    /// assert_eq!(Map::TenNames.segment(scores), Segment::Champions);
    /// assert_eq!(Map::RPackage.segment(scores).key(), "champions");
    /// ```
    #[must_use]
    pub fn segment(self, scores: Scores) -> Segment {
        match self {
            Self::TenNames => ten_names(scores),
            Self::RPackage => R_PACKAGE_RULES
                .iter()
                .find(|rule| rule.matches(scores))
                .map_or(Others, |rule| rule.segment),
            Self::ElevenNames if scores.recency.get() == 1 && scores.frequency.get() == 1 => Lost,
            Self::ElevenNames => ten_names(scores),
        }
    }

    /// The segments that the map can give, in the order in which it names them.
    #[must_use]
    pub const fn segments(self) -> &'static [Segment] {
        match self {
            Self::TenNames => &TEN,
            Self::RPackage => &R_PACKAGE,
            Self::ElevenNames => &ELEVEN,
        }
    }
}

const TEN: [Segment; 10] = [
    Champions,
    Loyal,
    PotentialLoyalist,
    New,
    Promising,
    NeedAttention,
    AboutToSleep,
    AtRisk,
    CantLose,
    Hibernating,
];
const ELEVEN: [Segment; 11] = [
    Champions,
    Loyal,
    PotentialLoyalist,
    New,
    Promising,
    NeedAttention,
    AboutToSleep,
    AtRisk,
    CantLose,
    Hibernating,
    Lost,
];
const R_PACKAGE: [Segment; 11] = [
    Champions,
    PotentialLoyalist,
    Loyal,
    Promising,
    New,
    CantLose,
    AtRisk,
    NeedAttention,
    AboutToSleep,
    Lost,
    Others,
];

/// Rows: recency 1 … 5. Columns: frequency 1 … 5.
const BY_RECENCY_AND_FREQUENCY: [[Segment; 5]; 5] = [
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

fn ten_names(scores: Scores) -> Segment {
    let index = |score: Score| usize::from(score.get() - 1);
    BY_RECENCY_AND_FREQUENCY[index(scores.recency)][index(scores.frequency)]
}

/// A box of scores, bounds included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The segment of the scores inside.
    pub segment: Segment,
    /// Lowest and highest recency.
    pub recency: (u8, u8),
    /// Lowest and highest frequency.
    pub frequency: (u8, u8),
    /// Lowest and highest monetary value.
    pub monetary: (u8, u8),
}

impl Rule {
    const fn new(
        segment: Segment,
        recency: (u8, u8),
        frequency: (u8, u8),
        monetary: (u8, u8),
    ) -> Self {
        Self {
            segment,
            recency,
            frequency,
            monetary,
        }
    }

    /// Whether the scores are inside.
    #[must_use]
    pub fn matches(&self, scores: Scores) -> bool {
        let inside = |(low, high): (u8, u8), score: Score| (low..=high).contains(&score.get());
        inside(self.recency, scores.recency)
            && inside(self.frequency, scores.frequency)
            && inside(self.monetary, scores.monetary)
    }
}

/// The rules of the R package, in order: the first match wins, no match is [`Segment::Others`].
pub const R_PACKAGE_RULES: [Rule; 10] = [
    Rule::new(Champions, (5, 5), (5, 5), (5, 5)),
    Rule::new(PotentialLoyalist, (3, 5), (3, 5), (2, 5)),
    Rule::new(Loyal, (2, 4), (2, 4), (2, 4)),
    Rule::new(Promising, (3, 4), (1, 3), (3, 5)),
    Rule::new(New, (4, 5), (1, 3), (1, 5)),
    Rule::new(CantLose, (1, 2), (3, 4), (4, 5)),
    Rule::new(AtRisk, (1, 2), (2, 5), (4, 5)),
    Rule::new(NeedAttention, (1, 3), (3, 5), (3, 5)),
    Rule::new(AboutToSleep, (2, 3), (1, 3), (1, 4)),
    Rule::new(Lost, (1, 1), (1, 5), (1, 5)),
];
