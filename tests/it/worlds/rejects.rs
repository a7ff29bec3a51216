//! Rows that were not taken: kept where they can be corrected, and listed once however often they come.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::worlds::records::at;
use crate::worlds::world::{Shape, World, tenant};

const TENANT: &str = "rejects";

/// Runs a command on the tenant; its exit code, what it printed and what it said beside that.
fn ask(world: &World, arguments: &[&str]) -> (Option<i32>, Value, String) {
    let common = ["--tenant", TENANT, "--output", "json"];
    let output = world.cli(&[arguments, &common].concat());
    let told = String::from_utf8(output.stderr).unwrap();
    let printed = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code(), printed, told)
}

fn rows(printed: &Value, verdict: &str) -> u64 {
    let verdicts = printed["verdicts"].as_array().unwrap();
    let row = verdicts.iter().find(|row| row["verdict"] == verdict);
    row.unwrap()["rows"].as_u64().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// An account whose name no message holds, and one like others.
fn accounts(world: &World) {
    let path = world.folder().join("accounts.csv");
    let name = "x".repeat(5 << 20);
    let csv = format!("account_id,created_at,name\nlarge,2025-01-01,{name}\na,2025-01-01,A\n");
    fs::write(&path, csv).unwrap();
    let (code, printed, told) = ask(world, &["import", text(&path), "--kind", "accounts"]);
    assert_eq!(code, Some(1), "{told}");
    assert_eq!(
        (rows(&printed, "accepted"), rows(&printed, "malformed")),
        (1, 1)
    );
    let expected = "row 1 (line 2), field \"name\": has 5242880 bytes";
    assert!(told.contains(expected), "{told}");
}

#[tokio::test]
async fn rows_that_were_not_taken_are_written_corrected_and_listed_once() {
    let world = World::start(Shape::Embedded).await;
    tenant(&world.client(), TENANT, at("2026-02-01T00:00")).await;
    accounts(&world);

    let (path, rejects) = (
        world.folder().join("events.csv"),
        world.folder().join("rejects.csv"),
    );
    let mut csv =
        "time,account_id,type,user_id\n2026-01-04,ghost,login,u\nnever,a,login,u\n".to_owned();
    for n in 0..25 {
        csv.push_str(&format!("2026-03-01,a,login,user{n}\n"));
    }
    fs::write(&path, csv).unwrap();
    let import = [
        "import",
        text(&path),
        "--kind",
        "events",
        "--rejects",
        text(&rejects),
    ];
    let dry = [&import[..], &["--dry-run"]].concat();
    let (code, printed, told) = ask(&world, &dry);
    assert_eq!((code, rows(&printed, "rejected")), (Some(1), 25), "{told}");
    for part in [
        "rejects.csv: 26 rows that would not be taken",
        "no row was taken",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!told.contains("not taken, each"), "{told}");
    for _ in 0..3 {
        let (code, printed, told) = ask(&world, &import);
        assert_eq!(code, Some(1), "{told}");
        assert_eq!(
            ["held", "malformed", "rejected"].map(|verdict| rows(&printed, verdict)),
            [1, 1, 25]
        );
        assert!(told.contains("and 6 more; --max-errors N"), "{told}");
        assert!(told.contains("rejects.csv: 26 rows"), "{told}");
    }
    let (_, listed, _) = ask(&world, &["rejections", "--limit", "0"]);
    assert_eq!(listed["rejections"].as_array().unwrap().len(), 25);
    let (_, counted, _) = ask(&world, &["sources"]);
    let counts = &counted["sources"][0];
    assert_eq!(
        (counts["source"].as_str(), counts["rejected"].as_u64()),
        (Some("file"), Some(75))
    );
    let output = world.cli(&["sources", "--tenant", TENANT]);
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.starts_with("Deliveries of each source\n"), "{table}");
    let (_, held, _) = ask(&world, &["held"]);
    assert_eq!(held["held"].as_array().unwrap().len(), 1);
    assert_eq!(held["held"][0]["account_id"], "ghost");

    let corrected = fs::read_to_string(&rejects)
        .unwrap()
        .replace("2026-03-01,", "2026-01-03,")
        .replace("never,", "2026-01-05,");
    fs::write(&rejects, corrected).unwrap();
    let (code, printed, told) = ask(&world, &["import", text(&rejects), "--kind", "events"]);
    assert_eq!((code, rows(&printed, "accepted")), (Some(0), 26), "{told}");
}

#[tokio::test]
async fn refused_records_are_corrected_in_a_file_and_replayed() {
    let world = World::start(Shape::Embedded).await;
    tenant(&world.client(), TENANT, at("2026-02-01T00:00")).await;
    let (events, refused) = (
        world.folder().join("events.ndjson"),
        world.folder().join("refused.ndjson"),
    );
    let lines = concat!(
        r#"{"id":"a","time":"2026-01-01","account":{"account_id":"acme"}}"#,
        "\n",
        r#"{"id":"e1","time":"2026-01-02","event":{"account_id":"acme"}}"#,
        "\n",
        r#"{"id":"e2","time":"2026-01-03","event":{"account_id":"acme"}}"#,
        "\n",
    );
    fs::write(&events, lines).unwrap();
    let (code, ..) = ask(&world, &["import", text(&events), "--source", "app"]);
    assert_eq!(code, Some(1));
    let filter = ["rejections", "--source", "app", "--reason", "FIELD_MISSING"];
    let (code, listed, told) = ask(&world, &[&filter[..], &["--to", text(&refused)]].concat());
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(listed["rejections"].as_array().unwrap().len(), 2);
    // One is corrected, the other one left as it is.
    let written = fs::read_to_string(&refused).unwrap();
    let mut lines: Vec<String> = written.lines().map(ToOwned::to_owned).collect();
    let one = lines
        .iter_mut()
        .find(|line| line.contains("\"e1\""))
        .unwrap();
    *one = one.replace(
        r#""account_id":"acme""#,
        r#""account_id":"acme","type":"seen""#,
    );
    fs::write(&refused, lines.join("\n") + "\n").unwrap();
    let (code, replayed, told) = ask(&world, &["replay", text(&refused)]);
    assert_eq!(code, Some(0), "{told}");
    let counts = &replayed["replayed"][0];
    let count = |name: &str| counts[name].as_u64().unwrap();
    assert_eq!(
        (count("accepted"), count("rejected"), count("gone")),
        (1, 1, 0),
        "{replayed}"
    );
    // Again: what was stored is not counted again, and the other one is refused as before.
    let (_, replayed, _) = ask(&world, &["replay", text(&refused)]);
    let counts = &replayed["replayed"][0];
    let count = |name: &str| counts[name].as_u64().unwrap();
    assert_eq!(
        (count("accepted"), count("rejected"), count("gone")),
        (0, 1, 1),
        "{replayed}"
    );
    let (_, replayed, _) = ask(&world, &["replay", "--reason", "TIME_IN_FUTURE"]);
    assert_eq!(replayed["replayed"][0]["rejected"], 0, "{replayed}");
    let (_, left, _) = ask(&world, &filter);
    assert_eq!(left["rejections"].as_array().unwrap().len(), 1);
}
