//! Scoring as a script: its feed, its clock, and the features that it shows.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use arrow_array::{ArrayRef, FixedSizeBinaryArray, Int64Array, RecordBatch, StringArray};
use arrow_schema::DataType;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tonic::{Request, Response, Status};

use sextant_columns::{ID_COLUMN, NAME_COLUMN, UID_COLUMN, column_of, exact_column_of};
use sextant_domain::feature::Feature;
use sextant_domain::id::{AccountUid, ExternalId, Slice};
use sextant_domain::position::Head;
use sextant_domain::time::{Day, Instant};
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::{ingestion, scoring::v1 as pb};
use sextant_runtime::follow;
use sextant_runtime::heads::Heads;
use sextant_wire::status::Problem;
use sextant_wire::time;

use crate::gate::{Gate, Stopped};
use crate::world::ACME;

/// MRR by account; `None`: unknown.
pub(crate) type Mrr = BTreeMap<String, Option<i64>>;

/// Scoring of one tenant, of one slice unless it is spread.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scoring(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    script: Mutex<Script>,
    heads: Arc<Heads>,
    is_silent: AtomicBool,
    withholds_columns: AtomicBool,
    /// Before entries of the feed.
    entries: Gate,
    /// Before features.
    columns: Gate,
}

#[derive(Debug, Default)]
struct Script {
    feeds: BTreeMap<Slice, Vec<pb::Evaluation>>,
    /// 0: one.
    n_slices: u16,
    present: Mrr,
    closes: BTreeMap<Day, Mrr>,
    /// What is known now of closes, where that is something else.
    learned: BTreeMap<Day, Mrr>,
    now: Option<Instant>,
    /// When facts became known that no entry tells of, but that features hold.
    newer_known_at: Option<Instant>,
    /// With which position the clock was asked for last.
    clock_asked: String,
    /// Base currency of the tenant; empty: USD.
    base_currency: String,
}

/// Ingestion's feed of the tenant. What is in it only the real scoring asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ingestion(Arc<Facts>);

#[derive(Debug, Default)]
struct Facts {
    heads: Arc<Heads>,
    entries: Mutex<Vec<ingestion::v1::FeedEntry>>,
}

impl Ingestion {
    pub(crate) fn grows_to(&self, sequence: u64) {
        self.0.heads.publish([head(Slice(0), sequence)]);
    }

    /// Stores facts in one entry; returns its number.
    pub(crate) fn append(&self, facts: Vec<ingestion::v1::StoredFact>) -> u64 {
        let sequence = {
            let mut entries = self.0.entries.lock().unwrap();
            let sequence = u64::try_from(entries.len()).unwrap() + 1;
            entries.push(ingestion::v1::FeedEntry {
                sequence,
                facts,
                ..ingestion::v1::FeedEntry::default()
            });
            sequence
        };
        self.grows_to(sequence);
        sequence
    }
}

fn head(slice: Slice, sequence: u64) -> Head {
    Head {
        tenant: ACME,
        slice,
        sequence,
    }
}

#[tonic::async_trait]
impl ingestion::v1::feed_service_server::FeedService for Ingestion {
    type WatchHeadsStream = BoxStream<'static, Result<ingestion::v1::WatchHeadsResponse, Status>>;

    async fn watch_heads(
        &self,
        _request: Request<ingestion::v1::WatchHeadsRequest>,
    ) -> Result<Response<Self::WatchHeadsStream>, Status> {
        let answers = self.0.heads.watch().map(move |heads| {
            Ok(ingestion::v1::WatchHeadsResponse {
                heads: follow::telling(heads),
            })
        });
        Ok(Response::new(answers.boxed()))
    }

    async fn read_facts(
        &self,
        request: Request<ingestion::v1::ReadFactsRequest>,
    ) -> Result<Response<ingestion::v1::ReadFactsResponse>, Status> {
        let after = request.into_inner().after_sequence;
        let entries = self.0.entries.lock().unwrap();
        let behind = entries.iter().filter(|entry| entry.sequence > after);
        Ok(Response::new(ingestion::v1::ReadFactsResponse {
            entries: behind.cloned().collect(),
            tenant: Some(ingestion::v1::Tenant {
                time_zone: "UTC".to_owned(),
                base_currency: "USD".to_owned(),
                slices: 1,
                ..ingestion::v1::Tenant::default()
            }),
        }))
    }
}

fn slice(number: u32) -> Slice {
    Slice(number.try_into().unwrap())
}

/// The uid of an account in these tests.
pub(crate) fn uid(account: &str) -> AccountUid {
    let bytes = account.bytes().map(u128::from);
    AccountUid(bytes.fold(1, |uid, byte| uid * 257 + byte))
}

impl Scoring {
    /// From now on nobody who begins to watch hears anything.
    pub(crate) fn silence(&self) {
        self.0.is_silent.store(true, Ordering::Relaxed);
    }

    /// True: whoever asks for features gets none.
    pub(crate) fn withhold_columns(&self, withholds: bool) {
        self.0.withholds_columns.store(withholds, Ordering::Relaxed);
    }

    /// Stops the next process that loads a tenant.
    pub(crate) fn stop_next_load(&self) -> Stopped {
        self.0.entries.stop_after(0)
    }

    /// Stops the next call for features: what it gets is of the moment in which it goes on.
    pub(crate) fn stop_next_columns(&self) -> Stopped {
        self.stop_columns_after(0)
    }

    /// The same behind so many others.
    pub(crate) fn stop_columns_after(&self, others: usize) -> Stopped {
        self.0.columns.stop_after(others)
    }

    /// The tenant counts in another currency than USD.
    pub(crate) fn counts_in(&self, currency: &str) {
        currency.clone_into(&mut self.0.script.lock().unwrap().base_currency);
    }

    /// The accounts of the tenant are spread over so many slices.
    pub(crate) fn spread(&self, n_slices: u16) {
        self.0.script.lock().unwrap().n_slices = n_slices;
    }

    /// From now on the account has this MRR; nobody is told.
    pub(crate) fn put(&self, account: &str, mrr_minor: Option<i64>) {
        let mut script = self.0.script.lock().unwrap();
        script.present.insert(account.to_owned(), mrr_minor);
    }

    /// Tells an entry of a slice. A close shows the features of the present for ever.
    pub(crate) fn tell(&self, slice: Slice, entry: pb::Evaluation) -> u64 {
        let sequence = self.tell_later(slice, entry);
        self.0.heads.publish([head(slice, sequence)]);
        sequence
    }

    /// The same, but who watches does not hear of it before the next one.
    pub(crate) fn tell_later(&self, slice: Slice, mut entry: pb::Evaluation) -> u64 {
        let mut script = self.0.script.lock().unwrap();
        let feed = script.feeds.get(&slice);
        let sequence = u64::try_from(feed.map_or(0, Vec::len)).unwrap() + 1;
        if let Some(closed_on) = &entry.closed_on {
            let present = script.present.clone();
            script.closes.insert(time::day(closed_on).unwrap(), present);
        }
        let told = [&entry.as_of, &entry.known_at];
        let told = told.map(|at| time::instant(at.as_ref().unwrap()).unwrap());
        script.now = told.into_iter().max();
        entry.sequence = sequence;
        script.feeds.entry(slice).or_default().push(entry);
        sequence
    }

    /// With which position the clock was asked for last; empty: never.
    pub(crate) fn clock_asked(&self) -> String {
        self.0.script.lock().unwrap().clock_asked.clone()
    }

    /// From now on features hold newer facts than the entries that they are asked for, known since then.
    pub(crate) fn run_ahead(&self, known_at: Instant) {
        self.0.script.lock().unwrap().newer_known_at = Some(known_at);
    }

    /// Moves the clock; nobody is told.
    pub(crate) fn move_clock(&self, to: Instant) {
        self.0.script.lock().unwrap().now = Some(to);
    }

    /// Entries of a slice.
    pub(crate) fn n_entries(&self, slice: Slice) -> u64 {
        let script = self.0.script.lock().unwrap();
        let feed = script.feeds.get(&slice);
        u64::try_from(feed.map_or(0, Vec::len)).unwrap()
    }

    /// Now it is known that an account had this MRR at a close.
    pub(crate) fn learn(&self, day: &str, account: &str, mrr_minor: i64) {
        let mut script = self.0.script.lock().unwrap();
        let learned = script.learned.entry(Day::parse(day).unwrap()).or_default();
        learned.insert(account.to_owned(), Some(mrr_minor));
    }

    /// A close is made again: an account had this MRR then, and it was known then.
    pub(crate) fn restate(&self, day: &str, account: &str, mrr_minor: i64) {
        let mut script = self.0.script.lock().unwrap();
        let close = script.closes.get_mut(&Day::parse(day).unwrap()).unwrap();
        close.insert(account.to_owned(), Some(mrr_minor));
    }

    /// The closes that were told of, from the last one before a day on.
    pub(crate) fn closes_since(&self, day: Day) -> Vec<Day> {
        let script = self.0.script.lock().unwrap();
        let before = script.closes.range(..day).next_back();
        let closes = before.into_iter().chain(script.closes.range(day..));
        closes.map(|(day, _)| *day).collect()
    }

    fn table(
        &self,
        slice: Slice,
        (closed_on, is_late): (Option<Day>, bool),
        uids: &[bytes::Bytes],
    ) -> RecordBatch {
        let script = self.0.script.lock().unwrap();
        let mut shown = match closed_on {
            Some(day) => script.closes[&day].clone(),
            None => script.present.clone(),
        };
        let learned = closed_on.and_then(|day| script.learned.get(&day));
        if let Some(learned) = learned.filter(|_| is_late) {
            shown.extend(learned.clone());
        }
        let shown = &shown;
        let wanted = |account: &&String| {
            let bytes = sextant_wire::read::uid_bytes(uid(account));
            let id = ExternalId::parse(account).unwrap();
            Slice::of_account(&id, script.n_slices) == slice
                && (uids.is_empty() || uids.contains(&bytes))
        };
        let mut accounts: Vec<&String> = shown.keys().filter(wanted).collect();
        accounts.sort_by_key(|account| uid(account));
        table(&accounts, shown)
    }
}

fn table(accounts: &[&String], shown: &Mrr) -> RecordBatch {
    let schema = sextant_columns::schema();
    let mrr = |times: i64| -> ArrayRef {
        let values = accounts
            .iter()
            .map(|account| shown[*account].map(|mrr| mrr * times));
        Arc::new(values.collect::<Int64Array>())
    };
    let unknown = |r#type: &DataType| arrow_array::new_null_array(r#type, accounts.len());
    let mut columns: Vec<ArrayRef> = schema
        .fields()
        .iter()
        .map(|field| unknown(field.data_type()))
        .collect();
    let uids = accounts.iter().map(|account| uid(account).0.to_be_bytes());
    let uids = uids.map(Some);
    columns[UID_COLUMN] =
        Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(uids, 16).unwrap());
    columns[ID_COLUMN] = Arc::new(StringArray::from_iter_values(accounts));
    // As long as a name may be.
    let name = |account: &str| match account.strip_prefix("wide-") {
        Some(rest) => rest.repeat(8_192 / rest.len()),
        None => account.to_uppercase(),
    };
    let names = accounts.iter().map(|account| name(account));
    columns[NAME_COLUMN] = Arc::new(StringArray::from_iter_values(names));
    columns[column_of(Feature::RevenueMrrMinor)] = mrr(1);
    columns[column_of(Feature::RevenueArrMinor)] = mrr(12);
    let exact = |feature| exact_column_of(feature).unwrap();
    columns[exact(Feature::RevenueMrrMinor)] = mrr(10_000);
    columns[exact(Feature::RevenueArrMinor)] = mrr(120_000);
    RecordBatch::try_new(schema, columns).unwrap()
}

#[tonic::async_trait]
impl pb::feed_service_server::FeedService for Scoring {
    type WatchHeadsStream = BoxStream<'static, Result<pb::WatchHeadsResponse, Status>>;
    type ReadColumnsStream = BoxStream<'static, Result<pb::ReadColumnsResponse, Status>>;

    async fn watch_heads(
        &self,
        _request: Request<pb::WatchHeadsRequest>,
    ) -> Result<Response<Self::WatchHeadsStream>, Status> {
        if self.0.is_silent.load(Ordering::Relaxed) {
            return Err(Problem::new(ErrorReason::Unavailable, "silent").into());
        }
        let answers = self.0.heads.watch().map(move |heads| {
            Ok(pb::WatchHeadsResponse {
                heads: follow::telling(heads),
            })
        });
        Ok(Response::new(answers.boxed()))
    }

    /// At most two entries: following takes several reads.
    async fn read_evaluations(
        &self,
        request: Request<pb::ReadEvaluationsRequest>,
    ) -> Result<Response<pb::ReadEvaluationsResponse>, Status> {
        let request = request.into_inner();
        let after = request.after_sequence;
        self.0.entries.pass().await;
        let script = self.0.script.lock().unwrap();
        let feed = script
            .feeds
            .get(&slice(request.slice))
            .into_iter()
            .flatten();
        let behind = feed.filter(|entry| entry.sequence > after);
        let n_entries = script.feeds.get(&slice(request.slice)).map_or(0, Vec::len);
        Ok(Response::new(pb::ReadEvaluationsResponse {
            head: u64::try_from(n_entries).unwrap(),
            evaluations: behind.take(2).cloned().collect(),
            time_zone: "UTC".to_owned(),
            base_currency: match script.base_currency.as_str() {
                "" => "USD".to_owned(),
                other => other.to_owned(),
            },
            slices: script.n_slices.max(1).into(),
        }))
    }

    async fn read_columns(
        &self,
        request: Request<pb::ReadColumnsRequest>,
    ) -> Result<Response<Self::ReadColumnsStream>, Status> {
        if self.0.withholds_columns.load(Ordering::Relaxed) {
            return Err(Problem::new(ErrorReason::Unavailable, "withheld").into());
        }
        self.0.columns.pass().await;
        let request = request.into_inner();
        let known_at = {
            let script = self.0.script.lock().unwrap();
            script.newer_known_at.filter(|_| request.as_of.is_some())
        };
        let late: Vec<_> = request
            .late
            .into_iter()
            .map(|one| one.account_uid)
            .collect();
        // A close that is made again shows what was known then.
        let is_late = !late.is_empty() && !request.restated;
        let moments = if late.is_empty() {
            vec![request.closed_on]
        } else {
            request.late_closes.into_iter().map(Some).collect()
        };
        let uids = [late, request.account_uids].concat();
        let messages = moments.into_iter().map(|closed_on| {
            let day = closed_on.as_ref().map(|day| time::day(day).unwrap());
            let table = self.table(slice(request.slice), (day, is_late), &uids);
            Ok(pb::ReadColumnsResponse {
                arrow_ipc: sextant_columns::encode(&table).unwrap().into(),
                model_versions: Vec::new(),
                closed_on,
                known_at: known_at.map(time::timestamp),
            })
        });
        let messages: Vec<_> = messages.collect();
        Ok(Response::new(stream::iter(messages).boxed()))
    }
}

#[tonic::async_trait]
impl pb::clock_service_server::ClockService for Scoring {
    async fn get_clock(
        &self,
        request: Request<pb::GetClockRequest>,
    ) -> Result<Response<pb::GetClockResponse>, Status> {
        let mut script = self.0.script.lock().unwrap();
        script.clock_asked = request.into_inner().at_least_position;
        Ok(Response::new(pb::GetClockResponse {
            now: script.now.map(time::timestamp),
            fixed: true,
            closed_on: None,
        }))
    }
}
