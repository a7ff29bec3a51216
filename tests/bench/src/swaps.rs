//! Swapping what decides while others read, and how soon a segmenter that is pushed decides.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval};
use tokio_stream::iter;

use sextant_proto::segmentation::v1::upload_segmenter_request::Part;
use sextant_proto::segmentation::v1::{
    ActivateRevisionRequest, ProposeRevisionRequest, SegmenterRef, UploadHead,
    UploadSegmenterRequest,
};

use crate::company::{DAY_S, account, account_id, at, now_s, subscription};
use crate::program::{Cores, Served, scratch};
use crate::report::{Report, Row, Target};
use crate::seats::Seats;
use crate::session::{Session, membership_request, request_id};

const N_ACCOUNTS: usize = 2_000;
pub(crate) const SEGMENTATION: &str = "seats";
const SECONDS: u64 = 60;
const SWAPS: usize = 20;
const BETWEEN_SWAPS: Duration = Duration::from_secs(3);
/// Reads of ten milliseconds: 1,000 a second.
const BURST: usize = 10;
const CHUNK_BYTES: usize = 256 << 10;
/// Accounts with so many seats are large for the version that takes nobody for large.
const NOBODY: u64 = 1_000_000;

/// Which segment each digest puts everybody into.
type Segments = Arc<RwLock<HashMap<String, &'static str>>>;

/// What readers have seen.
#[derive(Debug, Default)]
struct Seen {
    failed: AtomicU64,
    mixed: AtomicU64,
    answered: AtomicU64,
}

pub(crate) async fn push(
    session: &Session,
    folder: &Path,
    version: &'static str,
    large_from: u64,
) -> String {
    let seats = Seats {
        version,
        large_from,
        ..Seats::default()
    };
    let code = std::fs::read(seats.compile_into(folder)).unwrap();
    let digest = Sha256::digest(&code);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let head = UploadHead {
        digest: digest.clone(),
        size: code.len() as u64,
        ..UploadHead::default()
    };
    let chunks = code
        .chunks(CHUNK_BYTES)
        .map(|chunk| Part::Chunk(chunk.to_vec().into()));
    let parts: Vec<_> = std::iter::once(Part::Head(head))
        .chain(chunks)
        .map(|part| UploadSegmenterRequest { part: Some(part) })
        .collect();
    let mut segmenters = session.segmenters();
    segmenters
        .upload_segmenter(session.request(iter(parts)))
        .await
        .unwrap();
    digest
}

pub(crate) async fn swap_to(session: &Session, digest: &str) {
    let mut segmenters = session.segmenters();
    let segmenter = SegmenterRef {
        digest: digest.to_owned(),
        ..SegmenterRef::default()
    };
    let propose = ProposeRevisionRequest {
        segmentation: SEGMENTATION.to_owned(),
        segmenter: Some(segmenter),
        request_id: request_id(),
        ..ProposeRevisionRequest::default()
    };
    let proposed = segmenters
        .propose_revision(session.request(propose))
        .await
        .unwrap();
    let revision = proposed.into_inner().revision.unwrap().revision;
    let activate = ActivateRevisionRequest {
        segmentation: SEGMENTATION.to_owned(),
        revision,
        accept_diff: true,
        note: "a swap".to_owned(),
        request_id: request_id(),
    };
    segmenters
        .activate_revision(session.request(activate))
        .await
        .unwrap();
}

/// Reads at a steady rate, whatever the answers do.
async fn read(session: Session, segments: Segments, seen: Arc<Seen>) {
    let mut ticks = interval(Duration::from_millis(10));
    let until = Instant::now() + Duration::from_secs(SECONDS);
    let (mut reads, mut next) = (JoinSet::new(), 0);
    while Instant::now() < until {
        ticks.tick().await;
        for _ in 0..BURST {
            next = (next + 1) % N_ACCOUNTS;
            let (session, account) = (session.clone(), account_id(next));
            let (segments, seen) = (Arc::clone(&segments), Arc::clone(&seen));
            reads.spawn(async move {
                let request = session.request(membership_request(account, SEGMENTATION));
                let answer = session.segmentation().get_membership(request).await;
                let Ok(answer) = answer else {
                    seen.failed.fetch_add(1, Ordering::Relaxed);
                    return;
                };
                let found = answer.into_inner().membership().unwrap();
                let expected = segments.read().unwrap().get(&found.plugin_digest).copied();
                if expected != Some(found.segment.as_str()) {
                    seen.mixed.fetch_add(1, Ordering::Relaxed);
                }
                seen.answered.fetch_add(1, Ordering::Relaxed);
            });
        }
        while reads.try_join_next().is_some() {}
    }
    reads.join_all().await;
}

/// Twenty swaps in a minute of a thousand reads a second; then one that is pushed and activated.
pub(crate) async fn measure(report: &mut Report, rounds: usize) {
    const VERSIONS: [&str; 9] = [
        "1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0", "1.5.0", "1.6.0", "1.7.0", "1.8.0",
    ];
    let (folder, sources) = (scratch(), scratch());
    let served = Served::embedded(folder.path(), Cores::All, &[]).await;
    let session = Session::create(&served, None).await;
    let segments = Segments::default();
    let note = |digest: &str, segment| {
        segments.write().unwrap().insert(digest.to_owned(), segment);
    };
    let large = push(&session, sources.path(), "0.1.0", 0).await;
    note(&large, "large");
    session
        .create_segmentation(SEGMENTATION, "acme.seats", "{}")
        .await;
    let small = push(&session, sources.path(), "0.2.0", NOBODY).await;
    note(&small, "small");
    let started_s = now_s() - 30 * DAY_S;
    let records = (0..N_ACCOUNTS).flat_map(|number| {
        [
            account(number, started_s),
            subscription(number, 10_000, at(started_s), started_s),
        ]
    });
    session.import(records.collect(), SEGMENTATION).await;
    let (mut failed, mut mixed, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    let (mut before, mut after, mut pushed) = (Vec::new(), Vec::new(), Vec::new());
    for version in VERSIONS.into_iter().take(rounds) {
        // Both have decided once: what they need is in memory.
        swap_to(&session, &small).await;
        swap_to(&session, &large).await;
        before.push(served.process.resident_mib());
        let seen = Arc::new(Seen::default());
        let reading = read(session.clone(), Arc::clone(&segments), Arc::clone(&seen));
        let swapping = async {
            let mut ticks = interval(BETWEEN_SWAPS);
            for digest in [&small, &large].into_iter().cycle().take(SWAPS) {
                ticks.tick().await;
                swap_to(&session, digest).await;
            }
        };
        tokio::join!(reading, swapping);
        after.push(served.process.resident_mib());
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed) as f64;
        failed.push(count(&seen.failed));
        mixed.push(count(&seen.mixed));
        rates.push(count(&seen.answered) / SECONDS as f64);
        let begun = Instant::now();
        let newest = push(&session, sources.path(), version, 0).await;
        note(&newest, "large");
        swap_to(&session, &newest).await;
        pushed.push(begun.elapsed().as_secs_f64());
    }
    report.add(
        Row::new("20 swaps in a minute: calls that failed", "calls", failed)
            .should_be(Target::AtMost(0.0)),
    );
    report.add(
        Row::new("... answers that mix versions", "answers", mixed).should_be(Target::AtMost(0.0)),
    );
    report.add(Row::new("... reads answered", "1/s", rates));
    report.add(
        Row::new("... memory of the service afterwards", "MiB", after)
            .against("before", &before)
            .should_be(Target::RatioAtMost(1.05)),
    );
    report.add(
        Row::new("compiled, pushed, activated, 2,000 accounts", "s", pushed)
            .should_be(Target::AtMost(2.0)),
    );
}
