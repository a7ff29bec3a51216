use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::*;

const SLICE: Slice = Slice(0);

/// A feed of three tenants, and what was asked of its follower.
#[derive(Debug)]
struct Fake {
    lag: Arc<Lag>,
    stored: Cursors,
    heads: Mutex<Option<mpsc::UnboundedReceiver<Vec<Head>>>>,
    caught_up: mpsc::UnboundedSender<(u128, u64)>,
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
        let heads = self.heads.lock().unwrap().take();
        let heads = heads.ok_or_else(|| Status::unavailable("watched once"));
        async { Ok(UnboundedReceiverStream::new(heads?).map(Ok).boxed()) }.boxed()
    }

    fn stored(&self) -> BoxFuture<'_, Result<Cursors, Status>> {
        async { Ok(self.stored.clone()) }.boxed()
    }

    fn catch_up(
        &self,
        tenant: TenantId,
        _slice: Slice,
        head: u64,
    ) -> BoxFuture<'_, Result<u64, Status>> {
        async move {
            self.caught_up.send((tenant.0, head)).unwrap();
            Ok(head)
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
    let (caught_up, mut asked) = mpsc::unbounded_channel();
    let stored = [(1, 5), (2, 5)].map(|(tenant, cursor)| ((TenantId(tenant), SLICE), cursor));
    let follower = Arc::new(Fake {
        lag: Arc::default(),
        stored: Cursors::from(stored),
        heads: Mutex::new(Some(heads)),
        caught_up,
    });
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
