//! Settings of a tenant.

use sextant_domain::rfm::TiePolicy;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1::RfmTiePolicy;

use crate::status::Problem;

/// Reads how RFM scores equal values; not said is the default.
///
/// # Errors
/// None of the contract's policies.
pub fn tie_policy(asked: i32, field: &str) -> Result<TiePolicy, Problem> {
    match RfmTiePolicy::try_from(asked) {
        Ok(RfmTiePolicy::Unspecified) => Ok(TiePolicy::default()),
        Ok(RfmTiePolicy::ValueQuantile) => Ok(TiePolicy::ValueQuantile),
        Ok(RfmTiePolicy::RRfmCompat) => Ok(TiePolicy::RRfmCompat),
        Ok(RfmTiePolicy::PandasRankFirst) => Ok(TiePolicy::PandasRankFirst),
        Err(_unknown) => Err(Problem::field(
            ErrorReason::FieldInvalid,
            field,
            format!(
                "{asked} is no policy; there are value quantile, R rfm compat and pandas rank first"
            ),
        )),
    }
}

/// The policy on the wire.
#[must_use]
pub fn rfm_tie_policy(policy: TiePolicy) -> RfmTiePolicy {
    match policy {
        TiePolicy::ValueQuantile => RfmTiePolicy::ValueQuantile,
        TiePolicy::RRfmCompat => RfmTiePolicy::RRfmCompat,
        TiePolicy::PandasRankFirst => RfmTiePolicy::PandasRankFirst,
    }
}
