//! The segmenter: reads the scores, asks the map, explains in the account's own numbers.

use sextant_segmenter::{Answer, Call, Config, ConfigError, Reasons, Segmenter, amount, features};

use crate::map::{Neighborhood, Scores};
use crate::{Map, Segment};

features! {
    /// What the segmenter reads: the scores decide, the purchases explain.
    pub struct Account {
        recency: I64 = "rfm.recency",
        frequency: I64 = "rfm.frequency",
        monetary: I64 = "rfm.monetary",
        days_since_last: I64 = "purchase.days_since_last",
        purchases: I64 = "purchase.count",
        total_minor: I64 = "purchase.total_minor",
        basis: Text = "rfm.basis",
        days_since_active: I64 = "usage.days_since_active",
        active_days: I64 = "usage.active_days_28d",
        mrr_minor: I64 = "revenue.mrr_minor",
        recency_near: I64 = "rfm.recency_near",
        frequency_near: I64 = "rfm.frequency_near",
        monetary_near: I64 = "rfm.monetary_near",
        /// Segment at the last day close.
        previous: Choice<Segment> = "self.previous_segment",
    }
}

/// Where the host calls a score near: across a threshold that less than this share of the accounts lie away.
const MARGIN_PERCENT: u8 = 2;

/// The segmenter `sextant.rfm`.
#[derive(Debug)]
pub struct Rfm {
    map: Map,
    currency_digits: usize,
}

/// What the scores were computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Basis {
    Purchases,
    Usage,
}

impl Account<'_> {
    fn scores(&self, row: usize) -> Option<Scores> {
        Scores::new(
            self.recency.get(row)?,
            self.frequency.get(row)?,
            self.monetary.get(row)?,
        )
    }

    /// The scores that the account could have as well.
    fn neighborhood(&self, row: usize, scores: Scores) -> Neighborhood {
        Neighborhood::new(
            scores,
            self.recency_near.get(row),
            self.frequency_near.get(row),
            self.monetary_near.get(row),
        )
    }

    /// Why there are no scores: what they would be computed from and is unknown. The scores of nobody are known before the
    /// first close that could score somebody.
    fn explain_unscored(&self, row: usize, reasons: &mut Reasons) {
        if self.basis.get(row).is_none() {
            let text = "no account could be scored at the last day close";
            reasons.push(&self.recency, 0.0, text);
            return;
        }
        match self.basis(row) {
            Basis::Purchases => {
                if self.days_since_last.get(row).is_none() {
                    reasons.push(&self.days_since_last, 0.0, "no payment is known");
                }
            },
            Basis::Usage => {
                if self.days_since_active.get(row).is_none() {
                    reasons.push(&self.days_since_active, 0.0, "no use is known");
                }
                if self.mrr_minor.get(row).is_none() {
                    let text = "no subscription is known, so there is no monthly revenue to score";
                    reasons.push(&self.mrr_minor, 0.0, text);
                }
            },
        }
    }

    fn basis(&self, row: usize) -> Basis {
        match self.basis.get(row) {
            Some("usage") => Basis::Usage,
            _ => Basis::Purchases,
        }
    }

    /// What stands behind the recency score, in words.
    fn recency_detail(&self, row: usize) -> Option<String> {
        let (last, days) = match self.basis(row) {
            Basis::Purchases => ("last purchase", self.days_since_last.get(row)?),
            Basis::Usage => ("last use", self.days_since_active.get(row)?),
        };
        Some(match days {
            0 => format!("{last} today"),
            1 => format!("{last} yesterday"),
            days => format!("{last} {days} days ago"),
        })
    }

    /// What stands behind the frequency score, in words.
    fn frequency_detail(&self, row: usize) -> Option<String> {
        match self.basis(row) {
            Basis::Purchases => self.purchases.get(row).map(|count| match count {
                1 => "1 purchase".to_owned(),
                count => format!("{count} purchases"),
            }),
            Basis::Usage => {
                let days = self.active_days.get(row)?;
                Some(format!("active on {days} of 28 days"))
            },
        }
    }

    /// What stands behind the monetary score, in words.
    fn monetary_detail(&self, row: usize, currency_digits: usize) -> Option<String> {
        match self.basis(row) {
            Basis::Purchases => {
                let total = amount(self.total_minor.get(row)?, currency_digits);
                Some(format!("purchases of {total} in total"))
            },
            Basis::Usage => {
                let mrr = amount(self.mrr_minor.get(row)?, currency_digits);
                Some(format!("{mrr} a month"))
            },
        }
    }
}

impl Segmenter for Rfm {
    type Rows<'a> = Account<'a>;

    const DESCRIPTOR: &'static str = include_str!("../descriptor.json");

    fn create(config: &Config) -> Result<Self, ConfigError> {
        let maps = [
            ("ten", Map::Ten),
            ("r_package", Map::RPackage),
            ("eleven", Map::Eleven),
        ];
        let Ok(currency_digits) = usize::try_from(config.i64("currency_digits")?) else {
            return Err(ConfigError::at("currency_digits", "must not be negative"));
        };
        Ok(Self {
            map: config.choice("map", &maps)?,
            currency_digits,
        })
    }

    fn assign(&self, _call: &Call<'_>, rows: &Account<'_>, row: usize) -> Answer {
        let Some(scores) = rows.scores(row) else {
            return Answer::ABSTAIN;
        };
        let deciding = self.deciding(rows, row, scores);
        Answer::segment(self.map.segment(deciding) as u16)
    }

    /// One reason per score that the map uses; where the margin decided, it says as what the score is kept. Contribution: how
    /// far the score that decides is from the middle, from -1 for score 1 through 0 for score 3 to 1 for score 5.
    fn explain(&self, _call: &Call<'_>, rows: &Account<'_>, row: usize, reasons: &mut Reasons) {
        let Some(scores) = rows.scores(row) else {
            rows.explain_unscored(row, reasons);
            return;
        };
        let deciding = self.deciding(rows, row, scores);
        let text = sentence(
            "recency",
            [scores.recency, deciding.recency],
            rows.recency_detail(row),
        );
        reasons.push(&rows.recency, from_middle(deciding.recency), text);
        let text = sentence(
            "frequency",
            [scores.frequency, deciding.frequency],
            rows.frequency_detail(row),
        );
        reasons.push(&rows.frequency, from_middle(deciding.frequency), text);
        if self.map.uses_monetary() {
            let text = sentence(
                "monetary value",
                [scores.monetary, deciding.monetary],
                rows.monetary_detail(row, self.currency_digits),
            );
            reasons.push(&rows.monetary, from_middle(deciding.monetary), text);
        }
    }
}

impl Rfm {
    /// The scores that decide: the account's own, unless others that are near keep it in its segment.
    ///
    /// Thresholds move a little with every close. An account that one of them passes has not changed: it stays in its
    /// segment until it is further away than the margin.
    fn deciding(&self, rows: &Account<'_>, row: usize, scores: Scores) -> Scores {
        let kept = rows.previous.get(row).and_then(|previous| {
            let near = rows.neighborhood(row, scores);
            near.leading_to(self.map, previous)
        });
        kept.unwrap_or(scores)
    }
}

/// A score, the one that decides where it is another, and what stands behind it.
fn sentence(name: &str, [own, deciding]: [u8; 2], detail: Option<String>) -> String {
    let mut text = format!("{name} {own} of 5");
    if deciding != own {
        text += &format!(", kept as {deciding} within {MARGIN_PERCENT} % of the border");
    }
    if let Some(detail) = detail {
        text += &format!(": {detail}");
    }
    text
}

fn from_middle(score: u8) -> f32 {
    match score {
        1 => -1.0,
        2 => -0.5,
        4 => 0.5,
        5 => 1.0,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests;
