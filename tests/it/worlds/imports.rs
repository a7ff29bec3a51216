//! History that comes in several files, in imports that overlap or that were interrupted, says what it says in one file.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Command;

use prost_types::Timestamp;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use sextant::client::Client;
use sextant::import::ndjson::NdjsonRows;
use sextant::import::{Input, Item};
use sextant::installation::Role;
use sextant_domain::time::Zone;
use sextant_proto::ingestion::v1::{
    GetTenantRequest, IngestBatchRequest, IngestOptions, IngestRequest, IngestResponse,
    ListSourcesRequest, Record, StartImportRequest,
};
use sextant_proto::scoring::v1::{ListModelsRequest, Model};
use sextant_wire::status::reason_of;

use crate::worlds::records::{ask, at};
use crate::worlds::world::{Shape, World, request_id, segmentation, tenant};

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
fn import(world: &World, tenant: &str, name: &str, more: &[&str], content: &str) -> String {
    let path = world.folder().join(name);
    fs::write(&path, content).unwrap();
    let import = ["import", path.to_str().unwrap(), "--history", "daily"];
    let printed = cli(world, tenant, &[&import[..], more].concat());
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
        let at_once = if pauses { &[][..] } else { &["--no-wait"] };
        let arguments = [&["--kind", kind][..], at_once].concat();
        import(world, tenant, &name, &arguments, &content)
    });
    let [.., last] = imported;
    last
}

/// The rows of these kinds as a file of records.
fn ndjson(kinds: &[&str]) -> String {
    let rows = kinds.iter().flat_map(|kind| file(kind).1);
    let lines = rows.map(|(_, record)| format!("{record}\n"));
    lines.collect()
}

/// All there is.
fn all() -> String {
    ndjson(&["accounts", "subscriptions", "events"])
}

fn in_one_file(world: &World, tenant: &str) -> String {
    import(world, tenant, "all.ndjson", &[], &all())
}

/// The records that an import of this file sends.
fn records_of(content: String) -> Vec<Record> {
    let input = Input::of_bytes("all.ndjson", content.leak().as_bytes()).unwrap();
    let rows = NdjsonRows::new(input, "file", &Zone::utc());
    let record = |item| match item {
        Ok(Item::Record { record, .. }) => *record,
        other => panic!("{other:?}"),
    };
    rows.map(record).collect()
}

/// A tenant with all segmentations, and a client for it.
async fn new(world: &World, name: &str) -> Client {
    let client = tenant(&world.client(), name, at("2026-02-01T00:00")).await;
    for name in SEGMENTATIONS {
        segmentation(&client, name).await;
    }
    client
}

async fn open_import(client: &Client) {
    let request = StartImportRequest {
        request_id: request_id(),
    };
    let mut tenants = client.tenants();
    let opened = tenants.start_import(client.request(request));
    opened.await.unwrap();
}

/// Since when an import is open.
async fn open_since(client: &Client) -> Option<Timestamp> {
    let asked = client.request(GetTenantRequest::default());
    let shown = client.tenants().get_tenant(asked).await.unwrap();
    shown.into_inner().tenant.unwrap().import_opened_at
}

/// A stream of history.
struct Sending {
    requests: mpsc::Sender<IngestRequest>,
    answers: Streaming<IngestResponse>,
}

impl Sending {
    async fn begin(client: &Client) -> Self {
        let (requests, sent) = mpsc::channel(1);
        let options = IngestRequest {
            options: Some(IngestOptions { historical: true }),
            ..IngestRequest::default()
        };
        requests.send(options).await.unwrap();
        let sent = client.stream(ReceiverStream::new(sent));
        let call = client.ingestion().ingest(sent).await;
        let mut sending = Self {
            requests,
            answers: call.unwrap().into_inner(),
        };
        let granted = sending.answers.message().await.unwrap().unwrap();
        assert_eq!(granted.acknowledged_sequence, 0);
        sending
    }

    async fn send(&mut self, sequence: u64, records: &[Record]) -> Result<(), Status> {
        let batch = IngestRequest {
            sequence,
            records: records.to_vec(),
            ..IngestRequest::default()
        };
        self.requests.send(batch).await.unwrap();
        let answer = self.answers.message().await?.unwrap();
        assert_eq!(answer.acknowledged_sequence, sequence);
        Ok(())
    }
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

/// Sends all records as history of the import that is open.
async fn send_history(client: &Client) {
    let request = IngestBatchRequest {
        options: Some(IngestOptions { historical: true }),
        records: records_of(all()),
        ..IngestBatchRequest::default()
    };
    let mut ingestion = client.ingestion();
    let stored = ingestion.ingest_batch(client.request(request));
    stored.await.unwrap();
}

#[tokio::test]
async fn history_in_several_files_in_any_order_says_what_one_file_says() {
    for shape in [Shape::Embedded, Shape::Apart] {
        let world = World::start(shape).await;
        let client = new(&world, "whole").await;
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
            let client = new(&world, name).await;
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

#[tokio::test]
async fn history_that_comes_after_its_import_was_completed_is_refused_and_counts_once_it_is_sent_again()
 {
    for shape in [Shape::Embedded, Shape::Apart] {
        let world = World::start(shape).await;
        let client = new(&world, "whole").await;
        let position = in_one_file(&world, "whole");
        let whole = picture(&world, "whole", &position);
        let models_of_whole = models(&client).await;

        let client = new(&world, "overlapped").await;
        let records = records_of(all());
        let (first, second) = records.split_at(records.len() / 2);
        open_import(&client).await;
        let mut sending = Sending::begin(&client).await;
        sending.send(1, first).await.unwrap();
        // Another one goes on in the same import, is done earlier, and has everything evaluated.
        let accounts = ndjson(&["accounts"]);
        let resume = ["--resume"];
        let position = import(&world, "overlapped", "a.ndjson", &resume, &accounts);
        assert_ne!(picture(&world, "overlapped", &position), whole);

        let counts = async || {
            let asked = client.request(ListSourcesRequest::default());
            let counts = client.sources().list_sources(asked).await.unwrap();
            counts.into_inner().sources
        };
        let before = counts().await;
        let refused = sending.send(2, second).await.unwrap_err();
        assert_eq!(reason_of(&refused).as_deref(), Some("IMPORT_STATE"));
        assert_eq!(counts().await, before, "{shape:?}: {refused}");

        let position = in_one_file(&world, "overlapped");
        let healed = picture(&world, "overlapped", &position);
        for (place, (healed, whole)) in healed.iter().zip(&whole).enumerate() {
            assert_eq!(healed, whole, "{shape:?}: answer {place}");
        }
        assert_eq!(models(&client).await, models_of_whole, "{shape:?}");
    }
}

/// Runs a command on a tenant that is refused, and gives what it said.
fn refused(world: &World, tenant: &str, arguments: &[&str]) -> String {
    let output = world.cli(&[arguments, &["--tenant", tenant]].concat());
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(6), "{arguments:?}: {told}");
    assert!(told.contains("IMPORT_STATE"), "{told}");
    told
}

/// Interrupts an import of rows that end only when it has, once `is_due`, and gives what it said up to some words.
async fn interrupt_import(
    world: &World,
    arguments: &[&str],
    rows: &str,
    is_due: impl AsyncFn() -> bool,
    last: &str,
) -> String {
    let pipe = world.folder().join("pipe.ndjson");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let import = ["import", pipe.to_str().unwrap()];
    let mut importing = world.start_cli(&[&import, arguments].concat());
    let mut file = File::create(&pipe).unwrap();
    file.write_all(rows.as_bytes()).unwrap();
    while !is_due().await {
        assert!(importing.try_wait().unwrap().is_none(), "it has ended");
    }
    let id = importing.id().to_string();
    let interrupted = Command::new("kill").args(["-INT", &id]).status().unwrap();
    assert!(interrupted.success());
    let mut told = String::new();
    let mut lines = BufReader::new(importing.stderr.take().unwrap());
    // It says so before its file ends.
    while !told.contains(last) && lines.read_line(&mut told).unwrap() > 0 {}
    drop(file);
    assert_eq!(importing.wait().unwrap().code(), Some(130), "{told}");
    told
}

/// The number before some words.
fn number_before(told: &str, words: &str) -> u64 {
    let (before, _) = told.split_once(words).unwrap_or_else(|| panic!("{told}"));
    let number = before.rsplit(' ').next().unwrap().replace(',', "");
    number.parse().unwrap()
}

#[tokio::test]
async fn an_interrupted_import_of_news_says_what_is_stored_and_repeated_it_goes_on() {
    /// More than are sent at once: the rest waits for the end of the file.
    const ROWS: u64 = 2_500;
    let world = World::start(Shape::Embedded).await;
    let name = "news";
    let client = new(&world, name).await;
    let row = |number| {
        let account = json!({"account_id": format!("n{number}"), "created_at": "2026-01-31"});
        format!("{}\n", json!({"time": "2026-01-31", "account": account}))
    };
    let rows: String = (0..ROWS).map(row).collect();
    let accepted = async || {
        let asked = client.request(ListSourcesRequest::default());
        let counts = client.sources().list_sources(asked).await.unwrap();
        let sources = counts.into_inner().sources;
        sources.iter().map(|source| source.accepted).sum::<u64>()
    };
    let is_due = async || accepted().await > 0;
    let arguments = ["--tenant", name];
    let told = interrupt_import(&world, &arguments, &rows, is_due, "to go on").await;
    let judged = number_before(&told, " rows, of which");
    let stored = number_before(&told, " are stored");
    let accepted = accepted().await;
    // What it did not hear of before the end may be stored, too.
    assert!(judged == stored && stored <= accepted, "{told}");
    assert!(told.contains("repeat it"), "{told}");

    let path = world.folder().join("news.ndjson");
    fs::write(&path, &rows).unwrap();
    let printed = cli(&world, name, &["import", path.to_str().unwrap()]);
    let verdicts = printed["verdicts"].as_array().unwrap();
    let of = |verdict| {
        verdicts
            .iter()
            .find(|row| row["verdict"] == verdict)
            .unwrap()
    };
    let again = ["accepted", "duplicate"].map(|verdict| of(verdict)["rows"].as_u64().unwrap());
    assert_eq!(again, [ROWS - accepted, accepted]);
}

/// Who watches sees streams of records that have ended well.
fn ended_well(world: &World) {
    let text = world.scrape(Role::Ingestion);
    let ended = |status: &str| {
        let mut lines = text.lines().filter(|line| {
            line.starts_with("rpc_server_call_duration_seconds_count")
                && line.contains("IngestionService/Ingest\"")
        });
        lines.any(|line| line.contains(status))
    };
    assert!(ended("\"OK\"") && !ended("\"CANCELLED\""), "{text}");
}

#[tokio::test]
async fn who_asks_after_an_import_of_history_is_answered_with_it() {
    let world = World::start(Shape::Apart).await;
    for (name, import_it) in [("imported", true), ("completed", false)] {
        let client = new(&world, name).await;
        if import_it {
            in_one_file(&world, name);
            ended_well(&world);
        } else {
            open_import(&client).await;
            send_history(&client).await;
            cli(&world, name, &["tenants", "complete-import"]);
        }
        for segmentation in SEGMENTATIONS {
            let segments = cli(&world, name, &["segments", segmentation]);
            assert_eq!(segments["freshness"]["state"], "fresh", "{segments}");
            let in_segments = segments["segments"].as_array().unwrap().iter();
            let accounts: u64 = in_segments
                .map(|segment| segment["accounts"].as_u64().unwrap())
                .sum();
            assert!(accounts > 0, "{segments}");
        }
        let revenue = cli(&world, name, &["metrics", "revenue"]);
        assert_eq!(revenue["freshness"]["state"], "fresh", "{revenue}");
    }
}

#[tokio::test]
async fn who_interrupts_the_wait_for_the_evaluation_learns_that_all_is_stored() {
    let world = World::start(Shape::Apart).await;
    new(&world, "waiting").await;
    world.kill(Role::Metrics);
    let path = world.folder().join("all.ndjson");
    fs::write(&path, all()).unwrap();
    let path = path.to_str().unwrap();
    let arguments = ["import", path, "--history", "daily", "--tenant", "waiting"];
    let mut importing = world.start_cli(&arguments);
    let mut lines = BufReader::new(importing.stderr.take().unwrap());
    let mut told = String::new();
    while !told.contains("waiting up to 60 s") && lines.read_line(&mut told).unwrap() > 0 {}
    let id = importing.id().to_string();
    let interrupted = Command::new("kill").args(["-INT", &id]).status().unwrap();
    assert!(interrupted.success());
    while lines.read_line(&mut told).unwrap() > 0 {}
    let ended = importing.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130), "{told}");
    assert!(told.contains("everything is stored"), "{told}");
    let printed = String::from_utf8(ended.stdout).unwrap();
    assert!(printed.contains("stored, and counted once"), "{printed}");
}

#[tokio::test]
async fn an_interrupted_import_is_seen_and_not_joined_and_a_command_completes_it() {
    let world = World::start(Shape::Embedded).await;
    new(&world, "whole").await;
    let position = in_one_file(&world, "whole");
    let whole = picture(&world, "whole", &position);

    let name = "interrupted";
    let client = new(&world, name).await;
    let rows = all();
    let first = format!("{}\n", rows.lines().next().unwrap());
    let arguments = ["--history", "daily", "--tenant", name];
    let is_open = async || open_since(&client).await.is_some();
    let told = interrupt_import(&world, &arguments, &first, is_open, "stays open").await;
    for way in [
        "of which 0 are stored",
        "--resume",
        "`sextant tenants complete-import`",
    ] {
        assert!(told.contains(way), "{told}");
    }
    let tenants = world.cli(&["tenants", "list", "--output", "json"]);
    let tenants: Value = serde_json::from_slice(&tenants.stdout).unwrap();
    let tenants = tenants["tenants"].as_array().unwrap();
    let is_open = |one: &Value| (one["name"].clone(), one["import_opened_at"].is_string());
    let seen: Vec<_> = tenants.iter().map(is_open).collect();
    assert_eq!(seen, [(name.into(), true), ("whole".into(), false)]);
    // It is no note that --quiet is about.
    let members = world.cli(&["members", "rfm", "--tenant", name]);
    let noted = String::from_utf8(members.stderr).unwrap();
    assert!(noted.contains("`sextant tenants list`"), "{noted}");

    let path = world.folder().join("all.ndjson");
    let again = ["import", path.to_str().unwrap(), "--history", "daily"];
    let told = refused(&world, name, &again);
    assert!(
        told.contains("an import is open since 20") && told.contains("--resume"),
        "{told}"
    );
    // What was stored before the interruption.
    send_history(&client).await;
    // What is not evaluated before it is completed is not waited for.
    let known = cli(&world, name, &["account", "a01"]);
    assert_eq!(known["freshness"]["state"], "backfilling", "{known}");
    let completed = cli(&world, name, &["tenants", "complete-import"]);
    let position = position_in(&completed).unwrap();
    assert_eq!(picture(&world, name, &position), whole);
    assert_eq!(open_since(&client).await, None);
    refused(&world, name, &["tenants", "complete-import"]);
    // With nothing to go on in, an import is opened.
    import(&world, name, "all.ndjson", &["--resume"], &all());
}
