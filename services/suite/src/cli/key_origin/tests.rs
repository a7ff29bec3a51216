use std::fs;

use sextant_runtime::config::Environment;

use super::KeyOrigin;

#[test]
fn the_nearest_source_of_a_key_counts_and_is_named_without_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let flag = "sx_secret".to_owned();
    let all = Environment::from_iter([
        ("SEXTANT_KEY", "sx_secret"),
        ("SEXTANT_KEY_FILE", "/run/key"),
    ]);
    let named = Environment::from_iter([("SEXTANT_KEY_FILE", "/run/key")]);
    let none = Environment::default();
    let told = |flag: Option<&String>, environment: &Environment| {
        KeyOrigin::find(flag, environment, folder.path()).to_string()
    };
    assert_eq!(told(Some(&flag), &all), "the key of --key");
    assert_eq!(told(None, &all), "the key of SEXTANT_KEY");
    assert_eq!(
        told(None, &named),
        "the key of the file \"/run/key\" that SEXTANT_KEY_FILE names"
    );
    let local = folder.path().join("local.key");
    let nowhere = told(None, &none);
    assert!(
        nowhere.ends_with(&format!("there is no file \"{}\"", local.display())),
        "{nowhere}"
    );
    fs::write(&local, "sx_broken").unwrap();
    assert_eq!(
        told(None, &none),
        format!("the key of the file \"{}\"", local.display())
    );
    let broken = KeyOrigin::find(None, &none, folder.path())
        .read()
        .unwrap_err()
        .to_string();
    assert!(
        broken.starts_with("the key of the file") && !broken.contains("sx_broken"),
        "{broken}"
    );
}
