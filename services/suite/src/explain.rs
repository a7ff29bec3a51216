//! One page per error reason: what happened and what to do.

use sextant_proto::common::v1::ErrorReason;
use sextant_runtime::config::nearest;
use sextant_wire::status::name;

use crate::import::Refusal;

/// A page.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// The reason, as errors carry it.
    pub reason: &'static str,
    /// Markdown.
    pub text: &'static str,
}

macro_rules! page {
    ($reason:literal) => {
        Page {
            reason: $reason,
            text: include_str!(concat!("../reasons/", $reason, ".md")),
        }
    };
}

/// All pages, by reason.
pub const PAGES: &[Page] = &[
    page!("ACCOUNT_UNKNOWN"),
    page!("ALREADY_EXISTS"),
    page!("AMOUNT_NEGATIVE"),
    page!("AMOUNT_OVERFLOW"),
    page!("BATCH_TOO_LARGE"),
    page!("CLOCK_STATE"),
    page!("CONFIG_INVALID"),
    page!("CONFLICT"),
    page!("CURRENCY_UNKNOWN"),
    page!("DEADLINE_EXCEEDED"),
    page!("FEATURE_UNKNOWN"),
    page!("FIELD_INVALID"),
    page!("FIELD_MISSING"),
    page!("FIELD_TOO_LONG"),
    page!("FRESHNESS_NOT_MET"),
    page!("GATES_NOT_PASSED"),
    page!("WEBHOOK_UNKNOWN"),
    page!("SIGNATURE_INVALID"),
    page!("IMPORT_STATE"),
    page!("INTERNAL"),
    page!("KEY_INVALID"),
    page!("KEY_MISSING"),
    page!("KEY_UNKNOWN"),
    page!("MALFORMED"),
    page!("MESSAGE_TOO_LARGE"),
    page!("METHOD_UNKNOWN"),
    page!("NUMBER_NOT_FINITE"),
    page!("OVERLOADED"),
    page!("OVERTAKEN"),
    page!("PAGE_TOKEN_INVALID"),
    page!("POSITION_INVALID"),
    page!("POSITION_NOT_REACHED"),
    page!("REQUEST_ID_REUSED"),
    page!("REVISION_UNKNOWN"),
    page!("SCOPE_MISSING"),
    page!("SECRET_SHOWN"),
    page!("SEGMENTATION_UNKNOWN"),
    page!("SEGMENTER_REJECTED"),
    page!("SEGMENTER_STATE"),
    page!("SEGMENTER_UNKNOWN"),
    page!("SEGMENT_UNKNOWN"),
    page!("TENANT_UNKNOWN"),
    page!("TIME_BEFORE_1970"),
    page!("TIME_IN_FUTURE"),
    page!("TOO_OLD"),
    page!("UNAVAILABLE"),
];

impl Page {
    /// The sentence that says what the reason means.
    #[must_use]
    pub fn summary(&self) -> &'static str {
        self.text
            .lines()
            .skip(1)
            .find(|line| !line.is_empty())
            .unwrap_or_default()
    }
}

/// The page of a reason, in any case, with or without the prefix of the contract.
#[must_use]
pub fn find(reason: &str) -> Option<&'static Page> {
    let upper = reason.trim().to_ascii_uppercase();
    let short = upper.strip_prefix("ERROR_REASON_").unwrap_or(&upper);
    PAGES.iter().find(|page| page.reason == short)
}

/// The reason that may have been meant.
#[must_use]
pub fn near(reason: &str) -> Option<&'static str> {
    let upper = reason.trim().to_ascii_uppercase();
    nearest(&upper, PAGES.iter().map(|page| page.reason))
}

/// All reasons: those of the contract, and the one that only a row of a file can have.
pub fn reasons() -> impl Iterator<Item = &'static str> {
    /// Beyond every number that the contract uses.
    const END: i32 = 1_000;
    (1..END)
        .filter_map(|number| ErrorReason::try_from(number).ok())
        .map(name)
        .chain([Refusal::CONFLICT])
}

#[cfg(test)]
mod tests;
