//! Durable ingestion through gRPC, with scoring keeping up, against what the store itself takes: the same records, once each, of
//! which both must have stored the same rows.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use prost::Message as _;
use tokio::time::Instant;
use uuid::Uuid;

use sextant_backends::postgres::Service;
use sextant_backends::testing::migrated_database;
use sextant_domain::fact::FactKind;
use sextant_domain::id::{ExternalId, PayloadHash, RecordIdentity, TenantId};
use sextant_domain::time::Instant as Moment;
use sextant_proto::ingestion::v1::record::Fact;
use sextant_proto::ingestion::v1::{IngestResponse, Record};
use sextant_store::port::{FactBatch, NewFact};

use crate::company::{DAY_S, Numbers, SOURCE, Usage, account, account_id, now_s};
use crate::program::{Cores, Served, scratch};
use crate::report::{Report, Row, Target};
use crate::rows::Rows;
use crate::session::{Knowledge, MESSAGE, Session, Stored};
use crate::{keyed_copy, raw_inserts};

const N_ACCOUNTS: usize = 100_000;
const N_DELIVERIES: usize = 200_000;
/// One of so many deliveries is a repetition.
const REPEATED: usize = 100;
/// Different records among the deliveries: what every rate here counts.
const N_RECORDS: usize = N_DELIVERIES - N_DELIVERIES / REPEATED;
/// Streams that send at the same time, each on a connection of its own.
const N_STREAMS: usize = 2;
/// Shares of the comparators' rates.
const EMBEDDED_TARGET: f64 = 0.35;
const POSTGRESQL_TARGET: f64 = 0.5;
/// Longest lag of scoring at the rate of the target.
const LAG_TARGET_MS: f64 = 1_000.0;
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// What sending all deliveries showed.
#[derive(Debug, Clone, Copy)]
struct Sent {
    /// Records per second until the last acknowledgement.
    acknowledged: f64,
    /// Records per second until scoring had taken the last one in.
    projected: f64,
    /// Longest time from an acknowledgement until scoring had taken it in, in milliseconds.
    lag_ms: f64,
}

/// What one round showed: the comparator's records per second, and the product as fast as it goes and at the rate of the target.
#[derive(Debug, Clone, Copy)]
struct Round {
    comparator: f64,
    fastest: Sent,
    at_target: Sent,
}

/// Events, of which one in [`REPEATED`] says again what an earlier one said.
fn deliveries(numbers: &mut Numbers) -> Vec<Record> {
    let (end_s, usage) = (now_s(), Usage::new(N_ACCOUNTS, numbers));
    let mut records: Vec<Record> = Vec::with_capacity(N_DELIVERIES);
    for place in 0..N_DELIVERIES {
        let record = if is_repetition(place) {
            records[place - 1 - numbers.below(REPEATED - 1)].clone()
        } else {
            usage.event(numbers, end_s)
        };
        records.push(record);
    }
    records
}

const fn is_repetition(place: usize) -> bool {
    place % REPEATED == REPEATED - 1
}

/// Deliveries as the comparators take them: in the same order, without repetitions, which have no place under a unique key.
fn facts(deliveries: &[Record]) -> Vec<Vec<NewFact>> {
    let records = deliveries.iter().enumerate();
    let records: Vec<&Record> = records
        .filter(|(place, _)| !is_repetition(*place))
        .map(|(_, record)| record)
        .collect();
    let batch = |records: &[&Record]| records.iter().map(|record| fact(record)).collect();
    records.chunks(MESSAGE).map(batch).collect()
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
        account: Some(ExternalId::parse(&event.account_id).unwrap().into()),
        new_account_uid: 0,
        occurred_at,
        known_at: occurred_at,
        historical: false,
        record: encoded,
    }
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

/// Sends over several streams, together at most so many deliveries per second, while another task measures the lag.
async fn send_all(served: &Served, session: &Session, deliveries: Vec<Record>, rate: f64) -> Sent {
    let mut shares: Vec<Vec<Record>> = (0..N_STREAMS).map(|_| Vec::new()).collect();
    // A repetition goes the way of its original, so that it cannot overtake it.
    for (number, some) in deliveries.chunks(REPEATED).enumerate() {
        shares[number % N_STREAMS].extend_from_slice(some);
    }
    drop(deliveries);
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
    let n_repetitions = u64::try_from(N_DELIVERIES - N_RECORDS).unwrap();
    let expected = (u64::try_from(N_RECORDS).unwrap(), n_repetitions);
    assert_eq!(sums, expected, "accepted, duplicates");
    Sent {
        acknowledged: per_second(acknowledged),
        projected: per_second(projected),
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

/// Of the different records.
fn per_second(spent: Duration) -> f64 {
    f64::from(u32::try_from(N_RECORDS).unwrap()) / spent.as_secs_f64()
}

/// Where the product stores, and what it is compared with.
#[derive(Debug, Clone, Copy)]
enum Store<'a> {
    /// In this folder; compared with raw inserts.
    Embedded(&'a Path),
    /// In the database with this address; compared with keyed COPY.
    Postgres(&'a str),
}

impl Store<'_> {
    const fn name(self) -> &'static str {
        match self {
            Self::Embedded(_) => "embedded",
            Self::Postgres(_) => "PostgreSQL",
        }
    }

    const fn comparator(self) -> &'static str {
        match self {
            Self::Embedded(_) => "raw inserts",
            Self::Postgres(_) => "keyed COPY",
        }
    }

    const fn target(self) -> f64 {
        match self {
            Self::Embedded(_) => EMBEDDED_TARGET,
            Self::Postgres(_) => POSTGRESQL_TARGET,
        }
    }

    async fn served(self) -> Served {
        match self {
            Self::Embedded(folder) => Served::embedded(folder, Cores::All, &[]).await,
            Self::Postgres(url) => Served::postgres(url, Cores::All, &[]).await,
        }
    }

    /// What the product has stored.
    async fn rows(self) -> Rows {
        match self {
            Self::Embedded(folder) => raw_inserts::rows(&folder.join("ingestion.db")),
            Self::Postgres(url) => {
                let schema = Service::Ingestion.schema();
                let rows = async |client: &_| keyed_copy::rows(client, schema).await;
                keyed_copy::connected(url, rows).await
            },
        }
    }

    /// How long the comparator took, and what it stored.
    async fn compared(self, facts: Vec<Vec<NewFact>>) -> (Duration, Rows) {
        match self {
            Self::Embedded(_) => insert(facts),
            Self::Postgres(_) => copy(facts).await,
        }
    }
}

/// Keyed COPY, in a database of its own.
async fn copy(facts: Vec<Vec<NewFact>>) -> (Duration, Rows) {
    let database = migrated_database().await;
    let copied = keyed_copy::connected(database.url(), async |client| {
        client.batch_execute("CHECKPOINT").await.unwrap();
        let spent = keyed_copy::copy_all(client, Uuid::new_v4(), facts).await;
        (spent, keyed_copy::rows(client, "keyed_copy").await)
    });
    let copied = copied.await;
    database.drop_now().await;
    copied
}

/// Raw inserts, into a file of their own.
fn insert(facts: Vec<Vec<NewFact>>) -> (Duration, Rows) {
    let folder = scratch();
    let path = folder.path().join("raw.db");
    let connection = raw_inserts::open(&path);
    let batch = |facts: Vec<NewFact>| FactBatch {
        tenant: TenantId(1),
        n_slices: 1,
        batch_id: Uuid::now_v7().as_u128(),
        recorded_at: Moment(now_s() * 1_000_000),
        fixed_clock: None,
        sources: vec![SOURCE.into(); facts.len()],
        facts,
        rejections: Vec::new(),
        trace: None,
    };
    let batches = facts.into_iter().map(batch).collect();
    let spent = raw_inserts::insert_all(&connection, batches);
    (spent, raw_inserts::rows(&path))
}

async fn round(
    store: Store<'_>,
    served: &Served,
    session: &Session,
    numbers: &mut Numbers,
) -> Round {
    let earlier = store.rows().await;
    let records = deliveries(numbers);
    let (spent, compared) = store.compared(facts(&records)).await;
    let fastest = send_all(served, session, records, f64::INFINITY).await;
    let stored = store.rows().await.since(earlier);
    assert_eq!(
        stored, compared,
        "rows of the product and of its comparator"
    );
    let comparator = per_second(spent);
    let rate = comparator * store.target();
    Round {
        comparator,
        fastest,
        at_target: send_all(served, session, deliveries(numbers), rate).await,
    }
}

fn add(report: &mut Report, store: Store<'_>, rounds: &[Round]) {
    let of = |value: fn(&Round) -> f64| rounds.iter().map(value).collect::<Vec<f64>>();
    let name = |what: &str| format!("ingest, {}: {what}", store.name());
    let comparators = of(|round| round.comparator);
    let row = Row::new(
        name("longest lag of scoring at the rate of the target"),
        "ms",
        of(|round| round.at_target.lag_ms),
    );
    report.add(row.should_be(Target::AtMost(LAG_TARGET_MS)));
    let row = Row::new(
        name("until projected"),
        "records/s",
        of(|round| round.fastest.projected),
    );
    report.add(
        row.against(store.comparator(), &comparators)
            .should_be(Target::RatioAtLeast(store.target())),
    );
    let row = Row::new(
        name("until acknowledged"),
        "records/s",
        of(|round| round.fastest.acknowledged),
    );
    report.add(row.against(store.comparator(), &comparators));
    report.add(Row::new(
        name("longest lag of scoring at full speed"),
        "ms",
        of(|round| round.fastest.lag_ms),
    ));
}

async fn measure_store(
    report: &mut Report,
    store: Store<'_>,
    numbers: &mut Numbers,
    n_rounds: usize,
) {
    let served = store.served().await;
    let session = tenant_with_accounts(&served).await;
    let mut rounds = Vec::new();
    for _ in 0..n_rounds {
        rounds.push(round(store, &served, &session, numbers).await);
    }
    add(report, store, &rounds);
}

pub(crate) async fn measure(report: &mut Report, n_rounds: usize) {
    let mut numbers = Numbers(20_260_115);
    let folder = scratch();
    let embedded = Store::Embedded(folder.path());
    measure_store(report, embedded, &mut numbers, n_rounds).await;
    let database = migrated_database().await;
    let postgresql = Store::Postgres(database.url());
    measure_store(report, postgresql, &mut numbers, n_rounds).await;
    database.drop_now().await;
}
