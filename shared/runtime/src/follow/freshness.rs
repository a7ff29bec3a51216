//! How fresh an answer is, by the lags of the feeds that it comes from: one rule for every service that follows another.

use sextant_domain::id::TenantId;
use sextant_domain::time::Instant;
use sextant_proto::common::v1::{ErrorReason, FreshnessState};
use sextant_wire::status::Problem;

use crate::follow::Lag;

/// How current what was taken in of a tenant's feeds is at `now`; `backfilling` where imported history is still being
/// evaluated.
///
/// # Errors
/// FRESHNESS_NOT_MET where the caller takes data of at most `max_age_ms` milliseconds and these may be older.
pub fn freshness(
    lags: &[&Lag],
    tenant: TenantId,
    now: Instant,
    backfilling: bool,
    max_age_ms: Option<i64>,
) -> Result<FreshnessState, Problem> {
    let (mut age_us, mut is_failing, mut is_behind) = (0, false, false);
    for lag in lags.iter().map(|lag| lag.of(tenant, now)) {
        age_us = age_us.max(lag.age_us);
        is_failing |= lag.is_failing;
        is_behind |= lag.is_behind;
    }
    if let Some(max_age_ms) = max_age_ms {
        let max_age_us = max_age_ms.saturating_mul(1_000);
        if backfilling {
            return Err(not_met(
                "cannot be met while imported history is taken in; try again later",
            ));
        }
        if age_us > max_age_us {
            return Err(not_met(
                "cannot be met, the service is behind the feeds that it follows; try again, or take older data",
            ));
        }
    }
    Ok(if backfilling {
        FreshnessState::Backfilling
    } else if is_failing {
        FreshnessState::Failed
    } else if is_behind {
        FreshnessState::Stale
    } else {
        FreshnessState::Fresh
    })
}

fn not_met(message: &str) -> Problem {
    Problem::field(
        ErrorReason::FreshnessNotMet,
        "at.require_fresh_within_ms",
        message,
    )
}
