use std::io::{self, Write};
use std::sync::Mutex;

use futures_util::{FutureExt, stream};
use tracing::Level;

use super::*;

/// What was logged.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How often a watch warns whose feed ends twice, and the second time this process stops, or already the first time.
async fn warnings(stops_at: usize) -> usize {
    // A line that a thread without subscriber reaches first would be off for all: those of the other tests have one.
    let everywhere = tracing_subscriber::fmt().with_writer(io::sink).finish();
    let _set_before = tracing::subscriber::set_global_default(everywhere);
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::WARN)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let watching = Watching {
        service: "scoring",
        feed: "ingestion",
        lag: Arc::default(),
        clock: Clock::real(),
    };
    let stop = CancellationToken::new();
    let begun = Mutex::new(0);
    let begin = || {
        *begun.lock().unwrap() += 1;
        if *begun.lock().unwrap() == stops_at {
            stop.cancel();
        }
        async { Ok(stream::empty().boxed()) }.boxed()
    };
    watching.watch(&Meters::none(), &stop, begin, |_| {}).await;
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    log.lines().count()
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_ends_is_warned_of_once_unless_this_process_stops() {
    assert_eq!(warnings(3).await, 1);
    assert_eq!(warnings(1).await, 0);
}
