use serde_json::json;

use super::*;

fn of(json: &Json) -> Values {
    values(json.as_object().unwrap())
}

fn kinds(json: &Json) -> Vec<(String, Kind)> {
    let set = of(json).set.into_iter();
    set.map(|(name, value)| (name, value.kind.unwrap()))
        .collect()
}

#[test]
fn plain_values_keep_their_kinds() {
    let text = |text: &str| Kind::Text(text.to_owned());
    assert_eq!(
        kinds(&json!({"a": "x", "b": 3, "c": 0.5, "d": true, "e": u64::MAX})),
        [
            ("a".to_owned(), text("x")),
            ("b".to_owned(), Kind::Integer(3)),
            ("c".to_owned(), Kind::Number(0.5)),
            ("d".to_owned(), Kind::Boolean(true)),
            ("e".to_owned(), Kind::Number(18_446_744_073_709_551_615.0)),
        ]
    );
}

#[test]
fn objects_are_taken_apart_as_far_as_anybody_would_name_their_parts() {
    let deep = json!({"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}, "address": {"city": "Łódź"}});
    assert_eq!(
        kinds(&deep),
        [
            ("a.b.c.d.e".to_owned(), Kind::Text(r#"{"f":1}"#.to_owned())),
            ("address.city".to_owned(), Kind::Text("Łódź".to_owned())),
        ]
    );
}

#[test]
fn null_says_that_there_is_no_value_any_more() {
    let values = of(&json!({"plan": null, "address": {"city": null}}));
    assert_eq!(values.cleared, ["plan", "address.city"]);
    assert!(values.set.is_empty());
}

#[test]
fn lists_stay_lists_of_plain_values() {
    let found = kinds(&json!({"tags": ["a", 1, {"x": 2}]}));
    let Kind::List(list) = &found[0].1 else {
        panic!("{found:?}")
    };
    let inner: Vec<_> = list.values.iter().map(|one| one.kind.clone()).collect();
    assert_eq!(
        inner,
        [
            Some(Kind::Text("a".to_owned())),
            Some(Kind::Integer(1)),
            Some(Kind::Text(r#"{"x":2}"#.to_owned())),
        ]
    );
}
