//! What tests of several modules need.

use sextant_runtime::config::{Flag, Loaded, Sources, load};

/// The configuration with these keys set as by `--set`.
pub(crate) fn loaded(set: &[(&str, &str)]) -> Loaded {
    let flags = set.iter().map(|(key, value)| Flag {
        name: "--set".into(),
        key: (*key).into(),
        value: (*value).into(),
    });
    load(&Sources {
        flags: flags.collect(),
        ..Sources::default()
    })
    .unwrap()
}
