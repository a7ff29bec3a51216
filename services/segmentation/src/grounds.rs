//! How segmenters are asked, and why an account moves.

use std::time::Duration;

use arrow_array::RecordBatch;
use tracing::debug;

use sextant_domain::time::Instant;
use sextant_plugin_host::{Assignments, Call, CallError, Deadline, Reason};
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::segmentation::v1 as pb;
use sextant_wire::status::Problem;

use crate::decide;
use crate::evaluate::Failed;
use crate::registry::chain;
use crate::state::{Present, Standing, Usable};

/// Longest time that a batch is waited for, in whatever parts it is asked about.
const LONGEST: Duration = Duration::from_secs(60);
/// Longest time that the reasons of an evaluation are waited for: accounts are in their segments without them, too.
pub(crate) const LONGEST_OF_REASONS: Duration = Duration::from_secs(10);
/// Reasons kept with a transition.
const MAX_REASONS: u32 = 4;

/// The context of a call: of a moment, and of nothing else that changes.
pub(crate) fn call(tenant: &str, as_of: Instant) -> Call<'_> {
    Call {
        tenant,
        as_of_us: as_of.0,
        seed: 0,
        deadline: Some(Deadline::after(LONGEST)),
        cancel: None,
    }
}

pub(crate) fn failed(one: Usable<'_>, error: &CallError) -> Failed {
    let message = format!(
        "segmentation \"{}\" could not be evaluated: {}",
        one.row.key,
        chain(error)
    );
    Failed {
        problem: Problem::new(ErrorReason::Internal, message),
        of_segmenter: Some(error.kind()),
    }
}

/// What a segmenter answers for the rows of a table. Some of them may have no answer.
pub(crate) fn answers(
    one: Usable<'_>,
    input: &RecordBatch,
    call: &Call<'_>,
) -> Result<Assignments, Failed> {
    let answers = one.instance.segment(input, call);
    let answers = answers.map_err(|error| failed(one, &error))?;
    match decide::failure(&answers) {
        None => Ok(answers),
        Some(trouble) => Err(failed(one, &CallError::Lost(trouble.clone()))),
    }
}

/// Rows that were among others when the search for those ended that the segmenter fails for: it is to be asked again.
pub(crate) fn unresolved(one: Usable<'_>, answers: &Assignments) -> Option<Failed> {
    let mut rows = answers.unanswered.iter().filter(|row| !row.is_its_own);
    let n_rows = rows.clone().count();
    let last = rows.next_back()?;
    let failed = failed(one, &CallError::Lost(last.trouble.clone()));
    let message = format!(
        "{}; {n_rows} accounts have no answer yet",
        failed.problem.message
    );
    Some(Failed {
        problem: Problem {
            message,
            ..failed.problem
        },
        ..failed
    })
}

/// How an account began a day, which is as the close before said; `None`: it was not known then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Began<'b> {
    pub(crate) standing: Option<&'b Standing>,
    /// What it was worth in a year, in minor units, if that is known.
    pub(crate) worth: Option<i64>,
}

impl<'b> Began<'b> {
    /// What tells whether a move is downward: how the account began the day, so that the way back of a day that comes back is
    /// none; on its first day, how it stood just before.
    pub(crate) fn or(self, before: Option<&'b Present>) -> Option<&'b Standing> {
        self.standing
            .or_else(|| before.map(|before| &before.standing))
    }
}

/// Rows, and what the segmenter says of each.
#[derive(Debug)]
pub(crate) struct Grounds {
    rows: RecordBatch,
    said: Vec<Vec<Reason>>,
}

impl Grounds {
    /// The same as long as there is patience, of which it takes some.
    pub(crate) fn with_patience(
        one: Usable<'_>,
        rows: RecordBatch,
        call: &Call<'_>,
        patience: &mut Duration,
    ) -> Self {
        let begun = tokio::time::Instant::now();
        let why = Call {
            deadline: Some(Deadline::after(*patience)),
            ..*call
        };
        let grounds = Self::of(one, rows, &why);
        *patience = patience.saturating_sub(begun.elapsed());
        grounds
    }

    /// Asks the segmenter why it answers as it does for these rows. Where it does not say, in time or at all, it is for what it
    /// reads: what it has answered stands.
    pub(crate) fn of(one: Usable<'_>, rows: RecordBatch, call: &Call<'_>) -> Self {
        let n_rows = rows.num_rows();
        let mut said = vec![Vec::new(); n_rows];
        if one.segmenter.explains() && n_rows > 0 {
            match one.instance.explain(&rows, call, MAX_REASONS) {
                Ok(reasons) => said = reasons,
                Err(error) => {
                    let (segmentation, problem) = (&one.row.key, chain(&error));
                    debug!(segmentation, problem, "a segmenter does not say why");
                },
            }
        }
        for said in said.iter_mut().filter(|said| said.is_empty()) {
            *said = decide::required(one.instance.descriptor());
        }
        Self { rows, said }
    }

    /// The reasons of a row, beside the values of the membership before.
    pub(crate) fn reasons(
        &self,
        one: Usable<'_>,
        at: usize,
        before: Option<&Present>,
    ) -> Vec<pb::Reason> {
        let old = before.and_then(|before| decide::decode(&before.transition));
        let said = self.said.get(at).map_or(&[][..], Vec::as_slice);
        decide::reasons(
            one.instance.descriptor(),
            &self.rows,
            at,
            said,
            old.as_ref(),
        )
    }

    /// What a row says of a move: why, and what the account is worth. Who leaves is worth nothing any more: of a downward move
    /// counts what it was worth at the last close, if that is more.
    pub(crate) fn because(
        &self,
        one: Usable<'_>,
        at: usize,
        before: Option<&Present>,
        to: &Standing,
        began: Began<'_>,
    ) -> pb::Transition {
        let downward = decide::is_downward(one.instance.descriptor(), began.or(before), to);
        let value_minor = decide::value_minor(&self.rows, at);
        pb::Transition {
            reasons: self.reasons(one, at, before),
            downward,
            value_minor: value_minor.max(began.worth.filter(|_| downward)),
            ..pb::Transition::default()
        }
    }
}
