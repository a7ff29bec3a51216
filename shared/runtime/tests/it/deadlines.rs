use std::time::Duration;

use tokio::sync::mpsc;
use tonic::{Code, Request, Status};

use sextant_runtime::server::Limits;

use crate::probe::{Probe, ask, call, talk, watch};
use crate::world::{BOTH, LIMITS, World, linked, linked_with, within};

const SHORT: Duration = Duration::from_millis(40);

fn with_deadline(command: &str, deadline: Duration) -> Request<String> {
    let mut request = Request::new(command.to_owned());
    request.set_timeout(deadline);
    request
}

#[tokio::test]
async fn a_call_past_its_deadline_is_deadline_exceeded_and_its_handler_is_dropped() {
    for kind in BOTH {
        let (_world, link, _probe, mut seen) = linked(kind).await;
        let status = within(call(&link, with_deadline("stuck", SHORT)))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{kind:?}: {status}");
        assert_eq!(within(seen.recv()).await, Some("entered"), "{kind:?}");
        assert_eq!(within(seen.recv()).await, Some("dropped"), "{kind:?}");
    }
}

#[tokio::test]
async fn a_call_without_a_deadline_gets_the_default_one() {
    for kind in BOTH {
        let (_world, link, _probe, _seen) = linked_with(
            kind,
            Limits {
                default_deadline: SHORT,
                ..LIMITS
            },
        )
        .await;
        let status = within(ask(&link, "stuck")).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{kind:?}: {status}");
    }
}

#[tokio::test]
async fn the_default_deadline_leaves_streams_alone_and_their_own_deadline_ends_them() {
    for kind in BOTH {
        let (_world, link, _probe, mut seen) = linked_with(
            kind,
            Limits {
                default_deadline: SHORT,
                ..LIMITS
            },
        )
        .await;
        let mut long = within(watch(&link, Request::new("one".to_owned())))
            .await
            .unwrap();
        assert_eq!(
            within(long.message()).await.unwrap().as_deref(),
            Some("first")
        );
        let open = tokio::time::timeout(SHORT * 3, long.message()).await;
        assert!(
            open.is_err(),
            "{kind:?}: a stream without a deadline ended: {open:?}"
        );
        drop(long);
        assert_eq!(within(seen.recv()).await, Some("dropped"), "{kind:?}");

        let mut short = within(watch(&link, with_deadline("one", SHORT)))
            .await
            .unwrap();
        assert_eq!(
            within(short.message()).await.unwrap().as_deref(),
            Some("first")
        );
        let status = within(short.message()).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{kind:?}: {status}");
        assert_eq!(within(seen.recv()).await, Some("dropped"), "{kind:?}");
    }
}

#[tokio::test]
async fn a_stream_that_always_has_something_to_say_still_ends_at_its_deadline() {
    for kind in BOTH {
        let (_world, link, _probe, _seen) = linked(kind).await;
        let flooded = async {
            let mut flood = watch(&link, with_deadline("flood", SHORT)).await?;
            while flood.message().await?.is_some() {}
            Ok::<(), Status>(())
        };
        let status = within(flooded).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{kind:?}: {status}");
    }
}

#[tokio::test]
async fn what_is_left_of_a_deadline_is_forwarded_less_a_margin() {
    for kind in BOTH {
        // The first probe relays to a second one, over the kind of link under test.
        let far = World::new(LIMITS);
        let (last, _seen) = Probe::new();
        let next = far.link(last, kind, &far.options()).await;
        let near = World::new(LIMITS);
        let (mut first, _seen) = Probe::new();
        first.next = Some(next);
        let link = near.link(first, kind, &near.options()).await;

        let left = within(call(
            &link,
            with_deadline("relay:remaining", Duration::from_secs(20)),
        ))
        .await
        .unwrap()
        .into_inner();
        let left: u64 = left.parse().unwrap();
        assert!((1..=19_990).contains(&left), "{kind:?}: {left} ms");
        assert_eq!(
            within(ask(&link, "relay:remaining")).await.unwrap(),
            "none",
            "{kind:?}: a default deadline is not forwarded"
        );

        let status = within(call(&link, with_deadline("relay:stuck", SHORT)))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{kind:?}: {status}");
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_cancels_its_call() {
    for kind in BOTH {
        let (_world, link, _probe, mut seen) = linked(kind).await;
        let mut running = Box::pin(ask(&link, "stuck"));
        tokio::select! {
            answer = &mut running => panic!("{kind:?}: answered {answer:?}"),
            event = within(seen.recv()) => assert_eq!(event, Some("entered"), "{kind:?}"),
        }
        drop(running);
        assert_eq!(within(seen.recv()).await, Some("dropped"), "{kind:?}");
    }
}

#[tokio::test]
async fn both_directions_of_a_stream_flow_at_the_same_time() {
    for kind in BOTH {
        let (_world, link, _probe, _seen) = linked(kind).await;
        let (say, words) = mpsc::channel(1);
        let mut echo = within(talk(&link, words)).await.unwrap();
        for word in ["one", "two", "three"] {
            say.send(word.to_owned()).await.unwrap();
            assert_eq!(
                within(echo.message()).await.unwrap().as_deref(),
                Some(word),
                "{kind:?}"
            );
        }
        drop(say);
        assert_eq!(within(echo.message()).await.unwrap(), None, "{kind:?}");
    }
}
