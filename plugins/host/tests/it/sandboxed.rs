//! What becomes of a segmenter where the kernel does not offer the whole sandbox.

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::thread;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

use sextant_plugin_host::{Allowance, External, LoadError, Verified};

use crate::fixture::{Fixture, hosts};

const LACKS: &str = "landlock: the kernel has none";

/// Starts a segmenter as on a kernel without Landlock: this thread, and the processes that it starts, do not find it.
fn started_without_landlock(
    fixture: &Fixture,
    allowance: Allowance,
) -> Result<External, LoadError> {
    let folder = tempfile::tempdir().unwrap();
    let file = Verified::read(&fixture.compile_with(folder.path(), &[])).unwrap();
    let start = move || {
        let unknown = BTreeMap::from([(libc::SYS_landlock_create_ruleset, Vec::new())]);
        let answer = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
        let filter = SeccompFilter::new(
            unknown,
            SeccompAction::Allow,
            answer,
            ARCH.try_into().unwrap(),
        );
        let program: BpfProgram = filter.unwrap().try_into().unwrap();
        apply_filter(&program).unwrap();
        External::start(&hosts(), file, allowance)
    };
    thread::spawn(start).join().unwrap()
}

fn initialiser(does: &str) -> Fixture {
    Fixture {
        prelude: format!("__attribute__((constructor)) static void start(void) {{ {does} }}"),
        ..Fixture::default()
    }
}

#[test]
fn where_the_whole_sandbox_is_asked_for_nothing_of_a_segmenter_runs_without_it() {
    let allowance = Allowance {
        needs_whole_sandbox: true,
        ..Allowance::default()
    };
    let refused = started_without_landlock(&initialiser("abort();"), allowance).unwrap_err();
    assert_eq!(refused.check_id(), "L-sandbox", "{refused}");
    assert!(refused.what().contains(LACKS), "{refused}");
}

#[test]
fn what_a_sandbox_lacks_is_told_before_a_segmenter_can_speak() {
    // It says that all is there, as the process would once it is loaded.
    let lie = r#"{"Ready":{"sandbox_lacks":[]}}"#;
    let speaks = format!(
        "static const char lie[] = {lie:?}; const unsigned char length[4] = {{{}, 0, 0, 0}}; \
         if (write(0, length, 4) != 4 || write(0, lie, {}) != {}) abort();",
        lie.len(),
        lie.len(),
        lie.len()
    );
    let is_told = |plugin: &External| plugin.sandbox_lacks().iter().any(|lack| lack == LACKS);
    let honest = started_without_landlock(&Fixture::default(), Allowance::default());
    assert!(is_told(&honest.unwrap()));
    // Behind its own words comes what is none of the contract, so it may be refused.
    let lying = started_without_landlock(&initialiser(&speaks), Allowance::default());
    assert!(lying.as_ref().map_or(true, is_told));
}
