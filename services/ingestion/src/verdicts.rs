//! What became of each record of a batch.

use sextant_proto::ingestion::v1::{Rejection, Verdict, VerdictKind};
use sextant_store::port::{NewRejection, Outcome};

/// A refused record as its sender is told.
pub(crate) fn rejection(kept: &NewRejection) -> Rejection {
    Rejection {
        field: kept.field.clone(),
        reason: kept.reason.clone(),
        hint: kept.hint.clone(),
    }
}

/// The verdicts of a batch, in the order of its records: `refused` by ascending index, the others as `outcomes` say.
pub(crate) fn in_order<'a>(
    refused: Vec<(u32, Rejection)>,
    outcomes: impl IntoIterator<Item = &'a Outcome>,
) -> impl Iterator<Item = Verdict> {
    let mut refused = refused.into_iter().peekable();
    let mut outcomes = outcomes.into_iter();
    (0_u32..).map_while(move |index| match refused.next_if(|(at, _)| *at == index) {
        Some((_, rejection)) => Some(Verdict {
            index,
            kind: VerdictKind::Rejected.into(),
            rejection: Some(rejection),
        }),
        None => outcomes.next().map(|outcome| Verdict {
            index,
            kind: kind(*outcome).into(),
            rejection: None,
        }),
    })
}

fn kind(outcome: Outcome) -> VerdictKind {
    match outcome {
        Outcome::Accepted => VerdictKind::Accepted,
        Outcome::Duplicate => VerdictKind::Duplicate,
        Outcome::Conflict => VerdictKind::Conflict,
        Outcome::Held => VerdictKind::Held,
    }
}

#[cfg(test)]
mod tests;
