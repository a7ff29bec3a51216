//! What the conformance check is worth: it finds each of these defects, and none in good segmenters.

use std::iter;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use sextant_plugin_host::conformance::{Outcome, Verdict, ids, judge};
use sextant_plugin_host::{Allowance, Hosts};

use crate::fixture::{built_in_folder, compile, hosts};

/// Number of the defect in `mutants.c` or `mutants_fit.c`, what it is, the test that has to find it, and options of the compiler.
const MUTANTS: &[(u32, &str, &str, &[&str])] = &[
    (1, "the entry symbol has another name", "V-entry", &[]),
    (2, "the descriptor is in no section", "V-descriptor", &[]),
    (3, "the descriptor is cut off", "V-descriptor", &[]),
    (4, "the descriptor has no title", "V-descriptor-schema", &[]),
    (
        5,
        "a feature has a type that there is not",
        "V-descriptor-schema",
        &[],
    ),
    (6, "two segments have one key", "V-descriptor-schema", &[]),
    (7, "it needs a newer host", "V-abi", &[]),
    (
        8,
        "it answers what this host does not serve",
        "V-supported",
        &[],
    ),
    (9, "a symbol is nowhere", "V-symbols", &[]),
    (
        10,
        "it looks for libraries in a folder",
        "V-search-path",
        &["-Wl,-rpath,/opt/mine"],
    ),
    (
        11,
        "its stack is executable",
        "V-executable-stack",
        &["-Wl,-z,execstack"],
    ),
    (
        12,
        "its code is written to",
        "V-text-relocations",
        &["-Wl,-z,notext"],
    ),
    (14, "the entry function returns NULL", "L-table", &[]),
    (15, "the table is too short", "L-version", &[]),
    (16, "the table is of another version", "L-version", &[]),
    (17, "a required function is missing", "L-functions", &[]),
    (18, "a capability has no functions", "L-caps", &[]),
    (19, "a capability is unknown", "L-caps-unknown", &[]),
    (20, "the table has another descriptor", "L-descriptor", &[]),
    (21, "its initialiser crashes", "L-crash", &[]),
    (22, "its initialiser needs a file", "L-crash", &[]),
    (23, "an example does not hold", "E-examples", &[]),
    (24, "it refuses a batch without rows", "D-empty", &[]),
    (25, "it answers nothing for one row", "D-one", &[]),
    (26, "it has room for 4,096 rows", "D-many", &[]),
    (27, "it reads a bitmap that is not there", "D-one", &[]),
    (28, "it refuses NaN", "D-extremes", &[]),
    (29, "it aborts where a sum overflows", "D-extremes", &[]),
    (
        30,
        "it has room for 64 bytes of text",
        "D-extremes",
        &["-fno-stack-protector"],
    ),
    (31, "it reads the clock", "X-again", &[]),
    (32, "it draws random numbers", "X-again", &[]),
    (33, "it counts its calls", "X-again", &[]),
    (34, "it depends on addresses", "X-again", &[]),
    (35, "it compares with the first row", "X-order", &[]),
    (36, "it depends on the place of a row", "X-order", &[]),
    (37, "it compares with the mean of the batch", "X-order", &[]),
    (38, "its configuration is static", "X-instances", &[]),
    (39, "it gives more reasons than asked for", "C-explain", &[]),
    (40, "its reasons are not ordered", "C-explain", &[]),
    (
        41,
        "a reason names a feature that there is not",
        "C-explain",
        &[],
    ),
    (42, "a contribution is NaN", "C-explain", &[]),
    (43, "it judges and gives no reason", "C-explain", &[]),
    (44, "it crashes when it explains", "C-explain", &[]),
    (45, "it does not free its answers", "R-leak", &[]),
    (46, "it forgets 32 KiB of every call", "R-leak", &[]),
    (
        47,
        "it leaves a thread behind in every call",
        "R-threads",
        &[],
    ),
    (
        48,
        "it does not listen, and takes its time",
        "R-cancel",
        &[],
    ),
    (49, "it takes four times as long as declared", "P-time", &[]),
    (50, "it takes more memory than declared", "P-memory", &[]),
    (51, "it answers a segment that there is not", "D-many", &[]),
    (52, "it answers a row too many", "D-many", &[]),
    (53, "an answer is null", "D-one", &[]),
    (54, "it writes to its input", "D-offset", &[]),
    (55, "it forgets the offset of a bitmap", "D-offset", &[]),
    (56, "it forgets the offset of a column", "D-offset", &[]),
    (57, "it returns OK and no answer", "D-one", &[]),
    (58, "the text of a reason is not UTF-8", "C-explain", &[]),
    (59, "it announces a column of another type", "D-one", &[]),
    (61, "it divides by the number of rows", "D-empty", &[]),
    (62, "it refuses unknown values", "D-unknown", &[]),
    (63, "a buffer is NULL", "D-one", &[]),
    (64, "its answer is freed already", "R-leak", &[]),
    (65, "it cannot explain its own example", "C-explain", &[]),
    (66, "it cannot explain the least number", "C-explain", &[]),
    (67, "one amount holds it up for ever", "D-many", &[]),
    (68, "one amount brings it down", "D-many", &[]),
    (
        71,
        "it asks for features outside of its scope",
        "Q-lists",
        &[],
    ),
    (
        72,
        "it asks for other features the next time",
        "Q-stable",
        &[],
    ),
    (73, "it asks for a feature twice", "Q-lists", &[]),
    (74, "it has more segments than it declares", "Q-lists", &[]),
    (75, "its segments are no JSON", "Q-lists", &[]),
    (76, "it has other segments the next time", "Q-stable", &[]),
    (77, "it answers a segment behind its list", "Q-answers", &[]),
    (78, "it writes to what it learns from", "F-again", &[]),
    (79, "its state decides what it reads", "Q-state", &[]),
    (80, "it does not save what it has learned", "F-fit", &[]),
    (81, "it learns from the clock", "F-again", &[]),
    (82, "it saves something else than it loads", "F-save", &[]),
    (83, "it takes anything for a state", "F-foreign", &[]),
    (84, "it aborts where a state is too short", "F-foreign", &[]),
    (85, "it trusts a length in a state", "F-damaged", &[]),
    (86, "it answers before it is fitted", "F-unfitted", &[]),
    (87, "it divides by the size of the population", "F-few", &[]),
    (88, "it asks for one more pass for ever", "F-fit", &[]),
    (89, "what it has learned is static", "E-examples", &[]),
    (90, "it forgets an offset while it learns", "F-again", &[]),
    (91, "it follows what a damaged state says", "F-damaged", &[]),
    (92, "it forgets all batches but the last", "E-examples", &[]),
    (93, "it crashes while it learns", "F-fit", &[]),
    (94, "its state is empty", "F-fit", &[]),
    (95, "it fits, and its states have no version", "L-caps", &[]),
    (96, "its list of features is missing", "L-caps", &[]),
    (
        97,
        "it draws random numbers while it learns",
        "F-again",
        &[],
    ),
    (101, "it draws random contributions", "X-explain", &[]),
    (102, "it writes to what it explains", "X-explain", &[]),
    (103, "it counts how often it is asked why", "X-explain", &[]),
    (
        104,
        "it answers otherwise once it was asked why",
        "X-explain",
        &[],
    ),
    (105, "it forgets 700 bytes of every call", "R-leak", &[]),
    (106, "it forgets 1 KiB whenever it explains", "R-leak", &[]),
    (107, "destroy forgets a part of an instance", "R-leak", &[]),
    (108, "it keeps all that it sees", "R-leak", &[]),
    (109, "its reasons take three seconds", "P-explain", &[]),
    (
        110,
        "it writes to its input where a value is unknown",
        "D-offset",
        &[],
    ),
    (111, "it answers otherwise for many rows", "X-order", &[]),
    (
        112,
        "it forgets an offset when it explains",
        "X-explain",
        &[],
    ),
    (113, "it divides by what is configured", "Q-edges", &[]),
    (
        114,
        "it remembers where a dictionary has a text",
        "D-dictionary",
        &[],
    ),
    (115, "it takes texts to end with NUL", "D-dictionary", &[]),
    (116, "it depends on today", "X-again", &[]),
    (117, "it is asked at midnight only", "D-moment", &[]),
    (118, "its reasons are the next row's", "X-explain", &[]),
    (
        121,
        "its configuration is static, and no example has one",
        "X-instances",
        &[],
    ),
    (
        122,
        "it answers otherwise for very many rows",
        "X-order",
        &[],
    ),
    (123, "its first configuration is static", "X-instances", &[]),
    (
        124,
        "it remembers answers whatever the configuration",
        "X-instances",
        &[],
    ),
    (
        125,
        "its reasons are of the newest configuration",
        "X-instances",
        &[],
    ),
    (126, "its first moment is static", "D-moment", &[]),
    (
        127,
        "its configuration is static, and it promises nothing",
        "X-instances",
        &[],
    ),
    (128, "it fails beside another one", "X-instances", &[]),
    (
        99,
        "what it has learned is kept by its configuration",
        "X-instances",
        &[],
    ),
    (
        119,
        "it leaves a thread behind when asked why",
        "R-threads",
        &[],
    ),
    (120, "its reasons are blank", "C-explain", &[]),
    (130, "it leaves a file open in every call", "R-files", &[]),
    (137, "it takes two seconds to start", "P-start", &[]),
    (135, "it aborts where an amount is negative", "D-wide", &[]),
    (136, "it has no answer for a percentage", "D-wide", &[]),
    (131, "it reads a row behind the last one", "D-offset", &[]),
    (132, "it judges what is unknown", "D-unknown", &[]),
    (133, "it forgets 100 bytes of every call", "R-leak", &[]),
    (134, "destroy frees nothing", "R-leak", &[]),
    (
        129,
        "it has an error for a row that it may be shown",
        "D-many",
        &[],
    ),
];

/// Mutants that are judged at once: most of them are waited for.
const AT_ONCE: usize = 4;

/// The mutants of `mutants_fit.c`.
const FITTED: Range<u32> = 71..101;
/// No defect of it.
const GOOD_FITTED: u32 = 999;

fn mutant(folder: &Path, (number, _, _, options): &(u32, &str, &str, &[&str])) -> PathBuf {
    let file = if FITTED.contains(number) || *number == GOOD_FITTED {
        "tests/it/mutants_fit.c"
    } else {
        "tests/it/mutants.c"
    };
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let defect = format!("-DDEFECT={number}");
    let mut all = vec![defect.as_str(), "-pthread", "-lm"];
    all.extend(*options);
    compile(folder, &source, &format!("mutant_{number}"), &all)
}

fn failed(verdicts: &[Verdict]) -> Vec<&Verdict> {
    verdicts
        .iter()
        .filter(|verdict| verdict.outcome == Outcome::Fail)
        .collect()
}

fn judged(hosts: &Hosts, file: &Path) -> Vec<Verdict> {
    // Built for tests, on a machine with other work.
    let allowance = Allowance {
        longest_call: Duration::from_secs(10),
        ..Allowance::default()
    };
    let verdicts = judge(hosts, file, &allowance);
    assert_eq!(verdicts.len(), ids().count());
    for verdict in &verdicts {
        let is_told = verdict.outcome == Outcome::Pass || !verdict.what.is_empty();
        assert!(
            is_told && !verdict.why.is_empty() && !verdict.fix.is_empty(),
            "{verdict:?}"
        );
    }
    verdicts
}

#[test]
fn good_segmenters_pass_every_test() {
    let folder = tempfile::tempdir().unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/c/health_groups.c");
    let built = built_in_folder();
    let mut files = vec![
        mutant(folder.path(), &(0, "", "", &[])),
        mutant(folder.path(), &(GOOD_FITTED, "", "", &[])),
        compile(folder.path(), &example, "health_groups", &[]),
        built.join("libexample_team_size.so"),
        built.join("libexample_clusters.so"),
    ];
    for name in ["rfm", "value_tiers", "lifecycle"] {
        files.push(built.join(format!("libsextant_segmenter_{name}.so")));
    }
    let hosts = hosts();
    for file in files {
        let verdicts = judged(&hosts, &file);
        // Built for tests, and beside other tests: what they take is no matter here.
        let failed = failed(&verdicts);
        let failed = failed.iter();
        let failed: Vec<_> = failed
            .filter(|one| !["P-time", "P-explain", "R-cancel"].contains(&one.id))
            .collect();
        assert!(failed.is_empty(), "{}: {failed:#?}", file.display());
    }
}

#[test]
fn every_mutant_is_found_by_its_test() {
    assert!(MUTANTS.len() >= 40);
    let folder = tempfile::tempdir().unwrap();
    let hosts = hosts();
    let left = Mutex::new(MUTANTS.iter());
    let next = || left.lock().unwrap().next();
    let judging = || {
        let missed = iter::from_fn(next).filter_map(|one| {
            let verdicts = judged(&hosts, &mutant(folder.path(), one));
            let (number, what, id, _) = one;
            let failed = failed(&verdicts);
            let is_found = failed.iter().any(|verdict| verdict.id == *id);
            let found: Vec<&str> = failed.iter().map(|verdict| verdict.id).collect();
            (!is_found).then(|| format!("{number} ({what}): not by {id}, but by {found:?}"))
        });
        missed.collect::<Vec<_>>()
    };
    let missed: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = iter::repeat_with(|| scope.spawn(judging))
            .take(AT_ONCE)
            .collect();
        threads
            .into_iter()
            .flat_map(|one| one.join().unwrap())
            .collect()
    });
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn an_author_is_told_the_row_that_brings_a_segmenter_down_or_holds_it_up() {
    let folder = tempfile::tempdir().unwrap();
    let hosts = hosts();
    let troubles = [
        (67, "it did not answer in time"),
        (68, "SIGABRT"),
        (129, "InvalidInput"),
    ];
    for (number, trouble) in troubles {
        let verdicts = judged(&hosts, &mutant(folder.path(), &(number, "", "", &[])));
        let failed = failed(&verdicts);
        let many = failed.iter().find(|verdict| verdict.id == "D-many");
        let what = &many.unwrap().what;
        let is_told = what.contains("alone (test.amount = 5,") && what.contains(trouble);
        assert!(is_told, "{number}: {what}");
        // Whatever test it goes down in: that is what there is to mend.
        let mut went_down = failed.iter().filter(|one| one.what.contains("SIGABRT"));
        let is_helped = went_down.all(|one| one.fix.contains("mend what brings it down"));
        assert!(is_helped, "{failed:#?}");
        // Each of these takes as long as it may.
        let left_out = verdicts.last().unwrap();
        let is_left_out = left_out.what == "earlier tests were not done in time";
        assert_eq!(is_left_out, number == 67, "{left_out:?}");
    }
}
