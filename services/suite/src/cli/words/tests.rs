use super::{WORDS, spoken};
use crate::cli::command;

#[test]
fn names_of_the_contract_are_said_as_flags_and_commands_and_other_words_stay() {
    for (message, expected) in [
        (
            "at.at_least_position: is no position of this tenant",
            "--at-least: is no position of this tenant",
        ),
        (
            "feature \"mrr\" is not in the catalogue; list it with ListFeatureDefinitions",
            "feature \"mrr\" is not in the catalogue; list it with `sextant features`",
        ),
        (
            "sum_features: are summed up for the present only; ask GetRevenue",
            "--sum: are summed up for the present only; ask `sextant metrics revenue --by`",
        ),
        ("set as_of.", "set --as-of."),
        (
            "\"class_of\" is no segment, nor has_of é",
            "\"class_of\" is no segment, nor has_of é",
        ),
        ("", ""),
    ] {
        assert_eq!(spoken(message), expected);
    }
}

/// Flags of a command and of those below it.
fn flags(command: &clap::Command) -> Vec<String> {
    let own = command.get_arguments().filter_map(|one| one.get_long());
    let below = command.get_subcommands().flat_map(flags);
    own.map(|name| format!("--{name}")).chain(below).collect()
}

#[test]
fn every_flag_that_is_said_is_one() {
    let flags = flags(&command());
    for (_, said) in WORDS.iter().filter(|(_, said)| said.starts_with("--")) {
        assert!(flags.iter().any(|flag| flag == said), "{said}");
    }
}
