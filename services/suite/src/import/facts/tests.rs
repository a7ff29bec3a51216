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

/// A row of a kind that fills every column it is read from, and one that it does not take, with the field of that.
const ROWS: [(Kind, &str, &str, &str); 8] = [
    (
        Kind::Dunning,
        "time,account_id,invoice_id,outcome,campaign_id,step,started_at,next_retry_at,recovered_at\n2026-01-05,a,in1,recovered,smart,3,2026-01-01,2026-01-04,2026-01-05\n",
        "2026-01-05,a,in1,paid,,,,,\n",
        "outcome",
    ),
    (
        Kind::SurveyResponses,
        "time,account_id,response_id,survey_id,kind,user_id,sent_at,responded_at,score,scale_min,scale_max,question_key,answers,comment,language,sentiment,sentiment_model,channel,ticket_id,stage,weight\n2026-01-05,a,r1,q1,csat,u1,2026-01-01,2026-01-04,4.5,1,5,main,price; speed,dear,en,-0.25,m1,email,t1,adoption,2\n",
        "2026-01-05,a,r1,q1,smile,,,,,,,,,,,,,,,,\n",
        "kind",
    ),
    (
        Kind::Tickets,
        "time,account_id,ticket_id,status,requester_user_id,priority,type,category,product_area,channel,created_at,first_response_at,solved_at,closed_at,reopened_count,message_count,sla_breached,escalated,csat_score,sentiment,tags\n2026-01-05,a,t1,solved,u1,urgent,incident,login,auth,chat,2026-01-01,2026-01-02,2026-01-03,2026-01-04,1,7,true,true,4,0.5,vip;login\n",
        "2026-01-05,a,t1,solved,,,,,,,,,,,x,,,,,,\n",
        "reopened_count",
    ),
    (
        Kind::Opportunities,
        "time,account_id,opportunity_id,stage,amount,currency,type,outcome,origin,opened_at,closes_at,evidence,owner_id\n2026-01-05,a,o1,proposal,1200.50,USD,expansion,open,csm,2026-01-01,2026-03-01,limit reached;asked,ann\n",
        "2026-01-05,a,o1,,1200.50,,,,,,,,\n",
        "currency",
    ),
    (
        Kind::Touchpoints,
        "time,account_id,kind,touchpoint_id,owner_id,user_id,play_id,outcome,minutes\n2026-01-05,a,meeting,tp1,ann,u1,qbr,agreed,45\n",
        "2026-01-05,a,meeting,,,,,,-1\n",
        "minutes",
    ),
    (
        Kind::Costs,
        "time,kind,allocation,amount,currency,period_starts_at,period_ends_at,cost_id,account_id,fx_rate\n2026-01-05,cs_salary,direct,9000,EUR,2025-12-01,2026-01-01,c1,a,1.1\n",
        "2026-01-05,cs_salary,direct,9000,EUR,,2026-01-01,,a,\n",
        "period_starts_at",
    ),
    (
        Kind::OutcomeLabels,
        "time,account_id,kind,label_id,horizon_days,retracted\n2026-01-05,a,churn,l1,90,true\n",
        "2026-01-05,a,,,,\n",
        "kind",
    ),
    (
        Kind::ProductFeatures,
        "time,feature_key,name,module,tier,is_core,depth_weight,automates_action,price_id,retired\n2026-01-05,reports,Reports,bi,pro,true,2.5,export,p1,true\n",
        "2026-01-05,reports,,,,core,,,,\n",
        "is_core",
    ),
];

/// Whether every field of a message is set: all that a column is read into is in it.
fn names_of_unset(record: &Record, kind: Kind) -> Vec<String> {
    let json: serde_json::Value =
        serde_json::from_str(&crate::import::ndjson::write(record)).unwrap();
    let fact = json
        .as_object()
        .unwrap()
        .values()
        .find(|value| value.is_object());
    let fact = fact.unwrap().as_object().unwrap();
    // A column in another unit than its field, and what a field is made of together with another column.
    let other = [
        ("currency", "amount"),
        ("fx_rate", "fx_rate_micros"),
        ("time", "account_id"),
    ];
    let has = |name: &str| {
        let field = other.iter().find(|(column, _)| *column == name);
        let field = field.map_or(name, |(_, field)| *field);
        fact.contains_key(field) || name == "time"
    };
    let columns = kind.columns().iter().map(|column| column.name);
    columns
        .filter(|name| !has(name))
        .map(ToOwned::to_owned)
        .collect()
}

#[test]
fn rows_of_every_other_kind_are_read_whole_and_pass_the_door() {
    for (kind, good, bad, field) in ROWS {
        let text = crate::import::tests::leaked(format!("{good}{bad}"));
        let (mut record, complaints) = only(kind, text);
        assert_eq!(names_of_unset(&record, kind), [""; 0], "{kind:?}");
        let expected = format!("row 2 (line 3), field \"{field}\": ");
        assert!(complaints[0].starts_with(&expected), "{complaints:?}");
        let now = sextant_domain::time::Instant(1_767_900_000_000_000);
        let door = sextant_wire::record::Door {
            now,
            received_at: now,
            retention_days: 395,
            base_currency: sextant_domain::money::Currency::parse("USD").unwrap(),
        };
        sextant_wire::record::check(&mut record, &door).unwrap();
    }
}

#[test]
fn the_scale_of_nps_and_the_moment_of_an_answer_need_not_be_written() {
    let text = b"time,account_id,response_id,survey_id,kind,score\n2026-01-05,a,r1,q1,nps,9\n";
    let (record, _) = only(Kind::SurveyResponses, text);
    let Some(Fact::SurveyResponse(response)) = &record.fact else {
        panic!("{record:?}");
    };
    assert_eq!((response.scale_min, response.scale_max), (0.0, 10.0));
    assert_eq!(response.responded_at, record.time);
}

#[test]
fn what_the_door_says_of_them_is_told_by_their_columns() {
    use crate::import::columns::column_of;
    for (field, column) in [
        ("opportunity.amount.minor", "amount"),
        ("cost.fx_rate_micros", "fx_rate"),
        ("survey_response.scale_max", "scale_max"),
        ("dunning.invoice_id", "invoice_id"),
        ("product_feature.feature_key", "feature_key"),
    ] {
        assert_eq!(column_of(field).as_deref(), Some(column));
    }
}
