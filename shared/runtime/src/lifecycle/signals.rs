//! Signals as values, so that a test can send them.

use std::fmt;
use std::io;

use tokio::signal::unix::{Signal as Unix, SignalKind, signal};
use tokio::sync::mpsc;

/// A request from outside to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: an orchestrator; load balancers need time to notice.
    Terminate,
    /// SIGINT: a person at a terminal.
    Interrupt,
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
        })
    }
}

/// Where signals come from.
#[derive(Debug)]
pub struct Signals {
    source: Source,
}

#[derive(Debug)]
enum Source {
    Process { terminate: Unix, interrupt: Unix },
    Channel(mpsc::Receiver<Signal>),
}

impl Signals {
    /// The signals of this process. From here on they no longer kill it.
    ///
    /// # Errors
    /// The handlers cannot be installed.
    pub fn of_process() -> io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self {
            source: Source::Process {
                terminate,
                interrupt,
            },
        })
    }

    /// Signals that a program sends to itself. A closed channel sends nothing more.
    #[must_use]
    pub fn from_channel(receiver: mpsc::Receiver<Signal>) -> Self {
        Self {
            source: Source::Channel(receiver),
        }
    }

    /// The next signal; waits for ever if there is none.
    pub(crate) async fn next(&mut self) -> Signal {
        let received = match &mut self.source {
            Source::Process {
                terminate,
                interrupt,
            } => tokio::select! {
                received = terminate.recv() => received.map(|()| Signal::Terminate),
                received = interrupt.recv() => received.map(|()| Signal::Interrupt),
            },
            Source::Channel(receiver) => receiver.recv().await,
        };
        match received {
            Some(signal) => signal,
            None => std::future::pending().await,
        }
    }
}
