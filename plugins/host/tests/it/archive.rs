//! Plugins that were compiled with the header of a released ABI load for ever.

mod foreign;

use std::fs;
use std::path::{Path, PathBuf};

use sextant_plugin_host::conformance::{Outcome, judge};
use sextant_plugin_host::{ABSTAIN, Allowance, Plugin, Segmenter, rows};

use crate::fixture::{call, hosts};

/// The machines of the archive.
const MACHINES: [&str; 2] = ["x86_64", "aarch64"];

fn archive() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../abi/archive")
}

/// The plugins for a machine.
fn archived(machine: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(archive().join("1.0").join(machine)).unwrap();
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

/// Those for this one.
fn own() -> Vec<PathBuf> {
    archived(std::env::consts::ARCH)
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

#[test]
fn every_archived_plugin_is_the_one_that_was_archived() {
    let listed = fs::read_to_string(archive().join("README.md")).unwrap();
    for machine in MACHINES {
        assert_eq!(archived(machine).len(), 3, "{machine}");
        for path in archived(machine) {
            let digest = foreign::digest(&fs::read(&path).unwrap());
            let name = format!("`1.0/{machine}/{}`", name(&path));
            let line = listed.lines().find(|line| line.contains(&name));
            assert!(
                line.is_some_and(|line| line.contains(&digest)),
                "{name} {digest}"
            );
        }
    }
}

#[test]
fn every_archived_plugin_loads_and_holds_to_its_examples() {
    for path in own() {
        let segmenter = Segmenter::from(Plugin::load(&path).unwrap());
        let descriptor = segmenter.descriptor();
        assert!(!descriptor.examples.is_empty());
        for example in &descriptor.examples {
            let batch = rows::of_values(descriptor, &example.rows).unwrap();
            let bound = segmenter.bind(&example.config.to_string(), None, batch.schema_ref());
            let answers = bound.unwrap().segment(&batch, &call()).unwrap();
            let index = |key: &Option<String>| {
                key.as_ref()
                    .map_or(ABSTAIN, |key| descriptor.segment_index(key).unwrap())
            };
            let expected: Vec<u16> = example.expect.iter().map(index).collect();
            assert_eq!(answers.segment, expected, "{}", path.display());
        }
    }
}

#[test]
fn every_archived_plugin_passes_the_check() {
    let hosts = hosts();
    for path in own() {
        let verdicts = judge(&hosts, &path, &Allowance::default());
        // Beside other tests: how long they take is no matter here.
        let failed: Vec<_> = verdicts
            .iter()
            .filter(|verdict| verdict.outcome == Outcome::Fail)
            .filter(|verdict| !["P-time", "R-cancel"].contains(&verdict.id))
            .collect();
        assert!(failed.is_empty(), "{}: {failed:#?}", path.display());
    }
}
