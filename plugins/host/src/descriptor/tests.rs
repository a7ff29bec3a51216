use serde_json::{Value, json};

use super::*;

fn valid() -> Value {
    json!({
        "id": "acme.health", "version": "1.4.0-rc.1", "abi": "1.0", "title": {"en": "Health", "tr": "Saglik"},
        "output": "single",
        "requires": [{"feature": "revenue.arr_minor", "type": "int64", "on_missing": "skip_row"},
                     {"feature": "usage.trend_28d", "type": "float64", "on_missing": "default", "default": 0}],
        "optional": [{"feature": "firmo.industry", "type": "dictionary<int32, utf8>"}],
        "segments": [{"key": "good", "title": "Good", "color": "#1b7f5c", "rank": 1}, {"key": "bad"}],
        "limits": {"ms_per_1k_rows": 2}, "later_field": [1]
    })
}

#[test]
fn a_valid_descriptor_is_understood_and_unknown_fields_are_ignored() {
    let descriptor = Descriptor::parse(&valid().to_string()).unwrap();
    assert_eq!(
        (descriptor.id.as_str(), descriptor.abi),
        ("acme.health", AbiVersion { major: 1, minor: 0 })
    );
    assert_eq!(
        (descriptor.title.get("tr"), descriptor.title.get("de")),
        ("Saglik", "Health")
    );
    assert_eq!(descriptor.required().count(), 2);
    let policies: Vec<&OnMissing> = descriptor
        .features
        .iter()
        .map(|feature| &feature.on_missing)
        .collect();
    assert_eq!(
        policies,
        [
            &OnMissing::SkipRow,
            &OnMissing::Default(DefaultValue::Float64(0.0)),
            &OnMissing::Null
        ]
    );
    assert_eq!(
        (
            descriptor.segment_index("bad"),
            descriptor.segment_index("ugly")
        ),
        (Some(1), None)
    );
    assert_eq!(
        (
            descriptor.segments[0].title.get("en"),
            descriptor.limits.threads
        ),
        ("Good", 1)
    );
}

#[test]
fn every_complaint_carries_a_pointer() {
    for (pointer, value, expected) in [
        (
            "/id",
            json!("Health"),
            "\"/id\": \"Health\" is not a reverse-DNS id",
        ),
        (
            "/version",
            json!("1.4"),
            "\"/version\": \"1.4\" is not a semantic version",
        ),
        ("/abi", json!("one"), "\"/abi\": \"one\" is not a version"),
        ("/title", json!(3), "\"/title\": "),
        (
            "/output",
            json!("many"),
            "\"/output\": \"many\" is not one of",
        ),
        (
            "/requires/0/type",
            json!("int32"),
            "\"/requires/0/type\": \"int32\" is not one of: float64",
        ),
        (
            "/requires/0/on_missing",
            json!("guess"),
            "\"/requires/0/on_missing\": \"guess\" is not one of",
        ),
        (
            "/requires/0/feature",
            json!(7),
            "\"/requires/0\": invalid type: integer `7`, expected a string",
        ),
        (
            "/requires/1/default",
            json!("x"),
            "\"/requires/1/default\": \"x\" does not have type float64",
        ),
        (
            "/requires/1/feature",
            json!("revenue.arr_minor"),
            "feature \"revenue.arr_minor\" is listed twice",
        ),
        (
            "/segments/1/key",
            json!("good"),
            "\"/segments/1/key\": \"good\" is empty or used twice",
        ),
        (
            "/segments",
            json!([]),
            "\"/segments\": must list 1 to 65534 segments",
        ),
    ] {
        let mut descriptor = valid();
        *descriptor.pointer_mut(pointer).unwrap() = value;
        let finding = Descriptor::parse(&descriptor.to_string()).unwrap_err();
        let text = crate::LoadError::new(std::path::Path::new("x.so"), finding).to_string();
        assert!(
            text.contains("V-descriptor-schema") && text.contains(expected),
            "{text}"
        );
    }
}

#[test]
fn optional_features_cannot_skip_rows() {
    let mut descriptor = valid();
    descriptor["optional"][0]["on_missing"] = json!("skip_row");
    let finding = Descriptor::parse(&descriptor.to_string()).unwrap_err();
    let error = crate::LoadError::new(std::path::Path::new("x.so"), finding);
    assert_eq!(
        error.what(),
        "descriptor \"/optional/0/on_missing\": of an optional feature must be null or default"
    );
}

#[test]
fn what_the_host_does_not_serve_is_refused_and_not_ignored() {
    let mut descriptor = valid();
    descriptor["output"] = json!("multi");
    let finding = Descriptor::parse(&descriptor.to_string()).unwrap_err();
    let error = crate::LoadError::new(std::path::Path::new("x.so"), finding);
    assert_eq!(error.check_id(), "V-supported");
}

fn refused(descriptor: &Value) -> String {
    let finding = Descriptor::parse(&descriptor.to_string()).unwrap_err();
    let error = crate::LoadError::new(std::path::Path::new("x.so"), finding);
    error.what().to_owned()
}

#[test]
fn dynamic_lists_have_their_bounds() {
    for (key, value, expected) in [
        (
            "dynamic_features",
            json!(true),
            "\"/feature_scope\": must list",
        ),
        (
            "dynamic_features",
            json!("yes"),
            "\"/dynamic_features\": invalid type",
        ),
        (
            "dynamic_segments",
            json!({"max": 64}),
            "\"/segments\": must not be there beside",
        ),
        (
            "dynamic_segments",
            json!({"max": 0}),
            "\"/dynamic_segments/max\": must be 1 to 65534",
        ),
        (
            "output",
            json!("score"),
            "\"/segments/1/from_score\": is missing or there twice",
        ),
        (
            "state_version",
            json!("one"),
            "\"/state_version\": invalid type",
        ),
    ] {
        let mut descriptor = valid();
        descriptor[key] = value;
        let what = refused(&descriptor);
        assert!(what.contains(expected), "{what}");
    }
    let mut descriptor = valid();
    descriptor["segments"][0]["from_score"] = json!(0.5);
    assert!(refused(&descriptor).contains("is for output \"score\""));
}

/// A descriptor whose configurations have features and segments of their own.
fn dynamic() -> Descriptor {
    let mut descriptor = valid();
    descriptor["dynamic_features"] = json!(true);
    descriptor["feature_scope"] = json!(["usage.*", "revenue.arr_minor"]);
    descriptor["segments"] = json!([]);
    descriptor["dynamic_segments"] = json!({"max": 2});
    descriptor["examples"] = json!([]);
    Descriptor::parse(&descriptor.to_string()).unwrap()
}

#[test]
fn a_configuration_adds_its_features_behind_the_others() {
    let features = r#"[{"feature": "usage.logins", "type": "list<float64>", "on_missing": "null", "optional": true}]"#;
    let configured = dynamic().configured(features, r#"[{"key": "a"}]"#).unwrap();
    let last = configured.features.last().unwrap();
    assert_eq!(
        (last.name.as_str(), last.is_required),
        ("usage.logins", false)
    );
    assert_eq!(last.kind, FeatureType::Float64List);
    assert_eq!(configured.features.len(), dynamic().features.len() + 1);
    assert_eq!(configured.segment_index("a"), Some(0));
}

#[test]
fn what_a_configuration_may_not_ask_for_is_refused_with_its_place() {
    let of = |feature: &str| {
        format!(r#"[{{"feature": "{feature}", "type": "int64", "on_missing": "null"}}]"#)
    };
    let known = dynamic().features[0].name.clone();
    for (features, segments, expected) in [
        (
            of("firmo.industry"),
            r#"[{"key": "a"}]"#,
            "outside of feature_scope",
        ),
        (
            of("revenue.arr_minor2"),
            r#"[{"key": "a"}]"#,
            "outside of feature_scope",
        ),
        (
            "{}".to_owned(),
            r#"[{"key": "a"}]"#,
            "\"requirements\": is no JSON array",
        ),
        (
            "[]".to_owned(),
            "[]",
            "\"segments\": must list 1 to 2 segments",
        ),
        (
            "[]".to_owned(),
            r#"[{"key": "a"}, {"key": "a"}]"#,
            "used twice",
        ),
        (
            "[]".to_owned(),
            r#"[{"key": "a"}, {"key": "b"}, {"key": "c"}]"#,
            "must list 1 to 2",
        ),
    ] {
        let fault = dynamic().configured(&features, segments).unwrap_err();
        assert!(fault.to_string().contains(expected), "{fault}");
    }
    let mut descriptor = dynamic();
    descriptor.dynamic_features = Some(vec!["*".to_owned()]);
    let fault = descriptor
        .configured(&of(&known), r#"[{"key": "a"}]"#)
        .unwrap_err();
    assert!(fault.to_string().contains("is listed twice"), "{fault}");
}

#[test]
fn an_id_has_parts_with_dots_between_them() {
    for id in ["acme.health", "acme.models.health_2", "a-b.c"] {
        assert!(Descriptor::is_id(id), "{id}");
    }
    let long = format!("acme.{}", "h".repeat(124));
    for id in [
        "acme",
        "NotOk",
        "acme.",
        ".health",
        "acme..health",
        "acme.he alth",
        "",
        &long,
    ] {
        assert!(!Descriptor::is_id(id), "{id}");
    }
}
