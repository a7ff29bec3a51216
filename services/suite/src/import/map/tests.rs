use serde_json::{Value as Json, json};

use sextant_domain::time::Zone;

use super::Map;
use crate::import::{CsvRows, Input};

fn map() -> Json {
    json!({"kind": "accounts", "columns": {"Id": "account_id", "Since": "created_at", "Note": null}})
}

/// What is wrong with a map, or with a header by it.
fn refused(map: &Json, header: &'static [u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.json");
    std::fs::write(&path, map.to_string()).unwrap();
    let map = match Map::read(&path) {
        Ok(map) => map,
        Err(problem) => return problem,
    };
    let input = Input::of_bytes("file.csv", header).unwrap();
    match CsvRows::mapped(input, &map, "crm", &Zone::utc()) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_map_that_makes_no_sense_is_refused_with_the_fix() {
    const HEADER: &[u8] = b"Id,Since,Note\n";
    assert_eq!(refused(&map(), HEADER), "");
    let with = |name: &str, value: Json| {
        let mut map = map();
        map[name] = value;
        refused(&map, HEADER)
    };
    for (name, value, told) in [
        ("kind", json!("companies"), "which is none of accounts"),
        ("delimiter", json!(", "), "must be one character"),
        ("encoding", json!("latin"), "unknown variant"),
        ("decimal", json!("x"), "must be \".\" or \",\""),
        ("times", json!("%H"), "no time can be read by"),
        ("time_zone", json!("Mars/Base"), "time_zone"),
        ("colums", json!({}), "unknown field"),
        (
            "columns",
            json!({"Id": "account_id"}),
            "which is not in the map; add it there, with null",
        ),
        (
            "columns",
            json!({"Id": 1, "Since": null, "Note": null}),
            "\"Id\" is mapped to something",
        ),
        (
            "columns",
            json!({"Id": "acount_id", "Since": "created_at", "Note": null}),
            "did you mean \"account_id\"",
        ),
        (
            "columns",
            json!({"Id": "account_id", "Since": "created_at", "Note": "account_id"}),
            "two columns are \"account_id\"",
        ),
        (
            "columns",
            json!({"Id": "account_id", "Since": null, "Note": null}),
            "needs a column \"time\" or \"created_at\"",
        ),
        ("constants", json!({"plan": "gold"}), "\"plan\" is none of"),
    ] {
        let refused = with(name, value.clone());
        assert!(refused.contains(told), "{name} {value}: {refused}");
    }
}

#[test]
fn a_file_that_is_not_the_maps_is_refused() {
    for (header, told) in [
        (&b"Id,Since\n"[..], "lacks the column \"Note\" of the map"),
        (
            b"Id,Since,Note,More\n",
            "has the column \"More\", which is not in the map",
        ),
        (b"Id;Since;Note\n", "say it in the map: delimiter ';'"),
    ] {
        let refused = refused(&map(), header);
        assert!(refused.contains(told), "{refused}");
    }
}
