use sextant_proto::ingestion::v1::record::Fact;
use sextant_proto::ingestion::v1::{Record, Rejection, Verdict, VerdictKind};

use super::batch::{Batches, Origin};
use super::columns::Kind;
use super::tally::Tally;
use super::{Complaint, CsvRows, Error, Input, Item, Layout, Part};

fn open(kind: Kind, text: &'static [u8]) -> Result<CsvRows, Error> {
    CsvRows::new(
        Input::of_bytes("file.csv", text).unwrap(),
        kind,
        "file",
        b',',
    )
}

fn read(kind: Kind, text: &'static [u8]) -> (Vec<Record>, Vec<String>) {
    let (mut records, mut complaints) = (Vec::new(), Vec::new());
    for item in open(kind, text).unwrap() {
        match item.unwrap() {
            Item::Record { record, .. } => records.push(*record),
            Item::Malformed(complaint) => complaints.push(complaint.to_string()),
        }
    }
    (records, complaints)
}

fn header_problem(kind: Kind, text: &'static [u8]) -> String {
    open(kind, text).unwrap_err().to_string()
}

fn ids(kind: Kind, text: &'static [u8]) -> Vec<String> {
    read(kind, text)
        .0
        .into_iter()
        .map(|record| record.id)
        .collect()
}

const PAYMENTS: &[u8] = b"time,account_id,amount,currency\n2026-01-01,acme,12.34,USD\n2026-01-01,acme,12.34,USD\n2026-01-02,zeta,5,USD\n";

#[test]
fn a_row_becomes_a_payment_and_identical_rows_are_two_of_them() {
    let (records, complaints) = read(Kind::Payments, PAYMENTS);
    assert_eq!((records.len(), complaints.len()), (3, 0));
    let Some(Fact::Payment(payment)) = &records[0].fact else {
        panic!()
    };
    assert_eq!(
        (
            payment.account_id.as_str(),
            payment.amount.as_ref().unwrap().minor
        ),
        ("acme", 1_234)
    );
    assert_eq!(payment.payment_id, records[0].id);
    assert_ne!(records[0].id, records[1].id);
}

#[test]
fn ids_do_not_depend_on_the_order_of_columns_on_quotes_or_on_line_ends() {
    let reordered = b"\xef\xbb\xbfcurrency,amount,account_id,time\r\nUSD,12.34,acme,2026-01-01\r\nUSD, 12.34 ,\"acme\",2026-01-01\r\nUSD,5,zeta,2026-01-02";
    assert_eq!(
        ids(Kind::Payments, PAYMENTS),
        ids(Kind::Payments, reordered)
    );
}

#[test]
fn a_header_that_does_not_fit_is_refused_with_the_fix() {
    let twice = header_problem(Kind::Payments, b"time,account_id,amount,amount,currency\n");
    assert!(
        twice.contains("column \"amount\" is twice in the header"),
        "{twice}"
    );
    let lacking = header_problem(Kind::Payments, b"time,account_id,amount\n");
    assert!(
        lacking.contains("lacks the column \"currency\""),
        "{lacking}"
    );
    let unknown = header_problem(Kind::Payments, b"time,account_id,amount,currency,note\n");
    assert!(
        unknown.contains("column \"note\" is none of time"),
        "{unknown}"
    );
    let semicolons = header_problem(Kind::Payments, b"time;account_id;amount;currency\n");
    assert!(semicolons.contains("--delimiter ;"), "{semicolons}");
    assert!(header_problem(Kind::Payments, b"").contains("is empty"));
    assert!(header_problem(Kind::Payments, b"time,,amount\n").contains("column 2 has no name"));
    assert!(header_problem(Kind::Payments, b"\xff\xfet\0").contains("UTF-16"));
    assert!(header_problem(Kind::Payments, b"t\xe9me,a\n").contains("not UTF-8"));
    assert!(
        header_problem(Kind::Accounts, b"account_id,name\n").contains("\"time\" or \"created_at\"")
    );
}

#[test]
fn every_bad_row_names_its_number_line_field_and_fix_and_the_others_are_kept() {
    let text = b"time,account_id,amount,currency\n\
        2026-01-01,acme,NaN,USD\n\
        2026-01-01,\"two\nlines\",1,USD\n\
        2026-01-01,acme,1\n\
        2026-01-01,acme,1,USD,extra\n\
        2026-01-01,ac\xffme,1,USD\n\
        2026-01-01T10:00:00,acme,1,USD\n\
        2026-01-01,,1,USD\n\
        2026-01-01,acme,1,usd\n\
        2026-01-01,last,1,USD\n";
    let (records, complaints) = read(Kind::Payments, text);
    assert_eq!(records.len(), 2);
    let expected = [
        "row 1 (line 2), field \"amount\": \"NaN\" is no decimal number",
        "row 3 (line 5), field \"currency\": is missing: the row has 3 of 4 columns",
        "row 4 (line 6): has 5 columns, the header names 4",
        "row 5 (line 7), field \"account_id\": is not UTF-8",
        "row 6 (line 8), field \"time\": \"2026-01-01T10:00:00\" is no moment",
        "row 7 (line 9), field \"account_id\": is empty",
        "row 8 (line 10), field \"currency\": \"usd\" is no ISO 4217",
    ];
    assert_eq!(complaints.len(), expected.len(), "{complaints:#?}");
    for (complaint, expected) in complaints.iter().zip(expected) {
        assert!(complaint.starts_with(expected), "{complaint}");
    }
}

#[test]
fn a_last_line_that_was_cut_off_is_told_from_one_without_a_line_end() {
    let (records, complaints) = read(
        Kind::Payments,
        b"time,account_id,amount,currency\n2026-01-01,acme,1,USD\n2026-01-01,ac",
    );
    assert_eq!(records.len(), 1);
    assert!(
        complaints[0].contains("field \"amount\"") && complaints[0].contains("cut off"),
        "{complaints:?}"
    );
    let (records, complaints) = read(
        Kind::Payments,
        b"time,account_id,amount,currency\n2026-01-01,acme,1,USD",
    );
    assert_eq!((records.len(), complaints.len()), (1, 0));
    let (_, complaints) = read(
        Kind::Payments,
        b"time,account_id,amount,currency\n2026-01-01,acme\n",
    );
    assert!(!complaints[0].contains("cut off"), "{complaints:?}");
}

#[test]
fn a_quote_that_is_never_closed_is_suspected() {
    let (_, complaints) = read(
        Kind::Payments,
        b"time,account_id,amount,currency\n2026-01-01,\"acme,1,USD\n2026-01-02,zeta,1,USD\n",
    );
    assert_eq!(complaints.len(), 1);
    assert!(complaints[0].contains("quote"), "{complaints:?}");
}

#[test]
fn accounts_have_traits_of_the_right_kinds_and_a_time_of_their_own() {
    let text = b"account_id,created_at,name,employee_count,renewal_at,trait.plan,trait.score\nacme,2025-05-01,Acme,40,2026-05-01,pro,4.5\nzeta,,Zeta,,,,\n";
    let (records, complaints) = read(Kind::Accounts, text);
    let Some(Fact::Account(account)) = &records[0].fact else {
        panic!()
    };
    let names: Vec<&str> = account.traits.keys().map(String::as_str).collect();
    assert_eq!(names, ["employee_count", "plan", "renewal_at", "score"]);
    assert_eq!(records[0].time, account.created_at);
    assert!(
        complaints[0].contains("field \"time\"") && complaints[0].contains("created_at"),
        "{complaints:?}"
    );
}

#[test]
fn subscriptions_and_events_are_read_whole() {
    let text = b"time,account_id,subscription_id,status,price_id,unit_amount,currency,interval,quantity,fx_rate,percent_off\n2026-01-01,acme,s1,active,pro-monthly,49.90,EUR,month,12,1.1,12.5\n2026-01-01,acme,s1,running,p,1,EUR,month,,,\n2026-01-01,acme,s1,active,p,1,EUR,month,,,120\n";
    let (records, complaints) = read(Kind::Subscriptions, text);
    let Some(Fact::Subscription(subscription)) = &records[0].fact else {
        panic!()
    };
    let item = &subscription.items[0];
    assert_eq!(
        (
            item.quantity,
            item.fx_rate_micros,
            subscription.discounts[0].percent_off_bps
        ),
        (12, 1_100_000, 1_250)
    );
    assert!(
        complaints[0].contains("\"running\" is none of incomplete"),
        "{complaints:?}"
    );
    assert!(
        complaints[1].contains("between 0 and 100"),
        "{complaints:?}"
    );
    let (records, _) = read(Kind::Events, b"time,account_id,type,id,quantity,data.page\n2026-01-01T10:00:00Z,acme,page.seen,e1,3,/home\n");
    assert_eq!(records[0].id, "e1");
}

#[test]
fn layouts_are_told_by_the_ending_of_the_name() {
    assert_eq!(Layout::of_name("a/facts.csv"), Some(Layout::Csv));
    assert_eq!(Layout::of_name("facts.ndjson.gz"), Some(Layout::Ndjson));
    assert_eq!(Layout::of_name("CDNOW_master.txt"), None);
}

#[test]
fn a_file_that_breaks_off_gives_what_was_before_and_then_its_error() {
    let rows = open(Kind::Payments, PAYMENTS).unwrap();
    let broken = Error::Header {
        path: "file.csv".into(),
        problem: "broken".into(),
    };
    let items = rows.chain(std::iter::once(Err(broken)));
    let batches: Vec<_> = Batches::new(Box::new(items)).collect();
    assert_eq!(batches.len(), 2);
    assert_eq!(batches[0].as_ref().unwrap().records.len(), 3);
    assert!(batches[1].is_err());
}

#[test]
fn the_tally_counts_every_row_under_one_verdict_and_keeps_the_first_complaints() {
    let origin = |row, part| Origin {
        row,
        line: row + 1,
        part,
    };
    let origins = [
        origin(1, Part::Companion),
        origin(1, Part::Row),
        origin(2, Part::Row),
        origin(3, Part::Row),
        origin(4, Part::Row),
    ];
    let verdict = |index, kind: VerdictKind| Verdict {
        index,
        kind: kind.into(),
        rejection: None,
    };
    let mut rejected = verdict(2, VerdictKind::Rejected);
    rejected.rejection = Some(Rejection {
        field: "time".into(),
        reason: "TOO_OLD".into(),
        hint: "is older than the 395 days".into(),
    });
    let mut tally = Tally::new(1);
    tally.judge(
        &origins,
        &[
            verdict(1, VerdictKind::Duplicate),
            rejected,
            verdict(3, VerdictKind::Held),
        ],
    );
    tally.malformed(Complaint {
        row: 5,
        line: 6,
        field: String::new(),
        problem: "is no row".into(),
    });
    assert_eq!(
        (
            tally.rows.accepted,
            tally.rows.duplicate,
            tally.rows.held,
            tally.rows.rejected
        ),
        (1, 1, 1, 1)
    );
    assert_eq!(
        (
            tally.companions.accepted,
            tally.rows_judged(),
            tally.malformed
        ),
        (1, 5, 1)
    );
    assert_eq!(tally.reasons.get("TOO_OLD"), Some(&1));
    assert_eq!(tally.complaints.len(), 1);
    assert_eq!(
        tally.complaints[0].to_string(),
        "row 2 (line 3), field \"time\": is older than the 395 days (TOO_OLD)"
    );
    assert!(!tally.is_clean());
}
