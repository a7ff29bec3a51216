//! The processes that serve the same tenants: each has to have a segmenter before it decides.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _, stream};

use sextant_domain::id::PayloadHash;
use sextant_domain::time::Instant;
use sextant_proto::common::v1::ErrorReason;
use sextant_store::port::{ReadyRow, ReplicaRow};
use sextant_wire::status::Problem;

use crate::segmenters::{Replicas, Segmenters};

/// Who has not said anything for so long does not live.
const SILENT: Duration = Duration::from_secs(15);
/// Who has not said anything for so long is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(3_600);
/// Longest time that other processes are waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// Segmenters that are loaded at one time.
const LOADED_AT_ONCE: usize = 8;
const ASK_AGAIN: Duration = Duration::from_millis(200);
/// How long a segmenter stays loaded that no segmentation is decided by, proposed with or would go back to: somebody may try it again.
const KEPT: Duration = Duration::from_secs(60);

fn before(now: Instant, age: Duration) -> Instant {
    Instant(
        now.0
            .saturating_sub(i64::try_from(age.as_micros()).unwrap_or(i64::MAX)),
    )
}

impl Segmenters {
    /// Digests of the published versions that every process has to have: those of revisions that are not retired, and the newest of
    /// each segmenter, which somebody may put to use at any moment.
    async fn wanted(&self) -> Result<BTreeSet<String>, Problem> {
        let uses = self.catalogue.uses().await?;
        let published = self.published();
        let newest = self.newest_ready(&published);
        let digests = uses.into_iter().map(|one| one.digest);
        let used = digests.filter(|digest| published.contains_key(digest));
        Ok(used.chain(newest).collect())
    }

    /// Loads what may be asked here, and ends what was not for a while. Says how it stands to those who wait for it.
    pub(crate) async fn prepare(&self) -> Result<(), Problem> {
        let wanted = self.wanted().await?;
        // One that is long in coming holds up few others.
        let loading = wanted.iter().map(|digest| self.stands(digest).boxed());
        let loading = stream::iter(loading.collect::<Vec<_>>());
        let ready: Vec<_> = loading.buffered(LOADED_AT_ONCE).collect().await;
        self.end_unwanted(&wanted, before(self.clock.now(), KEPT));
        *self.ready.lock().await = ready;
        self.beat().await
    }

    /// Loads a version, and says whether it can be asked here.
    async fn stands(&self, digest: &str) -> ReadyRow {
        let problem = self.load(digest).await.err();
        ReadyRow {
            digest: digest.to_owned(),
            problem: problem.map_or(String::new(), |problem| problem.message),
        }
    }

    /// Says how this process stands to those who wait for it.
    pub(crate) async fn beat(&self) -> Result<(), Problem> {
        if self.isolation.replicas == Replicas::Alone {
            return Ok(());
        }
        // Held, for two sayings at one time would be in each other's way.
        let ready = self.ready.lock().await;
        let replica = ReplicaRow {
            replica: self.replica,
            name: name(),
            ready: ready.clone(),
        };
        Ok(self.catalogue.beat(replica, FORGOTTEN).await?)
    }

    fn end_unwanted(&self, wanted: &BTreeSet<String>, since: Instant) {
        let mut loaded = self
            .loaded
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        loaded.retain(|digest, loading| {
            let loaded = loading.loaded();
            let is_old = loaded.as_ref().is_some_and(|one| one.wanted_at < since);
            wanted.contains(digest) || !is_old
        });
    }

    /// Waits until every process that lives can ask a segmenter.
    ///
    /// # Errors
    /// UNAVAILABLE, naming the one that cannot, and why.
    pub(crate) async fn wait_for_replicas(&self, digest: &str) -> Result<(), Problem> {
        if self.published().contains_key(digest) {
            self.load(digest).await?;
        }
        // The others load what nobody has used yet when they are asked to.
        if self.isolation.replicas == Replicas::Alone || !self.wanted().await?.contains(digest) {
            return Ok(());
        }
        let until = tokio::time::Instant::now() + LONGEST_WAIT;
        loop {
            let replicas = self.catalogue.replicas(SILENT).await?;
            let others = replicas.iter().filter(|one| one.replica != self.replica);
            let lacking: Vec<_> = others
                .filter_map(|one| Some((one, lacks(one, digest)?)))
                .collect();
            let refused = lacking.iter().find(|(_, why)| !why.is_empty());
            let Some((replica, why)) = refused.or_else(|| lacking.first()) else {
                return Ok(());
            };
            if refused.is_some() || tokio::time::Instant::now() >= until {
                let why = if why.is_empty() {
                    "it is loading it"
                } else {
                    why
                };
                let message = format!("replica {} cannot ask this segmenter: {why}", replica.name);
                return Err(Problem::new(ErrorReason::Unavailable, message));
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// Whether this process does something that one of all has to do.
    pub(crate) async fn is_mine(&self, what: &[u8]) -> Result<bool, Problem> {
        if self.isolation.replicas == Replicas::Alone {
            return Ok(true);
        }
        let replicas = self.catalogue.replicas(SILENT).await?;
        let weight = |replica: u128| {
            let key = [&replica.to_be_bytes(), what].concat();
            PayloadHash::of(&key).0
        };
        let heaviest = replicas.iter().max_by_key(|one| weight(one.replica));
        Ok(heaviest.is_none_or(|one| one.replica == self.replica))
    }
}

/// Why a process cannot ask a segmenter, empty where it has not said so yet; `None`: it can.
fn lacks<'r>(replica: &'r ReplicaRow, digest: &str) -> Option<&'r str> {
    match replica.ready.iter().find(|one| one.digest == digest) {
        Some(ready) if ready.problem.is_empty() => None,
        Some(ready) => Some(&ready.problem),
        None => Some(""),
    }
}

/// How people find this process.
fn name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{} (process {})", host.trim(), std::process::id())
}
