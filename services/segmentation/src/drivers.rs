//! What drives a move between two revisions.

use std::sync::Arc;

use arrow_array::RecordBatch;

use sextant_domain::time::Instant;
use sextant_plugin_host::{Bound, Reason};

use crate::grounds::call;

/// Reasons of each account that are compared.
const MAX_REASONS: u32 = 16;

/// What is said of each row, strongest first; nothing where the segmenter cannot be asked.
pub(crate) fn reasons(
    bound: &Bound,
    rows: &RecordBatch,
    (tenant, as_of): (&str, Instant),
) -> Vec<Vec<Named>> {
    let descriptor = bound.descriptor();
    let said = bound.explain(rows, &call(tenant, as_of), MAX_REASONS);
    let named = |reason: Reason| {
        let feature = descriptor.features.get(usize::from(reason.feature_index))?;
        Some(Named {
            feature: feature.name.as_str().into(),
            contribution: reason.contribution,
            text: reason.text.unwrap_or_default(),
        })
    };
    let said = said.unwrap_or_default().into_iter();
    said.map(|reasons| reasons.into_iter().filter_map(named).collect())
        .collect()
}

/// A reason, by the name of its feature: two revisions may read different ones.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Named {
    pub(crate) feature: Arc<str>,
    contribution: f32,
    pub(crate) text: String,
}

/// Of the reasons of both revisions that whose contribution has changed most; where none has, or where there are none of before, the
/// strongest of the new ones.
pub(crate) fn driver<'r>(new: &'r [Named], before: &'r [Named]) -> Option<&'r Named> {
    let of = |reasons: &[Named], feature: &str| {
        let found = reasons.iter().find(|one| *one.feature == *feature);
        found.map_or(0.0, |one| one.contribution)
    };
    let change = |one: &Named| {
        let change = of(new, &one.feature) - of(before, &one.feature);
        if change.is_nan() { 0.0 } else { change.abs() }
    };
    let gone = before
        .iter()
        .filter(|one| new.iter().all(|other| other.feature != one.feature));
    let changed = new.iter().chain(gone).filter(|one| change(one) > 0.0);
    // Of several the first, which is the stronger reason.
    let most = changed
        .rev()
        .max_by(|one, other| change(one).total_cmp(&change(other)));
    most.filter(|_| !before.is_empty()).or_else(|| new.first())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(reasons: &[(&str, f32)]) -> Vec<Named> {
        let named = |(feature, contribution): &(&str, f32)| Named {
            feature: (*feature).into(),
            contribution: *contribution,
            text: format!("{feature} of {contribution}"),
        };
        reasons.iter().map(named).collect()
    }

    #[test]
    fn a_move_is_driven_by_what_has_changed_most_and_not_by_what_weighs_most() {
        for (new, before, expected) in [
            // A threshold has moved: the account is as it was, and its use counts now.
            (
                &[("revenue", 2.0), ("use", 0.25)][..],
                &[("revenue", 2.0), ("use", -0.25)][..],
                Some("use"),
            ),
            (
                &[("revenue", 2.0)],
                &[("revenue", 2.0), ("use", -0.25)],
                Some("use"),
            ),
            (
                &[("revenue", 2.0), ("use", 0.25)],
                &[("revenue", 2.0)],
                Some("use"),
            ),
            // Nothing is said of before, or the same.
            (&[("revenue", 2.0), ("use", 0.25)], &[], Some("revenue")),
            (&[("revenue", 2.0)], &[("revenue", 2.0)], Some("revenue")),
            // Of two that have changed alike the stronger one.
            (
                &[("revenue", 2.0), ("use", 1.0)],
                &[("revenue", 1.0), ("use", 0.0)],
                Some("revenue"),
            ),
            (
                &[("revenue", f32::NAN), ("use", 1.0)],
                &[("revenue", 1.0), ("use", 0.5)],
                Some("use"),
            ),
            (&[], &[], None),
        ] {
            let (new, before) = (said(new), said(before));
            let found = driver(&new, &before).map(|one| &*one.feature);
            assert_eq!(found, expected, "{new:?} {before:?}");
        }
    }
}
