//! A thread that ends the process when the executor cannot: a task that blocks its thread, or a connection that a graceful
//! shutdown waits for without end (hyper#4170).

use std::thread;
use std::time::Duration;

/// What happens when a shutdown takes longer than planned.
#[derive(Debug, Clone, Copy)]
pub enum Expiry {
    /// The process exits at once.
    ExitProcess,
    /// A function is called with the exit code, on the watchdog's thread.
    Call(fn(i32)),
}

pub(crate) struct Watchdog;

impl Watchdog {
    /// Starts the countdown. Never disarmed: the end of the process disarms it.
    pub(crate) fn arm(after: Duration, expiry: Expiry, code: i32) {
        let countdown = move || {
            // A plain sleep is right on a thread of our own: no executor waits for it.
            #[expect(clippy::disallowed_methods, reason = "not an executor thread")]
            thread::sleep(after);
            match expiry {
                Expiry::ExitProcess => {
                    tracing::error!("shutdown took longer than planned, exiting");
                    std::process::exit(code);
                },
                Expiry::Call(function) => function(code),
            }
        };
        if let Err(error) = thread::Builder::new()
            .name("shutdown-watchdog".to_owned())
            .spawn(countdown)
        {
            tracing::warn!(%error, "no thread for the shutdown watchdog");
        }
    }
}
