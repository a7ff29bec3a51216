use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::*;

const SLICE: Slice = Slice(0);
/// Its feed is short.
const SMALL: TenantId = TenantId(3);

type Told = mpsc::UnboundedReceiver<Vec<Head>>;

/// What becomes of an attempt to catch up.
#[derive(Debug)]
enum Takes {
    Everything,
    /// Nothing beyond this entry is there.
    UpTo(u64),
    /// The first attempt panics.
    NotAtFirst,
    /// Feeds do not end before the small tenant's is taken in. Each tenant is locked meanwhile.
    Long,
}

/// A feed of some tenants, and what was asked of its follower.
#[derive(Debug)]
struct Fake {
    lag: Arc<Lag>,
    stored: Cursors,
    watches: Mutex<VecDeque<Told>>,
    takes: Takes,
    locks: Mutex<HashMap<TenantId, Arc<AsyncMutex<()>>>>,
    small_is_done: AtomicBool,
    n_asked: AtomicUsize,
    caught_up: mpsc::UnboundedSender<(u128, u64)>,
}

impl Fake {
    fn new(
        stored: &[(u128, u64)],
        takes: Takes,
        watches: impl Into<VecDeque<Told>>,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<(u128, u64)>) {
        let (caught_up, asked) = mpsc::unbounded_channel();
        let stored = stored.iter();
        let stored = stored.map(|(tenant, cursor)| ((TenantId(*tenant), SLICE), *cursor));
        let fake = Self {
            lag: Arc::default(),
            stored: stored.collect(),
            watches: Mutex::new(watches.into()),
            takes,
            locks: Mutex::default(),
            small_is_done: AtomicBool::new(false),
            n_asked: AtomicUsize::new(0),
            caught_up,
        };
        (Arc::new(fake), asked)
    }

    async fn take_long(&self, tenant: TenantId, turn: &mut Turn) {
        let lock = Arc::clone(self.locks.lock().unwrap().entry(tenant).or_default());
        let _locked = lock.lock().await;
        self.small_is_done
            .fetch_or(tenant == SMALL, Ordering::Relaxed);
        while !self.small_is_done.load(Ordering::Relaxed) {
            turn.pass().await;
            tokio::task::yield_now().await;
        }
    }
}

impl Follower for Fake {
    fn service(&self) -> &'static str {
        "fake"
    }

    fn lag(&self) -> &Arc<Lag> {
        &self.lag
    }

    fn feed(&self) -> &'static str {
        "fake"
    }

    fn watch(&self) -> BoxFuture<'_, Result<Heads, Status>> {
        let heads = self.watches.lock().unwrap().pop_front();
        let heads = heads.ok_or_else(|| Status::unavailable("watched often enough"));
        async { Ok(UnboundedReceiverStream::new(heads?).map(Ok).boxed()) }.boxed()
    }

    fn stored(&self) -> BoxFuture<'_, Result<Cursors, Status>> {
        async { Ok(self.stored.clone()) }.boxed()
    }

    fn catch_up<'f>(
        &'f self,
        tenant: TenantId,
        _slice: Slice,
        head: u64,
        turn: &'f mut Turn,
    ) -> BoxFuture<'f, Result<u64, Status>> {
        async move {
            let n_before = self.n_asked.fetch_add(1, Ordering::Relaxed);
            self.caught_up.send((tenant.0, head)).unwrap();
            match self.takes {
                Takes::Everything => Ok(head),
                Takes::UpTo(last) => Ok(last.min(head)),
                Takes::NotAtFirst => {
                    assert!(n_before > 0, "the first attempt");
                    Ok(head)
                },
                Takes::Long => {
                    self.take_long(tenant, turn).await;
                    Ok(head)
                },
            }
        }
        .boxed()
    }
}

fn head(tenant: u128, sequence: u64) -> Head {
    Head {
        tenant: TenantId(tenant),
        slice: SLICE,
        sequence,
    }
}

#[tokio::test]
async fn only_feeds_that_are_ahead_of_what_is_stored_are_caught_up() {
    let (told, heads) = mpsc::unbounded_channel();
    let (follower, mut asked) = Fake::new(&[(1, 5), (2, 5)], Takes::Everything, [heads]);
    let stop = CancellationToken::new();
    let script = async {
        told.send(vec![head(1, 5), head(2, 7), head(3, 1)]).unwrap();
        let mut first = [asked.recv().await.unwrap(), asked.recv().await.unwrap()];
        first.sort_unstable();
        assert_eq!(first, [(2, 7), (3, 1)]);
        told.send(vec![head(2, 7), head(1, 6)]).unwrap();
        assert_eq!(asked.recv().await, Some((1, 6)));
        stop.cancel();
    };
    tokio::join!(
        follow(follower, Clock::real(), Meters::none(), stop.clone()),
        script
    );
    assert_eq!(asked.recv().await, None, "nothing else was asked");
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_ends_before_what_was_told_of_it_is_asked_for_ever_more_seldom() {
    let (told, heads) = mpsc::unbounded_channel();
    let (follower, _asked) = Fake::new(&[(1, 5)], Takes::UpTo(5), [heads]);
    told.send(vec![head(1, 7)]).unwrap();
    let stop = CancellationToken::new();
    let script = async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        stop.cancel();
    };
    let following = Arc::clone(&follower);
    tokio::join!(
        follow(following, Clock::real(), Meters::none(), stop.clone()),
        script
    );
    let n_asked = follower.n_asked.load(Ordering::Relaxed);
    assert!((8..30).contains(&n_asked), "{n_asked}");
}

#[tokio::test(start_paused = true)]
async fn a_feed_is_taken_in_after_a_panic_too() {
    let (told, heads) = mpsc::unbounded_channel();
    let (follower, mut asked) = Fake::new(&[], Takes::NotAtFirst, [heads]);
    told.send(vec![head(1, 7)]).unwrap();
    let stop = CancellationToken::new();
    let following = Arc::clone(&follower);
    let script = async {
        assert_eq!(asked.recv().await, Some((1, 7)));
        assert_eq!(asked.recv().await, Some((1, 7)));
        while following.lag.entries() > 0 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    let both = async {
        tokio::join!(
            follow(follower, Clock::real(), Meters::none(), stop.clone()),
            script
        )
    };
    timeout(Duration::from_secs(60), both).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_not_told_again_by_a_new_watch_is_not_asked_for_again() {
    let (first, first_heads) = mpsc::unbounded_channel();
    let (second, second_heads) = mpsc::unbounded_channel();
    let watches = [first_heads, second_heads];
    let (follower, _asked) = Fake::new(&[(1, 5), (2, 5)], Takes::UpTo(5), watches);
    first.send(vec![head(1, 7), head(2, 7)]).unwrap();
    // The service before is restored to what it was when the first tenant's feed was shorter, and the second's not there.
    second.send(vec![head(1, 5)]).unwrap();
    let stop = CancellationToken::new();
    let script = async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(follower.lag.entries(), 4);
        drop(first);
        tokio::time::sleep(Duration::from_secs(10)).await;
        let n_asked = follower.n_asked.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(follower.n_asked.load(Ordering::Relaxed), n_asked);
        assert_eq!(follower.lag.entries(), 0);
        stop.cancel();
    };
    let following = Arc::clone(&follower);
    tokio::join!(
        follow(following, Clock::real(), Meters::none(), stop.clone()),
        script
    );
}

#[tokio::test]
async fn a_small_tenant_has_its_turn_while_every_slice_of_two_large_ones_is_taken_in() {
    let (told, heads) = mpsc::unbounded_channel();
    let (follower, mut asked) = Fake::new(&[], Takes::Long, [heads]);
    let large = [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1)];
    let large = large.map(|(tenant, slice)| Head {
        slice: Slice(slice),
        ..head(tenant, 9)
    });
    told.send(large.to_vec()).unwrap();
    let stop = CancellationToken::new();
    let script = async {
        let mut begun = BTreeSet::new();
        while begun != BTreeSet::from([1, 2]) {
            begun.insert(asked.recv().await.unwrap().0);
        }
        told.send(vec![head(SMALL.0, 1)]).unwrap();
        while follower.lag.entries() > 0 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    let following = follow(
        Arc::clone(&follower) as Arc<dyn Follower>,
        Clock::real(),
        Meters::none(),
        stop.clone(),
    );
    let both = async { tokio::join!(following, script) };
    timeout(Duration::from_secs(10), both).await.unwrap();
    assert!(follower.small_is_done.load(Ordering::Relaxed));
}
