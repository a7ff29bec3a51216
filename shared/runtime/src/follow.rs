//! Following the feed of another service: one mechanism for every service that comes after another.
//!
//! A follower is told by a stream which feeds have grown, and catches each of them up. Nothing is polled per tenant: a
//! tenant whose feeds do not grow costs nothing, and one whose feeds are level at a start costs one comparison.

mod freshness;
mod lag;
mod turns;
mod watching;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::Mutex as AsyncMutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Code, Request, Status, Streaming};
use tracing::{Span, debug, warn};

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::position::Head;
use sextant_proto::common::v1::{ErrorReason, FeedHead};
use sextant_wire::read::uuid;
use sextant_wire::status::Problem;

use crate::clock::Clock;
use crate::follow::watching::{FIRST_PAUSE, LONGEST_PAUSE, rest};
use crate::telemetry::Meters;
use crate::telemetry::trace::{self, Trace};

pub use crate::follow::freshness::freshness;
pub use crate::follow::lag::{Lag, TenantLag};
pub use crate::follow::turns::{Turn, Turns};
pub use crate::follow::watching::Watching;

/// A head as another service tells of it: FIELD_INVALID for a tenant id that is none, INTERNAL for a slice out of range.
fn head(told: &FeedHead) -> Result<Head, Problem> {
    let slice = u16::try_from(told.slice)
        .map_err(|_too_large| Problem::new(ErrorReason::Internal, "slice is out of range"))?;
    Ok(Head {
        tenant: TenantId(uuid(&told.tenant_id, "tenant_id")?),
        slice: Slice(slice),
        sequence: told.sequence,
    })
}

/// Heads as a service tells others of them.
#[must_use]
pub fn telling(heads: Vec<Head>) -> Vec<FeedHead> {
    let told = heads.into_iter().map(|head| FeedHead {
        tenant_id: head.tenant.0.to_be_bytes().to_vec().into(),
        slice: head.slice.0.into(),
        sequence: head.sequence,
    });
    told.collect()
}

/// Newest entries whose results are stored, by feed.
pub type Cursors = BTreeMap<(TenantId, Slice), u64>;

/// A stream of feeds that have grown. It begins with the heads of all feeds.
pub type Heads = BoxStream<'static, Result<Vec<Head>, Status>>;

/// Heads as another service tells of them; `heads` takes them out of an answer.
pub fn told<A: Send + 'static>(answers: Streaming<A>, heads: fn(A) -> Vec<FeedHead>) -> Heads {
    let told = answers.map(move |answer| {
        let told: Result<_, Problem> = heads(answer?).iter().map(head).collect();
        Ok(told?)
    });
    told.boxed()
}

/// A service that follows a feed.
pub trait Follower: Send + Sync + fmt::Debug + 'static {
    /// The service that follows, such as "scoring".
    fn service(&self) -> &'static str;

    /// Name of the feed for the log and for telemetry, such as "ingestion".
    fn feed(&self) -> &'static str;

    /// Where it is noted how far the feed is ahead. Following notes how it grows and what each catching up has reached; a
    /// follower notes what is taken in on the way there.
    fn lag(&self) -> &Arc<Lag>;

    /// Starts watching the heads of the feed.
    fn watch(&self) -> BoxFuture<'_, Result<Heads, Status>>;

    /// The service's own cursors of all feeds, read at once, without those of tenants that it holds in memory: these are looked
    /// at one by one. Notes that so much can be read. Called whenever the heads are watched anew.
    fn stored(&self) -> BoxFuture<'_, Result<Cursors, Status>>;

    /// Takes in everything behind the service's own cursor of one feed, at least up to `head`, and stores cursor and results
    /// together. Calls for one tenant never overlap, so its state may stay locked while the turn is passed on: after each
    /// answer of the feed, at least. Returns the new cursor.
    fn catch_up<'f>(
        &'f self,
        tenant: TenantId,
        slice: Slice,
        head: u64,
        turn: &'f mut Turn,
    ) -> BoxFuture<'f, Result<u64, Status>>;
}

/// Longest wait for an answer of the service before: it may have to read a large tenant back from its store first.
const PATIENCE: Duration = Duration::from_secs(300);

/// A request to the service before, with a deadline that leaves it time to load a large tenant.
pub fn patient<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(PATIENCE);
    request
}

/// A span for taking entries in. It continues the trace of the newest entry that has one and is linked to those of the others.
/// None where no entry has one: what is not traced costs nothing.
pub fn span<'t>(follower: &dyn Follower, traces: impl Iterator<Item = &'t [u8]>) -> Span {
    let mut traces: Vec<Trace> = traces.filter_map(|trace| trace.try_into().ok()).collect();
    traces.dedup();
    let Some(newest) = traces.pop() else {
        return Span::none();
    };
    let (service, feed) = (follower.service(), follower.feed());
    let span = tracing::info_span!(
        "follow",
        otel.name = format!("{service} follows {feed}"),
        otel.kind = "consumer",
        sextant.service = service,
        sextant.feed = feed,
    );
    trace::adopt(&span, &newest, &traces);
    span
}

/// True where another process has stored results first: read what is stored, and go on from there.
#[must_use]
pub fn is_overtaken(status: &Status) -> bool {
    status.code() == Code::Aborted
}

/// Answers that are taken in at the same time.
const MAX_CONCURRENT: usize = 2;

/// Follows until `stop`.
pub async fn follow(
    follower: Arc<dyn Follower>,
    clock: Clock,
    meters: Meters,
    stop: CancellationToken,
) {
    let watching = Watching {
        service: follower.service(),
        feed: follower.feed(),
        lag: Arc::clone(follower.lag()),
        clock: clock.clone(),
    };
    let work = Arc::new(Work {
        follower,
        clock,
        feeds: Mutex::default(),
        turns: Turns::new(MAX_CONCURRENT),
        stop,
    });
    let tasks = TaskTracker::new();
    let begin = || work.begin().boxed();
    let heard = |head| work.heard(head, &tasks);
    watching.watch(&meters, &work.stop, begin, heard).await;
    tasks.close();
    tasks.wait().await;
}

struct Work {
    follower: Arc<dyn Follower>,
    clock: Clock,
    feeds: Mutex<Feeds>,
    turns: Turns,
    stop: CancellationToken,
}

/// What is known of the feeds: the newest number heard of each, how far each is stored, and which are being caught up.
#[derive(Default)]
struct Feeds {
    heads: BTreeMap<(TenantId, Slice), u64>,
    cursors: Cursors,
    busy: BTreeSet<(TenantId, Slice)>,
    /// Held by whoever catches up a feed of the tenant. Two at once would wait for each other's locks, each with a turn.
    tenants: BTreeMap<TenantId, Arc<AsyncMutex<()>>>,
}

impl Feeds {
    /// The newest number of a feed, if it is ahead of what is stored.
    fn next_head(&self, key: (TenantId, Slice)) -> Option<u64> {
        let head = self.heads.get(&key).copied()?;
        (head > self.cursors.get(&key).copied().unwrap_or(0)).then_some(head)
    }
}

impl Work {
    /// Watches the heads, with the cursors known that they are compared with.
    async fn begin(&self) -> Result<Heads, Status> {
        let heads = self.follower.watch().await?;
        let stored = self.follower.stored().await?;
        for ((tenant, slice), cursor) in &stored {
            self.follower.lag().taken_in(*tenant, *slice, *cursor);
        }
        let mut feeds = self.feeds();
        feeds.cursors = stored;
        // The service before tells of all its feeds anew: it may have been restored to less than it told before.
        feeds.heads.clear();
        Ok(heads)
    }

    fn feeds(&self) -> MutexGuard<'_, Feeds> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts to catch a feed up unless it is level or that is under way.
    fn heard(self: &Arc<Self>, head: Head, tasks: &TaskTracker) {
        let key = (head.tenant, head.slice);
        {
            let mut feeds = self.feeds();
            feeds.heads.insert(key, head.sequence);
            if feeds.next_head(key).is_none() || !feeds.busy.insert(key) {
                return;
            }
        }
        let work = Arc::clone(self);
        tasks.spawn(async move { work.catch_up(key).await });
    }

    /// Catches one feed up until it is at the newest head heard of.
    async fn catch_up(&self, key: (TenantId, Slice)) {
        let mut pause = FIRST_PAUSE;
        while let Some(head) = self.next_head(key) {
            let caught_up = tokio::select! {
                caught_up = self.catch_up_to(key, head) => caught_up,
                // What is not stored when the process stops is read again by the next one.
                () = self.stop.cancelled() => return,
            };
            let lag = self.follower.lag();
            lag.ended((key.0, Some(key.1)), &caught_up, self.clock.now());
            match caught_up {
                Ok(reached) => {
                    lag.taken_in(key.0, key.1, reached);
                    let before = self.feeds().cursors.insert(key, reached);
                    if before != Some(reached) {
                        pause = FIRST_PAUSE;
                        continue;
                    }
                },
                Err(status) if is_overtaken(&status) => {
                    debug!(
                        feed = self.follower.feed(),
                        "another process was faster; reading what it has stored"
                    );
                    continue;
                },
                Err(status) => {
                    warn!(feed = self.follower.feed(), code = ?status.code(), message = status.message(), "feed is not caught up; trying again");
                },
            }
            rest(pause, &self.stop).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One attempt, when it is the feed's turn.
    async fn catch_up_to(&self, key: (TenantId, Slice), head: u64) -> Result<u64, Status> {
        let tenant = Arc::clone(self.feeds().tenants.entry(key.0).or_default());
        let _alone = tenant.lock().await;
        let mut turn = self.turns.next().await;
        let caught_up = self.follower.catch_up(key.0, key.1, head, &mut turn);
        // What it had in memory went with the panic.
        let caught_up = AssertUnwindSafe(caught_up).catch_unwind().await;
        caught_up.unwrap_or_else(|_panic| {
            let message = "taking a feed in broke off; the log says where";
            Err(Problem::new(ErrorReason::Internal, message).into())
        })
    }

    /// The head to catch up to; `None` ends the work on this feed.
    fn next_head(&self, key: (TenantId, Slice)) -> Option<u64> {
        let mut feeds = self.feeds();
        let head = feeds.next_head(key).filter(|_| !self.stop.is_cancelled());
        if head.is_none() {
            feeds.busy.remove(&key);
        }
        head
    }
}

#[cfg(test)]
mod tests;
