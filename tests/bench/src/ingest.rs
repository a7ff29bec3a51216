//! Durable ingestion through gRPC, with scoring keeping up, against what the store itself takes.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use prost::Message as _;
use tokio::time::Instant;
use tokio_postgres::NoTls;
use uuid::Uuid;

use sextant_backends::testing::migrated_database;
use sextant_domain::fact::FactKind;
use sextant_domain::id::{ExternalId, PayloadHash, RecordIdentity, TenantId};
use sextant_domain::time::Instant as Moment;
use sextant_proto::ingestion::v1::record::Fact;
use sextant_proto::ingestion::v1::{IngestResponse, Record};
use sextant_store::port::{FactBatch, NewFact};

use crate::company::{DAY_S, Numbers, SOURCE, account, account_id, event, now_s};
use crate::program::{Cores, Served, scratch};
use crate::report::{Report, Row, Target};
use crate::session::{Knowledge, MESSAGE, Session, Stored};
use crate::{keyed_copy, raw_inserts};

const N_ACCOUNTS: usize = 100_000;
const N_EVENTS: usize = 200_000;
/// One of so many records comes again.
const REPEATED: usize = 100;
/// Streams that send at the same time, each on a connection of its own.
const N_STREAMS: usize = 2;
/// Shares of the comparators' rates.
const EMBEDDED_TARGET: f64 = 0.35;
const POSTGRESQL_TARGET: f64 = 0.5;
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// What one round showed.
#[derive(Debug, Clone, Copy)]
struct Round {
    /// Records per second until the last acknowledgement.
    acknowledged: f64,
    /// Records per second until scoring had taken the last one in.
    projected: f64,
    /// Longest time from an acknowledgement until scoring had taken it in, in milliseconds.
    lag_ms: f64,
}

/// Events, of which one in [`REPEATED`] says again what an earlier one said.
fn deliveries(numbers: &mut Numbers) -> Vec<Record> {
    let end_s = now_s();
    let mut records: Vec<Record> = Vec::with_capacity(N_EVENTS);
    for number in 0..N_EVENTS {
        let repeated = number % REPEATED == REPEATED - 1;
        let record = if repeated {
            records[number - 1 - numbers.below(REPEATED - 1)].clone()
        } else {
            event(numbers, N_ACCOUNTS, end_s)
        };
        records.push(record);
    }
    records
}

/// The fact that ingestion makes of an event.
fn fact(record: &Record) -> NewFact {
    let time = record.time.unwrap();
    let occurred_at = Moment(time.seconds * 1_000_000 + i64::from(time.nanos) / 1_000);
    let Some(Fact::Event(event)) = &record.fact else {
        panic!("not an event")
    };
    let encoded = record.encode_to_vec();
    NewFact {
        identity: RecordIdentity::new(&record.source, &record.id, occurred_at),
        payload: PayloadHash::of(&encoded),
        kind: FactKind::Event,
        account: Some(ExternalId::parse(&event.account_id).unwrap()),
        new_account_uid: Uuid::now_v7().as_u128(),
        occurred_at,
        known_at: occurred_at,
        historical: false,
        record: encoded,
    }
}

/// Events as the comparators take them: without repetitions, which have no place under a unique key.
fn unique_facts(numbers: &mut Numbers) -> Vec<Vec<NewFact>> {
    let end_s = now_s();
    let batch = |numbers: &mut Numbers| {
        (0..MESSAGE)
            .map(|_| fact(&event(numbers, N_ACCOUNTS, end_s)))
            .collect()
    };
    (0..N_EVENTS / MESSAGE).map(|_| batch(numbers)).collect()
}

async fn tenant_with_accounts(served: &Served) -> Session {
    let session = Session::create(served, None).await;
    let created_s = now_s() - 30 * DAY_S;
    let accounts = (0..N_ACCOUNTS)
        .map(|number| account(number, created_s))
        .collect();
    let stored = session.send(accounts, Knowledge::Now).await;
    session.projected(&stored.position, &account_id(0)).await;
    session
}

/// The newest acknowledged position, and when it was acknowledged.
type Newest = Mutex<Option<(String, Instant)>>;

/// Sends over several streams, together at most at this rate, while another task measures the lag.
async fn send_all(served: &Served, session: &Session, records: Vec<Record>, rate: f64) -> Round {
    let n_records = records.len();
    let mut shares: Vec<Vec<Record>> = (0..N_STREAMS).map(|_| Vec::new()).collect();
    // A repetition goes the way of its original, so that it cannot overtake it.
    for (number, some) in records.chunks(REPEATED).enumerate() {
        shares[number % N_STREAMS].extend_from_slice(some);
    }
    drop(records);
    let (newest, longest) = (Newest::default(), Mutex::new(Duration::ZERO));
    let begun = Instant::now();
    let sending = async {
        let streams = shares
            .into_iter()
            .map(|share| send_share(served, session, share, rate / N_STREAMS as f64, &newest));
        let stored = futures_util::future::join_all(streams).await;
        let acknowledged = begun.elapsed();
        for one in &stored {
            session.projected(&one.position, &account_id(0)).await;
        }
        (stored, acknowledged, begun.elapsed())
    };
    let (stored, acknowledged, projected) = tokio::select! {
        sent = sending => sent,
        () = watch_lag(session, &newest, &longest) => unreachable!("the lag is watched until all is sent"),
    };
    let sums = stored.iter().fold((0, 0), |sums, one| {
        (sums.0 + one.accepted, sums.1 + one.duplicates)
    });
    let repeated = u64::try_from(n_records / REPEATED).unwrap();
    assert_eq!(
        sums,
        (u64::try_from(n_records).unwrap() - repeated, repeated),
        "accepted, duplicates"
    );
    Round {
        acknowledged: per_second(n_records, acknowledged),
        projected: per_second(n_records, projected),
        lag_ms: longest.into_inner().unwrap().as_secs_f64() * 1e3,
    }
}

async fn send_share(
    served: &Served,
    session: &Session,
    share: Vec<Record>,
    rate: f64,
    newest: &Newest,
) -> Stored {
    let session = session.reconnected(served.address);
    let acknowledged = |answer: &IngestResponse| {
        *newest.lock().unwrap() = Some((answer.position.clone(), Instant::now()));
    };
    session
        .send_observed(share, Knowledge::Now, rate, acknowledged)
        .await
}

/// Asks scoring for the newest acknowledged position, again and again, and keeps the longest wait.
async fn watch_lag(session: &Session, newest: &Newest, longest: &Mutex<Duration>) {
    let mut seen = String::new();
    loop {
        let sample = newest
            .lock()
            .unwrap()
            .clone()
            .filter(|(position, _)| *position != seen);
        let Some((position, acknowledged)) = sample else {
            tokio::time::sleep(BETWEEN_LOOKS).await;
            continue;
        };
        session.projected(&position, &account_id(0)).await;
        let lag = acknowledged.elapsed();
        let mut longest = longest.lock().unwrap();
        *longest = lag.max(*longest);
        seen = position;
    }
}

fn per_second(n_records: usize, spent: Duration) -> f64 {
    f64::from(u32::try_from(n_records).unwrap()) / spent.as_secs_f64()
}

/// Keyed COPY, in a database of its own.
async fn copy_rate(numbers: &mut Numbers) -> f64 {
    let database = migrated_database().await;
    let (client, connection) = tokio_postgres::connect(database.url(), NoTls)
        .await
        .unwrap();
    let facts = unique_facts(numbers);
    let copy = async {
        client.batch_execute("CHECKPOINT").await.unwrap();
        let spent = keyed_copy::copy_all(&client, Uuid::new_v4(), facts).await;
        drop(client);
        spent
    };
    let (spent, ended) = futures_util::future::join(copy, connection).await;
    ended.unwrap();
    database.drop_now().await;
    per_second(N_EVENTS, spent)
}

/// Raw inserts, into a file of their own.
fn insert_rate(numbers: &mut Numbers, folder: &Path, round: usize) -> f64 {
    let connection = raw_inserts::open(&folder.join(format!("raw-{round}.db")));
    let batch = |facts: Vec<NewFact>| FactBatch {
        tenant: TenantId(1),
        n_slices: 1,
        batch_id: Uuid::now_v7().as_u128(),
        recorded_at: Moment(now_s() * 1_000_000),
        sources: vec![SOURCE.into(); facts.len()],
        facts,
        rejections: Vec::new(),
        trace: None,
    };
    let batches = unique_facts(numbers).into_iter().map(batch).collect();
    per_second(N_EVENTS, raw_inserts::insert_all(&connection, batches))
}

/// What the rounds of one store showed: as fast as it goes, and at the rate of the target.
#[derive(Debug, Default)]
struct Rounds {
    comparator: Vec<f64>,
    fastest: Vec<Round>,
    at_target: Vec<Round>,
}

impl Rounds {
    async fn add(
        &mut self,
        served: &Served,
        session: &Session,
        numbers: &mut Numbers,
        (comparator, target): (f64, f64),
    ) {
        let rate = comparator * target;
        self.comparator.push(comparator);
        let fastest = send_all(served, session, deliveries(numbers), f64::INFINITY).await;
        self.fastest.push(fastest);
        let at_target = send_all(served, session, deliveries(numbers), rate).await;
        self.at_target.push(at_target);
    }
}

fn add(report: &mut Report, store: &str, rounds: &Rounds, name: &'static str, target: f64) {
    let values = &rounds.comparator;
    let lags = rounds.at_target.iter().map(|round| round.lag_ms).collect();
    report.add(Row::new(
        format!("ingest, {store}: longest lag of scoring at the rate of the target"),
        "ms",
        lags,
    ));
    let rounds = &rounds.fastest;
    let of = |value: fn(&Round) -> f64| rounds.iter().map(value).collect::<Vec<f64>>();
    report.add(
        Row::new(
            format!("ingest, {store}: until projected"),
            "records/s",
            of(|round| round.projected),
        )
        .against(name, values)
        .should_be(Target::RatioAtLeast(target)),
    );
    report.add(
        Row::new(
            format!("ingest, {store}: until acknowledged"),
            "records/s",
            of(|round| round.acknowledged),
        )
        .against(name, values),
    );
    report.add(Row::new(
        format!("ingest, {store}: longest lag of scoring at full speed"),
        "ms",
        of(|round| round.lag_ms),
    ));
}

pub(crate) async fn measure(report: &mut Report, n_rounds: usize) {
    let mut numbers = Numbers(20_260_115);
    let folder = scratch();
    {
        let served = Served::embedded(&folder.path().join("data"), Cores::All, &[]).await;
        let session = tenant_with_accounts(&served).await;
        let mut rounds = Rounds::default();
        for round in 0..n_rounds {
            let raw = insert_rate(&mut numbers, folder.path(), round);
            let against = (raw, EMBEDDED_TARGET);
            rounds.add(&served, &session, &mut numbers, against).await;
        }
        add(report, "embedded", &rounds, "raw inserts", EMBEDDED_TARGET);
    }
    let database = migrated_database().await;
    {
        let served = Served::postgres(database.url(), Cores::All, &[]).await;
        let session = tenant_with_accounts(&served).await;
        let mut rounds = Rounds::default();
        for _ in 0..n_rounds {
            let against = (copy_rate(&mut numbers).await, POSTGRESQL_TARGET);
            rounds.add(&served, &session, &mut numbers, against).await;
        }
        add(
            report,
            "PostgreSQL",
            &rounds,
            "keyed COPY",
            POSTGRESQL_TARGET,
        );
    }
    database.drop_now().await;
}
