use serde_json::json;

use super::*;

fn schema() -> ConfigSchema {
    ConfigSchema::parse(&json!({
        "type": "object", "additionalProperties": false, "required": ["owner"],
        "properties": {
            "days": {"type": "integer", "minimum": 0, "maximum": 365, "default": 30, "title": "Days"},
            "share": {"type": "number", "minimum": 0, "maximum": 1},
            "map": {"type": "string", "enum": ["ten", "eleven"], "default": "ten"},
            "strict": {"type": "boolean", "default": false},
            "owner": {"type": "string"}
        }
    }))
    .unwrap()
}

#[test]
fn defaults_are_filled_in_and_names_sorted() {
    assert_eq!(
        schema()
            .canonical(r#" { "share": 0.5, "owner": "a" } "#)
            .unwrap(),
        r#"{"days":30,"map":"ten","owner":"a","share":0.5,"strict":false}"#
    );
}

#[test]
fn whole_floats_are_integers() {
    let canonical = schema()
        .canonical(r#"{"days": 30.0, "owner": ""}"#)
        .unwrap();
    assert!(canonical.starts_with(r#"{"days":30,"#), "{canonical}");
}

#[test]
fn every_broken_rule_is_reported_at_once() {
    let config = r#"{"days": 366, "share": -0.1, "map": "twelve", "strict": 1, "da/ys": 1}"#;
    let faults: Vec<String> = schema()
        .canonical(config)
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        faults,
        [
            "config \"/days\": 366 is above the maximum 365",
            "config \"/map\": \"twelve\" is not one of: \"ten\", \"eleven\"",
            "config \"/share\": -0.1 is below the minimum 0",
            "config \"/strict\": 1 is not true or false",
            "config \"/owner\": is missing",
            "config \"/da~1ys\": is not known; known are: days, map, owner, share, strict",
        ]
    );
    assert_eq!(
        schema().canonical("[]").unwrap_err()[0].message,
        "must be a JSON object"
    );
    assert_eq!(
        schema()
            .canonical(r#"{"days": 1.5, "owner": ""}"#)
            .unwrap_err()[0]
            .message,
        "1.5 is not an integer"
    );
}

#[test]
fn a_segmenter_without_schema_has_no_configuration() {
    let schema = ConfigSchema::default();
    assert_eq!(schema.canonical(""), Ok("{}".to_owned()));
    let fault = schema.canonical(r#"{"a":1}"#).unwrap_err().remove(0);
    assert_eq!(
        fault.message,
        "is not known; this segmenter has no configuration"
    );
}

#[test]
fn a_keyword_that_is_not_served_is_refused_with_its_place() {
    for (schema, expected) in [
        (
            json!({"type": "object", "patternProperties": {}}),
            "/patternProperties",
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "integer", "multipleOf": 2}}}),
            "/properties/a/multipleOf",
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "array"}}}),
            "/properties/a/items",
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "integer", "default": "x"}}}),
            "/properties/a/default",
        ),
        (json!({"type": "object", "required": ["b"]}), "/required"),
        (json!({"type": "array"}), "/type"),
    ] {
        assert_eq!(ConfigSchema::parse(&schema).unwrap_err().0, expected);
    }
}

#[test]
fn arrays_are_of_one_type_and_length() {
    let schema = ConfigSchema::parse(&json!({
        "type": "object", "additionalProperties": false,
        "properties": {
            "features": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2, "uniqueItems": true,
                "default": ["a"]},
            "cuts": {"type": "array", "items": {"type": "integer", "minimum": 0}, "default": []}
        }
    }))
    .unwrap();
    assert_eq!(
        schema.canonical(r#"{"cuts": [1, 2.0, 1]}"#).unwrap(),
        r#"{"cuts":[1,2,1],"features":["a"]}"#
    );
    for (config, said) in [
        (
            r#"{"features": "a"}"#,
            "config \"/features\": \"a\" is not an array",
        ),
        (
            r#"{"features": []}"#,
            "config \"/features\": has 0 items, the least is 1",
        ),
        (
            r#"{"features": ["a", "b", "c"]}"#,
            "config \"/features\": has 3 items, the most is 2",
        ),
        (
            r#"{"features": ["a", "a"]}"#,
            "config \"/features\": item 1: \"a\" is there twice",
        ),
        (
            r#"{"cuts": [-1]}"#,
            "config \"/cuts\": item 0: -1 is below the minimum 0",
        ),
    ] {
        let faults = schema.canonical(config).unwrap_err();
        assert_eq!(faults[0].to_string(), said);
    }
    let nested = json!({"type": "object", "properties": {
        "grid": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}}});
    let (pointer, message) = ConfigSchema::parse(&nested).unwrap_err();
    assert_eq!(
        (pointer.as_str(), message.as_str()),
        ("/properties/grid/items/type", "must not be array")
    );
}
