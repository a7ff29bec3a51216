//! The public contract, read from the proto files.

use std::collections::BTreeSet;

use sextant::import::Refusal;

use crate::tidy::tree::{File, Tree, report};

/// Calls that change nothing.
// A state is known by its digest: to fit once more, and to send one again, changes nothing.
const READS: &[&str] = &[
    "Configure",
    "Describe",
    "Explain",
    "Fit",
    "Get",
    "List",
    "LoadState",
    "Prepare",
    "Read",
    "Resolve",
    "SaveState",
    "Segment",
    "Watch",
];
/// Calls that change something, once per `request_id`.
const CHANGES: &[&str] = &[
    "Activate",
    "Advance",
    "Approve",
    "Complete",
    "Create",
    "Propose",
    "Quarantine",
    "Register",
    "Release",
    "Retire",
    "Revoke",
    "RollBack",
    "Start",
];
/// Calls whose records or bytes have identities of their own.
const IDENTIFIED: &[&str] = &["Replay", "Ingest", "Upload"];

const REASON: &str = "ERROR_REASON_";

/// A call of a service.
#[derive(Debug)]
struct Rpc<'a> {
    file: &'a File,
    name: &'a str,
}

fn protos(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.with_extension("proto")
}

fn rpcs(tree: &Tree) -> Vec<Rpc<'_>> {
    let calls = protos(tree).flat_map(|file| {
        let names = file
            .text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("rpc ")?.split('(').next());
        names.map(move |name| Rpc { file, name })
    });
    calls.collect()
}

fn starts_with(name: &str, verbs: &[&str]) -> bool {
    verbs.iter().any(|verb| name.starts_with(verb))
}

/// The names of the fields of a message in a file.
fn fields<'a>(file: &'a File, message: &str) -> BTreeSet<&'a str> {
    let Some((_, body)) = file.text.split_once(&format!("\nmessage {message} {{")) else {
        return BTreeSet::new();
    };
    let body = body.split("\n}").next().unwrap_or_default();
    let fields = body
        .lines()
        .filter(|line| !line.trim().starts_with("//"))
        .filter_map(|line| line.split_once(" = "));
    fields
        .filter_map(|(declared, _)| declared.split_whitespace().next_back())
        .collect()
}

#[test]
fn every_list_call_is_paged() {
    let tree = Tree::load();
    let mut found = Vec::new();
    for rpc in rpcs(&tree)
        .iter()
        .filter(|rpc| rpc.name.starts_with("List"))
    {
        let request = fields(rpc.file, &format!("{}Request", rpc.name));
        let answer = fields(rpc.file, &format!("{}Response", rpc.name));
        if !request.contains("page_size")
            || !request.contains("page_token")
            || !answer.contains("next_page_token")
        {
            found.push(format!(
                "{}: {} needs page_size, page_token and next_page_token",
                rpc.file.path, rpc.name
            ));
        }
    }
    report(&found);
}

#[test]
fn every_call_that_changes_something_takes_a_request_id() {
    let tree = Tree::load();
    let mut found = Vec::new();
    for rpc in rpcs(&tree) {
        let kinds = [READS, CHANGES, IDENTIFIED].map(|verbs| starts_with(rpc.name, verbs));
        if kinds.iter().all(|is| !is) {
            found.push(format!(
                "{}: say in tests/it/tidy/contract.rs whether {} changes something",
                rpc.file.path, rpc.name
            ));
        }
        let [_, changes, _] = kinds;
        if changes && !fields(rpc.file, &format!("{}Request", rpc.name)).contains("request_id") {
            found.push(format!(
                "{}: {}Request has no request_id",
                rpc.file.path, rpc.name
            ));
        }
    }
    report(&found);
}

#[test]
fn every_error_reason_has_a_page_and_every_page_a_reason() {
    let tree = Tree::load();
    let declared = &tree
        .file("proto/sextant/common/v1/error_reason.proto")
        .unwrap()
        .text;
    let reasons: BTreeSet<&str> = declared
        .lines()
        .filter_map(|line| line.trim().strip_prefix(REASON)?.split(' ').next())
        .filter(|reason| *reason != "UNSPECIFIED")
        // What a row of a file can be, and no call.
        .chain([Refusal::CONFLICT])
        .collect();
    let pages: BTreeSet<&str> = tree
        .files
        .iter()
        .filter_map(|file| {
            file.path
                .strip_prefix("services/suite/reasons/")?
                .strip_suffix(".md")
        })
        .collect();
    let differing = reasons.symmetric_difference(&pages);
    report(
        &differing
            .map(|reason| format!("{reason} is a reason or a page, not both"))
            .collect::<Vec<_>>(),
    );
}

/// Whether a line declares something that needs a comment above it.
fn declares(line: &str) -> bool {
    let is_named = ["message ", "enum ", "service ", "rpc ", "oneof "]
        .iter()
        .any(|word| line.starts_with(word));
    let number = line
        .split_once(" = ")
        .map(|(_, rest)| rest.split([';', ' ']).next().unwrap_or_default());
    is_named
        || number
            .is_some_and(|number| !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()))
}

#[test]
fn every_message_field_enum_value_service_and_rpc_has_a_comment() {
    let tree = Tree::load();
    let mut found = Vec::new();
    for file in protos(&tree) {
        let mut before = "";
        for (at, line) in file.text.lines().map(str::trim).enumerate() {
            if declares(line) && !before.starts_with("//") {
                found.push(format!("{}:{}: {line}", file.path, at + 1));
            }
            before = line;
        }
    }
    report(&found);
}
