use std::time::Duration;

use tokio::task::JoinSet;
use tokio_postgres::Client;
use uuid::Uuid;

use sextant_backends::postgres::Segmentation;
use sextant_backends::testing::{Database, migrated_database};
use sextant_domain::id::PayloadHash;
use sextant_store::port::{
    Catalogue, EventRow, Once, Request, RevisionRow, SegmentationRow, Segmentations, SegmenterRow,
    SegmenterState, StateChange,
};
use sextant_store::{Error, Result};

use crate::support::{NOON, connect, connect_as_app, tenant, waiting, within};

const LIMIT: Duration = Duration::from_secs(20);
const HOLD: &str = include_str!("../../queries/postgres/segmentation/segmenter_hold.sql");

fn event() -> EventRow {
    EventRow {
        number: 0,
        at: NOON,
        tenant: None,
        segmenter_id: "acme.health".to_owned(),
        segmentation: String::new(),
        revision: 0,
        event: Vec::new(),
    }
}

fn once<T>(request: Request) -> Once<T> {
    Once::new(request, |_| b"done".to_vec())
}

fn request(method: &'static str) -> Request {
    Request {
        owner: None,
        method,
        id: Uuid::new_v4().as_u128(),
        parameters: PayloadHash(0),
        at: NOON,
    }
}

/// A version that can be used, and a connection beside the store's own.
async fn published(tasks: &mut JoinSet<()>) -> (Database, Segmentation, Client, Client) {
    let database = migrated_database().await;
    let store = Segmentation::connect(&database.config()).await.unwrap();
    let row = SegmenterRow {
        digest: "aa".to_owned(),
        segmenter_id: "acme.health".to_owned(),
        version: "1.0.0".to_owned(),
        platform: "linux_amd64".to_owned(),
        state: SegmenterState::Ready,
        published_at: NOON,
        segmenter: Vec::new(),
    };
    store.publish(row, Vec::new(), event()).await.unwrap();
    let other = connect_as_app(database.url(), "sextant_segmentation", tasks).await;
    let watcher = connect(database.url(), tasks).await;
    (database, store, other, watcher)
}

async fn retire(store: &Segmentation) -> Result<Option<Vec<u8>>> {
    let change = StateChange {
        digest: "aa".to_owned(),
        from: vec![SegmenterState::Ready],
        to: SegmenterState::Retired,
        segmenter: Vec::new(),
        only_unused: true,
    };
    let once = once(request("RetireSegmenter"));
    store.change(change, event(), once).await
}

async fn create(store: &Segmentation) -> Result<Vec<u8>> {
    let row = SegmentationRow {
        key: "health".to_owned(),
        number: 1,
        segmenter_id: "acme.health".to_owned(),
        config: "{}".to_owned(),
        version: 1,
        plugin_digest: "aa".to_owned(),
        fit: Vec::new(),
        revision: 1,
        created_at: NOON,
        closed_on: None,
    };
    let tenant = tenant();
    let request = Request {
        owner: Some(tenant),
        ..request("CreateSegmentation")
    };
    let first = RevisionRow::first(&row, "1.0.0", "a key");
    store.create(tenant, &row, &first, once(request)).await
}

/// Runs a call that meets an open transaction, which is committed once the call waits for it.
async fn behind<T>(other: &Client, watcher: &Client, call: impl Future<Output = T>) -> T {
    let ending = async {
        waiting(watcher, 1).await;
        other.batch_execute("COMMIT").await.unwrap();
    };
    let (answer, ()) = within(LIMIT, async { tokio::join!(call, ending) }).await;
    answer
}

#[tokio::test]
async fn a_retirement_waits_for_a_use_that_is_being_stored_and_sees_it() {
    let mut tasks = JoinSet::new();
    let (_database, store, other, watcher) = published(&mut tasks).await;
    other.batch_execute("BEGIN").await.unwrap();
    other.query(HOLD, &[&"aa"]).await.unwrap();
    let used =
        "INSERT INTO segmenter_use VALUES ('00000000-0000-7000-8000-000000000001', 1, 1, 2, 'aa')";
    other.batch_execute(used).await.unwrap();
    let retired = behind(&other, &watcher, retire(&store)).await;
    assert_eq!(retired.unwrap(), None);
}

#[tokio::test]
async fn a_use_waits_for_a_retirement_that_is_being_stored_and_is_refused() {
    let mut tasks = JoinSet::new();
    let (_database, store, other, watcher) = published(&mut tasks).await;
    let retired = "BEGIN; UPDATE segmenter SET state = 4 WHERE digest = 'aa'";
    other.batch_execute(retired).await.unwrap();
    let created = behind(&other, &watcher, create(&store)).await;
    assert!(
        matches!(created, Err(Error::NotReady { .. })),
        "{created:?}"
    );
}
