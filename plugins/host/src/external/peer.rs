//! Who answers for a segmenter outside of this process, and what becomes of a call without an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tonic::Status;

use sextant_proto::segmenter::v1 as pb;

use crate::call::monotonic_ns;
use crate::external::child::{HostProcess, How};
use crate::external::client::Client;
use crate::external::log::WrittenLine;
use crate::external::{Allowance, Crash, Hosts, StartError, Trouble, Usage};
use crate::{CallError, Verified, messages};

/// Least time that a call has to end after it was cancelled, which the ABI promises.
const LEAST_GRACE: Duration = Duration::from_millis(10);

/// A call without an answer.
#[derive(Debug)]
pub(crate) enum Lost {
    /// These rows are in trouble, others may not be.
    Trouble(Trouble),
    /// No row would be answered: the configuration is refused, for one.
    All(CallError),
}

/// Who answers.
#[derive(Debug)]
pub(crate) enum Peer {
    Process(HostPeer),
    Server(Box<ServerPeer>),
}

/// The right to make a call. Of a process one call has it, so that a process that has to be killed has one call in it.
#[derive(Debug)]
pub(crate) enum Turn {
    Process(OwnedMutexGuard<Option<HostProcess>>),
    Server { _call: OwnedSemaphorePermit },
}

impl Peer {
    /// Waits for a turn; a process that was lost is started again.
    pub(crate) async fn turn(&self) -> Result<(Turn, Client), Lost> {
        match self {
            Self::Process(peer) => peer.turn().await,
            Self::Server(peer) => peer.turn().await,
        }
    }

    /// The call broke off.
    pub(crate) async fn broke_off(&self, turn: Turn, status: &Status) -> Trouble {
        match (self, turn) {
            (Self::Process(peer), Turn::Process(process)) => peer.broke_off(process).await,
            _ => gone(status),
        }
    }

    /// The call did not end in time, and was told to stop. A process that does not do so within the grace is killed, with nobody
    /// waiting.
    pub(crate) fn overran(
        &self,
        turn: Turn,
        client: Client,
        (longest, killed): (Duration, impl FnOnce() + Send + 'static),
    ) -> Trouble {
        if let (Self::Process(peer), Turn::Process(process)) = (self, turn) {
            peer.overran(process, client, (longest, killed));
        }
        Trouble::Overran
    }

    /// It does not know what it knew before: a server may have become another one.
    pub(crate) async fn forgot(&self, client: &mut Client) -> Result<(), Lost> {
        match self {
            Self::Process(_) => Ok(()),
            Self::Server(peer) => peer.look(client).await,
        }
    }

    /// What the process takes, if it is at rest.
    pub(crate) fn usage(&self) -> Option<Usage> {
        let Self::Process(peer) = self else {
            return None;
        };
        let process = peer.process.try_lock().ok()?;
        Usage::of(process.as_ref()?.id())
    }

    /// The last lines that its processes have written, newest first.
    pub(crate) fn lines(&self) -> Vec<WrittenLine> {
        match self {
            Self::Process(peer) => peer.how.lines.newest_first(),
            Self::Server(_) => Vec::new(),
        }
    }

    /// Processes that were lost.
    pub(crate) fn losses(&self) -> u64 {
        match self {
            Self::Process(peer) => peer.losses.load(Ordering::Relaxed),
            Self::Server(_) => 0,
        }
    }
}

/// A process that is started again when it is lost.
#[derive(Debug)]
pub(crate) struct HostPeer {
    hosts: Hosts,
    file: Arc<Verified>,
    how: How,
    process: Arc<Mutex<Option<HostProcess>>>,
    losses: Arc<AtomicU64>,
}

impl HostPeer {
    pub(crate) fn new(hosts: Hosts, file: Arc<Verified>, how: How, process: HostProcess) -> Self {
        Self {
            hosts,
            file,
            how,
            process: Arc::new(Mutex::new(Some(process))),
            losses: Arc::default(),
        }
    }

    /// What another process of it is started with that gives way to others.
    pub(crate) fn in_background(&self) -> (Arc<Verified>, How) {
        let how = How {
            in_background: true,
            ..self.how.clone()
        };
        (Arc::clone(&self.file), how)
    }

    /// Its process, the threads that this had once it was loaded, and what it takes, if it is at rest.
    pub(crate) fn at_rest(&self) -> Option<(u32, u64, Usage)> {
        let process = self.process.try_lock().ok()?;
        let process = process.as_ref()?;
        let usage = Usage::of(process.id())?;
        Some((process.id(), process.loaded_threads, usage))
    }

    /// Ends a process that is at rest; false: it is not.
    pub(crate) fn end(&self, number: u32) -> bool {
        let Ok(mut process) = self.process.try_lock() else {
            return false;
        };
        let is_it = process
            .as_ref()
            .is_some_and(|process| process.id() == number);
        if is_it {
            self.losses.fetch_add(1, Ordering::Relaxed);
            *process = None;
        }
        is_it
    }

    /// Ends its process as soon as it is at rest. The next call starts another one.
    pub(crate) fn end_at_rest(&self) {
        let process = Arc::clone(&self.process);
        let _goes_on = self.hosts.go_on(async move {
            *process.lock().await = None;
        });
    }

    async fn turn(&self) -> Result<(Turn, Client), Lost> {
        let mut process = Arc::clone(&self.process).lock_owned().await;
        let client = match process.as_ref() {
            Some(process) => process.client(),
            None => {
                let started = HostProcess::start(&self.hosts, &self.file, &self.how).await;
                process.insert(started.map_err(not_started)?).client()
            },
        };
        Ok((Turn::Process(process), client))
    }

    async fn broke_off(&self, mut process: OwnedMutexGuard<Option<HostProcess>>) -> Trouble {
        self.losses.fetch_add(1, Ordering::Relaxed);
        let crash = match process.take() {
            Some(process) => process.end().await,
            None => Crash::default(),
        };
        Trouble::Crashed(crash)
    }

    fn overran(
        &self,
        mut process: OwnedMutexGuard<Option<HostProcess>>,
        mut client: Client,
        (longest, killed): (Duration, impl FnOnce() + Send + 'static),
    ) {
        let grace = (longest / 5).max(LEAST_GRACE);
        let losses = Arc::clone(&self.losses);
        let _goes_on = self.hosts.go_on(async move {
            // It answers this as soon as it has stopped.
            let stopped = timeout(grace, client.describe()).await;
            if !matches!(stopped, Ok(Ok(_))) {
                losses.fetch_add(1, Ordering::Relaxed);
                killed();
                *process = None;
            }
        });
    }
}

fn not_started(error: StartError) -> Lost {
    Lost::Trouble(Trouble::NotStarted(error.finding().told()))
}

/// A server that a team runs.
#[derive(Debug)]
pub(crate) struct ServerPeer {
    client: Client,
    calls: Arc<Semaphore>,
    /// SHA-256 of what it said of itself when it was registered.
    digest: [u8; 32],
    /// How long it is taken to be what it was, in nanoseconds.
    trusted_for_ns: i64,
    /// When it last said the same, on the machine's monotonic clock.
    same_at_ns: AtomicI64,
}

impl ServerPeer {
    /// A server that has just described itself.
    pub(crate) fn new(client: Client, allowance: &Allowance, told: &pb::DescribeResponse) -> Self {
        Self {
            client,
            calls: Arc::new(Semaphore::new(allowance.calls_at_once)),
            digest: digest_of(told),
            trusted_for_ns: i64::try_from(allowance.trusted_for.as_nanos()).unwrap_or(i64::MAX),
            same_at_ns: AtomicI64::new(monotonic_ns()),
        }
    }

    async fn turn(&self) -> Result<(Turn, Client), Lost> {
        let calls = Arc::clone(&self.calls).acquire_owned().await;
        let closed = |_closed| Lost::Trouble(Trouble::Gone("it is not used any more".to_owned()));
        let turn = Turn::Server {
            _call: calls.map_err(closed)?,
        };
        let mut client = self.client.clone();
        let since_ns = monotonic_ns().saturating_sub(self.same_at_ns.load(Ordering::Relaxed));
        if since_ns > self.trusted_for_ns {
            self.look(&mut client).await?;
        }
        Ok((turn, client))
    }

    /// Looks whether it says the same of itself.
    async fn look(&self, client: &mut Client) -> Result<(), Lost> {
        let told = client
            .describe()
            .await
            .map_err(|status| Lost::Trouble(gone(&status)))?;
        if digest_of(&told) != self.digest {
            return Err(Lost::All(CallError::DescriptorChanged));
        }
        self.same_at_ns.store(monotonic_ns(), Ordering::Relaxed);
        Ok(())
    }
}

fn gone(status: &Status) -> Trouble {
    Trouble::Gone(format!(
        "{:?}: {}",
        status.code(),
        messages::told(status.message())
    ))
}

/// What a server is taken to be: its descriptor and its promises. The name of its software may change.
pub(crate) fn digest_of(told: &pb::DescribeResponse) -> [u8; 32] {
    let promises = [told.explains, told.deterministic, told.row_independent];
    Sha256::new_with_prefix(promises.map(u8::from))
        .chain_update(&told.descriptor_json)
        .finalize()
        .into()
}
