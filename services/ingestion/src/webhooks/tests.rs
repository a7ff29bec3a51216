use sextant_domain::time::Instant;
use sextant_proto::common::v1::ErrorReason;

use super::{Endpoint, bytes_of, is_name, read};

const BODY: &[u8] = br#"{"id":"evt_1","object":"event"}"#;
const SIGNED_AT: i64 = 1_768_478_400;
/// Made by Python's hmac module, with the secrets of [`endpoint`].
const BY_FIRST: &str = "f83f691465d637eb6098f7db9ae785713b7f708ff0a94c4080e9a5512688f267";
const BY_SECOND: &str = "042fb98ade98ad64d23be74611dcf7d3289b755c4bf303659bd3839944dd3fba";

fn endpoint() -> Endpoint {
    let file = r#"{"tenant": "acme", "signing_secrets": ["whsec_test_secret", "whsec_older"]}"#;
    serde_json::from_str(file).unwrap()
}

fn at(seconds: i64) -> Instant {
    Instant(seconds * 1_000_000)
}

#[test]
fn signatures_by_any_secret_of_the_endpoint_are_taken() {
    let none = "0".repeat(64);
    for header in [
        format!("t={SIGNED_AT},v1={BY_FIRST}"),
        format!("t={SIGNED_AT},v1={BY_SECOND}"),
        format!("t={SIGNED_AT}, v0=abc, v1={none}, v1={BY_FIRST}"),
    ] {
        endpoint().verify(&header, BODY, at(SIGNED_AT)).unwrap();
    }
}

#[test]
fn what_is_not_signed_is_refused_with_the_reason() {
    let none = "0".repeat(64);
    for (header, body, told) in [
        (String::new(), BODY, "names no moment"),
        (format!("v1={BY_FIRST}"), BODY, "names no moment"),
        (format!("t=now,v1={BY_FIRST}"), BODY, "no number"),
        (format!("t={SIGNED_AT}"), BODY, "no signature"),
        (format!("t={SIGNED_AT},v1="), BODY, "no signature"),
        (format!("t={SIGNED_AT},v1={none}"), BODY, "no signature"),
        (format!("t={SIGNED_AT},v0={BY_FIRST}"), BODY, "no signature"),
        (
            format!("t={SIGNED_AT},v1={BY_FIRST}00"),
            BODY,
            "no signature",
        ),
        (
            format!("t={SIGNED_AT},v1={BY_FIRST}"),
            &b"{}"[..],
            "no signature",
        ),
        (
            format!("t={},v1={BY_FIRST}", SIGNED_AT + 1),
            BODY,
            "no signature",
        ),
    ] {
        let refused = endpoint().verify(&header, body, at(SIGNED_AT)).unwrap_err();
        assert_eq!(refused.reason, ErrorReason::SignatureInvalid, "{header}");
        assert!(refused.message.contains(told), "{header}: {refused:?}");
    }
}

#[test]
fn a_header_full_of_signatures_is_not_read() {
    let many = format!(",v1={BY_FIRST}").repeat(17);
    let header = format!("t={SIGNED_AT}{many}");
    let refused = endpoint().verify(&header, BODY, at(SIGNED_AT)).unwrap_err();
    assert!(refused.message.contains("more than 16"), "{refused:?}");
}

#[test]
fn a_signature_counts_for_five_minutes() {
    let header = format!("t={SIGNED_AT},v1={BY_FIRST}");
    for (seconds, is_taken) in [(-301, false), (-300, true), (300, true), (301, false)] {
        let verified = endpoint().verify(&header, BODY, at(SIGNED_AT + seconds));
        assert_eq!(verified.is_ok(), is_taken, "{seconds}");
    }
}

#[test]
fn names_are_those_of_files_in_the_directory() {
    for name in ["acme", "acme-live_2", &"a".repeat(64)] {
        assert!(is_name(name), "{name}");
    }
    for name in [
        "",
        ".",
        "..",
        "../acme",
        "a/b",
        "acme.json",
        "ä",
        "a b",
        "a\0",
        &"a".repeat(65),
    ] {
        assert!(!is_name(name), "{name:?}");
    }
}

#[test]
fn files_that_would_let_anybody_in_or_say_something_unknown_are_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("acme.json");
    for file in [
        "",
        "[]",
        r#"{"tenant": "acme"}"#,
        r#"{"tenant": "acme", "signing_secrets": []}"#,
        r#"{"tenant": "acme", "signing_secrets": ["whsec_1", " "]}"#,
        r#"{"tenant": "acme", "signing_secrets": ["whsec_1"], "acounts": "create"}"#,
        r#"{"tenant": "acme", "signing_secrets": ["whsec_1"], "accounts": "invent"}"#,
        r#"{"tenant": "acme", "signing_secrets": "whsec_1"}"#,
        r#"{"tenant": "acme", "signing_secrets": ["whsec_1"], "fx_rate_micros": {"eur": 1100000}}"#,
        r#"{"tenant": "acme", "signing_secrets": ["whsec_1"], "fx_rate_micros": {"EUR": 0}}"#,
        r#"{"tenant": "acme", "signing_secrets": ["whsec_1"], "source": ""}"#,
    ] {
        std::fs::write(&path, file).unwrap();
        let refused = read(&path).unwrap_err();
        assert_eq!(refused.reason, ErrorReason::Internal, "{file}");
        assert!(!refused.message.contains("whsec_1"), "{refused:?}");
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!(read(&path).unwrap_err().reason, ErrorReason::WebhookUnknown);
}

#[test]
fn secrets_are_not_shown() {
    assert!(!format!("{:?}", endpoint()).contains("whsec"));
}

#[test]
fn hexadecimal_is_read_in_pairs() {
    assert_eq!(bytes_of("00fFa1"), Some(vec![0x00, 0xff, 0xa1]));
    assert_eq!(bytes_of(""), Some(vec![]));
    assert_eq!(bytes_of("0"), None);
    assert_eq!(bytes_of("0g"), None);
    assert_eq!(bytes_of("+1"), None);
}
