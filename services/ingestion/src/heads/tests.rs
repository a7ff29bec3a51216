use std::sync::Mutex;
use std::time::Duration;

use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;

use sextant_store::port::FeedEntry;
use sextant_store::{BoxFuture, Error, Result};

use super::*;

const ACME: TenantId = TenantId(1);

/// A feed whose heads a test sets; `None`: it does not answer.
#[derive(Debug, Default)]
struct Elsewhere(Mutex<Option<Vec<(TenantId, u64)>>>);

impl Feed for Elsewhere {
    fn heads(&self) -> BoxFuture<'_, Result<Vec<Head>>> {
        let heads = self.0.lock().unwrap().clone();
        Box::pin(async move {
            let heads = heads.ok_or_else(|| Error::unavailable("reading heads", "down"))?;
            let head = |(tenant, sequence)| Head {
                tenant,
                slice: Slice(0),
                sequence,
            };
            Ok(heads.into_iter().map(head).collect())
        })
    }

    fn heads_of(&self, tenant: TenantId) -> BoxFuture<'_, Result<sextant_store::port::SliceHeads>> {
        Box::pin(async move {
            let heads = self.heads().await?.into_iter();
            let own = heads.filter(|head| head.tenant == tenant);
            Ok(own.map(|head| (head.slice, head.sequence)).collect())
        })
    }

    fn entries(
        &self,
        _: TenantId,
        _: Slice,
        _: u64,
        _: usize,
    ) -> BoxFuture<'_, Result<Vec<FeedEntry>>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
}

fn head(tenant: TenantId, sequence: u64) -> Head {
    Head {
        tenant,
        slice: Slice(0),
        sequence,
    }
}

#[tokio::test(start_paused = true)]
async fn commits_of_other_replicas_are_found_by_the_sweep_even_after_the_store_was_silent() {
    let feed = Arc::new(Elsewhere::default());
    let heads = Arc::new(Heads::new(Arc::clone(&feed) as Arc<dyn Feed>));
    let mut watcher = heads.watch();
    assert_eq!(watcher.next().await, Some(Vec::new()));
    heads.note(ACME, &[(Slice(0), 1)]);
    assert_eq!(watcher.next().await, Some(vec![head(ACME, 1)]));

    let stop = CancellationToken::new();
    let sweep = heads::sweep(|| heads.refresh(), stop.clone());
    let test = async {
        tokio::time::sleep(Duration::from_secs(6)).await;
        *feed.0.lock().unwrap() = Some(vec![(ACME, 1), (TenantId(2), 4)]);
        assert_eq!(watcher.next().await, Some(vec![head(TenantId(2), 4)]));
        stop.cancel();
    };
    tokio::join!(sweep, test);
}

#[tokio::test(start_paused = true)]
async fn a_position_of_another_replica_is_looked_up_and_one_of_nowhere_is_refused() {
    let feed = Arc::new(Elsewhere(Mutex::new(Some(vec![(ACME, 3)]))));
    let heads = Heads::new(feed);
    let floor = |sequence| Position::new(vec![(Slice(0), sequence)]);
    assert_eq!(heads.cover(ACME, &floor(3)).await.unwrap(), floor(3));
    assert_eq!(
        heads
            .cover(ACME, &floor(4))
            .await
            .unwrap_err()
            .reason_name(),
        "POSITION_NOT_REACHED"
    );
}
