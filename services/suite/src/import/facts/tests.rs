use sextant_domain::time::Zone;
use sextant_proto::ingestion::v1::record::Fact;
use sextant_proto::ingestion::v1::value::Kind as ValueKind;
use sextant_proto::ingestion::v1::{AccountUserRole, InvoiceStatus, Record};

use crate::import::batch::Origin;
use crate::import::columns::Kind;
use crate::import::tests::{complained_field, open, open_in, read};
use crate::import::{CsvRows, Item, Original, size};

fn only(kind: Kind, text: &'static [u8]) -> (Record, Vec<String>) {
    let (mut records, complaints) = read(kind, text);
    assert_eq!(records.len(), 1, "{complaints:?}");
    (records.remove(0), complaints)
}

#[test]
fn a_row_of_users_is_a_person_with_traits() {
    let text = b"time,user_id,trait.email_domain,trait.seats\n2026-01-01,u1,acme.test,3\n2026-01-01,,x,1\n";
    let (record, complaints) = only(Kind::Users, text);
    let Some(Fact::User(user)) = record.fact else {
        panic!()
    };
    let seats = user.traits["seats"].kind.as_ref();
    assert_eq!(
        (user.user_id.as_str(), seats),
        ("u1", Some(&ValueKind::Integer(3)))
    );
    assert_eq!(record.time.unwrap().seconds, 1_767_225_600);
    assert!(
        complaints[0].contains("field \"user_id\": is empty"),
        "{complaints:?}"
    );
}

#[test]
fn a_row_of_account_users_says_who_is_where_in_which_role_and_who_left() {
    let text = b"time,account_id,user_id,role,left\n2026-01-01,acme,u1,exec_sponsor,true\n2026-01-01,acme,u1,boss,\n2026-01-01,acme,u1,,yes\n";
    let (record, complaints) = only(Kind::AccountUsers, text);
    let Some(Fact::AccountUser(link)) = record.fact else {
        panic!()
    };
    assert_eq!(
        (link.account_id.as_str(), link.user_id.as_str()),
        ("acme", "u1")
    );
    assert_eq!(
        (link.role(), link.left),
        (AccountUserRole::ExecSponsor, true)
    );
    assert!(
        complaints[0].contains("\"boss\" is none of member"),
        "{complaints:?}"
    );
    assert!(
        complaints[1].contains("field \"left\": \"yes\" is neither true nor false"),
        "{complaints:?}"
    );
}

#[test]
fn a_row_of_invoices_has_exact_amounts_of_its_currency() {
    let text = b"time,account_id,invoice_id,status,total,currency,tax,subscription_id,due_at\n2026-01-01,acme,in-1,open,119.00,EUR,19,s1,2026-01-15\n2026-01-01,acme,in-2,sent,1,EUR,,,\n2026-01-01,acme,in-3,paid,,EUR,,,\n";
    let (record, complaints) = only(Kind::Invoices, text);
    let Some(Fact::Invoice(invoice)) = record.fact else {
        panic!()
    };
    let total = invoice.total.clone().unwrap();
    assert_eq!(
        (total.minor, total.currency.as_str(), invoice.tax_minor),
        (11_900, "EUR", 1_900)
    );
    assert_eq!(
        (
            invoice.invoice_id.as_str(),
            invoice.subscription_id.as_str()
        ),
        ("in-1", "s1")
    );
    assert_eq!(invoice.status(), InvoiceStatus::Open);
    assert_eq!(invoice.due_at.unwrap().seconds, 1_768_435_200);
    assert!(
        complaints[0].contains("\"sent\" is none of draft"),
        "{complaints:?}"
    );
    assert!(
        complaints[1].contains("field \"total\": is empty"),
        "{complaints:?}"
    );
}

#[test]
fn a_rate_that_is_not_taken_is_refused_in_the_unit_of_the_file() {
    let text = b"time,account_id,amount,currency,fx_rate\n2026-01-01,a,1,EUR,10000000\n2026-01-01,a,1,EUR,0\n2026-01-01,a,1,EUR,-1\n2026-01-01,a,1,EUR,10000000.000001\n";
    let (record, complaints) = only(Kind::Payments, text);
    let Some(Fact::Payment(payment)) = record.fact else {
        panic!()
    };
    assert_eq!(payment.fx_rate_micros, 10_000_000_000_000);
    assert_eq!(complaints.len(), 3);
    for complaint in complaints {
        assert!(
            complaint.contains("field \"fx_rate\"")
                && complaint.ends_with("must be above 0 and at most 10000000"),
            "{complaint}"
        );
    }
}

#[test]
fn a_hint_of_the_service_names_the_column_of_a_csv_file() {
    let mut rows = open(
        Kind::Payments,
        b"time,account_id,amount,currency\n2026-01-01,a,-1,USD\n",
    )
    .unwrap();
    let Some(Ok(Item::Record { origin, .. })) = rows.next() else {
        panic!()
    };
    assert_eq!(
        origin.sentence("send it as refunded_minor"),
        "send it as refunded"
    );
    let origin = Origin {
        original: Original::Line(Vec::new()),
        ..origin
    };
    assert_eq!(
        origin.sentence("send it as refunded_minor"),
        "send it as refunded_minor"
    );
}

#[test]
fn a_field_that_is_too_large_is_named_by_its_column() {
    let text = b"time,account_id,type,data.x.y\n2026-01-01,a,t,xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n";
    let Some(Ok(Item::Record { origin, record })) = open(Kind::Events, text).unwrap().next() else {
        panic!()
    };
    let fault = size::too_large(&record, 10);
    assert!(
        fault.problem.starts_with("has 100 bytes"),
        "{}",
        fault.problem
    );
    assert_eq!(origin.field(&fault.field), "data.x.y");
}

/// The field that is complained about where the service rejects one of the record.
fn column(mut rows: CsvRows, field: &str) -> String {
    let Some(Ok(Item::Record { origin, .. })) = rows.next() else {
        panic!()
    };
    complained_field(origin, field)
}

#[test]
fn a_rejected_field_is_named_by_the_column_that_the_row_has_for_it() {
    for (kind, text, field, expected) in [
        (
            Kind::Accounts,
            "account_id,created_at\na,2025-01-01\n",
            "time",
            "created_at",
        ),
        (
            Kind::Accounts,
            "account_id,created_at,time\na,2025-01-01,\n",
            "time",
            "created_at",
        ),
        (
            Kind::Accounts,
            "account_id,created_at,time\na,2025-01-01,2025-01-02\n",
            "time",
            "time",
        ),
        (
            Kind::Users,
            "time,user_id\n2025-01-01,u\n",
            "user.user_id",
            "user_id",
        ),
        (
            Kind::Users,
            "time,user_id,trait.a\n2025-01-01,u,1\n",
            "user.traits[\"a\"]",
            "trait.a",
        ),
        (
            Kind::AccountUsers,
            "time,account_id,user_id\n2025-01-01,a,u\n",
            "account_user.account_id",
            "account_id",
        ),
        (
            Kind::Invoices,
            "time,account_id,invoice_id,status,total,currency\n2025-01-01,a,i,open,-1,USD\n",
            "invoice.total.minor",
            "total",
        ),
        (
            Kind::Invoices,
            "time,account_id,invoice_id,status,total,currency,tax\n2025-01-01,a,i,open,1,USD,2\n",
            "invoice.tax_minor",
            "tax",
        ),
    ] {
        let rows = open(kind, text.as_bytes()).unwrap();
        assert_eq!(column(rows, field), expected, "{text}");
    }
}

#[test]
fn days_of_every_column_begin_in_the_zone() {
    let zone = Zone::parse("America/New_York").unwrap();
    let text = b"account_id,created_at,renewal_at\nacme,2026-03-01,2026-07-01\n";
    let Item::Record { record, .. } = open_in(&zone, Kind::Accounts, text)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
    else {
        panic!()
    };
    assert_eq!(record.time.unwrap().to_string(), "2026-03-01T05:00:00Z");
    let Some(Fact::Account(account)) = record.fact else {
        panic!()
    };
    let created_at = account.created_at.unwrap().to_string();
    assert_eq!(created_at, "2026-03-01T05:00:00Z");
    let Some(ValueKind::Time(renewal_at)) = account.traits["renewal_at"].kind else {
        panic!()
    };
    assert_eq!(renewal_at.to_string(), "2026-07-01T04:00:00Z");
}
