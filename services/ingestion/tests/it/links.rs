//! The same generated clients over both links: what holds in-process holds over a socket. Each test fails without the
//! mechanism that it names: without the deadline layer a waiting call never ends, without cancellation its work never stops.

use std::time::Duration;

use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request};

use sextant_proto::ingestion::v1 as pb;

use crate::records::{account, event, events};
use crate::stream::{Gated, Open};
use crate::world::{BOTH, World, within};

fn one_batch() -> pb::IngestBatchRequest {
    pb::IngestBatchRequest {
        records: vec![account("a", "acme")],
        ..Default::default()
    }
}

#[tokio::test]
async fn a_unary_call_ends_at_its_deadline_and_its_work_with_it() {
    for kind in BOTH {
        let (world, _gate, mut commits) = Gated::world().await;
        let tenant = world.tenant("acme").await;
        let clients = world.over(kind, &tenant.key).await;
        let mut request = Request::new(one_batch());
        request.set_timeout(Duration::from_millis(300));
        let status = within(clients.ingestion().ingest_batch(request))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{kind:?}: {status}");
        assert_eq!(within(commits.recv()).await, Some(Some(1)));
        assert_eq!(
            within(commits.recv()).await,
            Some(None),
            "{kind:?}: the commit outlives the deadline"
        );
    }
}

#[tokio::test]
async fn a_stream_ends_at_its_deadline_and_its_work_with_it() {
    for kind in BOTH {
        let (world, gate, mut commits) = Gated::world().await;
        gate.add_permits(1);
        let tenant = world.tenant("acme").await;
        let clients = world.over(kind, &tenant.key).await;
        let (requests, sent) = tokio::sync::mpsc::channel(4);
        let mut request = Request::new(ReceiverStream::new(sent));
        request.set_timeout(Duration::from_millis(500));
        let stream = Open::begin(&clients, requests, request).await;
        for (sequence, id) in [(1, "1"), (2, "2")] {
            stream.send(sequence, vec![account(id, "acme")]).await;
            // The second commit waits for ever.
            assert_eq!(within(commits.recv()).await, Some(Some(1)));
        }
        let status = stream.failure().await;
        assert_eq!(status.code(), Code::DeadlineExceeded, "{kind:?}: {status}");
        assert_eq!(
            within(commits.recv()).await,
            Some(None),
            "{kind:?}: the commit outlives the deadline"
        );
    }
}

#[tokio::test]
async fn a_cancelled_unary_call_stops_its_work() {
    for kind in BOTH {
        let (world, _gate, mut commits) = Gated::world().await;
        let tenant = world.tenant("acme").await;
        let clients = world.over(kind, &tenant.key).await;
        let mut client = clients.ingestion();
        {
            let call = client.ingest_batch(one_batch());
            tokio::pin!(call);
            tokio::select! {
                answer = &mut call => panic!("{kind:?}: answered {answer:?}"),
                seen = within(commits.recv()) => assert_eq!(seen, Some(Some(1))),
            }
        }
        assert_eq!(
            within(commits.recv()).await,
            Some(None),
            "{kind:?}: the commit of a cancelled call goes on"
        );
    }
}

#[tokio::test]
async fn many_calls_and_streams_share_one_link() {
    for kind in BOTH {
        let world = World::new().await;
        let tenant = world.tenant("acme").await;
        let clients = world.over(kind, &tenant.key).await;
        tenant.send(vec![account("a", "acme")]).await;
        let mut stream = Open::new(&clients).await;
        let calls = (0..20).map(|number| {
            let mut client = clients.ingestion();
            let records = vec![event(&format!("unary {number}"), "acme")];
            tokio::spawn(async move {
                client
                    .ingest_batch(pb::IngestBatchRequest {
                        records,
                        ..Default::default()
                    })
                    .await
            })
        });
        let calls: Vec<_> = calls.collect();
        for sequence in 1..=20 {
            stream
                .send(sequence, events(&format!("{sequence}-"), "acme", 10))
                .await;
        }
        for call in calls {
            assert!(within(call).await.unwrap().is_ok());
        }
        while stream.next().await.acknowledged_sequence < 20 {}
        assert_eq!(tenant.counts("web").await, [221, 0, 0, 0, 0], "{kind:?}");
    }
}

#[tokio::test]
async fn an_error_has_the_same_code_reason_and_field_over_both_links() {
    let mut seen = Vec::new();
    for kind in BOTH {
        let world = World::new().await;
        let tenant = world.tenant("acme").await;
        let clients = world.over(kind, &tenant.key).await;
        let request = pb::ListHeldRequest {
            page_size: -1,
            page_token: String::new(),
        };
        let status = clients.ingestion().list_held(request).await.unwrap_err();
        seen.push((
            status.code(),
            status.message().to_owned(),
            status.details().to_vec(),
        ));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0].0, Code::InvalidArgument);
}
