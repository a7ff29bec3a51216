use super::*;

#[test]
fn documents_survive_a_round_trip() {
    for text in [
        "null",
        "[]",
        "{}",
        r#"{"a":[1,-2.5e3,true,null],"b":{"c":"x\"y\\"}}"#,
        "9223372036854775807",
        r#""ünï""#,
    ] {
        assert_eq!(Json::parse(text).unwrap().to_string(), text);
    }
}

#[test]
fn space_and_escapes_are_understood() {
    let parsed =
        Json::parse(" { \"k\" : [ \"\\u00e9\\n\\ud83d\\ude00\\/\" , false ] } \n").unwrap();
    assert_eq!(
        parsed.get("k").unwrap().as_array()[0].as_text(),
        Some("é\n😀/")
    );
}

#[test]
fn integers_are_exact_and_never_read_from_fractions() {
    assert_eq!(
        Json::parse("9007199254740993").unwrap().as_i64(),
        Some(9_007_199_254_740_993)
    );
    assert_eq!(Json::parse("1.5").unwrap().as_i64(), None);
}

#[test]
fn broken_documents_say_where_and_what_was_expected() {
    for (text, expected) in [
        ("", "not valid JSON at byte 0: expected a value"),
        ("{\"a\" 1}", "not valid JSON at byte 5: expected a colon"),
        (
            "[1 2]",
            "not valid JSON at byte 3: expected a comma or the end of the array",
        ),
        (
            "\"abc",
            "not valid JSON at byte 4: expected the end of the string",
        ),
        (
            "\"\\ud83d\"",
            "not valid JSON at byte 7: expected the second half of a surrogate pair",
        ),
        ("\"\\x\"", "not valid JSON at byte 3: expected an escape"),
        ("1 1", "not valid JSON at byte 2: expected the end"),
        ("nul", "not valid JSON at byte 0: expected a value"),
    ] {
        assert_eq!(
            Json::parse(text).unwrap_err().to_string(),
            expected,
            "{text}"
        );
    }
}

#[test]
fn deep_nesting_is_refused_before_the_stack_ends() {
    let deep = "[".repeat(100_000);
    assert!(Json::parse(&deep).is_err());
}
