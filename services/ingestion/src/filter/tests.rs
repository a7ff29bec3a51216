use sextant_wire::read::account_ref;

use super::*;

fn text(text: &str) -> pb::Value {
    value(Kind::Text(text.to_owned()))
}

fn value(kind: Kind) -> pb::Value {
    pb::Value { kind: Some(kind) }
}

fn account() -> pb::Account {
    let goals = value(Kind::List(pb::ValueList {
        values: vec![text("grow"), value(Kind::Integer(7))],
    }));
    pb::Account {
        r#ref: Some(account_ref("acc-17")),
        name: "Łódź Steel".to_owned(),
        owner_id: "ann".to_owned(),
        parent_account_id: "holding".to_owned(),
        domain: "steel.example".to_owned(),
        external_ids: vec![pb::ExternalId {
            system: "stripe".to_owned(),
            id: "cus_9".to_owned(),
        }],
        traits: BTreeMap::from([
            (STAGE_TRAIT.to_owned(), text("onboarding")),
            ("employee_count".to_owned(), value(Kind::Integer(250))),
            ("goals".to_owned(), goals),
        ]),
        ..pb::Account::default()
    }
}

fn takes(asked: pb::AccountFilter) -> bool {
    Filter::of(Some(&asked)).unwrap().describes(&account())
}

fn with_trait(name: &str, value: Option<pb::Value>) -> pb::AccountFilter {
    pb::AccountFilter {
        traits: vec![pb::TraitCondition {
            name: name.to_owned(),
            value,
        }],
        ..pb::AccountFilter::default()
    }
}

#[test]
fn each_part_of_a_filter_takes_what_it_names_and_nothing_else() {
    type Part = fn(&mut pb::AccountFilter) -> &mut String;
    let parts: [(Part, &str); 3] = [
        (|filter| &mut filter.owner_id, "ann"),
        (|filter| &mut filter.parent_account_id, "holding"),
        (|filter| &mut filter.stage, "onboarding"),
    ];
    assert!(takes(pb::AccountFilter::default()));
    let mut all = pb::AccountFilter::default();
    for (part, held) in parts {
        let mut asked = pb::AccountFilter::default();
        held.clone_into(part(&mut asked));
        assert!(takes(asked.clone()), "{asked:?}");
        part(&mut asked).push('x');
        assert!(!takes(asked.clone()), "{asked:?}");
        held.clone_into(part(&mut all));
    }
    assert!(takes(all.clone()));
    all.text = "nowhere".to_owned();
    assert!(!takes(all));
}

#[test]
fn words_are_found_in_every_name_whatever_their_case() {
    let with_text = |text: &str| {
        takes(pb::AccountFilter {
            text: text.to_owned(),
            ..pb::AccountFilter::default()
        })
    };
    for found in ["ACC-17", "łódź", "steel ŁÓDŹ", "eel.exa", "CUS_9", " ", ""] {
        assert!(with_text(found), "{found:?}");
    }
    for missed in ["stripe", "steel iron", "acc17", "ann"] {
        assert!(!with_text(missed), "{missed:?}");
    }
}

#[test]
fn traits_are_compared_by_what_they_are_worth() {
    let integer = |number| Some(value(Kind::Integer(number)));
    let number = |number| Some(value(Kind::Number(number)));
    let list = |values: &[pb::Value]| {
        Some(value(Kind::List(pb::ValueList {
            values: values.to_vec(),
        })))
    };
    for (name, asked, expected) in [
        ("employee_count", None, true),
        ("employee_count", integer(250), true),
        ("employee_count", number(250.0), true),
        ("employee_count", number(250.5), false),
        ("employee_count", number(1e300), false),
        ("employee_count", Some(text("250")), false),
        ("goals", Some(text("grow")), true),
        ("goals", number(7.0), true),
        ("goals", Some(text("Grow")), false),
        (
            "goals",
            list(&[text("grow"), value(Kind::Number(7.0))]),
            true,
        ),
        (
            "goals",
            list(&[value(Kind::Number(7.0)), text("grow")]),
            false,
        ),
        ("goals", list(&[text("grow")]), false),
        ("absent", None, false),
    ] {
        let shown = format!("{name} {asked:?}");
        assert_eq!(takes(with_trait(name, asked)), expected, "{shown}");
    }
}

#[test]
fn large_integers_are_not_taken_for_the_number_next_to_them() {
    let two_to_the_53 = 9_007_199_254_740_992;
    assert!(is_worth(9_007_199_254_740_992.0, two_to_the_53));
    assert!(!is_worth(9_007_199_254_740_992.0, two_to_the_53 + 1));
    assert!(!is_worth(9_223_372_036_854_775_808.0, i64::MAX));
    assert!(is_worth(-9_223_372_036_854_775_808.0, i64::MIN));
}

#[test]
fn what_is_no_filter_is_refused_with_the_field_that_is_wrong() {
    let field = |asked: &pb::AccountFilter| Filter::of(Some(asked)).unwrap_err().field;
    let long = "x".repeat(201);
    let words = "w ".repeat(11);
    for text in [&long, &words] {
        let asked = pb::AccountFilter {
            text: text.clone(),
            ..pb::AccountFilter::default()
        };
        assert_eq!(field(&asked), "filter.text");
    }
    let owner = pb::AccountFilter {
        owner_id: "a\0b".to_owned(),
        ..pb::AccountFilter::default()
    };
    assert_eq!(field(&owner), "filter.owner_id");
    assert_eq!(field(&with_trait("", None)), "filter.traits[0].name");
    assert_eq!(
        field(&with_trait("n", Some(value(Kind::Number(f64::NAN))))),
        "filter.traits[0].value"
    );
    let mut many = with_trait("n", None);
    many.traits = vec![many.traits[0].clone(); 21];
    assert_eq!(field(&many), "filter.traits");
}
