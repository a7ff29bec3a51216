//! One host process as the service sees it: started, spoken with, ended.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic::transport::Endpoint;
use tower::service_fn;

use crate::Verified;
use crate::external::client::Client;
use crate::external::log::{Lines, Log};
use crate::external::{Crash, Hosts, Purpose, StartError, Usage};
use crate::messages::WINDOW_BYTES;
use crate::process::{Greeting, Hello, Lacks, PROGRAM, length, send_greeting};

/// Longest time until a process has loaded its segmenter.
const START: Duration = Duration::from_secs(5);

/// Longest time until the last words of a process that has ended are read.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// How a process is started.
#[derive(Debug, Clone)]
pub(crate) struct How {
    pub(crate) memory_bytes: u64,
    /// Where the lines go that it writes.
    pub(crate) lines: Lines,
    pub(crate) purpose: Purpose,
    /// True: it gives way to others.
    pub(crate) in_background: bool,
    pub(crate) needs_whole_sandbox: bool,
}

/// A host process. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct HostProcess {
    child: Kept,
    client: Client,
    printer: Printer,
    pub(crate) sandbox_lacks: Lacks,
    /// Its threads once the segmenter was loaded.
    pub(crate) loaded_threads: u64,
}

/// What takes up what a process prints.
#[derive(Debug)]
struct Printer {
    log: Arc<Mutex<Log>>,
    /// Ends when the process has closed its side.
    reading: JoinHandle<()>,
}

impl Printer {
    /// Writes down how a process ended, with its last words.
    async fn end(&mut self, status: Option<ExitStatus>) -> Crash {
        // All of them, unless somebody else holds the pipe open.
        let _all_is_read = timeout(LAST_WORDS, &mut self.reading).await;
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let crash = Crash {
            signal: status.and_then(|status| status.signal()),
            code: status.and_then(|status| status.code()),
            fault: log.fault().map(Arc::from),
            printed: log.tail().into(),
        };
        log.ended(&crash);
        crash
    }
}

impl HostProcess {
    /// Starts a process and has it load a segmenter.
    pub(crate) async fn start(
        hosts: &Hosts,
        file: &Verified,
        how: &How,
    ) -> Result<Self, StartError> {
        let (socket, theirs) = UnixStream::pair()?;
        let (printed, print) = io::pipe()?;
        let child = Command::new(hosts.program())
            .arg0(PROGRAM)
            .env_clear()
            .current_dir("/")
            .stdin(OwnedFd::from(theirs))
            .stdout(print.try_clone()?)
            .stderr(print)
            .spawn()?;
        let log = Log::shared(&file.descriptor().id, how.lines.clone());
        let reading = hosts.go_on(read_log(OwnedFd::from(printed), Arc::clone(&log)));
        let mut printer = Printer { log, reading };
        let mut child = Kept(Some(child));
        let greeting = Greeting {
            parent: i32::try_from(std::process::id()).unwrap_or(i32::MAX),
            descriptor: file.descriptor_json().to_owned(),
            memory_bytes: how.memory_bytes,
            purpose: how.purpose,
            in_background: how.in_background,
            needs_whole_sandbox: how.needs_whole_sandbox,
        };
        socket.set_write_timeout(Some(START))?;
        let greeted = send_greeting(&socket, &greeting, file.memory());
        socket.set_nonblocking(true)?;
        let mut socket = tokio::net::UnixStream::from_std(socket)?;
        let answered = match greeted {
            Ok(()) => timeout(START, hellos(&mut socket)).await,
            Err(error) => Ok(Err(error)),
        };
        let sandbox_lacks = match answered {
            Ok(Ok(told)) => told?,
            Ok(Err(_hung_up)) => {
                return Err(StartError::Crashed(end(&mut child, &mut printer).await));
            },
            Err(_elapsed) => return Err(StartError::Overran(START)),
        };
        let client = connect(socket).await.map_err(StartError::Connection)?;
        let usage = Usage::of(child.id());
        Ok(Self {
            loaded_threads: usage.map_or(0, |usage| usage.threads),
            child,
            client,
            printer,
            sandbox_lacks,
        })
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// How it ended, after a call of it was lost. One that lives is killed.
    pub(crate) async fn end(mut self) -> Crash {
        end(&mut self.child, &mut self.printer).await
    }
}

/// A process that is killed when it is not kept any more, and waited for where that holds up nobody: to give much memory back takes a
/// while, and one thread speaks with all processes.
#[derive(Debug)]
struct Kept(Option<Child>);

impl Kept {
    fn id(&self) -> u32 {
        self.0.as_ref().map_or(0, Child::id)
    }

    /// How it has ended, if it has.
    fn status(&mut self) -> Option<ExitStatus> {
        self.0.as_mut()?.try_wait().ok().flatten()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.status().is_some() {
            return;
        }
        if let Some(mut child) = self.0.take() {
            let _it_may_have_ended = child.kill();
            let waiting = thread::Builder::new().name("plugin-end".to_owned());
            let _the_kernel_keeps_its_number = waiting.spawn(move || child.wait());
        }
    }
}

/// How a process ended that has hung up: it ends at once, and its socket is closed before it can be waited for.
async fn end(child: &mut Kept, printer: &mut Printer) -> Crash {
    let mut status = None;
    for _ in 0..LOOKS {
        status = child.status();
        if status.is_some() {
            break;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    *child = Kept(None);
    printer.end(status).await
}

/// How often, and how far apart, it is looked whether a process that hung up has ended: ten milliseconds in all.
const LOOKS: u32 = 50;
const LOOK_EVERY: Duration = Duration::from_micros(200);

/// What the sandbox lacks, once the process can be asked.
async fn hellos(socket: &mut tokio::net::UnixStream) -> io::Result<Result<Lacks, StartError>> {
    let mut lacks = Lacks::new();
    let mut is_confined = false;
    loop {
        match hello(socket).await? {
            Hello::Confined { sandbox_lacks } if !is_confined => {
                is_confined = true;
                lacks = sandbox_lacks;
            },
            Hello::Ready { sandbox_lacks } if is_confined => {
                lacks.extend(sandbox_lacks);
                return Ok(Ok(lacks));
            },
            Hello::Refused { check_id, what } => {
                return Ok(Err(StartError::Refused { check_id, what }));
            },
            Hello::Confined { .. } | Hello::Ready { .. } => return Err(out_of_turn()),
        }
    }
}

fn out_of_turn() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it speaks out of turn")
}

async fn hello(socket: &mut tokio::net::UnixStream) -> io::Result<Hello> {
    let mut head = [0; 4];
    socket.read_exact(&mut head).await?;
    let mut body = vec![0; length(head)?];
    socket.read_exact(&mut body).await?;
    Ok(serde_json::from_slice(&body)?)
}

/// A channel over a socket that is connected already; there is no second one.
async fn connect(socket: tokio::net::UnixStream) -> Result<Client, tonic::transport::Error> {
    let mut socket = Some(socket);
    let connector = service_fn(move |_uri| {
        let gone = || io::Error::other("the process has hung up");
        let socket = socket.take().map(TokioIo::new).ok_or_else(gone);
        async move { socket }
    });
    let channel = Endpoint::from_static("http://plugin")
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .connect_with_connector(connector)
        .await?;
    Ok(Client::new(channel, None))
}

/// Takes up what the process prints until it ends.
async fn read_log(printed: OwnedFd, log: Arc<Mutex<Log>>) {
    let Ok(mut printed) = Receiver::from_owned_fd(printed) else {
        return;
    };
    let mut bytes = vec![0; 8_192];
    while let Ok(n_bytes) = printed.read(&mut bytes).await {
        let Some(read) = bytes.get(..n_bytes).filter(|read| !read.is_empty()) else {
            return;
        };
        log.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(read);
    }
}
