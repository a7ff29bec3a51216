//! Keeping the segmenters of this process as the catalogue says, and the catalogue as the segmenters behave.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use tokio::time::{Instant, MissedTickBehavior, timeout};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tracing::{error, warn};
use uuid::Uuid;

use sextant_domain::id::TenantId;
use sextant_proto::segmentation::v1 as pb;
use sextant_proto::segmentation::v1::{SegmenterAction, SegmenterState};
use sextant_store::port::{self, Once, Request, RevisionState, StateChange, UseRow};
use sextant_wire::status::store;

use crate::engine::Engine;
use crate::revise::{Decision, Gates};
use crate::segmenters::{Actor, own_request, told};

/// Between two looks: one query for all tenants.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Looks between two sayings of how this process stands.
const PREPARE_EVERY: u32 = 10;
/// Between two looks into the directory.
const DIRECTORY_EVERY: Duration = Duration::from_secs(2);
/// Between two sayings that this process lives.
const BEAT_EVERY: Duration = Duration::from_secs(4);
/// Segmentations that are named in the way of an end.
const MAX_USES_TOLD: usize = 5;
/// How long a tenant is waited for that is being written: there are others.
const LONGEST_WAIT: Duration = Duration::from_millis(500);
/// How long the evaluation of another process is waited for.
const LONGEST_EVALUATION: Duration = Duration::from_secs(10);

impl Engine {
    /// Follows the catalogue until `stop`.
    pub(crate) async fn supervise(&self, stop: CancellationToken) {
        let mut followed = Followed::default();
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut failing, mut n_looks) = (false, 0_u32);
        loop {
            tokio::select! {
                _ = ticks.tick() => {},
                () = stop.cancelled() => return,
            }
            let looked = stop
                .run_until_cancelled(Box::pin(self.look(n_looks, &mut followed)))
                .await;
            n_looks = n_looks.wrapping_add(1);
            match looked {
                None => return,
                Some(Ok(())) => failing = false,
                // Told once: the store's silence may last.
                Some(Err(status)) if !failing => {
                    warn!(code = ?status.code(), message = status.message(), "the catalogue of segmenters cannot be followed; trying again");
                    failing = true;
                },
                Some(Err(_still)) => {},
            }
        }
    }

    /// Says that this process lives, until `stop`, whatever else it has to do.
    pub(crate) async fn live(&self, stop: CancellationToken) {
        every(BEAT_EVERY, stop, || async {
            if let Err(problem) = self.segmenters.beat().await {
                tracing::debug!(
                    message = problem.message,
                    "this process could not say that it lives"
                );
            }
        })
        .await;
    }

    /// Publishes what comes to the directory, until `stop`: judging takes a while, and nothing else waits for that.
    pub(crate) async fn follow_directory(&self, stop: CancellationToken) {
        every(DIRECTORY_EVERY, stop, || {
            Box::pin(self.segmenters.look_into_directory())
        })
        .await;
    }

    async fn look(&self, n_looks: u32, followed: &mut Followed) -> Result<(), Status> {
        self.segmenters.refresh().await.map_err(store)?;
        self.segmenters.place_servers();
        // A segmentation that has left what fails with its configuration is asked with another one: the segmenter may be sound.
        self.leave_failing().await?;
        for (digest, why) in self.fallen().await? {
            self.quarantine_failed(&digest, &why).await?;
        }
        // Whoever asks for a segmenter takes over what was done, too.
        let edition = self.segmenters.edition();
        let changed = followed.edition != Some(edition);
        let is_due = n_looks.is_multiple_of(PREPARE_EVERY);
        if changed {
            let uses = self.segmenters.catalogue.uses().await.map_err(store)?;
            followed.note(&uses);
            let tenants = uses.iter().map(|one| one.tenant);
            followed.not_renewed.extend(tenants);
            followed.edition = Some(edition);
        }
        self.renew_known(&mut followed.not_renewed).await;
        self.take_over_decisions(followed).await?;
        if changed || is_due || !followed.have_gone_back {
            followed.have_gone_back = self.leave_quarantined().await?;
        }
        if changed || is_due {
            self.segmenters.prepare().await?;
        }
        Ok(())
    }

    /// Other processes decide, too: what they have found is taken over once it is stored. Where it is not after a while, for the
    /// process has died, this one evaluates it.
    async fn take_over_decisions(&self, followed: &mut Followed) -> Result<(), Status> {
        for (tenant, since) in followed.waiting.clone() {
            let slices = self.memberships.slices(tenant).await.map_err(store)?;
            let all = self.segmentations.all(tenant).await.map_err(store)?;
            let is_judged = slices.iter().all(|(_, progress)| {
                all.iter().all(|row| {
                    let mut judged = progress.judged.iter();
                    let known = judged.find(|one| one.segmentation == row.number);
                    known.map_or(1, |known| known.version) == row.version
                })
            });
            if is_judged {
                if self.is_written(tenant) {
                    continue;
                }
                for (slice, progress) in &slices {
                    self.take_over(tenant, *slice, progress.version).await;
                    self.note_stored(tenant, *slice, progress);
                }
            } else if since.elapsed() >= LONGEST_EVALUATION {
                self.unbegun.note(tenant);
            } else {
                continue;
            }
            followed.waiting.remove(&tenant);
        }
        Ok(())
    }

    /// A segmenter has failed too often: it is taken out of use everywhere.
    async fn quarantine_failed(&self, digest: &str, why: &str) -> Result<(), Status> {
        let published = self.segmenters.now_published().await?;
        let Some(told) = published.get(digest) else {
            return Ok(());
        };
        // Somebody may have released it meanwhile: what it failed with before that is forgotten by now.
        let has_fallen = self.fallen().await?.iter().any(|(of, _)| of == digest);
        if has_fallen && told.state() == SegmenterState::Ready {
            error!(
                segmenter = told.segmenter_id,
                version = told.version,
                why,
                "a segmenter is put in quarantine"
            );
            let by = Actor::installation();
            let request = own_request("QuarantineSegmenter", self.clock.now());
            self.change(told, Change::Quarantine, (&by, why), request)
                .await?;
        }
        Ok(())
    }

    /// Changes the state of a version, and does what follows from it. `None`: it is in another state, or used.
    pub(crate) async fn change(
        &self,
        of: &pb::Segmenter,
        change: Change,
        (by, why): (&Actor, &str),
        request: Request,
    ) -> Result<Option<pb::Segmenter>, Status> {
        let (from, to, action) = change.states();
        let mut told = pb::Segmenter {
            why: told::shortened(why),
            ..of.clone()
        };
        if change == Change::Release {
            told.releases += 1;
        }
        let event = told::event(action, of, by, why);
        let stored = StateChange {
            digest: of.digest.clone(),
            from: from.to_vec(),
            to,
            segmenter: prost::Message::encode_to_vec(&told),
            only_unused: change == Change::Retire,
        };
        let answer = |row: &port::SegmenterRow| {
            let segmenter = told::segmenter(row);
            prost::Message::encode_to_vec(&segmenter.unwrap_or_default())
        };
        let event = told::event_row(&event, None, self.clock.now());
        let catalogue = &self.segmenters.catalogue;
        let changed = catalogue.change(stored, event, Once::new(request, answer));
        let Some(changed) = changed.await.map_err(store)? else {
            return Ok(None);
        };
        self.segmenters.refresh().await.map_err(store)?;
        if change == Change::Quarantine {
            self.leave_quarantined().await?;
        }
        Ok(Some(sextant_wire::request::answer(&changed)?))
    }

    /// The segmentations that a version is of use to, as the rest of a sentence; empty: there are none.
    pub(crate) async fn used_by(&self, digest: &str) -> Result<String, Status> {
        let uses = self.segmenters.catalogue.uses().await.map_err(store)?;
        let uses: Vec<UseRow> = uses
            .into_iter()
            .filter(|one| one.digest == digest)
            .collect();
        let mut told = Vec::new();
        for one in uses.iter().take(MAX_USES_TOLD) {
            let rows = self.segmentations.all(one.tenant).await.map_err(store)?;
            let row = rows.iter().find(|row| row.number == one.segmentation);
            let used = match one.state {
                RevisionState::Active => "is decided by it",
                RevisionState::Proposed => "is proposed with it",
                RevisionState::Previous => "would go back to it",
                RevisionState::Retired => continue,
            };
            told.push(format!(
                "\"{}\" of tenant {} {used}",
                row.map_or("", |row| &row.key),
                Uuid::from_u128(one.tenant.0)
            ));
        }
        Ok(match (uses.len(), told.join(", ")) {
            (0, _) => String::new(),
            (n_uses, told) if n_uses > MAX_USES_TOLD => {
                format!(": {told} and {} more", n_uses - MAX_USES_TOLD)
            },
            (_, told) => format!(": {told}"),
        })
    }

    /// Segmentations that are decided by a version in quarantine go back to their revision before, where they have one that can be
    /// used. Whoever comes first does it, and it is done once. False: some have not yet.
    async fn leave_quarantined(&self) -> Result<bool, Status> {
        let published = self.segmenters.published();
        let out_of_use: BTreeSet<&str> = published
            .values()
            .filter(|one| one.state() == SegmenterState::Quarantined)
            .map(|one| one.digest.as_str())
            .collect();
        if out_of_use.is_empty() {
            return Ok(true);
        }
        let uses = self.segmenters.catalogue.uses().await.map_err(store)?;
        let mut backs = Vec::new();
        for one in &uses {
            let is_out = |digest: &str| out_of_use.contains(digest);
            let decides = one.state == RevisionState::Active && is_out(&one.digest);
            let before = revision_before(&uses, one).filter(|before| !is_out(&before.digest));
            if let Some(before) = before.filter(|_| decides) {
                let why = published.get(&one.digest).map_or("", |told| &told.why);
                backs.push(Back {
                    tenant: one.tenant,
                    segmentation: one.segmentation,
                    revision: before.revision,
                    digest: before.digest.clone(),
                    why: format!("its segmenter is in quarantine: {why}"),
                });
            }
        }
        Ok(self.go_back_all(backs).await)
    }

    /// True: all segmentations have gone back. What keeps one tenant from it keeps no other one.
    pub(crate) async fn go_back_all(&self, backs: Vec<Back>) -> bool {
        let going = backs
            .into_iter()
            .map(|back| self.has_gone_back(back).boxed());
        join_all(going).await.into_iter().all(|has_gone| has_gone)
    }

    async fn has_gone_back(&self, back: Back) -> bool {
        if !self.is_free_within(back.tenant, LONGEST_WAIT).await {
            return false;
        }
        // Who cannot be asked either is no way back.
        if self.segmenters.published().contains_key(&back.digest)
            && let Err(problem) = self.segmenters.load(&back.digest).await
        {
            tracing::debug!(tenant = %Uuid::from_u128(back.tenant.0), message = problem.message, why = back.why, "what a segmentation would go back to cannot be asked");
            return false;
        }
        let gone = self.go_back(&back).await;
        if let Err(status) = &gone {
            warn!(tenant = %Uuid::from_u128(back.tenant.0), code = ?status.code(), message = status.message(), why = back.why, "a segmentation does not go back yet");
        }
        gone.is_ok()
    }

    /// Whether nobody writes a tenant, or not for longer than that any more.
    pub(crate) async fn is_free_within(&self, tenant: TenantId, longest: Duration) -> bool {
        match self.cells.known(tenant) {
            Some(cell) => timeout(longest, cell.is_written_no_more()).await.is_ok(),
            None => true,
        }
    }

    async fn go_back(&self, back: &Back) -> Result<(), Status> {
        let Back {
            tenant,
            segmentation,
            revision,
            ref why,
            ..
        } = *back;
        let writing = self.write(tenant).await?;
        let decision = Decision {
            segmentation,
            revision,
            action: SegmenterAction::RolledBack,
            gates: Gates::Accepted,
        };
        let request = Request {
            owner: Some(tenant),
            ..own_request("RollBackRevision", self.clock.now())
        };
        let by = Actor::installation();
        let decided = self.decide(writing, decision, (&by, why), request).await;
        let (_writing, decided) = decided?;
        if decided.is_some() {
            warn!(tenant = %Uuid::from_u128(tenant.0), why, "a segmentation has gone back to the revision before");
        }
        Ok(())
    }
}

/// The revision that a segmentation goes back to, if it has one: there is at most one.
pub(crate) fn revision_before<'u>(uses: &'u [UseRow], of: &UseRow) -> Option<&'u UseRow> {
    uses.iter().find(|one| {
        (one.tenant, one.segmentation) == (of.tenant, of.segmentation)
            && one.state == RevisionState::Previous
    })
}

/// Does something at once and then again and again, until `stop`, which cuts it off.
async fn every<W>(period: Duration, stop: CancellationToken, work: impl Fn() -> W + Send)
where
    W: Future<Output = ()> + Send,
{
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {},
            () = stop.cancelled() => return,
        }
        stop.run_until_cancelled(work()).await;
    }
}

/// What decides, as this process knows it, and the tenants of which it waits for what others find.
#[derive(Debug, Default)]
struct Followed {
    /// The edition of the catalogue that this is of.
    edition: Option<u64>,
    active: BTreeMap<(TenantId, u16), u32>,
    waiting: BTreeMap<TenantId, Instant>,
    /// Tenants that have not taken over yet what was done to the catalogue.
    not_renewed: BTreeSet<TenantId>,
    /// False: some segmentations are still to leave a segmenter in quarantine.
    have_gone_back: bool,
}

/// A segmentation that is to go back to a revision.
#[derive(Debug)]
pub(crate) struct Back {
    pub(crate) tenant: TenantId,
    pub(crate) segmentation: u16,
    pub(crate) revision: u32,
    /// What it would be decided by; of a built-in one there is nothing published.
    pub(crate) digest: String,
    pub(crate) why: String,
}

impl Followed {
    fn note(&mut self, uses: &[UseRow]) {
        let active = uses.iter().filter(|one| one.state == RevisionState::Active);
        let active: BTreeMap<_, _> = active
            .map(|one| ((one.tenant, one.segmentation), one.revision))
            .collect();
        let now = Instant::now();
        for (of, revision) in &active {
            // One that was made, proposed for and activated between two looks is news, too.
            let before = self.active.get(of).copied().unwrap_or(1);
            if self.edition.is_some() && before != *revision {
                self.waiting.insert(of.0, now);
            }
        }
        self.active = active;
    }
}

/// What is done to a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Approve,
    Quarantine,
    Release,
    Retire,
}

impl Change {
    /// The states that it may be in, the one that it gets, and how that is called.
    pub(crate) const fn states(
        self,
    ) -> (
        &'static [port::SegmenterState],
        port::SegmenterState,
        SegmenterAction,
    ) {
        use port::SegmenterState::{Quarantined, Ready, Retired, Waiting};

        match self {
            Self::Approve => (&[Waiting, Ready], Ready, SegmenterAction::Approved),
            Self::Quarantine => (&[Ready], Quarantined, SegmenterAction::Quarantined),
            // One that can be used may have configurations with which it is not asked for a while.
            Self::Release => (&[Quarantined, Ready], Ready, SegmenterAction::Released),
            Self::Retire => (&told::LIVING, Retired, SegmenterAction::Retired),
        }
    }

    /// What has to be true of it, as the rest of a sentence.
    pub(crate) const fn asks(self) -> &'static str {
        match self {
            Self::Approve => "only one that waits or can be used can be approved",
            Self::Quarantine => "only one that can be used is taken out of use",
            Self::Release => "only one in quarantine, or that can be used, can be released",
            Self::Retire => {
                "only one that no segmentation is decided by, proposed with or would go back to can be retired"
            },
        }
    }
}
