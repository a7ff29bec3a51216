//! Answers of a segmenter, checked and copied.

use arrow_schema::Schema;

use sextant_segmenter_abi::{SEG_ABSTAIN, SEG_NO_SEGMENT};

use crate::binding::Prepared;
use crate::foreign::{OwnedArray, View};
use crate::{CallError, Descriptor, Output, Segment, Trouble, messages};

/// The answer to a batch, one entry per row of the batch.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Assignments {
    /// Position in the segments, [`NO_SEGMENT`](crate::NO_SEGMENT) (judged, in none of them) or
    /// [`ABSTAIN`](crate::ABSTAIN) (not judged).
    pub segment: Vec<u16>,
    /// Score on the model's own scale, if it gives scores; NaN where it gave none.
    pub score: Option<Vec<f32>>,
    /// Confidence 0 to 1, if it gives confidences; NaN where it gave none.
    pub confidence: Option<Vec<f32>>,
    /// Rows that the segmenter did not see because a feature is missing (`on_missing: skip_row`), by row and feature.
    /// Their segment is [`ABSTAIN`](crate::ABSTAIN).
    pub missing: Vec<Missing>,
    /// Rows about which a segmenter in another process could not be asked, in ascending order. What the other fields say of them
    /// means nothing.
    pub unanswered: Vec<Unanswered>,
}

/// A row without an answer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Unanswered {
    /// Row of the batch.
    pub row: usize,
    /// Why.
    pub trouble: Trouble,
    /// True: the segmenter fails for this row, which is not shown again until it or the configuration change. False: it was among
    /// others when the search ended, and is to be asked again.
    pub is_its_own: bool,
}

/// A row without a value for a feature that the segmenter needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    /// Row of the batch.
    pub row: usize,
    /// Position in the descriptor's features.
    pub feature: u16,
}

impl Assignments {
    /// Why a row has no answer.
    pub fn trouble_of(&self, row: usize) -> Option<&Trouble> {
        Some(&self.unanswered_of(row)?.trouble)
    }

    /// A row without an answer; `None`: it has one.
    pub fn unanswered_of(&self, row: usize) -> Option<&Unanswered> {
        let place = self.unanswered.binary_search_by_key(&row, |one| one.row);
        self.unanswered.get(place.ok()?)
    }

    /// What a row lacks; empty if the segmenter saw it.
    pub fn missing_of(&self, row: usize) -> &[Missing] {
        missing_of(&self.missing, row)
    }
}

/// The part of a sorted list that belongs to a row.
pub(crate) fn missing_of(missing: &[Missing], row: usize) -> &[Missing] {
    let start = missing.partition_point(|item| item.row < row);
    let end = missing.partition_point(|item| item.row <= row);
    &missing[start..end]
}

/// Which columns the output has, and where.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OutputShape {
    segment: Option<usize>,
    score: Option<usize>,
    confidence: Option<usize>,
}

impl OutputShape {
    /// Checks the announced columns: segment, then score and confidence in this order where they are; of a segmenter that answers
    /// scores, score and then confidence.
    pub(crate) fn from_columns(
        columns: &[(String, String)],
        output: Output,
    ) -> Result<Self, CallError> {
        let mut shape = Self::default();
        let mut left = expected(output).iter();
        for (k, (name, format)) in columns.iter().enumerate() {
            // What is left out has to be one of those that may be.
            let place = left.find(|(known, _, may_lack)| known == name || !may_lack);
            let is_it = place.is_some_and(|(known, of, _)| known == name && of == format);
            match (is_it, name.as_str()) {
                (true, "segment") => shape.segment = Some(k),
                (true, "score") => shape.score = Some(k),
                (true, _) => shape.confidence = Some(k),
                (false, _) => {
                    let expected = words(output);
                    let what = format!(
                        "column {k} is \"{name}\" with Arrow format \"{format}\"; expected: {expected}"
                    );
                    return Err(CallError::output(what));
                },
            }
        }
        if left.any(|(_, _, may_lack)| !may_lack) {
            let what = format!("a column is missing; expected: {}", words(output));
            return Err(CallError::output(what));
        }
        Ok(shape)
    }

    /// Names and Arrow types of the columns.
    pub(crate) fn schema(self) -> Schema {
        let there = [self.segment, self.score, self.confidence].map(|place| place.is_some());
        messages::output_schema(there)
    }

    fn columns(self) -> usize {
        let there = [self.segment, self.score, self.confidence];
        there.into_iter().flatten().count()
    }

    /// Checks and copies the output of a call.
    pub(crate) fn read(self, output: &OwnedArray, rows: usize) -> Result<Answer, CallError> {
        let root = View::root(output, self.columns(), rows)?;
        let segment = match self.segment {
            None => Vec::new(),
            Some(place) => {
                let column = child(&root, place)?;
                column.no_nulls("segment")?;
                column.values()?.to_vec()
            },
        };
        let read = |index: Option<usize>| index.map(|index| numbers(&root, index)).transpose();
        Ok(Answer {
            segment,
            score: read(self.score)?,
            confidence: read(self.confidence)?,
        })
    }

    /// The answer when every row lacks a feature: the plugin is not asked.
    pub(crate) fn all_missing(self, prepared: Prepared, rows: usize) -> Assignments {
        Assignments {
            segment: vec![SEG_ABSTAIN; rows],
            score: self.score.map(|_| vec![f32::NAN; rows]),
            confidence: self.confidence.map(|_| vec![f32::NAN; rows]),
            missing: prepared.missing,
            unanswered: Vec::new(),
        }
    }
}

/// A column of an answer: its name, its Arrow format, and whether it may be left out.
type Expected = (&'static str, &'static str, bool);

const fn expected(output: Output) -> &'static [Expected] {
    match output {
        Output::Single => &[
            ("segment", "S", false),
            ("score", "f", true),
            ("confidence", "f", true),
        ],
        Output::Score => &[("score", "f", false), ("confidence", "f", true)],
    }
}

/// The columns of an answer in words.
pub(crate) const fn words(output: Output) -> &'static str {
    match output {
        Output::Single => "segment uint16, [score float32], [confidence float32]",
        Output::Score => "score float32, [confidence float32]",
    }
}

/// What a segmenter says of the rows that it saw; NaN: no number.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) segment: Vec<u16>,
    pub(crate) score: Option<Vec<f32>>,
    pub(crate) confidence: Option<Vec<f32>>,
}

impl Answer {
    /// No answer for any of so many rows.
    pub(crate) fn blank(rows: usize) -> Self {
        Self {
            segment: vec![SEG_ABSTAIN; rows],
            score: None,
            confidence: None,
        }
    }

    /// Takes up what is said of the rows from `start` on.
    pub(crate) fn put(&mut self, start: usize, part: Self) {
        let rows = self.segment.len();
        let put = |whole: &mut Option<Vec<f32>>, part: Option<Vec<f32>>| {
            if let Some(part) = part {
                place(
                    whole.get_or_insert_with(|| vec![f32::NAN; rows]),
                    start,
                    part,
                );
            }
        };
        place(&mut self.segment, start, part.segment);
        put(&mut self.score, part.score);
        put(&mut self.confidence, part.confidence);
    }

    /// Checks that every row is in a segment that there is, or in none; scores are cut into segments.
    pub(crate) fn checked(mut self, descriptor: &Descriptor) -> Result<Self, CallError> {
        if descriptor.output == Output::Score {
            let scores = self.score.as_deref().unwrap_or_default().iter();
            let cut = scores.map(|score| cut(&descriptor.segments, *score));
            self.segment = cut.collect();
            return Ok(self);
        }
        let segments = descriptor.segments.len();
        let is_known = |answer: u16| {
            usize::from(answer) < segments || answer == SEG_ABSTAIN || answer == SEG_NO_SEGMENT
        };
        let mut rows = self.segment.iter().enumerate();
        match rows.find(|(_, answer)| !is_known(**answer)) {
            None => Ok(self),
            Some((row, answer)) => Err(CallError::output(format!(
                "row {row} is in segment {answer}, there are {segments} segments"
            ))),
        }
    }

    /// Puts it in the order of the caller's rows.
    pub(crate) fn arranged(self, prepared: Prepared, rows: usize) -> Assignments {
        let origins = prepared.origins.as_deref();
        let numbers = |of_rows: Option<Vec<f32>>| {
            of_rows.map(|of_rows| spread(of_rows, origins, f32::NAN, rows))
        };
        Assignments {
            segment: spread(self.segment, origins, SEG_ABSTAIN, rows),
            score: numbers(self.score),
            confidence: numbers(self.confidence),
            missing: prepared.missing,
            unanswered: Vec::new(),
        }
    }
}

/// The segment of a score: of those that it reaches the one that takes most. Without a score a row was not judged.
fn cut(segments: &[Segment], score: f32) -> u16 {
    if score.is_nan() {
        return SEG_ABSTAIN;
    }
    let least = |segment: &Segment| segment.from_score.unwrap_or(f32::NEG_INFINITY);
    let segments = segments.iter().zip(0_u16..);
    let reached = segments.filter(|(segment, _)| score >= least(segment));
    let highest = reached.max_by(|(one, _), (other, _)| least(one).total_cmp(&least(other)));
    highest.map_or(SEG_NO_SEGMENT, |(_, index)| index)
}

fn child<'a>(root: &View<'a>, index: usize) -> Result<View<'a>, CallError> {
    let column = root.child(index)?;
    if column.rows != root.rows {
        let what = format!(
            "column {index} has {} rows, the input has {}",
            column.rows, root.rows
        );
        return Err(CallError::output(what));
    }
    Ok(column)
}

fn numbers(root: &View<'_>, index: usize) -> Result<Vec<f32>, CallError> {
    let column = child(root, index)?;
    let mut values = column.values::<f32>()?.to_vec();
    for (row, value) in values.iter_mut().enumerate() {
        if !column.is_valid(row)? {
            *value = f32::NAN;
        }
    }
    Ok(values)
}

fn place<T>(whole: &mut [T], start: usize, part: Vec<T>) {
    for (place, value) in whole.iter_mut().skip(start).zip(part) {
        *place = value;
    }
}

/// Values at their rows of the caller's batch, `rest` at the others.
fn spread<T: Copy>(values: Vec<T>, origins: Option<&[usize]>, rest: T, rows: usize) -> Vec<T> {
    let Some(origins) = origins else {
        return values;
    };
    let mut spread = vec![rest; rows];
    for (origin, value) in origins.iter().zip(values) {
        spread[*origin] = value;
    }
    spread
}
