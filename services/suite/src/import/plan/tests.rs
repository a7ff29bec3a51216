use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use sextant_domain::time::Zone;
use sextant_proto::ingestion::v1::record::Fact;
use sextant_proto::ingestion::v1::value::Kind as ValueKind;
use sextant_proto::ingestion::v1::{AccountFact, Record};

use super::names::snake;
use super::{Proposal, propose};
use crate::import::columns::Kind;
use crate::import::map::Map;
use crate::import::{CsvRows, Input, Item};

/// An export of HubSpot's companies as its program writes it: with a byte-order mark, quotes, and line ends within cells.
const HUBSPOT: &[u8] = b"\xef\xbb\xbf\"Record ID\",\"Company name\",\"Company owner\",\"Create Date\",\"Last Modified Date\",\"Country/Region\",\
\"Company Domain Name\",\"Number of Employees\",\"Annual Revenue\",\"Lifecycle Stage\",\"About Us\",\"Fax\"\n\
\"1001\",\"Acme, Inc.\",\"Ann Lee\",\"2024-03-01 09:15\",\"2026-01-10 17:00\",\"United States\",\"acme.example\",\"250\",\"1200000\",\"customer\",\"makes\n\"\"anvils\"\"\",\"\"\n\
\"1002\",\"Zeta\",\"\",\"2024-05-01 10:00\",\"2026-01-11 08:00\",\"Germany\",\"zeta.example\",\"\",\"\",\"lead\",\"\",\"\"\n";

/// An export of Salesforce's accounts by its Data Loader, saved again by a German Excel: Windows-1252, semicolons, days and numbers as there.
const SALESFORCE: &[u8] = b"Id;Name;OwnerId;ParentId;CreatedDate;LastModifiedDate;NumberOfEmployees;AnnualRevenue;BillingCountry;Type\r\n\
001A;M\xfcller GmbH;005X;;01.03.2024;10.01.2026;1.200;1.234.567,50;Germany;Customer \x96 direct\r\n\
001B;Zeta;005X;001A;15.05.2024;11.01.2026;80;99,5;France;Prospect\r\n";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn propose(&self, bytes: &[u8], kind: Option<Kind>) -> Proposal {
        let path = self.0.path().join("export.csv");
        std::fs::write(&path, bytes).unwrap();
        propose(&path, kind, None).unwrap()
    }

    /// What is imported of the file by the proposal, after it was written and read.
    fn import(&self, bytes: &[u8], proposal: &Proposal) -> (Vec<Record>, Vec<String>) {
        let (csv, map) = (self.0.path().join("export.csv"), self.0.path().join("map"));
        std::fs::write(&csv, bytes).unwrap();
        std::fs::write(&map, serde_json::to_string(&proposal.map).unwrap()).unwrap();
        let map = Map::read(&map).unwrap();
        let input = Input::open(&csv).unwrap();
        let rows = CsvRows::mapped(input, &map, "crm", &Zone::utc()).unwrap();
        let (mut records, mut complaints) = (Vec::new(), Vec::new());
        for item in rows {
            match item.unwrap() {
                Item::Record { record, .. } => records.push(*record),
                Item::Malformed(complaint) => complaints.push(complaint.to_string()),
            }
        }
        (records, complaints)
    }
}

fn columns(proposal: &Proposal) -> Json {
    Json::Object(proposal.map.columns.clone())
}

fn account(record: &Record) -> &AccountFact {
    match &record.fact {
        Some(Fact::Account(account)) => account,
        other => panic!("{other:?}"),
    }
}

fn at(text: &str) -> Option<prost_types::Timestamp> {
    Some(crate::import::values::time(text, &Zone::utc()).unwrap())
}

#[test]
fn an_export_of_hubspot_is_recognised_and_imported_as_proposed() {
    let folder = Folder::new();
    let proposal = folder.propose(HUBSPOT, None);
    assert_eq!(proposal.product, Some("HubSpot's companies"));
    assert_eq!(proposal.map.kind, "accounts");
    let expected = json!({
        "Record ID": ["account_id", "external_id.hubspot"], "Company name": "name", "Company owner": "owner_id",
        "Create Date": "created_at", "Last Modified Date": "time", "Country/Region": "country",
        "Company Domain Name": "domain", "Number of Employees": "employee_count",
        "Annual Revenue": "trait.annual_revenue", "Lifecycle Stage": "trait.lifecycle_stage", "About Us": "trait.about_us",
        "Fax": null
    });
    assert_eq!(columns(&proposal), expected);
    let (records, complaints) = folder.import(HUBSPOT, &proposal);
    assert_eq!((records.len(), complaints), (2, Vec::new()));
    let (record, acme) = (&records[0], account(&records[0]));
    assert_eq!(record.time, at("2026-01-10T17:00:00Z"));
    assert_eq!(acme.created_at, at("2024-03-01T09:15:00Z"));
    assert_eq!((&*acme.account_id, &*acme.name), ("1001", "Acme, Inc."));
    assert_eq!(
        (&*acme.owner_id, &*acme.domain),
        ("Ann Lee", "acme.example")
    );
    let ids: Vec<(&str, &str)> = acme
        .external_ids
        .iter()
        .map(|one| (&*one.system, &*one.id))
        .collect();
    assert_eq!(ids, [("hubspot", "1001")]);
    let kind = |name: &str| acme.traits[name].kind.clone().unwrap();
    assert_eq!(kind("employee_count"), ValueKind::Integer(250));
    assert_eq!(kind("annual_revenue"), ValueKind::Integer(1_200_000));
    assert_eq!(
        kind("about_us"),
        ValueKind::Text("makes\n\"anvils\"".to_owned())
    );
}

#[test]
fn an_export_of_salesforce_is_read_with_its_own_letters_days_and_numbers() {
    let folder = Folder::new();
    let proposal = folder.propose(SALESFORCE, None);
    assert_eq!(proposal.product, Some("Salesforce's accounts"));
    let map = serde_json::to_value(&proposal.map).unwrap();
    for (name, value) in [
        ("delimiter", ";"),
        ("encoding", "windows-1252"),
        ("times", "%d.%m.%Y"),
        ("decimal", ","),
    ] {
        assert_eq!(map[name], value, "{map}");
    }
    let (records, complaints) = folder.import(SALESFORCE, &proposal);
    assert_eq!((records.len(), complaints), (2, Vec::new()));
    let first = account(&records[0]);
    assert_eq!(first.name, "Müller GmbH");
    let kind = |name: &str| first.traits[name].kind.clone().unwrap();
    assert_eq!(kind("employee_count"), ValueKind::Integer(1_200));
    assert_eq!(kind("annual_revenue"), ValueKind::Number(1_234_567.5));
    assert_eq!(
        kind("type"),
        ValueKind::Text("Customer – direct".to_owned())
    );
    assert_eq!(records[0].time, at("2026-01-10"));
    assert_eq!(account(&records[1]).parent_account_id, "001A");
}

#[test]
fn rows_that_are_not_taken_are_corrected_in_their_own_letters_and_imported_by_the_same_map() {
    let folder = Folder::new();
    let proposal = folder.propose(SALESFORCE, None);
    let text = b"Id;Name;OwnerId;ParentId;CreatedDate;LastModifiedDate;NumberOfEmployees;AnnualRevenue;BillingCountry;Type\n\
001A;M\xfcller GmbH;005X;;01.03.2024;soon;1.200;;;\n";
    let (_, complaints) = folder.import(text, &proposal);
    assert_eq!(
        complaints,
        [
            "row 1 (line 2), field \"LastModifiedDate\": \"soon\" is no time of the format \"%d.%m.%Y\" that the map names"
        ]
    );
    let rejects = folder.0.path().join("rejects");
    let input = Input::open(&folder.0.path().join("export.csv")).unwrap();
    let rows = CsvRows::mapped(input, &proposal.map, "crm", &Zone::utc()).unwrap();
    let form = crate::import::rejects::Form::Csv {
        delimiter: b';',
        names: rows.names().clone(),
    };
    let imported = folder.0.path().join("export.csv");
    let mut written = crate::import::rejects::Rejects::create(&rejects, form, &imported).unwrap();
    for item in rows {
        match item.unwrap() {
            Item::Malformed(complaint) => written.add(&complaint),
            Item::Record { record, .. } => panic!("{record:?}"),
        }
    }
    written.finish().unwrap();
    let mut bytes = std::fs::read(&rejects).unwrap();
    let place = bytes
        .windows(6)
        .position(|window| window == b";soon;")
        .unwrap();
    bytes.splice(place + 1..place + 5, *b"10.01.2026");
    let (records, complaints) = folder.import(&bytes, &proposal);
    assert_eq!(complaints, [""; 0]);
    assert_eq!(account(&records[0]).name, "Müller GmbH");
}

fn notes(proposal: &Proposal) -> String {
    proposal.notes.join("\n")
}

#[test]
fn what_its_name_says_and_its_cells_do_not_is_a_trait_with_a_note() {
    let folder = Folder::new();
    let text = b"account_id,created_at,Employees,Renewal Date\na,2026-01-01,11-50,at the end\nb,2026-01-02,51-200,2026-03-01\n";
    let proposal = folder.propose(text, Some(Kind::Accounts));
    let expected = json!({
        "account_id": "account_id", "created_at": "created_at", "Employees": "trait.employees",
        "Renewal Date": "trait.renewal_date"
    });
    assert_eq!(columns(&proposal), expected);
    let told: Vec<&str> = proposal.columns.iter().map(|one| &*one.note).collect();
    assert_eq!(
        told,
        [
            "",
            "",
            "2 of 2 cells are no number that can be read",
            "1 of 2 cells are no time that can be read"
        ]
    );
    assert_eq!(folder.import(text, &proposal).0.len(), 2);
}

#[test]
fn days_that_fit_two_formats_are_told() {
    let folder = Folder::new();
    let propose = |days: [&str; 2]| {
        let mut text = "account_id,created\n".to_owned();
        for (at, day) in days.iter().enumerate() {
            writeln!(text, "a{at},{day}").unwrap();
        }
        folder.propose(text.as_bytes(), Some(Kind::Accounts))
    };
    let either = propose(["01/05/2026", "02/05/2026"]);
    assert!(notes(&either).contains("alike"), "{either:?}");
    let american = propose(["01/05/2026", "01/13/2026"]);
    assert_eq!(american.map.times.as_deref(), Some("%m/%d/%Y"));
    assert!(!notes(&american).contains("alike"), "{american:?}");
    let european = propose(["01/05/2026", "13/01/2026"]);
    assert_eq!(european.map.times.as_deref(), Some("%d/%m/%Y"));
    let ours = propose(["2026-01-05", "2026-01-13T10:00:00Z"]);
    assert_eq!(ours.map.times, None);
    assert_eq!(notes(&ours), "");
}

#[test]
fn what_lacks_is_told_and_constants_mend_it() {
    let folder = Folder::new();
    let text = b"Customer ID,Amount,Date,Reference\nacme,\"$1,234.50\",2026-01-05,x\n";
    let mut proposal = folder.propose(text, Some(Kind::Payments));
    assert!(
        notes(&proposal).contains("no column is \"currency\""),
        "{proposal:?}"
    );
    assert_eq!(columns(&proposal)["Reference"], Json::Null);
    assert_eq!(proposal.columns[3].note, "payments have no such column");
    proposal
        .map
        .constants
        .insert("currency".to_owned(), "USD".to_owned());
    let (records, complaints) = folder.import(text, &proposal);
    assert_eq!(complaints, [""; 0]);
    let Some(Fact::Payment(payment)) = &records[0].fact else {
        panic!("{records:?}");
    };
    assert_eq!(payment.amount.as_ref().unwrap().minor, 123_450);
    let accounts = folder.propose(b"Company,Company ID\nAcme,a\n", None);
    assert!(notes(&accounts).contains("no column is \"time\" or \"created_at\""));
}

#[test]
fn what_the_rows_are_is_told_by_the_columns() {
    let folder = Folder::new();
    for (header, kind) in [
        ("account_id,created_at,name", Kind::Accounts),
        ("Company ID,Company,Signup Date", Kind::Accounts),
        ("Timestamp,Company ID,Event,User ID", Kind::Events),
        (
            "date,account_id,invoice_id,status,total,currency",
            Kind::Invoices,
        ),
        ("date,customer_id,amount,currency", Kind::Payments),
        ("time,user_id,plan", Kind::Users),
        ("time,user_id,account_id,role", Kind::AccountUsers),
        (
            "date,customer_id,subscription_id,status,plan_id,price,currency,interval",
            Kind::Subscriptions,
        ),
    ] {
        let cells = vec!["x"; header.split(',').count()].join(",");
        let proposal = folder.propose(format!("{header}\n{cells}\n").as_bytes(), None);
        assert_eq!(proposal.map.kind, kind.as_str(), "{header}");
    }
}

#[test]
fn names_of_traits_are_in_one_style() {
    for (name, expected) in [
        ("Annual Revenue", "annual_revenue"),
        ("AnnualRevenue", "annual_revenue"),
        ("Country/Region (HQ)", "country_region_hq"),
        ("NPS", "nps"),
        ("Größe", "größe"),
        ("__x__", "x"),
        ("%", "column"),
    ] {
        assert_eq!(snake(name), expected, "{name}");
    }
}

#[test]
fn columns_of_one_name_after_that_are_numbered() {
    let folder = Folder::new();
    let text = b"account_id,created_at,Plan Name,PlanName\na,2026-01-01,x,y\n";
    let proposal = folder.propose(text, Some(Kind::Accounts));
    assert_eq!(columns(&proposal)["Plan Name"], "trait.plan_name");
    assert_eq!(columns(&proposal)["PlanName"], "trait.plan_name_2");
}

#[test]
fn a_file_without_rows_is_refused() {
    let folder = Folder::new();
    let path = folder.0.path().join("export.csv");
    for text in ["", "a,b\n"] {
        std::fs::write(&path, text).unwrap();
        let refused = propose(&path, None, None).unwrap_err().to_string();
        assert!(refused.contains("has no rows under a header"), "{refused}");
    }
}

#[test]
fn few_cells_that_cannot_be_read_leave_a_column_what_it_is() {
    let folder = Folder::new();
    let mut text = "account_id,created_at,Employees\n".to_owned();
    for at in 1..=20 {
        let (day, count) = if at == 7 {
            ("soon", "many")
        } else {
            ("2026-01-05", "12")
        };
        writeln!(text, "a{at},{day},{count}").unwrap();
    }
    let proposal = folder.propose(text.as_bytes(), None);
    assert_eq!(columns(&proposal)["Employees"], "employee_count");
    let told = "1 of 20 cells are no number that can be read: these rows will not be taken";
    assert_eq!(proposal.columns[2].note, told);
    let (records, complaints) = folder.import(text.as_bytes(), &proposal);
    assert_eq!((records.len(), complaints.len()), (19, 1));
}

#[test]
fn exports_of_the_same_products_about_other_things_are_not_taken_for_accounts() {
    let folder = Folder::new();
    for (header, kind, account) in [
        (
            "Id,AccountId,Name,OwnerId,StageName,Amount,CurrencyIsoCode,CloseDate,LastModifiedDate",
            Kind::Opportunities,
            "AccountId",
        ),
        ("Id,AccountId,FirstName,Name,OwnerId,Email", Kind::Users, ""),
        ("Record ID,First Name,Email,Company name", Kind::Users, ""),
    ] {
        let cells = vec!["x"; header.split(',').count()].join(",");
        let text = format!("{header}\n{cells}\n");
        let proposal = folder.propose(text.as_bytes(), Some(kind));
        assert_eq!(proposal.product, None, "{header}");
        if !account.is_empty() {
            assert_eq!(columns(&proposal)[account], "account_id", "{header}");
        }
    }
}

#[test]
fn the_plainest_name_of_a_meaning_has_it_and_not_the_first_in_the_file() {
    let folder = Folder::new();
    let of = |text: &str, kind| columns(&folder.propose(text.as_bytes(), Some(kind)));
    let payments = of(
        "Customer,Customer ID,Amount,Currency,Date\nAcme,a1,5,USD,2026-01-05\n",
        Kind::Payments,
    );
    assert_eq!(payments["Customer ID"], "account_id");
    assert_eq!(payments["Customer"], Json::Null);
    let exact = of(
        "Company ID,account_id,created_at\n1,a,2026-01-05\n",
        Kind::Accounts,
    );
    assert_eq!(exact["account_id"], "account_id");
    let tickets = of(
        "Ticket ID,Created At,Updated At,Status,Company ID\n1,2026-01-01,2026-01-05,solved,a\n",
        Kind::Tickets,
    );
    assert_eq!(
        (&tickets["Created At"], &tickets["Updated At"]),
        (&json!("created_at"), &json!("time"))
    );
}

#[test]
fn a_damaged_row_does_not_change_the_letters_of_the_others() {
    let folder = Folder::new();
    let mut text = "account_id,created_at,name\na,2026-01-01,Müller\nb,2026-01-01,Größe\n"
        .as_bytes()
        .to_vec();
    text.extend_from_slice(b"c,2026-01-01,M\xfcller\n");
    let proposal = folder.propose(&text, None);
    assert_eq!(
        serde_json::to_value(&proposal.map).unwrap()["encoding"],
        "utf-8"
    );
    let (records, complaints) = folder.import(&text, &proposal);
    assert_eq!((records.len(), complaints.len()), (2, 1));
    assert_eq!(account(&records[0]).name, "Müller");
}
