//! Damaged files never harm who judges them.

use std::fs;
use std::path::Path;

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
