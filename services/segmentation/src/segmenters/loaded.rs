//! Published segmenters that are loaded in this process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Mutex as AsyncMutex;

use sextant_domain::time::Instant;
use sextant_plugin_host::{External, WrittenLine};
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::segmentation::v1 as pb;
use sextant_wire::status::Problem;

use super::{Segmenters, usable};

/// Between two attempts to start what could not be started, or to reach a server that is away, in microseconds.
const AWAY_US: i64 = 10_000_000;

/// A published segmenter that is loaded here, or is to be.
#[derive(Debug, Default)]
pub(super) struct Loading {
    /// Held by the one who starts it.
    turn: AsyncMutex<()>,
    /// It can be asked here, or why it cannot.
    loaded: Mutex<Option<Loaded>>,
}

impl Loading {
    pub(super) fn loaded(&self) -> MutexGuard<'_, Option<Loaded>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What became of it when it was started, unless it is to be started again.
    fn known(&self, now: Instant) -> Option<Result<External, Problem>> {
        let mut loaded = self.loaded();
        let loaded = loaded.as_mut()?;
        loaded.wanted_at = now;
        match &loaded.segmenter {
            // Only what the bytes themselves are to blame for does not pass. Not everybody waits for what does.
            Err(problem) if problem.reason != ErrorReason::SegmenterRejected => {
                (now < loaded.since.plus_us(AWAY_US)).then(|| Err(problem.clone()))
            },
            known => Some(known.clone()),
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Loaded {
    segmenter: Result<External, Problem>,
    /// When something was last decided by it.
    pub(super) wanted_at: Instant,
    /// When it was started, or could not be.
    since: Instant,
}

impl Segmenters {
    /// Whether a version is asked on, for it runs, and which are trusted cannot be read.
    pub(super) fn goes_on(&self, told: &pb::Segmenter) -> bool {
        self.roots().is_err() && self.runs(&told.digest)
    }

    /// A published segmenter, loaded.
    ///
    /// # Errors
    /// It cannot be asked by anybody: UNAVAILABLE where that may pass by itself.
    pub(crate) async fn load(&self, digest: &str) -> Result<External, Problem> {
        let told = self.heard_of(digest).await?;
        if self.goes_on(&told) {
            usable(&told)?;
        } else {
            self.usable_here(&told)?;
        }
        let loading = self.loading(digest);
        let _turn = loading.turn.lock().await;
        let now = self.clock.now();
        if let Some(known) = loading.known(now) {
            return known;
        }
        let segmenter = self.start(&told).await;
        *loading.loaded() = Some(Loaded {
            segmenter: segmenter.clone(),
            wanted_at: now,
            since: self.clock.now(),
        });
        segmenter
    }

    fn loading(&self, digest: &str) -> Arc<Loading> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(loaded.entry(digest.to_owned()).or_default())
    }

    /// Those that can be asked here.
    pub(super) fn running(&self) -> Vec<(String, External)> {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let running = loaded.iter().filter_map(|(digest, loading)| {
            let loaded = loading.loaded();
            let segmenter = loaded.as_ref()?.segmenter.as_ref().ok()?;
            Some((digest.clone(), segmenter.clone()))
        });
        running.collect()
    }

    /// Whether one is loaded here.
    pub(super) fn runs(&self, digest: &str) -> bool {
        self.running().iter().any(|(of, _)| of == digest)
    }

    /// The last lines that a segmenter has written here, newest first.
    pub(crate) fn lines(&self, digest: &str) -> Vec<WrittenLine> {
        let running = self.running().into_iter();
        let found = running.filter(|(of, _)| of == digest);
        found.flat_map(|(_, segmenter)| segmenter.lines()).collect()
    }
}
