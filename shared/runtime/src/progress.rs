//! How far a service has got in ingestion's feeds, and waiting for it: what stands behind `at_least_position`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::position::Position;
use sextant_proto::common::v1::ErrorReason;
use sextant_wire::status::Problem;

use crate::deadline;
use crate::server::aside;

/// Longest wait, whatever the deadline: a position may be one that nobody will ever reach.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// What is left of the call's deadline for the answer itself.
const MARGIN: Duration = Duration::from_millis(20);

/// For each slice, the number of the newest ingestion entry whose results can be read here.
#[derive(Debug)]
pub struct Progress {
    reached: Mutex<BTreeMap<(TenantId, Slice), u64>>,
    edition: watch::Sender<u64>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            reached: Mutex::default(),
            edition: watch::Sender::new(0),
        }
    }
}

impl Progress {
    /// Notes that results up to `sequence` can be read; a smaller number than is known changes nothing.
    pub fn reach(&self, tenant: TenantId, slice: Slice, sequence: u64) {
        {
            let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
            let known = reached.entry((tenant, slice)).or_default();
            if *known >= sequence {
                return;
            }
            *known = sequence;
        }
        self.edition.send_modify(|edition| *edition += 1);
    }

    /// What can be read of a tenant.
    #[must_use]
    pub fn position(&self, tenant: TenantId) -> Position {
        let reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        let slices = reached.range((tenant, Slice(0))..=(tenant, Slice(u16::MAX)));
        Position::new(
            slices
                .map(|((_, slice), sequence)| (*slice, *sequence))
                .collect(),
        )
    }

    /// Waits until at least `floor` can be read, no longer than the call's deadline allows, and 30 seconds at most. A call that
    /// waits leaves its turn to others.
    ///
    /// # Errors
    /// POSITION_NOT_REACHED when the deadline or the 30 seconds come first; OVERLOADED when too many wait.
    pub async fn wait_for(&self, tenant: TenantId, floor: &Position) -> Result<Position, Problem> {
        let position = self.position(tenant);
        if position.covers(floor) {
            return Ok(position);
        }
        aside(self.wait_long_for(tenant, floor)).await
    }

    async fn wait_long_for(&self, tenant: TenantId, floor: &Position) -> Result<Position, Problem> {
        let mut edition = self.edition.subscribe();
        let wait = deadline::remaining_for_head()
            .map_or(LONGEST_WAIT, |left| left.saturating_sub(MARGIN))
            .min(LONGEST_WAIT);
        let until = tokio::time::Instant::now() + wait;
        loop {
            edition.mark_unchanged();
            let position = self.position(tenant);
            if position.covers(floor) {
                return Ok(position);
            }
            if tokio::time::timeout_at(until, edition.changed())
                .await
                .is_err()
            {
                return Err(Problem::field(
                    ErrorReason::PositionNotReached,
                    "at.at_least_position",
                    "was not reached before the deadline; try again",
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deadline::{DEADLINE, Deadline};

    const ACME: TenantId = TenantId(1);

    #[tokio::test]
    async fn a_reader_waits_until_its_write_can_be_read() {
        let progress = Progress::default();
        let floor = Position::new(vec![(Slice(0), 2), (Slice(1), 1)]);
        let writer = async {
            progress.reach(ACME, Slice(1), 1);
            progress.reach(TenantId(2), Slice(0), 9);
            tokio::task::yield_now().await;
            progress.reach(ACME, Slice(0), 3);
        };
        let (read, ()) = tokio::join!(progress.wait_for(ACME, &floor), writer);
        assert!(read.unwrap().covers(&floor));
    }

    #[tokio::test(start_paused = true)]
    async fn a_position_that_is_not_reached_ends_with_its_reason() {
        let problem = Progress::default()
            .wait_for(ACME, &Position::new(vec![(Slice(0), 1)]))
            .await
            .unwrap_err();
        assert_eq!(problem.reason_name(), "POSITION_NOT_REACHED");
    }

    #[tokio::test(start_paused = true)]
    async fn no_deadline_makes_a_wait_longer_than_the_longest_and_every_one_leaves_time_for_its_answer()
     {
        let started = tokio::time::Instant::now();
        let day = started + Duration::from_secs(86_400);
        let soon = Duration::from_secs(10);
        let waits = [
            (Deadline::Given(day), LONGEST_WAIT),
            (Deadline::Default(day), LONGEST_WAIT),
            (Deadline::Given(started + soon), soon - MARGIN),
            (Deadline::Default(started + soon), soon - MARGIN),
        ];
        let wait = async |(deadline, longest)| {
            let (progress, far) = (
                Progress::default(),
                Position::new(vec![(Slice(0), 1 << 63)]),
            );
            let wait = DEADLINE.scope(deadline, progress.wait_for(ACME, &far));
            assert_eq!(
                wait.await.unwrap_err().reason_name(),
                "POSITION_NOT_REACHED"
            );
            assert_eq!(started.elapsed(), longest, "{deadline:?}");
        };
        futures_util::future::join_all(waits.map(wait)).await;
    }
}
