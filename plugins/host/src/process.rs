//! The host process: one segmenter, alone in a sandbox, answering the contract over the socket that it was started with.
//!
//! The service starts its own program again, under the name [`PROGRAM`], with an empty environment, a socket as standard
//! input and pipes as the other two. The main thread loads the segmenter and makes every call of it; a second one, started
//! once the sandbox is closed, speaks gRPC, watches deadlines and ends the process with the connection. Whatever the segmenter
//! does to this process, the service has only lost a socket.

mod clock;
mod fault;
mod greeting;
pub(crate) mod heap;
mod lines;
pub(crate) mod sandbox;
mod service;
mod worker;

use std::error::Error;
use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::process::{self, ExitCode};
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::{fs, thread};

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::{Builder, Runtime};
use tokio_stream::StreamExt as _;
use tonic::transport::Server;
use tonic::transport::server::Connected;

use sextant_proto::segmenter::v1::evaluation_service_server::EvaluationServiceServer;

use crate::check::Finding;
use crate::external::Purpose;
use crate::library::Place;
use crate::messages::{FRAME_BYTES, MAX_MESSAGE_BYTES, WINDOW_BYTES};
use crate::process::service::{Evaluations, Job};
use crate::process::worker::Worker;
use crate::sealed::Sealed;
use crate::{Plugin, Verified};

pub(crate) use crate::process::greeting::{Greeting, Hello, length, send_greeting};
pub(crate) use crate::process::lines::{FAULT, Line, MARK};
pub(crate) use crate::process::sandbox::Lacks;

/// The name under which the service's program is a host process.
pub const PROGRAM: &str = "sextant-plugin-host";

/// Whether a program that was started under this name is to be a host process.
#[must_use]
pub fn is_named(program: &OsStr) -> bool {
    program == PROGRAM
}

/// Is a host process until the service hangs up.
pub fn run() -> ExitCode {
    match try_run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _nobody_reads = writeln!(io::stderr(), "plugin host: {error}");
            ExitCode::FAILURE
        },
    }
}

fn try_run() -> Result<(), Box<dyn Error>> {
    let mut lacks = sandbox::close_inherited();
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let (greeting, memory) = greeting::receive_greeting(&socket)?;
    end_with(greeting.parent)?;
    if greeting.in_background {
        // Where this is not allowed, it has its turn like others.
        let _like_others = rustix::process::setpriority_process(None, 19);
    }
    if greeting.purpose != Purpose::Serve {
        // Where a kernel has none, they are small already.
        let _small_already = rustix::thread::disable_transparent_huge_pages(true);
    }
    tracing::subscriber::set_global_default(lines::Lines)?;
    // Made while it may still open what it needs.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    fault::tell();
    lacks.extend(sandbox::limit(greeting.memory_bytes));
    lacks.extend(sandbox::close_for_loading());
    if greeting.needs_whole_sandbox && !lacks.is_empty() {
        return Ok(greeting::send_hello(
            &socket,
            &refused(&sandbox::finding(&lacks)),
        )?);
    }
    let confined = Hello::Confined {
        sandbox_lacks: lacks,
    };
    greeting::send_hello(&socket, &confined)?;
    let loaded = Sealed::received(memory)
        .and_then(|memory| Verified::received(memory, greeting.descriptor.clone()))
        .and_then(|file| Plugin::load_at(file, Place::Sandbox));
    let plugin = match loaded {
        Ok(plugin) => plugin,
        Err(finding) => return Ok(greeting::send_hello(&socket, &refused(&finding))?),
    };
    fault::is_at(&plugin.object());
    if greeting.purpose == Purpose::Later {
        clock::shift(&plugin)?;
    }
    let sandbox_lacks = sandbox::close();
    greeting::send_hello(&socket, &Hello::Ready { sandbox_lacks })?;
    let (jobs, work) = mpsc::channel::<Job>();
    thread::Builder::new()
        .name("contract".to_owned())
        .spawn(move || speak(&runtime, socket, Evaluations::new(jobs)))?;
    let mut worker = Worker::new(plugin, greeting.purpose == Purpose::Observe);
    for job in work {
        job(&mut worker);
    }
    Ok(())
}

fn refused(finding: &Finding) -> Hello {
    Hello::Refused {
        check_id: finding.check().id().to_owned(),
        what: finding.told(),
    }
}

/// The kernel ends this process with the thread that started it, and takes it first when memory is short.
fn end_with(parent: i32) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // Who was gone before that was asked for sends no signal any more.
    if getppid().is_none_or(|now| now.as_raw_nonzero().get() != parent) {
        return Err(io::Error::other("the service has ended"));
    }
    // Where this is not allowed, the kernel chooses by size.
    let _by_size = fs::write("/proc/self/oom_score_adj", "1000");
    Ok(())
}

/// Serves the one connection; its end is the end of the process, also where a call of the segmenter does not end.
fn speak(runtime: &Runtime, socket: UnixStream, evaluations: Evaluations) {
    let served = runtime.block_on(async {
        // The standard library asks with a call that the sandbox refuses.
        fcntl_setfl(&socket, OFlags::NONBLOCK)?;
        let socket = Socket(tokio::net::UnixStream::from_std(socket)?);
        let incoming =
            tokio_stream::once(Ok::<_, io::Error>(socket)).chain(tokio_stream::pending());
        let service = EvaluationServiceServer::new(evaluations)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        let server = Server::builder()
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .max_frame_size(FRAME_BYTES)
            .add_service(service)
            .serve_with_incoming(incoming);
        server.await.map_err(io::Error::other)
    });
    let _nobody_reads = writeln!(io::stderr(), "plugin host: {served:?}");
    process::exit(1);
}

/// The connection to the service.
struct Socket(tokio::net::UnixStream);

impl Drop for Socket {
    fn drop(&mut self) {
        process::exit(0);
    }
}

impl Connected for Socket {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
