//! What a segmenter says about a row: the answer, and its reasons.

use sextant_segmenter_abi::{SEG_ABSTAIN, SEG_NO_SEGMENT};

use crate::Column;
use crate::json::Json;

/// A column of the answer beside the segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extra {
    /// A number per row, on the model's own scale.
    Score,
    /// How sure the model is, 0 to 1.
    Confidence,
}

/// What a segmenter answers for a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// A segment.
    Single,
    /// A score, which the host cuts into segments by their `from_score`.
    Score,
}

/// A segment of a configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentSpec {
    pub(crate) key: String,
    pub(crate) title: String,
    pub(crate) rank: Option<u32>,
    pub(crate) from_score: Option<f32>,
}

impl SegmentSpec {
    /// A segment with a stable key and a title in English.
    pub fn new(key: impl Into<String>, title: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            title: title.into(),
            rank: None,
            from_score: None,
        }
    }

    /// How good it is to have an account in it: 1 is the best.
    #[must_use]
    pub const fn with_rank(mut self, rank: u32) -> Self {
        self.rank = Some(rank);
        self
    }

    /// Least score of the accounts in it, with [`Output::Score`].
    #[must_use]
    pub const fn with_from_score(mut self, score: f32) -> Self {
        self.from_score = Some(score);
        self
    }

    /// The list as the host reads it.
    pub(crate) fn list(segments: &[Self]) -> String {
        let texts = segments.iter().map(|segment| {
            let (key, title) = (
                Json::Text(segment.key.clone()),
                Json::Text(segment.title.clone()),
            );
            let mut text = format!(r#"{{"key":{key},"title":{title}"#);
            if let Some(rank) = segment.rank {
                text += &format!(r#","rank":{rank}"#);
            }
            if let Some(score) = segment.from_score {
                text += &format!(r#","from_score":{score}"#);
            }
            text + "}"
        });
        format!("[{}]", texts.collect::<Vec<_>>().join(","))
    }
}

/// The answer for one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer {
    pub(crate) segment: u16,
    pub(crate) score: f32,
    pub(crate) confidence: f32,
}

impl Answer {
    /// Not judged: the row lacks the data that this model needs.
    pub const ABSTAIN: Self = Self::of(SEG_ABSTAIN);
    /// Judged, and in none of the segments.
    pub const NO_SEGMENT: Self = Self::of(SEG_NO_SEGMENT);

    const fn of(segment: u16) -> Self {
        Self {
            segment,
            score: f32::NAN,
            confidence: f32::NAN,
        }
    }

    /// In the segment at this position of the descriptor's `segments`; the host refuses a position that is not there.
    pub const fn segment(index: u16) -> Self {
        Self::of(index)
    }

    /// A score, with [`Output::Score`].
    #[must_use]
    pub const fn score(score: f32) -> Self {
        Self::of(SEG_ABSTAIN).with_score(score)
    }

    /// Adds a score; it is kept if the segmenter lists [`Extra::Score`].
    #[must_use]
    pub const fn with_score(mut self, score: f32) -> Self {
        self.score = score;
        self
    }

    /// Adds a confidence from 0 to 1; it is kept if the segmenter lists [`Extra::Confidence`].
    #[must_use]
    pub const fn with_confidence(mut self, confidence: f32) -> Self {
        self.confidence = confidence;
        self
    }
}

/// Bytes of the longest text of a reason that a host takes.
const MAX_TEXT_BYTES: usize = 1_024;

/// Collects the reasons of one row.
#[derive(Debug, Default)]
pub struct Reasons {
    pub(crate) items: Vec<Reason>,
}

#[derive(Debug)]
pub(crate) struct Reason {
    pub(crate) feature: u16,
    pub(crate) contribution: f32,
    pub(crate) text: String,
}

impl Reasons {
    /// Adds a reason: the column it comes from, how much it contributed (sign and scale are the model's own; a number
    /// that is not finite counts as 0), and a sentence such as `recency 2 of 5: last purchase 143 days ago`, which is cut behind
    /// 1,024 bytes.
    pub fn push<'a>(
        &mut self,
        column: &impl Column<'a>,
        contribution: f32,
        text: impl Into<String>,
    ) {
        self.push_at(column.position(), contribution, text);
    }

    /// The same with the position of a column, as [`AnyColumn`](crate::AnyColumn) knows it.
    pub fn push_at(&mut self, position: u16, contribution: f32, text: impl Into<String>) {
        let contribution = if contribution.is_finite() {
            contribution
        } else {
            0.0
        };
        let mut text = text.into();
        text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES));
        self.items.push(Reason {
            feature: position,
            contribution,
            text,
        });
    }

    /// Largest absolute contribution first, equal ones in the order of their arrival; at most `top_k` stay.
    pub(crate) fn keep_strongest(&mut self, top_k: usize) {
        self.items
            .sort_by(|a, b| b.contribution.abs().total_cmp(&a.contribution.abs()));
        self.items.truncate(top_k);
    }
}
