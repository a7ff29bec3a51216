use crate::trust::{Roots, Servers};

const LISTED: &str = r#"{"servers": [
    {"address": "https://models.acme.example:443", "ids": ["acme.*"]},
    {"address": "http://10.0.0.7:8080", "ids": ["bolt.seats"]},
    {"address": "http://10.0.0.7:8080", "ids": ["bolt.health"]}
]}"#;

/// What is found against a server; empty: nothing.
fn found(file: &str, address: &str, id: Option<&str>, which: Servers) -> String {
    let roots = Roots::parse(file).unwrap();
    match roots.check_server(address, id, which) {
        Ok(()) => String::new(),
        Err(distrust) => {
            assert_eq!(distrust.check, "S-server");
            assert!(distrust.fix.contains("plugins.trust_file"));
            distrust.found
        },
    }
}

#[test]
fn a_server_is_asked_where_it_is_listed_and_as_what_it_is_listed_for() {
    for address in [
        "https://models.acme.example:443",
        "https://models.acme.example",
        "HTTPS://Models.Acme.Example/",
    ] {
        let of = |id| found(LISTED, address, id, Servers::Listed);
        assert_eq!(of(None), "", "{address}");
        assert_eq!(of(Some("acme.health")), "", "{address}");
        let refused = format!("the server \"{address}\" may not be \"bolt.seats\"");
        assert_eq!(of(Some("bolt.seats")), refused);
    }
    for id in ["bolt.seats", "bolt.health"] {
        let of = found(LISTED, "http://10.0.0.7:8080", Some(id), Servers::Listed);
        assert_eq!(of, "");
    }
    for address in [
        "http://models.acme.example:443",
        "https://models.acme.example:8443",
        "https://other.acme.example:443",
        "https://models.acme.example:443@other.example:443",
        "http://10.0.0.7",
        "http://169.254.169.254",
        "no address",
    ] {
        for which in [Servers::Listed, Servers::AllUnlessListed] {
            let refused = format!("the server \"{address}\" is not listed");
            assert_eq!(found(LISTED, address, None, which), refused);
        }
    }
}

#[test]
fn without_a_list_servers_are_asked_only_where_none_is_needed() {
    let address = "http://models.internal:8080";
    let of = |file: &str, which| found(file, address, Some("acme.health"), which).is_empty();
    assert!(of("{}", Servers::AllUnlessListed));
    assert!(!of("{}", Servers::Listed));
    // An empty list is a list.
    assert!(!of(r#"{"servers": []}"#, Servers::AllUnlessListed));
}

#[test]
fn a_list_that_cannot_be_read_is_refused() {
    let entry =
        |address: &str| format!(r#"{{"servers": [{{"address": "{address}", "ids": []}}]}}"#);
    for address in ["", "models.acme.example", "unix:///socket", "https://"] {
        let why = Roots::parse(&entry(address)).unwrap_err();
        assert!(why.contains("is no address such as"), "{address}: {why}");
    }
    Roots::parse(r#"{"servers": [{"address": "http://a"}]}"#).unwrap_err();
}
