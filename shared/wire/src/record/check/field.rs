//! What fields of many facts have in common.

use std::collections::BTreeMap;

use prost_types::Timestamp;

use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1 as pb;
use sextant_proto::ingestion::v1::value::Kind;

use crate::read::external_id;
use crate::status::Problem;
use crate::time;

const MAX_VALUES: usize = 200;
const MAX_TEXT_BYTES: usize = 8_192;
const MAX_NAME_BYTES: usize = 200;

/// A value of an enum that must be there.
pub(super) fn set<E: TryFrom<i32>>(value: i32, field: &str) -> Result<(), Problem> {
    if value == 0 {
        return Err(Problem::field(
            ErrorReason::FieldMissing,
            field,
            "must be set",
        ));
    }
    known::<E>(value, field)
}

/// A value of an enum, or none.
pub(super) fn known<E: TryFrom<i32>>(value: i32, field: &str) -> Result<(), Problem> {
    match E::try_from(value) {
        Ok(_) => Ok(()),
        Err(_) => Err(Problem::field(
            ErrorReason::FieldInvalid,
            field,
            format!("{value} is no value of this field"),
        )),
    }
}

pub(super) fn optional_id(id: &str, field: &str) -> Result<(), Problem> {
    if id.is_empty() {
        Ok(())
    } else {
        external_id(id, field).map(drop)
    }
}

pub(super) fn text(text: &str, field: &str) -> Result<(), Problem> {
    if text.len() > MAX_TEXT_BYTES {
        let message = format!(
            "has {} bytes, at most {MAX_TEXT_BYTES} are allowed",
            text.len()
        );
        return Err(Problem::field(ErrorReason::FieldTooLong, field, message));
    }
    Ok(())
}

pub(super) fn at_most(count: usize, limit: usize, field: &str) -> Result<(), Problem> {
    if count > limit {
        return Err(Problem::field(
            ErrorReason::FieldTooLong,
            field,
            format!("has {count} entries, at most {limit} are allowed"),
        ));
    }
    Ok(())
}

pub(super) fn values(values: &BTreeMap<String, pb::Value>, field: &str) -> Result<(), Problem> {
    at_most(values.len(), MAX_VALUES, field)?;
    for (name, value) in values {
        let path = || {
            let shown: String = name.chars().take(MAX_NAME_BYTES).collect();
            format!("{field}[{shown:?}]")
        };
        value_name(name, path)?;
        value_of(value, &path(), Depth::List)?;
    }
    Ok(())
}

/// Checks one value, such as one to compare with.
///
/// # Errors
/// It is empty, too large, not finite or too deep; the problem names `path` or what is below it.
pub fn value(value: &pb::Value, path: &str) -> Result<(), Problem> {
    value_of(value, path, Depth::List)
}

/// Whether a value may be a list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    List,
    Element,
}

fn value_of(value: &pb::Value, path: &str, depth: Depth) -> Result<(), Problem> {
    match &value.kind {
        None => Err(Problem::field(
            ErrorReason::FieldMissing,
            path,
            "has no value; leave it out instead",
        )),
        Some(Kind::Number(number)) => finite(*number, path),
        Some(Kind::Text(value)) => text(value, path),
        Some(Kind::Time(stamp)) => {
            time::instant(stamp).map_err(|problem| problem.below(path))?;
            Ok(())
        },
        Some(Kind::Integer(_) | Kind::Boolean(_)) => Ok(()),
        Some(Kind::List(_)) if depth == Depth::Element => Err(Problem::field(
            ErrorReason::FieldInvalid,
            path,
            "is a list within a list; make one list of it",
        )),
        Some(Kind::List(list)) => {
            at_most(list.values.len(), MAX_VALUES, path)?;
            let elements = list.values.iter().enumerate();
            for (at, element) in elements {
                value_of(element, &format!("{path}[{at}]"), Depth::Element)?;
            }
            Ok(())
        },
    }
}

/// A number that computation can go on with.
pub(super) fn finite(number: f64, field: &str) -> Result<(), Problem> {
    if number.is_finite() {
        return Ok(());
    }
    Err(Problem::field(
        ErrorReason::NumberNotFinite,
        field,
        format!("{number} is not a finite number"),
    ))
}

/// A number within bounds, both included.
pub(super) fn within(number: f64, (least, most): (f64, f64), field: &str) -> Result<(), Problem> {
    finite(number, field)?;
    if (least..=most).contains(&number) {
        return Ok(());
    }
    Err(Problem::field(
        ErrorReason::FieldInvalid,
        field,
        format!("{number} is not between {least} and {most}"),
    ))
}

/// Texts of a list.
pub(super) fn texts(all: &[String], field: &str) -> Result<(), Problem> {
    at_most(all.len(), MAX_VALUES, field)?;
    let mut numbered = all.iter().enumerate();
    numbered.try_for_each(|(at, one)| text(one, &format!("{field}[{at}]")))
}

/// Ids of a list.
pub(super) fn ids(all: &[String], limit: usize, field: &str) -> Result<(), Problem> {
    at_most(all.len(), limit, field)?;
    let mut numbered = all.iter().enumerate();
    numbered.try_for_each(|(at, id)| external_id(id, &format!("{field}[{at}]")).map(drop))
}

/// Moments that may be absent.
pub(super) fn moments<const N: usize>(all: [(&Option<Timestamp>, &str); N]) -> Result<(), Problem> {
    let mut all = all.into_iter();
    all.try_for_each(|(moment, field)| time::optional(moment.as_ref(), field).map(drop))
}

pub(super) fn cleared(names: &[String]) -> Result<(), Problem> {
    at_most(names.len(), MAX_VALUES, "cleared_traits")?;
    let names = names.iter().enumerate();
    for (index, name) in names {
        value_name(name, || format!("cleared_traits[{index}]"))?;
    }
    Ok(())
}

/// Checks the name of a trait or of an event's data; `path` says where it stands.
///
/// # Errors
/// It is empty or too long.
pub fn value_name(name: &str, path: impl Fn() -> String) -> Result<(), Problem> {
    if name.is_empty() || name.len() > MAX_NAME_BYTES {
        let message = format!("must have a name of 1 to {MAX_NAME_BYTES} bytes");
        return Err(Problem::field(ErrorReason::FieldInvalid, path(), message));
    }
    Ok(())
}
