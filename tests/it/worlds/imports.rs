//! History that comes in several files says what it says in one.

use std::fs;

use serde_json::{Value, json};

use sextant::client::Client;
use sextant_proto::scoring::v1::{ListModelsRequest, Model};

use crate::worlds::records::{ask, at};
use crate::worlds::world::{Shape, World, segmentation, tenant};

const SEGMENTATIONS: [&str; 3] = ["rfm", "value_tiers", "lifecycle"];
/// The present, and past days.
const MOMENTS: [&str; 5] = ["", "2025-10-12", "2025-11-03", "2025-12-15", "2026-01-20"];

/// A row of a CSV file, and the same as a record.
type Row = (String, Value);

/// Thirty accounts of October.
fn accounts() -> Vec<Row> {
    let row = |number: u64| {
        let (id, time) = (
            format!("a{number:02}"),
            format!("2025-10-{:02}", 1 + number % 20),
        );
        let fact = json!({"account_id": id, "created_at": time, "name": id});
        (
            format!("{id},{time},{id}"),
            json!({"time": time, "account": fact}),
        )
    };
    (1..=30).map(row).collect()
}

/// Most pay from November on, some leave in December, and others pay more then.
fn subscriptions() -> Vec<Row> {
    let row = |number: u64, time: &str, status: &str, quantity: u64| {
        let (account, id) = (format!("a{number:02}"), format!("s{number:02}"));
        let price = json!({
            "price_id": "seat", "unit_amount": {"minor": 4_000, "currency": "USD"}, "interval": "month", "interval_count": 1,
        });
        let fact = json!({
            "account_id": account, "subscription_id": id, "status": status, "items": [{"price": price, "quantity": quantity}],
        });
        let csv = format!("{time},{account},{id},{status},seat,40,USD,month,{quantity}");
        (csv, json!({"time": time, "subscription": fact}))
    };
    let mut rows = Vec::new();
    for number in 1..=26 {
        let began = format!("2025-11-{:02}", 1 + number % 25);
        rows.push(row(number, &began, "active", number * number));
        match number % 5 {
            0 => rows.push(row(number, "2025-12-10", "canceled", number * number)),
            1 => rows.push(row(number, "2025-12-20", "active", 900 - number)),
            _ => {},
        }
    }
    rows
}

/// Each account uses the product on as many days of a month as its number says.
fn events() -> Vec<Row> {
    let mut rows = Vec::new();
    for number in 1..=30_u64 {
        for month in ["2025-10", "2025-11", "2025-12", "2026-01"] {
            for day in 1..=number % 27 {
                let (id, time) = (
                    format!("a{number:02}"),
                    format!("{month}-{day:02}T10:00:00Z"),
                );
                let fact = json!({"account_id": id, "type": "login", "user_id": "u"});
                let csv = format!("{time},{id},login,u");
                rows.push((csv, json!({"time": time, "event": fact})));
            }
        }
    }
    rows
}

fn file(kind: &str) -> (&'static str, Vec<Row>) {
    match kind {
        "accounts" => ("account_id,created_at,name", accounts()),
        "subscriptions" => (
            "time,account_id,subscription_id,status,price_id,unit_amount,currency,interval,quantity",
            subscriptions(),
        ),
        _ => ("time,account_id,type,user_id", events()),
    }
}

/// Runs a command on a tenant, and gives what it printed.
fn cli(world: &World, tenant: &str, arguments: &[&str]) -> Value {
    let common = ["--tenant", tenant, "--output", "json"];
    let output = world.cli(&[arguments, &common].concat());
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {told}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Writes a file and imports its history; gives the position that covers it.
fn import(world: &World, tenant: &str, name: &str, kind: &[&str], content: &str) -> String {
    let path = world.folder().join(name);
    fs::write(&path, content).unwrap();
    let import = ["import", path.to_str().unwrap(), "--history", "daily"];
    let printed = cli(world, tenant, &[&import[..], kind].concat());
    position_in(&printed).unwrap()
}

/// The position that an answer names, wherever it stands.
fn position_in(printed: &Value) -> Option<String> {
    match printed {
        Value::Object(fields) => fields.iter().find_map(|(name, value)| match value {
            Value::String(position) if name == "position" => Some(position.clone()),
            other => position_in(other),
        }),
        Value::Array(values) => values.iter().find_map(position_in),
        _ => None,
    }
}

/// All files of a tenant in that order, each as a file of its own; with pauses until the ones before are evaluated.
fn in_files(world: &World, tenant: &str, (kinds, pauses): ([&str; 3], bool)) -> String {
    let imported = kinds.map(|kind| {
        let (header, rows) = file(kind);
        let lines = rows.into_iter().map(|(csv, _)| csv + "\n");
        let content = format!("{header}\n{}", lines.collect::<String>());
        let name = format!("{kind}.csv");
        let position = import(world, tenant, &name, &["--kind", kind], &content);
        if pauses {
            let evaluated = ["members", "rfm", "--limit", "1", "--at-least", &position];
            cli(world, tenant, &evaluated);
        }
        position
    });
    let [.., last] = imported;
    last
}

fn in_one_file(world: &World, tenant: &str) -> String {
    let kinds = ["accounts", "subscriptions", "events"];
    let rows = kinds.into_iter().flat_map(|kind| file(kind).1);
    let lines = rows.map(|(_, record)| format!("{record}\n"));
    import(world, tenant, "all.ndjson", &[], &lines.collect::<String>())
}

/// The models of all closes, newest first.
async fn models(client: &Client) -> Vec<Model> {
    let request = ListModelsRequest {
        page_size: 1_000,
        ..ListModelsRequest::default()
    };
    let answer = ask!(client, scoring.list_models, request);
    assert_eq!(answer.next_page_token, "");
    answer.models
}

/// What is said of all accounts at several moments, as it is known now and as it was known a day later, and of all moves.
fn picture(world: &World, tenant: &str, position: &str) -> Vec<Value> {
    let mut said = Vec::new();
    for segmentation in SEGMENTATIONS {
        for moment in MOMENTS {
            let mut members = vec![
                "members",
                segmentation,
                "--limit",
                "1000",
                "--at-least",
                position,
            ];
            match moment {
                "" => members.extend(["--show", "revenue.mrr_minor", "--show", "rfm.monetary"]),
                past => members.extend(["--as-of", past]),
            }
            said.push(cli(world, tenant, &members)["members"].clone());
            if !moment.is_empty() {
                members.extend(["--known-at", moment]);
                said.push(cli(world, tenant, &members)["members"].clone());
            }
        }
    }
    let changes = ["changes", "--since", "400d", "--limit", "1000"];
    said.push(
        cli(
            world,
            tenant,
            &[&changes[..], &["--at-least", position]].concat(),
        )["changes"]
            .clone(),
    );
    said
}

#[tokio::test]
async fn history_in_several_files_in_any_order_says_what_one_file_says() {
    for shape in [Shape::Embedded, Shape::Apart] {
        let world = World::start(shape).await;
        let new = async |name| {
            let client = tenant(&world.client(), name, at("2026-02-01T00:00")).await;
            for name in SEGMENTATIONS {
                segmentation(&client, name).await;
            }
            client
        };
        let client = new("whole").await;
        let position = in_one_file(&world, "whole");
        let whole = picture(&world, "whole", &position);
        let models_of_whole = models(&client).await;
        assert!(
            models_of_whole
                .iter()
                .filter(|model| model.warning.is_empty())
                .count()
                > 100
        );
        let orders = [
            (["accounts", "subscriptions", "events"], false),
            (["accounts", "subscriptions", "events"], true),
            (["accounts", "events", "subscriptions"], true),
            (["events", "subscriptions", "accounts"], false),
        ];
        for (name, kinds) in ["first", "second", "third", "fourth"]
            .into_iter()
            .zip(orders)
        {
            let client = new(name).await;
            let position = in_files(&world, name, kinds);
            let parts = picture(&world, name, &position);
            for (place, (parts, whole)) in parts.iter().zip(&whole).enumerate() {
                assert_eq!(parts, whole, "{shape:?}: {kinds:?}, answer {place}");
            }
            assert_eq!(
                models(&client).await,
                models_of_whole,
                "{shape:?}: {kinds:?}"
            );
        }
    }
}
