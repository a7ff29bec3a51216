//! Reasons of a segmenter, checked and copied.

use crate::assignment::{Missing, missing_of};
use crate::binding::Prepared;
use crate::foreign::{OwnedArray, View};
use crate::{CallError, Descriptor};

/// Bytes of the longest text of a reason: a sentence or two for people, which is stored with every move.
const MAX_TEXT_BYTES: usize = 1_024;

/// Why a row is in its segment.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// Position in the descriptor's features.
    pub feature_index: u16,
    /// Signed contribution on the segmenter's own scale.
    pub contribution: f32,
    /// A sentence for people, at most 1 KiB.
    pub text: Option<String>,
}

/// Copies the plugin's reasons, row by row as it saw them.
pub(crate) fn read(output: &OwnedArray, rows: usize) -> Result<Vec<Vec<Reason>>, CallError> {
    let list = View::root(output, 1, rows)?.child(0)?;
    if list.rows != rows {
        return Err(CallError::output(format!(
            "reasons has {} rows, the input has {rows}",
            list.rows
        )));
    }
    list.no_nulls("reasons")?;
    let ends = list.offsets()?;
    let item = list.child(0)?;
    let end = usize::try_from(ends.last().copied().unwrap_or(0)).unwrap_or(usize::MAX);
    if end > item.rows {
        return Err(CallError::output(format!(
            "reasons end at {end}, there are {}",
            item.rows
        )));
    }
    let items = items(&item)?;
    let of_row = ends.windows(2).map(|bounds| {
        let bound = |index: usize| usize::try_from(bounds[index]).unwrap_or(0);
        items[bound(0)..bound(1)].to_vec()
    });
    Ok(of_row.collect())
}

/// Checks what was said of so many rows that a segmenter saw.
pub(crate) fn check(
    said: &[Vec<Reason>],
    rows: usize,
    features: usize,
    top_k: usize,
) -> Result<(), CallError> {
    if said.len() != rows {
        let found = said.len();
        return Err(CallError::output(format!(
            "reasons are of {found} rows, the input has {rows}"
        )));
    }
    let faults = said
        .iter()
        .enumerate()
        .filter_map(|(row, of_row)| fault(of_row, row, features, top_k));
    faults
        .map(CallError::output)
        .map(Err)
        .next()
        .unwrap_or(Ok(()))
}

/// What is wrong with the reasons of a row.
fn fault(of_row: &[Reason], row: usize, features: usize, top_k: usize) -> Option<String> {
    let unknown = |reason: &&Reason| usize::from(reason.feature_index) >= features;
    let bytes = |reason: &Reason| reason.text.as_ref().map_or(0, String::len);
    let longest = of_row.iter().map(bytes).max().unwrap_or_default();
    if of_row.len() > top_k {
        let found = of_row.len();
        Some(format!(
            "row {row} has {found} reasons, {top_k} were asked for"
        ))
    } else if longest > MAX_TEXT_BYTES {
        Some(format!(
            "the text of a reason of row {row} has {longest} bytes, at most {MAX_TEXT_BYTES} are shown to people"
        ))
    } else if of_row.iter().any(|reason| !reason.contribution.is_finite()) {
        Some("a contribution is not a number".to_owned())
    } else if !of_row.is_sorted_by(|a, b| a.contribution.abs() >= b.contribution.abs()) {
        Some(format!(
            "the reasons of row {row} are not ordered by contribution"
        ))
    } else {
        let unknown = of_row.iter().find(unknown)?.feature_index;
        Some(format!(
            "a reason names feature {unknown}, the descriptor has {features}"
        ))
    }
}

/// Puts what was said of the rows that a segmenter saw in the order of the caller's rows. A row that it did not see gets a reason
/// per missing feature.
pub(crate) fn arranged(
    said: Vec<Vec<Reason>>,
    prepared: &Prepared,
    descriptor: &Descriptor,
    top_k: usize,
    rows: usize,
) -> Vec<Vec<Reason>> {
    let mut reasons = vec![Vec::new(); rows];
    for (k, of_row) in said.into_iter().enumerate() {
        let row = prepared.origins.as_ref().map_or(k, |origins| origins[k]);
        reasons[row] = of_row;
    }
    add_missing(&mut reasons, &prepared.missing, descriptor, top_k);
    reasons
}

/// Every reason of the output, in its order.
fn items(item: &View<'_>) -> Result<Vec<Reason>, CallError> {
    let columns = [item.child(0)?, item.child(1)?, item.child(2)?];
    if columns.iter().any(|column| column.rows != item.rows) {
        return Err(CallError::output("the columns of reasons differ in length"));
    }
    item.no_nulls("a reason")?;
    columns[0].no_nulls("the feature of a reason")?;
    columns[1].no_nulls("the contribution of a reason")?;
    let (features, contributions): (&[u16], &[f32]) = (columns[0].values()?, columns[1].values()?);
    let ends = columns[2].offsets()?;
    let bytes =
        columns[2].bytes(usize::try_from(ends.last().copied().unwrap_or(0)).unwrap_or(0))?;
    let mut reasons = Vec::with_capacity(item.rows);
    for (k, (feature, contribution)) in features.iter().zip(contributions).enumerate() {
        let text = if columns[2].is_valid(k)? {
            let bound = |index: usize| usize::try_from(ends[index]).unwrap_or(0);
            let text = str::from_utf8(&bytes[bound(k)..bound(k + 1)]);
            Some(
                text.map_err(|error| {
                    CallError::output(format!("the text of a reason is not UTF-8: {error}"))
                })?
                .to_owned(),
            )
        } else {
            None
        };
        reasons.push(Reason {
            feature_index: *feature,
            contribution: *contribution,
            text,
        });
    }
    Ok(reasons)
}

fn add_missing(
    reasons: &mut [Vec<Reason>],
    missing: &[Missing],
    descriptor: &Descriptor,
    top_k: usize,
) {
    for (row, reasons) in reasons.iter_mut().enumerate() {
        for item in missing_of(missing, row).iter().take(top_k) {
            let feature = &descriptor.features[usize::from(item.feature)];
            let text = Some(format!("{} is unknown", feature.name));
            reasons.push(Reason {
                feature_index: item.feature,
                contribution: 0.0,
                text,
            });
        }
    }
}
