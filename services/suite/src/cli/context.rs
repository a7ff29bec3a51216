//! What every command knows: configuration, who calls, and the terminal.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use clap::ArgMatches;
use clap::parser::ValueSource;
use prost_types::Timestamp;

use sextant_domain::time::{Instant, Zone};
use sextant_proto::common::v1::{ErrorReason, ReadAt};
use sextant_proto::ingestion::v1::Tenant;
use sextant_proto::scoring::v1::GetClockRequest;
use sextant_runtime::config::{Environment, Flag, Loaded, Origin, Sources, load};
use sextant_runtime::link::LinkOptions;
use sextant_runtime::telemetry::Meters;

use crate::cli::key_origin::{KeyOrigin, is_about_key};
use crate::cli::note;
use crate::client::{Client, is};
use crate::demo::{self, Dataset};
use crate::error::{Error, is_unreachable};
use crate::generate;
use crate::import::{self, values};
use crate::installation::Installation;
use crate::links::{Addresses, Links};
use crate::output::{Document, Format, Look, Style};
use crate::progress::Visibility;

/// How long a call may take that does not say so itself.
const CALL_DEADLINE: std::time::Duration = std::time::Duration::from_secs(30);

/// What every command knows.
pub(crate) struct Context<'a> {
    pub(crate) loaded: Loaded,
    pub(crate) installation: &'a dyn Installation,
    pub(crate) visibility: Visibility,
    environment: Environment,
    address: Option<String>,
    key: Option<String>,
    tenant: Option<String>,
    style: Style,
}

impl<'a> Context<'a> {
    /// Reads configuration and environment.
    pub(crate) fn new(
        matches: &ArgMatches,
        environment: Environment,
        installation: &'a dyn Installation,
    ) -> Result<Self, Error> {
        let sources = Sources {
            flags: flags(matches)?,
            environment: environment.clone(),
            file: matches.get_one::<PathBuf>("config").cloned(),
        };
        let loaded = load(&sources)?;
        let given = |flag: &str, variable: &str| {
            let named = argument(matches, flag);
            named.or_else(|| environment.get(variable).map(ToOwned::to_owned))
        };
        let address = given("address", "SEXTANT_ADDRESS");
        if let Some(address) = &address
            && !address.starts_with("http://")
            && !address.starts_with("https://")
        {
            let message = format!("\"{address}\" is no address; write it as http://127.0.0.1:7070");
            return Err(Error::usage(message));
        }
        let quiet = matches.get_flag("quiet");
        let colours = environment.get("NO_COLOR").is_none() && io::stdout().is_terminal();
        Ok(Self {
            address,
            key: argument(matches, "key"),
            tenant: given("tenant", "SEXTANT_TENANT"),
            visibility: if quiet {
                Visibility::Hidden
            } else {
                Visibility::Terminal
            },
            style: if colours { Style::Bold } else { Style::Plain },
            loaded,
            installation,
            environment,
        })
    }

    /// A client with the caller's key.
    pub(crate) fn client(&self) -> Result<Client, Error> {
        let links = Links::connect(
            &self.addresses(),
            &LinkOptions::new(CALL_DEADLINE, Meters::none()),
        )?;
        Ok(Client::new(links, self.key_origin().read()?.as_ref()))
    }

    /// A client for one tenant, and the tenant.
    pub(crate) async fn of_tenant(&self) -> Result<(Client, Tenant), Error> {
        let client = self.client()?;
        let tenant = client.find_tenant(self.tenant.as_deref()).await?;
        Ok((client.of_tenant(&tenant)?, tenant))
    }

    /// Whether the caller names a tenant.
    pub(crate) fn names_tenant(&self) -> bool {
        self.tenant.is_some()
    }

    /// The flag for all services, else where each is configured, else where this configuration listens.
    fn addresses(&self) -> Addresses {
        if let Some(address) = &self.address {
            return Addresses::all_at(address);
        }
        let services = &self.loaded.config.services;
        let here = Addresses::all_at(&format!("http://{}", self.loaded.config.server.listen));
        Addresses {
            ingestion: services.ingestion.clone().unwrap_or(here.ingestion),
            scoring: services.scoring.clone().unwrap_or(here.scoring),
            segmentation: services.segmentation.clone().unwrap_or(here.segmentation),
            metrics: services.metrics.clone().unwrap_or(here.metrics),
        }
    }

    /// Whether the caller says where the services run: all of them by the flag, or each in the configuration.
    fn is_elsewhere(&self) -> bool {
        let services = &self.loaded.config.services;
        let each = [
            &services.ingestion,
            &services.scoring,
            &services.segmentation,
            &services.metrics,
        ];
        self.address.is_some() || each.iter().all(|address| address.is_some())
    }

    fn key_origin(&self) -> KeyOrigin {
        KeyOrigin::find(
            self.key.as_ref(),
            &self.environment,
            &self.loaded.config.store.data_dir,
        )
    }

    /// An error with what this side knows of it: where it called, or with whose key.
    pub(crate) fn explained(&self, error: Error) -> Error {
        let (status, said) = match error {
            Error::Refused { status, aside } => (status, aside),
            // Its own words are about going on, which a better key comes before.
            Error::Import(import::Error::Refused { status, .. }) if is_about_key(&status) => {
                (status, String::new())
            },
            other => return other,
        };
        let known = if is_about_key(&status) {
            self.key_origin().to_string()
        } else if is_unreachable(&status) {
            let service = status.message().split(' ').next().unwrap_or_default();
            self.address_origin(service)
        } else if is(&status, ErrorReason::MethodUnknown) {
            self.called_at(status.message())
        } else {
            String::new()
        };
        let asides = [known, said].into_iter().filter(|aside| !aside.is_empty());
        let aside = asides.collect::<Vec<_>>().join("; ");
        Error::Refused { status, aside }
    }

    /// Who says where a service is.
    fn address_origin(&self, service: &str) -> String {
        let is_configured = self.loaded.entries.iter().any(|entry| {
            entry.key.strip_prefix("services.") == Some(service) && !entry.value.is_empty()
        });
        if self.address.is_some() {
            "that is the address of --address or SEXTANT_ADDRESS".to_owned()
        } else if is_configured {
            format!("that is the address of services.{service}")
        } else {
            format!("that is the address of server.listen, for services.{service} is not set")
        }
    }

    /// The address of the service whose package a message names, who says so, and how to say where each service is.
    fn called_at(&self, message: &str) -> String {
        let addresses = self.addresses();
        let is_named = |name: &str| message.contains(&format!("\"sextant.{name}."));
        let called = addresses
            .named()
            .into_iter()
            .find(|(name, _)| is_named(name));
        let Some((service, address)) = called else {
            return String::new();
        };
        let instead = if self.address.is_some() {
            "leave it out and set"
        } else {
            "set"
        };
        format!(
            "called at {address}, {origin}: where each service is a process of its own, {instead} services.{service} to the address of that \
             one, and so for every service (--set services.{service}=URL or SEXTANT_SERVICES__{variable}=URL)",
            origin = self.address_origin(service),
            variable = service.to_uppercase(),
        )
    }

    /// Prints an answer, moments for people in a zone, and to standard error what must be known about its age.
    pub(crate) fn print(
        &self,
        matches: &ArgMatches,
        zone: &Zone,
        document: &Document,
    ) -> Result<(), Error> {
        self.print_as(format_of(matches), zone, document)
    }

    /// Prints an answer in a format.
    pub(crate) fn print_as(
        &self,
        format: Format,
        zone: &Zone,
        document: &Document,
    ) -> Result<(), Error> {
        let caveat = document.caveat();
        let is_wanted = self.visibility == Visibility::Terminal || document.is_incomplete();
        if !caveat.is_empty() && is_wanted {
            note(&format!("note: {caveat}"));
        }
        let look = Look {
            style: self.style,
            zone: zone.clone(),
        };
        document
            .print(format, &look, &mut io::stdout().lock())
            .map_err(Error::Output)
    }

    /// What the demo is asked to do.
    pub(crate) fn demo(&self, matches: &ArgMatches) -> Result<demo::Plan, Error> {
        let mut loaded = self.loaded.clone();
        quieten(&mut loaded);
        let named = matches
            .get_one::<String>("dataset")
            .map_or("all", String::as_str);
        let number = |name: &str| matches.get_one::<u32>(name).copied().unwrap_or_default();
        let company = generate::Options {
            seed: matches.get_one::<u64>("seed").copied().unwrap_or(1),
            accounts: number("accounts"),
            months: number("months"),
            ..generate::Options::default()
        };
        let remote = if self.is_elsewhere() {
            Some(self.client()?)
        } else {
            None
        };
        Ok(demo::Plan {
            loaded,
            datasets: Dataset::parse(named),
            company,
            format: format_of(matches),
            style: self.style,
            visibility: self.visibility,
            exit: if matches.get_flag("exit") {
                demo::Then::Exit
            } else {
                demo::Then::Serve
            },
            remote,
        })
    }
}

/// Values for the configuration that stand on the command line.
fn flags(matches: &ArgMatches) -> Result<Vec<Flag>, Error> {
    let mut flags = Vec::new();
    if let Ok(Some(directory)) = matches.try_get_one::<String>("data-dir") {
        flags.push(Flag {
            name: "--data-dir".to_owned(),
            key: "store.data_dir".to_owned(),
            value: directory.clone(),
        });
    }
    for pair in matches.get_many::<String>("set").into_iter().flatten() {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(Error::usage(format!(
                "--set {pair} has no value; write --set KEY=VALUE"
            )));
        };
        flags.push(Flag {
            name: "--set".to_owned(),
            key: key.trim().to_owned(),
            value: value.to_owned(),
        });
    }
    Ok(flags)
}

/// The demo's answer is for reading: services log warnings only, unless somebody wants more.
fn quieten(loaded: &mut Loaded) {
    let untouched = |entry: &sextant_runtime::config::Entry| {
        entry.key == "telemetry.log_filter" && entry.origin == Origin::Default
    };
    if loaded.entries.iter().any(untouched) {
        "warn".clone_into(&mut loaded.config.telemetry.log_filter);
    }
}

/// How the answer is to be printed.
pub(crate) fn format_of(matches: &ArgMatches) -> Format {
    let named = matches.try_get_one::<String>("output").ok().flatten();
    named
        .and_then(|name| Format::parse(name))
        .unwrap_or(Format::Table)
}

/// A text argument that not every command has.
fn argument(matches: &ArgMatches, name: &str) -> Option<String> {
    matches.try_get_one::<String>(name).ok().flatten().cloned()
}

/// A text argument; empty where it is not given.
pub(crate) fn text_of(matches: &ArgMatches, name: &str) -> String {
    matches.get_one::<String>(name).cloned().unwrap_or_default()
}

/// Several texts.
pub(crate) fn texts_of(matches: &ArgMatches, name: &str) -> Vec<String> {
    matches
        .get_many::<String>(name)
        .into_iter()
        .flatten()
        .cloned()
        .collect()
}

/// A number that has a default.
pub(crate) fn number_of(matches: &ArgMatches, name: &str) -> u32 {
    matches.get_one::<u32>(name).copied().unwrap_or_default()
}

/// Whether an argument was written, rather than filled in.
pub(crate) fn is_given(matches: &ArgMatches, name: &str) -> bool {
    matches.value_source(name) == Some(ValueSource::CommandLine)
}

/// A moment, if one is given; a day begins in the zone.
pub(crate) fn moment_of(
    matches: &ArgMatches,
    name: &str,
    zone: &Zone,
) -> Result<Option<Timestamp>, Error> {
    let text = matches.get_one::<String>(name);
    let read = |text: &String| {
        values::time(text, zone).map_err(|problem| Error::usage(format!("--{name}: {problem}")))
    };
    text.map(read).transpose()
}

/// The moment and knowledge that an answer is to be about.
pub(crate) fn read_at(matches: &ArgMatches, zone: &Zone) -> Result<Option<ReadAt>, Error> {
    Ok(Some(ReadAt {
        as_of: moment_of(matches, "as-of", zone)?,
        known_at: moment_of(matches, "known-at", zone)?,
        at_least_position: text_of(matches, "at-least"),
        require_fresh_within_ms: 0,
    }))
}

/// A moment, or the one that a span such as "7d" lies before the tenant's clock.
pub(crate) async fn since(client: &Client, text: &str) -> Result<Timestamp, Error> {
    if let Some(us) = span_us(text) {
        let clock = client
            .clock()
            .get_clock(client.request(GetClockRequest::default()))
            .await?
            .into_inner();
        let now = clock
            .now
            .as_ref()
            .and_then(|now| sextant_wire::time::instant(now).ok())
            .unwrap_or(Instant(0));
        return Ok(sextant_wire::time::timestamp(now.plus_us(-us)));
    }
    values::time(text, client.zone())
        .map_err(|problem| Error::usage(format!("--since: {problem}; or a span such as 7d or 12h")))
}

/// A span such as "30m", "12h", "7d" or "2w" in microseconds.
pub(crate) fn span_us(text: &str) -> Option<i64> {
    let split = text.len().checked_sub(1)?;
    let (number, unit) = text.split_at_checked(split)?;
    let unit_us: i64 = match unit {
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => 86_400_000_000,
        "w" => 604_800_000_000,
        _ => return None,
    };
    let number: u32 = number.parse().ok()?;
    i64::from(number).checked_mul(unit_us)
}

/// How many entries a page should have where at most `limit` are wanted (0: all).
pub(crate) fn page_size(limit: u32) -> i32 {
    i32::try_from(limit)
        .ok()
        .filter(|size| (1..=crate::client::PAGE_SIZE).contains(size))
        .unwrap_or(crate::client::PAGE_SIZE)
}

/// The same where so many were found.
pub(crate) fn page_size_behind(limit: u32, found: usize) -> i32 {
    let found = u32::try_from(found).unwrap_or(u32::MAX);
    page_size(limit.saturating_sub(found))
}

/// Whether a list that has this many entries by now is long enough.
pub(crate) fn is_enough(found: usize, limit: u32) -> bool {
    limit > 0 && usize::try_from(limit).is_ok_and(|limit| found >= limit)
}

/// Cuts a list to its limit.
pub(crate) fn cut<T>(list: &mut Vec<T>, limit: u32) {
    if let (1.., Ok(limit)) = (limit, usize::try_from(limit)) {
        list.truncate(limit);
    }
}

/// Collects pages of a list until a limit is reached, and keeps the freshness of the first page.
macro_rules! pages_up_to {
    ($client:expr, $service:ident . $rpc:ident, $request:expr, $items:ident, $limit:expr) => {{
        let mut request = $request;
        request.page_size = $crate::cli::context::page_size($limit);
        let mut answer = $client
            .$service()
            .$rpc($client.request(request.clone()))
            .await?
            .into_inner();
        while !answer.next_page_token.is_empty()
            && !$crate::cli::context::is_enough(answer.$items.len(), $limit)
        {
            request.page_token = std::mem::take(&mut answer.next_page_token);
            request.page_size = $crate::cli::context::page_size_behind($limit, answer.$items.len());
            let next = $client
                .$service()
                .$rpc($client.request(request.clone()))
                .await?
                .into_inner();
            answer.$items.extend(next.$items);
            answer.next_page_token = next.next_page_token;
        }
        $crate::cli::context::cut(&mut answer.$items, $limit);
        answer
    }};
}
pub(crate) use pages_up_to;
