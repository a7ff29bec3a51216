//! The one thread that starts host processes and speaks with them.
//!
//! The kernel ends a host process with the thread that started it, so that thread has to live as long as the service does:
//! threads of a pool come and go. Callers wait on threads of their own and never need a runtime.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Where host processes are started. Cheap to clone; with the last clone, all of them end.
#[derive(Debug, Clone)]
pub struct Hosts {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    program: PathBuf,
    handle: Handle,
    /// Dropped, it ends the thread.
    _stop: oneshot::Sender<()>,
}

impl Hosts {
    /// Starts the thread. `program` becomes a host process when it is started under the name
    /// [`process::PROGRAM`](crate::process::PROGRAM): the service's own program does.
    ///
    /// # Errors
    ///
    /// The thread could not be started.
    pub fn new(program: &Path) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        thread::Builder::new()
            .name("plugin-hosts".to_owned())
            .spawn(move || {
                // Ends when the sender is dropped; what runs then is dropped with the runtime, and its processes with it.
                let _dropped = runtime.block_on(stopped);
            })?;
        Ok(Self {
            inner: Arc::new(Inner {
                program: program.to_owned(),
                handle,
                _stop: stop,
            }),
        })
    }

    /// Those of the program that runs.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn of_this_program() -> io::Result<Self> {
        // The kernel's name for it holds also where the file was replaced meanwhile.
        Self::new(Path::new("/proc/self/exe"))
    }

    pub(crate) fn program(&self) -> &Path {
        &self.inner.program
    }

    /// Makes something whose tasks belong to the thread.
    pub(crate) fn within<T>(&self, make: impl FnOnce() -> T) -> T {
        let _entered = self.inner.handle.enter();
        make()
    }

    /// Has something done on the thread and waits for it, at most so long. `None`: it takes longer, and goes on.
    pub(crate) fn wait_for<T: Send + 'static>(
        &self,
        longest: Option<Duration>,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (tell, told) = mpsc::sync_channel(1);
        let _goes_on = self.go_on(async move {
            // Who waits no longer is told nothing.
            let _nobody_waits = tell.send(work.await);
        });
        match longest {
            None => told.recv().ok(),
            Some(longest) => told.recv_timeout(longest).ok(),
        }
    }

    /// Has something done on the thread for which nobody waits. It ends with the thread at the latest.
    pub(crate) fn go_on(&self, work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        self.inner.handle.spawn(work)
    }
}
