//! The program with a fault: it dies at the first commit of one service, just before or just after it.
//!
//! `sextant-that-dies SERVICE before|after …`, followed by what `sextant` is given. What one process was killed at is stored
//! when the next one starts, or not: stepping from one death to the next visits every commit of a service.

mod ports;

use std::env;
use std::ffi::OsString;
use std::io;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use tokio::runtime::Builder;

use sextant::assemble::{Program, Stores};
use sextant::{cli, plugin_host};
use sextant_runtime::config::Environment;

use crate::ports::{Dying, Moment};

/// Which service dies, and when.
static FAULT: OnceLock<(String, Moment)> = OnceLock::new();

fn main() -> io::Result<ExitCode> {
    let mut arguments: Vec<OsString> = env::args_os().collect();
    if arguments
        .first()
        .is_some_and(|program| plugin_host::is_named(program))
    {
        return Ok(plugin_host::run());
    }
    let fault: Vec<String> = arguments
        .splice(1..3, [])
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let moment = match fault.get(1).map(String::as_str) {
        Some("before") => Moment::Before,
        Some("after") => Moment::After,
        _ => return Err(io::Error::other("name a service, and before or after")),
    };
    FAULT.get_or_init(|| (fault.into_iter().next().unwrap_or_default(), moment));
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let program = Program::over(with_fault);
    let code = runtime.block_on(cli::run(arguments, Environment::of_process(), &program));
    Ok(ExitCode::from(code))
}

fn with_fault(mut stores: Stores) -> Stores {
    let dies = |service: &str| {
        let (name, moment) = FAULT.get()?;
        (name == service).then_some(*moment)
    };
    if let (Some(ports), Some(moment)) = (&mut stores.ingestion, dies("ingestion")) {
        ports.facts = Arc::new(Dying::new(&ports.facts, moment));
        ports.tenants = Arc::new(Dying::new(&ports.tenants, moment));
        ports.keys = Arc::new(Dying::new(&ports.keys, moment));
    }
    if let (Some(ports), Some(moment)) = (&mut stores.scoring, dies("scoring")) {
        ports.scoring = Arc::new(Dying::new(&ports.scoring, moment));
    }
    if let (Some(ports), Some(moment)) = (&mut stores.segmentation, dies("segmentation")) {
        ports.memberships = Arc::new(Dying::new(&ports.memberships, moment));
        ports.segmentations = Arc::new(Dying::new(&ports.segmentations, moment));
    }
    if let (Some(ports), Some(moment)) = (&mut stores.metrics, dies("metrics")) {
        ports.metrics = Arc::new(Dying::new(&ports.metrics, moment));
    }
    stores
}
