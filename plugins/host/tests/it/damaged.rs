//! Damaged files never harm who judges them.

use std::fs;
use std::path::Path;

use object::Endianness;
use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use sextant_plugin_host::{Allowance, External, Verified};

use crate::fixture::{Fixture, bound, call, hosts, values};

#[test]
fn a_thousand_damaged_files_are_judged_and_none_does_harm() {
    let seed = 20_261_130;
    println!("seed {seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    // A small file: most of a large one is code, of which nothing can be said.
    let folder = tempfile::tempdir().unwrap();
    let whole = fs::read(Fixture::default().compile_with(folder.path(), &[])).unwrap();
    let digest = *Verified::new(Path::new("whole"), &whole).unwrap().digest();
    let hosts = hosts();
    let (mut refused, mut taken) = (0, 0);
    for k in 0..1_000 {
        let mut bytes = whole.clone();
        if k % 2 == 0 {
            bytes.truncate(random.random_range(0..whole.len()));
        } else {
            (0..random.random_range(1..8)).for_each(|_| {
                bytes[random.random_range(0..whole.len())] ^= 1 << random.random_range(0..8);
            });
        }
        match Verified::new(Path::new("damaged"), &bytes) {
            Err(error) => {
                assert!(error.check_id().starts_with("V-"), "{k}: {error}");
                assert!(!error.what().is_empty() && !error.fix().is_empty());
                refused += 1;
            },
            Ok(file) => {
                assert_ne!(*file.digest(), digest, "{k}");
                taken += 1;
                // What is damaged where nothing can be said of it is loaded, and whatever comes of that is told.
                if let Err(error) = External::start(&hosts, file, Allowance::default()) {
                    assert!(error.check_id().starts_with("L-"), "{k}: {error}");
                }
            },
        }
    }
    // All that are cut off lack their section headers, which are at the end; of the flipped ones, many.
    assert!(
        refused > 500 && taken > 0,
        "{refused} refused, {taken} taken"
    );
    let good = Fixture::default().isolated();
    let answers = bound(&good).segment(&values([Some(2)]), &call()).unwrap();
    assert_eq!(answers.segment, [2]);
}

#[test]
fn a_file_that_takes_long_to_go_through_is_not_gone_through() {
    let folder = tempfile::tempdir().unwrap();
    let exported = "__attribute__((visibility(\"default\")))";
    let name = "a".repeat(1 << 20);
    let long = (0..17).map(|k| format!("{exported} void f{k}{name}(void) {{}}\n"));
    let fixture = Fixture {
        prelude: long.collect(),
        ..Fixture::default()
    };
    let path = fixture.compile_with(folder.path(), &["-Wno-missing-prototypes"]);
    let refused = Verified::read(&path).unwrap_err();
    assert_eq!(refused.check_id(), "V-elf", "{refused}");
    assert!(refused.what().contains("names"), "{refused}");

    // One version of a library, again and again: the count is the third number of its record, and the next one is nowhere else.
    let mut bytes = fs::read(Fixture::default().compile_with(folder.path(), &[])).unwrap();
    let needs = {
        let file = ElfFile64::<Endianness>::parse(&*bytes).unwrap();
        let needs = file.section_by_name(".gnu.version_r").unwrap();
        usize::try_from(needs.file_range().unwrap().0).unwrap()
    };
    let number = |at: usize| {
        usize::try_from(u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())).unwrap()
    };
    let first = needs + number(needs + 8);
    bytes[needs + 2..needs + 4].fill(0xff);
    bytes[first + 12..first + 16].fill(0);
    let refused = Verified::new(Path::new("endless"), &bytes).unwrap_err();
    assert_eq!(refused.check_id(), "V-library-versions", "{refused}");
    assert!(refused.what().contains("more than"), "{refused}");
}
