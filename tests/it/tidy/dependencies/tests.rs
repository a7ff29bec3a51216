use super::{is_inherited, is_permissive};

#[test]
fn a_license_is_permissive_if_one_of_each_choice_is() {
    for (expression, permissive) in [
        ("MIT", true),
        ("MIT/Apache-2.0", true),
        ("MIT OR Apache-2.0 OR LGPL-2.1-or-later", true),
        ("Apache-2.0 WITH LLVM-exception OR MIT", true),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("(MIT OR Apache-2.0) AND GPL-3.0-only", false),
        ("MIT AND AGPL-3.0-only", false),
        ("MPL-2.0", false),
        ("", false),
    ] {
        assert_eq!(is_permissive(expression), permissive, "{expression}");
    }
}

#[test]
fn a_dependency_is_inherited_if_the_root_says_its_version_and_features() {
    for (line, inherited) in [
        ("tonic.workspace = true", true),
        ("tempfile = { workspace = true, optional = true }", true),
        (
            "sextant-store = { workspace = true, features = [\"conformance\"] }",
            true,
        ),
        ("tokio = { workspace = true, features = [\"full\"] }", false),
        ("tonic = \"0.14\"", false),
        ("sextant-store = { path = \"../store\" }", false),
    ] {
        assert_eq!(is_inherited(line), inherited, "{line}");
    }
}
