use csv::ByteRecord;

use sextant_domain::time::Zone;
use sextant_proto::common::v1::ErrorReason;
use sextant_proto::ingestion::v1::record::Fact;
use sextant_proto::ingestion::v1::{Record, Rejection, Verdict, VerdictKind};
use sextant_wire::status::Problem;

use super::batch::{Batches, Delivery, Origin, TIME};
use super::cdnow::CdnowRows;
use super::columns::Kind;
use super::ndjson::NdjsonRows;
use super::rejects::{Form, Rejects};
use super::tally::Tally;
use super::{Complaint, CsvRows, Error, Input, Item, Items, Layout, Original, Part, Refusal};

pub(crate) fn open(kind: Kind, text: &'static [u8]) -> Result<CsvRows, Error> {
    open_in(&Zone::utc(), kind, text)
}

pub(crate) fn open_in(zone: &Zone, kind: Kind, text: &'static [u8]) -> Result<CsvRows, Error> {
    CsvRows::new(
        Input::of_bytes("file.csv", text).unwrap(),
        kind,
        "file",
        b',',
        zone,
    )
}

pub(crate) fn read(kind: Kind, text: &'static [u8]) -> (Vec<Record>, Vec<String>) {
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
    let reordered = b"\xef\xbb\xbfcurrency,amount,account_id,time\r\nUSD,12.34,acme,2026-01-01\r\nUSD, 12.34 ,\"acme\",2026-01-01\r\nUSD,5,zeta,2026-01-02\r\n";
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
    let case = header_problem(Kind::Payments, b"Time,account_id,amount,currency\n");
    assert!(
        case.contains("lacks the column \"time\" that payments need; did you mean it by \"Time\"?"),
        "{case}"
    );
    let misspelled = header_problem(
        Kind::Payments,
        b"time,account_id,amount,currency,invoce_id\n",
    );
    assert!(
        misspelled.contains("did you mean \"invoice_id\"? rename or remove it"),
        "{misspelled}"
    );
    assert!(!unknown.contains("did you mean"), "{unknown}");
    let semicolons = header_problem(Kind::Payments, b"time;account_id;amount;currency\n");
    assert!(semicolons.contains("--delimiter ';'"), "{semicolons}");
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
fn a_last_line_without_a_line_end_is_no_row_for_it_may_be_half_of_one() {
    let told = "row 2 (line 3): the last line has no line end: the file may have been cut; write the file again, or end it with a line break";
    for last in [
        "2026-01-01,acme,12.3",
        "2026-01-01,ac",
        "2026-01-01,acme,1,US",
        "2026-01-01,acme,1,\"USD",
    ] {
        let text = format!("time,account_id,amount,currency\n2026-01-01,acme,1,USD\n{last}");
        let (records, complaints) = read(Kind::Payments, leaked(text));
        assert_eq!(
            (records.len(), complaints),
            (1, vec![told.to_owned()]),
            "{last}"
        );
    }
    for end in ["\n", "\r\n", "\r", "\n\n"] {
        let text = format!("time,account_id,amount,currency\n2026-01-01,acme,1,USD{end}");
        let (records, complaints) = read(Kind::Payments, leaked(text));
        assert_eq!((records.len(), complaints.len()), (1, 0), "{end:?}");
    }
    let header = header_problem(Kind::Payments, b"time,account_id,amount,currency");
    assert!(
        header.contains("its header is no row: the last line has no line end"),
        "{header}"
    );
}

#[test]
fn a_row_that_may_be_half_a_row_is_no_row_of_the_file_of_rejects_either() {
    let open = |bytes| {
        let input = Input::of_bytes("file.csv", bytes).unwrap();
        CsvRows::new(input, Kind::Payments, "file", b',', &Zone::utc()).unwrap()
    };
    let rows = open(b"time,account_id,amount,currency\n2026-01-01,acme,12.3,USD");
    let form = Form::Csv {
        delimiter: b',',
        names: rows.names().clone(),
    };
    let (text, n_rows) = rejected(form, Box::new(rows));
    assert_eq!(n_rows, 1);
    let items: Vec<Item> = open(leaked(text)).map(Result::unwrap).collect();
    assert!(
        matches!(items.as_slice(), [Item::Malformed(_)]),
        "{items:?}"
    );

    let open = |bytes| CdnowRows::new(Input::of_bytes("f", bytes).unwrap(), "cdnow", &Zone::utc());
    let (text, n_rows) = rejected(Form::Cdnow, Box::new(open(b"1 19970101 1 11.7")));
    assert_eq!((n_rows, open(leaked(text)).count()), (1, 0));
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
        complaints[0].contains("field \"created_at\": is empty, and there is no column \"time\""),
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

/// What is complained about where the service rejects a field of a record.
pub(crate) fn complained_field(origin: Origin, field: &str) -> String {
    let rejection = Rejection {
        field: field.to_owned(),
        ..Rejection::default()
    };
    let verdict = Verdict {
        index: 0,
        kind: VerdictKind::Rejected.into(),
        rejection: Some(rejection),
    };
    let mut tally = Tally::new(1);
    tally.judge(&[origin], Vec::new(), &[verdict], Delivery::First);
    tally.complaints.remove(0).field
}

#[test]
fn a_rejected_row_of_a_csv_file_is_complained_about_by_its_column() {
    let one = |original, field: &str| {
        let origin = Origin {
            row: 1,
            line: 2,
            part: Part::Row,
            original,
            time: TIME,
            header: None,
        };
        complained_field(origin, field)
    };
    for (field, column) in [
        ("time", "time"),
        ("account.parent_account_id", "parent_account_id"),
        ("account.traits[\"country\"]", "country"),
        ("account.traits[\"tier\"]", "trait.tier"),
        ("event.data[\"type\"]", "data.type"),
        ("event.type", "type"),
        ("payment.amount.minor", "amount"),
        ("payment.amount.currency", "currency"),
        ("payment.refunded_minor", "refunded"),
        (
            "subscription.items[0].price.unit_amount.minor",
            "unit_amount",
        ),
        ("subscription.items[0].fx_rate_micros", "fx_rate"),
        ("subscription.items[0].price.price_id", "price_id"),
        ("subscription.discounts[0].percent_off_bps", "percent_off"),
        // No column holds these alone.
        ("subscription.items", "subscription.items"),
        ("account.traits[\"a\\\"b\"]", "account.traits[\"a\\\"b\"]"),
    ] {
        assert_eq!(one(Original::Cells(ByteRecord::new()), field), column);
        assert_eq!(one(Original::Line(Vec::new()), field), field);
    }
}

pub(crate) fn leaked(text: String) -> &'static [u8] {
    Box::leak(text.into_bytes().into_boxed_slice())
}

/// What is sent of a file in messages of so many bytes: records of each batch, and complaints.
fn batches(items: Items, max_bytes: u64) -> (Vec<usize>, Vec<String>) {
    let (mut sizes, mut complaints) = (Vec::new(), Vec::new());
    for batch in Batches::new(items).in_messages_of(max_bytes) {
        let batch = batch.unwrap();
        let bytes: usize = batch.records.iter().map(prost::Message::encoded_len).sum();
        assert!(u64::try_from(bytes).unwrap() < max_bytes);
        assert_eq!(batch.records.len(), batch.origins.len());
        sizes.extend(Some(batch.records.len()).filter(|n_records| *n_records > 0));
        complaints.extend(batch.malformed.iter().map(ToString::to_string));
    }
    (sizes, complaints)
}

#[test]
fn a_record_that_no_message_holds_is_a_bad_row_and_the_next_ones_are_sent() {
    const MESSAGE: u64 = 4 << 20;
    let long = "x".repeat(5 << 20);
    let csv = format!("created_at,account_id,name\n2026-01-01,a,{long}\n2026-01-01,b,B\n");
    let items = open(Kind::Accounts, leaked(csv)).unwrap();
    let (sizes, complaints) = batches(Box::new(items), MESSAGE);
    assert_eq!((sizes.as_slice(), complaints.len()), (&[1][..], 1));
    let told = "row 1 (line 2), field \"name\": has 5242880 bytes and its record 5242";
    assert!(complaints[0].starts_with(told), "{}", complaints[0]);
    assert!(complaints[0].ends_with("at most 1048576 are allowed; shorten or remove it"));

    let ndjson = format!(
        "{{\"time\":\"2026-01-01\",\"event\":{{\"account_id\":\"a\",\"type\":\"t\",\"data\":{{\"page\":\"{long}\"}}}}}}\n{{\"time\":\"2026-01-01\",\"event\":{{\"account_id\":\"a\",\"type\":\"t\"}}}}\n"
    );
    let input = Input::of_bytes("file.ndjson", leaked(ndjson)).unwrap();
    let (sizes, complaints) = batches(
        Box::new(NdjsonRows::new(input, "file", &Zone::utc())),
        MESSAGE,
    );
    assert_eq!((sizes.as_slice(), complaints.len()), (&[1][..], 1));
    let told = "row 1 (line 1), field \"event.data[\"page\"]";
    assert!(complaints[0].starts_with(told), "{}", complaints[0]);
}

#[test]
fn no_message_is_larger_than_the_server_takes() {
    let row = |id: &str, n: usize| format!("2026-01-01,{id},{}\n", "x".repeat(n));
    let csv = [
        "created_at,account_id,name\n".to_owned(),
        row("a", 9),
        row("b", 3 << 20),
        row("c", 3 << 20),
        row("d", 9),
    ]
    .concat();
    let csv = leaked(csv);
    let of = |max_bytes| batches(Box::new(open(Kind::Accounts, csv).unwrap()), max_bytes);
    assert_eq!(of(4 << 20), (vec![1, 1, 1, 1], Vec::new()));
    let (sizes, complaints) = of(1_024);
    assert_eq!((sizes.iter().sum::<usize>(), complaints.len()), (2, 2));
}

/// Complains of every row of a file, reads what was written, and gives the original of each row.
pub(crate) fn rejected(form: Form, items: Items) -> (String, u64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rejects");
    let mut rejects = Rejects::create(&path, form, &folder.path().join("imported")).unwrap();
    for item in items {
        let complaint = match item.unwrap() {
            Item::Malformed(complaint) => complaint,
            Item::Record { origin, .. } => Complaint {
                row: origin.row,
                line: origin.line,
                field: "payment.amount".into(),
                problem: "is, \"negative\"".into(),
                refusal: Refusal::Rejected("AMOUNT_NEGATIVE".into()),
                original: origin.original,
            },
        };
        rejects.add(&complaint);
    }
    let rows = rejects.finish().unwrap();
    (std::fs::read_to_string(&path).unwrap(), rows)
}

const BAD: &[u8] = b"time;account_id;amount;currency\n2026-01-01;acme;-1;USD\n2026-01-01;acme;1\n2026-01-01;\"a;b\";x;USD\n";

#[test]
fn rows_of_a_csv_file_that_were_not_taken_are_imported_once_they_are_corrected() {
    let read = |bytes: &'static [u8]| {
        let input = Input::of_bytes("file.csv", bytes).unwrap();
        CsvRows::new(input, Kind::Payments, "file", b';', &Zone::utc()).unwrap()
    };
    let rows = read(BAD);
    let form = Form::Csv {
        delimiter: b';',
        names: rows.names().clone(),
    };
    let (text, n_rows) = rejected(form, Box::new(rows));
    let expected = "rejected.row;rejected.line;rejected.field;rejected.reason;rejected.hint;time;account_id;amount;currency\n\
        1;2;payment.amount;AMOUNT_NEGATIVE;\"is, \"\"negative\"\"\";2026-01-01;acme;-1;USD\n\
        2;3;currency;MALFORMED;is missing: the row has 3 of 4 columns;2026-01-01;acme;1\n\
        3;4;amount;MALFORMED;\"\"\"x\"\" is no decimal number such as 1234.5; write it with a point and without separators, symbols and blanks\";2026-01-01;\"a;b\";x;USD\n";
    assert_eq!((n_rows, text.as_str()), (3, expected));

    let corrected = text
        .replace(";-1;USD", ";1;USD")
        .replace(";acme;1\n", ";acme;2;USD\n")
        .replace(";x;USD", ";3;USD");
    let ids = |bytes| -> Vec<String> {
        read(bytes)
            .map(|item| match item.unwrap() {
                Item::Record { record, .. } => record.id,
                Item::Malformed(complaint) => panic!("{complaint}"),
            })
            .collect()
    };
    let plain = b"time;account_id;amount;currency\n2026-01-01;acme;1;USD\n2026-01-01;acme;2;USD\n2026-01-01;\"a;b\";3;USD\n";
    assert_eq!(ids(leaked(corrected)), ids(plain));
}

#[test]
fn lines_that_were_not_taken_are_written_as_they_came_and_notes_are_passed_over() {
    let ndjson =
        b"{\"time\":\"2026-01-01\", \"event\":{\"account_id\":\"a\",\"type\":\"t\"}}\n{broken\n";
    let read = |bytes: &'static [u8]| {
        NdjsonRows::new(Input::of_bytes("f", bytes).unwrap(), "file", &Zone::utc())
    };
    let (text, n_rows) = rejected(Form::Ndjson, Box::new(read(ndjson)));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((n_rows, lines.len()), (2, 4));
    let note: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
    assert_eq!(note["rejected"]["reason"], "AMOUNT_NEGATIVE");
    assert_eq!(note["rejected"]["hint"], "is, \"negative\"");
    assert_eq!(
        (lines[1], lines[3]),
        (
            std::str::from_utf8(ndjson).unwrap().lines().next().unwrap(),
            "{broken"
        )
    );
    assert_eq!(read(leaked(text)).count(), 2);

    let cdnow = b" 00001 19970101 1 11.77\n 00001 nonsense 1 1\n";
    let read = |bytes: &'static [u8]| {
        CdnowRows::new(Input::of_bytes("f", bytes).unwrap(), "cdnow", &Zone::utc())
    };
    let (text, n_rows) = rejected(Form::Cdnow, Box::new(read(cdnow)));
    let lines: Vec<&str> = text.lines().collect();
    // The first row brought its account: it is written once.
    assert_eq!((n_rows, lines.len()), (2, 4));
    assert_eq!(
        (lines[1], lines[3]),
        (" 00001 19970101 1 11.77", " 00001 nonsense 1 1")
    );
    assert_eq!(read(leaked(text)).count(), 3);
}

#[test]
fn the_file_that_is_imported_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.ndjson");
    std::fs::write(&path, "rows").unwrap();
    let linked = folder.path().join("linked");
    std::os::unix::fs::symlink(&path, &linked).unwrap();
    let refused = Rejects::create(&linked, Form::Ndjson, &path).unwrap_err();
    assert!(
        matches!(refused, Error::RejectsAreInput { .. }),
        "{refused}"
    );
    assert_eq!(std::fs::read(&path).unwrap(), b"rows");
}

#[test]
fn only_an_import_that_may_go_on_is_to_be_repeated() {
    let refused = |reason| Error::Refused {
        status: Box::new(Problem::new(reason, "no").into()),
        acknowledged: 3,
    };
    let told = refused(ErrorReason::Unavailable).to_string();
    assert!(told.contains("repeat it to go on"), "{told}");
    let told = refused(ErrorReason::MessageTooLarge).to_string();
    assert!(
        told.contains("--set ingest.max_batch_bytes=N") && !told.contains("again"),
        "{told}"
    );
}
