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
    if let Some(max_age_ms) = max_age_ms {
        let max_age_us = max_age_ms.saturating_mul(1_000);
        if backfilling {
            return Err(not_met(
                "cannot be met while imported history is taken in; try again later",
            ));
        }
        if lags.iter().any(|lag| lag.age_us(tenant, now) > max_age_us) {
            return Err(not_met(
                "cannot be met, the service is behind the feeds that it follows; try again, or take older data",
            ));
        }
    }
    Ok(if backfilling {
        FreshnessState::Backfilling
    } else if lags.iter().any(|lag| lag.is_failing(tenant)) {
        FreshnessState::Failed
    } else if lags.iter().any(|lag| lag.is_behind(tenant, now)) {
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
