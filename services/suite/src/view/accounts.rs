//! Accounts, their scores and features.

use sextant_proto::ingestion::v1::value::Kind;
use sextant_proto::ingestion::v1::{Account, AccountTotals, GetHierarchyResponse, Value};
use sextant_proto::scoring::v1::{Feature, Score, ScoreState, feature};
use sextant_proto::segmentation::v1::Membership;

use crate::output::{Block, Cell, Column};
use crate::view::{ENTERED, MINOR, Titles, id_of, segment_columns, why};

/// Accounts by id.
pub(crate) fn accounts(accounts: &[Account]) -> Block {
    let columns = vec![
        Column::left("account", "Account"),
        Column::left("name", "Name"),
        Column::left("created_at", "Since"),
        Column::left("owner", "Owner"),
        Column::left("industry", "Industry"),
        Column::left("country", "Country"),
        Column::right("employee_count", "Employees"),
    ];
    let mut block = Block::new("accounts", "", columns);
    for account in accounts {
        let trait_of = |name: &str| account.traits.get(name).map_or(Cell::Nothing, value);
        block.rows.push(vec![
            id_of(account.r#ref.as_ref()),
            Cell::text(account.name.clone()),
            Cell::moment(account.created_at.as_ref()),
            Cell::text(account.owner_id.clone()),
            trait_of("industry"),
            trait_of("country"),
            trait_of("employee_count"),
        ]);
    }
    block
}

/// An account with what it belongs to above it and what belongs to it below, those one level down under the ones that they belong to.
pub(crate) fn hierarchy(answer: &GetHierarchyResponse) -> Block {
    let columns = vec![
        Column::left("account", "Account"),
        Column::left("name", "Name"),
        Column::left("owner", "Owner"),
        Column::left("parent", "Belongs to"),
        Column::right("depth", "Level"),
        Column::right("accounts", "Accounts"),
        Column::right("users", "Users"),
        Column::right("subscriptions", "Subscriptions"),
        Column::right("mrr", "MRR"),
    ];
    let mut block = Block::new("hierarchy", "", columns);
    let nodes = answer.ancestors.iter().chain(&answer.account);
    for node in nodes.chain(&answer.descendants) {
        let total = |of: fn(&AccountTotals) -> Cell| node.totals.as_ref().map_or(Cell::Nothing, of);
        block.rows.push(vec![
            id_of(node.account.as_ref()),
            Cell::text(node.name.clone()),
            Cell::text(node.owner_id.clone()),
            Cell::text(node.parent_account_id.clone()),
            Cell::Count(node.depth.into()),
            total(|totals| Cell::Count(totals.accounts.into())),
            total(|totals| Cell::Count(totals.users.into())),
            total(|totals| Cell::Count(totals.subscriptions.into())),
            total(|totals| match &totals.mrr {
                Some(mrr) => Cell::money(mrr.minor, &mrr.currency),
                None => Cell::Nothing,
            }),
        ]);
    }
    block
}

/// A trait's value.
pub(crate) fn value(value: &Value) -> Cell {
    match &value.kind {
        None => Cell::Nothing,
        Some(Kind::Text(text)) => Cell::text(text.clone()),
        Some(Kind::Integer(integer)) => Cell::Integer(*integer),
        Some(Kind::Number(number)) => Cell::Number {
            value: *number,
            decimals: 2,
        },
        Some(Kind::Boolean(flag)) => Cell::Flag(*flag),
        Some(Kind::Time(at)) => Cell::moment(Some(at)),
        Some(Kind::List(list)) => {
            let words: Vec<String> = list.values.iter().map(word).collect();
            Cell::text(words.join(", "))
        },
    }
}

/// A value within a list.
fn word(value: &Value) -> String {
    match &value.kind {
        Some(Kind::Text(text)) => text.clone(),
        Some(Kind::Integer(integer)) => integer.to_string(),
        Some(Kind::Number(number)) => number.to_string(),
        Some(Kind::Boolean(flag)) => flag.to_string(),
        Some(Kind::Time(at)) => at.to_string(),
        Some(Kind::List(_)) | None => String::new(),
    }
}

/// Where an account stands in every segmentation.
pub(crate) fn memberships(memberships: &[Membership], titles: &Titles, currency: &str) -> Block {
    let mut columns = vec![Column::left("segmentation", "Segmentation")];
    columns.extend(segment_columns("segment", "Segment"));
    columns.push(Column::left("entered_at", "Since"));
    columns.push(Column::left("provisional", "Provisional"));
    // The past has no other reasons than those of the entry.
    let is_present = memberships
        .iter()
        .any(|membership| !membership.current_reasons.is_empty());
    if is_present {
        columns.push(Column::prose("current_reasons", "Why, now"));
    }
    columns.push(Column::prose("reasons", ENTERED));
    columns.push(Column::prose("missing_features", "Unknown"));
    columns.push(Column::rare("trouble", "Not judged anew"));
    let mut block = Block::new("memberships", "Segments", columns);
    if memberships.iter().any(|one| one.provisional) {
        block = block.noted("Provisional: the day is not closed yet, so it may still change.");
    }
    for one in memberships {
        let mut row = vec![Cell::text(one.segmentation.clone())];
        row.extend(titles.cells(&one.segmentation, one.state(), &one.segment));
        row.push(Cell::moment(one.entered_at.as_ref()));
        row.push(Cell::Flag(one.provisional));
        if is_present {
            row.push(why(&one.current_reasons, currency));
        }
        row.push(why(&one.reasons, currency));
        row.push(list(&one.missing_features));
        row.push(Cell::text(one.trouble.clone()));
        block.rows.push(row);
    }
    block
}

fn list(texts: &[String]) -> Cell {
    if texts.is_empty() {
        Cell::Nothing
    } else {
        Cell::List(texts.to_vec())
    }
}

/// An account's scores.
pub(crate) fn scores(scores: &[Score], currency: &str) -> Block {
    let columns = vec![
        Column::left("model", "Model"),
        Column::right("value", "Value"),
        Column::left("band", "Band"),
        Column::left("state", "State"),
        Column::right("coverage", "Known"),
        Column::prose("missing", "Unknown"),
        Column::prose("contributions", "Made of"),
        Column::left("model_version", "Version"),
    ];
    let mut block = Block::new("scores", "Scores", columns)
        .noted("Known: the share of the model's inputs that is known for this account. A blank value is unknown, which is not zero; models are made at the close of a day.");
    for score in scores {
        let value = match (score.value, score.model.as_str()) {
            (None, _) => Cell::Nothing,
            (Some(value), "clv") => crate::view::sum(MINOR, value, currency),
            (Some(value), _) => Cell::Number { value, decimals: 0 },
        };
        let texts: Vec<String> = score
            .contributions
            .iter()
            .map(|part| part.text.clone())
            .filter(|text| !text.is_empty())
            .collect();
        block.rows.push(vec![
            Cell::text(score.model.clone()),
            value,
            Cell::text(score.band.clone()),
            Cell::text(match score.state() {
                ScoreState::Unspecified => "",
                ScoreState::Known => "known",
                ScoreState::InsufficientData => "insufficient data",
                ScoreState::NoModel => "no model yet",
            }),
            // Of a model that there is not, no share is known.
            if score.state() == ScoreState::NoModel {
                Cell::Nothing
            } else {
                Cell::Number {
                    value: score.coverage,
                    decimals: 2,
                }
            },
            list(&score.missing),
            list(&texts),
            Cell::text(score.model_version.clone()),
        ]);
    }
    block
}

/// An account's features.
pub(crate) fn features(features: &[Feature], currency: &str) -> Block {
    let columns = vec![
        Column::left("feature", "Feature"),
        Column::right("value", "Value"),
    ];
    let mut block =
        Block::new("features", "Features", columns).noted("Blank: unknown, which is not zero.");
    for one in features {
        let value = match &one.value {
            None => Cell::Nothing,
            Some(feature::Value::Integer(minor)) if one.name.ends_with(MINOR) => {
                Cell::money(*minor, currency)
            },
            Some(feature::Value::Integer(integer)) => Cell::Integer(*integer),
            Some(feature::Value::Number(value)) => Cell::Number {
                value: *value,
                decimals: 3,
            },
            Some(feature::Value::Text(text)) => Cell::text(text.clone()),
            Some(feature::Value::Time(at)) => Cell::moment(Some(at)),
        };
        block.rows.push(vec![Cell::text(one.name.clone()), value]);
    }
    block
}
