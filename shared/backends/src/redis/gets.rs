//! Point reads of many callers that travel together: while one question is on its way, the next one gathers. A command of its
//! own for each read costs the server of the cache, and this process, several times as much.

use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisError};
use tokio::sync::{mpsc, oneshot};

/// Keys of one question.
const MAX_KEYS: usize = 256;
/// Reads that may wait to be gathered; more wait in front of the queue.
const MAX_WAITING: usize = 1_024;

type Value = Option<Vec<u8>>;

/// A read, and where its answer goes.
#[derive(Debug)]
struct Wanted {
    key: String,
    answer: oneshot::Sender<Result<Value, RedisError>>,
}

/// Asks one connection. The task behind it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Gets(mpsc::Sender<Wanted>);

impl Gets {
    pub(super) fn over(connection: MultiplexedConnection) -> Self {
        let (wanted, gathered) = mpsc::channel(MAX_WAITING);
        #[expect(
            clippy::disallowed_methods,
            reason = "this owns the task: it ends when the sender is dropped"
        )]
        tokio::spawn(ask(connection, gathered));
        Self(wanted)
    }

    /// The value of a key; `None` also where the runtime of the connection has ended.
    pub(super) async fn get(&self, key: String) -> Result<Value, RedisError> {
        let (answer, value) = oneshot::channel();
        match self.0.send(Wanted { key, answer }).await {
            Ok(()) => value.await.unwrap_or(Ok(None)),
            Err(_ended) => Ok(None),
        }
    }
}

/// Asks until nobody can ask any more. Every question ends: the connection has a timeout.
async fn ask(mut connection: MultiplexedConnection, mut gathered: mpsc::Receiver<Wanted>) {
    let mut wanted = Vec::new();
    while let Some(first) = gathered.recv().await {
        wanted.push(first);
        // Other calls that have come are worked up to their read before the question is put.
        tokio::task::yield_now().await;
        while wanted.len() < MAX_KEYS
            && let Ok(one) = gathered.try_recv()
        {
            wanted.push(one);
        }
        // Nobody waits for these any more.
        wanted.retain(|one| !one.answer.is_closed());
        if wanted.is_empty() {
            continue;
        }
        match values(&mut connection, &wanted).await {
            Ok(values) => {
                for (one, value) in wanted.drain(..).zip(values) {
                    // Who has gone needs no answer.
                    one.answer.send(Ok(value)).unwrap_or(());
                }
            },
            Err(error) => {
                for one in wanted.drain(..) {
                    one.answer.send(Err(error.clone())).unwrap_or(());
                }
            },
        }
    }
}

/// A value for each key, in their order; a value of another type than text is none.
async fn values(
    connection: &mut MultiplexedConnection,
    wanted: &[Wanted],
) -> Result<Vec<Value>, RedisError> {
    let mut command = Cmd::with_capacity(1 + wanted.len(), 64 * wanted.len());
    command.arg("MGET");
    for one in wanted {
        command.arg(&one.key);
    }
    command.query_async(connection).await
}
