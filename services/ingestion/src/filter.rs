//! Which accounts a list asks for. Pure.

use std::collections::BTreeMap;

use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1 as pb;
use sextant_proto::ingestion::v1::value::Kind;
use sextant_store::port::FactVersion;
use sextant_wire::read::external_id;
use sextant_wire::record;
use sextant_wire::status::Problem;

use crate::fold::{self, Moment};

/// The trait that says in which stage of the lifecycle an account is.
const STAGE_TRAIT: &str = "lifecycle_stage";
const MAX_CONDITIONS: usize = 20;
const MAX_WORDS: usize = 10;
const MAX_TEXT_BYTES: usize = 200;

/// A filter that has been checked.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    asked: pb::AccountFilter,
    /// The words of the text, in lower case.
    words: Vec<String>,
}

impl Filter {
    /// Checks a filter; without one, all accounts meet it.
    ///
    /// # Errors
    /// A field that is none, named.
    pub(crate) fn of(asked: Option<&pb::AccountFilter>) -> Result<Self, Problem> {
        let asked = asked.cloned().unwrap_or_default();
        for (id, field) in [
            (&asked.owner_id, "filter.owner_id"),
            (&asked.parent_account_id, "filter.parent_account_id"),
            (&asked.source, "filter.source"),
        ] {
            if !id.is_empty() {
                external_id(id, field)?;
            }
        }
        let words: Vec<String> = asked.text.split_whitespace().map(folded).collect();
        if asked.text.len() > MAX_TEXT_BYTES || words.len() > MAX_WORDS {
            return Err(too_long(
                "filter.text",
                format!("at most {MAX_WORDS} words and {MAX_TEXT_BYTES} bytes are allowed"),
            ));
        }
        if asked.traits.len() > MAX_CONDITIONS {
            return Err(too_long(
                "filter.traits",
                format!("at most {MAX_CONDITIONS} conditions are allowed"),
            ));
        }
        if asked.stage.len() > MAX_TEXT_BYTES {
            return Err(too_long(
                "filter.stage",
                format!("at most {MAX_TEXT_BYTES} bytes are allowed"),
            ));
        }
        for (at, condition) in asked.traits.iter().enumerate() {
            let field = format!("filter.traits[{at}]");
            record::check_value_name(&condition.name, || format!("{field}.name"))?;
            if let Some(value) = &condition.value {
                record::check_value(value, &format!("{field}.value"))?;
            }
        }
        Ok(Self { asked, words })
    }

    /// Whether all accounts meet it.
    pub(crate) fn is_empty(&self) -> bool {
        self.asked == pb::AccountFilter::default()
    }

    /// Whether an account meets it, of which `versions` tell.
    ///
    /// # Errors
    /// A stored record is damaged.
    pub(crate) fn takes(
        &self,
        account: &pb::Account,
        versions: &[FactVersion],
        moment: Moment,
    ) -> Result<bool, Problem> {
        let source = &self.asked.source;
        Ok(self.describes(account)
            && (source.is_empty() || fold::is_told_by(source, versions, moment)?))
    }

    /// Whether what an account is meets it.
    fn describes(&self, account: &pb::Account) -> bool {
        let asked = &self.asked;
        is(&account.owner_id, &asked.owner_id)
            && is(&account.parent_account_id, &asked.parent_account_id)
            && (asked.stage.is_empty() || has_stage(&account.traits, &asked.stage))
            && asked.traits.iter().all(|one| meets(&account.traits, one))
            && has_words(account, &self.words)
    }
}

fn too_long(field: &str, message: String) -> Problem {
    Problem::field(ErrorReason::FieldTooLong, field, message)
}

fn is(held: &str, asked: &str) -> bool {
    asked.is_empty() || held == asked
}

fn has_stage(traits: &BTreeMap<String, pb::Value>, stage: &str) -> bool {
    let held = traits
        .get(STAGE_TRAIT)
        .and_then(|value| value.kind.as_ref());
    matches!(held, Some(Kind::Text(held)) if held == stage)
}

fn meets(traits: &BTreeMap<String, pb::Value>, condition: &pb::TraitCondition) -> bool {
    let Some(held) = traits.get(&condition.name) else {
        return false;
    };
    let Some(asked) = &condition.value else {
        return true;
    };
    let is_within = match &held.kind {
        Some(Kind::List(list)) => list.values.iter().any(|one| are_equal(one, asked)),
        _ => false,
    };
    is_within || are_equal(held, asked)
}

/// Whether two values are worth the same.
fn are_equal(left: &pb::Value, right: &pb::Value) -> bool {
    match (&left.kind, &right.kind) {
        (Some(Kind::List(left)), Some(Kind::List(right))) => {
            let mut pairs = left.values.iter().zip(&right.values);
            left.values.len() == right.values.len()
                && pairs.all(|(one, other)| are_equal(one, other))
        },
        (Some(Kind::Number(number)), Some(Kind::Integer(integer)))
        | (Some(Kind::Integer(integer)), Some(Kind::Number(number))) => is_worth(*number, *integer),
        (left, right) => left == right,
    }
}

/// Whether a number is exactly an integer.
fn is_worth(number: f64, integer: i64) -> bool {
    // 2^63, the first whole number that is no i64.
    const END: f64 = 9_223_372_036_854_775_808.0;
    #[expect(clippy::cast_possible_truncation, reason = "within i64 and whole")]
    let whole = || number as i64;
    number.fract() == 0.0 && (-END..END).contains(&number) && whole() == integer
}

/// A text without its case, letter by letter: the end of a word is none that another text has to have, too.
fn folded(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

fn has_words(account: &pb::Account, words: &[String]) -> bool {
    if words.is_empty() {
        return true;
    }
    let id = account.r#ref.iter().map(|entity| &entity.id);
    let names = account.external_ids.iter().map(|one| &one.id);
    let texts: Vec<String> = id
        .chain([&account.name, &account.domain])
        .chain(names)
        .map(|text| folded(text))
        .collect();
    words
        .iter()
        .all(|word| texts.iter().any(|text| text.contains(word.as_str())))
}

#[cfg(test)]
mod tests;
