//! Following a feed, as it is measured and traced.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use tokio::sync::Semaphore;
use tonic::Status;

use sextant_domain::id::{Slice, TenantId};
use sextant_domain::position::Head;
use sextant_domain::time::Instant;
use sextant_runtime::clock::Clock;
use sextant_runtime::config::{LogFormat, Telemetry as Config};
use sextant_runtime::follow::{Cursors, Follower, Heads, Lag, Turn, follow, span};
use sextant_runtime::lifecycle::Lifecycle;
use sextant_runtime::telemetry::trace::{self, Trace};
use sextant_runtime::telemetry::{Scrape, Telemetry};

use crate::traces::collector;
use crate::world::{subscribe_everywhere, within};

const ACME: TenantId = TenantId(1);
const START: Instant = Instant(1_700_000_000_000_000);

/// Follows a feed of five entries, of which two were taken in before; takes nothing in until it may.
#[derive(Debug)]
struct Held {
    lag: Arc<Lag>,
    may: Semaphore,
}

impl Held {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            lag: Arc::default(),
            may: Semaphore::new(0),
        })
    }
}

impl Follower for Held {
    fn service(&self) -> &'static str {
        "scoring"
    }

    fn feed(&self) -> &'static str {
        "ingestion"
    }

    fn lag(&self) -> &Arc<Lag> {
        &self.lag
    }

    fn stored(&self) -> BoxFuture<'_, Result<Cursors, Status>> {
        async { Ok(Cursors::from([((ACME, Slice(0)), 2)])) }.boxed()
    }

    fn watch(&self) -> BoxFuture<'_, Result<Heads, Status>> {
        let head = Head {
            tenant: ACME,
            slice: Slice(0),
            sequence: 5,
        };
        let heads = stream::iter([Ok(vec![head])]).chain(stream::pending());
        async { Ok(heads.boxed()) }.boxed()
    }

    fn catch_up<'f>(
        &'f self,
        _tenant: TenantId,
        _slice: Slice,
        head: u64,
        _turn: &'f mut Turn,
    ) -> BoxFuture<'f, Result<u64, Status>> {
        async move {
            self.may.acquire().await.unwrap().forget();
            Ok(head)
        }
        .boxed()
    }
}

fn telemetry(otlp_endpoint: Option<String>) -> Telemetry {
    let config = Config {
        log_filter: "off".to_owned(),
        log_format: LogFormat::Text,
        otlp_endpoint,
        trace_sample_ratio: 0.0,
    };
    Telemetry::new(&config, "test").unwrap()
}

/// Waits until scrapes show that the feed is so far ahead and its oldest fact so old.
async fn shown(scrape: &Scrape, entries: u64, seconds: u64) {
    let labels = "sextant_feed=\"ingestion\",sextant_service=\"scoring\"";
    let wanted = [
        format!("sextant_feed_lag{{{labels}}} {entries}\n"),
        format!("sextant_freshness_seconds{{{labels}}} {seconds}\n"),
    ];
    within(async {
        loop {
            let text = scrape.text().unwrap();
            if wanted.iter().all(|line| text.contains(line)) {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_follower_that_is_held_up_is_seen_and_seen_to_catch_up() {
    let telemetry = telemetry(None);
    let (clock, hand) = Clock::manual(START);
    let (follower, lifecycle) = (Held::new(), Lifecycle::new());
    let (following, meters) = (Arc::clone(&follower), telemetry.meters().clone());
    lifecycle.spawn("follow", |stop| follow(following, clock, meters, stop));
    shown(telemetry.scrape(), 3, 0).await;
    hand.set(START.plus_us(7_000_000));
    shown(telemetry.scrape(), 3, 7).await;
    follower.may.add_permits(1);
    shown(telemetry.scrape(), 0, 0).await;
    lifecycle.shut_down();
}

fn trace_of(trace_id: u8, span_id: u8) -> Trace {
    let mut trace = [trace_id; 24];
    trace[16..].fill(span_id);
    trace
}

#[test]
fn what_is_taken_in_together_continues_the_newest_trace_and_is_linked_to_the_others() {
    let (runtime, address, spans) = collector();
    let telemetry = {
        let _on_the_collectors_executor = runtime.enter();
        telemetry(Some(format!("http://{address}")))
    };
    let follower = Held::new();
    let (first, second) = (trace_of(1, 2), trace_of(3, 4));
    subscribe_everywhere();
    let inside = tracing::dispatcher::with_default(telemetry.dispatch(), || {
        let untraced: [&[u8]; 2] = [&[], b"no trace"];
        assert!(span(follower.as_ref(), untraced.into_iter()).is_none());
        assert_eq!(trace::of_this_span(), None);
        let entries: [&[u8]; 5] = [&first, &first, &[], &second, &[]];
        span(follower.as_ref(), entries.into_iter()).in_scope(trace::of_this_span)
    });
    telemetry.shut_down();

    let spans = spans.lock().unwrap();
    assert_eq!(spans.len(), 1, "{spans:#?}");
    let taken_in = &spans[0];
    assert_eq!(taken_in.name, "scoring follows ingestion");
    assert_eq!(
        [&taken_in.trace_id[..], &taken_in.parent_span_id[..]].concat(),
        second
    );
    let links = taken_in.links.iter();
    let links: Vec<Vec<u8>> = links
        .map(|link| [&link.trace_id[..], &link.span_id[..]].concat())
        .collect();
    assert_eq!(links, [first]);
    // What it writes continues its own span.
    assert_eq!(
        inside.unwrap().to_vec(),
        [&taken_in.trace_id[..], &taken_in.span_id[..]].concat()
    );
}
