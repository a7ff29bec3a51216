//! The `sextant` program.

use std::env;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use mimalloc::MiMalloc;
use tokio::runtime::Builder;

use sextant::assemble::Program;
use sextant::cli;
use sextant::error::Error;
use sextant::plugin_host;
use sextant_runtime::config::Environment;

/// A request makes dozens of small allocations, most of them in the libraries that speak HTTP/2.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// How long a thread that still reads a file may hold up the end.
const LAST_THREADS: Duration = Duration::from_millis(500);

/// How long a thread waits for more heavy work. It keeps free memory for itself while it lives, and work that comes every few
/// seconds would keep as many threads alive as ever worked at once.
const THREADS_WAIT: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let program = env::args_os().next();
    if program.is_some_and(|program| plugin_host::is_named(&program)) {
        return plugin_host::run();
    }
    match try_main() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let error = Error::Installation(error.into());
            cli::report(&error);
            ExitCode::from(error.exit() as u8)
        },
    }
}

fn try_main() -> io::Result<u8> {
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .thread_keep_alive(THREADS_WAIT)
        .build()?;
    let code = runtime.block_on(cli::run(
        env::args_os(),
        Environment::of_process(),
        &Program::default(),
    ));
    runtime.shutdown_timeout(LAST_THREADS);
    Ok(code)
}
