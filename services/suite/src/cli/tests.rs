use std::path::Path;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use sextant_proto::ingestion::v1::RfmTiePolicy;
use sextant_runtime::auth::Scope;
use sextant_runtime::config::{Environment, Loaded};
use sextant_runtime::lifecycle::Lifecycle;
use sextant_runtime::link::LinkOptions;
use sextant_runtime::telemetry::Meters;

use super::args::{RFM_TIES, SCOPES};
use super::context::{is_enough, page_size, span_us};
use super::{command, run};
use crate::doctor::Finding;
use crate::import::values::words;
use crate::installation::{Answer, Installation, Migration, Role, Running};
use crate::links::{Addresses, Links};

/// An installation whose answers are known.
struct Known;

impl Installation for Known {
    fn start<'a>(&'a self, loaded: &'a Loaded, role: Role) -> Answer<'a, Running> {
        async move {
            if role != Role::Scoring {
                return Err("the data directory is in use".into());
            }
            let options = LinkOptions::new(Duration::from_secs(1), Meters::none());
            Ok(Running {
                links: Links::connect(&Addresses::all_at("http://127.0.0.1:1"), &options)?,
                address: loaded.config.server.listen,
                key: None,
                segmenters: Vec::new(),
                lifecycle: Lifecycle::new(),
                ended: std::future::ready(7).boxed(),
            })
        }
        .boxed()
    }

    fn migrate<'a>(&'a self, _loaded: &'a Loaded) -> Answer<'a, Vec<Migration>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn backup<'a>(&'a self, _loaded: &'a Loaded, _to: &'a Path) -> Answer<'a, ()> {
        async { Ok(()) }.boxed()
    }

    fn restore<'a>(&'a self, _loaded: &'a Loaded, _from: &'a Path) -> Answer<'a, ()> {
        async { Err("not empty".into()) }.boxed()
    }

    fn checks<'a>(&'a self, _loaded: &'a Loaded) -> BoxFuture<'a, Vec<Finding>> {
        async { vec![Finding::failed("lock", "held", "stop the other process")] }.boxed()
    }
}

async fn exit(line: &str) -> u8 {
    let args = line.split_whitespace().map(Into::into);
    run(args, Environment::default(), &Known).await
}

#[test]
fn the_command_line_is_free_of_contradictions() {
    command().debug_assert();
}

#[test]
fn no_argument_of_a_command_hides_a_global_one() {
    fn check(command: &clap::Command, globals: &[&str]) {
        for argument in command
            .get_arguments()
            .filter(|argument| !argument.is_global_set())
        {
            let id = argument.get_id().as_str();
            assert!(!globals.contains(&id), "{} of {}", id, command.get_name());
        }
        command
            .get_subcommands()
            .for_each(|nested| check(nested, globals));
    }
    let command = command();
    let globals: Vec<&str> = command
        .get_arguments()
        .map(|argument| argument.get_id().as_str())
        .collect();
    command
        .get_subcommands()
        .for_each(|nested| check(nested, &globals));
}

#[test]
fn the_scopes_of_the_command_line_are_those_of_the_contract() {
    let contract = Scope::ALL
        .into_iter()
        .filter(|scope| *scope != Scope::Service)
        .map(Scope::as_str);
    assert_eq!(contract.collect::<Vec<_>>(), SCOPES.map(|(name, _)| name));
    for (name, wire) in SCOPES {
        let spelt = format!("SCOPE_{}", name.replace('.', "_").to_uppercase());
        assert_eq!(wire.as_str_name(), spelt);
    }
}

#[test]
fn the_tie_policies_of_the_command_line_are_those_of_the_contract() {
    assert_eq!(words::<RfmTiePolicy>(), RFM_TIES);
}

#[tokio::test]
async fn the_exit_code_says_how_it_ended() {
    let table = [
        ("sextant --version", 0),
        ("sextant import --help", 0),
        ("sextant", 2),
        ("sextant acounts", 2),
        ("sextant accounts --output xml", 2),
        ("sextant accounts --set nonsense", 2),
        ("sextant accounts --set server.listn=1", 2),
        ("sextant accounts --config no/such/file.toml", 2),
        ("sextant accounts --key sx_short", 4),
        ("sextant accounts --address nonsense:", 2),
        ("sextant explain NO_SUCH_REASON", 3),
        ("sextant explain malformed", 0),
        ("sextant explain CONFLICT", 0),
        (
            "sextant metrics waterfall --months 0 --address http://127.0.0.1:1",
            2,
        ),
        (
            "sextant metrics waterfall --months 1 --address http://127.0.0.1:1",
            5,
        ),
        ("sextant import no/such/file.csv --kind payments", 3),
        ("sextant accounts --address http://127.0.0.1:1", 5),
        (
            "sextant keys create --scope plugins.publish --address http://127.0.0.1:1",
            5,
        ),
        ("sextant keys create --scope plugins_publish", 2),
        ("sextant export features.xls", 2),
        (
            "sextant export features.csv --address http://127.0.0.1:1",
            5,
        ),
        ("sextant held --address http://127.0.0.1:1", 5),
        ("sextant sources --address http://127.0.0.1:1", 5),
        ("sextant rejections --address http://127.0.0.1:1", 5),
        ("sextant serve scoring", 7),
        ("sextant serve everything", 2),
        // Who calls, and where, means something to commands that call.
        ("sextant serve scoring --key sx_short", 2),
        ("sextant doctor --tenant acme", 2),
        ("sextant migrate --address http://127.0.0.1:1", 2),
        ("sextant backup there --key sx_short", 2),
        ("sextant generate --tenant acme", 2),
        ("sextant demo --exit --tenant acme", 2),
        ("sextant keys --key sx_short list", 4),
        ("sextant keys list --key sx_short", 4),
        ("sextant demo --exit", 1),
        ("sextant restore there", 1),
        ("sextant migrate", 0),
        ("sextant doctor", 1),
        ("sextant config show --origin", 0),
    ];
    for (line, code) in table {
        assert_eq!(exit(line).await, code, "{line}");
    }
}

#[test]
fn spans_are_read_with_their_units() {
    assert_eq!(span_us("7d"), Some(604_800_000_000));
    assert_eq!(span_us("30m"), Some(1_800_000_000));
    for text in ["", "d", "7", "-1d", "2026-01-01", "7é"] {
        assert_eq!(span_us(text), None, "{text}");
    }
}

#[test]
fn pages_are_no_larger_than_the_limit_and_none_means_all() {
    assert_eq!(
        (page_size(50), page_size(0), page_size(5_000)),
        (50, 1_000, 1_000)
    );
    assert!(is_enough(50, 50) && !is_enough(49, 50) && !is_enough(1_000_000, 0));
}
