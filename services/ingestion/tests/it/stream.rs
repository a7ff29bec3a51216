use std::sync::Arc;
use std::time::Duration;

use prost::Message as _;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinHandle, yield_now};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Status};

use sextant_domain::id::TenantId;
use sextant_ingestion::Limits;
use sextant_proto::ingestion::v1 as pb;
use sextant_runtime::tenant::TENANT_HEADER;
use sextant_store::port::{Committed, FactBatch, Facts, SliceHeads};
use sextant_store::{BoxFuture, Error};

use crate::records::{account, event, events, with_event};
use crate::world::{BOTH, Clients, INTAKE, Tenant, World, reason, told, within};

/// An open stream of batches. Its answers are read all the time, as a client has to.
pub(crate) struct Open {
    pub(crate) requests: mpsc::Sender<pb::IngestRequest>,
    pub(crate) answers: mpsc::UnboundedReceiver<Result<pb::IngestResponse, Status>>,
    reader: JoinHandle<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Open {
    /// Opens a stream and reads the credit that it begins with.
    pub(crate) async fn new(clients: &Clients) -> Self {
        let (requests, sent) = mpsc::channel(1_000);
        Self::begin(clients, requests, Request::new(ReceiverStream::new(sent))).await
    }

    pub(crate) async fn begin(
        clients: &Clients,
        requests: mpsc::Sender<pb::IngestRequest>,
        request: Request<ReceiverStream<pb::IngestRequest>>,
    ) -> Self {
        let mut stream = clients
            .ingestion()
            .ingest(request)
            .await
            .unwrap()
            .into_inner();
        let (read, answers) = mpsc::unbounded_channel();
        let reader = tokio::spawn(async move {
            while let Some(answer) = stream.message().await.transpose() {
                let ended = answer.is_err();
                if read.send(answer).is_err() || ended {
                    return;
                }
            }
        });
        let mut open = Self {
            requests,
            answers,
            reader,
        };
        let grant = open.next().await;
        assert!(
            grant.acknowledged_sequence == 0 && grant.credit_records > 0,
            "{grant:?}"
        );
        open
    }

    pub(crate) async fn send(&self, sequence: u64, records: Vec<pb::Record>) {
        self.requests.send(batch(sequence, records)).await.unwrap();
    }

    pub(crate) async fn next(&mut self) -> pb::IngestResponse {
        within(self.answers.recv())
            .await
            .expect("the stream has ended")
            .unwrap()
    }

    /// Answers until everything up to a batch is acknowledged.
    async fn until(&mut self, sequence: u64) -> Vec<pb::IngestResponse> {
        let mut answers = Vec::new();
        loop {
            answers.push(self.next().await);
            if answers
                .last()
                .is_some_and(|answer| answer.acknowledged_sequence >= sequence)
            {
                return answers;
            }
        }
    }

    /// The error that the stream ends with.
    pub(crate) async fn failure(mut self) -> Status {
        loop {
            match within(self.answers.recv()).await {
                Some(Ok(_acknowledged)) => {},
                Some(Err(status)) => return status,
                None => panic!("the stream has ended without an error"),
            }
        }
    }
}

fn batch(sequence: u64, records: Vec<pb::Record>) -> pb::IngestRequest {
    pb::IngestRequest {
        sequence,
        records,
        options: None,
    }
}

/// Facts whose commits wait for the test.
#[derive(Debug)]
pub(crate) struct Gated {
    inner: Arc<dyn Facts>,
    pub(crate) gate: Arc<Semaphore>,
    /// How many facts each commit holds, when it begins; `None` when one is dropped before its end.
    pub(crate) seen: mpsc::UnboundedSender<Option<usize>>,
}

impl Gated {
    /// A world whose commits each take a permit of the gate.
    pub(crate) async fn world() -> (
        World,
        Arc<Semaphore>,
        mpsc::UnboundedReceiver<Option<usize>>,
    ) {
        Self::world_with(INTAKE).await
    }

    async fn world_with(
        limits: Limits,
    ) -> (
        World,
        Arc<Semaphore>,
        mpsc::UnboundedReceiver<Option<usize>>,
    ) {
        let gate = Arc::new(Semaphore::new(0));
        let (seen, commits) = mpsc::unbounded_channel();
        let world = World::with(limits, |inner| {
            Arc::new(Self {
                inner,
                gate: Arc::clone(&gate),
                seen,
            })
        })
        .await;
        (world, gate, commits)
    }
}

struct OnDrop(Option<mpsc::UnboundedSender<Option<usize>>>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        if let Some(seen) = &self.0 {
            seen.send(None).ok();
        }
    }
}

impl Facts for Gated {
    fn commit(&self, batch: FactBatch) -> BoxFuture<'_, sextant_store::Result<Committed>> {
        Box::pin(async move {
            self.seen.send(Some(batch.facts.len())).ok();
            let mut guard = OnDrop(Some(self.seen.clone()));
            let permit = self
                .gate
                .acquire()
                .await
                .map_err(|closed| Error::unavailable("committing", closed))?;
            permit.forget();
            let committed = self.inner.commit(batch).await;
            guard.0 = None;
            committed
        })
    }

    fn release(&self, call: FactBatch) -> BoxFuture<'_, sextant_store::Result<SliceHeads>> {
        self.inner.release(call)
    }
}

async fn n_accepted(tenant: &Tenant) -> u64 {
    tenant.counts("web").await[0]
}

#[tokio::test]
async fn every_batch_is_acknowledged_with_its_exceptions_over_both_links() {
    for kind in BOTH {
        let world = World::new().await;
        let tenant = world.tenant("acme").await;
        let mut stream = Open::new(&world.over(kind, &tenant.key).await).await;
        stream
            .send(1, vec![account("a", "acme"), event("1", "acme")])
            .await;
        stream.until(1).await;
        stream
            .send(
                2,
                vec![
                    event("1", "acme"),
                    event("2", "acme"),
                    event("", "acme"),
                    event("3", "nobody"),
                ],
            )
            .await;
        stream.send(3, vec![]).await;
        stream.send(4, events("e", "acme", 600)).await;
        let answers = stream.until(4).await;
        assert_eq!(
            answers.iter().map(|answer| answer.accepted).sum::<u64>(),
            601,
            "{kind:?}"
        );
        let exceptions: Vec<_> = answers
            .iter()
            .flat_map(|answer| &answer.exceptions)
            .collect();
        assert_eq!(exceptions.len(), 1);
        assert_eq!(exceptions[0].sequence, 2);
        let verdicts: Vec<_> = exceptions[0]
            .verdicts
            .iter()
            .map(|one| format!("{} {}", one.index, told(one)))
            .collect();
        assert_eq!(
            verdicts,
            ["0 DUPLICATE", "2 REJECTED id FIELD_MISSING", "3 HELD"]
        );
        assert!(
            answers
                .iter()
                .all(|answer| answer.credit_records == 20_000 && !answer.position.is_empty())
        );
        assert_eq!(tenant.counts("web").await, [603, 1, 0, 1, 1]);
        // The end of the client's half ends the stream without an error.
        let (nobody, _) = mpsc::channel(1);
        stream.requests = nobody;
        assert!(within(stream.answers.recv()).await.is_none());
    }
}

#[tokio::test]
async fn options_count_on_the_first_message_only() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    tenant.start_import().await;
    let mut stream = Open::new(&tenant.clients).await;
    let options = |historical| Some(pb::IngestOptions { historical });
    stream
        .requests
        .send(pb::IngestRequest {
            options: options(true),
            ..Default::default()
        })
        .await
        .unwrap();
    stream
        .requests
        .send(pb::IngestRequest {
            options: options(false),
            ..batch(1, vec![account("a", "acme")])
        })
        .await
        .unwrap();
    stream.until(1).await;
    let request = pb::ReadFactsRequest {
        tenant_id: tenant.id_bytes().into(),
        ..Default::default()
    };
    let read = world
        .by(&world.service)
        .feed()
        .read_facts(request)
        .await
        .unwrap()
        .into_inner();
    let mut facts = read.entries.iter().flat_map(|entry| &entry.facts);
    assert!(facts.all(|fact| fact.historical));
}

#[tokio::test]
async fn batches_that_wait_share_one_commit_of_at_most_ten_thousand_records() {
    let (world, gate, mut commits) = Gated::world().await;
    let tenant = world.tenant("acme").await;
    let mut stream = Open::new(&tenant.clients).await;
    stream.send(1, vec![account("a", "acme")]).await;
    assert_eq!(within(commits.recv()).await, Some(Some(1)));
    // Thirty batches come while the first commit waits for the gate.
    for sequence in 2..=31 {
        stream
            .send(sequence, events(&format!("{sequence}-"), "acme", 400))
            .await;
    }
    while stream.requests.capacity() < stream.requests.max_capacity() {
        yield_now().await;
    }
    gate.add_permits(40);
    let answers = stream.until(31).await;
    assert_eq!(
        answers.iter().map(|answer| answer.accepted).sum::<u64>(),
        12_001
    );
    let mut sizes = Vec::new();
    while let Ok(Some(size)) = commits.try_recv() {
        sizes.push(size);
    }
    assert_eq!(sizes.iter().sum::<usize>(), 12_000);
    assert!(
        sizes.len() < 6 && sizes.iter().all(|size| *size <= 10_000),
        "{sizes:?}"
    );
}

#[tokio::test]
async fn all_streams_together_hold_a_budget_a_tenant_a_quarter_of_it_and_all_are_stored_in_the_end()
{
    const KIB: usize = 400;
    let (world, gate, mut commits) = Gated::world_with(Limits {
        max_waiting_bytes: KIB << 10,
        ..INTAKE
    })
    .await;
    let records = events("e", "acme", 450);
    let kib = records.iter().map(pb::Record::encoded_len).sum::<usize>() >> 10;
    assert!((10..=KIB / 8).contains(&kib), "{kib}");
    let (mut streams, mut n_begun) = (Vec::new(), 0);
    for name in ["a", "b", "c", "d", "e", "f"] {
        let tenant = world.tenant(name).await;
        let mut n_begun_of_tenant = 0;
        for _ in 0..12 {
            let stream = Open::new(&tenant.clients).await;
            stream.send(1, records.clone()).await;
            // In one thread, what can begin has begun after its turn.
            while stream.requests.capacity() < stream.requests.max_capacity() {
                yield_now().await;
            }
            for _ in 0..20 {
                yield_now().await;
            }
            while let Ok(Some(_begun)) = commits.try_recv() {
                n_begun_of_tenant += 1;
            }
            streams.push(stream);
        }
        n_begun += n_begun_of_tenant;
        assert!(
            n_begun_of_tenant * kib <= KIB / 4,
            "{name}: {n_begun_of_tenant}"
        );
        if streams.len() <= 36 {
            assert_eq!(n_begun_of_tenant, KIB / 4 / kib, "{name} has its share");
        }
    }
    assert!(n_begun * kib <= KIB, "{n_begun} of {kib} KiB");
    gate.add_permits(streams.len());
    for stream in &mut streams {
        stream.until(1).await;
    }
}

#[tokio::test]
async fn a_tenant_may_have_a_hundred_streams_open() {
    let world = World::new().await;
    let (acme, other) = (world.tenant("acme").await, world.tenant("other").await);
    let mut open = Vec::new();
    for _ in 0..100 {
        open.push(Open::new(&acme.clients).await);
    }
    let begin = || async {
        let nothing = Request::new(tokio_stream::pending());
        acme.clients.ingestion().ingest(nothing).await
    };
    assert_eq!(reason(begin().await), "OVERLOADED");
    drop(Open::new(&other.clients).await);
    assert!(open.pop().is_some());
    within(async {
        while begin().await.is_err() {
            yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_its_room_for_a_minute() {
    let (world, gate, mut commits) = Gated::world_with(Limits {
        credit_records: 1 << 20,
        ..INTAKE
    })
    .await;
    gate.add_permits(100);
    let tenant = world.tenant("acme").await;
    let (requests, sent) = mpsc::channel(1_000);
    let request = Request::new(ReceiverStream::new(sent));
    let answers = tenant.clients.ingestion().ingest(request).await;
    let mut unread = answers.unwrap().into_inner();
    // No two share a commit.
    for sequence in 1..=20 {
        let records = vec![pb::Record::default(); 6_000];
        requests.send(batch(sequence, records)).await.unwrap();
    }
    within(commits.recv()).await;
    tokio::time::pause();
    let begun = std::time::Instant::now();
    while !requests.is_closed() && begun.elapsed() < Duration::from_secs(60) {
        tokio::time::advance(Duration::from_secs(61)).await;
        yield_now().await;
    }
    tokio::time::resume();
    let mut acknowledged = 0;
    let status = loop {
        match within(unread.message()).await {
            Ok(Some(answer)) => acknowledged = answer.acknowledged_sequence,
            Ok(None) => panic!("it ended without a reason"),
            Err(status) => break status,
        }
    };
    let why = sextant_wire::status::reason_of(&status);
    assert_eq!(why.as_deref(), Some("OVERLOADED"), "{status}");
    assert!((1..20).contains(&acknowledged), "{acknowledged}");
}

#[tokio::test]
async fn a_client_that_exceeds_its_credit_is_refused_and_what_came_before_is_acknowledged() {
    let (world, gate, mut commits) = Gated::world_with(Limits {
        credit_records: 200,
        ..INTAKE
    })
    .await;
    let tenant = world.tenant("acme").await;
    let mut stream = Open::new(&tenant.clients).await;
    stream.send(1, vec![account("a", "acme")]).await;
    stream.send(2, events("a", "acme", 199)).await;
    gate.add_permits(10);
    stream.until(2).await;
    // What is acknowledged can be sent again at once; one more is too much while none of it is stored.
    gate.forget_permits(10);
    stream.send(3, events("b", "acme", 200)).await;
    stream.send(4, vec![event("one too many", "acme")]).await;
    while within(commits.recv()).await != Some(Some(200)) {}
    gate.add_permits(10);
    let status = stream.failure().await;
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(
        sextant_wire::status::reason_of(&status).as_deref(),
        Some("OVERLOADED")
    );
    assert_eq!(n_accepted(&tenant).await, 400);
}

#[tokio::test]
async fn a_bad_message_ends_the_stream_after_everything_before_it_was_stored() {
    let huge = with_event(event("e", "acme"), |event| {
        event.user_id = "x".repeat(5 << 20)
    });
    let cases = [
        (
            batch(1, vec![event("again", "acme")]),
            Code::InvalidArgument,
            "FIELD_INVALID",
        ),
        (
            batch(0, vec![event("none", "acme")]),
            Code::InvalidArgument,
            "FIELD_INVALID",
        ),
        (
            batch(2, events("many", "acme", 10_001)),
            Code::InvalidArgument,
            "BATCH_TOO_LARGE",
        ),
        (batch(2, vec![huge]), Code::OutOfRange, "MESSAGE_TOO_LARGE"),
    ];
    for (bad, code, reason) in cases {
        for kind in BOTH {
            let world = World::new().await;
            let tenant = world.tenant("acme").await;
            let stream = Open::new(&world.over(kind, &tenant.key).await).await;
            stream.send(1, vec![account("a", "acme")]).await;
            stream.requests.send(bad.clone()).await.unwrap();
            let status = stream.failure().await;
            assert_eq!(status.code(), code, "{kind:?} {reason}: {status}");
            assert_eq!(
                sextant_wire::status::reason_of(&status).as_deref(),
                Some(reason)
            );
            assert_eq!(n_accepted(&tenant).await, 1, "{kind:?} {reason}");
        }
    }
}

#[tokio::test]
async fn a_failed_commit_ends_the_stream_and_a_retry_loses_and_doubles_nothing() {
    let (world, gate, mut commits) = Gated::world().await;
    let tenant = world.tenant("acme").await;
    let mut stream = Open::new(&tenant.clients).await;
    gate.add_permits(1);
    stream
        .send(1, vec![account("a", "acme"), event("1", "acme")])
        .await;
    stream.until(1).await;
    stream.send(2, vec![event("2", "acme")]).await;
    assert_eq!(
        within(async { (commits.recv().await, commits.recv().await) }).await,
        (Some(Some(2)), Some(Some(1)))
    );
    gate.close();
    let status = stream.failure().await;
    assert_eq!(
        (
            status.code(),
            sextant_wire::status::reason_of(&status).as_deref()
        ),
        (Code::Unavailable, Some("UNAVAILABLE"))
    );
    assert_eq!(n_accepted(&tenant).await, 2);
}

#[tokio::test]
async fn a_stream_that_is_cut_off_loses_nothing_that_was_acknowledged() {
    for kind in BOTH {
        let (world, gate, mut commits) = Gated::world().await;
        let tenant = world.tenant("acme").await;
        let mut stream = Open::new(&world.over(kind, &tenant.key).await).await;
        gate.add_permits(1);
        stream
            .send(1, vec![account("a", "acme"), event("1", "acme")])
            .await;
        let position = stream.until(1).await.pop().unwrap().position;
        stream.send(2, vec![event("2", "acme")]).await;
        assert_eq!(
            within(async { (commits.recv().await, commits.recv().await) }).await,
            (Some(Some(2)), Some(Some(1)))
        );
        drop(stream);
        assert_eq!(
            within(commits.recv()).await,
            Some(None),
            "{kind:?}: the commit of a dropped stream goes on"
        );
        gate.add_permits(10);
        // The client sends both again: what was acknowledged is there, what was not is taken in now.
        let again = tenant
            .send(vec![
                account("a", "acme"),
                event("1", "acme"),
                event("2", "acme"),
            ])
            .await;
        assert_eq!(
            again.verdicts.iter().map(told).collect::<Vec<_>>(),
            ["DUPLICATE", "DUPLICATE", "ACCEPTED"]
        );
        assert_ne!(again.position, position);
    }
}

#[tokio::test]
async fn a_key_of_the_installation_names_the_tenant_of_its_stream() {
    let world = World::new().await;
    let tenant = world.tenant("acme").await;
    let named = |name: &str| {
        let requests = vec![batch(1, vec![account("a", "acme")])];
        let mut request = Request::new(tokio_stream::iter(requests));
        request
            .metadata_mut()
            .insert(TENANT_HEADER, name.parse().unwrap());
        request
    };
    let operator = world.by(&world.operator);
    let mut answers = operator
        .ingestion()
        .ingest(named(&tenant.id))
        .await
        .unwrap()
        .into_inner();
    while within(answers.message()).await.unwrap().is_some() {}
    assert_eq!(n_accepted(&tenant).await, 1);
    let nobody = uuid::Uuid::from_u128(TenantId(5).0).to_string();
    assert_eq!(
        reason(operator.ingestion().ingest(named(&nobody)).await),
        "TENANT_UNKNOWN"
    );
}
