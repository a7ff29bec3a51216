//! Figures as the contract shows them.

use sextant_domain::mrr::{MetricPolicy, Mrr};
use sextant_domain::retention;
use sextant_proto::common::v1 as common;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::metrics::v1 as pb;
use sextant_wire::status::Problem;

/// Ten-thousandths of a minor unit.
pub(crate) fn exact(total: Mrr) -> Result<i64, Problem> {
    fits(total.0)
}

/// Minor units, rounded once, half to even.
pub(crate) fn minor(total: Mrr) -> Result<i64, Problem> {
    fits(total.to_minor())
}

/// Revenue per account in minor units, rounded once, half to even; `None` where there is no account.
/// Example: 100 accounts that pay 25.00 together → 0.25 each, 25 minor units.
pub(crate) fn per_account_minor(total: Mrr, n_accounts: u64) -> Result<Option<i64>, Problem> {
    let divisor = i128::from(n_accounts) * Mrr::UNITS_PER_MINOR;
    if divisor == 0 {
        return Ok(None);
    }
    let (whole, rest) = (total.0.div_euclid(divisor), total.0.rem_euclid(divisor));
    let up = rest * 2 > divisor || (rest * 2 == divisor && whole % 2 != 0);
    fits(whole + i128::from(up)).map(Some)
}

/// A ratio with its parts; absent where there is nothing below the line.
pub(crate) fn ratio(ratio: Option<retention::Ratio>) -> Result<Option<common::Ratio>, Problem> {
    let Some(ratio) = ratio else { return Ok(None) };
    Ok(Some(common::Ratio {
        numerator: fits(ratio.numerator)?,
        denominator: fits(ratio.denominator)?,
    }))
}

/// The rules behind the figures.
pub(crate) fn policy(policy: &MetricPolicy) -> pb::MetricPolicy {
    pb::MetricPolicy {
        name: policy.preset.as_str().to_owned(),
        version: policy.version,
        hash: format!("{:016x}", policy.hash()),
    }
}

fn fits(amount: i128) -> Result<i64, Problem> {
    let overflow = |_too_large| {
        Problem::new(
            ErrorReason::AmountOverflow,
            "the sum over all accounts does not fit 64 bits; check the units of prices",
        )
    };
    i64::try_from(amount).map_err(overflow)
}

#[cfg(test)]
mod tests;
