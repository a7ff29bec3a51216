//! What may be written on the command line.

mod data;

use std::path::PathBuf;

use clap::{Arg, ArgAction, Command, value_parser};

use sextant_proto::ingestion::v1::Scope;

use crate::cli::plugin::new::LANGUAGES;
use crate::cli::{export, metrics};
use crate::installation::Role;
use crate::output::Format;

/// Exit codes, as the help has them.
const EXIT_CODES: &str = "Exit codes: 0 done, 1 failure, 2 usage, 3 not found, 4 key, 5 unavailable (try again), 6 conflict, 130 interrupted.\n\
    Data goes to standard output; logs and progress to standard error.\n\
    Environment: SEXTANT_KEY or SEXTANT_KEY_FILE, SEXTANT_TENANT, SEXTANT_ADDRESS, SEXTANT_CONFIG, NO_COLOR, and SEXTANT_SECTION__KEY for every configuration key,\n\
    such as SEXTANT_SERVICES__SCORING where the services are processes of their own.";

/// What a service in a process of its own needs.
const APART: &str = "A service in a process of its own (serve ingestion, serve scoring, ...) needs store.kind=postgres and store.postgres_url with tables that\n\
    `sextant migrate` made, services.NAME for each service before it, and auth.service_key: the key by which services know each other, the same in\n\
    every process. Without it the process does not start; with another one, its calls are refused. `sextant config show --origin` explains every key.";

/// What a key may do, by the names of the contract's scopes.
pub(crate) const SCOPES: [(&str, Scope); 6] = [
    ("read", Scope::Read),
    ("ingest", Scope::Ingest),
    ("define", Scope::Define),
    ("plugins.publish", Scope::PluginsPublish),
    ("plugins.activate", Scope::PluginsActivate),
    ("admin", Scope::Admin),
];

/// How RFM scores equal values, by the names of the contract's policies; the first is the default.
pub(crate) const RFM_TIES: [&str; 3] = ["value_quantile", "r_rfm_compat", "pandas_rank_first"];

/// The whole command line.
#[must_use]
pub fn command() -> Command {
    Command::new("sextant")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Tells, at any moment and for every account, which segment it is in, why, since when, and what that is worth")
        .after_help(EXIT_CODES)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .args(globals())
        .subcommands(server_commands())
        .subcommands(data::commands())
        .subcommands(read_commands().into_iter().map(calling))
        .subcommands(admin_commands().into_iter().map(calling))
}

/// Where a command calls.
fn address() -> Arg {
    option(
        "address",
        "URL",
        "Where the services are, all of them in one process; where each is one of its own, set services.ingestion, services.scoring, \
         services.segmentation and services.metrics instead; default: where this configuration says they listen",
    )
}

/// Who calls.
fn key() -> Arg {
    option(
        "key",
        "KEY",
        "Key to call with; default: SEXTANT_KEY, else local.key of the data directory",
    )
}

/// A command that calls services, about one tenant.
fn calling(command: Command) -> Command {
    let tenant = option(
        "tenant",
        "NAME",
        "Tenant by name or id; needed where the key opens several",
    );
    command.args([address(), key(), tenant, data_dir()].map(|arg| arg.global(true)))
}

fn globals() -> [Arg; 3] {
    [
        Arg::new("config")
            .long("config")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help("Configuration file"),
        Arg::new("set")
            .long("set")
            .value_name("KEY=VALUE")
            .action(ArgAction::Append)
            .help("Set one configuration key; may be repeated"),
        Arg::new("quiet")
            .long("quiet")
            .short('q')
            .action(ArgAction::SetTrue)
            .help("No progress, and no notes but that an answer is not complete"),
    ]
    .map(|arg| arg.global(true))
}

fn named(name: &'static str) -> Command {
    Command::new(name).arg(
        Arg::new("output")
            .long("output")
            .short('o')
            .value_name("FORMAT")
            .value_parser(Format::ALL.map(Format::as_str))
            .default_value(Format::Table.as_str())
            .help("How the answer is printed"),
    )
}

/// A command about refused records.
fn of_refusals(name: &'static str) -> Command {
    named(name)
        .arg(option("source", "SOURCE", "Only those of this source"))
        .arg(option(
            "reason",
            "REASON",
            "Only those that were refused for this reason, such as TIME_IN_FUTURE",
        ))
}

/// A command that reads a moment of the past or present.
pub(crate) fn read(name: &'static str) -> Command {
    named(name).args([
        option("as-of", "TIME", "The moment that the answer is about, such as 2026-01-31T09:30:00Z, or a day, which begins in the tenant's time zone; default: now"),
        option("known-at", "TIME", "Only what was known at this moment, or when this day began; default: all"),
        option("at-least", "POSITION", "Wait until the answer includes this position of an earlier answer"),
    ])
}

fn data_dir() -> Arg {
    option(
        "data-dir",
        "DIR",
        "Where the data is kept; default: store.data_dir",
    )
}

pub(crate) fn option(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .action(ArgAction::SetTrue)
        .help(help)
}

fn number(name: &'static str, default: &'static str, help: &'static str) -> Arg {
    option(name, "N", help)
        .value_parser(value_parser!(u32))
        .default_value(default)
}

pub(crate) fn file(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .value_name(value)
        .value_parser(value_parser!(PathBuf))
        .required(true)
        .help(help)
}

fn text(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).value_name(value).required(true).help(help)
}

fn no_wait(beginning: &str) -> Arg {
    let help = format!(
        "{beginning} not wait until what is stored is evaluated; answers that lack it say so until then"
    );
    Arg::new("no-wait")
        .long("no-wait")
        .action(ArgAction::SetTrue)
        .help(help)
}

pub(crate) fn limit() -> Arg {
    number("limit", "50", "At most so many rows; 0: all")
}

fn server_commands() -> Vec<Command> {
    vec![
        named("serve")
            .about("Runs the services until Ctrl-C, and prints at the start what it serves and with what")
            .after_help(APART)
            .arg(data_dir())
            .arg(
                Arg::new("role")
                    .value_name("ROLE")
                    .value_parser(Role::ALL.map(Role::as_str))
                    .default_value("all")
                    .help("Which of them"),
            ),
        named("demo")
            .about(
                "Loads real and generated data, shows what Sextant makes of it, and keeps serving",
            )
            .arg(
                option("dataset", "NAME", "Which data")
                    .value_parser(["cdnow", "saas", "all"])
                    .default_value("all"),
            )
            .arg(switch("exit", "End after the answer"))
            .args([address(), key()])
            .arg(data_dir())
            .arg(number(
                "accounts",
                "500",
                "How many accounts of the generated company pay at the end, about; others left, or never paid",
            ))
            .arg(number(
                "months",
                "18",
                "Months of the generated company's history",
            ))
            .arg(
                option("seed", "N", "Seed of the generated company")
                    .value_parser(value_parser!(u64))
                    .default_value("1"),
            ),
        named("migrate")
            .about("Brings the store's tables to the version of this program")
            .arg(data_dir()),
        named("backup")
            .about("Copies the embedded store, whole and consistent, also while it is served")
            .arg(file("to", "DIR", "New or empty directory"))
            .arg(data_dir()),
        named("restore")
            .about("Makes the data directory out of a backup; it must be new or empty")
            .arg(file("from", "DIR", "Directory of a backup"))
            .arg(data_dir()),
        named("doctor")
            .about("Checks what this installation needs, each line with its fix")
            .arg(data_dir()),
        Command::new("config")
            .about("Shows the configuration")
            .subcommand_required(true)
            .arg_required_else_help(true)
            .subcommand(named("show").about("Every key and its value").arg(switch(
                "origin",
                "Also where each value came from and what it means",
            ))),
        plugin(),
        Command::new("explain")
            .about("Says what the reason of an error or of a reject means and what to do")
            .arg(
                Arg::new("reason")
                    .value_name("REASON")
                    .help("Such as TIME_IN_FUTURE; without it, all reasons"),
            ),
    ]
}

/// What authors of segmenters need, and those who put them to work.
fn plugin() -> Command {
    let segmenter = || {
        let help = "The segmenter: a shared object (.so), or the address of a server such as http://127.0.0.1:8080";
        text("segmenter", "SEGMENTER", help)
    };
    calling(Command::new("plugin"))
        .about("Segmenters of your own: check and run need no service, the others publish them and put them to work")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            named("new")
                .about("Makes a folder with a segmenter to begin with, and everything that building it takes")
                .arg(file("name", "NAME", "New folder; its name is the segmenter's: lower-case letters, digits and _"))
                .arg(
                    option("lang", "LANGUAGE", "What it is written in; one in Python runs on a server of your own")
                        .value_parser(LANGUAGES)
                        .default_value("rust"),
                )
                .arg(option("id", "ID", "Its id, such as acme.team_size; default: example.NAME")),
        )
        .subcommand(
            named("check")
                .about("Judges a segmenter by what the service relies on, each test in a process of its own; of a server, what it answers")
                .arg(segmenter())
                .arg(token_file())
                .arg(switch("only-failed", "Only what failed, and warnings"))
                .arg(
                    option("junit", "FILE", "Also write the verdicts as JUnit does")
                        .value_parser(value_parser!(PathBuf)),
                ),
        )
        .subcommand(
            named("run")
                .about("Shows what a segmenter says of the rows of a file")
                .arg(segmenter())
                .arg(token_file())
                .arg(
                    option("csv", "FILE", "Rows whose header names features, and account_id; an empty cell is unknown")
                        .value_parser(value_parser!(PathBuf))
                        .required(true),
                )
                .arg(option("segmenter-config", "JSON", "The segmenter's configuration").default_value("{}"))
                .arg(option("as-of", "TIME", "The \"now\" of the model, such as 2026-01-31T09:30:00Z; default: now")),
        )
        .subcommand(
            named("bench")
                .about("Measures what a segmenter costs as the service asks it")
                .arg(segmenter())
                .arg(token_file())
                .arg(number("rows", "1000", "Rows of a batch, at most 16,384"))
                .arg(option("segmenter-config", "JSON", "The segmenter's configuration").default_value("{}")),
        )
        .subcommands(signing_commands())
        .subcommands(publishing_commands())
        .subcommands(deciding_commands())
}

fn token_file() -> Arg {
    option(
        "token-file",
        "FILE",
        "With a server: a file with the token that it asks for",
    )
    .value_parser(value_parser!(PathBuf))
}

fn note_of(help: &'static str) -> Arg {
    option("note", "TEXT", help)
}

fn segmenter_id() -> Arg {
    text(
        "segmenter",
        "ID",
        "Id of the segmenter, such as acme.health",
    )
}

fn segmenter_version() -> Arg {
    option(
        "segmenter-version",
        "VERSION",
        "Version of the segmenter; default: the newest that can be used",
    )
}

/// What says whose a segmenter is.
fn signing_commands() -> Vec<Command> {
    let path = |name, value, help| option(name, value, help).value_parser(value_parser!(PathBuf));
    vec![
        named("keygen")
            .about("Makes a key that signs segmenters, as minisign does")
            .arg(file("name", "NAME", "NAME.key will hold the secret key, NAME.pub the public one")),
        named("sign")
            .about("Signs a segmenter: writes FILE.manifest and FILE.manifest.minisig, which push sends along")
            .arg(file("file", "FILE", "The segmenter, a shared object (.so)"))
            .arg(path("secret-key", "FILE", "Secret key, of keygen or of minisign").required(true))
            .arg(option("password-file", "FILE", "File with the password of the key, where it has one"))
            .arg(number("days", "0", "Days for which it holds; 0: for ever")),
        named("verify")
            .about("Judges the signature of a segmenter as a service does that trusts these keys")
            .arg(file("file", "FILE", "The segmenter, a shared object (.so)"))
            .arg(path("trust-file", "FILE", "Keys that are trusted; default: plugins.trust_file")),
    ]
}

/// What is done to versions of segmenters.
fn publishing_commands() -> Vec<Command> {
    let version = |name| named(name).arg(segmenter_id()).arg(segmenter_version());
    let why = || note_of("Why, for the journal");
    let segmentation = |help| option("segmentation", "KEY", help);
    vec![
        named("push")
            .about("Publishes a segmenter: it is checked by the service before it is stored")
            .arg(file("file", "FILE", "The segmenter, a shared object (.so)"))
            .arg(segmentation("Also propose it for this segmentation, and show what it would change"))
            .arg(option("segmenter-config", "JSON", "With --segmentation: its configuration; default: the present one").requires("segmentation"))
            .arg(why()),
        named("register")
            .about("Publishes a segmenter that runs on a server of your own, which the operator may have to list in plugins.trust_file")
            .arg(text("server", "ADDRESS", "Its address, such as https://models.internal:8443"))
            .arg(option("token-name", "NAME", "File of the installation's plugins.token_dir with the token that it asks for")),
        named("list")
            .about("Segmenters with their versions, or the revisions of a segmentation")
            .arg(segmentation("The revisions of this segmentation")),
        version("report").about("What the checks of a published version found"),
        named("approve")
            .about("Lets a version be used that waits for it")
            .arg(text("digest", "DIGEST", "Its digest, 64 hexadecimal digits"))
            .arg(why()),
        version("quarantine")
            .about("Takes a version out of use at once: segmentations go back to their revision before, or stay as they are where they have none")
            .arg(note_of("Why, for the journal; has to be given")),
        version("release")
            .about("Lets a version be used again that is in quarantine, and be asked again with configurations that have failed too often")
            .arg(note_of("Why, for the journal; has to be given")),
        version("retire").about("Ends a version that nothing is decided by").arg(why()),
        version("logs").about("What a segmenter has written in the process that answers").arg(limit()),
        named("events")
            .about("What was done to segmenters, and with a tenant to its revisions, by whom and why")
            .arg(option("segmenter", "ID", "Only of this segmenter"))
            .arg(segmentation("Only of this segmentation"))
            .arg(limit()),
    ]
}

/// What is done to revisions of segmentations.
fn deciding_commands() -> Vec<Command> {
    let segmentation = || text("segmentation", "KEY", "Key of the segmentation");
    vec![
        named("propose")
            .about("Proposes what a segmentation is to be decided by, and shows what that would change")
            .arg(segmentation())
            .arg(option("segmenter", "ID", "The segmenter; default: the present one"))
            .arg(option("segmenter-version", "VERSION", "Its version; default: with --segmenter the newest that can be used, else the present one"))
            .arg(option("segmenter-config", "JSON", "Configuration; default: the present one"))
            .arg(note_of("Why, for the journal")),
        named("diff")
            .about("Shows what the proposed revision of a segmentation would change, as its last shadow found; or what a new file would for the rows of a file")
            .arg(text("segmentation", "KEY|OLD", "Key of the segmentation; or the segmenter as it is, a shared object (.so) or an address"))
            .arg(Arg::new("new").value_name("NEW").requires("csv").help("The segmenter as it would be"))
            .arg(token_file())
            .arg(
                option("csv", "FILE", "With NEW: rows whose header names features, and account_id")
                    .value_parser(value_parser!(PathBuf)),
            )
            .arg(option("segmenter-config", "JSON", "With NEW: configuration of both").default_value("{}"))
            .arg(option("as-of", "TIME", "With NEW: the \"now\" of both; default: now")),
        named("activate")
            .about("Lets the proposed revision decide, from now on and for all accounts at once")
            .arg(segmentation())
            .arg(option("revision", "N", "Only if it is this one; default: whatever is proposed").value_parser(value_parser!(u32)))
            .arg(option("accept-diff", "N", "Only if it is this one, also where it changes more than may be changed without a word; needs --note").value_parser(value_parser!(u32)).conflicts_with("revision"))
            .arg(note_of("Why, for the journal")),
        named("rollback")
            .about("Lets the revision decide again that did before the present one")
            .arg(segmentation())
            .arg(note_of("Why, for the journal; must be said")),
    ]
}

fn read_commands() -> Vec<Command> {
    vec![
        read("accounts")
            .about("Accounts by id, all or those that meet every option given")
            .arg(option("owner", "ID", "Looked after by this person"))
            .arg(option("parent", "ACCOUNT", "Belong to this account"))
            .arg(option("stage", "STAGE", "In this stage of the lifecycle, as the trait lifecycle_stage says"))
            .arg(option("source", "SOURCE", "This source has said something of them, other than events"))
            .arg(option("text", "WORDS", "All words occur in the id, the name, the domain or an external id"))
            .arg(option("trait", "NAME[=VALUE]", "Have this trait, of any or of this value: true, false, a number or text; 'count=\"250\"' is text; may be repeated").action(ArgAction::Append))
            .arg(limit()),
        read("account").about("Everything about one account: segments with reasons, scores, features, revenue, moves").arg(text("id", "ID", "Your id of the account")),
        read("hierarchy")
            .about("What an account belongs to, what belongs to it, and what that comes to")
            .arg(text("id", "ID", "Your id of the account")),
        read("timeline")
            .about("What is known of an account, newest first: what happened in it, and how it changed")
            .arg(text("id", "ID", "Your id of the account"))
            .arg(option("kind", "KIND", "Only records of this kind, such as event, ticket or invoice; may be repeated").action(ArgAction::Append))
            .arg(limit()),
        read("segments")
            .about("The segments of a segmentation with sizes and sums")
            .arg(segmentation())
            .arg(option("sum", "FEATURE", "Numeric feature to sum up; may be repeated").action(ArgAction::Append)),
        read("members")
            .about("The accounts of a segmentation, with the reasons of now and of the entry; where no segment is named, also those that are in none")
            .arg(segmentation())
            .arg(Arg::new("segment").value_name("SEGMENT").num_args(0..).help("Only accounts in these segments, by key"))
            .arg(option("order-by", "FEATURE", "Greatest first; default: by account id"))
            .arg(option("show", "FEATURE", "Feature to show; may be repeated").action(ArgAction::Append))
            .arg(limit()),
        read("changes")
            .about("Who moved, ranked by value at risk, and why")
            .after_long_help("By value at risk, the newest move of each account in a segmentation comes first, and behind them the moves that the account has moved on from, such as one that the close of its day took back. Of both, moves down come first: to a segment below the one in which the account began the day; and each kind by what the account is worth in a year.")
            .arg(option("since", "TIME", "A moment, a day, which begins in the tenant's time zone, or a span before the tenant's clock such as 7d or 12h").default_value("7d"))
            .arg(option("segmentation", "KEY", "Only this segmentation"))
            .arg(option("order", "ORDER", "Order").value_parser(["value-at-risk", "newest"]).default_value("value-at-risk"))
            .arg(limit()),
        metrics::command(),
        export::command(),
        named("features").about("The features of the catalogue"),
        named("models").about("The newest model of each kind: from when and how many accounts it is, and why there is none or it should not be trusted"),
    ]
}

fn segmentation() -> Arg {
    text(
        "segmentation",
        "SEGMENTATION",
        "Key of the segmentation; `sextant segmentations list` shows them",
    )
}

fn admin_commands() -> Vec<Command> {
    let group = |name: &'static str, about: &'static str| {
        Command::new(name)
            .about(about)
            .subcommand_required(true)
            .arg_required_else_help(true)
    };
    vec![
        group("tenants", "Tenants of the installation")
            .subcommand(named("list").about("All tenants that the key opens"))
            .subcommand(
                named("create")
                    .about("Makes a tenant")
                    .arg(text("name", "NAME", "Its name"))
                    .arg(option("time-zone", "ZONE", "IANA zone that days are counted in").default_value("UTC"))
                    .arg(option("currency", "CODE", "Currency that values are reported in").default_value("USD"))
                    .arg(option("fixed-clock", "TIME", "Moment at which its clock stands still; a day begins in its time zone; default: the real clock"))
                    .arg(number("retention-days", "0", "Age in days up to which records are taken; what is stored stays, however old it gets. 0: as the installation says"))
                    .arg(option("rfm-ties", "POLICY", "How RFM scores accounts with equal values").default_value(RFM_TIES[0]).value_parser(RFM_TIES)),
            )
            .subcommand(
                named("complete-import")
                    .about("Completes the tenant's open import of history, such as one that was interrupted: what is stored is evaluated")
                    .arg(
                        option("history", "SCHEDULE", "Which past days are evaluated")
                            .value_parser(["daily", "monthly", "latest"])
                            .default_value("daily"),
                    )
                    .arg(no_wait("Do")),
            )
            .subcommand(named("advance").about("Moves the tenant's fixed clock forward and evaluates every close on the way").arg(text("to", "TIME", "The new moment, at most 400 days on; a day begins in the tenant's time zone"))),
        group("keys", "Keys that open the API")
            .subcommand(named("list").about("Keys, without their secrets: all that the key sees, or with --tenant those of that tenant"))
            .subcommand(
                named("create")
                    .about("Makes a key; its secret is shown this once")
                    .arg(option("scope", "SCOPE", "What it may do; may be repeated").action(ArgAction::Append).required(true).value_parser(SCOPES.map(|(name, _)| name)))
                    .arg(option("title", "TEXT", "What it is for").default_value(""))
                    .arg(option("expires", "TIME", "When it stops working; a day begins in the tenant's time zone, with --installation in UTC; default: never"))
                    .arg(switch("installation", "For the installation instead of one tenant; plugins.publish needs it")),
            )
            .subcommand(named("revoke").about("Makes a key useless").arg(text("id", "ID", "Its public part, 16 hexadecimal digits"))),
        group("segmentations", "Segmentations of the tenant")
            .subcommand(named("list").about("All segmentations"))
            .subcommand(
                named("create")
                    .about("Puts a segmenter to use; it is evaluated at once, and says nothing of days that are closed before")
                    .arg(text("name", "KEY", "Its key: lower-case letters, digits, - and _"))
                    .arg(option("segmenter", "ID", "The segmenter, such as sextant.rfm").required(true))
                    .arg(segmenter_version())
                    .arg(option("segmenter-config", "JSON", "Configuration of the segmenter").default_value("{}"))
                    .arg(switch("dry-run", "Check and change nothing")),
            ),
        named("segmenters").about("Segmenters that can be used, and what they do"),
        of_refusals("rejections")
            .about("Records that were refused, newest first; one that comes again is listed once")
            .arg(limit())
            .arg(option("to", "FILE", "Also writes all of them there, one a line, to be corrected and replayed").value_parser(value_parser!(PathBuf))),
        of_refusals("replay")
            .about("Sends refused records again: as a file has them, or all, or those of a source or a reason, as they came")
            .arg(Arg::new("file").value_name("FILE").value_parser(value_parser!(PathBuf)).conflicts_with_all(["source", "reason"]).help("Lines as `sextant rejections --to` writes them, the record of each corrected")),
        named("held").about("Records that wait for their account, oldest first").arg(limit()),
        named("event-types").about("The types of events that are stored, how many of each, from when to when"),
        named("sources").about("What became of the deliveries of each source, how far they have come, and whether one has fallen silent"),
    ]
}
