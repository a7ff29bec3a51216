//! Who writes at once, and how small batches share a transaction.
//!
//! A commit costs a flush to disk and a handful of messages however small its batch is. So batches of one tenant that
//! arrive while others are being written wait for a place and are then written together, in one transaction, each with its
//! own feed entries. A single writer never waits, and large batches stay alone.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinSet;

use sextant_domain::id::TenantId;
use sextant_store::port::FactBatch;
use sextant_store::release::{Released, Written};
use sextant_store::{Error, Result};

use super::commit::{self, Group, Parts};
use super::known::Known;
use super::partitions::Partitions;
use super::recent::Recent;
use crate::postgres::pool::Pool;

/// Transactions of one tenant at once: two hide each other's waits, more only queue for the feed's lock.
const WRITERS_PER_TENANT: usize = 2;
/// Batches are joined up to so many facts; a larger one is written alone.
const MAX_JOINED_FACTS: usize = 2_000;
/// Batches of a tenant that may wait.
const MAX_WAITING: usize = 1_024;

type Answer = Result<Written>;

/// A batch that waits, and who waits for it.
#[derive(Debug)]
struct Waiting {
    /// Which of its lane it is.
    number: u64,
    batch: FactBatch,
    answer: oneshot::Sender<Answer>,
}

/// The writers of one tenant.
#[derive(Debug)]
struct Lane {
    places: Arc<Semaphore>,
    waiting: VecDeque<Waiting>,
    /// Batches that came until now.
    came: u64,
    /// Callers and transactions inside, so that an idle tenant costs nothing.
    inside: usize,
}

type Lanes = Mutex<HashMap<TenantId, Lane>>;

/// The writers of all tenants.
#[derive(Debug)]
pub(super) struct Writers {
    store: Arc<Store>,
    wait: Duration,
    lanes: Arc<Lanes>,
    /// Held by who releases what waited for accounts.
    releasing: tokio::sync::Mutex<()>,
    /// Transactions under way. They are not the callers' futures: a caller that goes away must not undo what others wait for.
    tasks: Mutex<JoinSet<()>>,
}

/// What a transaction needs.
#[derive(Debug)]
struct Store {
    pool: Pool,
    partitions: Partitions,
    known: Known,
    recent: Arc<Recent>,
}

/// A caller within a lane, or a transaction that may outlive its callers. The lane, and with it the count of its places, goes
/// with the last of them.
struct Inside {
    lanes: Arc<Lanes>,
    tenant: TenantId,
}

impl Drop for Inside {
    fn drop(&mut self) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.get_mut(&self.tenant) {
            lane.inside -= 1;
            if lane.inside == 0 {
                lanes.remove(&self.tenant);
            }
        }
    }
}

impl Writers {
    pub(super) fn new(pool: Pool, recent: Arc<Recent>, wait: Duration) -> Self {
        let store = Arc::new(Store {
            pool,
            partitions: Partitions::default(),
            known: Known::default(),
            recent,
        });
        Self {
            store,
            wait,
            lanes: Arc::default(),
            releasing: tokio::sync::Mutex::default(),
            tasks: Mutex::default(),
        }
    }

    /// Stores a batch, alone or together with others of its tenant.
    ///
    /// A caller that gets a place starts a transaction with whatever waits at the head of the lane, which need not be its own
    /// batch. A caller that goes away while its batch waits takes it along; once it is being written, it is written.
    pub(super) async fn write(&self, batch: FactBatch) -> Result<Written> {
        let tenant = batch.tenant;
        let (answer, mut answered) = oneshot::channel();
        let (places, number, _inside) = self.enter(batch, answer)?;
        loop {
            let place = tokio::select! {
                biased;
                answer = &mut answered => return answer.unwrap_or_else(|_writer_gone| Err(interrupted())),
                place = tokio::time::timeout(self.wait, Arc::clone(&places).acquire_owned()) => place,
            };
            let Ok(Ok(place)) = place else {
                if self.withdraw(tenant, number) {
                    return Err(Error::unavailable(
                        "waiting to commit facts",
                        "all writers of the tenant are busy",
                    ));
                }
                break;
            };
            let Some((joined, inside)) = self.take(tenant) else {
                break;
            };
            self.start(joined, (place, inside));
        }
        // The batch is being written, by this caller's transaction or by another, whose locks and statements have their limits.
        answered
            .await
            .unwrap_or_else(|_writer_gone| Err(interrupted()))
    }

    /// Takes a batch out of the lane whose caller waits no longer; false: it is being written.
    fn withdraw(&self, tenant: TenantId, number: u64) -> bool {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(lane) = lanes.get_mut(&tenant) else {
            return false;
        };
        let mut waiting = lane.waiting.iter();
        let at = waiting.position(|waiting| waiting.number == number);
        at.and_then(|at| lane.waiting.remove(at)).is_some()
    }

    /// Stores a part of what waits for known accounts, on behalf of a call.
    pub(super) async fn release(&self, call: FactBatch) -> Result<Released> {
        commit::release(self.store.parts(), call).await
    }

    /// What is held by who releases.
    pub(super) fn turn(&self) -> &tokio::sync::Mutex<()> {
        &self.releasing
    }

    fn enter(
        &self,
        batch: FactBatch,
        answer: oneshot::Sender<Answer>,
    ) -> Result<(Arc<Semaphore>, u64, Inside)> {
        let tenant = batch.tenant;
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes.entry(tenant).or_insert_with(|| Lane {
            places: Arc::new(Semaphore::new(WRITERS_PER_TENANT)),
            waiting: VecDeque::new(),
            came: 0,
            inside: 0,
        });
        if lane.waiting.len() >= MAX_WAITING {
            return Err(Error::unavailable(
                "waiting to commit facts",
                "too many batches of the tenant wait",
            ));
        }
        lane.came += 1;
        let number = lane.came;
        lane.waiting.push_back(Waiting {
            number,
            batch,
            answer,
        });
        lane.inside += 1;
        Ok((Arc::clone(&lane.places), number, self.inside(tenant)))
    }

    /// One that has been counted.
    fn inside(&self, tenant: TenantId) -> Inside {
        let lanes = Arc::clone(&self.lanes);
        Inside { lanes, tenant }
    }

    /// Takes the batches at the head of a lane that go into one transaction, if there are any.
    fn take(&self, tenant: TenantId) -> Option<(Vec<Waiting>, Inside)> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes.get_mut(&tenant)?;
        let mut joined: Vec<Waiting> = Vec::new();
        let mut facts = 0;
        while let Some(next) = lane.waiting.pop_front() {
            if next.answer.is_closed() {
                continue;
            }
            let fits = facts + next.batch.facts.len() <= MAX_JOINED_FACTS
                && joined
                    .first()
                    .is_none_or(|first| first.batch.n_slices == next.batch.n_slices);
            if !joined.is_empty() && !fits {
                lane.waiting.push_front(next);
                break;
            }
            facts += next.batch.facts.len();
            joined.push(next);
        }
        if joined.is_empty() {
            return None;
        }
        lane.inside += 1;
        Some((joined, self.inside(tenant)))
    }

    fn start(&self, joined: Vec<Waiting>, (place, inside): (OwnedSemaphorePermit, Inside)) {
        let store = Arc::clone(&self.store);
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            store.write(joined).await;
            drop((place, inside));
        });
    }
}

impl Store {
    /// Writes batches in one transaction and answers each caller. If the whole is refused, each batch is written
    /// alone: what one of them did must not fail the others.
    async fn write(&self, joined: Vec<Waiting>) {
        let (batches, answers): (Vec<FactBatch>, Vec<oneshot::Sender<Answer>>) = joined
            .into_iter()
            .map(|waiting| (waiting.batch, waiting.answer))
            .unzip();
        let spare = if batches.len() > 1 {
            batches.clone()
        } else {
            Vec::new()
        };
        let results = match self.write_group(batches).await {
            // The whole is behind others, which need not be so for each of them.
            Ok(written) if written.len() < answers.len() => self.write_each(spare).await,
            Ok(written) => written.into_iter().map(Ok).collect(),
            Err(error) if spare.is_empty() => vec![Err(error)],
            Err(error) if is_refusal(&error) => self.write_each(spare).await,
            Err(error) => answers.iter().map(|_| Err(copy_of(&error))).collect(),
        };
        for (result, answer) in results.into_iter().zip(answers) {
            // A caller that has gone away needs no answer.
            drop(answer.send(result));
        }
    }

    async fn write_each(&self, batches: Vec<FactBatch>) -> Vec<Answer> {
        let mut results = Vec::with_capacity(batches.len());
        for batch in batches {
            let result = self.write_group(vec![batch]).await;
            results.push(result.and_then(|mut written| written.pop().ok_or_else(interrupted)));
        }
        results
    }

    /// What became of each batch; or of the whole, if it is behind others.
    async fn write_group(&self, batches: Vec<FactBatch>) -> Result<Vec<Written>> {
        let Some(group) = Group::of(batches) else {
            return Ok(Vec::new());
        };
        self.partitions.ensure(&self.pool, group.whole()).await?;
        let result = commit::commit(self.parts(), &group).await;
        if result.is_err() {
            self.partitions.forget();
        }
        let Some((committed, backlog)) = result? else {
            return Ok(vec![Written::Behind(Box::new(group.into_whole()))]);
        };
        let stored = committed.into_iter();
        Ok(stored.map(|one| Written::Stored(one, backlog)).collect())
    }

    fn parts(&self) -> Parts<'_> {
        (&self.pool, &self.known, &self.recent)
    }
}

/// Whether the answer was that this is not stored, so that nothing of it was stored.
fn is_refusal(error: &Error) -> bool {
    if matches!(error, Error::NoImport) {
        return true;
    }
    let Error::Unavailable { source, .. } = error else {
        return false;
    };
    let state = source
        .downcast_ref::<tokio_postgres::Error>()
        .and_then(tokio_postgres::Error::code);
    state.is_some_and(|state| {
        state.code().starts_with(DATA_EXCEPTION) || state.code().starts_with(INTEGRITY_VIOLATION)
    })
}

/// Classes of SQLSTATE.
const DATA_EXCEPTION: &str = "22";
const INTEGRITY_VIOLATION: &str = "23";

fn interrupted() -> Error {
    Error::unavailable("committing facts", "the writer was interrupted")
}

/// Each caller gets an error of its own.
fn copy_of(error: &Error) -> Error {
    match error {
        Error::Full { doing } => Error::Full { doing },
        Error::Unreadable { what } => Error::Unreadable { what: what.clone() },
        Error::Unavailable { doing, source } => Error::unavailable(doing, source.to_string()),
        Error::NoImport => Error::NoImport,
        Error::Fenced
        | Error::AlreadyExists { .. }
        | Error::NotReady { .. }
        | Error::RequestIdReused => Error::unavailable("committing facts", error.to_string()),
    }
}
