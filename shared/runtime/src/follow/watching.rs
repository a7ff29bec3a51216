//! Hearing of a feed: which feeds have grown, and that nothing is heard.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use tracing::{debug, info, warn};

use sextant_domain::position::Head;

use crate::clock::Clock;
use crate::follow::{Heads, Lag};
use crate::telemetry::{Label, Meters, Metric};

pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(50);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// One service that hears of the feed of another.
#[derive(Debug)]
pub struct Watching {
    /// The service that listens, such as "scoring".
    pub service: &'static str,
    /// Name of the feed, such as "ingestion".
    pub feed: &'static str,
    /// Where it is noted how the feed grows, and that it is not heard. Whoever takes it in notes how far that is.
    pub lag: Arc<Lag>,
    /// The real clock.
    pub clock: Clock,
}

/// How one watch of the heads went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    HeardHeads,
    HeardNothing,
}

impl Watching {
    /// Watches the heads until `stop`, again and again as `begin` starts it, and hands each on to `heard`. Shows how far the
    /// feed is ahead.
    pub async fn watch<'w>(
        &self,
        meters: &Meters,
        stop: &CancellationToken,
        begin: impl Fn() -> BoxFuture<'w, Result<Heads, Status>> + Sync + Send,
        heard: impl Fn(Head) + Sync + Send,
    ) {
        self.report(meters);
        let mut is_lost = false;
        let mut pause = FIRST_PAUSE;
        while !stop.is_cancelled() {
            let watched = self.watch_once(&begin, &heard, &mut is_lost);
            let (ended, why) = tokio::select! {
                ended = watched => ended,
                () = stop.cancelled() => return,
            };
            // What stops with this process ends its feed first.
            if stop.is_cancelled() {
                return;
            }
            self.lost(&mut is_lost, why.as_ref());
            match ended {
                Ended::HeardHeads => pause = FIRST_PAUSE,
                Ended::HeardNothing => pause = (pause * 2).min(LONGEST_PAUSE),
            }
            rest(pause, stop).await;
        }
    }

    /// Watches until the feed is not heard any more, and gives the error of that, if there was one.
    async fn watch_once<'w>(
        &self,
        begin: &(impl Fn() -> BoxFuture<'w, Result<Heads, Status>> + Sync + Send),
        heard: &(impl Fn(Head) + Sync + Send),
        is_lost: &mut bool,
    ) -> (Ended, Option<Status>) {
        self.lag.deaf(self.clock.now());
        let mut ended = Ended::HeardNothing;
        let mut heads = match begin().await {
            Ok(heads) => heads,
            Err(status) => return (ended, Some(status)),
        };
        while let Some(next) = heads.next().await {
            let next = match next {
                Ok(next) => next,
                Err(status) => return (ended, Some(status)),
            };
            if ended == Ended::HeardNothing {
                self.lag.anew(&next);
            }
            ended = Ended::HeardHeads;
            for head in next {
                let now = self.clock.now();
                self.lag.grown(head.tenant, head.slice, head.sequence, now);
                heard(head);
            }
            self.lag.hears();
            self.found(is_lost);
        }
        (ended, None)
    }

    /// Says once, until the feed is heard again, that it is not.
    fn lost(&self, is_lost: &mut bool, why: Option<&Status>) {
        let (service, feed) = (self.service, self.feed);
        let code = why.map_or(Code::Ok, Status::code);
        let message = why.map_or("the service before ended the watch", Status::message);
        if std::mem::replace(is_lost, true) {
            debug!(feed, ?code, message, "feed is not heard yet");
        } else {
            warn!(
                feed,
                ?code,
                message,
                service,
                "feed is not heard; trying again until it is"
            );
        }
    }

    fn found(&self, is_lost: &mut bool) {
        if std::mem::replace(is_lost, false) {
            let (service, feed) = (self.service, self.feed);
            info!(feed, service, "feed is heard again");
        }
    }

    /// Shows how far the feed is ahead.
    fn report(&self, meters: &Meters) {
        let labels = [Label::Service(self.service), Label::Feed(self.feed)];
        let lag = Arc::clone(&self.lag);
        meters.watch(Metric::FeedLag, &labels, move || lag.entries() as f64);
        let (lag, clock) = (Arc::clone(&self.lag), self.clock.clone());
        meters.watch(Metric::Freshness, &labels, move || {
            lag.oldest(clock.now()).as_secs_f64()
        });
    }
}

/// Waits, but not beyond `stop`.
pub(super) async fn rest(pause: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(pause) => {},
        () = stop.cancelled() => {},
    }
}

#[cfg(test)]
mod tests;
