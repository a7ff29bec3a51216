use crate::trust::{Roots, Servers};

const LISTED: &str = r#"{"servers": [
    {"address": "https://models.acme.example:443", "ids": ["acme.*"]},
    {"address": "http://10.0.0.7:8080", "ids": ["bolt.seats"]},
    {"address": "http://10.0.0.7:8080", "ids": ["bolt.health"]}
]}"#;

/// The key of minisign's own manual.
const PUBLIC: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

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

#[test]
fn what_would_be_without_effect_is_refused() {
    let digest = "0123456789abcdef".repeat(4);
    let revoked = |digest: &str| format!(r#"{{"revoked": [{{"digest": "{digest}"}}]}}"#);
    let roots = Roots::parse(&revoked(&digest)).unwrap();
    assert!(roots.check_revoked(&digest).is_err());
    let upper = digest.to_uppercase();
    for odd in ["", "0123456789ab", &upper, &format!("sha256:{digest}")] {
        let why = Roots::parse(&revoked(odd)).unwrap_err();
        assert!(why.contains("is no digest"), "{odd}: {why}");
    }
    // Of two keys with one name only one would be asked whose tenants they are for.
    let key = format!(r#"{{"name": "acme", "public_key": "{PUBLIC}", "ids": []}}"#);
    Roots::parse(&format!(r#"{{"keys": [{key}]}}"#)).unwrap();
    let why = Roots::parse(&format!(r#"{{"keys": [{key}, {key}]}}"#)).unwrap_err();
    assert!(why.contains("two keys"), "{why}");
    // With a name for an id the key would be trusted with no tenant.
    let of = |tenant: &str| {
        let key = key.replace('}', &format!(r#", "tenants": ["{tenant}"]}}"#));
        Roots::parse(&format!(r#"{{"keys": [{key}]}}"#))
    };
    of("0198c0de-0000-7000-8000-00000000abcd").unwrap();
    for odd in [
        "",
        "acme",
        "0198C0DE-0000-7000-8000-00000000ABCD",
        "0198c0de00007000800000000000abcd",
    ] {
        let why = of(odd).unwrap_err();
        assert!(why.contains("is no id of a tenant"), "{odd}: {why}");
    }
}
