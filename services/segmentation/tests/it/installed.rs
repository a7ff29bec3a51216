//! Segmenter files as a start finds them.

use std::fs;
use std::path::Path;
use std::process::Command;

use sextant_plugin_host::{LoadError, discover};
use sextant_segmentation::Registry;

use crate::world::built_in_folder;

/// Names a file as segmenters are named, and finds it.
fn found(write: impl FnOnce(&Path)) -> LoadError {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("libsextant_segmenter_broken.so"));
    let mut all = discover(folder.path());
    assert_eq!(all.len(), 1);
    all.pop().unwrap().unwrap_err()
}

fn check(error: &LoadError, id: &str, what: &str) {
    assert_eq!(error.check_id(), id, "{error}");
    assert!(error.what().contains(what), "{error}");
    assert!(!error.fix().is_empty());
    let file = "libsextant_segmenter_broken.so";
    assert!(error.to_string().contains(file), "{error}");
}

#[test]
fn a_text_file_is_refused() {
    let error = found(|path| fs::write(path, "segments: all").unwrap());
    check(&error, "V-elf", "does not start like an ELF file");
}

#[test]
fn a_library_without_the_entry_symbol_is_refused() {
    let error = found(|path| {
        let source = path.with_extension("c");
        fs::write(&source, "int add(int a, int b) { return a + b; }").unwrap();
        let output = Command::new("cc")
            .args(["-shared", "-fPIC", "-o"])
            .args([path, &source])
            .output()
            .unwrap_or_else(|error| panic!("cc is needed by this test: {error}"));
        assert!(output.status.success());
    });
    check(&error, "V-entry", "does not export seg_plugin_entry_v1");
}

#[test]
fn the_built_in_segmenters_are_found_by_id() {
    let registry = Registry::new(discover(&built_in_folder()).into_iter().map(Result::unwrap));
    let ids: Vec<&str> = registry
        .all()
        .map(|plugin| &*plugin.descriptor().id)
        .collect();
    assert_eq!(
        ids,
        ["sextant.lifecycle", "sextant.rfm", "sextant.value_tiers"]
    );
    let refused = registry.get("sextant.none").unwrap_err();
    assert_eq!(refused.reason_name(), "SEGMENTER_UNKNOWN");
}
