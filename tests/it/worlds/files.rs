//! Files as they come: broken, twice, and under other names.

use std::fs;
use std::process::Output;

use sextant_proto::ingestion::v1::GetAccountRequest;
use sextant_proto::ingestion::v1::value::Kind;

use crate::worlds::records::{ask, at, entity};
use crate::worlds::world::{Shape, World, tenant};

const HEADER: &str = "time,account_id,type,user_id\n";
const TENANT: &str = "files";

/// How an import ended: exit code, rows by verdict without the zeros, and what it complained of.
#[derive(Debug, PartialEq)]
struct Ended {
    code: i32,
    rows: Vec<(String, u64)>,
    complaints: String,
}

impl Ended {
    fn of(output: &Output) -> Self {
        let printed: serde_json::Value =
            serde_json::from_slice(&output.stdout).unwrap_or(serde_json::Value::Null);
        let verdicts = printed["verdicts"].as_array().cloned().unwrap_or_default();
        let rows = verdicts.iter().map(|row| {
            (
                row["verdict"].as_str().unwrap().to_owned(),
                row["rows"].as_u64().unwrap(),
            )
        });
        Self {
            code: output.status.code().unwrap(),
            rows: rows
                .filter(|(verdict, rows)| verdict != "all" && *rows > 0)
                .collect(),
            complaints: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }
}

/// Imports two rows, again, under another name, and grown by a row that was there before.
fn whole_files(world: &World, good: &[u8], more: &[u8]) {
    check(
        &import(world, "good.csv", "events", good),
        0,
        &[("accepted", 2)],
        "",
    );
    check(
        &import(world, "good.csv", "events", good),
        0,
        &[("duplicate", 2)],
        "",
    );
    check(
        &import(world, "renamed.csv", "events", good),
        0,
        &[("duplicate", 2)],
        "",
    );
    let twice = [good, more].concat();
    let grown = import(world, "grown.csv", "events", &twice);
    check(&grown, 0, &[("accepted", 1), ("duplicate", 2)], "");
}

/// Writes a file and imports it.
fn import(world: &World, name: &str, kind: &str, content: &[u8]) -> Ended {
    let path = world.folder().join(name);
    fs::write(&path, content).unwrap();
    let path = path.to_str().unwrap();
    let arguments = [
        "import", path, "--kind", kind, "--tenant", TENANT, "--output", "json",
    ];
    let mut ended = Ended::of(&world.cli(&arguments));
    ended.complaints = ended.complaints.replace(path, name);
    ended
}

#[track_caller]
fn check(ended: &Ended, code: i32, rows: &[(&str, u64)], complaint: &str) {
    let found: Vec<(&str, u64)> = ended
        .rows
        .iter()
        .map(|(verdict, n)| (verdict.as_str(), *n))
        .collect();
    assert_eq!(
        (ended.code, found.as_slice()),
        (code, rows),
        "{}",
        ended.complaints
    );
    assert!(ended.complaints.contains(complaint), "{}", ended.complaints);
    assert!(
        complaint.is_empty() == ended.complaints.is_empty(),
        "{}",
        ended.complaints
    );
}

#[tokio::test]
async fn broken_files_are_told_apart_and_their_good_rows_are_kept() {
    let world = World::start(Shape::Embedded).await;
    tenant(&world.client(), TENANT, at("2026-02-01T00:00")).await;
    let accounts = b"account_id,created_at\na,2025-01-01\nb,2025-01-01\n";
    check(
        &import(&world, "accounts.csv", "accounts", accounts),
        0,
        &[("accepted", 2)],
        "",
    );

    let row = |day: u8, user: &str| format!("2026-01-{day:02}T10:00:00Z,a,login,{user}\n");
    let good = format!("{HEADER}{}{}", row(1, "u"), row(2, "u"));
    let good = good.as_bytes();
    whole_files(&world, good, row(2, "u").as_bytes());

    let (three, four) = (row(3, "u"), row(4, "u"));
    let latin = [
        HEADER.as_bytes(),
        three.as_bytes(),
        b"2026-01-05,a,caf\xe9,u\n",
        four.as_bytes(),
    ]
    .concat();
    check(
        &import(&world, "latin.csv", "events", &latin),
        1,
        &[("accepted", 2), ("malformed", 1)],
        "latin.csv: row 2 (line 3), field \"type\": is not UTF-8; save the file as UTF-8",
    );
    check(
        &import(
            &world,
            "lacking.csv",
            "events",
            b"time,account_id\n2026-01-06,a\n",
        ),
        1,
        &[],
        "file \"lacking.csv\": lacks the column \"type\" that events need; its header is time, account_id",
    );
    check(
        &import(
            &world,
            "double.csv",
            "events",
            b"time,account_id,type,time\n2026-01-06,a,x,y\n",
        ),
        1,
        &[],
        "file \"double.csv\": column \"time\" is twice in the header; remove or rename one",
    );
    let torn = format!("{HEADER}{}2026-01-08T10:00:00Z,a,login,use", row(7, "u"));
    check(
        &import(&world, "torn.csv", "events", torn.as_bytes()),
        1,
        &[("accepted", 1), ("malformed", 1)],
        "torn.csv: row 2 (line 3): the last line has no line end: the file may have been cut; write the file again, or end it with a \
         line break",
    );
    let whole = format!("{HEADER}{}{}", row(7, "u"), row(8, "user"));
    let whole = import(&world, "torn.csv", "events", whole.as_bytes());
    check(&whole, 0, &[("accepted", 1), ("duplicate", 1)], "");
    world.end().await;
}

#[tokio::test]
async fn every_kind_of_row_is_taken_and_a_refused_one_is_told_by_its_own_column_and_how_to_mend_it()
{
    let world = World::start(Shape::Embedded).await;
    tenant(&world.client(), TENANT, at("2026-02-01T00:00")).await;
    for (kind, good, bad, complaint) in [
        (
            "accounts",
            "account_id,created_at\na,2025-01-01\n",
            "b,2026-05-01\n",
            "row 2 (line 3), field \"created_at\": ",
        ),
        (
            "users",
            "time,user_id,trait.role\n2026-01-01,u,engineer\n",
            "2026-05-01,u,\n",
            "row 2 (line 3), field \"time\": ",
        ),
        (
            "account_users",
            "time,account_id,user_id,role\n2026-01-01,a,u,admin\n",
            "2026-05-01,a,u,\n",
            "row 2 (line 3), field \"time\": ",
        ),
        (
            "subscriptions",
            "time,account_id,subscription_id,status,price_id,unit_amount,currency,interval\n2026-01-01,a,s,active,p,9.90,USD,month\n",
            "2026-01-02,a,s,active,p,-9.90,USD,month\n",
            "field \"unit_amount\": -9.90 USD is negative; send a price of 0 or more, and what is taken off as a discount (AMOUNT_NEGATIVE)",
        ),
        (
            "invoices",
            "time,account_id,invoice_id,status,total,currency,tax\n2026-01-01,a,i,open,9.90,USD,1\n",
            "2026-01-02,a,i,open,-9.90,USD,\n",
            "field \"total\": -9.90 USD is negative; a credit note is no invoice: send what was paid back with its payment, as refunded (AMOUNT_NEGATIVE)",
        ),
        (
            "payments",
            "time,account_id,amount,currency\n2026-01-01,a,9.90,USD\n",
            "2026-01-02,a,-9.90,USD\n",
            "field \"amount\": -9.90 USD is negative; send what was paid back with the payment that it belongs to, as refunded (AMOUNT_NEGATIVE)",
        ),
    ] {
        let content = format!("{good}{bad}");
        let ended = import(&world, "rows.csv", kind, content.as_bytes());
        check(&ended, 1, &[("accepted", 1), ("rejected", 1)], complaint);
    }
    world.end().await;
}

/// An export of a CRM: letters of Windows, semicolons, days and numbers as in Germany.
const EXPORT: &[u8] =
    b"Id;Name;OwnerId;CreatedDate;LastModifiedDate;NumberOfEmployees;BillingCountry\n\
001A;M\xfcller GmbH;005X;01.03.2025;10.01.2026;1.200;Germany\n\
001B;Zeta;005Y;15.05.2025;11.01.2026;80;France\n";
/// A row of the next export.
const BAD: &[u8] = b"001C;Late;005Y;15.05.2025;soon;80;France\n";

#[tokio::test]
async fn an_export_of_a_crm_is_planned_and_imported_word_for_word() {
    let world = World::start(Shape::Embedded).await;
    let client = tenant(&world.client(), TENANT, at("2026-02-01T00:00")).await;
    let file = |name: &str| world.folder().join(name).to_str().unwrap().to_owned();
    let (export, map) = (file("export.csv"), file("map.json"));
    fs::write(&export, EXPORT).unwrap();
    let plan = ["import", "plan", &export, "--write", &map];
    let planned = world.cli(&plan);
    let table = String::from_utf8(planned.stdout).unwrap();
    assert!(planned.status.success());
    assert!(
        table.contains("an export of Salesforce's accounts"),
        "{table}"
    );
    let again = world.cli(&plan);
    assert_eq!(
        again.status.code(),
        Some(6),
        "somebody may have corrected it"
    );
    fs::write(&export, [EXPORT, BAD].concat()).unwrap();

    let import = |more: &[&str]| {
        let arguments = [
            "import", &export, "--map", &map, "--tenant", TENANT, "--output", "json",
        ];
        Ended::of(&world.cli(&[&arguments, more].concat()))
    };
    let complaint = "row 3 (line 4), field \"LastModifiedDate\": \"soon\" is no time of the format \"%d.%m.%Y\"";
    let taken = [("accepted", 2), ("malformed", 1)];
    check(&import(&["--dry-run"]), 1, &taken, complaint);
    check(&import(&[]), 1, &taken, complaint);
    check(
        &import(&[]),
        1,
        &[("duplicate", 2), ("malformed", 1)],
        complaint,
    );

    let request = GetAccountRequest {
        account: entity("001A"),
        ..GetAccountRequest::default()
    };
    let account = ask!(client, accounts.get_account, request).account.unwrap();
    assert_eq!(
        (&*account.name, &*account.owner_id),
        ("Müller GmbH", "005X")
    );
    let employees = account.traits["employee_count"].kind.clone();
    assert_eq!(employees, Some(Kind::Integer(1_200)));
    let ids = account.external_ids.iter();
    let ids: Vec<(&str, &str)> = ids.map(|one| (&*one.system, &*one.id)).collect();
    assert_eq!(ids, [("salesforce", "001A")]);
}
