use super::*;

fn config() -> Config {
    Config::parse(r#"{"days":30,"share":0.25,"strict":true,"map":"ten"}"#).unwrap()
}

#[test]
fn values_come_out_with_their_types() {
    let config = config();
    assert_eq!(config.i64("days"), Ok(30));
    assert_eq!(config.f64("days").map(f64::to_bits), Ok(30.0_f64.to_bits()));
    assert_eq!(
        config.f64("share").map(f64::to_bits),
        Ok(0.25_f64.to_bits())
    );
    assert_eq!(config.bool("strict"), Ok(true));
    assert_eq!(config.text("map"), Ok("ten"));
    assert_eq!(config.choice("map", &[("ten", 10), ("eleven", 11)]), Ok(10));
}

#[test]
fn a_wrong_value_is_named_by_its_pointer() {
    let config = config();
    for (error, expected) in [
        (
            config.i64("share").unwrap_err(),
            "config \"/share\": must be an integer",
        ),
        (
            config.i64("weeks").unwrap_err(),
            "config \"/weeks\": is missing; give it a value or a default in config_schema",
        ),
        (
            config.bool("days").unwrap_err(),
            "config \"/days\": must be true or false",
        ),
        (
            config.choice("map", &[("eleven", 11)]).unwrap_err(),
            "config \"/map\": \"ten\" is not one of: eleven",
        ),
    ] {
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn only_an_object_is_a_config() {
    assert_eq!(
        Config::parse("[]").unwrap_err().message,
        "must be a JSON object"
    );
    assert_eq!(
        Config::parse("{").unwrap_err().message,
        "not valid JSON at byte 1: expected a string"
    );
}
