//! A fixed clock that was moved, in a tenant with several slices.
//!
//! Ingestion writes the mark of a moved clock to the feeds of all slices at once. What it brings about, such as the closes on the
//! way, comes after all facts before it, whichever slice they are in, and before the facts behind it. So when one slice has
//! taken it in, the others are taken in up to it before days are closed, and none goes on before they are.

use tonic::Status;

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::time::Instant;
use sextant_proto::ingestion::v1 as ingestion;
use sextant_runtime::follow::Turn;
use sextant_wire::status::Problem;
use sextant_wire::time::required;

use crate::engine::Engine;
use crate::follower::{TakenIn, Writing};
use crate::state::TenantState;

impl TenantState {
    /// The clock as all slices have taken it in: all facts from before it was moved there are known. `None`: of some slice that
    /// is not known yet. The tenant's own clock may be ahead of it.
    pub(crate) fn common_clock(&self, real: Instant) -> Option<Instant> {
        if self.settings.fixed_clock.is_none() {
            return Some(real);
        }
        let clocks = self.slices.values().map(|slice| slice.state.clock);
        clocks.min().flatten()
    }

    /// The moment of what is told between closes: what the clock does behind the common one is told when that gets there.
    pub(crate) fn told_at(&self, real: Instant) -> Instant {
        self.common_clock(real).unwrap_or_else(|| self.now(real))
    }

    /// A slice that has to be taken in further before days are closed: another one has taken in a mark that is ahead of it, or
    /// it is not known whether the clock was moved before its newest facts came.
    fn behind_a_mark(&self) -> Option<(TenantId, Slice)> {
        let fixed_clock = self.settings.fixed_clock?;
        let clocks = || {
            self.slices
                .iter()
                .map(|(slice, of)| (*slice, of.state.clock))
        };
        let newest = clocks().filter_map(|(_, clock)| clock).max();
        let behind = clocks().find(|(_, clock)| clock.is_some() && *clock < newest);
        let unknown = || {
            let (slice, _) = clocks().find(|(_, clock)| clock.is_none())?;
            // While nothing can be closed, that can wait: an open import may bring more than is read in one go.
            let may_close = self.stands_at_a_mark()
                || (!self.is_importing() && !self.due_days(fixed_clock).is_empty());
            may_close.then_some(slice)
        };
        let slice = behind.map(|(slice, _)| slice).or_else(unknown)?;
        Some((self.tenant, slice))
    }

    fn is_importing(&self) -> bool {
        self.slices.values().any(|slice| slice.state.importing)
    }

    /// True: a slice has taken in a mark, and what that brings about is not done. An open import holds it up.
    pub(crate) fn stands_at_a_mark(&self) -> bool {
        let mut slices = self.slices.values();
        self.settings.fixed_clock.is_some()
            && !self.is_importing()
            && slices.any(|slice| slice.state.pending_history.is_some())
    }

    /// True: every slice has taken in a mark, and what that brings about is not done, or not stored in all of them. No facts
    /// are missing for it.
    pub(crate) fn stands_at_a_common_mark(&self) -> bool {
        let closed_on = self.closed_on();
        let mut slices = self.slices.values().map(|slice| slice.state);
        self.stands_at_a_mark()
            && slices.all(|state| state.pending_history.is_some() || state.closed_on > closed_on)
    }

    /// Notes what a fact says of the clock of a slice of which no mark is known: what became known when the clock stood where
    /// it stands now came behind the mark that moved it there, if any did.
    pub(crate) fn note_clock(
        &mut self,
        slice: Slice,
        stored: &ingestion::StoredFact,
    ) -> Result<(), Problem> {
        let known_at = required(stored.known_at.as_ref(), "known_at")?;
        let fixed_clock = self.settings.fixed_clock;
        if !stored.historical && fixed_clock.is_some_and(|clock| known_at >= clock) {
            self.reach_clock(slice, fixed_clock);
        }
        Ok(())
    }

    /// Notes that all facts of a slice from before the clock was moved to `clock` are taken in.
    pub(crate) fn reach_clock(&mut self, slice: Slice, clock: Option<Instant>) {
        let known = &mut self.slices.entry(slice).or_default().state.clock;
        *known = clock.max(*known);
    }
}

impl Engine {
    /// Takes slices that are behind a mark in up to it. Nothing has to be waited for: the mark is in their feeds, or it is in
    /// none. A feed that ends before it holds no facts from before it that are not taken in.
    pub(crate) async fn take_in_marks(
        &self,
        mut writing: Writing,
        turn: &mut Turn,
    ) -> Result<Writing, Status> {
        while let Some(feed) = writing.as_ref().and_then(TenantState::behind_a_mark) {
            let taken;
            (writing, taken) = self.take_in_next(writing, feed).await?;
            if let (TakenIn::Nothing, Some(state)) = (taken, writing.as_mut()) {
                state.reach_clock(feed.1, state.settings.fixed_clock);
            }
            turn.pass().await;
        }
        Ok(writing)
    }
}
