use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::*;

/// The sources of a folder, but for tests and what is made when they run.
fn sources(folder: &Path, within: &str, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && name != "__pycache__" {
            sources(&path, &format!("{within}{name}/"), found);
        } else if path.is_file() && name != "tests.rs" {
            found.insert(format!("{within}{name}"));
        }
    }
}

#[test]
fn all_of_the_author_s_crate_and_package_is_brought() {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
    for (folder, within, brought) in [
        ("sdk/src", "sextant-segmenter/src/", SDK),
        ("abi/src", "sextant-segmenter-abi/src/", SDK),
        (
            "python/sextant_segmenter",
            "sextant_segmenter/sextant_segmenter/",
            PYTHON,
        ),
    ] {
        let mut there = BTreeSet::new();
        sources(&plugins.join(folder), within, &mut there);
        let brought = brought.iter().map(|(path, _)| (*path).to_owned());
        let brought: BTreeSet<String> = brought.filter(|path| path.starts_with(within)).collect();
        assert_eq!(there, brought);
    }
}
