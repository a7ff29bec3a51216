//! What segmenters measure of their own work.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use sextant_segmenter_abi::{SEG_METRIC_COUNTER, SEG_METRIC_GAUGE, SEG_METRIC_HISTOGRAM};

/// Target of the events that carry measurements: `plugin` (its id), `name`, `value` (f64), and `kind` (`SEG_METRIC_…`). Whoever collects
/// metrics listens to it.
pub(crate) const MEASURED: &str = "sextant::segmenter::metric";

/// Longest name of a metric.
const MAX_NAME_BYTES: usize = 64;
/// Names of one call, and values of one histogram in it; what is beyond is lost.
const MAX_NAMES: usize = 32;
const MAX_VALUES: usize = 1_000;

/// One measurement.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) name: String,
    pub(crate) value: f64,
    /// `SEG_METRIC_…`
    pub(crate) kind: i32,
}

impl Measured {
    /// Tells whoever listens in this process. What is no measurement is lost, as the contract allows.
    pub(crate) fn tell(&self, plugin: &str) {
        let (name, value, kind) = (self.name.as_str(), self.value, self.kind);
        if is_one(name, value, kind) {
            tracing::debug!(target: MEASURED, plugin, name, value, kind);
        }
    }
}

fn is_one(name: &str, value: f64, kind: i32) -> bool {
    let is_name = (1..=MAX_NAME_BYTES).contains(&name.len())
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    let is_value = match kind {
        SEG_METRIC_COUNTER => value >= 0.0,
        SEG_METRIC_GAUGE | SEG_METRIC_HISTOGRAM => true,
        _ => false,
    };
    is_name && is_value && value.is_finite()
}

/// Values by name and kind.
type Values = BTreeMap<(String, i32), Vec<f64>>;

/// What was measured in a call, which is told at its end: a segmenter may measure in every row.
#[derive(Debug, Default)]
pub(crate) struct OfCall {
    values: Mutex<Values>,
}

impl OfCall {
    pub(crate) fn add(&self, name: &str, value: f64, kind: i32) {
        if !is_one(name, value, kind) {
            return;
        }
        let mut values = self.locked();
        let key = (name.to_owned(), kind);
        if values.len() == MAX_NAMES && !values.contains_key(&key) {
            return;
        }
        let of_name = values.entry(key).or_default();
        match (kind, &mut **of_name) {
            (SEG_METRIC_COUNTER, [sum]) => *sum += value,
            (SEG_METRIC_GAUGE, [level]) => *level = value,
            (_, values) if values.len() >= MAX_VALUES => {},
            _ => of_name.push(value),
        }
    }

    /// Takes out what there is.
    pub(crate) fn take(&self) -> Vec<Measured> {
        let values = mem::take(&mut *self.locked());
        let all = values.into_iter().flat_map(|((name, kind), values)| {
            values.into_iter().map(move |value| Measured {
                name: name.clone(),
                value,
                kind,
            })
        });
        all.collect()
    }

    fn locked(&self) -> MutexGuard<'_, Values> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_measurement_is_told_nobody() {
        assert!(is_one("rows_2", 0.0, SEG_METRIC_COUNTER));
        assert!(is_one(&"n".repeat(64), -1.5, SEG_METRIC_GAUGE));
        assert!(is_one("n", -1.5, SEG_METRIC_HISTOGRAM));
        for name in ["", "Rows", "rows-2", "a b", "\u{e9}", "n{x=\"1\"}"] {
            assert!(!is_one(name, 1.0, SEG_METRIC_GAUGE), "{name}");
        }
        assert!(!is_one(&"n".repeat(65), 1.0, SEG_METRIC_GAUGE));
        assert!(!is_one("n", -0.5, SEG_METRIC_COUNTER));
        assert!(!is_one("n", 1.0, 3));
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(!is_one("n", value, SEG_METRIC_GAUGE), "{value}");
        }
    }

    #[test]
    fn a_call_is_told_once_whatever_it_measures() {
        let call = OfCall::default();
        for value in [1.0, 2.0, 4.0] {
            call.add("same", value, SEG_METRIC_COUNTER);
            call.add("same", value, SEG_METRIC_GAUGE);
            call.add("same", value, SEG_METRIC_HISTOGRAM);
            call.add("No name", value, SEG_METRIC_COUNTER);
        }
        let told = |all: Vec<Measured>| -> Vec<(f64, i32)> {
            all.iter().map(|one| (one.value, one.kind)).collect()
        };
        let kinds = [(7.0, 0), (4.0, 1), (1.0, 2), (2.0, 2), (4.0, 2)];
        assert_eq!(told(call.take()), kinds);
        assert!(call.take().is_empty());
        for k in 0..2_000 {
            call.add("histogram", 0.5, SEG_METRIC_HISTOGRAM);
            call.add(&format!("name_{k}"), 1.0, SEG_METRIC_COUNTER);
        }
        assert_eq!(call.take().len(), MAX_VALUES + MAX_NAMES - 1);
    }
}
