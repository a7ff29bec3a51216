//! Golden tests of a segmenter under plain `cargo test`: rows in, segments and reasons out, through the same C table,
//! column layout and error records as in the host, and without any service.
//!
//! Rows are JSON arrays in the order of the descriptor's `requires` and `optional`; `null` is an absent value and
//! reaches the segmenter even where the host would skip the row, so a segmenter must abstain by itself.

mod batch;
mod session;

use crate::json::Json;
use crate::{Fit, Segmenter};

pub use session::{Refusal, Session, TestReason};

/// Runs every example of the descriptor: `{"config", "rows", "expect"}`. An expected `null` means that the segmenter
/// abstains, an expected `""` that the row is in none of the segments.
///
/// # Errors
///
/// Text that names the first example and row that differ, or what the segmenter refused.
pub fn check_examples<S: Segmenter>() -> Result<(), String> {
    each_example::<S>(|config, _fit| Session::new(config))
}

/// The same of a segmenter that learns: each example is fitted to the rows of its `fit` first.
///
/// # Errors
///
/// As there.
pub fn check_fitted_examples<S: Fit>() -> Result<(), String> {
    each_example::<S>(Session::fitted)
}

fn each_example<S: Segmenter>(
    start: impl Fn(&str, &str) -> Result<Session<S>, Refusal>,
) -> Result<(), String> {
    let descriptor = Json::parse(S::DESCRIPTOR).map_err(|error| error.to_string())?;
    let examples = descriptor.get("examples").map_or(&[][..], Json::as_array);
    if examples.is_empty() {
        return Err("the descriptor has no examples".to_owned());
    }
    for (k, example) in examples.iter().enumerate() {
        let text = |key: &str, absent: &str| {
            let value = example.get(key);
            value.map_or_else(|| absent.to_owned(), Json::to_string)
        };
        let session = start(&text("config", "{}"), &text("fit", "[]"));
        let answers = session.and_then(|session| session.segments(&text("rows", "[]")));
        let answers = answers.map_err(|refusal| format!("example {k}: {refusal}"))?;
        let expected = example.get("expect").map_or(&[][..], Json::as_array);
        if answers.len() != expected.len() {
            return Err(format!(
                "example {k}: {} rows, {} expectations",
                answers.len(),
                expected.len()
            ));
        }
        for (row, (answer, expected)) in answers.iter().zip(expected).enumerate() {
            if answer.as_deref() != expected.as_text() {
                return Err(format!(
                    "example {k}, row {row}: expected {expected}, got {answer:?}"
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
