//! Segmenters of a team's own, in processes of their own: an account with which one crashes stays where it is, and everything else
//! goes on.

use std::fs;
use std::process::Command;

use serde_json::Value;

use sextant_proto::segmentation::v1::{Membership, MembershipState};

use crate::worlds::process::run;
use crate::worlds::records::{accept, account, at, membership, now, segments, subscription};
use crate::worlds::seats::{CRASHES, HANGS, Seats};
use crate::worlds::world::{Shape, World, segmentation, segmentation_by, tenant};

fn standing(membership: &Membership) -> (MembershipState, &str, bool) {
    let is_troubled = !membership.trouble.is_empty();
    (membership.state(), &membership.segment, is_troubled)
}

#[tokio::test]
async fn an_account_with_which_a_segmenter_crashes_or_hangs_stays_where_it_is() {
    use MembershipState::{Abstained, Member};

    let folder = tempfile::tempdir().unwrap();
    Seats::default().compile_into(folder.path());
    // Neither a file that is no segmenter nor one that crashes keeps the service from starting.
    fs::write(folder.path().join("none.so"), "no library").unwrap();
    let settings = [
        format!("plugins.watched_dir={}", folder.path().display()),
        "plugins.call_ms=200".to_owned(),
    ];
    for shape in [Shape::Embedded, Shape::Apart] {
        let world = World::start_with(shape, &settings).await;
        let client = tenant(&world.client(), "seats", at("2026-02-01T12:00")).await;
        segmentation_by(&client, "seats", "acme.seats", "{}").await;
        segmentation(&client, "value_tiers").await;
        let seats = |name: &str, hour: u32, seats: u64| {
            let time = at(&format!("2026-01-20T{hour:02}:00"));
            [account(name, time), subscription(name, time, seats, 1_000)]
        };
        let first = [
            seats("a", 8, 10),
            seats("b", 8, 60),
            seats("c", 8, CRASHES),
            seats("d", 8, 70),
        ];
        let position = accept(&client, first.concat()).await;
        let of = async |name: &str, position: &str| {
            membership(&client, name, "seats", &now(position)).await
        };
        assert_eq!(
            standing(&of("a", &position).await),
            (Member, "small", false)
        );
        assert_eq!(
            standing(&of("b", &position).await),
            (Member, "large", false)
        );
        let crashed = of("c", &position).await;
        assert_eq!(standing(&crashed), (Abstained, "", true));
        assert_eq!(crashed.trouble, "it crashed (SIGSEGV)");

        // One comes into trouble that was somewhere, one hangs, and the other is out of it.
        let [_, worse] = seats("a", 9, CRASHES);
        let [_, better] = seats("c", 9, 55);
        let [_, hangs] = seats("d", 9, HANGS);
        let position = accept(&client, vec![worse, better, hangs]).await;
        assert_eq!(standing(&of("a", &position).await), (Member, "small", true));
        assert_eq!(
            standing(&of("c", &position).await),
            (Member, "large", false)
        );
        let hung = of("d", &position).await;
        assert_eq!(standing(&hung), (Member, "large", true));
        assert_eq!(hung.trouble, "it did not answer in time");
        // No other segmentation has noticed.
        let tiers = segments(&client, "value_tiers", &now(&position)).await;
        assert_eq!(tiers.iter().map(|one| one.accounts).sum::<u64>(), 4);

        let [_, again] = seats("b", 10, CRASHES);
        let [_, mended] = seats("a", 10, 50);
        let position = accept(&client, vec![mended, again]).await;
        assert_eq!(
            standing(&of("a", &position).await),
            (Member, "large", false)
        );
        assert_eq!(standing(&of("b", &position).await), (Member, "large", true));

        for role in world.roles() {
            world.kill_and_restart(role);
        }
        let shown = world.cli(&["account", "b", "--tenant", "seats", "--output", "json"]);
        let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
        let memberships = shown["memberships"].as_array().unwrap();
        let seats = memberships
            .iter()
            .find(|one| one["segmentation"] == "seats");
        assert_eq!(seats.unwrap()["trouble"], "it crashed (SIGSEGV)", "{shown}");
    }
}

#[test]
fn an_author_checks_a_segmenter_and_runs_it_on_rows_without_a_service() {
    let folder = tempfile::tempdir().unwrap();
    let crashes = Seats {
        crashes: 13,
        ..Seats::default()
    };
    crashes.compile_into(folder.path());
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (segmenter, report) = (file("seats.so"), file("report.xml"));
    let arguments = [
        "plugin", "check", &segmenter, "--junit", &report, "-o", "json",
    ];
    let checked = run(&[], &arguments);
    // It crashes with thirteen seats, and the made up rows hold some.
    assert_eq!(checked.status.code(), Some(1));
    let verdicts: Value = serde_json::from_slice(&checked.stdout).unwrap();
    let verdicts = verdicts["verdicts"].as_array().unwrap();
    let outcome = |id: &str| {
        let one = verdicts.iter().find(|one| one["check"] == id).unwrap();
        (one["outcome"].clone(), one["fix"].is_string())
    };
    assert_eq!(outcome("V-elf"), ("ok".into(), false));
    assert_eq!(outcome("D-empty"), ("ok".into(), false));
    assert_eq!(outcome("D-many"), ("failed".into(), true));
    assert_eq!(outcome("E-examples"), ("warning".into(), true));
    let report = fs::read_to_string(&report).unwrap();
    assert!(
        report.contains("<testcase classname=\"segmenter\" name=\"D-many\"><failure message=\"")
    );

    let none = file("none.so");
    let absent = run(
        &[],
        &["plugin", "check", &none, "--only-failed", "-o", "json"],
    );
    assert_eq!(absent.status.code(), Some(1));
    let absent: Value = serde_json::from_slice(&absent.stdout).unwrap();
    assert_eq!(absent["verdicts"].as_array().unwrap().len(), 1);
    assert_eq!(absent["verdicts"][0]["check"], "V-readable");

    let rows = file("rows.csv");
    fs::write(
        &rows,
        "account_id,revenue.seats\nacme,60\nbeta,\ngamma,13\n,2\n",
    )
    .unwrap();
    let shown = run(
        &[],
        &["plugin", "run", &segmenter, "--csv", &rows, "-o", "json"],
    );
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let told = |row: usize| {
        let row = &shown["rows"][row];
        (
            row["account"].clone(),
            row["segment"].clone(),
            row["trouble"].clone(),
        )
    };
    assert_eq!(told(0), ("acme".into(), "large".into(), Value::Null));
    assert_eq!(told(1), ("beta".into(), "abstained".into(), Value::Null));
    assert_eq!(
        told(2),
        ("gamma".into(), Value::Null, "it crashed (SIGSEGV)".into())
    );
    assert_eq!(told(3), ("row 4".into(), "small".into(), Value::Null));

    fs::write(&rows, "account_id,revenue.seats\nacme,many\n").unwrap();
    let refused = run(&[], &["plugin", "run", &segmenter, "--csv", &rows]);
    let told = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{told}");
    assert!(
        told.contains("row 1, column \"revenue.seats\": \"many\" is not of type Int64"),
        "{told}"
    );
    fs::write(&rows, "account_id,seats\nacme,1\n").unwrap();
    let refused = run(&[], &["plugin", "run", &segmenter, "--csv", &rows]);
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(told.contains("has no column \"revenue.seats\""), "{told}");
}

#[test]
fn a_new_segmenter_in_c_compiles_passes_is_measured_and_compared() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("my_health");
    let path = path.to_str().unwrap();
    let new = ["plugin", "new", path, "--lang", "c", "--id", "acme.health"];
    assert_eq!(run(&[], &new).status.code(), Some(0));
    // It is made once, and under a name that can be one.
    assert_eq!(run(&[], &new).status.code(), Some(2));
    let odd = folder.path().join("My-Health");
    let odd = run(&[], &["plugin", "new", odd.to_str().unwrap()]);
    assert_eq!(odd.status.code(), Some(2));
    let made = Command::new("make").current_dir(path).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let (library, rows) = (
        format!("{path}/my_health.so"),
        format!("{path}/accounts.csv"),
    );
    let json = ["-o", "json"];
    let answer = |arguments: &[&str]| {
        let output = run(&[], &[&["plugin"], arguments, &json].concat());
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{told}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    answer(&["check", &library]);
    let run = answer(&["run", &library, "--csv", &rows]);
    assert_eq!(run["rows"][0]["segment"], "key", "{run}");
    let costs = answer(&["bench", &library, "--rows", "100"]);
    assert_eq!(costs["costs"][2]["rows"], 100, "{costs}");
    // More is asked for from now on.
    let source = fs::read_to_string(format!("{path}/my_health.c")).unwrap();
    let stricter = source.replace("0.6}", "0.89}").replace(
        "\\\"rows\\\":[[9000000,0.9]",
        "\\\"rows\\\":[[9000000,0.95]",
    );
    assert_ne!(source, stricter);
    fs::write(format!("{path}/my_health.c"), stricter).unwrap();
    let before = folder.path().join("before.so");
    fs::rename(&library, &before).unwrap();
    let made = Command::new("make").current_dir(path).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let diff = answer(&["diff", before.to_str().unwrap(), &library, "--csv", &rows]);
    let stays = &diff["moves"][1];
    assert_eq!(
        (&stays["from"], &stays["to"]),
        (&"low".into(), &"low".into())
    );
    let moved = diff["moved"].as_array().unwrap();
    assert_eq!(moved.len(), 1, "{diff}");
    assert_eq!(
        (&moved[0]["account"], &moved[0]["to"]),
        (&"acme".into(), &"at_risk".into())
    );
}
