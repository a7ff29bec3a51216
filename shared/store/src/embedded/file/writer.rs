//! The writer thread: whatever waits shares one transaction, hence one fsync.

use rusqlite::{Connection, TransactionBehavior, ffi};
use tokio::sync::{mpsc, oneshot};

use crate::embedded::failure::Work;
use crate::embedded::file::Rollback;
use crate::{Error, Result};

/// Commits that share a transaction. More would make the first of them wait longer than the fsync that it saves.
const MAX_GROUP: usize = 16;

/// A unit of work of any type.
pub(super) trait Job: Send {
    /// Does the work; false: what it wrote must be rolled back.
    fn run(&mut self, connection: &Connection) -> bool;

    /// Tells the caller what became of it. `lost`: why the transaction was not committed.
    fn reply(self: Box<Self>, lost: Option<&Lost>);
}

/// A transaction that was rolled back as a whole.
#[derive(Debug)]
pub(super) struct Lost {
    message: String,
    code: Option<rusqlite::ErrorCode>,
}

impl Lost {
    fn new(error: &rusqlite::Error) -> Self {
        Self {
            message: error.to_string(),
            code: error.sqlite_error_code(),
        }
    }

    fn explain(&self, doing: &'static str) -> Error {
        match self.code {
            Some(rusqlite::ErrorCode::DiskFull) => Error::Full { doing },
            _ => Error::unavailable(doing, self.message.clone()),
        }
    }
}

/// A unit of work and who waits for it.
pub(super) struct Ticket<T, F> {
    doing: &'static str,
    work: Option<F>,
    outcome: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> Ticket<T, F> {
    pub(super) fn new(doing: &'static str, work: F, reply: oneshot::Sender<Result<T>>) -> Self {
        Self {
            doing,
            work: Some(work),
            outcome: None,
            reply,
        }
    }
}

impl<T, F> Job for Ticket<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Work<T> + Send,
{
    fn run(&mut self, connection: &Connection) -> bool {
        let Some(work) = self.work.take() else {
            return true;
        };
        if self.reply.is_closed() {
            return true; // Its caller gave up while it waited: whatever it wanted is not wanted now.
        }
        let outcome = work(connection).map_err(|failure| failure.explain(self.doing));
        let done = outcome.is_ok();
        self.outcome = Some(outcome);
        done
    }

    fn reply(self: Box<Self>, lost: Option<&Lost>) {
        let answer = match (self.outcome, lost) {
            (Some(Err(error)), _) => Err(error),
            (Some(Ok(_)) | None, Some(lost)) => Err(lost.explain(self.doing)),
            (Some(Ok(value)), None) => Ok(value),
            (None, None) => return,
        };
        // A caller that has gone does not want to know.
        drop(self.reply.send(answer));
    }
}

/// Serves the queue until the last sender has gone.
pub(super) fn run(
    mut connection: Connection,
    mut queue: mpsc::Receiver<Box<dyn Job>>,
    rollback: &Rollback,
) {
    let mut group = Vec::with_capacity(MAX_GROUP);
    while let Some(first) = queue.blocking_recv() {
        group.push(first);
        while group.len() < MAX_GROUP
            && let Ok(next) = queue.try_recv()
        {
            group.push(next);
        }
        let lost = commit(&mut connection, &mut group, rollback)
            .err()
            .map(|error| Lost::new(&error));
        if lost.is_some() {
            (rollback.0)();
        }
        for job in group.drain(..) {
            job.reply(lost.as_ref());
        }
    }
}

fn commit(
    connection: &mut Connection,
    group: &mut [Box<dyn Job>],
    rollback: &Rollback,
) -> rusqlite::Result<()> {
    let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if let [alone] = group {
        if alone.run(&transaction) {
            return transaction.commit();
        }
        (rollback.0)();
        return if transaction.is_autocommit() {
            Ok(())
        } else {
            transaction.rollback()
        };
    }
    for job in group {
        let savepoint = transaction.savepoint()?;
        if job.run(&savepoint) {
            savepoint.commit()?;
            continue;
        }
        (rollback.0)();
        // After some errors, such as a full disk, SQLite rolls the whole transaction back by itself.
        if savepoint.is_autocommit() {
            let shared = "a commit in the same transaction failed".to_owned();
            return Err(rusqlite::Error::SqliteFailure(
                ffi::Error::new(ffi::SQLITE_ABORT_ROLLBACK),
                Some(shared),
            ));
        }
        savepoint.finish()?;
    }
    transaction.commit()
}
