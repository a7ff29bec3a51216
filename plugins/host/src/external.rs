//! Segmenters outside of this process: whatever they do, the service goes on.
//!
//! A host process serves one version of a shared object, one call at a time. A process that crashes, or does not end a call in time,
//! is killed and started again; rows that bring it down are found by halving the batch, and stay without an answer. A server that a
//! team runs is asked over the same contract.

mod answering;
mod asking;
mod breaker;
mod breakers;
mod child;
mod client;
mod configuring;
mod fitting;
mod hosts;
mod instance;
mod log;
mod peer;
mod poison;
mod server;
mod usage;
mod watch;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use sextant_proto::segmenter::v1 as pb;

use crate::check::{Check, Finding};
use crate::external::breakers::Breakers;
use crate::external::child::{HostProcess, How};
use crate::external::client::Undescribed;
use crate::external::log::Lines;
use crate::external::peer::{HostPeer, Peer, ServerPeer};
use crate::external::poison::Poison;
use crate::messages::plain;
use crate::process::sandbox;
use crate::{Descriptor, LoadError, Verified, elf, messages};

pub use crate::external::breakers::Failing;
pub use crate::external::hosts::Hosts;
pub use crate::external::instance::ExternalInstance;
pub use crate::external::log::WrittenLine;
pub use crate::external::server::Server;
pub use crate::external::usage::Usage;

/// Memory of a segmenter whose descriptor does not say how much it needs.
const DEFAULT_MEMORY_MB: u32 = 256;

/// What an operator allows a segmenter.
#[derive(Debug, Clone)]
pub struct Allowance {
    /// Most memory, in MiB, whatever its descriptor asks for.
    pub memory_mb: u32,
    /// Longest time of one call of its code. A batch that is halved takes several.
    pub longest_call: Duration,
    /// True: it is refused where this kernel does not offer the whole sandbox.
    pub needs_whole_sandbox: bool,
    /// Longest time of a fit.
    pub longest_fit: Duration,
    /// Most calls of a server at one time.
    pub calls_at_once: usize,
    /// How long a server is taken to be what it was, before it is asked again what it is.
    pub trusted_for: Duration,
}

impl Default for Allowance {
    fn default() -> Self {
        Self {
            memory_mb: 1_024,
            longest_call: Duration::from_secs(1),
            needs_whole_sandbox: false,
            longest_fit: Duration::from_secs(600),
            calls_at_once: 4,
            trusted_for: Duration::from_secs(10),
        }
    }
}

/// Longest wait for a description.
const LONGEST_DESCRIPTION: Duration = Duration::from_secs(2);
/// Bytes that are shown of what a process printed.
const LAST_WORDS_BYTES: usize = 600;

/// How a process ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Crash {
    /// Number of the signal that ended it.
    pub signal: Option<i32>,
    /// Its exit code, where it ended by itself.
    pub code: Option<i32>,
    /// Where in its file it crashed, such as "at 0x1139 of its file", which is for `addr2line`; `None`: not known.
    pub fault: Option<Arc<str>>,
    /// The last that it printed, at most 64 KiB.
    pub printed: Arc<str>,
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.signal, self.code) {
            (Some(4), _) => f.write_str("it crashed (SIGILL)"),
            (Some(6), _) => f.write_str("it aborted (SIGABRT)"),
            (Some(7), _) => f.write_str("it crashed (SIGBUS)"),
            (Some(8), _) => f.write_str("it crashed (SIGFPE)"),
            (Some(11), _) => f.write_str("it crashed (SIGSEGV)"),
            (Some(signal), _) => write!(f, "it ended by signal {signal}"),
            (None, Some(code)) => write!(f, "it ended its process with code {code}"),
            (None, None) => f.write_str("its process hung up"),
        }
    }
}

impl Crash {
    /// Where it was, to follow the crash in a sentence; empty: not known.
    pub(crate) fn place(&self) -> String {
        let fault = self.fault.as_ref();
        fault.map_or(String::new(), |fault| format!(", {fault}"))
    }

    /// All that its author may want to know, to follow the crash in a sentence.
    pub(crate) fn details(&self) -> String {
        let place = self.place();
        let end = self.printed.floor_char_boundary(LAST_WORDS_BYTES);
        match self.printed.get(..end) {
            None | Some("") => place,
            Some(printed) => format!("{place}; it printed: {}", plain(printed)),
        }
    }
}

/// Why rows have no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// The segmenter's process ended.
    Crashed(Crash),
    /// The segmenter's server does not answer.
    Gone(String),
    /// No process could be started for the segmenter.
    NotStarted(String),
    /// The call did not end in time.
    Overran,
    /// The segmenter answered with an error, or with what breaks the contract.
    Failed(String),
    /// It has failed too often, at last so, and is not asked any more.
    Quarantined(Arc<str>),
}

impl Trouble {
    /// Whether it has nothing to do with the rows that were shown.
    #[must_use]
    pub const fn is_of_all_rows(&self) -> bool {
        matches!(
            self,
            Self::Gone(_) | Self::NotStarted(_) | Self::Quarantined(_)
        )
    }

    /// In one word, for counting and for programs.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Crashed(_) => "crashed",
            Self::Gone(_) => "gone",
            Self::NotStarted(_) => "not_started",
            Self::Overran => "overran",
            Self::Failed(_) => "failed",
            Self::Quarantined(_) => "quarantined",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crashed(crash) => write!(f, "{crash}"),
            Self::Gone(why) => write!(f, "its server does not answer: {why}"),
            Self::NotStarted(why) => write!(f, "no process could be started for it: {why}"),
            Self::Overran => f.write_str("it did not answer in time"),
            Self::Failed(what) => f.write_str(what),
            Self::Quarantined(last) => write!(
                f,
                "it has failed too often and is not asked any more; at last so: {last}"
            ),
        }
    }
}

/// Why a process did not become a host.
#[derive(Debug)]
pub(crate) enum StartError {
    Refused { check_id: String, what: String },
    Crashed(Crash),
    Overran(Duration),
    Connection(tonic::transport::Error),
    Io(io::Error),
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl StartError {
    fn finding(self) -> Finding {
        match self {
            Self::Refused { check_id, what } => {
                let check = Check::by_id(&check_id).unwrap_or(Check::Loadable);
                Finding::new(check, messages::told(&what))
            },
            Self::Crashed(crash) => {
                Finding::new(Check::Crash, format!("{crash}{}", crash.details()))
            },
            Self::Overran(longest) => Finding::new(
                Check::LoadTime,
                format!("it is not loaded after {longest:?}"),
            ),
            Self::Connection(error) => {
                Finding::new(Check::Process, "it does not speak").caused_by(error)
            },
            Self::Io(error) => {
                Finding::new(Check::Process, "no process could be started for it").caused_by(error)
            },
        }
    }
}

/// A segmenter outside of this process: in a host process, or a server that a team runs. Cheap to clone; with the last clone, a host
/// process ends.
#[derive(Debug, Clone)]
pub struct External {
    shared: Arc<Shared>,
}

/// What a segmenter is started for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Purpose {
    /// To answer as much as it can.
    Serve,
    /// To be judged: what it takes is measured, so its memory comes in small pieces.
    Judge,
    /// To be judged on another day of the machine's clock.
    Later,
    /// To be judged with columns at an offset, which are looked at again after a call.
    Observe,
}

#[derive(Debug)]
struct Shared {
    hosts: Hosts,
    descriptor: Arc<Descriptor>,
    /// What it says of itself.
    told: pb::DescribeResponse,
    digest: [u8; 32],
    sandbox_lacks: Vec<String>,
    allowance: Allowance,
    purpose: Purpose,
    peer: Peer,
    breakers: Mutex<Breakers>,
    /// Batches until now.
    batches: AtomicU64,
    poison: Mutex<Poison>,
}

impl External {
    /// Starts a process and loads the segmenter there.
    ///
    /// # Errors
    ///
    /// The check of loading that failed, its crash among them.
    pub fn start(
        hosts: &Hosts,
        file: impl Into<Arc<Verified>>,
        allowance: Allowance,
    ) -> Result<Self, LoadError> {
        Self::start_for(hosts, file.into(), allowance, Purpose::Serve)
    }

    /// The same for a purpose. Of one that is being judged, what goes wrong is told at once, and not made good.
    pub(crate) fn start_for(
        hosts: &Hosts,
        file: Arc<Verified>,
        allowance: Allowance,
        purpose: Purpose,
    ) -> Result<Self, LoadError> {
        let path = file.path().to_owned();
        let started = Self::try_start(hosts, file, allowance, purpose);
        started.map_err(|finding| LoadError::new(&path, finding))
    }

    fn try_start(
        hosts: &Hosts,
        file: Arc<Verified>,
        allowance: Allowance,
        purpose: Purpose,
    ) -> Result<Self, Finding> {
        let how = How {
            memory_bytes: memory_bytes(file.descriptor(), &allowance),
            lines: Lines::default(),
            purpose,
            in_background: false,
            needs_whole_sandbox: allowance.needs_whole_sandbox,
        };
        let starting = start(hosts.clone(), Arc::clone(&file), how.clone());
        let none = || StartError::Io(io::Error::other("the thread of host processes has ended"));
        let started = hosts.wait_for(None, starting).ok_or_else(none);
        let started = started.and_then(|started| started);
        let (process, told) = started.map_err(StartError::finding)?;
        let sandbox_lacks = process.sandbox_lacks.clone();
        if allowance.needs_whole_sandbox && !sandbox_lacks.is_empty() {
            return Err(sandbox::finding(&sandbox_lacks));
        }
        let peer = HostPeer::new(hosts.clone(), Arc::clone(&file), how, process);
        let started = Self::of(Shared {
            hosts: hosts.clone(),
            descriptor: Arc::new(file.descriptor().clone()),
            told,
            digest: *file.digest(),
            sandbox_lacks,
            allowance,
            purpose,
            peer: Peer::Process(peer),
            breakers: Mutex::new(Breakers::of(&file.descriptor().id)),
            batches: AtomicU64::default(),
            poison: Mutex::default(),
        });
        if purpose == Purpose::Serve {
            let _until_nobody_has_it = hosts.go_on(watch::watch(Arc::downgrade(&started.shared)));
        }
        Ok(started)
    }

    /// Asks a server what it is. It is looked at again from time to time; one that says something else of itself is not asked any more.
    ///
    /// # Errors
    ///
    /// It does not answer, or with a descriptor that fails a check.
    pub fn connect(
        hosts: &Hosts,
        server: &Server,
        allowance: Allowance,
    ) -> Result<Self, LoadError> {
        Self::connect_for(hosts, server, allowance, Purpose::Serve)
    }

    /// The same for a purpose.
    pub(crate) fn connect_for(
        hosts: &Hosts,
        server: &Server,
        allowance: Allowance,
        purpose: Purpose,
    ) -> Result<Self, LoadError> {
        let connected = Self::try_connect(hosts, server, (allowance, purpose));
        connected.map_err(|finding| LoadError::new(Path::new(&server.address), finding))
    }

    fn try_connect(
        hosts: &Hosts,
        server: &Server,
        (allowance, purpose): (Allowance, Purpose),
    ) -> Result<Self, Finding> {
        let client = server.client(hosts)?;
        let asked = client.clone();
        let told = hosts.wait_for(
            None,
            async move { asked.describe(LONGEST_DESCRIPTION).await },
        );
        let no_answer = |why: String| Finding::new(Check::Answers, why);
        let told =
            told.ok_or_else(|| no_answer("the thread of host processes has ended".to_owned()))?;
        let told = told.map_err(|undescribed| no_answer(undescribed.to_string()))?;
        let descriptor = elf::descriptor(told.descriptor_json.as_bytes())?;
        if told.fits {
            let what = "it has to be fitted, and a server learns by itself";
            return Err(Finding::new(Check::Supported, what));
        }
        let peer = ServerPeer::new((server.clone(), client), &allowance, &told);
        let breakers = Breakers::of(&descriptor.id);
        Ok(Self::of(Shared {
            hosts: hosts.clone(),
            descriptor: Arc::new(descriptor),
            digest: peer::digest_of(&told),
            told,
            sandbox_lacks: Vec::new(),
            allowance,
            purpose,
            peer: Peer::Server(Box::new(peer)),
            breakers: Mutex::new(breakers),
            batches: AtomicU64::default(),
            poison: Mutex::default(),
        }))
    }

    fn of(shared: Shared) -> Self {
        Self {
            shared: Arc::new(shared),
        }
    }

    /// What it reads, what it answers, how it is configured.
    pub fn descriptor(&self) -> &Descriptor {
        &self.shared.descriptor
    }

    /// The descriptor as its author wrote it.
    pub fn descriptor_json(&self) -> &str {
        &self.shared.told.descriptor_json
    }

    /// SHA-256: of the file of a segmenter in a host process, of what a server says of itself.
    pub fn digest(&self) -> &[u8; 32] {
        &self.shared.digest
    }

    /// Whether it can give reasons.
    pub fn explains(&self) -> bool {
        self.shared.told.explains
    }

    /// Whether it has to be fitted, and answers from the state that this leaves.
    pub fn fits(&self) -> bool {
        self.shared.told.fits
    }

    /// Whether it promises the same bytes for the same configuration, call and rows.
    pub fn is_deterministic(&self) -> bool {
        self.shared.told.deterministic
    }

    /// Whether it promises that a row's answer does not depend on other rows.
    pub fn is_row_independent(&self) -> bool {
        self.shared.told.row_independent
    }

    /// Whether it has failed too often and is not asked at present, whatever its configuration.
    pub fn is_quarantined(&self) -> bool {
        self.failure().is_some()
    }

    /// What it has failed with last, where it is not asked at present, whatever its configuration.
    pub fn failure(&self) -> Option<Trouble> {
        self.shared.breakers().failure()
    }

    /// What it has failed with last, where that has to do with none of its configurations.
    pub fn failure_of_all(&self) -> Option<Trouble> {
        self.shared.breakers().failure_of_all()
    }

    /// The configurations with which it has failed too often, and is not asked at present.
    pub fn failing(&self) -> Vec<Failing> {
        self.shared.breakers().failing()
    }

    /// Lets it be asked again, also about rows with which it has failed.
    pub fn release(&self) {
        self.shared.breakers().close();
        self.shared.poison().forget();
    }

    /// Whether it is asked there already; one in a host process is nowhere else.
    pub fn is_at(&self, server: &Server) -> bool {
        match &self.shared.peer {
            Peer::Server(peer) => peer.is_at(server),
            Peer::Process(_) => true,
        }
    }

    /// Asks a server elsewhere from now on, or with another token; of a segmenter in a host process, nothing.
    ///
    /// # Errors
    ///
    /// The address or the token cannot be used.
    pub fn move_to(&self, server: &Server) -> Result<(), LoadError> {
        if let Peer::Server(peer) = &self.shared.peer {
            let client = server.client(&self.shared.hosts);
            let path = Path::new(&server.address);
            let client = client.map_err(|finding| LoadError::new(path, finding))?;
            peer.move_to(server.clone(), client);
        }
        Ok(())
    }

    /// Ends its process, if it has one, as soon as it is at rest: it is not to be asked any more.
    pub fn end_process(&self) {
        if let Peer::Process(peer) = &self.shared.peer {
            peer.end_at_rest();
        }
    }

    /// What this kernel does not offer of the sandbox, one entry each.
    pub fn sandbox_lacks(&self) -> &[String] {
        &self.shared.sandbox_lacks
    }

    /// What its process takes, where it has one of its own. Waits until that is at rest.
    pub fn usage(&self) -> Option<Usage> {
        let shared = Arc::clone(&self.shared);
        let looking = async move {
            let Peer::Process(peer) = &shared.peer else {
                return None;
            };
            Usage::of(peer.rest().await.process()?.id())
        };
        self.shared.hosts.wait_for(None, looking)?
    }

    /// How many files and the like its process has open, where it has one of its own. Waits until that is at rest.
    pub(crate) fn open_files(&self) -> Option<u64> {
        let shared = Arc::clone(&self.shared);
        let looking = async move {
            let Peer::Process(peer) = &shared.peer else {
                return None;
            };
            usage::open_files(peer.rest().await.process()?.id())
        };
        self.shared.hosts.wait_for(None, looking)?
    }

    /// Memory that its process has allocated by the allocator of C and not freed, in bytes. Waits until that is at rest.
    pub(crate) fn heap_bytes(&self) -> Option<u64> {
        let shared = Arc::clone(&self.shared);
        let asking = async move {
            let Peer::Process(peer) = &shared.peer else {
                return None;
            };
            let client = peer.rest().await.process()?.client();
            client.heap_bytes(LONGEST_DESCRIPTION).await
        };
        self.shared.hosts.wait_for(None, asking)?
    }

    /// The last lines that its processes have written here and that were told of it, newest first.
    pub fn lines(&self) -> Vec<WrittenLine> {
        self.shared.peer.lines().newest_first()
    }

    /// Processes that were lost since it was started.
    pub fn losses(&self) -> u64 {
        self.shared.peer.losses()
    }
}

impl Shared {
    fn breakers(&self) -> MutexGuard<'_, Breakers> {
        self.breakers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poison(&self) -> MutexGuard<'_, Poison> {
        self.poison.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn start(
    hosts: Hosts,
    file: Arc<Verified>,
    how: How,
) -> Result<(HostProcess, pb::DescribeResponse), StartError> {
    let process = HostProcess::start(&hosts, &file, &how).await?;
    match process.client().describe(LONGEST_DESCRIPTION).await {
        Ok(told) => Ok((process, told)),
        Err(Undescribed::Late) => Err(StartError::Overran(LONGEST_DESCRIPTION)),
        Err(Undescribed::Off(_hung_up)) => Err(StartError::Crashed(process.end().await)),
    }
}

/// What the descriptor asks for, as far as the operator allows it.
pub(crate) fn memory_bytes(descriptor: &Descriptor, allowance: &Allowance) -> u64 {
    let asked = descriptor.limits.memory_mb.unwrap_or(DEFAULT_MEMORY_MB);
    u64::from(asked.min(allowance.memory_mb)) << 20
}
