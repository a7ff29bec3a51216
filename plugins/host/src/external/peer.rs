//! Who answers for a segmenter outside of this process, and what becomes of a call without an answer.

use std::io;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex as StdMutex, MutexGuard as StdGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, MutexGuard, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore, oneshot};
use tonic::Status;

use sextant_proto::segmenter::v1 as pb;

use crate::call::monotonic_ns;
use crate::external::child::{HostProcess, How};
use crate::external::client::{Client, Undescribed};
use crate::external::log::Lines;
use crate::external::{Allowance, Crash, Hosts, Server, StartError, Trouble};
use crate::{CallError, Verified, messages};

/// How long a server is not asked that did not answer, and how long it may take to: whoever waits for one that hangs waits for little.
const AWAY: Duration = Duration::from_secs(10);
const LONGEST_LOOK: Duration = Duration::from_secs(1);
/// A call that breaks off later has cost somebody time.
const AT_ONCE: Duration = Duration::from_millis(500);

/// Least time that a call has to end after it was cancelled, which the ABI promises.
const LEAST_GRACE: Duration = Duration::from_millis(10);

/// A call without an answer.
#[derive(Debug)]
pub(crate) enum Lost {
    /// These rows are in trouble, others may not be.
    Trouble(Trouble),
    /// This row, as the segmenter saw it, is in trouble: it says so itself.
    Row(usize, Trouble),
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
    Process(InCall),
    Server {
        _call: OwnedSemaphorePermit,
        since_ns: i64,
    },
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
            (Self::Process(peer), Turn::Process(call)) => peer.broke_off(call).await,
            (Self::Server(peer), Turn::Server { since_ns, .. }) => {
                peer.broke_off(since_ns);
                gone(status)
            },
            _ => gone(status),
        }
    }

    /// The call did not end in time, and was told to stop. A process that does not do so within the grace is killed, with nobody
    /// waiting. A server that does not answer anything else either is away.
    pub(crate) async fn overran(
        &self,
        turn: Turn,
        client: Client,
        (longest, killed): (Duration, impl FnOnce() + Send + 'static),
    ) -> Trouble {
        match (self, turn) {
            (Self::Process(peer), Turn::Process(call)) => {
                peer.overran(call, client, (longest, killed));
                Trouble::Overran
            },
            (Self::Server(peer), _) => peer.overran(client).await,
            (Self::Process(_), Turn::Server { .. }) => Trouble::Overran,
        }
    }

    /// It does not know what it knew before: a server may have become another one.
    pub(crate) async fn forgot(&self, client: &Client) -> Result<(), Lost> {
        match self {
            Self::Process(_) => Ok(()),
            Self::Server(peer) => peer.look(client, None).await,
        }
    }

    /// What its processes have written and what is told of it.
    pub(crate) fn lines(&self) -> &Lines {
        match self {
            Self::Process(peer) => &peer.how.lines,
            Self::Server(peer) => &peer.lines,
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
    /// Time in which calls were made of them.
    asked_ns: Arc<AtomicU64>,
}

/// A process between two calls.
#[derive(Debug)]
pub(crate) struct Rest<'p> {
    process: MutexGuard<'p, Option<HostProcess>>,
    losses: &'p AtomicU64,
}

impl Rest<'_> {
    pub(crate) fn process(&self) -> Option<&HostProcess> {
        self.process.as_ref()
    }

    /// Ends it.
    pub(crate) fn end(&mut self) {
        self.losses.fetch_add(1, Ordering::Relaxed);
        *self.process = None;
    }
}

/// A process in a call.
#[derive(Debug)]
pub(crate) struct InCall {
    process: OwnedMutexGuard<Option<HostProcess>>,
    since_ns: i64,
    asked_ns: Arc<AtomicU64>,
}

impl Drop for InCall {
    fn drop(&mut self) {
        let took = monotonic_ns().saturating_sub(self.since_ns);
        self.asked_ns
            .fetch_add(took.unsigned_abs(), Ordering::Relaxed);
    }
}

impl HostPeer {
    pub(crate) fn new(hosts: Hosts, file: Arc<Verified>, how: How, process: HostProcess) -> Self {
        Self {
            hosts,
            file,
            how,
            process: Arc::new(Mutex::new(Some(process))),
            losses: Arc::default(),
            asked_ns: Arc::default(),
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

    /// Its process between two calls. Nothing is asked of it meanwhile.
    pub(crate) async fn rest(&self) -> Rest<'_> {
        Rest {
            process: self.process.lock().await,
            losses: &self.losses,
        }
    }

    /// Time in which calls were made of its processes, in milliseconds.
    pub(crate) fn asked_ms(&self) -> f64 {
        Duration::from_nanos(self.asked_ns.load(Ordering::Relaxed)).as_secs_f64() * 1e3
    }

    /// Ends its process as soon as it is at rest. The next call starts another one.
    pub(crate) fn end_at_rest(&self) {
        let process = Arc::clone(&self.process);
        let _goes_on = self.hosts.go_on(async move {
            *process.lock().await = None;
        });
    }

    async fn turn(&self) -> Result<(Turn, Client), Lost> {
        let process = Arc::clone(&self.process).lock_owned().await;
        let known = process.as_ref().map(HostProcess::client);
        let (process, client) = match known {
            Some(client) => (process, client),
            None => self.started(process).await?,
        };
        let call = InCall {
            process,
            since_ns: monotonic_ns(),
            asked_ns: Arc::clone(&self.asked_ns),
        };
        Ok((Turn::Process(call), client))
    }

    /// Starts a process. One that comes too late for this caller is there for the next one.
    async fn started(
        &self,
        mut process: OwnedMutexGuard<Option<HostProcess>>,
    ) -> Result<(OwnedMutexGuard<Option<HostProcess>>, Client), Lost> {
        let (hosts, file, how) = (self.hosts.clone(), Arc::clone(&self.file), self.how.clone());
        let (tell, told) = oneshot::channel();
        let _goes_on = self.hosts.go_on(async move {
            let started = HostProcess::start(&hosts, &file, &how).await;
            let started = started.map(|started| {
                let client = process.insert(started).client();
                (process, client)
            });
            let _nobody_waits = tell.send(started);
        });
        let gone = |_ended| StartError::Io(io::Error::other("the service ends"));
        let started = told.await.map_err(gone).and_then(|started| started);
        started.map_err(not_started)
    }

    async fn broke_off(&self, mut call: InCall) -> Trouble {
        self.losses.fetch_add(1, Ordering::Relaxed);
        let crash = match call.process.take() {
            Some(process) => process.end().await,
            None => Crash::default(),
        };
        Trouble::Crashed(crash)
    }

    fn overran(
        &self,
        mut call: InCall,
        client: Client,
        (longest, killed): (Duration, impl FnOnce() + Send + 'static),
    ) {
        let grace = (longest / 5).max(LEAST_GRACE);
        let losses = Arc::clone(&self.losses);
        let _goes_on = self.hosts.go_on(async move {
            // It answers this as soon as it has stopped.
            if client.describe(grace).await.is_err() {
                losses.fetch_add(1, Ordering::Relaxed);
                killed();
                *call.process = None;
            }
        });
    }
}

fn not_started(error: StartError) -> Lost {
    Lost::Trouble(Trouble::NotStarted(error.finding().told()))
}

/// Where a server is, and who asks there.
#[derive(Debug)]
struct Place {
    server: Server,
    client: Client,
    /// How often it has moved.
    moves: u64,
}

/// A server that a team runs.
#[derive(Debug)]
pub(crate) struct ServerPeer {
    place: StdMutex<Place>,
    lines: Lines,
    calls: Arc<Semaphore>,
    /// SHA-256 of what it said of itself when it was registered.
    digest: [u8; 32],
    /// How long it is taken to be what it was, in nanoseconds.
    trusted_for_ns: i64,
    /// When it last said the same, on the machine's monotonic clock.
    same_at_ns: AtomicI64,
    /// Until when it is not asked.
    away_until_ns: AtomicI64,
}

impl ServerPeer {
    /// A server that has just described itself.
    pub(crate) fn new(
        (server, client): (Server, Client),
        allowance: &Allowance,
        told: &pb::DescribeResponse,
    ) -> Self {
        let place = Place {
            server,
            client,
            moves: 0,
        };
        Self {
            place: StdMutex::new(place),
            lines: Lines::default(),
            calls: Arc::new(Semaphore::new(allowance.calls_at_once)),
            digest: digest_of(told),
            trusted_for_ns: i64::try_from(allowance.trusted_for.as_nanos()).unwrap_or(i64::MAX),
            same_at_ns: AtomicI64::new(monotonic_ns()),
            away_until_ns: AtomicI64::default(),
        }
    }

    fn place(&self) -> StdGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is asked there already.
    pub(crate) fn is_at(&self, server: &Server) -> bool {
        self.place().server == *server
    }

    /// It is asked elsewhere from now on, once it has said there what it is.
    pub(crate) fn move_to(&self, server: Server, client: Client) {
        let mut place = self.place();
        *place = Place {
            server,
            client,
            moves: place.moves + 1,
        };
        self.same_at_ns.store(i64::MIN, Ordering::Relaxed);
        self.away_until_ns.store(i64::MIN, Ordering::Relaxed);
    }

    /// It did not answer, and is not asked for a while.
    fn note_away(&self) {
        let away_ns = i64::try_from(AWAY.as_nanos()).unwrap_or(i64::MAX);
        let until_ns = monotonic_ns().saturating_add(away_ns);
        self.away_until_ns.store(until_ns, Ordering::Relaxed);
    }

    /// A call broke off.
    fn broke_off(&self, since_ns: i64) {
        let took = monotonic_ns().saturating_sub(since_ns).unsigned_abs();
        if Duration::from_nanos(took) > AT_ONCE {
            self.note_away();
        }
    }

    /// A call did not end in time: for its rows, or because it answers nothing.
    async fn overran(&self, client: Client) -> Trouble {
        if client.describe(LONGEST_LOOK).await.is_ok() {
            return Trouble::Overran;
        }
        self.note_away();
        Trouble::Gone("it does not answer in time".to_owned())
    }

    async fn turn(&self) -> Result<(Turn, Client), Lost> {
        if monotonic_ns() < self.away_until_ns.load(Ordering::Relaxed) {
            let why = "it did not answer a moment ago, and is asked again in some seconds";
            return Err(Lost::Trouble(Trouble::Gone(why.to_owned())));
        }
        let calls = Arc::clone(&self.calls).acquire_owned().await;
        let closed = |_closed| Lost::Trouble(Trouble::Gone("it is not used any more".to_owned()));
        let turn = Turn::Server {
            _call: calls.map_err(closed)?,
            since_ns: monotonic_ns(),
        };
        let (client, moves) = {
            let place = self.place();
            (place.client.clone(), place.moves)
        };
        let since_ns = monotonic_ns().saturating_sub(self.same_at_ns.load(Ordering::Relaxed));
        if since_ns > self.trusted_for_ns {
            self.look(&client, Some(moves)).await?;
        }
        Ok((turn, client))
    }

    /// Looks whether it says the same of itself.
    async fn look(&self, client: &Client, moves: Option<u64>) -> Result<(), Lost> {
        let since_ns = monotonic_ns();
        let trouble = match client.describe(LONGEST_LOOK).await {
            Ok(told) if digest_of(&told) == self.digest => {
                let place = self.place();
                // What has answered may be where it was before.
                if moves == Some(place.moves) {
                    self.same_at_ns.store(monotonic_ns(), Ordering::Relaxed);
                }
                return Ok(());
            },
            Ok(_another) => return Err(Lost::All(CallError::DescriptorChanged)),
            Err(Undescribed::Off(status)) => gone(&status),
            Err(late) => Trouble::Gone(late.to_string()),
        };
        self.broke_off(since_ns);
        Err(Lost::Trouble(trouble))
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
