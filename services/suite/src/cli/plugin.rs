//! Commands for segmenters: those for their authors need no service, the others publish them and put them to work.

mod bench;
mod check;
mod compare;
pub(crate) mod new;
mod publish;
mod revise;
mod run;
mod sign;

use std::fs;
use std::path::{Path, PathBuf};

use clap::ArgMatches;

use sextant_plugin_host::{Allowance, External, Hosts, LoadError, Server, Verified};

use crate::cli::context::{Context, text_of};
use crate::error::Error;

/// Runs a command of the group.
pub(crate) async fn run(
    action: &str,
    context: &Context<'_>,
    matches: &ArgMatches,
) -> Result<(), Error> {
    match action {
        "new" => new::new(context, matches),
        "check" => check::check(context, matches).await,
        "run" => run::run(context, matches).await,
        "keygen" => sign::keygen(context, matches),
        "sign" => sign::sign(context, matches),
        "verify" => sign::verify(context, matches),
        "push" => publish::push(context, matches).await,
        "register" => publish::register(context, matches).await,
        "list" => publish::list(context, matches).await,
        "report" => publish::report(context, matches).await,
        "approve" | "quarantine" | "release" | "retire" => {
            publish::change(action, context, matches).await
        },
        "logs" => publish::logs(context, matches).await,
        "events" => publish::events(context, matches).await,
        "propose" => revise::propose(context, matches).await,
        "bench" => bench::bench(context, matches).await,
        "diff" => match (text_of(matches, "segmentation"), text_of(matches, "new")) {
            (_, new) if new.is_empty() => revise::diff(context, matches).await,
            files => compare::diff(context, matches, files).await,
        },
        "activate" => revise::activate(context, matches).await,
        "rollback" => revise::roll_back(context, matches).await,
        _ => Err(Error::usage(
            "name a command; `sextant plugin --help` lists them",
        )),
    }
}

/// Does work that waits for other processes.
async fn waiting<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.map_err(|broke_off| Error::Installation(broke_off.into()))?
}

/// The token that servers are sent.
fn token(matches: &ArgMatches) -> Result<Option<String>, Error> {
    let token = matches.get_one::<PathBuf>("token-file").map(|path| {
        let read = fs::read_to_string(path);
        let read = read.map(|token| token.trim().to_owned());
        read.map_err(|source| Error::File {
            path: path.clone(),
            source,
        })
    });
    token.transpose()
}

/// A segmenter to be asked: a shared object, or a server.
pub(crate) enum Origin {
    File(PathBuf),
    Server(Server),
}

impl Origin {
    /// What is named.
    pub(crate) fn named(name: &str, matches: &ArgMatches) -> Result<Self, Error> {
        let token = token(matches)?;
        let named = Self::at(name, token.clone())?;
        named.takes(token)
    }

    /// The two that are named; a token is for those that are servers.
    pub(crate) fn both(names: [&str; 2], matches: &ArgMatches) -> Result<[Self; 2], Error> {
        let token = token(matches)?;
        let [old, new] = names.map(|name| Self::at(name, token.clone()));
        match (old?, new?) {
            (old @ Self::Server(_), new) => Ok([old, new]),
            (old, new) => Ok([old, new.takes(token)?]),
        }
    }

    fn at(name: &str, token: Option<String>) -> Result<Self, Error> {
        let schemes = ["http://", "https://"];
        if schemes.iter().any(|scheme| name.starts_with(scheme)) {
            return Ok(Self::Server(Server {
                address: name.to_owned(),
                token,
            }));
        }
        if name.contains(':') && !Path::new(name).exists() {
            let message = format!(
                "\"{name}\" is no file, and no address of a server: those begin with http:// or https://"
            );
            return Err(Error::usage(message));
        }
        Ok(Self::File(name.into()))
    }

    fn takes(self, token: Option<String>) -> Result<Self, Error> {
        match self {
            Self::File(_) if token.is_some() => Err(Error::usage("--token-file is for servers")),
            named => Ok(named),
        }
    }

    /// Starts or connects to it.
    pub(crate) fn open(&self) -> Result<External, Error> {
        let (hosts, allowance) = hosts()?;
        let refused = |error: LoadError| Error::usage(error.to_string());
        match self {
            Self::File(path) => {
                let file = Verified::read(path).map_err(refused)?;
                External::start(&hosts, file, allowance).map_err(refused)
            },
            Self::Server(server) => External::connect(&hosts, server, allowance).map_err(refused),
        }
    }
}

/// Host processes, and what a segmenter may have here: what its descriptor asks for.
fn hosts() -> Result<(Hosts, Allowance), Error> {
    let hosts = Hosts::of_this_program().map_err(|error| Error::Installation(error.into()))?;
    let allowance = Allowance {
        memory_mb: u32::MAX,
        ..Allowance::default()
    };
    Ok((hosts, allowance))
}
